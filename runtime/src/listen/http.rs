//! The HTTP entrance: pages, and the upgrade of `/link` to a WebSocket.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full as Body;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
    upgrade,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use throughline_link::wire;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    admission::{ConnectionPermit, Full, Permit},
    handshake::{self, Stranger},
    kinds::overloaded,
    node::Shared,
    transport::Transport,
    worker::Worker,
};

/// Where WebSocket links come in.
const LINK_PATH: &str = "/link";

/// Request heads, at most; also what the server reads at once.
const HEAD_MAX: usize = 16 * 1024;

/// A file of the game's page, part of the binary.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Where it is found, such as `/index.html`; `/index.html` is also `/`.
    pub path: &'static str,
    /// Its media type, such as `text/html; charset=utf-8`.
    pub mime: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

/// Pages by path.
pub(crate) type Pages = HashMap<&'static str, Page>;

/// All pages of a node: those of the game, and the web client under `/throughline/`.
#[derive(Debug)]
pub(crate) struct Site;

impl Site {
    pub(crate) fn pages(game: &[Page]) -> Pages {
        crate::web_client::FILES.iter().chain(game).map(|page| (page.path, *page)).collect()
    }
}

/// Whether this node wants clients, for load balancers on other machines: those cannot reach the
/// admin listener, which also says why not.
const READY_PATH: &str = "/throughline/readyz";

/// A connection that serves pages ends after this, however busy it is: nobody holds one for ever by
/// asking and not reading. A browser opens another.
const CONNECTION_TIME: Duration = Duration::from_secs(60);

/// The connection's places, which it keeps when it turns into a link.
struct Places {
    permit: ConnectionPermit,
    /// Given back once a page was asked for: a visitor is no stranger at the link's door.
    handshake: Option<Permit>,
}

/// Serves one connection until it closes or becomes a link.
pub(super) async fn serve(
    worker: Rc<Worker>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: ConnectionPermit,
    handshake: Permit,
) {
    let node = Arc::clone(&worker.node);
    let places = Rc::new(RefCell::new(Some(Places { permit, handshake: Some(handshake) })));
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&worker, peer, request, &places);
        async move { Ok::<_, Infallible>(response) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(node.config.limits.handshake_time)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIME, serving).await {
        log::debug!("HTTP with {peer}: {error}");
    }
}

fn answer(
    worker: &Rc<Worker>,
    peer: SocketAddr,
    request: Request<Incoming>,
    places: &Rc<RefCell<Option<Places>>>,
) -> Response<Body<Bytes>> {
    let path = request.uri().path();
    if path == LINK_PATH {
        return open_link(worker, peer, request, places);
    }
    if let Some(places) = &mut *places.borrow_mut() {
        places.handshake = None;
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if path == READY_PATH {
        return match worker.node.readiness() {
            Ok(()) => plain(StatusCode::OK, "ready\n"),
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        };
    }
    let path = if path == "/" { "/index.html" } else { path };
    let Some(page) = worker.node.pages.get(path) else {
        return plain(StatusCode::NOT_FOUND, "no such page");
    };
    let mut response = Response::new(Body::new(Bytes::from_static(page.bytes)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.mime));
    // The page belongs to this build of the node: asked for again after an update.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body<Bytes>> {
    let mut response = Response::new(Body::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let mime = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, mime);
    response
}

/// Answers the opening handshake of a WebSocket (RFC 6455, 4.2).
fn open_link(
    worker: &Rc<Worker>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
    places: &Rc<RefCell<Option<Places>>>,
) -> Response<Body<Bytes>> {
    let headers = request.headers();
    let has = |name, token: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    let is_upgrade = request.method() == Method::GET
        && has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let (Some(key), true) = (key, is_upgrade) else {
        let mut response =
            plain(StatusCode::UPGRADE_REQUIRED, "this is the entrance of WebSocket links");
        let version = HeaderValue::from_static("13");
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
        return response;
    };
    let (Some(places), Ok(key)) = (places.take(), HeaderValue::from_str(&key)) else {
        return plain(StatusCode::BAD_REQUEST, "already upgraded");
    };
    actix_rt::spawn(become_link(Rc::clone(worker), peer, upgrade::on(&mut request), places));
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, key);
    response
}

async fn become_link(
    worker: Rc<Worker>,
    peer: SocketAddr,
    upgraded: upgrade::OnUpgrade,
    places: Places,
) {
    let Ok(upgraded) = upgraded.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
    // A stranger may send a Hello or a Resume, and nothing larger.
    let message_max = handshake::first_frame_max(&worker.node) as usize + wire::LENGTH_BYTES;
    let stream = parts.io.into_inner();
    let transport = Transport::websocket(stream, parts.read_buf.to_vec(), message_max).await;
    let Places { permit, handshake } = places;
    let Some(handshake) = handshake.or_else(|| worker.node.admission.handshake().ok()) else {
        handshake::turn_away(Arc::clone(&worker.node), transport, peer).await;
        return;
    };
    handshake::meet(worker, Stranger { transport, peer, permit, handshake }).await;
}

/// Turns a connection away: a limit is reached.
pub(super) async fn turn_away(node: &Shared, mut stream: TcpStream, peer: SocketAddr, full: Full) {
    node.note_refused(peer, &overloaded(&full.to_string()));
    let answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\
        Connection: close\r\n\r\n";
    let time = node.config.limits.handshake_time;
    let _ = tokio::time::timeout(time, stream.write_all(answer.as_bytes())).await;
}
