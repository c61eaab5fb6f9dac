//! Measures two classes of tokens and asks, as dudect does, whether their times differ.

use std::hint::black_box;
use std::time::Instant;

use super::{CONTROL, SECRET, SIGNATURE_LEN, Subject, VERIFIERS, Verifier, forged};

/// Measurements of each class in a round.
const MEASUREMENTS: usize = 100_000;

/// A difference that is there is found in every round; one that a busy machine makes is not.
const ROUNDS: usize = 5;

/// Past this dudect says: definitely not constant time.
const LIMIT: f64 = 10.0;

/// Two kinds of forged tokens, by name.
struct Classes {
    name: &'static str,
    tokens: [Vec<String>; 2],
}

pub fn run() -> Result<(), String> {
    let genuine = Subject::genuine();
    let subject = Subject::new(SECRET.as_bytes());
    let (first, last) = (forged(&genuine, 0), forged(&genuine, SIGNATURE_LEN - 1));
    let everywhere = (0..SIGNATURE_LEN).fold(genuine.clone(), |token, at| forged(&token, at));
    let mut random = Random(0x5eed);
    let anywhere = (0..256).map(|_| forged(&genuine, random.below(SIGNATURE_LEN))).collect();
    let classes = [
        Classes { name: "first or last", tokens: [vec![first.clone()], vec![last.clone()]] },
        Classes { name: "first or anywhere", tokens: [vec![first], anywhere] },
        Classes { name: "everywhere or last", tokens: [vec![everywhere], vec![last]] },
    ];
    for classes in &classes {
        for verifier in VERIFIERS {
            if smallest(&subject, verifier, classes, &mut random) > LIMIT {
                return Err(format!("{} tells where it is wrong: {}", verifier.0, classes.name));
            }
        }
        if smallest(&subject, CONTROL, classes, &mut random) <= LIMIT {
            return Err(format!("the control was not found out: {}", classes.name));
        }
    }
    Ok(())
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
        let tokens = &classes.tokens[class];
        token.clear();
        token.push_str(&tokens[random.below(tokens.len())]);
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
