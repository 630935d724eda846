//! A client without manners: frames written by hand, over TCP or WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use throughline_link::{Frame, Hello, Secret, SessionId, Split, proof, split, wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::watch;

/// What came from the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Welcome(Seat),
    Refused {
        code: u16,
        retry_after_ms: u32,
        text: String,
        game_code: Option<u16>,
        addresses: Vec<String>,
    },
    Data {
        seq: u64,
        ack: u64,
        payload: Vec<u8>,
    },
    Ack(u64),
    Ping(u64),
    Pong(u64),
    Close {
        code: u16,
        ack: u64,
        text: String,
    },
    /// The connection is closed; on WebSocket with this status.
    End(Option<u16>),
}

/// What a Welcome told: all that is needed to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) id: SessionId,
    pub(crate) secret: Secret,
    pub(crate) resumed: bool,
    pub(crate) received: u64,
    pub(crate) ack: u64,
    pub(crate) max_frame: u32,
    pub(crate) address: Option<String>,
}

impl Seat {
    /// A Resume of this session, as bytes.
    pub(crate) fn resume(&self, attempt: u64, received: u64, acked: u64) -> Vec<u8> {
        let mut body = Vec::from(wire::MAGIC);
        body.extend([wire::VERSION, wire::VERSION]);
        body.extend(self.id.0);
        for number in [attempt, received, acked] {
            body.extend(number.to_be_bytes());
        }
        body.extend([0, 0]);
        let proof = proof(&self.secret, &body);
        body.extend(proof);
        frame(wire::RESUME, &body)
    }
}

/// A frame of any type and body, as bytes.
pub(crate) fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap();
    [&length.to_be_bytes()[..], &[kind], body].concat()
}

/// A Hello, as bytes.
pub(crate) fn hello(kind: &str, login: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (version_min, version_max) = (wire::VERSION, wire::VERSION);
    let extensions = throughline_link::Extensions::default();
    Frame::Hello(Hello { version_min, version_max, kind, login, extensions }).write(&mut bytes);
    bytes
}

/// A node that reads takes something within this; one that has stopped never does.
const STALL: Duration = Duration::from_millis(500);

/// One connection to a node.
pub(crate) struct Wire {
    carrier: Carrier,
    bytes: Vec<u8>,
}

enum Carrier {
    Tcp(TcpStream),
    Web(Box<WebSocketStream<TcpStream>>),
}

impl Wire {
    pub(crate) async fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { carrier: Carrier::Tcp(stream), bytes: Vec::new() }
    }

    pub(crate) async fn web(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let url = format!("ws://{address}/link");
        let upgraded = tokio_tungstenite::client_async(url, stream).await;
        let carrier = Carrier::Web(Box::new(upgraded.unwrap().0));
        Self { carrier, bytes: Vec::new() }
    }

    /// A connection of each transport, with its name.
    pub(crate) async fn each(node: &throughline::RunningNode) -> [(&'static str, Self); 2] {
        let tcp = Self::tcp(node.link_addresses()[0]).await;
        let web = Self::web(node.http_addresses()[0]).await;
        [("tcp", tcp), ("web", web)]
    }

    /// A session of this kind on a new TCP connection, welcomed.
    pub(crate) async fn session(address: SocketAddr, kind: &str, login: &str) -> (Self, Seat) {
        let mut wire = Self::tcp(address).await;
        let seat = wire.log_in(kind, login).await;
        (wire, seat)
    }

    pub(crate) async fn log_in(&mut self, kind: &str, login: &str) -> Seat {
        self.write(&hello(kind, login.as_bytes())).await;
        self.welcome().await
    }

    /// The Welcome, which must be next.
    pub(crate) async fn welcome(&mut self) -> Seat {
        match self.next().await {
            Seen::Welcome(seat) => seat,
            other => panic!("a Welcome was expected, not {other:?}"),
        }
    }

    /// Writes bytes: one message on WebSocket. A node that has closed already is no failure.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = match &mut self.carrier {
            Carrier::Tcp(stream) => stream.write_all(bytes).await.is_ok(),
            Carrier::Web(socket) => socket.send(Message::binary(bytes.to_vec())).await.is_ok(),
        };
    }

    /// Writes until the node takes no more; says how many bytes went. Of TCP only.
    pub(crate) async fn write_until_it_stalls(&mut self, bytes: &[u8]) -> usize {
        let Carrier::Tcp(stream) = &mut self.carrier else { return 0 };
        let mut taken = 0;
        while taken < bytes.len() {
            match tokio::time::timeout(STALL, stream.write(&bytes[taken..])).await {
                Ok(count) => taken += count.unwrap(),
                Err(_) => break,
            }
        }
        taken
    }

    /// Writes bytes below the WebSocket, if there is one.
    pub(crate) async fn write_under(&mut self, bytes: &[u8]) {
        let stream = match &mut self.carrier {
            Carrier::Tcp(stream) => stream,
            Carrier::Web(socket) => socket.get_mut(),
        };
        stream.write_all(bytes).await.unwrap();
    }

    /// Writes a text message; TCP knows none.
    pub(crate) async fn write_text(&mut self, text: &str) {
        if let Carrier::Web(socket) = &mut self.carrier {
            socket.send(Message::text(text.to_owned())).await.unwrap();
        }
    }

    pub(crate) async fn send(&mut self, frame: Frame<'_>) {
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        self.write(&bytes).await;
    }

    pub(crate) async fn data(&mut self, seq: u64, ack: u64, payload: &[u8]) {
        self.send(Frame::Data(throughline_link::Data { seq, ack, payload })).await;
    }

    /// A message of a game that speaks JSON.
    pub(crate) async fn ask<T: serde::Serialize>(&mut self, seq: u64, ack: u64, ask: &T) {
        self.data(seq, ack, &serde_json::to_vec(ask).unwrap()).await;
    }

    /// The next frame of the node, or the end.
    pub(crate) async fn next(&mut self) -> Seen {
        watch::soon("a frame or the end of a connection", self.read_frame()).await
    }

    async fn read_frame(&mut self) -> Seen {
        loop {
            if let Split::Whole { kind, body, bytes } = split(&self.bytes, u32::MAX).unwrap() {
                let seen = seen(&Frame::read(kind, body).unwrap());
                self.bytes.drain(..bytes);
                return seen;
            }
            match &mut self.carrier {
                Carrier::Tcp(stream) => match stream.read_buf(&mut self.bytes).await {
                    Ok(0) | Err(_) => return Seen::End(None),
                    Ok(_) => {}
                },
                Carrier::Web(socket) => match socket.next().await {
                    Some(Ok(Message::Binary(bytes))) => self.bytes.extend_from_slice(&bytes),
                    Some(Ok(Message::Close(frame))) => {
                        return Seen::End(frame.map(|frame| frame.code.into()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Seen::End(None),
                },
            }
        }
    }

    /// The first frame that `wanted` takes; others are skipped.
    pub(crate) async fn find<T>(&mut self, mut wanted: impl FnMut(&Seen) -> Option<T>) -> T {
        loop {
            let seen = self.next().await;
            if let Some(found) = wanted(&seen) {
                return found;
            }
            assert!(!matches!(seen, Seen::End(_)), "the connection ended before it");
        }
    }

    /// The code of the Close or Refused that comes; others are skipped.
    pub(crate) async fn code(&mut self) -> u16 {
        self.find(|seen| match seen {
            Seen::Close { code, .. } | Seen::Refused { code, .. } => Some(*code),
            _ => None,
        })
        .await
    }

    /// The payload of the next message.
    pub(crate) async fn message(&mut self) -> Vec<u8> {
        self.find(|seen| match seen {
            Seen::Data { payload, .. } => Some(payload.clone()),
            _ => None,
        })
        .await
    }

    /// The next message of a game that speaks JSON.
    pub(crate) async fn answer<T: serde::de::DeserializeOwned>(&mut self) -> T {
        serde_json::from_slice(&self.message().await).unwrap()
    }

    /// Everything that comes until the connection ends; how it ended comes last.
    pub(crate) async fn rest(&mut self) -> Vec<Seen> {
        let mut all = Vec::new();
        loop {
            let seen = self.next().await;
            let is_end = matches!(seen, Seen::End(_));
            all.push(seen);
            if is_end {
                return all;
            }
        }
    }

    /// Waits until everything written before has been read.
    pub(crate) async fn is_heard(&mut self) {
        self.send(Frame::Ping(77)).await;
        self.find(|seen| (*seen == Seen::Pong(77)).then_some(())).await;
    }

    /// Skips bytes until this text has come, which need not be frames. Of TCP only.
    pub(crate) async fn skip_text(&mut self, text: &str) {
        let Carrier::Tcp(stream) = &mut self.carrier else { return };
        loop {
            let found = self.bytes.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = found {
                self.bytes.drain(..at + text.len());
                return;
            }
            let read = watch::soon(text, stream.read_buf(&mut self.bytes)).await;
            assert_ne!(read.unwrap(), 0, "the connection ended before {text}");
        }
    }

    /// The bytes that come until the connection ends, whatever they are. Of TCP only.
    pub(crate) async fn bytes_to_the_end(&mut self) -> Vec<u8> {
        let Carrier::Tcp(stream) = &mut self.carrier else { return Vec::new() };
        let mut bytes = std::mem::take(&mut self.bytes);
        let read = stream.read_to_end(&mut bytes);
        let _ = watch::soon("the end of a connection", read).await;
        bytes
    }
}

fn seen(frame: &Frame<'_>) -> Seen {
    match frame {
        Frame::Welcome(welcome) => Seen::Welcome(Seat {
            id: welcome.session_id,
            secret: welcome.secret.clone().unwrap_or(Secret([0; 32])),
            resumed: welcome.resumed,
            received: welcome.received,
            ack: welcome.ack,
            max_frame: welcome.max_frame,
            address: welcome.address().map(str::to_owned),
        }),
        Frame::Refused(refused) => Seen::Refused {
            code: refused.code.number(),
            retry_after_ms: refused.retry_after_ms,
            text: refused.text.to_owned(),
            game_code: refused.game_code(),
            addresses: refused.elsewhere().map(str::to_owned).collect(),
        },
        Frame::Data(data) => {
            Seen::Data { seq: data.seq, ack: data.ack, payload: data.payload.to_owned() }
        }
        Frame::Ack(ack) => Seen::Ack(*ack),
        Frame::Ping(token) => Seen::Ping(*token),
        Frame::Pong { token, .. } => Seen::Pong(*token),
        Frame::Close(close) => {
            Seen::Close { code: close.code.number(), ack: close.ack, text: close.text.to_owned() }
        }
        other => panic!("a node sends no {other:?}"),
    }
}
