//! Fails the Nth call of the storage.

use std::sync::{Arc, Mutex};

use telemed_core::store::{Interceptor, StoreError, StoreResult};

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before it has an effect.
    Before,
    /// After its effect: the answer is lost.
    After,
}

#[derive(Default)]
struct State {
    methods: Vec<&'static str>,
    fails: Option<(usize, Moment)>,
    has_failed: bool,
}

/// Stands before a store and counts its calls. Copies are the same wire.
#[derive(Clone, Default)]
pub struct Tripwire(Arc<Mutex<State>>);

impl Tripwire {
    /// Forgets what it counted and fails the call with this number, from 0 on.
    pub fn arm(&self, fails: Option<(usize, Moment)>) {
        *self.0.lock().unwrap() = State {
            fails,
            ..State::default()
        };
    }

    /// The calls so far, by their methods.
    pub fn calls(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().methods.clone()
    }

    /// Whether the call came that was to fail.
    pub fn has_failed(&self) -> bool {
        self.0.lock().unwrap().has_failed
    }

    fn pass(&self, moment: Moment) -> StoreResult<()> {
        let mut state = self.0.lock().unwrap();
        let call = state.methods.len() - 1;
        if state.fails == Some((call, moment)) {
            state.has_failed = true;
            return Err(StoreError::unavailable("the tripwire"));
        }
        Ok(())
    }
}

impl Interceptor for Tripwire {
    fn before(&self, method: &'static str) -> StoreResult<()> {
        self.0.lock().unwrap().methods.push(method);
        self.pass(Moment::Before)
    }

    fn after(&self, _: &'static str, _: bool) -> StoreResult<()> {
        self.pass(Moment::After)
    }
}
