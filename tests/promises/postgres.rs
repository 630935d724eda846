//! Nodes that share a database: the same promises, with nothing changed but `store.at`.

use throughline::StartError;
use throughline_store_postgres::testing::Server;

use crate::{
    cluster::{Cluster, Plan},
    game::{self, Answer, Ask},
    operators::{
        http::{Answer as Said, get},
        until,
    },
    p5_any_node::finds_its_session_on_every_node,
    player,
};

/// A server of its own, on a thread that may block.
async fn server() -> Server {
    let started = tokio::task::spawn_blocking(Server::start).await.unwrap();
    started.unwrap()
}

fn store_at(server: &Server) -> String {
    format!("postgres:{}", server.address("postgres"))
}

async fn cluster(nodes: u32, server: &Server) -> Cluster {
    let any = ([127, 0, 0, 1], 0).into();
    let plan = Plan::new(nodes).on_postgres(store_at(server));
    plan.with(move |config| config.admin.listen = vec![any]).start().await
}

/// What this node says of its store to operators.
async fn trouble(cluster: &Cluster, number: u32) -> Option<String> {
    let admin = cluster.node(number).admin_addresses()[0];
    let status = get(admin, "/status").await.json();
    status["store_trouble"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_client_finds_its_session_on_every_node_that_shares_the_database() {
    let server = server().await;
    let cluster = cluster(3, &server).await;
    finds_its_session_on_every_node(&cluster).await;
    assert_eq!(trouble(&cluster, 1).await, None);
}

#[tokio::test]
async fn a_cluster_that_was_stopped_goes_on_from_the_database() {
    let server = server().await;
    let mut cluster = cluster(2, &server).await;
    let mut ann = cluster.join(1, "ann").await;
    player::ask(&mut ann, Ask::Say(1)).await;
    for number in [1, 2] {
        let report = cluster.stop(number).await;
        assert!(report.is_clean(), "{report:?}");
    }
    cluster.start_node(2).await;
    ann.client().move_to(cluster.at(2)).unwrap();
    assert_eq!(player::ask_past(&mut ann, Ask::Count).await, Answer::Counted(1));
}

#[tokio::test]
async fn players_play_on_after_the_database_was_killed() {
    let server = server().await;
    let cluster = cluster(2, &server).await;
    let mut ann = cluster.join(1, "ann").await;
    player::ask(&mut ann, Ask::Say(1)).await;
    let server = tokio::task::spawn_blocking(move || {
        server.kill().unwrap();
        server.run().unwrap();
        server
    });
    let _server = server.await.unwrap();
    // With a commit of its own: a handover needs the database.
    ann.client().move_to(cluster.at(2)).unwrap();
    assert_eq!(player::ask_past(&mut ann, Ask::Count).await, Answer::Counted(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_while_the_database_is_away_waits_for_it() {
    let server = server().await;
    let mut cluster = cluster(2, &server).await;
    assert!(cluster.stop(2).await.is_clean());
    tokio::task::block_in_place(|| server.kill().unwrap());
    let back = tokio::task::spawn_blocking(move || {
        server.run().unwrap();
        server
    });
    cluster.start_node(2).await;
    let _server = back.await.unwrap();
    let mut ann = cluster.join(2, "ann").await;
    player::is_served(&mut ann).await;
}

#[tokio::test]
async fn an_operator_is_told_that_commits_wait_for_a_lost_standby() {
    let server = server().await;
    let cluster = cluster(1, &server).await;
    server.configure("synchronous_standby_names = 'ANY 1 (lost)'\n").unwrap();
    server.reload().unwrap();
    let admin = cluster.node(1).admin_addresses()[0];
    let text = |said: &Said| said.json()["store_trouble"].as_str().unwrap_or("").to_owned();
    let told = text(&until(admin, "/status", |said| text(said).contains("standby")).await);
    assert!(told.contains("ANY 1 (lost)") && told.contains("0 standbys"), "{told}");
    server.configure("synchronous_standby_names = ''\n").unwrap();
    server.reload().unwrap();
    until(admin, "/status", |said| text(said).is_empty()).await;
}

#[tokio::test]
async fn a_node_of_another_cluster_is_refused_by_the_database() {
    let server = server().await;
    let _cluster = cluster(1, &server).await;
    let mut config = game::config();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "no secret at all, but long").unwrap();
    config.cluster.secret_file = secret.path().display().to_string();
    config.cluster.name = "another".to_owned();
    config.store.at = store_at(&server);
    let builder = game::builder(|own| *own = config);
    let started = tokio::task::spawn_blocking(move || builder.start()).await.unwrap();
    let Err(StartError::Store { text }) = started else { panic!("{started:?}") };
    assert!(text.contains("another") && text.contains("throughline"), "{text}");
}

#[tokio::test]
async fn a_node_whose_database_is_away_says_so_and_does_not_start() {
    let mut config = game::config();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "no secret at all, but long").unwrap();
    config.cluster.secret_file = secret.path().display().to_string();
    // The discard port: nobody listens there.
    config.store.at = "postgres:host=127.0.0.1 port=9 user=game dbname=game".to_owned();
    let builder = game::builder(|own| *own = config);
    // After the time in which a failover would be over.
    let started = tokio::task::spawn_blocking(move || builder.start()).await.unwrap();
    let Err(StartError::Store { text }) = started else { panic!("{started:?}") };
    assert!(text.contains("store.at") && text.contains("127.0.0.1:9"), "{text}");
}
