//! The example programs hold one conversation with real visitors over a real socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use support::visitor::{PATIENCE, Program, connect};

mod std_net {
    support::conversation!(super::example("std_net"));
}

#[cfg(feature = "tower")]
mod hyper {
    support::conversation!(super::example("hyper"));
}

#[cfg(feature = "axum")]
mod axum {
    support::conversation!(super::example("axum"));
}

/// Builds an example with the features of this test, which is quick if it was built before.
fn example(name: &str) -> PathBuf {
    static BUILT: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let mut built = BUILT.lock().unwrap();
    if !built.iter().any(|known| known == name) {
        let features = [
            ("zlib", cfg!(feature = "zlib")),
            ("tower", cfg!(feature = "tower")),
            ("axum", cfg!(feature = "axum")),
            ("actix", cfg!(feature = "actix")),
            ("cli", cfg!(feature = "cli")),
        ];
        let on: Vec<&str> = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let profile = match folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            profile => profile,
        };
        let cargo = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--example", name, "--profile", profile])
            .args(["--features", &on.join(","), "--target-dir"])
            .arg(folder.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(cargo.unwrap().success(), "the example {name} does not build");
        built.push(name.to_owned());
    }
    folder.join("examples").join(name)
}

#[test]
fn curl_is_served_as_the_examples_say() {
    let program = Program::start(example("std_net"));
    let jar = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("curl-jar");
    let _ = std::fs::remove_file(&jar);
    let curl = |arguments: &[&str], page: &str| {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "30", "--noproxy", "*"])
            .arg("-b")
            .arg(&jar)
            .arg("-c")
            .arg(&jar)
            .args(arguments)
            .arg(format!("http://{}{page}", program.address))
            .output()
            .unwrap_or_else(|error| panic!("curl is needed for this test: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&[], "/"), "hello, stranger: visit 1\n");
    assert_eq!(curl(&[], "/"), "hello, stranger: visit 2\n");
    assert_eq!(curl(&["-L", "-d", "name=ada"], "/login"), "hello, ada: visit 1\n");
    assert_eq!(curl(&[], "/"), "hello, ada: visit 2\n");
    assert_eq!(curl(&["-L", "-d", ""], "/logout"), "hello, stranger: visit 1\n");
}

/// Sends bytes as they are and returns all that comes back; a connection that is cut ends it too.
fn send(address: SocketAddr, pieces: &[&[u8]], then: Option<Shutdown>) -> String {
    let mut stream = connect(address).unwrap();
    for piece in pieces {
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    if let Some(then) = then {
        let _ = stream.shutdown(then);
    }
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "nothing came, and no end");
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn garbage_is_refused_by_std_net_which_lives_on() {
    let program = Program::start(example("std_net"));
    let long_header = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    let endless_headers = format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(1 << 16));
    let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for garbage in [
        "".as_bytes(),
        b"\r\n\r\n",
        b"\0",
        &binary,
        long_header.as_bytes(),
        endless_headers.as_bytes(),
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r\nHost: x",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1 \r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET / HTTP/1.1\r\nCookie : sessionid=x\r\n\r\n",
        b"GET / HTTP/1.1\r\nCookie: a=b\r\n ; folded=c\r\n\r\n",
        b"POST /login HTTP/1.1\r\nContent-Length: 8\r\n\r\nname",
        b"POST /login HTTP/1.1\r\nContent-Length: -1\r\n\r\nname=ada",
        b"POST /login HTTP/1.1\r\nContent-Length: +8\r\n\r\nname=ada",
        b"POST /login HTTP/1.1\r\nContent-Length: 8, 8\r\n\r\nname=ada",
        b"POST /login HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nname=ada",
        b"POST /login HTTP/1.1\r\nContent-Length: 65535\r\n\r\nname=ada",
        b"POST /login HTTP/1.1\r\nContent-Length: 8\r\nContent-Length: 8\r\n\r\nname=ada",
        b"POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /login HTTP/1.1\r\n\r\nname=ada",
        b"POST /login HTTP/1.1\r\nContent-Length: 5\r\n\r\n\xFF\xFE=%F",
    ] {
        let answer = send(program.address, &[garbage], Some(Shutdown::Write));
        let start = String::from_utf8_lossy(&garbage[..garbage.len().min(80)]);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{start:?}: {answer}");
        assert!(!answer.contains("set-cookie"), "{start:?}: {answer}");
    }
    assert_eq!(program.visitor().get("/").body, "hello, stranger: visit 1\n");
    assert!(!program.log().contains("panicked"), "{}", program.log());
}

#[test]
fn std_net_reads_a_request_that_comes_byte_by_byte_in_any_case() {
    let program = Program::start(example("std_net"));
    let mut visitor = program.visitor();
    visitor.get("/");
    let token = &visitor.jar["sessionid"];
    let request =
        format!("GET /?page=1 HTTP/1.0\r\nX-Odd: \u{e9}\r\nCOOKIE:sessionid={token}\t\r\n\r\n");
    let bytes: Vec<&[u8]> = request.as_bytes().chunks(1).collect();
    let answer = send(program.address, &bytes, None);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello, stranger: visit 2\n"), "{answer}");
}

#[test]
fn std_net_hangs_up_on_a_silent_visitor_and_serves_others() {
    let program = Program::start(example("std_net"));
    let start = Instant::now();
    let mut silent = connect(program.address).unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    assert_eq!(program.visitor().get("/").body, "hello, stranger: visit 1\n");
    let mut answer = String::new();
    silent.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(start.elapsed() < PATIENCE);
}
