//! A session in two tabs: the second has all that the first one had, and comes back with it while
//! the first is connected. The later one wins, and the earlier one is told why it has lost.
//!
//! It is played when the faults are over: before, a connection may break that was to be told.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use throughline_client::{Client, CloseCode, Event, Options};
use tokio::time::{sleep, timeout};

use crate::game::{ROAMER, Say};
use crate::network::Host;
use crate::player::{Phase, Table};
use crate::random::Random;
use crate::truth;

/// So long after the faults, clients have come back.
const CALM: Duration = Duration::from_secs(4);
/// Whoever is to be told something is told within this.
const TOLD: Duration = Duration::from_secs(3);

/// Whether an earlier tab was told, as it must be once at least.
#[derive(Default)]
pub(crate) struct Tabs {
    /// With the later one at the same node.
    at_same: Cell<bool>,
    /// With the later one at another node.
    at_other: Cell<bool>,
}

impl Tabs {
    /// What nobody was told yet.
    pub(crate) fn untold(&self) -> Option<&'static str> {
        match (self.at_same.get(), self.at_other.get()) {
            (false, _) => Some("no tab was told that its session goes on in another one"),
            (_, false) => Some("no tab was told that its session goes on at another node"),
            _ => None,
        }
    }
}

/// Who opens tabs.
pub(crate) struct Visitor {
    pub(crate) host: Host,
    pub(crate) table: Rc<Table>,
    pub(crate) random: Random,
}

impl Visitor {
    pub(crate) async fn play(mut self) {
        while self.table.phase.get() == Phase::Play {
            sleep(Duration::from_millis(200)).await;
        }
        sleep(CALM).await;
        while self.table.phase.get() != Phase::Over && self.table.tabs.untold().is_some() {
            let nodes = self.table.addresses.clone();
            let first = self.random.index(nodes.len());
            let is_same = !self.table.tabs.at_same.get();
            let later = if is_same { first } else { (first + 1) % nodes.len() };
            let how = self.open_both(&nodes[first], &nodes[later]).await;
            truth::note(format_args!("the tab at {} is told {how:?}", nodes[first]));
            if how == Some(CloseCode::TakenOver) {
                let Tabs { at_same, at_other } = &self.table.tabs;
                if is_same { at_same.set(true) } else { at_other.set(true) }
            }
            sleep(self.random.millis(200, 900)).await;
        }
    }

    fn options(&mut self, node: &str) -> Options {
        Options::new([node])
            .kind(ROAMER)
            .login("a visitor")
            .seed(self.random.next())
            .connector(self.host.clone())
    }

    /// What the earlier one is told, if its connection did not break before.
    async fn open_both(&mut self, first: &str, later: &str) -> Option<CloseCode> {
        let options = self.options(first);
        let mut first = timeout(TOLD, Client::connect(options)).await.ok()?.ok()?;
        first.try_send(serde_json::to_vec(&Say::Up(1)).ok()?).ok()?;
        loop {
            match timeout(TOLD, first.next()).await.ok()? {
                Event::Message(_) => break,
                Event::Ended(..) => return None,
                _ => {}
            }
        }
        let (options, state) = (self.options(later), first.export());
        let mut later = timeout(TOLD, Client::resume(options, &state)).await.ok()?.ok()?;
        let told = timeout(TOLD, told(&mut first)).await.ok()?;
        drop(first);
        later.leave().await;
        told
    }
}

async fn told(client: &mut Client) -> Option<CloseCode> {
    loop {
        match client.next().await {
            Event::Ended(code, _) => return Some(code),
            Event::Message(_) => {}
            _ => return None,
        }
    }
}
