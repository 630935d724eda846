//! Asking one node or several, and saying what each answered.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Ending,
    admin::{self, AskError, Question},
    error::Error,
    output,
};

/// The nodes that a command is for.
#[derive(Debug)]
pub(crate) struct Nodes {
    addresses: Vec<String>,
    pub(crate) is_json: bool,
}

/// What one node answered, as read and as it was.
pub(crate) type Answer<T> = Result<(T, Value), AskError>;

impl Nodes {
    pub(crate) fn new(mut addresses: Vec<String>, is_json: bool) -> Self {
        // An address given twice is one node all the same.
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(address.clone()));
        Self { addresses, is_json }
    }

    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The one node that a command for one node is for.
    pub(crate) fn only(&self) -> Result<&str, Error> {
        match &self.addresses[..] {
            [address] => Ok(address),
            several => Err(Error::OneNode(several.len())),
        }
    }

    /// Asks all of them at once; their answers are in the order of the command line.
    pub(crate) async fn ask<T>(&self, question: &Question) -> Vec<(&str, Answer<T>)>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let asking = |address: &String| {
            let (address, question) = (address.clone(), question.clone());
            tokio::spawn(async move { ask(&address, &question).await })
        };
        let tasks: Vec<_> = self.addresses.iter().map(asking).collect();
        let mut answers = Vec::new();
        for (address, task) in self.addresses.iter().zip(tasks) {
            // A task ends without a result only if it panics or is aborted: neither happens.
            let answer = task.await.expect("asking does not panic, and nobody aborts it");
            answers.push((address.as_str(), answer));
        }
        answers
    }

    /// Gives an order to all of them, and says in a line what each one answered.
    pub(crate) async fn order<T>(
        &self,
        question: &Question,
        said: impl Fn(&str, &T) -> String,
    ) -> Result<Ending, Error>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let answers = self.ask::<T>(question).await;
        self.report(&answers)?;
        for (address, answer) in &answers {
            if let (Ok((answer, _)), false) = (answer, self.is_json) {
                output::line(&said(address, answer))?;
            }
        }
        Ok(Ending::of(answers.iter().all(|(_, answer)| answer.is_ok())))
    }

    /// Says which nodes did not do as they were asked; with `--json`, also what the others
    /// answered, a line each.
    pub(crate) fn report<T>(&self, answers: &[(&str, Answer<T>)]) -> Result<(), Error> {
        for (address, answer) in answers {
            match answer {
                Ok((_, value)) if self.is_json => output::document(&of(address, value.clone()))?,
                Ok(_) => {}
                Err(error) => self.failure(address, error)?,
            }
        }
        Ok(())
    }

    pub(crate) fn failure(&self, address: &str, error: &AskError) -> Result<(), Error> {
        if self.is_json {
            let value = serde_json::json!({ "error": error.to_string() });
            output::document(&of(address, value))?;
        }
        output::failure(error, false);
        Ok(())
    }
}

/// Asks one node.
pub(crate) async fn ask<T: DeserializeOwned>(address: &str, question: &Question) -> Answer<T> {
    let value = admin::ask(address, question).await?;
    match serde_json::from_value(value.clone()) {
        Ok(read) => Ok((read, value)),
        Err(_) => {
            let (address, status) = (address.to_owned(), hyper::StatusCode::OK);
            Err(AskError::NotANode { address, status })
        }
    }
}

/// A node's answer with the address where it was asked.
pub(crate) fn of(address: &str, mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("admin".to_owned(), address.into());
    }
    value
}
