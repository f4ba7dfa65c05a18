//! The in-memory store of calls.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    AddSampleOutcome, AdvanceCall, AdvanceCallOutcome, Call, CallFilter, CallParty, CallProgress,
    CallRow, CallSide, CallState as Stage, CallStore, CallTally, ClientCallId, NamedSample,
    NewCall, PartyQuality, QualitySample, StartCall, StartCallOutcome,
};
use crate::id::{CallId, SampleId, UserId};
use crate::journal::Write;
use crate::memory::{Decided, MemoryStorage, State, keyed, page_of};
use crate::page::{Page, PageRequest};
use crate::scheduling::AppointmentStatus;
use crate::store::{StoreResult, Written};
use crate::time::Timestamp;

/// What calls keep.
#[derive(Default)]
pub(crate) struct CallState {
    calls: BTreeMap<CallId, Row>,
    /// In the order in which they came.
    samples: Vec<QualitySample>,
}

struct Row {
    new: NewCall,
    initiated_at: Timestamp,
    progress: CallProgress,
    version: u64,
}

impl CallState {
    /// The newest live call of a user.
    pub(crate) fn newest_live(&self, user: UserId) -> Option<CallId> {
        let live = self.live_of(user);
        live.max_by_key(|row| (row.initiated_at, row.new.id))
            .map(|row| row.new.id)
    }

    fn live_of(&self, user: UserId) -> impl Iterator<Item = &Row> {
        self.calls.values().filter(move |row| {
            row.progress.state.is_live() && [row.new.caller, row.new.callee].contains(&user)
        })
    }

    fn samples_of(&self, call: CallId) -> Vec<&QualitySample> {
        let mut samples: Vec<_> = self
            .samples
            .iter()
            .filter(|sample| sample.call == call)
            .collect();
        samples.sort_by_key(|sample| (sample.at, sample.id));
        samples
    }

    fn quality_of(&self, call: CallId, user: UserId) -> PartyQuality {
        let samples = self.samples_of(call);
        let own = samples.into_iter().filter(|sample| sample.user == user);
        let own: Vec<_> = own.map(|sample| &sample.measured).collect();
        PartyQuality {
            user,
            samples: own.len() as u64,
            round_trip: median(own.iter().filter_map(|one| one.round_trip).collect()),
            loss: median(own.iter().filter_map(|one| one.loss).collect()),
            audio: own.last().and_then(|one| one.audio),
        }
    }
}

/// The one in the middle, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values.get(middle).copied()
    } else {
        Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0)
    }
}

impl State {
    fn call(&self, id: CallId) -> Option<Call> {
        self.calls.calls.get(&id).and_then(|row| self.shown(row))
    }

    fn shown(&self, row: &Row) -> Option<Call> {
        let party = |user: UserId| {
            let name = self.identity.user(user)?.full_name.clone();
            Some(CallParty { user, name })
        };
        Some(Call {
            id: row.new.id,
            caller: party(row.new.caller)?,
            callee: party(row.new.callee)?,
            kind: row.new.kind,
            appointment: row.new.appointment,
            client_id: row.new.client_id.clone(),
            initiated_at: row.initiated_at,
            progress: row.progress.clone(),
            version: row.version,
        })
    }

    fn live_calls(&self, user: UserId) -> Vec<Call> {
        let mut live: Vec<_> = self.calls.live_of(user).collect();
        live.sort_by_key(|row| Reverse((row.initiated_at, row.new.id)));
        live.into_iter().filter_map(|row| self.shown(row)).collect()
    }

    fn call_by_client_id(&self, caller: UserId, id: &ClientCallId) -> Option<Call> {
        let row = self
            .calls
            .calls
            .values()
            .find(|row| row.new.caller == caller && row.new.client_id.as_ref() == Some(id))?;
        self.shown(row)
    }
}

/// What a call that is to be begun meets, if anything.
fn met(state: &State, start: &StartCall) -> Option<StartCallOutcome> {
    let new = &start.call;
    if let Some(id) = &new.client_id
        && let Some(before) = state.call_by_client_id(new.caller, id)
    {
        let is_same = before.callee.user == new.callee
            && before.kind == new.kind
            && before.appointment == new.appointment;
        return Some(if is_same {
            StartCallOutcome::Repeated(before)
        } else {
            StartCallOutcome::ClientIdReused
        });
    }
    let live = state.live_calls(new.caller);
    let rings = |call: &&Call| matches!(call.progress.state, Stage::Initiated | Stage::Ringing);
    let glare = live
        .iter()
        .filter(rings)
        .find(|call| call.caller.user == new.callee && call.callee.user == new.caller);
    if let Some(call) = glare {
        return Some(StartCallOutcome::Glare(call.clone()));
    }
    let is_full = live.len() >= start.most_live as usize;
    live.into_iter()
        .next()
        .filter(|_| is_full)
        .map(StartCallOutcome::CallerBusy)
}

fn start(state: &mut State, at: Timestamp, start: &StartCall) -> Decided<StartCallOutcome> {
    if let Some(met) = met(state, start) {
        return Decided::Refused(met);
    }
    let is_busy = is_busy(state, start);
    let progress = if is_busy {
        start.busy.clone()
    } else {
        CallProgress::begun(start.call.caller_device.clone())
    };
    let row = Row {
        new: start.call.clone(),
        initiated_at: at,
        progress,
        version: 1,
    };
    let Some(call) = state.shown(&row) else {
        // Both are there; core has looked.
        return Decided::Refused(StartCallOutcome::ClientIdReused);
    };
    state.calls.calls.insert(row.new.id, row);
    Decided::Changed(if is_busy {
        StartCallOutcome::CalleeBusy(call)
    } else {
        StartCallOutcome::Started(call)
    })
}

fn is_busy(state: &State, start: &StartCall) -> bool {
    let live = state.calls.live_of(start.call.callee).count();
    start.callee_refuses || live >= start.most_live as usize
}

fn advance(state: &mut State, at: Timestamp, change: &AdvanceCall) -> Decided<AdvanceCallOutcome> {
    let Some(row) = state.calls.calls.get_mut(&change.call) else {
        return Decided::Refused(AdvanceCallOutcome::NotFound);
    };
    if row.version != change.seen {
        return Decided::Refused(AdvanceCallOutcome::Superseded);
    }
    if let Some((id, seen)) = change.appointment {
        let appointment = state.scheduling.appointments.get_mut(&id);
        let Some(appointment) = appointment.filter(|one| one.status == seen) else {
            return Decided::Refused(AdvanceCallOutcome::Superseded);
        };
        appointment.status = AppointmentStatus::InProgress;
        appointment.updated_at = at;
    }
    row.progress = change.progress.clone();
    row.version += 1;
    match state.call(change.call) {
        Some(call) => Decided::Changed(AdvanceCallOutcome::Advanced(call)),
        None => Decided::Refused(AdvanceCallOutcome::NotFound),
    }
}

impl CallFilter {
    fn fits(&self, call: &Call, user: UserId) -> bool {
        let Some(side) = call.side_of(user) else {
            return false;
        };
        self.kind.is_none_or(|kind| call.kind == kind)
            && self.side.is_none_or(|wanted| side == wanted)
            && self
                .status
                .is_none_or(|status| call.progress.shown_to(side) == status)
            && self.from.is_none_or(|from| call.initiated_at >= from)
            && self.before.is_none_or(|before| call.initiated_at < before)
    }
}

#[async_trait]
impl CallStore for MemoryStorage {
    async fn start_call(&self, command: &StartCall) -> StoreResult<Written<StartCallOutcome>> {
        Ok(self.transaction(|state, events| {
            let write = if is_busy(state, command) {
                &command.write_busy
            } else {
                &command.write
            };
            keyed(state, events, write, |state| {
                start(state, write.at, command)
            })
        }))
    }

    async fn call_by_id(&self, call: CallId) -> StoreResult<Option<Call>> {
        Ok(self.read(|state| state.call(call)))
    }

    async fn call_by_client_id(
        &self,
        caller: UserId,
        id: &ClientCallId,
    ) -> StoreResult<Option<Call>> {
        Ok(self.read(|state| state.call_by_client_id(caller, id)))
    }

    async fn live_calls_of(&self, user: UserId) -> StoreResult<Vec<Call>> {
        Ok(self.read(|state| state.live_calls(user)))
    }

    async fn advance_call(
        &self,
        write: &Write,
        change: &AdvanceCall,
    ) -> StoreResult<Written<AdvanceCallOutcome>> {
        Ok(self.keyed(write, |state| advance(state, write.at, change)))
    }

    async fn call_page(
        &self,
        user: UserId,
        filter: &CallFilter,
        page: PageRequest,
    ) -> StoreResult<Page<CallRow>> {
        Ok(self.read(|state| {
            let calls = state.calls.calls.values();
            let mut found: Vec<Call> = calls
                .filter_map(|row| state.shown(row))
                .filter(|call| filter.fits(call, user))
                .collect();
            found.sort_by_key(|call| Reverse((call.initiated_at, call.id)));
            let rows = found.into_iter().map(|call| CallRow {
                quality: call
                    .users()
                    .map(|user| state.calls.quality_of(call.id, user)),
                call,
            });
            page_of(rows, page)
        }))
    }

    async fn call_tallies(
        &self,
        user: UserId,
        from: Option<Timestamp>,
    ) -> StoreResult<Vec<CallTally>> {
        Ok(self.read(|state| {
            let mut tallies: Vec<CallTally> = Vec::new();
            for row in state.calls.calls.values() {
                let side = match user {
                    user if user == row.new.caller => CallSide::Caller,
                    user if user == row.new.callee => CallSide::Callee,
                    _ => continue,
                };
                if from.is_some_and(|from| row.initiated_at < from) {
                    continue;
                }
                let status = row.progress.shown_to(side);
                let seconds = row.progress.duration().as_secs();
                let alike = tallies.iter_mut().find(|tally| {
                    (tally.side, tally.status, tally.kind) == (side, status, row.new.kind)
                });
                match alike {
                    Some(tally) => {
                        tally.calls += 1;
                        tally.seconds += seconds;
                    }
                    None => tallies.push(CallTally {
                        side,
                        status,
                        kind: row.new.kind,
                        calls: 1,
                        seconds,
                    }),
                }
            }
            tallies
        }))
    }

    async fn add_quality_sample(&self, sample: &QualitySample) -> StoreResult<AddSampleOutcome> {
        Ok(self.transaction(|state, _| {
            let row = state.calls.calls.get(&sample.call);
            let is_party =
                row.is_some_and(|row| [row.new.caller, row.new.callee].contains(&sample.user));
            if !is_party {
                return AddSampleOutcome::NotFound;
            }
            let same = |id: SampleId| state.calls.samples.iter().find(|one| one.id == id);
            if let Some(before) = same(sample.id) {
                return AddSampleOutcome::Repeated(before.clone());
            }
            let before = state.calls.samples_of(sample.call);
            let before = before.into_iter().rfind(|one| one.user == sample.user);
            let before = before.cloned();
            state.calls.samples.push(sample.clone());
            AddSampleOutcome::Added { before }
        }))
    }

    async fn quality_samples(&self, call: CallId, limit: u32) -> StoreResult<Vec<NamedSample>> {
        Ok(self.read(|state| {
            let samples = state.calls.samples_of(call);
            let skip = samples.len().saturating_sub(limit as usize);
            let named = |sample: &QualitySample| {
                let name = state.identity.user(sample.user)?.full_name.clone();
                Some(NamedSample {
                    sample: sample.clone(),
                    name,
                })
            };
            samples.into_iter().skip(skip).filter_map(named).collect()
        }))
    }

    async fn call_quality(&self, call: CallId) -> StoreResult<Option<[PartyQuality; 2]>> {
        Ok(self.read(|state| {
            let row = state.calls.calls.get(&call)?;
            let parties = [row.new.caller, row.new.callee];
            Some(parties.map(|user| state.calls.quality_of(call, user)))
        }))
    }
}
