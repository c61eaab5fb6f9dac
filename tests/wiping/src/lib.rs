//! Looks for secrets where they were: in memory that is freed, and in all of the process.
//!
//! A needle is kept masked, so that the search does not find itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// What every byte of a needle is masked with.
const MASK: u8 = 0xA5;

/// Bytes to look for, as they never are in memory.
#[derive(Clone)]
pub struct Needle(Vec<u8>);

impl Needle {
    /// Takes bytes one by one, none of which is kept.
    pub fn new(bytes: impl Iterator<Item = u8>) -> Self {
        Self(bytes.map(|byte| byte ^ MASK).collect())
    }

    /// Gives the bytes back, one by one.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0.iter().map(|byte| byte ^ MASK)
    }

    fn is_at(&self, memory: &[u8]) -> bool {
        memory.len() >= self.0.len() && self.0.iter().zip(memory).all(|(a, b)| a ^ MASK == *b)
    }

    /// Counts how often the bytes are in a piece of memory.
    pub fn count(&self, memory: &[u8]) -> usize {
        (0..memory.len()).filter(|at| self.is_at(&memory[*at..])).count()
    }
}

/// An allocator that looks for a needle in whatever is freed.
pub struct Searching;

static NEEDLE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static NEEDLE_LEN: AtomicUsize = AtomicUsize::new(0);
static FOUND: AtomicUsize = AtomicUsize::new(0);

impl Searching {
    /// Looks at memory that is about to be freed.
    fn look(&self, pointer: *const u8, len: usize) {
        let (needle, needle_len) =
            (NEEDLE.load(Ordering::SeqCst), NEEDLE_LEN.load(Ordering::SeqCst));
        if needle.is_null() || len < needle_len {
            return;
        }
        for start in 0..=len - needle_len {
            // SAFETY: what is freed is `len` bytes of memory, all of them written or zeroed when
            // it was allocated, and the needle is never freed.
            let is_there = (0..needle_len)
                .all(|at| unsafe { *pointer.add(start + at) == *needle.add(at) ^ MASK });
            if is_there {
                FOUND.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Searching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that all of it can be looked at, and nothing is found that was there before.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.look(pointer, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Always moved, as it may be at any time.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            let moved = self.alloc(new);
            if !moved.is_null() {
                pointer.copy_to_nonoverlapping(moved, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}

/// Returns how often a needle was freed while a function ran. One at a time can be looked for.
pub fn freed(needle: &Needle, function: impl FnOnce()) -> usize {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let masked: &'static mut [u8] = needle.0.clone().leak();
    FOUND.store(0, Ordering::SeqCst);
    NEEDLE_LEN.store(masked.len(), Ordering::SeqCst);
    NEEDLE.store(masked.as_mut_ptr(), Ordering::SeqCst);
    function();
    NEEDLE.store(std::ptr::null_mut(), Ordering::SeqCst);
    FOUND.load(Ordering::SeqCst)
}

/// Counts how often each needle is in the memory of this process: its heap, stacks and data.
#[cfg(target_os = "linux")]
pub fn in_process(needles: &[Needle]) -> Vec<usize> {
    use std::fs::File;
    use std::io::{Read as _, Seek as _, SeekFrom};

    const LEN: usize = 1 << 20;
    const OVERLAP: usize = 256;

    // What was read stands here, and is not looked at.
    static BUFFER: Mutex<[u8; LEN]> = Mutex::new([0; LEN]);
    let mut buffer = BUFFER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let own = buffer.as_ptr_range();
    let own = (own.start as usize)..(own.end as usize);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut counts = vec![0; needles.len()];
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, access) = (fields.next().unwrap(), fields.next().unwrap());
        if !access.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let address = |text| usize::from_str_radix(text, 16).unwrap();
        let mut at = address(start);
        let end = address(end);
        while at < end {
            let len = LEN.min(end - at);
            if memory.seek(SeekFrom::Start(at as u64)).is_err()
                || memory.read_exact(&mut buffer[..len]).is_err()
            {
                break;
            }
            // Its own copy would be found again and again.
            let (first, last) = (own.start.max(at), own.end.min(at + len));
            if first < last {
                buffer[first - at..last - at].fill(0);
            }
            for (needle, count) in needles.iter().zip(&mut counts) {
                *count += needle.count(&buffer[..len]);
            }
            at += if len == LEN { LEN - OVERLAP } else { len };
        }
    }
    buffer.fill(0);
    counts
}
