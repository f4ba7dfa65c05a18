//! Takes samples of a call's quality.

use crate::actor::Actor;
use crate::calls::service::{missing, refused, user_of};
use crate::calls::{
    AddSampleOutcome, Call, CallAction, CallKind, CallReference, CallState, Calls, Measured,
    NamedSample, QualityGrade, QualitySample, figure,
};
use crate::engine::{RequestParts, data};
use crate::error::{Code, Error};
use crate::id::{EventId, SampleId};
use crate::journal::{Audience, Frame, FrameKind};
use crate::policy::Action;

/// How many samples of a call are read at most: an hour of both parties, one a second.
const MOST_READ: u32 = 7200;

impl Calls<'_> {
    /// Takes a sample of the actor's own connection in a call, and tells the parties. Where its
    /// grade is another than that of the sample before, they are told so once, with what a client
    /// may do about it. The first sample says that the two hear each other.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties; [`Code::CallState`] for a call that was
    /// never answered; [`Code::IdempotencyMismatch`] for another sample under the same key.
    pub async fn record_quality(
        &self,
        actor: &Actor,
        reference: &CallReference,
        mut measured: Measured,
    ) -> Result<QualitySample, Error> {
        let (call, _) = self.own(actor, reference, Action::MeasureCall).await?;
        if call.progress.accepted_at.is_none() {
            return Err(refused(&call));
        }
        let computed = QualityGrade::of(measured.round_trip, measured.loss);
        measured.audio = measured.audio.or(computed);
        if call.kind == CallKind::Video {
            measured.video = measured.video.or(computed);
        }
        let now = self.engine.now();
        let sample = QualitySample {
            id: self.sample_id(actor, &call),
            call: call.id,
            user: user_of(actor)?,
            at: now,
            measured,
        };
        let added = self.inner().storage().add_quality_sample(&sample).await?;
        let before = match added {
            AddSampleOutcome::NotFound => return Err(missing(reference)),
            AddSampleOutcome::Repeated(earlier) if earlier.measured == sample.measured => {
                // What follows from it may have failed the first time.
                self.hear_each_other(actor, &call).await?;
                return Ok(earlier);
            }
            AddSampleOutcome::Repeated(_) => return Err(Error::new(Code::IdempotencyMismatch)),
            AddSampleOutcome::Added { before } => before,
        };
        self.hear_each_other(actor, &call).await?;
        self.tell_quality(&call, &sample, before.as_ref());
        Ok(sample)
    }

    /// Who measures is connected.
    async fn hear_each_other(&self, actor: &Actor, call: &Call) -> Result<(), Error> {
        let state = call.progress.state;
        if !matches!(state, CallState::Accepted | CallState::Connecting) {
            return Ok(());
        }
        let connect = CallAction::Connect;
        let advanced = self.advance(actor, Action::MeasureCall, call.clone(), &connect, None);
        match advanced.await {
            // It ended in the meantime; the sample stands.
            Err(error) if error.code == Code::CallState => Ok(()),
            other => other.map(drop),
        }
    }

    /// A sample that is repeated under a key has the same id.
    fn sample_id(&self, actor: &Actor, call: &Call) -> SampleId {
        let inner = self.inner();
        let Some(key) = &self.key else {
            return SampleId::new(inner.uuid(self.engine.now()));
        };
        let who = actor.user_id().map_or(0, crate::id::UserId::get);
        let fingerprint = RequestParts::default()
            .number(who)
            .text(Some(&call.id.to_string()))
            .text(Some(key.as_str()))
            .fingerprint(inner, "quality_sample");
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&fingerprint.0[..16]);
        // An own form, RFC 9562 section 5.8.
        SampleId::new(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    fn tell_quality(&self, call: &Call, sample: &QualitySample, before: Option<&QualitySample>) {
        let grade = grade(sample);
        let was = before.and_then(self::grade);
        let hint = grade
            .filter(|_| grade != was)
            .and_then(|grade| grade.hint(call.kind == CallKind::Video));
        let word = |grade: Option<QualityGrade>| {
            grade.map_or(serde_json::Value::Null, |grade| grade.as_str().into())
        };
        let number = |value: Option<f64>| value.map_or(serde_json::Value::Null, figure);
        let mut told = data([
            ("metric_id", sample.id.to_string().into()),
            ("call_id", call.id.to_string().into()),
            ("user_id", sample.user.get().into()),
            ("rtt", number(sample.measured.round_trip)),
            ("packet_loss", number(sample.measured.loss)),
            ("audio_quality", word(sample.measured.audio)),
            ("video_quality", word(sample.measured.video)),
            ("grade", word(grade)),
            ("timestamp", sample.at.to_string().into()),
        ]);
        self.pass(call, FrameKind::QualityRecorded, told.clone());
        if grade != was {
            told.insert("previous_grade".into(), word(was));
            let hint = hint.map_or(serde_json::Value::Null, |hint| hint.as_str().into());
            told.insert("hint".into(), hint);
            self.pass(call, FrameKind::QualityChanged, told);
        }
    }

    /// Tells both parties of what passes.
    pub(super) fn pass(
        &self,
        call: &Call,
        kind: FrameKind,
        data: serde_json::Map<String, serde_json::Value>,
    ) {
        let inner = self.inner();
        inner.parts.bus.pass(Frame {
            id: EventId::new(inner.uuid(self.engine.now())),
            kind,
            audience: call.users().map(Audience::User).to_vec(),
            data,
            signal: None,
        });
    }

    /// The samples of a call, in their order, with the names of the parties.
    ///
    /// # Errors
    /// [`Code::NotFound`] for anybody but the parties and administrators.
    pub async fn quality_samples(
        &self,
        actor: &Actor,
        reference: &CallReference,
    ) -> Result<Vec<NamedSample>, Error> {
        let call = self.readable(actor, reference).await?;
        let storage = self.inner().storage();
        Ok(storage.quality_samples(call.id, MOST_READ).await?)
    }
}

/// The grade of a sample: of what was measured, else the one that the client gave the sound.
fn grade(sample: &QualitySample) -> Option<QualityGrade> {
    let measured = &sample.measured;
    QualityGrade::of(measured.round_trip, measured.loss).or(measured.audio)
}
