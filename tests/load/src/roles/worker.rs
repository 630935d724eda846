//! A thread with a runtime of its own, and the questions put to it.

use std::sync::mpsc;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::mpsc as async_mpsc;
use tokio::task::LocalSet;

use crate::error::Error;
use crate::parent::Question;

/// A thread that works and answers.
#[derive(Debug)]
pub(crate) struct Worker<A> {
    questions: async_mpsc::Sender<Question>,
    answers: mpsc::Receiver<Result<A, Error>>,
}

/// The thread's end.
#[derive(Debug)]
pub(crate) struct Desk<A> {
    questions: async_mpsc::Receiver<Question>,
    answers: mpsc::SyncSender<Result<A, Error>>,
}

impl<A: Send + 'static> Worker<A> {
    /// Starts a thread; its first answer, unasked, says that it is ready.
    pub(crate) fn start<W>(work: impl FnOnce(Desk<A>) -> W + Send + 'static) -> Self
    where
        W: Future<Output = Result<(), Error>>,
    {
        let (asks, questions) = async_mpsc::channel(1);
        let (sender, answers) = mpsc::sync_channel(1);
        let desk = Desk { questions, answers: sender.clone() };
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let result = runtime
                .map_err(Error::io("starting a runtime"))
                .and_then(|runtime| LocalSet::new().block_on(&runtime, work(desk)));
            if let Err(error) = result {
                // An error here says that the process is ending.
                let _ = sender.send(Err(error));
            }
        });
        Self { questions: asks, answers }
    }

    /// Puts a question, without waiting for the answer.
    pub(crate) fn put(&self, question: Question) -> Result<(), Error> {
        self.questions.blocking_send(question).map_err(|_| gone())
    }

    /// Waits for the next answer.
    pub(crate) fn answer(&self) -> Result<A, Error> {
        self.answers.recv().map_err(|_| gone())?
    }

    /// Puts a question and waits for its answer.
    pub(crate) fn ask(&self, question: Question) -> Result<A, Error> {
        self.put(question)?;
        self.answer()
    }
}

impl<A> Desk<A> {
    /// The next question; `None`: there will be no more.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        self.questions.recv().await
    }

    /// Answers.
    pub(crate) fn say(&self, answer: A) -> Result<(), Error> {
        self.answers.send(Ok(answer)).map_err(|_| gone())
    }
}

fn gone() -> Error {
    Error::Gone { role: "a thread".to_owned() }
}
