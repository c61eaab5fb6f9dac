//! Turns a stream of lines into answers, in order, on all cores and in bounded memory.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::cli::answer::{Answers, Style};
use crate::cli::failure::Failure;
use crate::cli::lines::{Block, Blocks};
use crate::cli::output::Output;
use crate::cli::verify::Verifier;

/// How much of a block's answers is held back: compressed tokens can have large ones.
const MAX_HELD: usize = 1024 * 1024;

/// What is to be done with each line.
pub(crate) struct Job {
    pub(crate) verifier: Verifier,
    pub(crate) style: Style,
}

/// Some of a block's answers.
struct Piece {
    answers: Answers,
    /// How far in the stream the block reaches, if these are its last.
    end: Option<u64>,
}

impl Job {
    /// Answers a block, piece by piece, until nobody takes them any more.
    fn answer<E>(
        &self,
        block: &Block,
        mut give: impl FnMut(Piece) -> Result<(), E>,
    ) -> Result<(), E> {
        let now = self.verifier.clock.now();
        let mut answers = Answers::default();
        for (number, line) in block.lines() {
            let (verdict, shape) = self.verifier.check_line(line, now);
            answers.add(self.style, number, &verdict, shape, now);
            if answers.out.len() > MAX_HELD {
                give(Piece { answers: std::mem::take(&mut answers), end: None })?;
            }
        }
        give(Piece { answers, end: Some(block.end) })
    }
}

/// Answers every line of the input.
///
/// The first block is answered here, at once: most inputs have no other, and
/// need no threads. Then each thread is given every n-th block, and its answers
/// are taken in the same turn, so that the order stays. All channels are bounded.
pub(crate) fn run(
    input: impl Read + Send + 'static,
    job: Job,
    output: &Output,
    threads: Option<NonZeroUsize>,
) -> Result<(), Failure> {
    let print = |piece: Piece| {
        output.print(&piece.answers)?;
        if let Some(end) = piece.end {
            output.advance(end);
        }
        Ok(())
    };
    let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, usize::from);
    let mut blocks = Blocks::new(input, job.verifier.max_line_len());
    let alone = if threads == 1 { usize::MAX } else { 1 };
    for block in blocks.by_ref().take(alone) {
        job.answer(&block.map_err(|error| Failure::of_input(&error))?, print)?;
    }
    if threads == 1 {
        return Ok(());
    }
    let answers = start(blocks, &Arc::new(job), threads)
        .map_err(|error| Failure::new(format_args!("a thread cannot be started: {error}")))?;
    for worker in answers.iter().cycle() {
        loop {
            // A worker that has no more ends the round: blocks are dealt in turn.
            let Ok(piece) = worker.recv() else { return Ok(()) };
            let piece = piece.map_err(|error| Failure::of_input(&error))?;
            let is_last = piece.end.is_some();
            print(piece)?;
            if is_last {
                break;
            }
        }
    }
    Ok(())
}

/// Starts the threads, and returns where each gives its answers.
///
/// Nothing waits for them: they end with the input, or with the program.
fn start<R: Read + Send + 'static>(
    blocks: Blocks<R>,
    job: &Arc<Job>,
    threads: usize,
) -> io::Result<Vec<Receiver<io::Result<Piece>>>> {
    let mut workers = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..threads {
        let (give_block, take_block) = sync_channel(1);
        let (give_piece, take_piece) = sync_channel(2);
        let job = Arc::clone(job);
        thread::Builder::new().spawn(move || work(&job, &take_block, &give_piece))?;
        workers.push(give_block);
        answers.push(take_piece);
    }
    thread::Builder::new().spawn(move || {
        for (block, worker) in blocks.zip(workers.iter().cycle()) {
            if worker.send(block).is_err() {
                return;
            }
        }
    })?;
    Ok(answers)
}

fn work(job: &Job, blocks: &Receiver<io::Result<Block>>, pieces: &SyncSender<io::Result<Piece>>) {
    for block in blocks {
        let given = match block {
            Ok(block) => job.answer(&block, |piece| pieces.send(Ok(piece)).map_err(drop)),
            Err(error) => pieces.send(Err(error)).map_err(drop),
        };
        if given.is_err() {
            return;
        }
    }
}
