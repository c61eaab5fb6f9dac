//! Splits a stream into blocks of whole lines.
//!
//! Memory is bounded, however long a line is.

use std::io::{self, BufRead as _, ErrorKind, Read};

/// The size of one read in bytes.
const CHUNK: usize = 128 * 1024;

/// Whole lines, one after the other.
pub(crate) struct Block {
    bytes: Vec<u8>,
    /// The number of its first line, counted from one.
    first_line: u64,
    /// The end of the block in the stream, in bytes.
    pub(crate) end: u64,
}

impl Block {
    /// Returns the non-empty lines with their numbers, without line ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        let mut number = self.first_line;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let mut after = rest;
                // Reading from memory cannot fail.
                let len = after.skip_until(b'\n').unwrap_or(rest.len());
                let line = rest.get(..len).unwrap_or_default();
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let this = number;
                rest = after;
                number = number.saturating_add(1);
                if !line.is_empty() {
                    return Some((this, line));
                }
            }
            None
        })
    }
}

/// The blocks of a stream.
pub(crate) struct Blocks<R> {
    input: R,
    /// The beginning of a line whose end has not been read.
    begun: Vec<u8>,
    /// The number of bytes that are kept of a line.
    ///
    /// It exceeds the maximum length, even without a CR, to show that the line is too long.
    keep: usize,
    /// Whether the rest of the current line is dropped.
    dropping: bool,
    next_line: u64,
    read: u64,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn new(input: R, max_line_len: usize) -> Self {
        let keep = max_line_len.saturating_add(2);
        Self { input, begun: Vec::new(), keep, dropping: false, next_line: 1, read: 0 }
    }

    /// Reads the available input, once, and returns all lines that end in it.
    fn read_block(&mut self) -> io::Result<Option<Block>> {
        let mut bytes = std::mem::take(&mut self.begun);
        loop {
            let start = bytes.len();
            bytes.resize(start.saturating_add(CHUNK), 0);
            let read = self.read_into(bytes.get_mut(start..).unwrap_or_default());
            bytes.truncate(start.saturating_add(*read.as_ref().unwrap_or(&0)));
            if read? == 0 {
                return Ok((!bytes.is_empty()).then(|| self.block(bytes)));
            }
            let mut fresh = bytes.get(start..).unwrap_or_default();
            if self.dropping {
                // Reading from memory cannot fail.
                let skipped = (&mut &*fresh).skip_until(b'\n').unwrap_or(fresh.len());
                self.dropping = !fresh.get(..skipped).unwrap_or_default().ends_with(b"\n");
                let dropped = skipped.saturating_sub(usize::from(!self.dropping));
                bytes.drain(start..start.saturating_add(dropped));
                fresh = bytes.get(start..).unwrap_or_default();
            }
            let end = fresh.iter().rposition(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| start.saturating_add(end).saturating_add(1)) else {
                self.cut(&mut bytes);
                continue;
            };
            self.begun = bytes.split_off(end);
            let mut begun = std::mem::take(&mut self.begun);
            self.cut(&mut begun);
            self.begun = begun;
            return Ok(Some(self.block(bytes)));
        }
    }

    /// Truncates a line that is too long; the rest will be dropped.
    fn cut(&mut self, begun: &mut Vec<u8>) {
        if begun.len() > self.keep {
            begun.truncate(self.keep);
            self.dropping = true;
        }
    }

    fn block(&mut self, bytes: Vec<u8>) -> Block {
        let first_line = self.next_line;
        // Runs that a `u8` can count: the compiler adds them with vector instructions.
        for run in bytes.chunks(usize::from(u8::MAX)) {
            let is_newline = run.iter().map(|byte| u8::from(*byte == b'\n'));
            let newlines = is_newline.fold(0, u8::wrapping_add);
            self.next_line = self.next_line.saturating_add(newlines.into());
        }
        Block { bytes, first_line, end: self.read }
    }

    fn read_into(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(read) => {
                    self.read = self.read.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                    return Ok(read);
                }
                error => return error,
            }
        }
    }
}

impl<R: Read> Iterator for Blocks<R> {
    type Item = io::Result<Block>;

    fn next(&mut self) -> Option<io::Result<Block>> {
        self.read_block().transpose()
    }
}
