//! One place of the pool: a connection, opened again whenever it breaks.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::connection::{Connection, Connector, Purpose};
use crate::limits::RECONNECT_EVERY;
use crate::shared::Shared;
use crate::stats::add;

/// A connection that is opened again whenever it breaks, or the primary moves.
#[derive(Debug)]
pub(crate) struct Member {
    shared: Arc<Shared>,
    connector: Connector,
    connection: Option<Connection>,
    /// Which server the monitor saw when the connection was opened. It may have been late: only
    /// what it sees from then on tells that the primary has moved.
    seen: String,
}

impl Member {
    pub(crate) fn new(shared: Arc<Shared>, connector: Connector) -> Self {
        Self { shared, connector, connection: None, seen: String::new() }
    }

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Waits for a connection that works, as far as is known. `false`: the store was closed.
    pub(crate) async fn connect(&mut self, purpose: Purpose) -> bool {
        let mut closing = self.shared.closing.subscribe();
        tokio::select! {
            _ = closing.wait_for(|is_closing| *is_closing) => false,
            is_connected = self.connect_until(purpose, None) => is_connected,
        }
    }

    /// The same, also while the store closes. `false`: it did not come in time.
    pub(crate) async fn connect_by(&mut self, purpose: Purpose, deadline: Instant) -> bool {
        self.connect_until(purpose, Some(deadline)).await
    }

    async fn connect_until(&mut self, purpose: Purpose, deadline: Option<Instant>) -> bool {
        loop {
            if self.connection.as_ref().is_some_and(|connection| self.is_good(connection)) {
                return true;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return false;
            }
            self.connection = None;
            // This one may have been told of a call that another can begin.
            self.shared.commits.notify_one();
            self.shared.reads_wait.notify_one();
            self.seen.clone_from(&self.shared.server.borrow());
            match self.connector.open(purpose).await {
                Ok(connection) => {
                    add(&self.shared.counters.connections, 1);
                    self.shared.set_trouble(None);
                    self.connection = Some(connection);
                }
                Err(error) => {
                    log::debug!("no connection: {error}");
                    self.shared.set_trouble(Some(error.to_string()));
                    sleep(RECONNECT_EVERY).await;
                }
            }
        }
    }

    fn is_good(&self, connection: &Connection) -> bool {
        let server = self.shared.server.borrow();
        !connection.is_closed() && (*server == self.seen || *server == connection.server)
    }

    /// Waits until the monitor sees another primary than that of the connection.
    pub(crate) async fn moved(&self) {
        let mut server = self.shared.server.subscribe();
        let is_other = |server: &String| {
            let own = self.connection.as_ref().map(|connection| &connection.server);
            *server != self.seen && Some(server) != own
        };
        // The sender outlives this borrow.
        let _ = server.wait_for(is_other).await;
    }

    /// Gives the connection up.
    pub(crate) fn disconnect(&mut self, reason: String) {
        log::debug!("a connection is given up: {reason}");
        self.shared.set_trouble(Some(reason));
        self.connection = None;
    }

    /// Waits until told. `false`: the store was closed.
    pub(crate) async fn wait_for(&self, told: &Notify) -> bool {
        let mut closing = self.shared.closing.subscribe();
        tokio::select! {
            _ = closing.wait_for(|is_closing| *is_closing) => false,
            () = told.notified() => true,
        }
    }
}
