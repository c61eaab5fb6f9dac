//! How much more two cores do than one.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::sample::COUNT;

/// Inputs of one round.
const CHUNK: usize = 32;

/// Runs a function of an input's number on one core and on two, for this long in all; returns
/// nanoseconds for one input, on one and on two.
pub fn measure<F: Fn(usize) + Sync>(time: Duration, function: F) -> (f64, f64) {
    // Each round takes other inputs, the same for one core and for two.
    let pass =
        |round: usize| (0..CHUNK).for_each(|index| function((round * CHUNK + index) % COUNT));
    pass(0);
    let start = Instant::now();
    pass(0);
    // Half a millisecond: long beside starting together, short beside what disturbs.
    let passes = (5e-4 / start.elapsed().as_secs_f64()).ceil().max(1.0) as usize;
    let rounds = (time.as_secs_f64() / 1.5e-3).ceil() as usize;
    let ready = AtomicUsize::new(0);
    let turn = Barrier::new(2);
    let run = |is_first: bool| {
        let (mut alone, mut spans) = (Duration::MAX, Vec::with_capacity(rounds));
        for round in 1..=rounds {
            turn.wait();
            if is_first {
                pass(round);
                let start = Instant::now();
                (0..passes).for_each(|_| pass(round));
                alone = alone.min(start.elapsed());
            }
            turn.wait();
            // Waking up takes longer than one of these calls: the last steps are made awake.
            ready.fetch_add(1, Ordering::AcqRel);
            while ready.load(Ordering::Acquire) < 2 * round {
                thread::yield_now();
            }
            pass(round);
            let start = Instant::now();
            (0..passes).for_each(|_| pass(round));
            spans.push((start, Instant::now()));
        }
        (alone, spans)
    };
    let ((alone, firsts), (_, seconds)) = thread::scope(|scope| {
        let second = scope.spawn(|| run(false));
        (run(true), second.join().expect("nothing fails"))
    });
    let both = firsts
        .iter()
        .zip(&seconds)
        .map(|(first, second)| first.1.max(second.1).duration_since(first.0.min(second.0)));
    let inputs = (passes * CHUNK) as f64;
    let both = both.min().unwrap_or(Duration::MAX);
    (alone.as_secs_f64() * 1e9 / inputs, both.as_secs_f64() * 1e9 / (2.0 * inputs))
}
