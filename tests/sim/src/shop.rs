//! A backend that has only the store, and sends to players: nobody pokes a node for it, so the
//! sessions find what it sent with their next look.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use throughline_queue::{EnqueueError, QueueName};
use tokio::time::sleep;

use crate::game::DAY;
use crate::player::Phase;
use crate::post::Office;
use crate::random::Random;
use crate::truth;

/// Its number among the backend's parts: behind the producers and consumers of queues.
const PART: u8 = 5;

/// The last number that was sent to each player, from 1 on.
#[derive(Default)]
pub(crate) struct Shop(RefCell<BTreeMap<String, u64>>);

impl Shop {
    /// How many are surely there.
    pub(crate) fn sent(&self, name: &str) -> u64 {
        self.0.borrow().get(name).copied().unwrap_or(0)
    }
}

impl Office {
    /// Sends numbers to players until the play is over.
    pub(crate) async fn sell(self) {
        let mut random = Random::of(self.seed, 4_000 + u64::from(PART));
        let late = Arc::default();
        let mut queue = self.open(PART, &mut random, &late).await;
        let mut all = 0;
        while self.table.phase.get() == Phase::Play {
            sleep(random.millis(500, 3_000)).await;
            let name = self.table.names[random.index(self.table.names.len())].clone();
            let number = self.table.shop.sent(&name) + 1;
            all += 1;
            let mut payload = Vec::new();
            let (Ok(to), Ok(())) =
                (QueueName::key(&name), ciborium::into_writer(&number, &mut payload))
            else {
                return truth::fail(format_args!("nothing can be sent to {name}"));
            };
            while self.table.phase.get() != Phase::Over {
                match queue.enqueue_numbered(&to, all, payload.clone(), DAY).await {
                    Ok(_) => {
                        self.table.shop.0.borrow_mut().insert(name, number);
                        break;
                    }
                    Err(EnqueueError::Fenced) => {
                        queue = self.open(PART, &mut random, &late).await;
                    }
                    Err(error) => truth::note(format_args!("{number} for {name}: {error}")),
                }
                sleep(random.millis(50, 400)).await;
            }
        }
    }
}
