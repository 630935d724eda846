//! A door of its own in front of one node: killing it resets all connections through it, and
//! refuses new ones, while the node behind it lives on and answers its peers.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::error::Error;
use crate::parent::{self, json};
use crate::roles::worker::{Desk, Worker};

/// What the gate is told.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// Where the node is: `host:port`.
    #[arg(long)]
    target: SocketAddr,
}

/// Carries connections until the parent is gone; says its address.
pub(crate) fn serve(options: Options) -> Result<(), Error> {
    let worker = Worker::start(move |desk| work(options, desk));
    let address: String = worker.answer()?;
    parent::answer(&address, |question| Ok(json(&worker.ask(question)?)))
}

async fn work(options: Options, mut desk: Desk<String>) -> Result<(), Error> {
    let failed = || Error::io("opening the gate");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed())?;
    let address = listener.local_addr().map_err(failed())?.to_string();
    desk.say(address.clone())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                tokio::task::spawn_local(carry(client, options.target));
            }
            question = desk.next() => match question {
                Some(_) => desk.say(address.clone())?,
                None => return Ok(()),
            }
        }
    }
}

/// Carries one connection until either side closes it.
async fn carry(mut client: TcpStream, target: SocketAddr) {
    let Ok(mut node) = TcpStream::connect(target).await else { return };
    for stream in [&client, &node] {
        // Both fail on a connection that is gone already.
        let _ = stream.set_nodelay(true);
        let _ = reset_at_close(stream);
    }
    // However it ends, both sides are closed, which is all there is to do.
    let _ = copy_bidirectional(&mut client, &mut node).await;
}

/// What is closed while bytes may be on their way is reset, also by the kernel of a killed process.
#[allow(deprecated, reason = "with a time of zero it blocks nothing")]
fn reset_at_close(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_linger(Some(Duration::ZERO))
}
