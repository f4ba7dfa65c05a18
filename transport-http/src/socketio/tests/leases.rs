//! The leases by which everybody knows that a socket is open.

use std::time::Duration;

use serde_json::json;
use telemed_core::Settings;
use telemed_core::id::UserId;
use telemed_core::journal::LocalBus;
use telemed_core::presence::{Lease, PresenceStatus, PresenceStore};

use crate::connection::SocketConfig;
use crate::router::RouterConfig;
use crate::testing::House;
use crate::testing::sockets::Served;

/// The leases of a user, as soon as they are as they should be.
async fn leases_that(served: &Served, user: i64, fits: impl Fn(&[Lease]) -> bool) -> Vec<Lease> {
    let user = UserId::new(user).unwrap();
    for _ in 0..1000 {
        let leases = served.house.store.leases_of(user).await.unwrap();
        if fits(&leases) {
            return leases;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the leases do not become what they should be");
}

#[tokio::test]
async fn a_socket_that_stays_open_keeps_its_lease() {
    let config = RouterConfig {
        sockets: SocketConfig {
            renew_leases_every: Duration::from_millis(20),
            ..SocketConfig::default()
        },
        ..RouterConfig::default()
    };
    let house = House::settled(LocalBus::default(), config, Settings::default()).await;
    let served = Served::of(house).await;
    let patient = served.house.patient().await;
    let mut socket = served.connected(&patient, json!({})).await;
    let away = json!({"status": "away"});
    assert_eq!(socket.ask("presence:update", &away).await["success"], true);
    let first = leases_that(&served, patient.id, |leases| leases.len() == 1).await;
    let believed_for = |seconds: u64| {
        let least = served.house.engine.now().plus(Duration::from_secs(seconds));
        move |leases: &[Lease]| leases.iter().any(|lease| lease.expires_at >= least)
    };
    // It is renewed before it lapses,
    served.house.clock.advance(Duration::from_secs(50));
    leases_that(&served, patient.id, believed_for(60)).await;
    // and where the node has stood still until after, it is made anew, with what it said.
    served.house.clock.advance(Duration::from_secs(600));
    let now = leases_that(&served, patient.id, believed_for(60)).await;
    let shown: Vec<_> = now.iter().map(|lease| (lease.id, lease.status)).collect();
    assert_eq!(shown, [(first[0].id, PresenceStatus::Away)]);
    // Nobody renews what is closed.
    drop(socket);
    served.house.clock.advance(Duration::from_secs(30));
    let over = |leases: &[Lease]| {
        let now = served.house.engine.now();
        leases.iter().all(|lease| lease.expires_at <= now)
    };
    let ended = async {
        // It is given up when its end has been read, and ends a little later.
        loop {
            served.house.clock.advance(Duration::from_secs(6));
            if over(
                &served
                    .house
                    .store
                    .leases_of(UserId::new(patient.id).unwrap())
                    .await
                    .unwrap(),
            ) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .unwrap();
}
