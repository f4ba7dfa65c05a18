//! Cases of samples of a call's quality.

use std::sync::Arc;

use telemed_core::calls::{
    AddSampleOutcome as Outcome, CallFilter, CallSide, Measured, NamedSample, PartyQuality,
    QualityGrade, QualitySample, Resolution,
};
use telemed_core::id::{CallId, UserId};
use telemed_core::time::Timestamp;

use crate::build::{NOW, World, at, hangup, page, user_id};
use crate::suite::case_list;
use crate::together;

case_list! { "calls":
    a_sample_moves_the_medians_of_its_party,
    a_sample_is_added_once,
    an_outsiders_sample_is_refused,
    samples_come_in_order,
}

/// Two patients and their call.
async fn two(world: &World) -> (CallId, UserId, UserId) {
    let (one, other) = (world.patient().await, world.patient().await);
    (world.call(one, other).await.id, one, other)
}

async fn add(world: &World, sample: &QualitySample) -> Outcome {
    world.storage.add_quality_sample(sample).await.unwrap()
}

/// Adds a sample of a round trip and a loss at a time.
async fn measure(
    world: &World,
    at: Timestamp,
    (call, user): (CallId, UserId),
    round_trip: Option<f64>,
    loss: Option<f64>,
) {
    let sample = QualitySample {
        measured: Measured {
            round_trip,
            loss,
            ..Measured::default()
        },
        ..world.sample(at, call, user)
    };
    let outcome = add(world, &sample).await;
    assert!(matches!(outcome, Outcome::Added { .. }), "{outcome:?}");
}

async fn a_sample_moves_the_medians_of_its_party(world: Arc<World>) {
    let (call, caller, callee) = two(&world).await;
    let (other_call, ..) = two(&world).await;
    let none = [caller, callee].map(PartyQuality::none);
    assert_eq!(world.quality(call).await, none);
    // The median after each sample; what was not measured does not count.
    let place = (call, caller);
    for (minute, round_trip, loss, medians) in [
        (1, Some(80.0), None, (Some(80.0), None)),
        (2, None, None, (Some(80.0), None)),
        (3, Some(500.25), Some(0.0), (Some(290.125), Some(0.0))),
        (4, Some(90.0), Some(9.5), (Some(90.0), Some(4.75))),
        (5, Some(90.0), None, (Some(90.0), Some(4.75))),
        (6, Some(10.0), Some(0.1), (Some(90.0), Some(0.1))),
        (7, Some(20.0), Some(0.1), (Some(85.0), Some(0.1))),
        // One that comes late is as good as another.
        (0, Some(30.0), Some(100.0), (Some(80.0), Some(0.1))),
    ] {
        measure(&world, at(minute), place, round_trip, loss).await;
        let [own, of_callee] = world.quality(call).await;
        assert_eq!((own.round_trip, own.loss), medians, "{minute}");
        assert_eq!((own.user, own.audio), (caller, None));
        assert_eq!(of_callee, none[1]);
    }
    assert_eq!(world.quality(call).await[0].samples, 8);
    // The other party has medians of its own, and so has another call.
    measure(&world, at(1), (call, callee), Some(1.0), Some(2.0)).await;
    let expected = PartyQuality {
        user: callee,
        samples: 1,
        round_trip: Some(1.0),
        loss: Some(2.0),
        audio: None,
    };
    assert_eq!(world.quality(call).await[1], expected);
    assert_eq!(world.quality(other_call).await[0].samples, 0);

    // The grade of the sound is that of the newest sample by time, then by id, even if it has none.
    let grade = async |minute, audio| {
        let mut sample = world.sample(at(minute), call, callee);
        sample.measured.audio = audio;
        add(&world, &sample).await;
        world.quality(call).await[1].audio
    };
    let (good, poor) = (Some(QualityGrade::Good), Some(QualityGrade::Poor));
    assert_eq!(grade(5, good).await, good);
    assert_eq!(grade(4, poor).await, good);
    assert_eq!(grade(5, poor).await, poor);
    assert_eq!(grade(6, None).await, None);
    assert_eq!(grade(7, good).await, good);
    // A call that is over takes samples, and keeps them.
    world.act(at(9), call, &[hangup(CallSide::Caller)]).await;
    measure(&world, at(10), (call, caller), Some(30.0), None).await;
    let quality = world.quality(call).await;
    assert_eq!((quality[0].samples, quality[0].round_trip), (9, Some(55.0)));
    // The list has the same of each call.
    for user in [caller, callee] {
        let all = CallFilter::default();
        let listed = world
            .storage
            .call_page(user, &all, page(0, 9))
            .await
            .unwrap();
        assert_eq!(listed.items.len(), 1);
        assert_eq!(listed.items[0].quality, quality);
    }

    // In parallel none is lost.
    let (call, caller, callee) = two(&world).await;
    together(16, |number| {
        let world = Arc::clone(&world);
        let user = if number % 2 == 0 { caller } else { callee };
        #[allow(clippy::cast_precision_loss)] // A small number.
        let value = Some(number as f64);
        async move { measure(&world, NOW, (call, user), value, value).await }
    })
    .await;
    let [even, odd] = world.quality(call).await;
    assert_eq!(
        (even.samples, even.round_trip, even.loss),
        (8, Some(7.0), Some(7.0))
    );
    assert_eq!(
        (odd.samples, odd.round_trip, odd.loss),
        (8, Some(8.0), Some(8.0))
    );
}

async fn a_sample_is_added_once(world: Arc<World>) {
    let (call, one, other) = two(&world).await;
    let (second, third, _) = two(&world).await;
    let full = QualitySample {
        measured: Measured {
            round_trip: Some(123.456_789),
            loss: Some(0.1),
            jitter: Some(1e-9),
            audio_bitrate: Some(48.0),
            video_bitrate: Some(1e15),
            video_resolution: Resolution::parse("65535x720").ok(),
            video_framerate: Some(29.97),
            processor: Some(100.0),
            memory: Some(0.0),
            audio: Some(QualityGrade::Fair),
            video: Some(QualityGrade::Excellent),
        },
        ..world.sample(at(2), call, one)
    };
    assert_eq!(add(&world, &full).await, Outcome::Added { before: None });
    // The same id again, whatever comes with it: the one that is there.
    let mut changed = full.clone();
    changed.at = at(3);
    changed.measured = Measured::default();
    for again in [
        full.clone(),
        changed.clone(),
        QualitySample {
            user: other,
            ..changed.clone()
        },
        QualitySample {
            call: second,
            user: third,
            ..changed
        },
    ] {
        let answer = world.unchanged(add(&world, &again)).await;
        assert_eq!(answer, Outcome::Repeated(full.clone()));
    }
    // The party's newest one before it, by time and then by id, is answered.
    let mut before = full;
    let earlier = world.sample(at(1), call, one);
    for next in [
        world.sample(at(2), call, one),
        world.sample(at(4), call, one),
    ] {
        // Those of others are not his.
        add(&world, &world.sample(at(9), call, other)).await;
        let answer = add(&world, &next).await;
        let expected = Outcome::Added {
            before: Some(before),
        };
        assert_eq!(answer, expected);
        before = next;
    }
    let answer = add(&world, &earlier).await;
    let before = Some(before);
    assert_eq!(
        answer,
        Outcome::Added {
            before: before.clone()
        }
    );
    let last = world.sample(at(4), call, one);
    assert_eq!(add(&world, &last).await, Outcome::Added { before });

    // In parallel one is added.
    let sample = world.sample(at(7), call, one);
    let outcomes = together(16, |_| {
        let (world, sample) = (Arc::clone(&world), sample.clone());
        async move { add(&world, &sample).await }
    })
    .await;
    let is_repeated = |outcome: &&Outcome| **outcome == Outcome::Repeated(sample.clone());
    assert_eq!(outcomes.iter().filter(is_repeated).count(), 15);
    assert_eq!(world.quality(call).await[0].samples, 6);
}

async fn an_outsiders_sample_is_refused(world: Arc<World>) {
    let (call, one, _) = two(&world).await;
    let (_, outsider, _) = two(&world).await;
    let known = world.sample(NOW, call, one);
    add(&world, &known).await;
    let unknown = CallId::new(world.uuid());
    for refused in [
        world.sample(NOW, call, outsider),
        world.sample(NOW, call, user_id(999)),
        world.sample(NOW, unknown, one),
        // Not even one that is there is shown to him.
        QualitySample {
            user: outsider,
            ..known.clone()
        },
        QualitySample {
            call: unknown,
            ..known.clone()
        },
    ] {
        let answer = world.unchanged(add(&world, &refused)).await;
        assert_eq!(answer, Outcome::NotFound);
    }
}

async fn samples_come_in_order(world: Arc<World>) {
    let (call, one, other) = two(&world).await;
    let (second, third, _) = two(&world).await;
    let samples = async |call, limit| {
        let found = world.storage.quality_samples(call, limit).await.unwrap();
        for NamedSample { sample, name } in &found {
            let user = world.storage.user_by_id(sample.user).await.unwrap();
            assert_eq!(*name, user.unwrap().full_name);
        }
        let found = found.into_iter().map(|named| named.sample);
        found.collect::<Vec<_>>()
    };
    assert_eq!(samples(call, 10).await, []);
    let mut added = Vec::new();
    for (minute, user) in [
        (3, one),
        (1, other),
        (2, one),
        (2, other),
        (2, one),
        (0, other),
    ] {
        let sample = world.sample(at(minute), call, user);
        add(&world, &sample).await;
        added.push(sample);
    }
    add(&world, &world.sample(at(1), second, third)).await;
    added.sort_by_key(|sample| (sample.at, sample.id));
    assert_eq!(samples(call, 10).await, added);
    assert_eq!(samples(call, 6).await, added);
    // The newest ones, in the same order.
    for limit in 0..6_u32 {
        let expected = &added[added.len() - limit as usize..];
        assert_eq!(samples(call, limit).await, expected, "{limit}");
    }
    assert_eq!(samples(second, 10).await.len(), 1);
    assert_eq!(samples(CallId::new(world.uuid()), 10).await, []);
}
