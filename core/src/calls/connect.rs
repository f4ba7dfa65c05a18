//! How the two devices of a call find to each other, and lose each other.

use crate::actor::{Actor, SystemActor};
use crate::calls::{Call, CallAction, CallReference, CallSide, Calls, DeviceId};
use crate::engine::data;
use crate::error::{Code, Error};
use crate::id::CallId;
use crate::journal::{ClaimedJob, JobEnd, JobKind, JobSelector, Resource, Subject};
use crate::policy::Action;
use crate::presence::{Lease, LeaseSource};

impl Calls<'_> {
    /// A party reports that the two devices hear each other.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties; [`Code::CallState`] for a call that was
    /// not answered, or is over.
    pub async fn report_connected(
        &self,
        actor: &Actor,
        reference: &CallReference,
    ) -> Result<Call, Error> {
        let (call, _) = self.own(actor, reference, Action::SignalCall).await?;
        let connect = CallAction::Connect;
        let advanced = self.advance(actor, Action::SignalCall, call, &connect, None);
        Ok(advanced.await?.0)
    }

    /// What is done when a deadline of a call has come.
    pub(crate) async fn run_job(&self, claimed: &ClaimedJob) -> Result<JobEnd, Error> {
        let job = &claimed.job;
        let Some(id) = job.subject.as_uuid().map(CallId::new) else {
            return Ok(JobEnd::Done);
        };
        let Some(call) = self.inner().storage().call_by_id(id).await? else {
            return Ok(JobEnd::Done);
        };
        let (action, reason) = match job.kind {
            JobKind::CallRingDeadline => (CallAction::RingDeadline, Action::EndCall),
            JobKind::CallAssumeConnected => (CallAction::Connect, Action::SignalCall),
            JobKind::CallConnectDeadline => (CallAction::ConnectDeadline, Action::EndCall),
            JobKind::CallMaximum => (CallAction::Maximum, Action::EndCall),
            JobKind::CallGrace => {
                let word = job.data.get("side").and_then(serde_json::Value::as_str);
                let Some(Ok(side)) = word.map(CallSide::parse) else {
                    return Ok(JobEnd::Done);
                };
                match self.gone_until(&call, side).await? {
                    None => return Ok(JobEnd::Done),
                    Some(until) if until > self.engine.now() => return Ok(JobEnd::Retry(until)),
                    Some(_) => (CallAction::Lost(side), Action::EndCall),
                }
            }
            _ => return Ok(JobEnd::Done),
        };
        let jobs = Actor::System(SystemActor::Jobs);
        match self.advance(&jobs, reason, call, &action, None).await {
            Ok(_) => Ok(JobEnd::Done),
            // The call went another way before.
            Err(error) if error.code == Code::CallState => Ok(JobEnd::Done),
            Err(error) => Err(error),
        }
    }

    /// Until when a party is waited for whose device has no socket any more; none where it has
    /// one, or never had.
    async fn gone_until(
        &self,
        call: &Call,
        side: CallSide,
    ) -> Result<Option<crate::time::Timestamp>, Error> {
        let Some(device) = call.device(side) else {
            return Ok(None);
        };
        let now = self.engine.now();
        let leases = self
            .inner()
            .storage()
            .leases_of(call.party(side).user)
            .await?;
        let sockets: Vec<&Lease> = leases
            .iter()
            .filter(|lease| is_socket(lease, device))
            .collect();
        if sockets.iter().any(|lease| lease.expires_at > now) {
            return Ok(None);
        }
        let heard = sockets.iter().map(|lease| lease.heard_at).max();
        Ok(heard.map(|at| at.plus(self.engine.settings().calls.grace)))
    }

    /// A socket is gone: the live calls that its device takes part in wait for it, and for no
    /// longer than the grace.
    pub(crate) async fn socket_is_gone(&self, lease: &Lease) -> Result<(), Error> {
        if lease.source != LeaseSource::Socket {
            return Ok(());
        }
        let inner = self.inner();
        for call in inner.storage().live_calls_of(lease.user).await? {
            let Some(side) = call.side_of(lease.user) else {
                continue;
            };
            if !call.device(side).is_some_and(|device| lease.is_of(device)) {
                continue;
            }
            let Some(until) = self.gone_until(&call, side).await? else {
                continue;
            };
            let now = self.engine.now();
            let jobs = Actor::System(SystemActor::Jobs);
            let subject = Subject::uuid(Resource::Call, call.id.get());
            let mut write = inner.write(&jobs, now, Action::SignalCall, subject);
            let side = data([("side", side.as_str().into())]);
            write.audit.data.insert("state".into(), "party_gone".into());
            inner.schedule(&mut write, JobKind::CallGrace, until.max(now), side);
            inner.storage().record(&write).await?;
        }
        Ok(())
    }

    /// An answer was handed on: after a while the call counts as connected, whatever the parties
    /// say.
    pub(super) async fn assume_connected(&self, actor: &Actor, call: CallId) -> Result<(), Error> {
        let inner = self.inner();
        let now = self.engine.now();
        let subject = Subject::uuid(Resource::Call, call.get());
        let mut write = inner.write(actor, now, Action::SignalCall, subject);
        write.audit.data.insert("state".into(), "answered".into());
        let kind = JobKind::CallAssumeConnected;
        write.drop_jobs.push(JobSelector { kind, subject });
        let due = now.plus(self.engine.settings().calls.assume_connected_after);
        inner.schedule(&mut write, kind, due, serde_json::Map::new());
        Ok(inner.storage().record(&write).await?)
    }
}

fn is_socket(lease: &Lease, device: &DeviceId) -> bool {
    lease.source == LeaseSource::Socket && lease.is_of(device)
}
