//! Steps of calls.

use telemed_core::calls::{
    AdvanceCall, CallAction, CallFilter, CallKind, CallProgress, CallSide, Decision, EndReason,
    Measured, NewCall, QualityGrade, QualitySample, StartCall, StartCallOutcome, decide,
};
use telemed_core::id::{AppointmentId, CallId, UserId};
use telemed_core::scheduling::AppointmentStatus;
use telemed_core::store::Written;

use super::Pair;
use crate::build::{about_call, accept, hangup, page, user_id};
use crate::lockstep::operation::{Act, Operation, Step};

impl Act {
    fn action(self) -> CallAction {
        match self {
            Self::Ring => CallAction::Ring,
            Self::Accept(device) => accept(&format!("device {device}")),
            Self::Decline => CallAction::Decline(EndReason::UserDeclined),
            Self::Connect => CallAction::Connect,
            Self::Caller => hangup(CallSide::Caller),
            Self::Callee => hangup(CallSide::Callee),
            Self::Deadline => CallAction::RingDeadline,
        }
    }
}

impl Pair {
    /// A call that was begun, counted from the newest, or one that never was.
    fn call_at(&self, back: usize) -> CallId {
        let unknown = CallId::new(uuid::Uuid::from_u128(7));
        let known = self.calls.iter().rev().nth(back);
        known.copied().unwrap_or(unknown)
    }

    pub(super) async fn calls(&mut self, step: &Step) {
        match &step.operation {
            Operation::StartCall {
                caller,
                callee,
                voice,
                client,
                appointment,
                refuses,
                most,
            } => {
                let (caller, callee) = (user_id(*caller), user_id(*callee));
                let mut call = match client {
                    Some(id) => self.world.call_under(caller, callee, &format!("c{id}")),
                    None => self.world.new_call(caller, callee),
                };
                if *voice {
                    call.kind = CallKind::Voice;
                }
                call.appointment = appointment.map(AppointmentId::from_row);
                let start = StartCall {
                    callee_refuses: *refuses,
                    most_live: *most,
                    ..self.starting(step, &call)
                };
                let started = both!(self, start_call(&start));
                if let Written::Applied(
                    StartCallOutcome::Started(call) | StartCallOutcome::CalleeBusy(call),
                ) = started
                {
                    self.calls.push(call.id);
                }
                if let Some(id) = &call.client_id {
                    both!(self, call_by_client_id(caller, id));
                }
                both!(self, live_calls_of(caller));
                both!(self, live_calls_of(callee));
            }
            Operation::AdvanceCall {
                call,
                is_current,
                act,
                appointment,
            } => {
                let id = self.call_at(*call);
                let change = self.advancing(id, *is_current, *act, *appointment).await;
                let write = self.write("advance", about_call(id), step.key);
                both!(self, advance_call(&write, &change));
                both!(self, call_by_id(id));
            }
            Operation::AddSample {
                call,
                user,
                back,
                values: (round_trip, loss),
                minutes,
            } => {
                let again = self.samples.iter().rev().nth(*back).cloned();
                let (call, user) = (self.call_at(*call), user_id(*user));
                let sample =
                    again.unwrap_or_else(|| self.sample(call, user, *minutes, *round_trip, *loss));
                self.samples.push(sample.clone());
                both!(self, add_quality_sample(&sample));
                both!(self, call_quality(sample.call));
            }
            Operation::ReadCalls {
                user,
                filter,
                samples,
                skip,
                limit,
            } => {
                let (user, part) = (user_id(*user), page(*skip, *limit));
                both!(self, call_page(user, filter, part));
                let id = self.call_at(*samples);
                let most = u32::try_from(*limit).unwrap_or(0);
                both!(self, quality_samples(id, most));
                self.tallies(user, filter).await;
            }
            _ => {}
        }
    }

    /// The beginning of a call that leaves other things behind where the callee is busy.
    fn starting(&self, step: &Step, call: &NewCall) -> StartCall {
        let write = self.write("call", about_call(call.id), step.key);
        let mut write_busy = self.write("call", about_call(call.id), step.key);
        write_busy.jobs.clear();
        StartCall {
            write,
            write_busy,
            ..self.world.starting(self.at(), call)
        }
    }

    /// What an action makes of a call as the first store has it, or the call as it is.
    async fn advancing(
        &self,
        call: CallId,
        is_current: bool,
        act: Act,
        appointment: Option<(i64, bool)>,
    ) -> AdvanceCall {
        let store = &self.world.storage;
        let found = store.call_by_id(call).await.unwrap();
        let (seen, progress) = match found {
            Some(found) => {
                let decided = decide(&found.progress, found.users(), &act.action(), self.at());
                let progress = match decided {
                    Decision::Change(progress) => progress,
                    Decision::Same | Decision::Refused => found.progress,
                };
                (found.version, progress)
            }
            None => (1, CallProgress::begun(None)),
        };
        let appointment = match appointment {
            Some((id, is_right)) => {
                let id = AppointmentId::from_row(id);
                let found = store.appointment_by_id(id).await.unwrap();
                Some((id, said(found.map(|found| found.status), is_right)))
            }
            None => None,
        };
        AdvanceCall {
            call,
            seen: if is_current { seen } else { seen - 1 },
            progress,
            appointment,
        }
    }

    fn sample(
        &self,
        call: CallId,
        user: UserId,
        minutes: i64,
        round_trip: Option<u8>,
        loss: Option<u8>,
    ) -> QualitySample {
        let grade = |value: u8| QualityGrade::ALL.get(usize::from(value)).copied();
        QualitySample {
            measured: Measured {
                round_trip: round_trip.map(|value| f64::from(value) / 8.0),
                loss: loss.map(f64::from),
                audio: round_trip.and_then(grade),
                ..Measured::default()
            },
            ..self
                .world
                .sample(crate::build::at(self.now + minutes), call, user)
        }
    }

    /// They come in any order.
    async fn tallies(&self, user: UserId, filter: &CallFilter) {
        let mut answers = Vec::new();
        for store in [&self.world.storage, &self.other.storage] {
            let mut tallies = store.call_tallies(user, filter.from).await.unwrap();
            tallies.sort_by_key(|one| (one.side, one.status, one.kind));
            answers.push(tallies);
        }
        assert_eq!(answers[0], answers[1], "the stores count otherwise");
    }
}

/// A state of an appointment that is ahead: its own, if it is ahead and that is said rightly, and
/// else another.
fn said(status: Option<AppointmentStatus>, is_right: bool) -> AppointmentStatus {
    use AppointmentStatus::{Confirmed, Pending};
    match (status, is_right) {
        (Some(Pending), true) | (Some(Confirmed), false) => Pending,
        _ => Confirmed,
    }
}
