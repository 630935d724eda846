//! The table of all settings. The typed structs, defaults, ranges, file keys, environment
//! variables, flags, help and the configuration page all come from it.

use std::net::SocketAddr;
use std::time::Duration;

use super::kind::Kind;
use super::value::{Field as _, Value};

/// One row of the table.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) section: &'static str,
    /// The Rust name of the field; [`Setting::key`] has the kebab-case one.
    pub(super) field: &'static str,
    /// One entry per line of the doc comment, each with its leading space.
    pub(super) doc: &'static [&'static str],
    /// As a user would write it in an environment variable.
    pub(super) default: &'static str,
    pub(super) kind: Kind,
    pub(super) read: fn(&Config) -> Value,
    pub(super) write: fn(&mut Config, Value),
}

impl Setting {
    /// The key in the file, without its section: `turn-deadline`.
    pub(super) fn key(&self) -> String {
        self.field.replace('_', "-")
    }

    /// The name everywhere else, and the flag without its dashes: `session.turn-deadline`.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.section, self.key())
    }

    /// `THROUGHLINE__SESSION__TURN_DEADLINE`.
    pub(super) fn variable(&self) -> String {
        let (section, field) = (self.section.to_uppercase(), self.field.to_uppercase());
        format!("{}{section}__{field}", super::ENVIRONMENT_PREFIX)
    }

    pub(super) fn default_value(&self) -> Value {
        // A test parses every default of the table.
        self.kind.parse(self.default).expect("every default of the table fits its kind")
    }
}

/// One section of the table, for headings.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) doc: &'static [&'static str],
}

macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $default:literal, $kind:expr;
            )+
        }
    )+) => {
        /// The configuration of a node. `Config::default()` holds the documented defaults.
        ///
        /// A program may change any field; [`Config::validate`] then checks what the loading of a
        /// file would have checked.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Config {
            $( $(#[doc = $about])+ pub $section: $Section, )+
        }

        $(
            $(#[doc = $about])+
            #[derive(Debug, Clone, PartialEq, Eq)]
            #[non_exhaustive]
            pub struct $Section {
                $( $(#[doc = $doc])+ pub $key: $type, )+
            }
        )+

        pub(super) const SECTIONS: &[Section] = &[
            $( Section { name: stringify!($section), doc: &[$($about),+] }, )+
        ];

        pub(super) const SETTINGS: &[Setting] = &[
            $($(
                Setting {
                    section: stringify!($section),
                    field: stringify!($key),
                    doc: &[$($doc),+],
                    default: $default,
                    kind: $kind,
                    read: |config| config.$section.$key.to_value($kind),
                    write: |config, value| {
                        config.$section.$key = <$type>::from_value(value);
                    },
                },
            )+)+
        ];

        impl Default for Config {
            fn default() -> Self {
                let mut config = Self {
                    $( $section: $Section { $( $key: <$type>::default(), )+ }, )+
                };
                for setting in SETTINGS {
                    (setting.write)(&mut config, setting.default_value());
                }
                config
            }
        }
    };
}

settings! {
    /// The process: its threads and its end.
    node: NodeSettings {
        /// Worker threads; sessions and their sockets are spread over them. 0: one per core.
        /// More workers than cores cost switches between threads and win nothing.
        workers: usize = "0", Kind::count(0, 256);

        /// Time given to sessions to end when the node is told to stop. What is left then is
        /// dropped; its clients are told that the node stopped.
        shutdown_time: Duration = "10s", Kind::time("0s", "10m");
    }

    /// Where clients come in. The defaults are reachable from this machine only.
    listen: ListenSettings {
        /// Addresses of the HTTP listener: pages, and WebSocket links at `/link`. None: no HTTP.
        /// An address of all interfaces, such as `0.0.0.0:7777`, opens the node to the network:
        /// put TLS in front of it.
        http: Vec<SocketAddr> = "127.0.0.1:7777", Kind::Addresses;

        /// Addresses of the TCP link listener, for native clients. None: no TCP link.
        link: Vec<SocketAddr> = "127.0.0.1:7778", Kind::Addresses;

        /// This node's own public addresses, told to clients for their next resume: `host:port` for
        /// TCP links, a URL `ws://..` or `wss://..` for WebSockets. Each client is told the first
        /// one of its own kind. None: clients come back where they came in.
        advertise: Vec<String> = "", Kind::PublicAddresses;

        /// Session kinds served by the listeners of this node. Empty: all that the game registers.
        kinds: Vec<String> = "", Kind::Names;

        /// Load balancers whose connections begin with a PROXY header (version 1 or 2), which says
        /// where the client is. Nobody else's is read: a client could lie in it.
        proxy_from: Vec<String> = "", Kind::Networks;
    }

    /// Where sessions are kept while no node has them, and who may act for them.
    store: StoreSettings {
        /// `memory`: nothing outlives the process, for tests and first steps; a node that stops
        /// ends its sessions. `sled:PATH`: this process's own disk. `hub:unix:PATH` or
        /// `hub:tcp:IP:PORT`: a store that a hub lends to the nodes of this machine.
        /// `postgres:WORDS` (those of libpq, such as `postgres:host=db1,db2 dbname=game user=game`)
        /// or a URL `postgresql://..`: PostgreSQL, for nodes on several machines.
        at: String = "memory", Kind::Store;

        /// A file with the password of PostgreSQL's user. Empty: none is sent.
        password_file: String = "", Kind::Path;

        /// A file of certificates (PEM) by which PostgreSQL's is judged. Empty: the system's.
        ca_file: String = "", Kind::Path;
    }

    /// This node among the others.
    cluster: ClusterSettings {
        /// The cluster's name. Nodes of another name are refused.
        name: String = "throughline", Kind::Name;

        /// This node's number, its own in the cluster; it survives restarts.
        node: u32 = "1", Kind::count(1, 65_535);

        /// Where other nodes reach this one; the first is used. Port 0: any that is free, told to
        /// the others through the store.
        listen: Vec<SocketAddr> = "127.0.0.1:0", Kind::Addresses;

        /// The address told to the other nodes, if it is not the one listened on.
        advertise: String = "", Kind::PublicAddress;

        /// A file with the cluster's secret, at least 16 bytes: nodes and the hub prove it to each
        /// other. Needed with a store that several processes share.
        secret_file: String = "", Kind::Path;

        /// A node renews its lease so often. Each beat is a small commit.
        beat: Duration = "500ms", Kind::time("50ms", "10s");

        /// A node whose beat did not change for so long is dead, and others take what it owned.
        /// Shorter finds dead nodes sooner; too short, a slow store kills healthy ones.
        term: Duration = "3s", Kind::time("200ms", "5m");

        /// A node stops acting so long before its term ends.
        margin: Duration = "500ms", Kind::time("50ms", "1m");

        /// With a store of several machines: while no node reaches it, as during a failover of the
        /// database, nodes go on with what needs no commit for so long beyond their lease (which
        /// must last for five beats). If all nodes crash at once, they join again, and what they
        /// held is taken, so much later. 0: they stand still.
        play_on: Duration = "1m", Kind::time("0s", "10m");
    }

    /// Queues: what they may hold before who sends is told that they are full. What is counted is
    /// an estimate: producers that write at the same time may exceed a limit by half of it each.
    queue: QueueSettings {
        /// Messages of one queue.
        messages: u64 = "10000", Kind::count(1, 1_000_000_000);

        /// Bytes of their payloads.
        bytes: u64 = "4MiB", Kind::bytes("1KiB", "1TiB");

        /// Messages of all queues of the cluster together.
        total_messages: u64 = "10000000", Kind::count(1, 1_000_000_000);

        /// Bytes of their payloads.
        total_bytes: u64 = "4GiB", Kind::bytes("1KiB", "1TiB");
    }

    /// Virtual actors.
    vactor: VActorSettings {
        /// Messages that wait in one VActor, at most; who asks beyond that is told `Overloaded`.
        mailbox: usize = "1024", Kind::count(1, 65_536);
    }

    /// Emptying a node before it stops.
    drain: DrainSettings {
        /// Sessions told in a second to come back elsewhere: each costs another node a handover.
        /// 0: all at once, spread over a time that their number gives.
        rate: u32 = "500", Kind::count(0, 1_000_000);

        /// The longest time over which clients that are told all at once are spread.
        spread: Duration = "10s", Kind::time("0s", "10m");

        /// What is left then is named, stays, and the exit status is not 0.
        deadline: Duration = "60s", Kind::time("1s", "24h");
    }

    /// The listener for operators: health, readiness, status, drain.
    admin: AdminSettings {
        /// Its address, of this machine only. None: no admin listener.
        listen: Vec<SocketAddr> = "127.0.0.1:7779", Kind::Addresses;
    }

    /// The link between a client and the node: numbering, acknowledging, retaining.
    link: LinkSettings {
        /// A client pings when nothing left it for so long; a connection silent for two of these
        /// is half-open and closed, its session stays. Shorter finds broken connections sooner and
        /// wakes phones more often.
        heartbeat: Duration = "2.5s", Kind::time("100ms", "60s");

        /// An acknowledgement waits so long for a message to ride on. Longer keeps more messages
        /// retained at the sender; 0s sends one for every turn.
        ack_delay: Duration = "20ms", Kind::time("0s", "1s");

        /// So many handled messages are acknowledged at once, without waiting for the delay.
        ack_every: u32 = "16", Kind::count(1, 1024);

        /// Messages a sender may have unacknowledged. While its window towards a client is full,
        /// the node handles no further message of that client, but reads on, so that acks get
        /// through; it stops reading from a client that sends beyond its own window.
        window_messages: u32 = "256", Kind::count(1, 65_536);

        /// The same in bytes of payload. One message may always be sent.
        window_bytes: u32 = "1MiB", Kind::bytes("1KiB", "64MiB");

        /// Messages a session may have unacknowledged by its client before it ends with
        /// RetainedOverflow. At least `window-messages`: the rest is room for what the game sends
        /// while the client is away.
        retained_messages: u32 = "1024", Kind::count(1, 1_048_576);

        /// The same in bytes. This is memory: each session may hold so much for a client that is
        /// away or slow. At least `window-bytes`.
        retained_bytes: u32 = "4MiB", Kind::bytes("1KiB", "1GiB");

        /// The longest frame taken or sent; a message has 17 bytes less. A connection holds up to
        /// this much while a frame arrives.
        max_frame: u32 = "64KiB", Kind::bytes("1KiB", "16MiB");

        /// A message unacknowledged for so long over a live connection ends its session with
        /// SlowConsumer: the client receives but does not handle.
        ack_timeout: Duration = "30s", Kind::time("1s", "1h");

        /// An ended session is remembered so long: a client that comes back gets the last messages
        /// and the reason instead of Unknown.
        ended_memory: Duration = "10m", Kind::time("0s", "24h");

        /// Ended sessions remembered at once; the oldest go first. Each holds its last
        /// unacknowledged messages, so 0 to `retained-bytes` of memory.
        ended_sessions: usize = "65536", Kind::count(0, 16_777_216);

        /// Bytes that all ended sessions together retain for their clients; the oldest go first.
        ended_bytes: usize = "256MiB", Kind::bytes("0B", "64GiB");
    }

    /// One session: its life and its share of the node.
    session: SessionSettings {
        /// A session without a connection for so long ends with Expired. Until then it costs its
        /// state and its retained messages.
        timeout: Duration = "60s", Kind::time("1s", "24h");

        /// A connected client that sends no message for so long ends with Idle. 0s: never.
        idle_limit: Duration = "0s", Kind::time("0s", "24h");

        /// A turn that takes longer is treated as a panic: the session ends with HandlerFailed.
        /// Time in which its worker's thread has no turn for it is not counted: the process or the
        /// machine is suspended, or another handler blocks the thread. It cannot stop a handler
        /// that blocks its thread; see `limits.stuck-worker`.
        turn_deadline: Duration = "10s", Kind::time("10ms", "10m");

        /// The login hook's time to answer; then the client is refused with HandshakeTimeout and
        /// may try again.
        login_deadline: Duration = "10s", Kind::time("10ms", "10m");

        /// Messages waiting for their turn: so many of the client, and so many of other sessions.
        /// When full, other senders get an error, and the node reads no further from the client,
        /// unless that one keeps to `link.window-messages`: then its acknowledgements must get
        /// through.
        mailbox: usize = "256", Kind::count(1, 65_536);

        /// Frames per second taken from one client: messages, and acks, pings and duplicates.
        /// Above it the node reads more slowly; nothing is lost. 0: no limit.
        messages_per_second: u64 = "1000", Kind::count(0, 10_000_000);

        /// Bytes of these frames per second, in the same way. 0: no limit.
        bytes_per_second: u64 = "1MiB", Kind::bytes("0B", "10GiB");

        /// How much a client may send at once after a pause, as time at the full rate. It must be
        /// enough for one frame of `link.max-frame`.
        burst: Duration = "2s", Kind::time("100ms", "60s");

        /// A client held back at its limit for so long without a pause ends with Flooded.
        flood_time: Duration = "10s", Kind::time("100ms", "10m");

        /// Timers one session may have set; setting one more is an error of the game's handler.
        timers: usize = "64", Kind::count(0, 65_536);

        /// Groups one session may be in; joining one more fails the game's handler.
        groups: usize = "64", Kind::count(0, 1024);

        /// The largest snapshot of a session: its state and what its client has not acknowledged.
        /// One that is larger cannot leave its node; a warning comes at half of this.
        snapshot_max: usize = "256KiB", Kind::bytes("1KiB", "1MiB");

        /// For kinds that keep a copy before each turn: a message whose turn fails is tried so
        /// often in all, then set aside with a report; a durable one becomes a dead letter.
        poison_tries: u32 = "3", Kind::count(1, 100);
    }

    /// Limits of the whole node. Who comes beyond one is refused with Overloaded and may try again.
    limits: LimitSettings {
        /// Connections at once. Each costs a file descriptor and some KiB.
        connections: usize = "20000", Kind::count(1, 1_000_000);

        /// Connections that have not logged in yet. The bound on what strangers can hold: each up
        /// to `login-payload` plus 1 KiB.
        handshakes: usize = "1024", Kind::count(1, 1_000_000);

        /// Time for the first frame of a connection to arrive whole.
        handshake_time: Duration = "5s", Kind::time("100ms", "60s");

        /// Sessions whose client logged in from one IP address (of IPv6: from one /64 network). One
        /// address cannot take all of `sessions`. 0: no limit, as for `connections-per-address`.
        sessions_per_address: usize = "512", Kind::count(0, 10_000_000);

        /// Sessions at once, with and without a connection.
        sessions: usize = "20000", Kind::count(1, 10_000_000);

        /// The longest login payload; a longer one is refused with LoginTooLarge before memory is
        /// taken for it.
        login_payload: usize = "16KiB", Kind::bytes("0B", "1MiB");

        /// Connections from one IP address (of IPv6: from one /64 network) at once. 0: no limit,
        /// which is right behind a proxy that hides the clients' addresses.
        connections_per_address: usize = "256", Kind::count(0, 1_000_000);

        /// Threads for blocking work of handlers, started when needed.
        blocking_threads: usize = "64", Kind::count(1, 1024);

        /// A worker that does not answer for so long is reported, with the kind and the hook that
        /// holds it: the handler blocks its thread and every session of that worker waits.
        stuck_worker: Duration = "1s", Kind::time("100ms", "60s");
    }

    /// The log on standard error. It never has payloads or secrets.
    log: LogSettings {
        /// What is logged: error, warn, info, debug, trace or off, and by module:
        /// `info,throughline::link=debug`. At debug a session logs every connection, at trace
        /// every frame: that is slow.
        level: String = "info", Kind::LogFilter;
    }

    /// For development. Never set these on a node that strangers can reach.
    development: DevelopmentSettings {
        /// Allows a game to delay its clients' frames and to cut their connections:
        /// `Context::simulate_link`, which is refused otherwise.
        simulate_link: bool = "false", Kind::Switch;
    }
}
