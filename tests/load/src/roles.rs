//! The processes of a run: subcommands of this executable, hidden from its help.
//!
//! # Layout
//! - `bare_server`, `bare_client`: an echo with a length prefix and nothing else: the limit.
//! - `node`: a node with the session kinds of the scenarios.
//! - `echo_client`, `idle_client`, `cut_client`: what plays against it, through
//!   `throughline-client`.
//! - `proxy`: the fault proxy, one port for each client.
//! - `hub`, `servers`, `member`: a store, and the nodes of a cluster that share it; `shared_store`:
//!   how it is opened; `audit`: who looks at its commits. `traveller`: their session kind.
//!   `roamer`: its clients. `store_client`: the store's own limit. `gate`: a door to a node.
//! - `vactors`: a node that hosts VActors, or asks them. `counter`: their kinds. `actix_asker`,
//!   `records`: the limits; `hop`: the bare echo with two threads on each side. `asks`: what the
//!   askers of both sides have in common.
//! - `saver`: the session kind whose every turn is a commit.
//! - `queue_producer`, `queue_consumer`: what goes through queues. `engine`: the limit of that, and
//!   of turns; `raw`: what it is made of.
//! - `bots`: clients that play a whole game of `samples`.
//! - `drive`: what the echo clients of both sides have in common.
//! - `worker`: a thread with a runtime of its own, as the clients and the proxy use it.

pub(crate) mod actix_asker;
pub(crate) mod asks;
pub(crate) mod audit;
pub(crate) mod bare_client;
pub(crate) mod bare_server;
pub(crate) mod bots;
pub(crate) mod counter;
pub(crate) mod cut_client;
pub(crate) mod drive;
pub(crate) mod echo_client;
pub(crate) mod engine;
pub(crate) mod gate;
pub(crate) mod hop;
pub(crate) mod hub;
pub(crate) mod idle_client;
pub(crate) mod member;
pub(crate) mod node;
pub(crate) mod proxy;
pub(crate) mod queue_consumer;
pub(crate) mod queue_producer;
pub(crate) mod raw;
pub(crate) mod records;
pub(crate) mod roamer;
pub(crate) mod saver;
pub(crate) mod servers;
pub(crate) mod shared_store;
pub(crate) mod store_client;
pub(crate) mod traveller;
pub(crate) mod vactors;
mod worker;

use clap::Subcommand;

use crate::error::Error;
use echo_client::EchoClient;
use node::Echo;
use saver::Saver;

/// A process of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    #[command(hide = true)]
    ServeBare(bare_server::Options),
    #[command(hide = true)]
    ServeNode(node::Options),
    #[command(hide = true)]
    ServeProxy(proxy::Options),
    #[command(hide = true)]
    ServeHub(hub::Options),
    #[command(hide = true)]
    ServePostgres(servers::Options),
    #[command(hide = true)]
    ServeMember(member::Options),
    #[command(hide = true)]
    ServeGate(gate::Options),
    #[command(hide = true)]
    ServeVactors(vactors::Options),
    #[command(hide = true)]
    DriveVactors(vactors::Options),
    #[command(hide = true)]
    DriveActix(actix_asker::Options),
    #[command(hide = true)]
    ServeHop,
    #[command(hide = true)]
    DriveHop(hop::Options),
    #[command(hide = true)]
    DriveRecords(records::Options),
    #[command(hide = true)]
    DriveStore(store_client::Options),
    #[command(hide = true)]
    DriveProducers(queue_producer::Options),
    #[command(hide = true)]
    DriveConsumers(queue_consumer::Options),
    #[command(hide = true)]
    DriveEngine(engine::Options),
    #[command(hide = true)]
    DriveRoam(roamer::Options),
    #[command(hide = true)]
    DriveBots(bots::Options),
    #[command(hide = true)]
    DriveBare(drive::Options),
    #[command(hide = true)]
    DriveBareIdle(idle_client::Options),
    #[command(hide = true)]
    DriveEcho(drive::Options),
    #[command(hide = true)]
    DriveTurns(drive::Options),
    #[command(hide = true)]
    DriveIdle(idle_client::Options),
    #[command(hide = true)]
    DriveCut(cut_client::Options),
}

impl Role {
    /// Plays the role until the parent is gone.
    pub(crate) fn play(self) -> Result<(), Error> {
        match self {
            Self::ServeBare(options) => bare_server::serve(&options),
            Self::ServeNode(options) => node::serve(&options),
            Self::ServeProxy(options) => proxy::serve(&options),
            Self::ServeHub(options) => hub::serve(&options),
            Self::ServePostgres(options) => servers::serve(&options),
            Self::ServeMember(options) => member::serve(&options),
            Self::ServeGate(options) => gate::serve(options),
            Self::ServeVactors(options) => vactors::serve(&options),
            Self::DriveVactors(options) => vactors::drive(&options),
            Self::DriveActix(options) => actix_asker::drive(&options),
            Self::ServeHop => hop::serve(),
            Self::DriveHop(options) => hop::drive(&options),
            Self::DriveRecords(options) => records::drive(&options),
            Self::DriveStore(options) => store_client::drive(options),
            Self::DriveProducers(options) => queue_producer::drive(options),
            Self::DriveConsumers(options) => queue_consumer::drive(options),
            Self::DriveEngine(options) => engine::drive(&options),
            Self::DriveRoam(options) => roamer::drive(options),
            Self::DriveBots(options) => bots::drive(options),
            Self::DriveBare(options) => drive::drive::<bare_client::BareClient>(&options),
            Self::DriveBareIdle(options) => idle_client::drive::<bare_client::BareClient>(options),
            Self::DriveEcho(options) => drive::drive::<EchoClient<Echo>>(&options),
            Self::DriveTurns(options) => drive::drive::<EchoClient<Saver>>(&options),
            Self::DriveIdle(options) => idle_client::drive::<EchoClient<Echo>>(options),
            Self::DriveCut(options) => cut_client::drive(options),
        }
    }
}
