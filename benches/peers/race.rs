//! Times many functions, each on the same 256 inputs, turn by turn, and keeps the best of each.

use std::ops::Range;
use std::time::{Duration, Instant};

use support::sample::COUNT;

/// Inputs that are timed at once: few, so that some round is free of what else the machine does.
const CHUNK: usize = 32;

/// Functions that are timed against each other.
#[derive(Default)]
pub struct Race {
    lanes: Vec<Entrant>,
}

/// A function's place in the race.
#[derive(Clone, Copy)]
pub struct Lane(usize);

struct Entrant {
    run: Box<dyn FnMut(Range<usize>) -> Duration>,
    /// The shortest time of each chunk.
    best: [Duration; COUNT / CHUNK],
}

impl Race {
    /// Enters a function of an input's number.
    pub fn enter(&mut self, mut function: impl FnMut(usize) + 'static) -> Lane {
        self.enter_timed(move |inputs| {
            let start = Instant::now();
            inputs.for_each(&mut function);
            start.elapsed()
        })
    }

    /// Enters a function of something that is prepared from an input's number, which takes no time.
    pub fn enter_prepared<T>(
        &mut self,
        prepare: impl Fn(usize) -> T + 'static,
        mut function: impl FnMut(T) + 'static,
    ) -> Lane {
        self.enter_timed(move |inputs| {
            let prepared: Vec<T> = inputs.map(&prepare).collect();
            let start = Instant::now();
            prepared.into_iter().for_each(&mut function);
            start.elapsed()
        })
    }

    /// Enters something that runs over inputs and says how long it took.
    pub fn enter_timed(&mut self, run: impl FnMut(Range<usize>) -> Duration + 'static) -> Lane {
        self.lanes.push(Entrant { run: Box::new(run), best: [Duration::MAX; COUNT / CHUNK] });
        Lane(self.lanes.len() - 1)
    }

    /// Runs rounds for this long; returns how many.
    pub fn run(&mut self, time: Duration) -> usize {
        let start = Instant::now();
        let mut rounds = 0;
        while start.elapsed() < time {
            for lane in &mut self.lanes {
                // Back into the caches, after the others.
                (lane.run)(COUNT - CHUNK..COUNT);
                for (chunk, best) in lane.best.iter_mut().enumerate() {
                    *best = (lane.run)(chunk * CHUNK..(chunk + 1) * CHUNK).min(*best);
                }
            }
            rounds += 1;
        }
        rounds
    }

    /// Returns the shortest time for one input, in nanoseconds: an average over all of them.
    pub fn ns(&self, lane: Lane) -> f64 {
        self.lanes[lane.0].best.iter().map(|time| time.as_secs_f64() * 1e9).sum::<f64>()
            / COUNT as f64
    }
}
