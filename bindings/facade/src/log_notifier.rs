//! The channel of an installation that has none yet: the log.

use async_trait::async_trait;
use telemed_core::notifications::{Delivery, DeliverySubject, Notifier, Receipt};
use tracing::field::display;

/// Writes each delivery to the log: what kind, to which user, about which appointment or
/// call. Names, addresses and times stay out of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogNotifier;

#[async_trait]
impl Notifier for LogNotifier {
    async fn deliver(&self, delivery: &Delivery) -> Receipt {
        let (appointment, call) = match &delivery.about {
            DeliverySubject::Appointment { id, .. } => (Some(display(id)), None),
            DeliverySubject::Call { id, .. } => (None, Some(display(id))),
        };
        tracing::info!(
            kind = %delivery.kind,
            user = %delivery.recipient.user,
            appointment,
            call,
            "a notification is due"
        );
        Receipt::Delivered
    }
}
