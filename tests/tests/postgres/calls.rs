//! Calls and leases of presence, changed by several servers at the same time.

use std::sync::Arc;

use telemed_core::calls::{
    AdvanceCall, AdvanceCallOutcome, Call, CallAction, CallStore, NewCall, StartCallOutcome,
};
use telemed_core::id::UserId;
use telemed_core::presence::PresenceStore;
use telemed_core::scheduling::{AppointmentStatus, SchedulingStore};
use telemed_storage_postgres::PostgresStore;
use telemed_tests::build::{NOW, World, about_call, accept, advancing, applied, at, following};
use telemed_tests::together;

use super::place::{Beside, Place, options, world};

/// Two servers on one database.
struct Servers {
    stores: [PostgresStore; 2],
    world: World,
}

impl Servers {
    async fn on(place: &Place) -> Arc<Self> {
        let stores = [
            place.silent(&options("one")).await,
            place.silent(&options("other")).await,
        ];
        let world = world(place, &stores[0]);
        Arc::new(Self { stores, world })
    }

    /// Begins a call on one of the two.
    async fn begin(&self, number: usize, call: &NewCall) -> StartCallOutcome {
        let start = self.world.starting(NOW, call);
        applied(self.stores[number % 2].start_call(&start).await.unwrap())
    }

    async fn live(&self, user: UserId) -> Vec<Call> {
        self.stores[1].live_calls_of(user).await.unwrap()
    }
}

/// Nobody has waited for anybody who waited for him.
async fn nobody_was_in_the_way(mut beside: Beside) {
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(beside.number(deadlocks).await, 0);
}

pub async fn two_who_call_each_other_from_two_servers_meet(place: Place) {
    let servers = Servers::on(&place).await;
    for _ in 0..20 {
        let pair = servers.world.patients(2).await;
        let outcomes = together(2, |caller| {
            let (servers, pair) = (Arc::clone(&servers), pair.clone());
            async move {
                let new = servers.world.new_call(pair[caller], pair[1 - caller]);
                servers.begin(caller, &new).await
            }
        })
        .await;
        let (mut begun, mut met) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                StartCallOutcome::Started(call) => begun.push(call),
                StartCallOutcome::Glare(call) => met.push(call),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((begun.len(), &begun), (1, &met));
        assert_eq!(servers.live(pair[0]).await, begun);
    }
    nobody_was_in_the_way(place.beside().await).await;
}

pub async fn one_who_is_called_by_many_is_in_one_call(place: Place) {
    const CALLERS: usize = 12;
    let servers = Servers::on(&place).await;
    for _ in 0..5 {
        let hub = servers.world.patient().await;
        let callers = servers.world.patients(CALLERS).await;
        let outcomes = together(CALLERS, |number| {
            let (servers, caller) = (Arc::clone(&servers), callers[number]);
            async move {
                let new = servers.world.new_call(caller, hub);
                servers.begin(number, &new).await
            }
        })
        .await;
        let mut begun = Vec::new();
        for outcome in outcomes {
            match outcome {
                StartCallOutcome::Started(call) => begun.push(call),
                StartCallOutcome::CalleeBusy(call) => assert!(!call.progress.state.is_live()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(begun.len(), 1);
        assert_eq!(servers.live(hub).await, begun);
    }
}

pub async fn nobody_is_in_two_calls_however_they_cross(place: Place) {
    const USERS: usize = 6;
    let servers = Servers::on(&place).await;
    for _ in 0..15 {
        // Each calls the next, and the last one the first.
        let circle = servers.world.patients(USERS).await;
        together(USERS, |number| {
            let (servers, circle) = (Arc::clone(&servers), circle.clone());
            async move {
                let new = servers
                    .world
                    .new_call(circle[number], circle[(number + 1) % USERS]);
                servers.begin(number, &new).await
            }
        })
        .await;
        let mut calls = 0;
        for user in circle {
            let live = servers.live(user).await;
            assert!(live.len() <= 1, "{live:?}");
            calls += live.len();
        }
        assert!(calls > 0, "nobody has reached anybody");
    }
    nobody_was_in_the_way(place.beside().await).await;
}

pub async fn one_of_many_changes_from_two_servers_wins(place: Place) {
    const CALLERS: usize = 10;
    let servers = Servers::on(&place).await;
    for _ in 0..10 {
        let pair = servers.world.patients(2).await;
        let call = servers.world.call(pair[0], pair[1]).await;
        let outcomes = together(CALLERS, |number| {
            let (servers, call) = (Arc::clone(&servers), call.clone());
            async move {
                let progress = following(&call, &accept(&format!("device {number}")), at(1));
                let write = servers.world.write_at(at(1), about_call(call.id));
                let change = advancing(&call, progress);
                let store = &servers.stores[number % 2];
                applied(store.advance_call(&write, &change).await.unwrap())
            }
        })
        .await;
        let is_superseded = |one: &&_| matches!(one, AdvanceCallOutcome::Superseded);
        let superseded = outcomes.iter().filter(is_superseded).count();
        assert_eq!(superseded, CALLERS - 1, "{outcomes:?}");
        assert_eq!(servers.world.call_now(call.id).await.version, 2);
    }
}

/// The slot comes before the call: whoever has a call and wants a slot would wait for whoever has
/// that slot and wants the call.
pub async fn a_call_and_its_appointment_do_not_wait_for_each_other(place: Place) {
    let servers = Servers::on(&place).await;
    let world = &servers.world;
    let clinic = world.clinic().await;
    let doctor = world.doctor(clinic).await;
    let slot = world.slot(doctor, clinic, 60, 1).await;
    let appointment = world.book(slot, world.patient().await).await;
    let call = world.call(doctor, appointment.patient).await;
    let call = world.act(at(50), call.id, &[accept("phone")]).await;
    let change = AdvanceCall {
        appointment: Some((appointment.id, AppointmentStatus::Pending)),
        ..advancing(&call, following(&call, &CallAction::Connect, at(51)))
    };
    let mut beside = place.beside().await;
    let lock = format!("BEGIN; SELECT FROM slots WHERE id = {slot} FOR NO KEY UPDATE");
    beside.run(&lock).await;
    let advance = {
        let (store, change) = (servers.stores[1].clone(), change.clone());
        let write = world.write_at(at(51), about_call(call.id));
        tokio::spawn(async move { store.advance_call(&write, &change).await })
    };
    beside.blocked("other").await;
    // Who has the slot gets the call.
    let lock = format!(
        "SELECT FROM calls WHERE id = '{}' FOR UPDATE NOWAIT",
        call.id
    );
    beside.run(&lock).await;
    // The appointment is confirmed meanwhile: it is not as it was seen.
    let confirm = "UPDATE appointments SET status = 'confirmed'; COMMIT";
    beside.run(confirm).await;
    let outcome = applied(advance.await.unwrap().unwrap());
    assert_eq!(outcome, AdvanceCallOutcome::Superseded);
    assert_eq!(world.call_now(call.id).await, call);
    // As it is seen now, both go on.
    let change = AdvanceCall {
        appointment: Some((appointment.id, AppointmentStatus::Confirmed)),
        ..change
    };
    let outcome = world.advance_at(at(51), &change).await;
    assert!(matches!(outcome, AdvanceCallOutcome::Advanced(_)));
    let found = servers.stores[1].appointment_by_id(appointment.id).await;
    let status = found.unwrap().unwrap().status;
    assert_eq!(status, AppointmentStatus::InProgress);
}

pub async fn leases_are_renewed_in_any_order(place: Place) {
    let servers = Servers::on(&place).await;
    let user = servers.world.patient().await;
    let mut leases = Vec::new();
    for _ in 0..60 {
        leases.push(servers.world.lease(user, 1_000).await.id);
    }
    let renewed = together(4, |number| {
        let (servers, mut leases) = (Arc::clone(&servers), leases.clone());
        if number % 2 == 1 {
            leases.reverse();
        }
        async move {
            for minute in 0..20 {
                let (now, until) = (at(minute), at(1_000 + minute));
                let store = &servers.stores[number % 2];
                let renewed = store.renew_leases(&leases, now, until).await.unwrap();
                assert_eq!(renewed.len(), leases.len());
            }
        }
    });
    renewed.await;
    nobody_was_in_the_way(place.beside().await).await;
}
