//! What is remembered of slots: what never changes about them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use telemed_core::id::SlotId;
use telemed_core::scheduling::{Slot, SlotFacts};
use telemed_core::store::StoreResult;

use super::slots;
use crate::PostgresStore;

/// Of how many slots the facts are remembered, twice.
const MOST: usize = 32_768;

/// The facts of the slots that were used last, so that a booking does not have to ask for them.
#[derive(Default)]
pub(crate) struct Facts(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<SlotId, SlotFacts>,
    old: HashMap<SlotId, SlotFacts>,
}

impl Facts {
    /// Remembers the facts of slots.
    pub(super) fn remember<'s>(&self, slots: impl IntoIterator<Item = &'s Slot>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in slots {
            known.keep(slot.id, slot.facts);
        }
    }

    fn find(&self, slot: SlotId) -> Option<SlotFacts> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.find(slot)
    }
}

impl Generations {
    fn keep(&mut self, slot: SlotId, facts: SlotFacts) {
        if self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(slot, facts);
    }

    fn find(&mut self, slot: SlotId) -> Option<SlotFacts> {
        if let Some(facts) = self.young.get(&slot) {
            return Some(*facts);
        }
        let facts = self.old.remove(&slot)?;
        self.keep(slot, facts);
        Some(facts)
    }
}

/// The facts of a slot; `None` when there is no such slot. Few bookings have to ask for them.
pub(super) async fn of(store: &PostgresStore, slot: SlotId) -> StoreResult<Option<SlotFacts>> {
    if let Some(facts) = store.slot_facts().find(slot) {
        return Ok(Some(facts));
    }
    let found = store.read(slot, |connection, slot| {
        Box::pin(slots::by_id(connection, *slot))
    });
    let found = found.await?;
    store.slot_facts().remember(&found);
    Ok(found.map(|slot| slot.facts))
}
