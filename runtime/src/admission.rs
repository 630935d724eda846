//! How many may come in: connections, handshakes, sessions, connections per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{
    Arc, Mutex, PoisonError,
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
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

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
    Address,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// One handshake's, session's or link's place; given back when dropped.
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
            addresses: Mutex::new(HashMap::new()),
        })
    }

    pub(crate) fn connection(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPermit, Full> {
        take(&self.connections, self.limits.connections, Full::Connections)?;
        let permit = ConnectionPermit { admission: Arc::clone(self), address };
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_insert(0);
        *count += 1;
        let limit = self.limits.connections_per_address;
        if limit > 0 && *count > limit {
            drop(addresses);
            drop(permit);
            return Err(Full::Address);
        }
        Ok(permit)
    }

    pub(crate) fn handshake(self: &Arc<Self>) -> Result<Permit, Full> {
        take(&self.handshakes, self.limits.handshakes, Full::Handshakes)?;
        Ok(Permit { admission: Arc::clone(self), count: |admission| &admission.handshakes })
    }

    pub(crate) fn session(self: &Arc<Self>) -> Result<Permit, Full> {
        take(&self.sessions, self.limits.sessions, Full::Sessions)?;
        Ok(Permit { admission: Arc::clone(self), count: |admission| &admission.sessions })
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

fn take(count: &AtomicUsize, limit: usize, full: Full) -> Result<(), Full> {
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < limit).then_some(now + 1))
        .map(|_| ())
        .map_err(|_| full)
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.admission.connections.fetch_sub(1, Ordering::Relaxed);
        let addresses = &self.admission.addresses;
        let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
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
        assert_eq!(admission.connection(one).unwrap_err(), Full::Address);
        let _third = admission.connection(two).unwrap();
        assert_eq!(admission.connection(two).unwrap_err(), Full::Connections);
        drop(first);
        assert!(admission.connection(one).is_ok());
        let handshake = admission.handshake().unwrap();
        assert_eq!(admission.handshake().unwrap_err(), Full::Handshakes);
        drop(handshake);
        assert!(admission.handshake().is_ok());
        let _link = admission.link();
        assert_eq!(admission.counts(), (1, 0));
    }
}
