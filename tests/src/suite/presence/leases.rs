//! Cases of leases: making, keeping, ending and dropping them.

use std::sync::Arc;

use telemed_core::calls::DeviceId;
use telemed_core::id::{AppointmentId, CallId, LeaseId, SessionId, UserId};
use telemed_core::presence::{DeviceType, Lease, LeaseSource, PresenceStatus};
use telemed_core::time::Timestamp;

use crate::build::{NOW, World, at, user_id};
use crate::suite::case_list;
use crate::together;

case_list! { "presence":
    a_lease_is_believed_until_it_expires,
    a_lease_is_changed_under_its_id,
    a_changed_lease_lapses_again,
    a_renewed_lease_lives_on,
    a_lease_is_ended_early,
    a_lapsed_lease_is_listed_until_it_is_noted,
    the_next_lapse_is_the_earliest,
    lapsed_leases_are_kept_for_a_while,
}

/// A microsecond before.
fn just_before(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.micros() - 1)
}

/// The leases of a user, those that have lapsed too.
async fn leases_of(world: &World, user: UserId) -> Vec<Lease> {
    world.storage.leases_of(user).await.unwrap()
}

/// The only lease of a user.
async fn lease_of(world: &World, user: UserId) -> Lease {
    let leases = leases_of(world, user).await;
    let [lease] = &leases[..] else {
        panic!("{leases:?}")
    };
    lease.clone()
}

async fn a_lease_is_believed_until_it_expires(world: Arc<World>) {
    let (user, other) = (world.patient().await, world.patient().await);
    assert_eq!(world.presence(user, NOW).await.leases, []);
    let first = world.lease(user, 10).await;
    let mut second = world.new_lease(user, 5);
    second.heard_at = at(1);
    world.put(&second).await;
    // Two heard of at one time: the one with the higher id comes first.
    let third = world.lease(user, 10).await;
    let believed = async |now| world.presence(user, now).await.leases;
    let all = [second, third.clone(), first.clone()];
    assert_eq!(believed(NOW).await, all);
    assert_eq!(believed(just_before(at(5))).await, all);
    assert_eq!(believed(at(5)).await, all[1..]);
    assert_eq!(believed(just_before(at(10))).await, all[1..]);
    assert_eq!(believed(at(10)).await, []);
    // Whether a lapse was noted makes no difference.
    world.lapsed(at(10)).await;
    assert_eq!(believed(just_before(at(10))).await, all[1..]);

    // Of several users each has his own, each of them once, and unknown ones are left out.
    let own = world.lease(other, 7).await;
    let asked = [user_id(999), other, user, other];
    let mut rows = world.storage.presence_rows(&asked, at(6)).await.unwrap();
    rows.sort_by_key(|row| row.user);
    let rows: Vec<_> = rows.into_iter().map(|row| (row.user, row.leases)).collect();
    assert_eq!(rows, [(user, all[1..].to_vec()), (other, vec![own])]);
    let none = world.storage.presence_rows(&[], NOW).await.unwrap();
    assert_eq!(none, []);
}

async fn a_lease_is_changed_under_its_id(world: Arc<World>) {
    let (user, other) = (world.patient().await, world.patient().await);
    let plain = world.lease(user, 5).await;
    assert_eq!(lease_of(&world, user).await, plain);
    // All of it but whose it is.
    for status in PresenceStatus::ALL {
        for source in LeaseSource::ALL {
            let full = Lease {
                id: plain.id,
                user,
                device: DeviceId::new("هاتف'; --").unwrap(),
                session: SessionId::new(world.uuid()),
                device_type: DeviceType::new("ios").unwrap(),
                source: *source,
                status: *status,
                current_call: Some(CallId::new(world.uuid())),
                current_appointment: Some(AppointmentId::from_row(i64::MAX)),
                heard_at: at(-5),
                expires_at: at(-4),
            };
            world.put(&full).await;
            assert_eq!(lease_of(&world, user).await, full);
        }
    }
    world.put(&plain).await;
    assert_eq!(lease_of(&world, user).await, plain);
    // Another user's is no business of theirs.
    let stolen = Lease {
        id: plain.id,
        ..world.new_lease(other, 90)
    };
    let answer = world.unchanged(world.storage.put_lease(&stolen)).await;
    assert!(!answer.unwrap());
    assert_eq!(lease_of(&world, user).await, plain);
    assert_eq!(leases_of(&world, other).await, []);
    assert_eq!(world.presence(other, NOW).await.last_seen, None);
    // In parallel the id belongs to one of the two.
    let id = LeaseId::new(world.uuid());
    let answers = together(8, |caller| {
        let world = Arc::clone(&world);
        let owner = if caller % 2 == 0 { user } else { other };
        async move {
            let lease = Lease {
                id,
                ..world.new_lease(owner, 5)
            };
            (owner, world.storage.put_lease(&lease).await.unwrap())
        }
    })
    .await;
    let mut owners: Vec<_> = answers.iter().filter(|(_, put)| *put).collect();
    owners.dedup();
    assert_eq!(owners.len(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, put)| *put).count(), 4);
}

async fn a_changed_lease_lapses_again(world: Arc<World>) {
    let user = world.patient().await;
    let mut lease = world.lease(user, 5).await;
    for minute in [5, 9, 13] {
        assert_eq!(world.lapsed(at(minute)).await, [lease.id]);
        assert_eq!(world.lapsed(at(minute)).await, []);
        assert_eq!(world.presence(user, at(minute)).await.leases, []);
        lease.heard_at = at(minute);
        lease.expires_at = at(minute + 4);
        world.put(&lease).await;
        let believed = world.presence(user, at(minute)).await.leases;
        assert_eq!(believed, [lease.clone()]);
        let next = world.storage.next_lease_lapse().await.unwrap();
        assert_eq!(next, Some(at(minute + 4)));
    }
    // One that is put as lapsed lapses as well.
    lease.expires_at = at(1);
    world.put(&lease).await;
    assert_eq!(world.lapsed(at(2)).await, [lease.id]);
}

async fn a_renewed_lease_lives_on(world: Arc<World>) {
    let (user, other) = (world.patient().await, world.patient().await);
    let (one, two) = (world.lease(user, 5).await, world.lease(other, 9).await);
    let (short, untouched) = (world.lease(user, 3).await, world.lease(user, 20).await);
    let unknown = LeaseId::new(world.uuid());
    let renew = async |leases: &[LeaseId], now, until| {
        let renewed = world.storage.renew_leases(leases, now, until).await;
        let mut renewed = renewed.unwrap();
        renewed.sort_unstable();
        renewed
    };
    assert_eq!(world.unchanged(renew(&[], at(3), at(20))).await, []);
    let asked = [two.id, unknown, one.id, short.id, two.id];
    assert_eq!(renew(&asked, at(3), at(12)).await, [one.id, two.id]);
    let renewed = |lease: &Lease| Lease {
        heard_at: at(3),
        expires_at: at(12),
        ..lease.clone()
    };
    let expected = [untouched, renewed(&one), short.clone()];
    assert_eq!(leases_of(&world, user).await, expected);
    assert_eq!(lease_of(&world, other).await, renewed(&two));
    let seen = async |user| world.presence(user, NOW).await.last_seen;
    assert_eq!(
        (seen(user).await, seen(other).await),
        (Some(at(3)), Some(at(3)))
    );
    // The end is moved to where it is said, nearer too; who was seen later was.
    assert_eq!(renew(&[two.id], at(2), at(4)).await, [two.id]);
    assert_eq!(lease_of(&world, other).await.expires_at, at(4));
    assert_eq!(seen(other).await, Some(at(3)));
    // What was noted as lapsed is not believed any more, whatever the clock of the one who
    // asks says: it has to be made again.
    let mut lapsed = [short.id, two.id];
    lapsed.sort_unstable();
    assert_eq!(world.lapsed(at(4)).await, lapsed);
    let lost = [two.id];
    for now in [at(3), at(4)] {
        let late = renew(&lost, now, at(30));
        assert_eq!(world.unchanged(late).await, []);
    }
}

async fn a_lease_is_ended_early(world: Arc<World>) {
    let user = world.patient().await;
    let lease = world.lease(user, 10).await;
    let end = async |id, now, at| world.storage.end_lease(id, now, at).await.unwrap();
    // Never made longer by it; but its device was heard of.
    end(lease.id, at(1), at(30)).await;
    let heard = |minute, expires_at| Lease {
        heard_at: at(minute),
        expires_at,
        ..lease.clone()
    };
    assert_eq!(lease_of(&world, user).await, heard(1, at(10)));
    assert_eq!(world.presence(user, NOW).await.last_seen, Some(at(1)));
    end(lease.id, at(2), at(4)).await;
    assert_eq!(lease_of(&world, user).await, heard(2, at(4)));
    assert_eq!(world.presence(user, NOW).await.last_seen, Some(at(2)));
    let next = world.storage.next_lease_lapse().await.unwrap();
    assert_eq!(next, Some(at(4)));
    // At once.
    let other = world.lease(user, 10).await;
    end(other.id, at(3), at(3)).await;
    assert_eq!(world.lapsed(at(3)).await, [other.id]);
    // One that has lapsed, whether that was noted or not, and an unknown one.
    world.unchanged(end(other.id, at(5), at(2))).await;
    world.unchanged(end(lease.id, at(4), at(4))).await;
    let unknown = LeaseId::new(world.uuid());
    world.unchanged(end(unknown, at(3), at(3))).await;
    assert_eq!(world.lapsed(at(4)).await, [lease.id]);
}

async fn a_lapsed_lease_is_listed_until_it_is_noted(world: Arc<World>) {
    const LEASES: usize = 12;
    let user = world.patient().await;
    let mut leases = Vec::new();
    for number in 0..LEASES {
        let minutes = i64::try_from(number).unwrap();
        leases.push(world.lease(user, 100 - minutes).await);
    }
    leases.reverse();
    let ids: Vec<_> = leases.iter().map(|lease| lease.id).collect();
    let store = &world.storage;
    let listed = async |now, limit| store.lapsed_leases(now, limit).await.unwrap();
    assert_eq!(listed(just_before(leases[0].expires_at), 10).await, []);
    assert_eq!(listed(at(100), 0).await, []);
    // Whole, and the earliest ones of more than the limit; who dies over them leaves them.
    for _ in 0..2 {
        assert_eq!(listed(at(100), 3).await, leases[..3]);
    }
    let note = async |ids: &[_], now| store.note_lapsed_leases(ids, now).await.unwrap();
    for _ in 0..2 {
        note(&ids[1..3], at(100)).await;
        assert_eq!(
            listed(at(100), 2).await,
            [leases[0].clone(), leases[3].clone()]
        );
    }
    // What had not lapsed then, because it was made anew or lapses later, is listed all the same.
    let anew = Lease {
        expires_at: at(200),
        ..leases[0].clone()
    };
    assert!(store.put_lease(&anew).await.unwrap());
    note(&ids, leases[5].expires_at).await;
    let mut rest = leases[6..].to_vec();
    assert_eq!(listed(at(100), 100).await, rest);
    rest.push(anew);
    assert_eq!(listed(at(200), 100).await, rest);
    let next = store.next_lease_lapse().await.unwrap();
    assert_eq!(next, Some(rest[0].expires_at));
    note(&[], at(200)).await;
    note(&ids, at(200)).await;
    assert_eq!(listed(at(200), 100).await, []);
    assert_eq!(store.next_lease_lapse().await.unwrap(), None);
}

async fn the_next_lapse_is_the_earliest(world: Arc<World>) {
    let (user, other) = (world.patient().await, world.patient().await);
    let next = async || world.storage.next_lease_lapse().await.unwrap();
    assert_eq!(next().await, None);
    world.lease(user, 8).await;
    assert_eq!(next().await, Some(at(8)));
    let early = world.lease(other, 3).await;
    world.lease(user, 5).await;
    assert_eq!(next().await, Some(at(3)));
    // Until it is noted, even if it is past.
    world.lapsed(at(3)).await;
    assert_eq!(next().await, Some(at(5)));
    world.lapsed(at(5)).await;
    assert_eq!(next().await, Some(at(8)));
    // A renewal moves it.
    let own = world.lease(other, 6).await;
    let renewed = world.storage.renew_leases(&[own.id], at(5), at(20)).await;
    assert_eq!(renewed.unwrap(), [own.id]);
    assert_eq!(next().await, Some(at(8)));
    world.put(&early).await;
    assert_eq!(next().await, Some(at(3)));
}

async fn lapsed_leases_are_kept_for_a_while(world: Arc<World>) {
    let (user, other) = (world.patient().await, world.patient().await);
    let mut leases = Vec::new();
    for minutes in [1, 2, 3, 9] {
        leases.push(world.lease(user, minutes).await);
    }
    // Of equals, the one with the higher id.
    let same = world.lease(user, 3).await;
    world.lease(other, 1).await;
    let [a, b, c, live] = &leases[..] else {
        panic!()
    };
    let kept = async |expected: &[&Lease]| {
        let kept = leases_of(&world, user).await;
        assert!(kept.iter().eq(expected.iter().copied()), "{kept:?}");
    };
    let drop = async |before| world.storage.drop_lapsed_leases(before).await.unwrap();
    kept(&[live, &same, c, b, a]).await;
    // What was not noted stays.
    assert_eq!(world.unchanged(drop(at(5))).await, 0);
    world.lapsed(at(2)).await;
    kept(&[live, &same, c, b, a]).await;
    assert_eq!(drop(at(2)).await, 2);
    kept(&[live, &same, c, b]).await;
    assert_eq!(leases_of(&world, other).await, []);
    assert_eq!(drop(at(3)).await, 1);
    assert_eq!(drop(at(9)).await, 0);
    world.lapsed(at(3)).await;
    kept(&[live, &same, c]).await;
    assert_eq!(drop(at(4)).await, 2);
    kept(&[live]).await;
}
