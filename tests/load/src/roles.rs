//! The processes of a run: subcommands of this executable, hidden from its help.
//!
//! # Layout
//! - `bare_server`, `bare_client`: an echo with a length prefix and nothing else: the limit.
//! - `node`: a node with the session kinds of the scenarios.
//! - `echo_client`, `idle_client`, `cut_client`: what plays against it, through
//!   `throughline-client`.
//! - `proxy`: the fault proxy, one port for each client.
//! - `drive`: what the echo clients of both sides have in common.
//! - `worker`: a thread with a runtime of its own, as the clients and the proxy use it.

pub(crate) mod bare_client;
pub(crate) mod bare_server;
pub(crate) mod cut_client;
pub(crate) mod drive;
pub(crate) mod echo_client;
pub(crate) mod idle_client;
pub(crate) mod node;
pub(crate) mod proxy;
mod worker;

use clap::Subcommand;

use crate::error::Error;

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
    DriveBare(drive::Options),
    #[command(hide = true)]
    DriveBareIdle(idle_client::Options),
    #[command(hide = true)]
    DriveEcho(drive::Options),
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
            Self::DriveBare(options) => drive::drive::<bare_client::BareClient>(&options),
            Self::DriveBareIdle(options) => idle_client::drive::<bare_client::BareClient>(options),
            Self::DriveEcho(options) => drive::drive::<echo_client::EchoClient>(&options),
            Self::DriveIdle(options) => idle_client::drive::<echo_client::EchoClient>(options),
            Self::DriveCut(options) => cut_client::drive(options),
        }
    }
}
