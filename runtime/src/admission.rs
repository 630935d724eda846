//! How many may come in: connections, handshakes, sessions, connections per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use crate::config::LimitSettings;

/// Counts against the limits of one node.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: LimitSettings,
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    sessions: AtomicUsize,
    /// Connections that carry a session; no limit of their own, they count as connections.
    links: AtomicUsize,
    connections_by_address: ByAddress,
    sessions_by_address: ByAddress,
}

/// Counts per address; of IPv6 per /64 network, which one client has to itself.
#[derive(Debug, Default)]
struct ByAddress(Mutex<HashMap<IpAddr, usize>>);

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("limits.connections is reached")]
    Connections,
    #[error("limits.handshakes is reached")]
    Handshakes,
    #[error("limits.sessions is reached")]
    Sessions,
    #[error("limits.connections-per-address is reached")]
    ConnectionsOfAddress,
    #[error("limits.sessions-per-address is reached")]
    SessionsOfAddress,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// One session's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct SessionPermit {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// One handshake's or link's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    count: fn(&Admission) -> &AtomicUsize,
}

impl Admission {
    pub(crate) fn new(limits: LimitSettings) -> Arc<Self> {
        Arc::new(Self {
            limits,
            connections: AtomicUsize::new(0),
            handshakes: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            links: AtomicUsize::new(0),
            connections_by_address: ByAddress::default(),
            sessions_by_address: ByAddress::default(),
        })
    }

    pub(crate) fn connection(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPermit, Full> {
        let address = network_of(address);
        let limit = self.limits.connections_per_address;
        self.connections_by_address.take(address, limit, Full::ConnectionsOfAddress)?;
        take(&self.connections, self.limits.connections, Full::Connections)
            .inspect_err(|_| self.connections_by_address.give_back(address))?;
        Ok(ConnectionPermit { admission: Arc::clone(self), address })
    }

    pub(crate) fn session(self: &Arc<Self>, address: IpAddr) -> Result<SessionPermit, Full> {
        let address = network_of(address);
        let limit = self.limits.sessions_per_address;
        self.sessions_by_address.take(address, limit, Full::SessionsOfAddress)?;
        take(&self.sessions, self.limits.sessions, Full::Sessions)
            .inspect_err(|_| self.sessions_by_address.give_back(address))?;
        Ok(SessionPermit { admission: Arc::clone(self), address })
    }

    pub(crate) fn handshake(self: &Arc<Self>) -> Result<Permit, Full> {
        take(&self.handshakes, self.limits.handshakes, Full::Handshakes)?;
        Ok(Permit { admission: Arc::clone(self), count: |admission| &admission.handshakes })
    }

    /// Counts a connection that carries a session.
    pub(crate) fn link(self: &Arc<Self>) -> Permit {
        self.links.fetch_add(1, Ordering::Relaxed);
        Permit { admission: Arc::clone(self), count: |admission| &admission.links }
    }

    /// Connections that carry a session, and sessions.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.links.load(Ordering::Relaxed), self.sessions.load(Ordering::Relaxed))
    }
}

impl ByAddress {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, address: IpAddr, limit: usize, full: Full) -> Result<(), Full> {
        let mut counts = self.lock();
        let count = counts.entry(address).or_insert(0);
        if limit > 0 && *count >= limit {
            return Err(full);
        }
        *count += 1;
        Ok(())
    }

    fn give_back(&self, address: IpAddr) {
        let mut counts = self.lock();
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

fn take(count: &AtomicUsize, limit: usize, full: Full) -> Result<(), Full> {
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < limit).then_some(now + 1))
        .map(|_| ())
        .map_err(|_| full)
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.admission.connections.fetch_sub(1, Ordering::Relaxed);
        self.admission.connections_by_address.give_back(self.address);
    }
}

impl Drop for SessionPermit {
    fn drop(&mut self) {
        self.admission.sessions.fetch_sub(1, Ordering::Relaxed);
        self.admission.sessions_by_address.give_back(self.address);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        (self.count)(&self.admission).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn p9_no_limit_is_exceeded_and_places_come_back() {
        let mut limits = Config::default().limits;
        limits.connections = 3;
        limits.connections_per_address = 2;
        limits.handshakes = 1;
        let admission = Admission::new(limits);
        let [one, two] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let first = admission.connection(one).unwrap();
        let _second = admission.connection(one).unwrap();
        assert_eq!(admission.connection(one).unwrap_err(), Full::ConnectionsOfAddress);
        let _third = admission.connection(two).unwrap();
        assert_eq!(admission.connection(two).unwrap_err(), Full::Connections);
        drop(first);
        assert!(admission.connection(one).is_ok());
        let handshake = admission.handshake().unwrap();
        assert_eq!(admission.handshake().unwrap_err(), Full::Handshakes);
        drop(handshake);
        assert!(admission.handshake().is_ok());
        limits_of_networks(&admission);
        let _link = admission.link();
        assert_eq!(admission.counts(), (1, 0));
    }

    fn limits_of_networks(admission: &Arc<Admission>) {
        let near = ["2001:db8::1", "2001:db8::ffff"].map(|text| text.parse().unwrap());
        let permits = near.map(|address| admission.session(address).unwrap());
        assert_eq!(admission.sessions_by_address.lock().len(), 1, "one /64 is one client");
        drop(permits);
        assert!(admission.sessions_by_address.lock().is_empty());
    }
}
