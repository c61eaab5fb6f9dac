//! Processes a stream of lines in order, on all cores and in bounded memory.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use time::OffsetDateTime;

use crate::cli::bulk::answers::Answers;
use crate::cli::bulk::lines::{Block, Blocks};
use crate::cli::bulk::output::Output;
use crate::cli::failure::Failure;
use crate::cli::moment::Clock;

/// The number of bytes of a block's output that are buffered.
///
/// The output for compressed tokens can be much larger than the block.
const MAX_HELD: usize = 1024 * 1024;

/// The work of a command on each line of its input.
pub(crate) trait Task: Send + Sync + 'static {
    /// Returns the maximum length of a line.
    ///
    /// Of a longer line, only the beginning is passed to [`answer`](Self::answer).
    fn max_line_len(&self) -> usize;

    /// Returns the clock.
    fn clock(&self) -> Clock;

    /// Processes a line, and adds the result to `answers`.
    fn answer(&self, number: u64, line: &[u8], now: OffsetDateTime, answers: &mut Answers);
}

/// A part of a block's output.
struct Piece {
    answers: Answers,
    /// The end of the block in the stream, if this is its last part.
    end: Option<u64>,
}

/// Processes a block, piece by piece, until the receiver is gone.
fn answer<E>(
    task: &impl Task,
    block: &Block,
    mut give: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let now = task.clock().now();
    let mut answers = Answers::default();
    for (number, line) in block.lines() {
        task.answer(number, line, now, &mut answers);
        if answers.out.len() > MAX_HELD {
            give(Piece { answers: std::mem::take(&mut answers), end: None })?;
        }
    }
    give(Piece { answers, end: Some(block.end) })
}

/// Processes every line of the input.
///
/// The first block is processed on this thread: most inputs have only one block, and need no
/// others. Then each of n threads receives every n-th block, and their output is taken in the same
/// order. All channels are bounded.
pub(crate) fn run(
    input: impl Read + Send + 'static,
    task: impl Task,
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
    let mut blocks = Blocks::new(input, task.max_line_len());
    let alone = if threads == 1 { usize::MAX } else { 1 };
    for block in blocks.by_ref().take(alone) {
        answer(&task, &block.map_err(|error| Failure::of_input(&error))?, print)?;
    }
    if threads == 1 {
        return Ok(());
    }
    let (workers, reader) = start(blocks, &Arc::new(task), threads)
        .map_err(|error| Failure::new(format_args!("cannot start a thread: {error}")))?;
    let mut turn = 0;
    let last = loop {
        let Some(worker) = workers.get(turn) else {
            turn = 0;
            continue;
        };
        // Blocks are dealt in turn, so the first worker without another block is the last.
        let Ok(piece) = worker.answers.recv() else { break turn };
        let piece = piece.map_err(|error| Failure::of_input(&error))?;
        turn = turn.saturating_add(usize::from(piece.end.is_some()));
        print(piece)?;
    };
    // If it ended before the input did, tokens were not processed.
    let ended_well = |thread: JoinHandle<()>| {
        thread
            .join()
            .map_err(|_| Failure::new("not all tokens were processed: a thread has failed"))
    };
    workers.into_iter().nth(last).map_or(Ok(()), |worker| ended_well(worker.thread))?;
    ended_well(reader)
}

/// A thread that processes blocks.
struct Worker {
    answers: Receiver<io::Result<Piece>>,
    thread: JoinHandle<()>,
}

/// Starts the threads that process blocks, and the thread that reads them.
///
/// They run until the input or the program ends.
fn start<R: Read + Send + 'static>(
    blocks: Blocks<R>,
    task: &Arc<impl Task>,
    threads: usize,
) -> io::Result<(Vec<Worker>, JoinHandle<()>)> {
    let mut dealt = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..threads {
        let (give_block, take_block) = sync_channel(1);
        let (give_piece, answers) = sync_channel(2);
        let task = Arc::clone(task);
        let thread =
            thread::Builder::new().spawn(move || work(&*task, &take_block, &give_piece))?;
        dealt.push(give_block);
        workers.push(Worker { answers, thread });
    }
    let reader = thread::Builder::new().spawn(move || {
        for (block, worker) in blocks.zip(dealt.iter().cycle()) {
            if worker.send(block).is_err() {
                return;
            }
        }
    })?;
    Ok((workers, reader))
}

fn work(
    task: &impl Task,
    blocks: &Receiver<io::Result<Block>>,
    pieces: &SyncSender<io::Result<Piece>>,
) {
    for block in blocks {
        let given = match block {
            Ok(block) => answer(task, &block, |piece| pieces.send(Ok(piece)).map_err(drop)),
            Err(error) => pieces.send(Err(error)).map_err(drop),
        };
        if given.is_err() {
            return;
        }
    }
}
