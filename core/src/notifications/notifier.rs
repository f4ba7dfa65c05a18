//! The channel that carries deliveries to people.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::Delivery;
use crate::env::lock;

/// How a delivery went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It was carried.
    Delivered,
    /// It may be carried later: try again after this time.
    Retry(Duration),
    /// It can never be carried.
    Dead,
}

/// Carries deliveries: by mail, by push, into a log. Jobs feed it; each delivery comes at least
/// once.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Carries one delivery.
    async fn deliver(&self, delivery: &Delivery) -> Receipt;
}

/// Keeps deliveries in memory, for tests.
#[derive(Default)]
pub struct MemoryNotifier {
    delivered: Mutex<Vec<Delivery>>,
    answers: Mutex<Vec<Receipt>>,
}

impl MemoryNotifier {
    /// What was delivered so far.
    #[must_use]
    pub fn delivered(&self) -> Vec<Delivery> {
        lock(&self.delivered).clone()
    }

    /// Answers the next deliveries like this, the last first, instead of carrying them.
    pub fn answer_next(&self, answers: Vec<Receipt>) {
        *lock(&self.answers) = answers;
    }
}

#[async_trait]
impl Notifier for MemoryNotifier {
    async fn deliver(&self, delivery: &Delivery) -> Receipt {
        let answer = lock(&self.answers).pop().unwrap_or(Receipt::Delivered);
        if answer == Receipt::Delivered {
            lock(&self.delivered).push(delivery.clone());
        }
        answer
    }
}
