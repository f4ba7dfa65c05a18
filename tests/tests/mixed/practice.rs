//! Two clinics, their doctors and patients, and what was made so far.

use std::sync::{Arc, Mutex};

use telemed_core::id::{AppointmentId, BlockId, ClinicId, SlotId, UserId};
use telemed_tests::build::World;

use super::dice::Dice;

/// What the callers call about.
pub struct Practice {
    pub world: Arc<World>,
    pub clinics: Vec<ClinicId>,
    /// Each doctor with the clinic where he works.
    pub doctors: Vec<(UserId, ClinicId)>,
    pub patients: Vec<UserId>,
    pub slots: Pile<(UserId, SlotId)>,
    pub appointments: Pile<AppointmentId>,
    pub blocks: Pile<(UserId, BlockId)>,
}

/// What was made, to be picked from.
pub struct Pile<T>(Mutex<Vec<T>>);

impl<T: Clone> Pile<T> {
    fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Adds one.
    pub fn add(&self, one: T) {
        self.0.lock().unwrap().push(one);
    }

    /// One of them.
    pub fn pick(&self, dice: &mut Dice) -> Option<T> {
        let all = self.0.lock().unwrap();
        all.get(dice.below(all.len())).cloned()
    }

    /// One of those that fulfil a condition.
    pub fn pick_if(&self, dice: &mut Dice, is_meant: impl Fn(&T) -> bool) -> Option<T> {
        let all = self.0.lock().unwrap();
        let meant: Vec<&T> = all.iter().filter(|one| is_meant(one)).collect();
        meant.get(dice.below(meant.len())).map(|one| (*one).clone())
    }

    /// One of them, which is taken out.
    pub fn take(&self, dice: &mut Dice) -> Option<T> {
        let mut all = self.0.lock().unwrap();
        if all.is_empty() {
            return None;
        }
        let place = dice.below(all.len());
        Some(all.swap_remove(place))
    }
}

impl Practice {
    /// Few doctors and patients, so that all meet.
    pub async fn make(world: Arc<World>) -> Self {
        let (mut clinics, mut doctors) = (Vec::new(), Vec::new());
        let slots = Pile::new();
        for _ in 0..2 {
            let clinic = world.clinic().await;
            clinics.push(clinic);
            for limit in [100, 12] {
                let doctor = world.doctor_with_limit(clinic, limit).await;
                doctors.push((doctor, clinic));
                for place in 0..8 {
                    // Two days, and slots of one seat and of several.
                    let start = 900 + place * 120;
                    let slot = world.slot(doctor, clinic, start, 1 + place % 4).await;
                    slots.add((doctor, slot));
                }
            }
        }
        Self {
            patients: world.patients(24).await,
            world,
            clinics,
            doctors,
            slots,
            appointments: Pile::new(),
            blocks: Pile::new(),
        }
    }
}
