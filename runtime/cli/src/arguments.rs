//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use throughline_queue::QueueName;

use crate::place::{Access, Address};

/// Where a node's admin listener is by default.
const ADMIN: &str = "127.0.0.1:7779";

/// Looks at running nodes, gives them orders, and keeps their stores.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Prints JSON, one document a line: one per node, or one per store.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// A node's admin listener (its `admin.listen`), which is on the node's own machine. May be
    /// given several times, or as a list with commas.
    #[arg(long, global = true, value_name = "ADDR", value_delimiter = ',')]
    #[arg(default_value = ADMIN, value_parser = address)]
    pub(crate) admin: Vec<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What each node does: one line a node.
    Status,
    /// The sessions of the nodes.
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Where a VActor is, and the order that it go to another node.
    #[command(subcommand)]
    Vactors(VActorsCommand),
    /// Messages that nobody could handle: looks at them, tries them again, drops them. Asks a node,
    /// which does so for its cluster, or, with --store, a store on disk that nobody has open.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Says something to every session: the game decides how its players see it.
    Announce {
        /// What is said, 4 KiB at most.
        text: String,
    },
    /// Refuses logins for a while; sessions and resumes go on.
    #[command(subcommand)]
    Maintenance(MaintenanceCommand),
    /// Which versions of states are written: an update's, once it is said to be final.
    #[command(subcommand)]
    Versions(VersionsCommand),
    /// Empties a node before it stops: its sessions go to other nodes.
    #[command(subcommand)]
    Drain(DrainCommand),
    /// A store: on disk, where nobody has it open, or in PostgreSQL.
    #[command(subcommand)]
    Store(StoreCommand),
    /// The queues in a store: on disk, where nobody has it open, or, also while nodes use it, in
    /// PostgreSQL or behind a hub. Nothing is taken out.
    #[command(subcommand)]
    Queue(QueueCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// The sessions, by id, with the key of the player where there is one.
    List {
        /// Begins behind this session id.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// Sessions of each node, at most.
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Ends a session, on whichever of the nodes it is.
    Kick {
        /// The session's id: 32 hexadecimal digits.
        id: String,
        /// What its client is told.
        #[arg(value_name = "REASON", default_value = "kicked", value_parser = ["kicked", "ended"])]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum VActorsCommand {
    /// Where it is: at a node, or parked in the store. Asks one node, which knows it of its
    /// cluster.
    Locate {
        /// The VActor, as its kind and its key: KIND/KEY.
        #[arg(value_name = "KIND/KEY", value_parser = vactor)]
        name: VActorName,
    },
    /// Has it go to a node, with its state; asks to it wait meanwhile. Ends when it is there. One
    /// that is placed by hash goes back by itself.
    Move {
        /// The VActor, as its kind and its key: KIND/KEY.
        #[arg(value_name = "KIND/KEY", value_parser = vactor)]
        name: VActorName,
        /// The number of the node.
        node: u32,
    },
}

/// A VActor, as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VActorName {
    pub(crate) kind: String,
    pub(crate) key: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// The dead letters, the oldest first: where each was to go, how often it was tried, and why
    /// it was given up.
    List {
        /// Begins behind this one.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// Dead letters, at most.
        #[arg(long, value_name = "N", default_value_t = 100)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        #[command(flatten)]
        place: Place,
    },
    /// All of one dead letter, its payload included.
    Show {
        /// The dead letter, as `list` has it.
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Puts messages back into the queues that they came from, as they were, and behind what waits
    /// there. Each goes back once.
    Retry {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        place: Place,
    },
    /// Removes dead letters for good, and their messages with them.
    Drop {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        place: Place,
    },
}

impl DeadLettersCommand {
    /// Where the dead letters are, if not at a node.
    pub(crate) fn store(&self) -> Option<&PathBuf> {
        let (Self::List { place, .. }
        | Self::Show { place, .. }
        | Self::Retry { place, .. }
        | Self::Drop { place, .. }) = self;
        place.store.as_ref()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The store's directory, instead of a node.
    #[arg(long, value_name = "PATH")]
    store: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The dead letter, as `list` has it.
    pub(crate) id: Option<String>,
    /// All that are there now, 10,000 at most.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MaintenanceCommand {
    /// Begins it, or changes the time.
    On {
        /// When refused clients try again by themselves.
        #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
        retry_after: Duration,
    },
    /// Ends it.
    Off,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VersionsCommand {
    /// The newest version of each kind that is written, and that all live nodes read.
    List,
    /// The update stays: the newest version that all live nodes read is written from now on, and
    /// older builds cannot have the sessions that are written so.
    Final,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DrainCommand {
    /// Begins to drain one node. By default with the rate and the deadline of its configuration.
    Start {
        /// Sessions told in a second to come back elsewhere; 0: all at once.
        #[arg(long, value_name = "N")]
        rate: Option<u32>,
        /// What is left then is named and stays.
        #[arg(long, value_name = "TIME", value_parser = time)]
        deadline: Option<Duration>,
        /// Shows how far it is, and ends with its report: status 0 only if nothing is left.
        #[arg(long)]
        wait: bool,
    },
    /// How far it is.
    Status,
    /// Begins no further session; the deadline still holds.
    Pause,
    /// Goes on after a pause.
    Resume,
    /// Gives up: what has not gone stays.
    Stop,
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgument {
    /// The store's directory (PATH or sled:PATH), or a database of PostgreSQL
    /// ("postgres:host=a,b dbname=game user=game", or a URL, postgres://..).
    pub(crate) address: Address,
    #[command(flatten)]
    pub(crate) access: Access,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Reads every record and compares it with its checksum; in PostgreSQL also whether it is what
    /// its key says, and how the server is set.
    Check {
        #[command(flatten)]
        store: StoreArgument,
    },
    /// Counts the records by what they are: sessions, snapshots, nodes, indexes, queues. Also of
    /// the store that a hub lends (hub:unix:SOCKET or hub:tcp:ADDRESS).
    Stats {
        #[command(flatten)]
        store: StoreArgument,
    },
    /// Moves a cluster whose nodes are stopped from one store to another, between directories and
    /// databases. Interrupted, it goes on where it was when it is started again. What it is copied
    /// from stays as it is.
    Copy {
        /// The store that is copied: PATH, sled:PATH, or a database of PostgreSQL.
        from: Address,
        /// An empty store, or one that this copy was interrupted in.
        to: Address,
        #[command(flatten)]
        access: Access,
    },
    /// Writes each record as a line: the key with escapes, a tab, the value in hexadecimal. Reads
    /// also what is left of a store that does not open.
    Dump {
        /// The store's directory.
        path: Address,
        /// A new file; none: standard output, and what was found goes to standard error.
        to: Option<PathBuf>,
    },
    /// Gives back the space of what was overwritten. Needs space for a second copy.
    Compact {
        /// The store's directory.
        path: Address,
    },
    /// Copies the records into a new directory, which opens as a store.
    Backup {
        /// The store's directory.
        path: Address,
        /// A new or empty directory.
        to: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// The queues that are not empty, with how much they hold and how old the oldest message is.
    List {
        #[command(flatten)]
        store: QueueStore,
        /// Queues, at most.
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// How much a queue holds, and how old its oldest message is.
    Length {
        #[command(flatten)]
        queue: QueueArgument,
    },
    /// The first messages of a queue, which stay.
    Peek {
        #[command(flatten)]
        queue: QueueArgument,
        /// Messages, at most.
        #[arg(long, value_name = "N", default_value_t = 100)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct QueueArgument {
    /// The queue: session:ID, key:KEY, vactor:KIND/KEY, name:NAME or dead-letters.
    #[arg(value_name = "NAME", value_parser = crate::queue_name::parse)]
    pub(crate) name: QueueName,
    #[command(flatten)]
    pub(crate) store: QueueStore,
}

// Where queues are. No text of the documentation: clap would show it as the command's.
#[derive(Debug, Args)]
pub(crate) struct QueueStore {
    /// The store's directory (PATH or sled:PATH), the hub that lends it (hub:unix:SOCKET or
    /// hub:tcp:ADDRESS), or a database of PostgreSQL ("postgres:host=a,b dbname=game user=game", or
    /// a URL, postgres://..).
    #[arg(long = "store", value_name = "STORE")]
    pub(crate) address: Address,
    #[command(flatten)]
    pub(crate) access: Access,
}

fn address(text: &str) -> Result<String, String> {
    let parts = text.rsplit_once(':');
    let fits = parts.is_some_and(|(host, port)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        !host.is_empty() && host.chars().all(is_word) && port.parse::<u16>().is_ok()
    });
    if fits { Ok(text.to_owned()) } else { Err(format!("HOST:PORT was expected, as {ADMIN}")) }
}

fn vactor(text: &str) -> Result<VActorName, String> {
    let name = text.split_once('/').filter(|(kind, _)| !kind.is_empty());
    let name = name.map(|(kind, key)| VActorName { kind: kind.to_owned(), key: key.to_owned() });
    name.ok_or_else(|| "KIND/KEY was expected, as match/17".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "a time was expected, as 30s or 5m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_an_address_the_default_one_is_asked() {
        let arguments = Arguments::parse_from(["throughline", "status"]);
        assert_eq!(arguments.admin, [ADMIN]);
        let two = ["throughline", "status", "--admin", "localhost:1,[::1]:2", "--json"];
        let arguments = Arguments::parse_from(two);
        assert!(arguments.json);
        assert_eq!(arguments.admin, ["localhost:1", "[::1]:2"]);
    }

    #[test]
    fn rubbish_is_refused_before_anybody_is_asked() {
        let refused = [
            &["status", "--admin", "7779"][..],
            &["status", "--admin", "a b:1"],
            &["status", "--admin", "http://127.0.0.1:7779/x:1"],
            &["sessions", "kick", "00", "banned"],
            &["sessions", "list", "--limit", "0"],
            &["maintenance", "on", "--retry-after", "soon"],
            &["drain", "start", "--deadline", "7"],
            &["store", "backup", "only-one"],
            &["store", "copy", "only-one"],
            &["store", "stats"],
            &["dead-letters", "show"],
            &["dead-letters", "retry"],
            &["dead-letters", "drop", "17.0badcafe.1", "--all"],
            &["dead-letters", "list", "--limit", "0"],
            &["queue", "list"],
            &["vactors", "locate", "match"],
            &["vactors", "move", "match/17"],
            &["vactors", "move", "match/17", "n2"],
            &["queue", "length", "ann", "--store", "data"],
            &["queue", "peek", "session:1234", "--store", "data"],
            &["queue", "peek", "vactor:match", "--store", "data"],
            &["queue", "peek", "key:ann", "--store", "data", "--limit", "0"],
        ];
        for arguments in refused {
            let all = ["throughline"].iter().chain(arguments);
            assert!(Arguments::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }
}
