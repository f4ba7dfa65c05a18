//! How likely each step is.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use telemed_core::actor::Role;
use telemed_core::calls::{CallFilter, CallKind, CallSide, CallStatus};
use telemed_core::messaging::ReceiptKind;
use telemed_core::presence::PresenceStatus;
use telemed_core::scheduling::AppointmentStatus;

use super::operation::{Act, Booking, KeyUse, Operation, Publishing, Step};

/// Steps with which every sequence begins: clinics, people, slots and conversations to work with.
#[must_use]
pub fn prelude() -> Vec<Step> {
    use Operation as Do;
    let clinic = |zone| Do::CreateClinic {
        zone,
        city: Some(0),
        active: true,
    };
    let user = |role| Do::Register {
        role,
        email: None,
        phone: None,
        application: None,
        network: None,
        session: false,
    };
    let doctor = |user, clinic, limit| {
        let licence = u8::try_from(user).unwrap_or(0);
        Do::CompleteDoctor {
            user,
            clinic,
            licence,
            limit,
        }
    };
    let slot = |doctor, clinic, zone, start, seats| Do::CreateSlot {
        doctor,
        clinic,
        zone,
        start,
        length: 30,
        seats,
    };
    [
        clinic(0),
        clinic(1),
        user(Role::Doctor),
        user(Role::Doctor),
        user(Role::Patient),
        user(Role::Patient),
        user(Role::Patient),
        user(Role::Doctor),
        doctor(1, 1, 3),
        doctor(2, 2, 100),
        slot(1, 1, 0, 300, 2),
        slot(2, 2, 1, 315, 1),
        slot(2, 2, 1, 400, 3),
        slot(1, 1, 0, 500, 1),
        slot(2, 2, 1, 510, 3),
        Do::OpenConversation { one: 3, other: 1 },
        Do::OpenConversation { one: 1, other: 4 },
    ]
    .map(|operation| Step {
        advance: 0,
        key: None,
        operation,
    })
    .into()
}

/// A sequence of so many random steps around appointments.
pub fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(operation()), count)
}

/// A sequence of so many random steps of people who write to one another.
pub fn chats(count: usize) -> impl Strategy<Value = Vec<Step>> {
    let operation = prop_oneof![
        20 => messaging(),
        1 => identity(),
        2 => journal(),
        1 => lists(),
    ];
    vec(step(operation), count)
}

/// A sequence of so many random steps of people who call one another, and come and go.
pub fn talks(count: usize) -> impl Strategy<Value = Vec<Step>> {
    let operation = prop_oneof![
        12 => calling(),
        8 => coming_and_going(),
        2 => scheduling(),
        1 => messaging(),
        1 => identity(),
        1 => journal(),
    ];
    vec(step(operation), count)
}

fn step(operation: impl Strategy<Value = Operation>) -> impl Strategy<Value = Step> {
    let advance = prop_oneof![3 => Just(0), 3 => 1i64..10, 1 => -5i64..60];
    (advance, weighted(0.5, key()), operation).prop_map(|(advance, key, operation)| Step {
        advance,
        key,
        operation,
    })
}

fn key() -> impl Strategy<Value = KeyUse> {
    (
        prop_oneof![5 => Just(0), 1 => Just(1)],
        prop_oneof![3 => Just(0), 1 => Just(1)],
    )
        .prop_map(|(key, request)| KeyUse { key, request })
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![3 => Just(Role::Patient), 2 => Just(Role::Doctor), 1 => Just(Role::Admin)]
}

fn user() -> impl Strategy<Value = i64> {
    1i64..9
}

fn clinic() -> impl Strategy<Value = i64> {
    1i64..5
}

fn network() -> impl Strategy<Value = Option<u8>> {
    weighted(0.8, 0u8..3)
}

fn status() -> impl Strategy<Value = AppointmentStatus> {
    prop::sample::select(AppointmentStatus::ALL)
}

fn page() -> impl Strategy<Value = (i64, i64)> {
    prop_oneof![3 => Just((0, 100)), 2 => (0i64..6, 1i64..5)]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        9 => identity(),
        8 => directory(),
        22 => scheduling(),
        14 => availability(),
        7 => journal(),
        6 => lists(),
    ]
}

fn identity() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    let application = (0u8..6, weighted(0.6, 1i64..5));
    let own = || weighted(0.3, 0u8..2);
    prop_oneof![
        3 => (
            role(),
            weighted(0.9, 0u8..8),
            weighted(0.4, 0u8..6),
            weighted(0.7, application),
            network(),
            any::<bool>(),
        )
            .prop_map(|(role, email, phone, application, network, session)| Do::Register {
                role,
                email,
                phone,
                application: application.filter(|_| role == Role::Doctor),
                network,
                session,
            }),
        6 => (3i64..7, network(), own(), weighted_bool(0.4)).prop_map(
            |(user, network, own, opened)| Do::ConcludeLogin { user, network, own, opened }
        ),
        1 => (3i64..7, network(), own()).prop_map(
            |(user, network, own)| Do::LoginStanding { user, network, own }
        ),
        4 => (0usize..5).prop_map(|token| Do::Refresh { token }),
        2 => (
            prop_oneof![1 => user(), 1 => 9i64..14],
            any::<bool>(),
            weighted(0.6, weighted(0.8, 0u8..6)),
            weighted(0.5, weighted(0.8, any::<bool>())),
        )
            .prop_map(|(user, rename, phone, language)| Do::EditUser {
                user,
                rename,
                phone,
                language,
            }),
        1 => (0usize..6).prop_map(|session| Do::EndSession { session }),
        1 => (user(), weighted_bool(0.8), 0usize..12).prop_map(
            |(user, is_right, keep)| Do::ChangePassword { user, is_right, keep }
        ),
        2 => (user(), weighted_bool(0.6)).prop_map(
            |(user, active)| Do::SetActive { user, active }
        ),
    ]
}

fn directory() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    let city = || weighted(0.8, 0u8..3);
    let is_current = || weighted_bool(0.8);
    prop_oneof![
        1 => (0u8..3, city(), weighted_bool(0.8)).prop_map(
            |(zone, city, active)| Do::CreateClinic { zone, city, active }
        ),
        2 => (clinic(), is_current(), 0u8..3, city(), weighted_bool(0.8)).prop_map(
            |(clinic, is_current, zone, city, active)| {
                Do::UpdateClinic { clinic, is_current, zone, city, active }
            }
        ),
        3 => (prop_oneof![2 => Just(6), 2 => user()], clinic(), 0u8..6, 1i64..5).prop_map(
            |(user, clinic, licence, limit)| Do::CompleteDoctor { user, clinic, licence, limit }
        ),
        1 => user().prop_map(|user| Do::VerifyDoctor { user }),
        3 => (prop_oneof![2 => 1i64..3, 1 => user()], is_current(), clinic(), 0u8..4, 1i64..5).prop_map(
            |(doctor, is_current, clinic, licence, limit)| {
                Do::UpdateDoctor { doctor, is_current, clinic, licence, limit }
            }
        ),
        1 => (user(), is_current()).prop_map(
            |(patient, is_current)| Do::UpdatePatient { patient, is_current }
        ),
    ]
}

fn scheduling() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    let length = prop::sample::select(&[15i64, 30, 45, 240][..]);
    let place = (1i64..4, 1i64..4, 0u8..3);
    let booking = (1i64..9, weighted(0.15, 1i64..3), weighted(0.3, key())).prop_map(
        |(patient, doctor, key)| Booking {
            patient,
            doctor,
            key,
        },
    );
    prop_oneof![
        4 => (place, 0i64..60, length, 1i64..4).prop_map(
            |((doctor, clinic, zone), start, length, seats)| {
                Do::CreateSlot { doctor, clinic, zone, start: start * 15, length, seats }
            }
        ),
        1 => (1i64..9).prop_map(|slot| Do::RetireSlot { slot }),
        8 => (1i64..8, vec(booking, 1..4)).prop_map(
            |(slot, bookings)| Do::Book { slot, bookings }
        ),
        3 => (1i64..7).prop_map(|appointment| Do::Cancel { appointment }),
        5 => (1i64..7, weighted_bool(0.9), status()).prop_map(
            |(appointment, is_current, to)| Do::ChangeStatus { appointment, is_current, to }
        ),
    ]
}

fn publishing() -> impl Strategy<Value = Publishing> {
    let step = prop::sample::select(&[30i64, 45, 20][..]);
    let place = (0i64..60, step, 0i64..6);
    (weighted_bool(0.9), place, 1i64..3, 0i64..900).prop_map(
        |(is_settled, (start, step, count), seats, span)| Publishing {
            is_settled,
            start: start * 15,
            step,
            count,
            seats,
            span,
        },
    )
}

fn availability() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    let doctor = || prop_oneof![8 => 1i64..3, 1 => 3i64..9];
    let is_current = || weighted_bool(0.85);
    prop_oneof![
        1 => (1i64..7, weighted_bool(0.2)).prop_map(
            |(appointment, is_empty)| Do::Notes { appointment, is_empty }
        ),
        3 => (doctor(), is_current(), weighted_bool(0.3), publishing()).prop_map(
            |(doctor, is_current, auto_confirm, publishing)| {
                Do::SetHours { doctor, is_current, auto_confirm, publishing }
            }
        ),
        2 => (doctor(), is_current(), publishing()).prop_map(
            |(doctor, is_current, publishing)| Do::Publish { doctor, is_current, publishing }
        ),
        2 => (doctor(), 0i64..60, 1i64..120, any::<bool>()).prop_map(
            |(doctor, from, length, cancel)| Do::Block { doctor, from: from * 15, length, cancel }
        ),
        1 => (doctor(), 1i64..6).prop_map(|(doctor, block)| Do::Unblock { doctor, block }),
        7 => (1i64..9, weighted_bool(0.95), prop_oneof![3 => 1i64..6, 2 => 6i64..14], any::<bool>()).prop_map(
            |(appointment, is_current, slot, confirm_again)| {
                Do::Move { appointment, is_current, slot, confirm_again }
            }
        ),
    ]
}

fn messaging() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    // Those who are in the first conversations, and now and then others.
    let person = || prop_oneof![6 => Just(1i64), 5 => Just(3), 3 => Just(4), 1 => 2i64..9];
    let conversation = || prop_oneof![6 => 0usize..2, 2 => 2usize..5];
    let client = weighted(0.4, (0u8..3, prop_oneof![3 => Just(0u8), 1 => Just(1)]));
    let tokens = || vec(0u8..4, 0..4);
    let needles = vec((conversation(), vec(0u8..4, 1..3)), 0..4);
    let mark = |kind| (conversation(), person(), Just(kind), 0u64..12);
    let marks = prop_oneof![mark(ReceiptKind::Delivered), mark(ReceiptKind::Read)];
    prop_oneof![
        2 => (1i64..7, 1i64..6).prop_map(|(one, apart)| Do::OpenConversation {
            one,
            other: (one + apart - 1) % 6 + 1,
        }),
        9 => (conversation(), person(), client, tokens()).prop_map(
            |(conversation, sender, client, tokens)| {
                Do::Send { conversation, sender, client, tokens }
            }
        ),
        6 => marks.prop_map(
            |(conversation, user, kind, up_to)| Do::Mark { conversation, user, kind, up_to }
        ),
        2 => (conversation(), person(), weighted_bool(0.7)).prop_map(
            |(conversation, user, archived)| Do::Archive { conversation, user, archived }
        ),
        2 => (needles, weighted(0.3, 0usize..6), 0u32..5).prop_map(
            |(needles, before, limit)| Do::Search { needles, before, limit }
        ),
        1 => (conversation(), 0u64..9, 0u64..9, vec(0usize..9, 0..4)).prop_map(
            |(conversation, from, length, messages)| {
                Do::ReadMessages { conversation, from, length, messages }
            }
        ),
        2 => (person(), any::<bool>(), page()).prop_map(
            |(user, with_archived, (skip, limit))| {
                Do::ListConversations { user, with_archived, skip, limit }
            }
        ),
    ]
}

/// Those of the prelude, the first ones more often.
fn person() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(1i64), 3 => Just(3), 1 => 1i64..7]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => Just(Act::Ring),
        3 => (0u8..2).prop_map(Act::Accept),
        1 => Just(Act::Decline),
        3 => Just(Act::Connect),
        2 => Just(Act::Caller),
        2 => Just(Act::Callee),
        1 => Just(Act::Deadline),
    ]
}

fn call_filter() -> impl Strategy<Value = CallFilter> {
    let words = (
        weighted(0.3, prop::sample::select(CallKind::ALL)),
        weighted(0.3, prop::sample::select(CallStatus::ALL)),
        weighted(0.3, prop::sample::select(CallSide::ALL)),
    );
    let time = || weighted(0.3, (0i64..90).prop_map(crate::build::at));
    (words, time(), time()).prop_map(|((kind, status, side), from, before)| CallFilter {
        kind,
        status,
        side,
        from,
        before,
    })
}

fn calling() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    let call = || prop_oneof![5 => Just(0usize), 2 => 1usize..4];
    let most = prop_oneof![3 => Just(1u32), 1 => 2u32..4];
    let (client, appointment) = (weighted(0.4, 0u8..3), weighted(0.2, 1i64..4));
    let about = (weighted_bool(0.3), client, appointment);
    let measured = (weighted(0.8, 0u8..9), weighted(0.6, 0u8..9));
    prop_oneof![
        5 => ((person(), 1i64..6), about, weighted_bool(0.1), most).prop_map(
            |((caller, apart), (voice, client, appointment), refuses, most)| Do::StartCall {
                caller,
                callee: (caller + apart - 1) % 6 + 1,
                voice,
                client,
                appointment,
                refuses,
                most,
            }
        ),
        9 => (call(), weighted_bool(0.9), act(), weighted(0.15, (1i64..4, weighted_bool(0.7))))
            .prop_map(|(call, is_current, act, appointment)| Do::AdvanceCall {
                call,
                is_current,
                act,
                appointment,
            }),
        4 => (call(), person(), prop_oneof![4 => Just(999usize), 1 => 0usize..5], measured, -9i64..9)
            .prop_map(|(call, user, back, values, minutes)| Do::AddSample {
                call,
                user,
                back,
                values,
                minutes,
            }),
        3 => (person(), call_filter(), call(), page()).prop_map(
            |(user, filter, samples, (skip, limit))| Do::ReadCalls {
                user,
                filter,
                samples,
                skip,
                limit,
            }
        ),
    ]
}

fn coming_and_going() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    let status = || prop::sample::select(PresenceStatus::ALL);
    let lease = || 0usize..5;
    prop_oneof![
        5 => (weighted(0.4, lease()), person(), status(), -2i64..30).prop_map(
            |(lease, user, status, minutes)| Do::PutLease { lease, user, status, minutes }
        ),
        2 => (vec(lease(), 0..4), 0i64..30).prop_map(
            |(leases, minutes)| Do::RenewLeases { leases, minutes }
        ),
        2 => (lease(), -2i64..9).prop_map(|(lease, minutes)| Do::EndLease { lease, minutes }),
        2 => (0u32..4).prop_map(|limit| Do::NoteLapses { limit }),
        1 => (0i64..20).prop_map(|minutes| Do::DropLeases { minutes }),
        2 => (person(), status()).prop_map(|(user, status)| Do::NoteTold { user, status }),
        3 => (person(), 1i64..9, -60i64..600, 0u32..6).prop_map(
            |(user, other, minutes, limit)| Do::ReadPresence { user, other, minutes, limit }
        ),
    ]
}

fn journal() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    prop_oneof![
        3 => (1i64..30, 0u32..5).prop_map(|(lease, limit)| Do::ClaimJobs { lease, limit }),
        3 => (0usize..12, 0u8..3).prop_map(|(claim, end)| Do::FinishJob { claim, end }),
        1 => vec(user(), 0..3).prop_map(|audience| Do::Record { audience }),
        1 => (0u8..3, 0u8..3).prop_map(|(name, value)| Do::ClaimValue { name, value }),
        1 => prop::array::uniform5(0i64..200).prop_map(|ages| Do::Purge { ages }),
        1 => Just(Do::Seal),
        1 => (0u64..5).prop_map(|back| Do::KeepCheckpoint { back }),
    ]
}

fn lists() -> impl Strategy<Value = Operation> {
    use Operation as Do;
    let maybe = |most: i64| weighted(0.4, 1..most);
    prop_oneof![
        (weighted(0.5, role()), page()).prop_map(|(role, (skip, limit))| Do::ListUsers {
            role,
            skip,
            limit
        }),
        (weighted(0.7, 0u8..3), page()).prop_map(|(city, (skip, limit))| Do::ListClinics {
            city,
            skip,
            limit
        }),
        (weighted(0.5, 0u8..2), maybe(4), page()).prop_map(|(specialty, clinic, (skip, limit))| {
            Do::ListDoctors {
                specialty,
                clinic,
                skip,
                limit,
            }
        }),
        (maybe(4), maybe(4), maybe(900), maybe(900), page()).prop_map(
            |(doctor, clinic, from, to, (skip, limit))| {
                Do::ListSlots {
                    doctor,
                    clinic,
                    from,
                    to,
                    skip,
                    limit,
                }
            }
        ),
        (
            maybe(9),
            maybe(4),
            weighted(0.4, status()),
            maybe(900),
            maybe(900),
            page()
        )
            .prop_map(|(patient, doctor, status, from, to, (skip, limit))| {
                Do::ListAppointments {
                    patient,
                    doctor,
                    status,
                    from,
                    to,
                    skip,
                    limit,
                }
            }),
        Just(Do::ListSpecialties),
        (1i64..4, 0i64..900, 0i64..600).prop_map(|(doctor, from, length)| Do::ReadHours {
            doctor,
            from,
            length
        }),
        (1i64..9).prop_map(|appointment| Do::ReadAppointment { appointment }),
        (vec(user(), 0..4), 0usize..20, 0u32..10).prop_map(|(audience, after, limit)| {
            Do::ReadEvents {
                audience,
                after,
                limit,
            }
        }),
        (1i64..3, 3i64..7, -100i64..1000).prop_map(|(doctor, patient, minutes)| Do::ReadRelation {
            doctor,
            patient,
            minutes
        }),
    ]
}

fn weighted_bool(probability: f64) -> impl Strategy<Value = bool> {
    prop::bool::weighted(probability)
}
