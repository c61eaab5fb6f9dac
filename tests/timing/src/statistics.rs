//! Measures two classes of tokens and asks, as dudect does, whether their times differ.

use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use super::{CONTROL, SECRET, SIGNATURE_LEN, Subject, VERIFIERS, Verifier};

/// Pairs of forged tokens.
const TOKENS: u32 = 256;

/// Measurements of each class in a round.
const MEASUREMENTS: usize = 100_000;

/// A difference that is there is found in every round; one that a busy machine makes is not.
const ROUNDS: usize = 5;

/// Past this dudect says: definitely not constant time.
const LIMIT: f64 = 10.0;

/// Two kinds of forged tokens, by name.
struct Classes {
    name: &'static str,
    /// Pairs, each of one genuine token.
    ///
    /// Many, with characters by chance: what a token holds, which whoever sends it knows, may
    /// tell in the time it takes, and must not be taken for where it is wrong.
    pairs: Vec<[String; 2]>,
}

/// Chooses the places in which a signature is wrong.
type Places = fn(&mut Random) -> Range<usize>;

const FIRST: Places = |_| 0..1;
const LAST: Places = |_| SIGNATURE_LEN - 1..SIGNATURE_LEN;
const EVERYWHERE: Places = |_| 0..SIGNATURE_LEN;
const ANYWHERE: Places = |random| {
    let at = random.below(SIGNATURE_LEN);
    at..at + 1
};

const CLASSES: [(&str, [Places; 2]); 3] = [
    ("first or last", [FIRST, LAST]),
    ("first or anywhere", [FIRST, ANYWHERE]),
    ("everywhere or last", [EVERYWHERE, LAST]),
];

pub fn run() -> Result<(), String> {
    let subject = Subject::new(SECRET.as_bytes());
    let mut random = Random(0x5eed);
    for (name, places) in CLASSES {
        let pairs = (0..TOKENS).map(|number| {
            let genuine = Subject::genuine(1000 + number);
            places.map(|places| {
                let places = places(&mut random);
                forged_by_chance(&genuine, places, &mut random)
            })
        });
        let classes = Classes { name, pairs: pairs.collect() };
        for verifier in VERIFIERS {
            if smallest(&subject, verifier, &classes, &mut random) > LIMIT {
                return Err(format!("{} tells where it is wrong: {name}", verifier.0));
            }
        }
        if smallest(&subject, CONTROL, &classes, &mut random) <= LIMIT {
            return Err(format!("the control was not found out: {name}"));
        }
    }
    Ok(())
}

/// Replaces characters of the signature by others, each as likely as the next.
fn forged_by_chance(genuine: &str, places: Range<usize>, random: &mut Random) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut token = genuine.to_owned();
    for place in places {
        // The last stands for four bits: only every fourth character is a spelling of them.
        let step = if place == SIGNATURE_LEN - 1 { 4 } else { 1 };
        let at = genuine.len() - SIGNATURE_LEN + place;
        while token[at..=at] == genuine[at..=at] {
            let chosen = random.below(ALPHABET.len() / step) * step;
            token.replace_range(at..=at, &ALPHABET[chosen..=chosen]);
        }
    }
    token
}

/// Returns the smallest statistic of several rounds, or the first that is within the limit.
fn smallest(
    subject: &Subject,
    (name, accepts): Verifier,
    classes: &Classes,
    random: &mut Random,
) -> f64 {
    let mut smallest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let found = largest_t(measure(|token| accepts(subject, token), classes, random));
        println!("{name}, wrong {}: |t| = {found:.2}", classes.name);
        smallest = smallest.min(found);
        if smallest <= LIMIT {
            break;
        }
    }
    smallest
}

/// Times the refusals of both classes, in random order.
fn measure(
    accepts: impl Fn(&str) -> bool,
    classes: &Classes,
    random: &mut Random,
) -> [Vec<f64>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    // All at one address, so that only what is in it differs.
    let mut token = String::with_capacity(256);
    while times.iter().any(|times| times.len() < MEASUREMENTS) {
        let class = random.below(2);
        let [a, b] = &classes.pairs[random.below(classes.pairs.len())];
        // Both are read, whichever it is: where in memory a token comes from tells, too.
        let mask = black_box((class as u8).wrapping_neg());
        token.clear();
        token.extend(a.bytes().zip(b.bytes()).map(|(a, b)| char::from(a ^ ((a ^ b) & mask))));
        // Copying it is over before the clock is read.
        fence(Ordering::SeqCst);
        let start = Instant::now();
        let accepted = accepts(black_box(&token));
        let nanoseconds = start.elapsed().as_nanos();
        assert!(!accepted);
        times[class].push(nanoseconds as f64);
    }
    times
}

/// Returns the largest statistic, with and without the slowest, which say more of the machine.
fn largest_t(times: [Vec<f64>; 2]) -> f64 {
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let statistic = |percent: usize| {
        let ceiling = all[(all.len() * percent / 100).min(all.len() - 1)];
        let [a, b] = times
            .each_ref()
            .map(|times| Moments::of(times.iter().copied().filter(|time| *time <= ceiling)));
        ((a.mean - b.mean) / (a.variance / a.count + b.variance / b.count).sqrt()).abs()
    };
    [50, 75, 90, 99, 100].map(statistic).into_iter().filter(|t| t.is_finite()).fold(0.0, f64::max)
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Self { count, mean, variance }
    }
}

/// A small generator of numbers: SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) % limit as u64) as usize
    }
}
