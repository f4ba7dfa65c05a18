//! Every operation of calls and presence, for the plans of their statements, and what the hot ones
//! of them cost.

use telemed_core::calls::{
    AddSampleOutcome, AdvanceCall, AdvanceCallOutcome, CallFilter, CallKind, CallProgress,
    CallSide, CallState, CallStatus, CallStore, ClientCallId, DeviceId, Measured, NewCall,
    QualityGrade, QualitySample, StartCall, StartCallOutcome,
};
use telemed_core::id::CallId;
use telemed_core::page::PageRequest;
use telemed_core::presence::{
    ContactBounds, DeviceType, Lease, LeaseSource, PresenceStatus, PresenceStore,
};

use super::*;
use crate::statement::Watch;

fn about(call: CallId) -> Write {
    write(Subject::uuid(Resource::Call, call.get()))
}

fn new_call(caller: UserId, callee: UserId) -> StartCall {
    let call = NewCall {
        id: fresh(),
        caller,
        callee,
        caller_device: DeviceId::new("phone").ok(),
        kind: CallKind::Video,
        appointment: None,
        client_id: None,
    };
    StartCall {
        write: about(call.id),
        write_busy: about(call.id),
        busy: CallProgress {
            state: CallState::Busy,
            ..CallProgress::begun(None)
        },
        callee_refuses: false,
        most_live: 1,
        call,
    }
}

async fn start(store: &SqliteStore, start: &StartCall) -> StartCallOutcome {
    match store.start_call(start).await.unwrap() {
        Written::Applied(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

/// A sample of a round trip and a loss.
fn sample(call: CallId, user: UserId, value: f64) -> QualitySample {
    QualitySample {
        id: fresh(),
        call,
        user,
        at: NOW,
        measured: Measured {
            round_trip: Some(value),
            loss: Some(value),
            audio: Some(QualityGrade::Good),
            ..Measured::default()
        },
    }
}

fn lease(user: UserId, ends_in: u64) -> Lease {
    Lease {
        id: fresh(),
        user,
        device: DeviceId::new("phone").unwrap(),
        session: fresh(),
        device_type: DeviceType::new("web").unwrap(),
        source: LeaseSource::Socket,
        status: PresenceStatus::Online,
        current_call: None,
        current_appointment: None,
        heard_at: NOW,
        expires_at: NOW.plus(hours(ends_in)),
    }
}

/// Calls every operation of calls and presence.
pub(super) async fn exercise(store: &SqliteStore, practice: &Practice) {
    let patient = user(store, "caller", Role::Patient).await;
    let call = calls(store, practice, patient).await;
    quality(store, call, patient).await;
    presence(store, patient, practice.doctor).await;
}

/// Every operation of calls; what is returned is live.
async fn calls(store: &SqliteStore, practice: &Practice, patient: UserId) -> CallId {
    let doctor = practice.doctor;
    let mut first = new_call(patient, doctor);
    first.call.client_id = ClientCallId::new("c-1").ok();
    let StartCallOutcome::Started(call) = start(store, &first).await else {
        panic!("not started")
    };
    let repeated = start(store, &first).await;
    assert_eq!(repeated, StartCallOutcome::Repeated(call.clone()));
    let back = start(store, &new_call(doctor, patient)).await;
    assert_eq!(back, StartCallOutcome::Glare(call.clone()));
    let third = user(store, "third", Role::Patient).await;
    let busy = start(store, &new_call(third, doctor)).await;
    assert!(matches!(busy, StartCallOutcome::CalleeBusy(_)));
    let name = ClientCallId::new("c-1").unwrap();
    let named = store.call_by_client_id(patient, &name).await.unwrap();
    assert_eq!(named.as_ref(), Some(&call));

    let slot = slot(store, practice, 9, 1).await;
    let new = Subject::new_row(Resource::Appointment);
    let booked = book(store, slot, booking(write(new), patient)).await;
    let Written::Applied(BookOutcome::Booked(booked)) = booked.unwrap() else {
        panic!("not booked")
    };
    let change = AdvanceCall {
        call: call.id,
        seen: 1,
        progress: CallProgress {
            state: CallState::Connected,
            connected_at: Some(NOW),
            ..call.progress
        },
        appointment: Some((booked.id, booked.status)),
    };
    let advanced = store.advance_call(&about(call.id), &change).await.unwrap();
    let is_advanced = |outcome| matches!(outcome, AdvanceCallOutcome::Advanced(_));
    assert_eq!(advanced.map(is_advanced), Written::Applied(true));
    assert!(store.call_by_id(call.id).await.unwrap().is_some());
    assert_eq!(store.live_calls_of(doctor).await.unwrap().len(), 1);

    let page = PageRequest::default();
    for kind in [None, Some(CallKind::Video)] {
        for status in [None, Some(CallStatus::Connected)] {
            for side in [None, Some(CallSide::Caller)] {
                for (from, before) in [
                    (None, None),
                    (Some(NOW), None),
                    (None, Some(NOW.plus(hours(1)))),
                    (Some(NOW), Some(NOW.plus(hours(1)))),
                ] {
                    let filter = CallFilter {
                        kind,
                        status,
                        side,
                        from,
                        before,
                    };
                    let listed = store.call_page(patient, &filter, page).await.unwrap();
                    assert_eq!((listed.total, listed.items.len()), (1, 1));
                }
            }
        }
    }
    assert_eq!(store.call_tallies(doctor, None).await.unwrap().len(), 2);
    call.id
}

async fn quality(store: &SqliteStore, call: CallId, patient: UserId) {
    let first = sample(call, patient, 3.0);
    for (sample, is_new) in [
        (&first, true),
        (&first, false),
        (&sample(call, patient, 4.0), true),
    ] {
        let added = store.add_quality_sample(sample).await.unwrap();
        assert_eq!(matches!(added, AddSampleOutcome::Added { .. }), is_new);
    }
    let samples = store.quality_samples(call, 10).await.unwrap();
    assert_eq!(samples.len(), 2);
    let quality = store.call_quality(call).await.unwrap().unwrap();
    assert_eq!(quality[0].round_trip, Some(3.5));
}

async fn presence(store: &SqliteStore, patient: UserId, doctor: UserId) {
    let (long, short) = (lease(patient, 9), lease(doctor, 1));
    for lease in [&long, &short, &short] {
        assert!(store.put_lease(lease).await.unwrap());
    }
    let rows = store.presence_rows(&[patient, doctor], NOW).await.unwrap();
    assert!(rows.iter().all(|row| row.leases.len() == 1));
    assert!(rows.iter().all(|row| row.live_call.is_some()));
    let until = NOW.plus(hours(8));
    let renewed = store.renew_leases(&[long.id], NOW, until).await;
    assert_eq!(renewed.unwrap(), [long.id]);
    store.end_lease(short.id, NOW, NOW).await.unwrap();
    assert_eq!(store.next_lease_lapse().await.unwrap(), Some(NOW));
    assert_eq!(store.claim_lapsed_leases(NOW, 9).await.unwrap().len(), 1);
    assert_eq!(store.leases_of(doctor).await.unwrap().len(), 1);
    let later = NOW.plus(hours(2));
    assert_eq!(store.drop_lapsed_leases(later).await.unwrap(), 1);
    for before in [PresenceStatus::Offline, PresenceStatus::Busy] {
        let told = store.note_told_status(patient, PresenceStatus::Busy).await;
        assert_eq!(told.unwrap(), before);
    }
    let bounds = ContactBounds { cared_after: NOW };
    assert!(store.are_contacts([doctor, patient], bounds).await.unwrap());
    let contacts = store.present_contacts(doctor, bounds, NOW, 9).await;
    assert_eq!(contacts.unwrap(), [patient]);
    let doctors = store.present_doctors(NOW, 9).await.unwrap();
    assert_eq!(doctors, [doctor]);
}

/// What is done again and again while somebody is there takes few statements, and each of them
/// changes few rows.
#[tokio::test]
async fn a_lease_and_a_sample_cost_few_statements() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("a.db");
    let store = open(&path, &quick());
    let practice = practice(&store).await;
    let patient = user(&store, "caller", Role::Patient).await;
    let call = new_call(patient, practice.doctor);
    start(&store, &call).await;
    let watch = Watch::over(&path);
    let lease = lease(patient, 1);
    let statements = |watch: &Watch| {
        let runs = watch.take();
        runs.into_iter()
            .filter(|sql| !sql.starts_with("BEGIN") && !sql.starts_with("COMMIT"))
            .count()
    };
    for _ in 0..2 {
        store.put_lease(&lease).await.unwrap();
        assert_eq!(statements(&watch), 2);
    }
    let until = NOW.plus(hours(2));
    store.renew_leases(&[lease.id], NOW, until).await.unwrap();
    assert_eq!(statements(&watch), 2);
    store.claim_lapsed_leases(NOW, 9).await.unwrap();
    assert_eq!(statements(&watch), 1);
    let online = PresenceStatus::Online;
    for expected in [2, 1] {
        store.note_told_status(patient, online).await.unwrap();
        assert_eq!(statements(&watch), expected);
    }
    store.presence_rows(&[patient], NOW).await.unwrap();
    assert_eq!(statements(&watch), 2);
    let sample = sample(call.call.id, patient, 3.0);
    store.add_quality_sample(&sample).await.unwrap();
    assert_eq!(statements(&watch), 7);
    store
        .call_page(patient, &CallFilter::default(), PageRequest::default())
        .await
        .unwrap();
    assert_eq!(statements(&watch), 2);
}
