//! Takes the fuzzer's bytes apart, from the front, so that seeds can be written by hand.

/// What is left of the fuzzer's bytes; zeros follow once they are used up.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Takes the same as text, with U+FFFD for what is not UTF-8.
    pub fn rest_as_text(&mut self) -> String {
        String::from_utf8_lossy(self.rest()).into_owned()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Takes one of the items.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    /// Takes a place in something of this length, which is not empty.
    pub fn place(&mut self, len: usize) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()])) % len
    }

    /// Takes a number, small ones in few bytes.
    pub fn number(&mut self) -> i64 {
        match self.byte() % 4 {
            0 => i64::from(self.byte()),
            1 => i64::from(i16::from_le_bytes([self.byte(), self.byte()])),
            2 => i64::from(i32::from_le_bytes([(); 4].map(|()| self.byte()))),
            _ => i64::from_le_bytes([(); 8].map(|()| self.byte())),
        }
    }

    /// Takes up to 255 bytes, their number first.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    /// Takes the same as text, with U+FFFD for what is not UTF-8.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}
