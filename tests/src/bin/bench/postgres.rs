//! What a booking costs on PostgreSQL: the engine and its store over their own connections, beside
//! pgbench on the same server.

mod place;
mod scripts;

use std::time::Instant;

use telemed_core::Engine;
use telemed_core::time::{LocalDay, TimeZone, Timestamp};

use crate::Options;
use crate::postgres::place::{Copy, Place, Slots};
use crate::postgres::scripts::Script;
use crate::report::{Figures, goal, ratio};
use crate::seed::{self, SIDE, START};

/// Bookings in a round.
const BOOKINGS: usize = 8192;

/// What is compared: how many call, and whether all of them book one slot at a time.
const CROWDS: [(usize, Slots); 3] = [(16, Slots::Many), (64, Slots::Many), (64, Slots::One)];

/// Runs and prints the whole comparison.
pub async fn run(options: &Options) {
    let place = Place::make(BOOKINGS).await;
    println!(
        "{} rounds of {BOOKINGS} bookings each, every one on a fresh copy of the same database \
         (bookings a second: median, least to most)",
        options.rounds
    );
    println!("{}", place.server_settings().await);
    let mut crowds = CROWDS.map(|(callers, slots)| Crowd::new(callers, slots));
    for _ in 0..options.rounds {
        for crowd in &mut crowds {
            crowd.round(&place).await;
        }
    }
    for crowd in &crowds {
        crowd.print();
    }
    println!("\nPostgreSQL against the goals (medians of the ratios of each round):");
    for crowd in &crowds {
        crowd.print_goals();
    }
}

/// The figures of one comparison.
struct Crowd {
    callers: usize,
    slots: Slots,
    engine: Figures,
    same: Figures,
    bare: Figures,
}

impl Crowd {
    fn new(callers: usize, slots: Slots) -> Self {
        Self {
            callers,
            slots,
            engine: Figures::new(),
            same: Figures::new(),
            bare: Figures::new(),
        }
    }

    async fn round(&mut self, place: &Place) {
        let (callers, slots) = (self.callers, self.slots);
        let copy = place.copy(slots).await;
        self.engine.add(engine_rate(place, &copy, callers).await);
        let rows_of_engine = copy.rows().await;
        let copy = place.copy(slots).await;
        self.same
            .add(copy.pgbench(Script::Same, callers, BOOKINGS).await);
        // Otherwise it is not the same that is compared.
        place::assert_alike(&rows_of_engine, &copy.rows().await);
        let copy = place.copy(slots).await;
        self.bare
            .add(copy.pgbench(Script::Bare, callers, BOOKINGS).await);
    }

    fn print(&self) {
        let what = match self.slots {
            Slots::Many => "many slots",
            Slots::One => "one hot slot after the other",
        };
        println!("\n{} callers, {what}", self.callers);
        println!(
            "  the engine                           {}",
            self.engine.shown("/s")
        );
        println!(
            "  pgbench, the same call               {}",
            self.same.shown("/s")
        );
        println!(
            "  pgbench, slot and appointment alone  {}",
            self.bare.shown("/s")
        );
    }

    fn print_goals(&self) {
        let callers = self.callers;
        let same = ratio(&self.engine, &self.same).median();
        let bare = ratio(&self.engine, &self.bare).median();
        match self.slots {
            Slots::Many => {
                goal(
                    &format!("{callers} callers to the same call"),
                    same,
                    0.8,
                    false,
                    "",
                );
                let what = format!("{callers} callers to slot and appointment alone");
                goal(&what, bare, 0.65, false, "");
            }
            Slots::One => {
                goal(
                    &format!("{callers} callers on one slot to the same call"),
                    same,
                    3.0,
                    false,
                    "",
                );
            }
        }
    }
}

/// Bookings a second through the engine.
async fn engine_rate(place: &Place, copy: &Copy, callers: usize) -> f64 {
    let (storage, bus) = copy.store().await;
    let engine = seed::engine_on(storage, bus).await;
    look_at_days(&engine, place).await;
    copy.checkpoint().await;
    let pairs = copy.pairs();
    let start = Instant::now();
    let mut tasks = Vec::with_capacity(callers);
    for caller in 0..callers {
        let engine = engine.clone();
        let own: Vec<_> = pairs
            .iter()
            .skip(caller)
            .step_by(callers)
            .copied()
            .collect();
        tasks.push(tokio::spawn(async move {
            for pair in own {
                let actor = seed::as_patient(pair.patient);
                let booked = engine.scheduling().book(&actor, seed::booking(pair)).await;
                booked.expect("a booking");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a caller");
    }
    pairs.len() as f64 / start.elapsed().as_secs_f64()
}

/// Patients look at a doctor's days before they book: so the store knows the slots.
async fn look_at_days(engine: &Engine, place: &Place) {
    let actor = seed::as_patient(place.people.patients[0]);
    let day = |days: i64| -> LocalDay {
        Timestamp::from_micros(START + days * 86_400_000_000).local_day(&TimeZone::utc())
    };
    for doctor in &place.people.doctors {
        for month in 0..SIDE as i64 / 8 {
            let (from, to) = (day(month * 30), day(month * 30 + 29));
            let scheduling = engine.scheduling();
            let times = scheduling.free_times(&actor, *doctor, from, to).await;
            times.expect("times");
        }
    }
}
