//! What may be asked: method, path and parameters, read without doing anything.

use std::time::Duration;

use hyper::Method;
use percent_encoding::percent_decode_str;
use throughline_cluster::RecordId;
use throughline_link::SessionId;

use crate::operator::KickReason;

/// Everything there is, as the answer to an unknown path lists it.
pub(super) const PLACES: &[(&str, &str)] = &[
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/status"),
    ("GET", "/sessions?after=ID&limit=N"),
    ("POST", "/sessions/ID/kick?reason=kicked|ended"),
    ("GET", "/dead-letters?after=ID&limit=N"),
    ("GET", "/dead-letters/ID"),
    ("DELETE", "/dead-letters/ID"),
    ("POST", "/dead-letters/ID/retry"),
    ("POST", "/announce"),
    ("POST", "/maintenance?retry-after=30s"),
    ("DELETE", "/maintenance"),
    ("GET", "/drain?wait=TIME"),
    ("POST", "/drain?rate=N&deadline=60s"),
    ("POST", "/drain/pause"),
    ("POST", "/drain/resume"),
    ("POST", "/drain/stop"),
    ("GET", "/vactors/KIND/KEY"),
    ("POST", "/vactors/KIND/KEY/move?node=N"),
    ("GET", "/versions"),
    ("POST", "/versions/final"),
];

/// Sessions of one page: by default, and at most. An answer stays below 200 KiB or so.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// Longest id of a dead letter: two numbers and eight digits.
const LETTER_ID_MAX: usize = 64;

/// When clients come again that maintenance refused.
const RETRY_AFTER: Duration = Duration::from_secs(30);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// The range of `drain.deadline`.
const DEADLINE_MIN: Duration = Duration::from_secs(1);
const DEADLINE_MAX: Duration = Duration::from_secs(24 * 3600);

/// The range of `drain.rate`.
const RATE_MAX: u32 = 1_000_000;

/// The longest that a question about a drain is kept open: shorter than clients wait.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Health,
    Readiness,
    Status,
    Sessions {
        after: Option<SessionId>,
        limit: usize,
    },
    Kick {
        id: SessionId,
        reason: KickReason,
    },
    DeadLetters {
        after: Option<String>,
        limit: usize,
    },
    DeadLetter {
        id: String,
    },
    DropDeadLetter {
        id: String,
    },
    RetryDeadLetter {
        id: String,
    },
    /// The body is the text.
    Announce,
    Maintain {
        retry_after: Duration,
    },
    EndMaintenance,
    /// Answered once the drain is over, or after this.
    Drain {
        wait: Duration,
    },
    StartDrain {
        rate: Option<u32>,
        deadline: Option<Duration>,
    },
    PauseDrain,
    ResumeDrain,
    StopDrain,
    LocateVActor {
        id: RecordId,
    },
    MoveVActor {
        id: RecordId,
        node: u32,
    },
    Versions,
    /// The update stays.
    MakeFinal,
}

/// Why nothing is asked that there is. The asker's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum No {
    #[error("there is no such path")]
    Unknown,
    #[error("only {0} is possible here")]
    Method(&'static str),
    #[error("{0}")]
    Bad(String),
}

/// Reads a request. `HEAD` is a `GET` whose answer has no body.
pub(super) fn read(method: &Method, path: &str, query: Option<&str>) -> Result<Order, No> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let parts: Vec<_> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    match parts[..] {
        ["healthz"] => get(method, Query::read(query, &[]), |_| Ok(Order::Health)),
        ["readyz"] => get(method, Query::read(query, &[]), |_| Ok(Order::Readiness)),
        ["status"] => get(method, Query::read(query, &[]), |_| Ok(Order::Status)),
        ["sessions"] => get(method, Query::read(query, &["after", "limit"]), |query| {
            let after = query.find("after").map(id).transpose()?;
            let limit = query.number("limit", 1, PAGE_MAX as u32)?;
            Ok(Order::Sessions { after, limit: limit.map_or(PAGE, |limit| limit as usize) })
        }),
        ["sessions", text, "kick"] => post(method, Query::read(query, &["reason"]), |query| {
            Ok(Order::Kick { id: id(text)?, reason: reason(query.find("reason"))? })
        }),
        ["dead-letters"] => get(method, Query::read(query, &["after", "limit"]), |query| {
            let after = query.find("after").map(letter).transpose()?;
            let limit = query.number("limit", 1, PAGE_MAX as u32)?;
            Ok(Order::DeadLetters { after, limit: limit.map_or(PAGE, |limit| limit as usize) })
        }),
        ["dead-letters", id] => dead_letter(method, query, letter(id)?),
        ["dead-letters", id, "retry"] => post(method, Query::read(query, &[]), |_| {
            Ok(Order::RetryDeadLetter { id: letter(id)? })
        }),
        ["announce"] => post(method, Query::read(query, &[]), |_| Ok(Order::Announce)),
        ["maintenance"] => maintenance(method, query),
        ["drain"] => drain(method, query),
        ["vactors", kind, key] => get(method, Query::read(query, &[]), |_| {
            Ok(Order::LocateVActor { id: vactor(kind, key)? })
        }),
        ["vactors", kind, key, "move"] => post(method, Query::read(query, &["node"]), |query| {
            let node = query.number("node", 0, u32::MAX)?;
            let node = node.ok_or_else(|| No::Bad("node=N says where it is to go".to_owned()))?;
            Ok(Order::MoveVActor { id: vactor(kind, key)?, node })
        }),
        ["versions"] => get(method, Query::read(query, &[]), |_| Ok(Order::Versions)),
        ["versions", "final"] => post(method, Query::read(query, &[]), |_| Ok(Order::MakeFinal)),
        ["drain", what @ ("pause" | "resume" | "stop")] => {
            post(method, Query::read(query, &[]), |_| {
                Ok(match what {
                    "pause" => Order::PauseDrain,
                    "resume" => Order::ResumeDrain,
                    _ => Order::StopDrain,
                })
            })
        }
        _ => Err(No::Unknown),
    }
}

fn dead_letter(method: &Method, query: Option<&str>, id: String) -> Result<Order, No> {
    match *method {
        Method::GET => Query::read(query, &[]).map(|_| Order::DeadLetter { id }),
        Method::DELETE => Query::read(query, &[]).map(|_| Order::DropDeadLetter { id }),
        _ => Err(No::Method("GET, DELETE")),
    }
}

/// The VActor of this kind and key, which may have escapes.
fn vactor(kind: &str, key: &str) -> Result<RecordId, No> {
    let read = |text| percent_decode_str(text).decode_utf8();
    let (Ok(kind), Ok(key)) = (read(kind), read(key)) else {
        return Err(No::Bad("kind and key of a VActor are UTF-8, with %XX for bytes".to_owned()));
    };
    let id = RecordId::vactor(&kind, key.as_bytes());
    id.map_err(|error| No::Bad(error.to_string()))
}

/// The id of a dead letter.
fn letter(text: &str) -> Result<String, No> {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '.';
    if text.len() <= LETTER_ID_MAX && text.chars().all(is_part) {
        return Ok(text.to_owned());
    }
    Err(No::Bad(format!("`{}` is no id of a dead letter", text.escape_debug())))
}

fn maintenance(method: &Method, query: Option<&str>) -> Result<Order, No> {
    match *method {
        Method::POST => {
            let query = Query::read(query, &["retry-after"])?;
            let after = query.time("retry-after", Duration::ZERO, RETRY_AFTER_MAX)?;
            Ok(Order::Maintain { retry_after: after.unwrap_or(RETRY_AFTER) })
        }
        Method::DELETE => Query::read(query, &[]).map(|_| Order::EndMaintenance),
        _ => Err(No::Method("POST, DELETE")),
    }
}

fn drain(method: &Method, query: Option<&str>) -> Result<Order, No> {
    match *method {
        Method::GET => {
            let wait = Query::read(query, &["wait"])?.time("wait", Duration::ZERO, WAIT_MAX)?;
            Ok(Order::Drain { wait: wait.unwrap_or_default() })
        }
        Method::POST => {
            let query = Query::read(query, &["rate", "deadline"])?;
            let rate = query.number("rate", 0, RATE_MAX)?;
            let deadline = query.time("deadline", DEADLINE_MIN, DEADLINE_MAX)?;
            Ok(Order::StartDrain { rate, deadline })
        }
        _ => Err(No::Method("GET, POST")),
    }
}

fn get<'a>(
    method: &Method,
    query: Result<Query<'a>, No>,
    order: impl FnOnce(Query<'a>) -> Result<Order, No>,
) -> Result<Order, No> {
    if *method == Method::GET { order(query?) } else { Err(No::Method("GET")) }
}

fn post<'a>(
    method: &Method,
    query: Result<Query<'a>, No>,
    order: impl FnOnce(Query<'a>) -> Result<Order, No>,
) -> Result<Order, No> {
    if *method == Method::POST { order(query?) } else { Err(No::Method("POST")) }
}

fn id(text: &str) -> Result<SessionId, No> {
    let found = text.escape_debug();
    text.parse().map_err(|error| No::Bad(format!("`{found}` is no session id: {error}")))
}

fn reason(name: Option<&str>) -> Result<KickReason, No> {
    let name = name.unwrap_or(KickReason::NAMES[0]);
    KickReason::named(name).ok_or_else(|| {
        let known = KickReason::NAMES.join(" or ");
        No::Bad(format!("reason is `{}`, where {known} is expected", name.escape_debug()))
    })
}

/// The parameters of a request. Nothing here needs an escape, so none is read.
#[derive(Debug)]
struct Query<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Query<'a> {
    /// Refuses what is not known here: a misspelt parameter must not be a default.
    fn read(query: Option<&'a str>, known: &[&str]) -> Result<Self, No> {
        let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
        let pairs: Vec<_> = parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect();
        let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(name)) else {
            return Ok(Self(pairs));
        };
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let name = name.escape_debug();
        Err(No::Bad(format!("the parameter `{name}` is unknown; known here: {known}")))
    }

    fn find(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, No> {
        let Some(text) = self.find(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| {
            let found = text.escape_debug();
            No::Bad(format!(
                "{name} is `{found}`, where a number from {least} to {most} is expected"
            ))
        })
    }

    fn time(&self, name: &str, least: Duration, most: Duration) -> Result<Option<Duration>, No> {
        let Some(text) = self.find(name) else { return Ok(None) };
        let time = humantime::parse_duration(text).ok();
        let time = time.filter(|time| (least..=most).contains(time));
        time.map(Some).ok_or_else(|| {
            let shown = humantime::format_duration;
            let (found, least, most) = (text.escape_debug(), shown(least), shown(most));
            No::Bad(format!(
                "{name} is `{found}`, where a time such as 5s is expected, {least} to {most}"
            ))
        })
    }
}

#[cfg(test)]
mod tests;
