//! A node as small as can be: `NodeLink` over TCP and WebSocket; echoes, and misbehaves when told.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use throughline_client::{BoxStream, CloseCode, SessionId};
use throughline_link::{
    Answer, Close, Frame, Hello, Incoming, Instant, LinkConfig, NodeEvent, NodeLink, Refused,
    Secret, Split, split,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::broadcast,
    time,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

/// What all connections of a node are told to do.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Vanish.
    Cut,
    /// Send a message to the client.
    Push(Vec<u8>),
    /// Handle the messages that were held.
    Release,
    /// Tell the client to come back in so many milliseconds, at these addresses.
    Restarting(u32, Vec<String>),
    /// Write these bytes as they are; as one message of a WebSocket.
    Raw(Vec<u8>),
    /// Send a text message of a WebSocket.
    Text,
    /// End the session.
    End(CloseCode),
    /// Close the connection of this session to make place for the next one.
    TakenOver(SessionId, u64),
}

struct Session {
    link: NodeLink,
    /// Which of its connections is the present one.
    connection: u64,
    /// Messages received, in order.
    received: Vec<Vec<u8>>,
    /// Received and not handled, while the node holds them.
    held: Vec<(u64, Vec<u8>)>,
}

pub(crate) struct Shared {
    start: time::Instant,
    config: Arc<LinkConfig>,
    sessions: Mutex<HashMap<SessionId, Session>>,
    /// What the next logins and resumes are answered with.
    refusals: Mutex<VecDeque<Vec<u8>>>,
    acts: broadcast::Sender<Act>,
    closed: AtomicBool,
    holding: AtomicBool,
    /// Messages after which a connection is cut, in the middle of what is written; 0: never.
    cut_every: AtomicUsize,
    ids: AtomicU8,
    pub(crate) accepted: AtomicUsize,
}

pub(crate) struct TestNode {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    /// Connections to this address.
    pub(crate) accepted: Arc<AtomicUsize>,
}

impl Shared {
    pub(crate) fn new(config: LinkConfig) -> Arc<Self> {
        Arc::new(Self {
            start: time::Instant::now(),
            config: Arc::new(config),
            sessions: Mutex::default(),
            refusals: Mutex::default(),
            acts: broadcast::channel(64).0,
            closed: AtomicBool::new(false),
            holding: AtomicBool::new(false),
            cut_every: AtomicUsize::new(0),
            ids: AtomicU8::new(0),
            accepted: AtomicUsize::new(0),
        })
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }
}

fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

impl TestNode {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(crate) async fn start_at(address: &str) -> Self {
        Self::start_with(address, LinkConfig::default()).await
    }

    /// One that listens nowhere: what it serves is brought to it.
    pub(crate) fn within(shared: Arc<Shared>) -> Self {
        Self { address: SocketAddr::from(([0; 4], 0)), shared, accepted: Arc::default() }
    }

    pub(crate) async fn start_with(address: &str, config: LinkConfig) -> Self {
        Self::listen(TcpListener::bind(address).await.unwrap(), Shared::new(config))
    }

    /// Another address that leads to the same sessions, as another node of a cluster would.
    pub(crate) async fn another(&self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, Arc::clone(&self.shared))
    }

    pub(crate) fn listen(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (accepting, count) = (Arc::clone(&shared), Arc::clone(&accepted));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                accepting.accepted.fetch_add(1, Ordering::SeqCst);
                if !accepting.closed.load(Ordering::SeqCst) {
                    tokio::spawn(accept(Arc::clone(&accepting), stream));
                }
            }
        });
        Self { address, shared, accepted }
    }

    /// How many connections came to this address.
    pub(crate) fn count(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn act(&self, act: Act) {
        // Nobody listens while no client is connected.
        let _ = self.shared.acts.send(act);
    }

    /// While closed, connections are dropped as soon as they come.
    pub(crate) fn close(&self, closed: bool) {
        self.shared.closed.store(closed, Ordering::SeqCst);
        self.act(Act::Cut);
    }

    /// While held, messages are received and not handled.
    pub(crate) fn hold(&self, hold: bool) {
        self.shared.holding.store(hold, Ordering::SeqCst);
        if !hold {
            self.act(Act::Release);
        }
    }

    pub(crate) fn cut_every(&self, messages: usize) {
        self.shared.cut_every.store(messages, Ordering::SeqCst);
    }

    pub(crate) fn refuse_next(
        &self,
        code: CloseCode,
        after_ms: u32,
        text: &str,
        game_code: Option<u16>,
    ) {
        let mut frame = Vec::new();
        Refused::write_no(&mut frame, code, after_ms, text, game_code, &[]);
        self.shared.refusals.lock().unwrap().push_back(frame);
    }

    pub(crate) fn received(&self, id: SessionId) -> Vec<Vec<u8>> {
        self.shared.sessions.lock().unwrap()[&id].received.clone()
    }

    pub(crate) fn end_code(&self, id: SessionId) -> Option<CloseCode> {
        self.shared.sessions.lock().unwrap()[&id].link.end_code()
    }

    pub(crate) fn is_over(&self, id: SessionId) -> bool {
        self.shared.sessions.lock().unwrap()[&id].link.is_over()
    }

    /// How many messages to the client are not acknowledged.
    pub(crate) fn unacked(&self, id: SessionId) -> usize {
        self.shared.sessions.lock().unwrap()[&id].link.numbering().retained()
    }
}

async fn accept(shared: Arc<Shared>, stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut first = [0; 4];
    let websocket = matches!(stream.peek(&mut first).await, Ok(4)) && &first == b"GET ";
    let _ = serve(shared, Box::new(stream), websocket).await;
}

/// Serves one connection until it ends.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: BoxStream,
    websocket: bool,
) -> io::Result<()> {
    let socket = if websocket {
        // The library's own limit is less than the largest frame and its length.
        let config = WebSocketConfig::default().max_frame_size(None);
        let accepted = accept_async_with_config(stream, Some(config)).await;
        Socket::Web(Box::new(accepted.map_err(io::Error::other)?))
    } else {
        Socket::Stream(stream)
    };
    let mut connection = Connection {
        acts: shared.acts.subscribe(),
        shared,
        socket,
        inbox: Vec::new(),
        session: None,
        messages: 0,
        over: false,
    };
    let served = connection.run().await;
    let Connection { shared, session, .. } = connection;
    if let Some((id, number)) = session {
        let mut sessions = shared.sessions.lock().unwrap();
        let session = sessions.get_mut(&id).unwrap();
        if session.connection == number {
            session.link.handle_disconnected(shared.now());
        }
    }
    served
}

enum Socket {
    Stream(BoxStream),
    Web(Box<WebSocketStream<BoxStream>>),
}

impl Socket {
    async fn read(&mut self, inbox: &mut Vec<u8>) -> io::Result<()> {
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        match self {
            Self::Stream(stream) => {
                inbox.reserve(64 * 1024);
                if stream.read_buf(inbox).await? == 0 { Err(end()) } else { Ok(()) }
            }
            Self::Web(socket) => match socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    inbox.extend_from_slice(&bytes);
                    Ok(())
                }
                Some(Ok(_)) => Ok(()),
                _ => Err(end()),
            },
        }
    }

    async fn shut(&mut self) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.shutdown().await,
            Self::Web(_) => Ok(()),
        }
    }

    async fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.write_all(&bytes).await,
            Self::Web(socket) => {
                socket.send(Message::Binary(bytes.into())).await.map_err(io::Error::other)
            }
        }
    }
}

struct Connection {
    shared: Arc<Shared>,
    acts: broadcast::Receiver<Act>,
    socket: Socket,
    inbox: Vec<u8>,
    session: Option<(SessionId, u64)>,
    messages: usize,
    over: bool,
}

impl Connection {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            let out = self.take_frames();
            let cut_every = self.shared.cut_every.load(Ordering::SeqCst);
            if cut_every != 0 && self.messages >= cut_every {
                return self.socket.write(out[..out.len() / 2].to_vec()).await;
            }
            if !out.is_empty() {
                self.socket.write(out).await?;
            }
            if self.over {
                self.socket.shut().await?;
                // For the client's own Close; its end of the connection follows.
                loop {
                    self.socket.read(&mut self.inbox).await?;
                    self.take_frames();
                }
            }
            let due = self.due().unwrap_or(Duration::from_secs(3600));
            tokio::select! {
                read = self.socket.read(&mut self.inbox) => read?,
                act = self.acts.recv() => self.act(act.unwrap()).await?,
                () = time::sleep(due) => {
                    let now = self.shared.now();
                    self.with(|session| session.link.handle_timeout(now));
                }
            }
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let (id, number) = self.session?;
        let mut sessions = self.shared.sessions.lock().unwrap();
        sessions.get_mut(&id).filter(|session| session.connection == number).map(f)
    }

    fn due(&self) -> Option<Duration> {
        let now = self.shared.now();
        self.with(|session| session.link.poll_timeout()).flatten().map(|due| due.since(now))
    }

    /// Takes what has come apart, and returns what is to be written.
    fn take_frames(&mut self) -> Vec<u8> {
        let (mut out, mut at) = (Vec::new(), 0);
        let inbox = std::mem::take(&mut self.inbox);
        // Enough for every Hello, too.
        let most = self.shared.config.max_frame.max(70_000);
        while let Split::Whole { kind, body, bytes } = split(&inbox[at..], most).unwrap() {
            at += bytes;
            let frame = Frame::read(kind, body).unwrap();
            match frame {
                Frame::Hello(_) | Frame::Resume(_) => self.take_first(&frame, &mut out),
                frame => self.take_frame(frame),
            }
        }
        self.inbox = inbox;
        self.inbox.drain(..at);
        let now = self.shared.now();
        self.over |= self
            .with(|session| {
                session.link.poll_transmit(now, wall(), &mut out, usize::MAX);
                let mut events = std::iter::from_fn(|| session.link.poll_event());
                events.any(|event| matches!(event, NodeEvent::CloseConnection(_)))
            })
            .unwrap_or(false);
        out
    }

    fn take_first(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        if let Some(refusal) = self.shared.refusals.lock().unwrap().pop_front() {
            out.extend_from_slice(&refusal);
            self.over = true;
            return;
        }
        let (now, config) = (self.shared.now(), Arc::clone(&self.shared.config));
        let mut sessions = self.shared.sessions.lock().unwrap();
        match frame {
            Frame::Hello(Hello { .. }) => {
                let id = SessionId([self.shared.ids.fetch_add(1, Ordering::SeqCst); 16]);
                let link = NodeLink::new(config, id, Secret([7; 32]), now, wall());
                let session = Session { link, connection: 0, received: vec![], held: vec![] };
                sessions.insert(id, session);
                self.session = Some((id, 0));
            }
            Frame::Resume(resume) => {
                let session = sessions.get_mut(&resume.session_id).unwrap();
                match session.link.handle_resume(resume, now, wall()) {
                    Answer::Accepted { takes_over } => {
                        let old = Act::TakenOver(resume.session_id, session.connection);
                        session.connection += 1;
                        self.session = Some((resume.session_id, session.connection));
                        if takes_over {
                            self.shared.acts.send(old).unwrap();
                        }
                    }
                    Answer::Refused(code) => {
                        Refused::write_no(out, code, 0, "", None, &[]);
                        self.over = true;
                    }
                }
            }
            _ => unreachable!("called for first frames only"),
        }
    }

    fn take_frame(&mut self, frame: Frame<'_>) {
        let now = self.shared.now();
        let holding = self.shared.holding.load(Ordering::SeqCst);
        let message = self.with(|session| {
            let Incoming::Message { seq, payload } = session.link.handle_frame(frame, now) else {
                return false;
            };
            session.received.push(payload.to_vec());
            if holding {
                session.held.push((seq, payload.to_vec()));
            } else {
                session.link.send(payload).unwrap();
                session.link.handled(seq, now);
            }
            true
        });
        self.messages += usize::from(message == Some(true));
    }

    async fn act(&mut self, act: Act) -> io::Result<()> {
        let now = self.shared.now();
        match act {
            Act::Cut => return Err(io::ErrorKind::ConnectionAborted.into()),
            Act::Push(message) => {
                self.with(|session| session.link.send(&message).unwrap());
            }
            Act::Release => {
                self.with(|session| {
                    for (seq, payload) in session.held.drain(..) {
                        session.link.send(&payload).unwrap();
                        session.link.handled(seq, now);
                    }
                });
            }
            Act::Restarting(in_ms, addresses) => {
                self.with(|session| session.link.announce_restart(in_ms, &addresses));
            }
            Act::Raw(bytes) => self.socket.write(bytes).await?,
            Act::Text => {
                let Socket::Web(socket) = &mut self.socket else { panic!("no WebSocket") };
                socket.send(Message::Text("hello".into())).await.map_err(io::Error::other)?;
            }
            Act::End(code) => {
                self.with(|session| session.link.end(code));
            }
            Act::TakenOver(id, number) if self.session == Some((id, number)) => {
                let mut out = Vec::new();
                let code = CloseCode::TakenOver;
                Frame::Close(Close { code, ack: 0, text: "" }).write(&mut out);
                self.socket.write(out).await?;
                self.over = true;
            }
            Act::TakenOver(..) => {}
        }
        Ok(())
    }
}
