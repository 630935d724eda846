//! The parent of a run, as a child sees it: questions come as lines, answers go as lines.

use std::io::{self, BufRead, Write};
use std::sync::mpsc;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Questions that may wait. The parent asks one at a time.
const QUESTIONS_MAX: usize = 4;

/// What a parent asks of its children. Each child answers those that concern it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Echo clients: load the server for so long. Answered with [`Slice`](crate::echo::Slice).
    Slice { millis: u64 },
    /// The same, with so many messages a second, whatever comes back when.
    Pace { millis: u64, per_s: u64 },
    /// What was counted so far.
    Report,
    /// The proxy: no more faults. Clients and node: send no more.
    Calm,
    /// The proxy: this becomes of every connection, now and as they come.
    Break(Broken),
    /// The proxy: what was broken is closed, and nothing is broken any more.
    Mend,
    /// Clients: leave, so that nothing can come any more.
    Leave,
    /// Roamers: hop to other nodes for so long, `per_s` of them a second, or, if that is 0,
    /// `at_once` of them always. Answered with [`Slice`](crate::echo::Slice).
    Hop { millis: u64, per_s: u64, at_once: u64 },
    /// Roamers: send no more, and learn of each session what it counted.
    Settle,
    /// The servers: what the tables of the store take, with their indexes, in bytes.
    Tables,
}

/// What becomes of every connection through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Broken {
    /// It is closed.
    Cut,
    /// What is sent vanishes, both ways or one way; it stays open.
    BlackHole,
    Up,
    Down,
}

/// Tells the parent that this child is ready, then answers each question. Never returns unless
/// answering fails: the process ends when the parent closes its input or is gone.
pub(crate) fn answer<R: Serialize>(
    ready: &R,
    mut answer: impl FnMut(Question) -> Result<serde_json::Value, Error>,
) -> Result<(), Error> {
    let questions = listen();
    say(ready)?;
    for question in questions {
        say(&answer(question)?)?;
    }
    Ok(())
}

/// Reads questions in a thread of its own, so that the end of the parent ends this process also
/// while it is busy.
fn listen() -> mpsc::Receiver<Question> {
    let (sender, receiver) = mpsc::sync_channel(QUESTIONS_MAX);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line) {
                Ok(question) => {
                    if sender.send(question).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    eprintln!("load: a question that no child knows: {error}");
                    std::process::exit(1);
                }
            }
        }
        std::process::exit(0);
    });
    receiver
}

/// Tells the parent something, on a line of its own.
pub(crate) fn say(value: &impl Serialize) -> Result<(), Error> {
    let failed = || Error::io("answering the parent");
    let mut line = serde_json::to_vec(value).map_err(|error| failed()(error.into()))?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line).and_then(|()| output.flush()).map_err(failed())
}

/// An answer as JSON.
pub(crate) fn json(answer: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(answer).expect("answers are structs of numbers, texts and lists")
}
