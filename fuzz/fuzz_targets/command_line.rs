//! Runs the program itself, in this process, with files for its input and its output.

#![no_main]
// As the program's own modules expect it.
#![warn(clippy::pedantic)]

extern crate self as ctrlc;

#[path = "../../src/cli/mod.rs"]
mod cli;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::process::ExitCode;
use std::sync::LazyLock;

use laws::command_line::{Call, Ran, law};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

libfuzzer_sys::fuzz_target!(|data: &[u8]| law(data, &KEY_FILE, run));

static KEY_FILE: LazyLock<String> = LazyLock::new(|| {
    let name = format!("signed-session-fuzz-{}.key", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, laws::SECRET).unwrap();
    path.into_os_string().into_string().unwrap()
});

/// Stands in for the crate `ctrlc`, as a process can watch for Ctrl-C only once.
///
/// # Errors
///
/// None, as nothing is done.
pub fn set_handler(_: impl FnMut() + Send + 'static) -> io::Result<()> {
    Ok(())
}

/// Standard output and standard error as they were: libFuzzer writes there.
static STREAMS: LazyLock<[OwnedFd; 2]> = LazyLock::new(|| {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        tell(panic);
    }));
    [io::stdout().as_fd(), io::stderr().as_fd()].map(|fd| fd.try_clone_to_owned().unwrap())
});

fn give_back() {
    let [out, err] = &*STREAMS;
    dup2_stdout(out).unwrap();
    dup2_stderr(err).unwrap();
}

fn run(call: &Call) -> Ran {
    LazyLock::force(&STREAMS);
    let [mut input, out, err] =
        [(); 3].map(|()| File::from(memfd_create(c"", MemfdFlags::CLOEXEC).unwrap()));
    input.write_all(&call.input).unwrap();
    input.rewind().unwrap();
    dup2_stdin(&input).unwrap();
    dup2_stdout(&out).unwrap();
    dup2_stderr(&err).unwrap();
    let arguments = call.arguments.iter().cloned().map(OsString::from_vec);
    let status = cli::run(std::iter::once("signed-session".into()).chain(arguments));
    // What it has not read is not for the next.
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    give_back();
    let [out, err] = [out, err].map(|mut file| {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    });
    Ran { status: number(status), out, err }
}

/// Returns the number of a status, which does not tell it otherwise.
fn number(status: ExitCode) -> u8 {
    let shown = |status: ExitCode| format!("{status:?}");
    (0..=u8::MAX).find(|number| shown(ExitCode::from(*number)) == shown(status)).unwrap()
}
