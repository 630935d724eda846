//! Doing what was asked.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{Request, StatusCode, body::Incoming};
use serde::Serialize;
use serde_json::json;
use throughline_queue::DeadLetterError;

use super::{
    READ_TIME,
    answer::{self, Answer},
    guard,
    route::{self, Order},
};
use crate::{
    cluster::{DrainOrder, FinalError, KindVersion, Whereabouts},
    node::Shared,
    operator::{DrainNo, DrainStatus, MoveNo},
};

/// The longest announcement: a screen of text, which fits into a frame of any sensible size.
const ANNOUNCEMENT_BYTES_MAX: usize = 4 * 1024;

/// Answers one request.
pub(super) async fn answer(node: &Arc<Shared>, request: Request<Incoming>) -> Answer {
    if let Some(why) = guard::page(request.uri(), request.headers()) {
        return answer::failure(StatusCode::FORBIDDEN, why);
    }
    match route::read(request.method(), request.uri().path(), request.uri().query()) {
        Ok(order) => act(node, order, request.into_body()).await,
        Err(no) => answer::no(&no),
    }
}

async fn act(node: &Arc<Shared>, order: Order, body: Incoming) -> Answer {
    match order {
        Order::Health => well(node.health()),
        Order::Readiness => well(node.readiness()),
        Order::Status => answer::ok(&node.status()),
        Order::Sessions { after, limit } => answer::ok(&node.sessions(after, limit)),
        Order::Kick { id, reason } => {
            if node.kick(id, reason) {
                return answer::ok(&json!({ "id": id, "reason": reason.name() }));
            }
            let why = format!("no session {id} lives on this node");
            answer::failure(StatusCode::NOT_FOUND, &why)
        }
        Order::DeadLetters { after, limit } => {
            let page = node.dead_letters(after.as_deref(), limit).await;
            lettered(page.map_err(DeadLetterError::Read))
        }
        Order::DeadLetter { id } => lettered(node.dead_letter(&id).await),
        Order::DropDeadLetter { id } => {
            let dropped = node.drop_dead_letter(&id).await;
            lettered(dropped.map(|()| json!({ "id": id, "dropped": true })))
        }
        Order::RetryDeadLetter { id } => {
            let to = node.retry_dead_letter(&id).await;
            lettered(to.map(|to| json!({ "id": id, "to": to })))
        }
        Order::Announce => match announcement(body).await {
            Ok(text) => answer::ok(&json!({ "told": node.announce(&text).await })),
            Err((status, why)) => answer::failure(status, &why),
        },
        Order::Maintain { retry_after } => {
            node.set_maintenance(Some(retry_after));
            let millis = retry_after.as_millis() as u64;
            answer::ok(&json!({ "maintenance": true, "retry_after_ms": millis }))
        }
        Order::EndMaintenance => {
            node.set_maintenance(None);
            answer::ok(&json!({ "maintenance": false }))
        }
        Order::Drain { wait } => drain(node, wait).await,
        Order::StartDrain { rate, deadline } => drained(node.start_drain(rate, deadline)),
        Order::PauseDrain => drained(node.change_drain(DrainOrder::Pause)),
        Order::ResumeDrain => drained(node.change_drain(DrainOrder::Resume)),
        Order::StopDrain => drained(node.change_drain(DrainOrder::Stop)),
        Order::LocateVActor { id } => match node.locate_vactor(&id).await {
            Ok(at) => answer::ok(&at),
            Err(error) => answer::failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        },
        Order::MoveVActor { id, node: to } => moved(node.move_vactor(&id, to).await),
        Order::Versions => versions(node.final_versions().await),
        Order::MakeFinal => versions(node.make_final().await),
    }
}

fn well(is_well: Result<(), String>) -> Answer {
    match is_well {
        Ok(()) => answer::ok(&json!({ "ok": true })),
        Err(why) => answer::failure(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

async fn drain(node: &Shared, wait: Duration) -> Answer {
    if !wait.is_zero() {
        // Over or not, it is answered with how far it is.
        let _ = tokio::time::timeout(wait, node.cluster.drain.ended()).await;
    }
    answer::ok(&node.drain_status().unwrap_or(DrainStatus::none()))
}

fn drained(order: Result<DrainStatus, DrainNo>) -> Answer {
    match order {
        Ok(status) => answer::ok(&status),
        Err(no) => answer::failure(StatusCode::CONFLICT, &no.to_string()),
    }
}

fn versions(found: Result<Vec<KindVersion>, FinalError>) -> Answer {
    match found {
        Ok(kinds) => answer::ok(&json!({ "kinds": kinds })),
        Err(error) => answer::failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

fn moved(done: Result<Whereabouts, MoveNo>) -> Answer {
    match done {
        Ok(at) => answer::ok(&at),
        Err(no) => {
            let status = match no {
                MoveNo::Unknown => StatusCode::NOT_FOUND,
                MoveNo::Parked | MoveNo::NoSuchNode(_) => StatusCode::CONFLICT,
                MoveNo::NotArrived { .. } | MoveNo::Unread(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            answer::failure(status, &no.to_string())
        }
    }
}

fn lettered<T: Serialize>(done: Result<T, DeadLetterError>) -> Answer {
    match done {
        Ok(value) => answer::ok(&value),
        Err(error) => {
            let status = match error {
                DeadLetterError::NoSuch { .. } => StatusCode::NOT_FOUND,
                DeadLetterError::Unreadable(_) => StatusCode::CONFLICT,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            answer::failure(status, &error.to_string())
        }
    }
}

async fn announcement(body: Incoming) -> Result<String, (StatusCode, String)> {
    let reading = Limited::new(body, ANNOUNCEMENT_BYTES_MAX).collect();
    let bytes: Bytes = match tokio::time::timeout(READ_TIME, reading).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let why = format!("an announcement has at most {ANNOUNCEMENT_BYTES_MAX} bytes");
            return Err((StatusCode::PAYLOAD_TOO_LARGE, why));
        }
        Ok(Err(error)) => return Err((StatusCode::BAD_REQUEST, error.to_string())),
        Err(_) => {
            let why = "the announcement did not arrive in time".to_owned();
            return Err((StatusCode::REQUEST_TIMEOUT, why));
        }
    };
    let bad = |why: &str| (StatusCode::BAD_REQUEST, why.to_owned());
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("an announcement is UTF-8 text"))?;
    if text.trim().is_empty() {
        return Err(bad("an announcement has some text, which is the body of the request"));
    }
    Ok(text.to_owned())
}
