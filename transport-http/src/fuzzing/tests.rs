#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

//! A bounded run of the fuzz targets: their seeds, and what comes of them when they are damaged.

use std::path::Path;

/// Damaged inputs of each target, or with `TELEMED_LONG=1` a hundred times as many.
const INPUTS: u64 = 20_000;

/// Pieces that mean something to one of the readers.
const PIECES: [&str; 24] = [
    "\u{1e}",
    "4",
    "2",
    "0",
    "5",
    "6",
    "b",
    "-",
    ",",
    "/",
    "?",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\u",
    "null",
    "-0",
    "1e999",
    "99999999999999999999",
    "\u{feff}",
    "\u{0}",
    "م",
];

/// Numbers that look like chance and are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % most.max(1) as u64).unwrap()
    }
}

/// The seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(folder.join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Damages an input a few times: bytes change, are lost, are doubled, pieces come in, and another
/// seed goes on where it breaks off.
fn damage(input: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        match dice.below(6) {
            0 => input.insert(at, u8::try_from(dice.below(256)).unwrap()),
            1 if at < input.len() => input[at] ^= 1 << dice.below(8),
            2 => {
                let to = (at + dice.below(9)).min(input.len());
                drop(input.drain(at..to));
            }
            3 => {
                let to = (at + dice.below(33)).min(input.len());
                let part = input[at..to].to_vec();
                drop(input.splice(at..at, part));
            }
            4 => {
                let other = &seeds[dice.below(seeds.len())];
                input.truncate(at);
                input.extend_from_slice(&other[dice.below(other.len())..]);
            }
            _ => {
                let piece = PIECES[dice.below(PIECES.len())].as_bytes();
                drop(input.splice(at..at, piece.iter().copied()));
            }
        }
    }
}

fn run(target: &str, read: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| read(seed));
    let is_long = std::env::var_os("TELEMED_LONG").is_some_and(|value| value == "1");
    let inputs = if is_long { 100 * INPUTS } else { INPUTS };
    for number in 0..inputs {
        let mut dice = Dice(number);
        let mut input = seeds[dice.below(seeds.len())].clone();
        damage(&mut input, &seeds, &mut dice);
        let reading = std::panic::catch_unwind(|| read(&input));
        assert!(
            reading.is_ok(),
            "{target}, {number}: {:?}",
            input.escape_ascii().to_string()
        );
    }
}

#[test]
fn damaged_bodies_are_read_or_refused() {
    run("engine_body", super::engine_body);
}

#[test]
fn damaged_frames_are_read_or_refused() {
    run("raw_frame", super::raw_frame);
}
