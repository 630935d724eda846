//! Three members and their etcd.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use futures_util::future::join_all;
use tempfile::TempDir;
use throughline_store_postgres::testing::USER;

use crate::member::{Member, give_away, installed};
use crate::patience::ask;
use crate::{ports, processes};

const MEMBERS: [&str; 3] = ["p1", "p2", "p3"];

/// Rows that a leader has of standbys that get all it writes, and of those that commits wait for.
const STREAMING: &str = "
    select count(*) || ' ' || count(*) filter (where sync_state = 'sync')
    from pg_stat_replication where state = 'streaming'";

/// What a member has: all of it, as one line.
const CONTENTS: &str = "
    select count(*) || ' ' || coalesce(sum(hashtextextended(encode(key || value, 'hex'), crc)), 0)
    from throughline.record";

/// All of it ends when this is dropped, or this process ends.
pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
    etcd: Child,
    keeper: Child,
    folder: TempDir,
}

impl Cluster {
    /// Started, with a leader and two standbys, one of which has all that is answered.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("throughline-patroni").tempdir().unwrap();
        give_away(folder.path());
        let mut keeper = Command::new("sh");
        keeper.args(["-c", processes::KEEPER]).arg(folder.path()).process_group(0);
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = keeper.spawn().unwrap();
        let (port, etcd) = start_etcd(&folder);
        let member = |name: &&str| Member::new(folder.path(), name, port);
        let members = MEMBERS.iter().map(member).collect();
        let mut cluster = Self { members, etcd, keeper, folder };
        cluster.members.iter_mut().for_each(Member::run);
        cluster.is_whole().await;
        cluster
    }

    /// The connection string that names all members.
    pub(crate) fn address(&self) -> String {
        let ports: Vec<_> = self.members.iter().map(|member| member.port.to_string()).collect();
        format!(
            "host=127.0.0.1,127.0.0.1,127.0.0.1 port={} user={USER} dbname=postgres \
             sslmode=disable",
            ports.join(",")
        )
    }

    /// Which member leads, by its place.
    pub(crate) async fn leader(&self) -> usize {
        self.leader_but(None).await
    }

    /// Which member leads, once it is not this one.
    pub(crate) async fn other_leader(&self, old: usize) -> usize {
        self.leader_but(Some(old)).await
    }

    async fn leader_but(&self, not: Option<usize>) -> usize {
        ask("a member leads", async || {
            let leads = join_all(self.members.iter().map(|member| member.is("leader"))).await;
            (0..leads.len()).find(|index| leads[*index] && Some(*index) != not)
        })
        .await
    }

    /// Waits until there is a leader with two standbys, and Patroni would promote one of them.
    pub(crate) async fn is_whole(&self) {
        ask("a leader has two standbys", async || {
            let members = &self.members;
            let is_sync = join_all(members.iter().map(|member| member.is("sync"))).await;
            let follows = join_all(members.iter().map(|member| member.is("replica"))).await;
            let streams = join_all(members.iter().map(|member| member.sql(STREAMING))).await;
            let streams = streams.contains(&Some("2 1".to_owned()));
            let follow = follows.iter().filter(|follows| **follows).count();
            (streams && follow == 2 && is_sync.contains(&true)).then_some(())
        })
        .await;
    }

    /// Waits until all members have what the leader has, and nothing else; how much that is.
    pub(crate) async fn is_alike(&self) -> String {
        ask("all members have the same", async || {
            let all = join_all(self.members.iter().map(|member| member.sql(CONTENTS))).await;
            let first = all.first()?.clone()?;
            all.iter().all(|contents| contents.as_ref() == Some(&first)).then_some(first)
        })
        .await
    }
}

fn start_etcd(folder: &TempDir) -> (u16, Child) {
    let at = folder.path().join("etcd");
    fs::create_dir(&at).unwrap();
    let (port, peer) = (ports::free(), ports::free());
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let log = File::create(at.join("log")).unwrap();
    let mut command = Command::new(installed("etcd", "etcd-server"));
    command.current_dir(&at).arg("--data-dir").arg(at.join("data"));
    command.args(["--listen-client-urls", &url(port), "--advertise-client-urls", &url(port)]);
    command.args(["--listen-peer-urls", &url(peer)]);
    command.args(["--initial-advertise-peer-urls", &url(peer)]);
    command.args(["--initial-cluster", &format!("default={}", url(peer))]);
    // What Patroni asks for in its section `etcd`.
    command.arg("--enable-v2");
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    (port, command.spawn().unwrap())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.members.iter().for_each(|member| eprintln!("{}", member.log()));
        }
        processes::kill_now(self.folder.path());
        drop(self.keeper.stdin.take());
        // It ends what was started meanwhile, and only then itself.
        drop(self.keeper.wait());
        drop(self.etcd.wait());
    }
}
