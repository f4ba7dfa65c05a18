//! What goes out to people: deliveries, and the trait that carries them.

mod delivery;
mod notifier;

pub use delivery::{Delivery, DeliveryKind, DeliverySubject, Recipient};
pub use notifier::{MemoryNotifier, Notifier, Receipt};
