//! The simulated network: connections as pairs of byte streams, and what may go wrong with them.

use std::collections::VecDeque;

use throughline_link::{Frame, Split, split};

/// One of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client = 0,
    Node = 1,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Client, Self::Node];

    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Node,
            Self::Node => Self::Client,
        }
    }
}

/// What reaches an end.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// The connection that the client dialed is open, or could not be opened.
    Opened(bool),
    Bytes(Vec<u8>),
    /// The other end closed it, or it broke.
    End,
}

/// One direction of a connection, by who reads it.
#[derive(Debug, Default)]
struct Pipe {
    flying: VecDeque<(u64, Vec<u8>)>,
    /// When the reader learns that nothing more comes.
    end_at: Option<u64>,
    /// Bytes vanish from here on, and so does the end.
    hole: bool,
    /// The reader is gone.
    deaf: bool,
    /// What was written, to be read again: nothing follows a Close.
    tap: Vec<u8>,
    said_close: bool,
}

#[derive(Debug, Default)]
struct Connection {
    /// Where the client dialed.
    address: String,
    pipes: [Pipe; 2],
    opens_at: Option<u64>,
    refused: bool,
    broken: bool,
}

/// All connections, and the faults to come.
#[derive(Debug)]
pub(crate) struct Network {
    /// Microseconds that a byte is on its way.
    pub(crate) latency: u64,
    /// Bytes that arrive at once, at most.
    pub(crate) chunk: usize,
    /// How much later than the other each end learns of a break, in microseconds.
    pub(crate) notice: [u64; 2],
    /// A break is seen before the bytes that arrived before it, which are then lost.
    pub(crate) ends_first: bool,
    /// New connections are refused.
    pub(crate) down: bool,
    /// Addresses at which nothing listens, and at which nothing ever answers.
    pub(crate) dead: Vec<&'static str>,
    pub(crate) silent: Vec<&'static str>,
    /// Bytes towards this end vanish, and the end of the connection with them.
    pub(crate) hole: [bool; 2],
    /// The next break: when so many bytes have reached this end, over all connections.
    pub(crate) cut: Option<(Side, usize)>,
    /// Bytes that have reached each end.
    pub(crate) carried: [usize; 2],
    connections: Vec<Connection>,
}

impl Network {
    pub(crate) fn new() -> Self {
        Self {
            latency: 5_000,
            chunk: usize::MAX,
            notice: [0, 0],
            ends_first: false,
            down: false,
            dead: Vec::new(),
            silent: Vec::new(),
            hole: [false, false],
            cut: None,
            carried: [0, 0],
            connections: Vec::new(),
        }
    }

    /// Nothing more goes wrong.
    pub(crate) fn heal(&mut self) {
        self.down = false;
        self.hole = [false, false];
        self.cut = None;
    }

    /// The client opens a connection: `Opened` arrives later, or never into a hole.
    pub(crate) fn dial(&mut self, address: &str, now: u64) -> usize {
        let mut connection = Connection { address: address.to_owned(), ..Connection::default() };
        let lost = self.hole[0] || self.hole[1] || self.silent.contains(&address);
        connection.opens_at = (!lost).then_some(now + self.latency);
        connection.refused = self.down || self.dead.contains(&address);
        connection.broken = connection.refused || lost;
        self.connections.push(connection);
        self.connections.len() - 1
    }

    pub(crate) fn address(&self, id: usize) -> &str {
        &self.connections[id].address
    }

    pub(crate) fn write(&mut self, id: usize, from: Side, bytes: Vec<u8>, now: u64) {
        self.connections[id].pipes[from.other() as usize].check_written(&bytes);
        self.write_unchecked(id, from, bytes, now);
    }

    /// Writes what no link of ours would.
    pub(crate) fn write_unchecked(&mut self, id: usize, from: Side, bytes: Vec<u8>, now: u64) {
        let to = from.other();
        let connection = &mut self.connections[id];
        let pipe = &mut connection.pipes[to as usize];
        pipe.hole |= self.hole[to as usize];
        if !(bytes.is_empty() || connection.broken || pipe.hole || pipe.deaf) {
            pipe.flying.push_back((now + self.latency, bytes));
        }
    }

    /// One end closes; what it has written still arrives, and then the other end knows.
    pub(crate) fn close(&mut self, id: usize, by: Side, now: u64) {
        let connection = &mut self.connections[id];
        connection.opens_at = None;
        let own = &mut connection.pipes[by as usize];
        own.deaf = true;
        own.flying.clear();
        own.end_at = None;
        self.close_writing(id, by, now);
    }

    /// One end says that it writes no more, and still reads.
    pub(crate) fn close_writing(&mut self, id: usize, by: Side, now: u64) {
        let connection = &mut self.connections[id];
        let pipe = &mut connection.pipes[by.other() as usize];
        pipe.hole |= self.hole[by.other() as usize];
        if !connection.broken && !pipe.hole && !pipe.deaf && pipe.end_at.is_none() {
            pipe.end_at = Some(now + self.latency);
        }
    }

    /// The connection breaks: what is on its way is lost, and both ends are told, each in its time.
    pub(crate) fn break_connection(&mut self, id: usize, now: u64) {
        let connection = &mut self.connections[id];
        if core::mem::replace(&mut connection.broken, true) {
            return;
        }
        for side in Side::BOTH {
            let pipe = &mut connection.pipes[side as usize];
            // What has arrived, and was not read yet, may be lost with it, too.
            let resets = self.ends_first;
            pipe.flying.retain(|(time, _)| *time <= now && !resets);
            if !pipe.deaf && !pipe.hole {
                pipe.end_at = Some(now + self.notice[side as usize]);
            }
        }
    }

    /// Breaks every connection that is open.
    pub(crate) fn break_all(&mut self, now: u64) {
        for id in 0..self.connections.len() {
            self.break_connection(id, now);
        }
    }

    /// When something arrives next.
    pub(crate) fn next(&self) -> Option<u64> {
        let of_pipe = |pipe: &Pipe| {
            [pipe.flying.front().map(|(time, _)| *time), pipe.end_at].into_iter().flatten().min()
        };
        let of_connection = |connection: &Connection| {
            let pipes = connection.pipes.iter().filter_map(of_pipe);
            pipes.chain(connection.opens_at).min()
        };
        self.connections.iter().filter_map(of_connection).min()
    }

    /// Takes one thing that has arrived by `now`.
    pub(crate) fn pop(&mut self, now: u64) -> Option<(usize, Side, Arrival)> {
        for id in 0..self.connections.len() {
            let connection = &mut self.connections[id];
            if connection.opens_at.is_some_and(|at| at <= now) {
                connection.opens_at = None;
                return Some((id, Side::Client, Arrival::Opened(!connection.refused)));
            }
            for side in Side::BOTH {
                if let Some(arrival) = self.pop_from(id, side, now) {
                    return Some((id, side, arrival));
                }
            }
        }
        None
    }

    fn pop_from(&mut self, id: usize, side: Side, now: u64) -> Option<Arrival> {
        let pipe = &mut self.connections[id].pipes[side as usize];
        let ended = pipe.end_at.is_some_and(|at| at <= now);
        if ended && pipe.flying.is_empty() {
            pipe.end_at = None;
            return Some(Arrival::End);
        }
        let (_, bytes) = pipe.flying.front_mut().filter(|(time, _)| *time <= now)?;
        let carried = &mut self.carried[side as usize];
        let mut count = bytes.len().min(self.chunk);
        let cut = self.cut.filter(|(to, at)| *to == side && *at <= *carried + count);
        if let Some((_, at)) = cut {
            count = at - *carried;
        }
        *carried += count;
        let rest = bytes.split_off(count);
        let arrived = core::mem::replace(bytes, rest);
        if bytes.is_empty() {
            pipe.flying.pop_front();
        }
        if cut.is_some() {
            self.cut = None;
            self.break_connection(id, now);
        }
        Some(Arrival::Bytes(arrived))
    }
}

impl Pipe {
    /// Whole frames only, all of them readable, and none behind a Close.
    fn check_written(&mut self, bytes: &[u8]) {
        self.tap.extend_from_slice(bytes);
        while let Ok(Split::Whole { kind, body, bytes }) = split(&self.tap, u32::MAX) {
            let frame = Frame::read(kind, body).expect("only good frames are written");
            assert!(!self.said_close, "{frame:?} follows a Close");
            self.said_close = matches!(frame, Frame::Close(_));
            self.tap.drain(..bytes);
        }
        assert!(self.tap.is_empty(), "only whole frames are written");
    }
}
