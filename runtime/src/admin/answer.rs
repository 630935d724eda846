//! Answers: a status and a JSON object.

use bytes::Bytes;
use http_body_util::Full as Body;
use hyper::{
    Response, StatusCode,
    header::{self, HeaderValue},
};
use serde::Serialize;
use serde_json::json;

use super::route::{No, PLACES};

pub(super) type Answer = Response<Body<Bytes>>;

/// What was asked for.
pub(super) fn ok(value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(bytes) => with(StatusCode::OK, bytes),
        // Numbers and texts are all there is in it; should that change, it is our fault.
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// A no, with its reason.
pub(super) fn failure(status: StatusCode, why: &str) -> Answer {
    with(status, json!({ "error": why }).to_string().into_bytes())
}

/// A request that asks for nothing there is.
pub(super) fn no(no: &No) -> Answer {
    match no {
        No::Unknown => {
            let places: Vec<_> = PLACES.iter().map(|(m, path)| format!("{m} {path}")).collect();
            let value = json!({ "error": no.to_string(), "there_is": places });
            with(StatusCode::NOT_FOUND, value.to_string().into_bytes())
        }
        No::Method(allowed) => {
            let mut answer = failure(StatusCode::METHOD_NOT_ALLOWED, &no.to_string());
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
            answer
        }
        No::Bad(_) => failure(StatusCode::BAD_REQUEST, &no.to_string()),
    }
}

fn with(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Body::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
