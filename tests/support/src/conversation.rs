//! What every example program must answer, written once: `conversation!(path_of_the_program);`.

use std::path::Path;
use std::process::Command;
use std::thread;

use crate::visitor::{Program, Visitor};

/// Creates a test of each promise, for the program at this path.
#[macro_export]
macro_rules! conversation {
    ($path:expr) => {
        $crate::conversation! { $path =>
            visits_are_counted_for_each_visitor_alone
            a_page_that_leaves_the_session_alone_says_nothing_of_it
            a_page_that_reads_the_session_varies_by_cookie
            a_page_that_sets_the_session_is_private
            a_login_starts_a_new_session_and_a_logout_ends_it
            a_logout_without_a_session_sets_nothing
            what_a_visitor_writes_comes_back
            a_tampered_cookie_is_a_strangers_until_one_is_written
            a_cookie_among_others_is_found
            a_cookie_is_found_in_any_of_several_headers
            a_session_too_large_is_an_error_and_the_old_one_stays
            a_form_without_its_field_and_an_unknown_page_are_refused
            a_connection_is_kept_unless_the_program_says_that_it_is_not
            a_connection_may_be_closed_after_each_answer
            no_visitor_ever_sees_what_is_anothers
            without_a_secret_it_says_how_to_make_one
            a_weak_secret_is_warned_of
        }
    };
    ($path:expr => $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::conversation::$promise($path.as_ref());
            }
        )*
    };
}

#[track_caller]
fn expect(visitor: &mut Visitor, path: &str, body: &str) {
    let answer = visitor.get(path);
    assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}: {answer:?}");
}

pub fn visits_are_counted_for_each_visitor_alone(path: &Path) {
    let program = Program::start(path);
    let (mut one, mut other) = (program.visitor(), program.visitor());
    for visit in 1..=3 {
        expect(&mut one, "/", &format!("hello, stranger: visit {visit}\n"));
    }
    expect(&mut other, "/", "hello, stranger: visit 1\n");
    expect(&mut one, "/", "hello, stranger: visit 4\n");
    expect(&mut other, "/", "hello, stranger: visit 2\n");
}

pub fn a_page_that_leaves_the_session_alone_says_nothing_of_it(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    for _ in ["without a cookie", "with one"] {
        let answer = visitor.get("/about");
        assert_eq!((answer.status, answer.body.as_str()), (200, "a counter of visits\n"));
        for name in ["set-cookie", "vary", "cache-control"] {
            assert_eq!(answer.values(name).count(), 0, "{answer:?}");
        }
        visitor.get("/");
    }
}

pub fn a_page_that_reads_the_session_varies_by_cookie(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    for _ in ["without a cookie", "with one"] {
        let answer = visitor.get("/note");
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(answer.header("vary"), "Cookie");
        for name in ["set-cookie", "cache-control"] {
            assert_eq!(answer.values(name).count(), 0, "{answer:?}");
        }
        visitor.get("/");
    }
}

pub fn a_page_that_sets_the_session_is_private(path: &Path) {
    let program = Program::start(path);
    let answer = program.visitor().get("/");
    assert_eq!(answer.header("vary"), "Cookie");
    assert_eq!(answer.header("cache-control"), "private");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.values("set-cookie").count(), 1);
    let cookie = answer.header("set-cookie");
    let mut attributes: Vec<&str> = cookie.split("; ").collect();
    assert!(attributes.remove(0).starts_with("sessionid=eyJ2aXNpdHMiOjF9:"), "{cookie}");
    let expires = attributes.pop().unwrap();
    assert!(expires.starts_with("Expires=") && expires.ends_with(" GMT"), "{cookie}");
    assert_eq!(attributes, ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=1209600"]);
}

pub fn a_login_starts_a_new_session_and_a_logout_ends_it(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    expect(&mut visitor, "/", "hello, stranger: visit 1\n");
    expect(&mut visitor, "/", "hello, stranger: visit 2\n");

    let login = visitor.post("/login", "name", "ada");
    assert_eq!((login.status, login.header("location").as_str()), (303, "/"));
    assert_eq!(login.header("cache-control"), "private");
    expect(&mut visitor, "/", "hello, ada: visit 1\n");
    expect(&mut visitor, "/", "hello, ada: visit 2\n");

    let logout = visitor.post("/logout", "", "");
    assert_eq!((logout.status, logout.header("location").as_str()), (303, "/"));
    assert!(logout.header("set-cookie").starts_with("sessionid=; "), "{logout:?}");
    assert_eq!(logout.header("vary"), "Cookie");
    assert!(visitor.jar.is_empty(), "{:?}", visitor.jar);
    expect(&mut visitor, "/", "hello, stranger: visit 1\n");
}

pub fn a_logout_without_a_session_sets_nothing(path: &Path) {
    let program = Program::start(path);
    let logout = program.visitor().post("/logout", "", "");
    assert_eq!((logout.status, logout.values("set-cookie").count()), (303, 0), "{logout:?}");
}

pub fn what_a_visitor_writes_comes_back(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    let text = "100 % \"Zoë\" & co = 🦀; \\u0000, +\r\n";
    let written = visitor.post("/note", "text", text);
    assert_eq!((written.status, written.header("location").as_str()), (303, "/note"));
    expect(&mut visitor, "/note", text);
    visitor.post("/login", "name", text);
    expect(&mut visitor, "/", &format!("hello, {text}: visit 1\n"));
    expect(&mut visitor, "/note", "");
}

pub fn a_tampered_cookie_is_a_strangers_until_one_is_written(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    visitor.post("/login", "name", "ada");
    let token = visitor.jar["sessionid"].clone();
    let payload_of_another = {
        let mut another = program.visitor();
        another.post("/login", "name", "eve");
        another.jar["sessionid"].split_once(':').unwrap().0.to_owned()
    };
    let (_, stamp_and_signature) = token.split_once(':').unwrap();
    for tampered in [
        format!("{payload_of_another}:{stamp_and_signature}"),
        token.replacen(':', ":1", 1),
        token[..token.len() - 1].to_owned(),
        "not a token at all".to_owned(),
    ] {
        visitor.jar.insert("sessionid".to_owned(), tampered.clone());
        // A page that only reads leaves it alone: another answer may have replaced it meanwhile.
        let reading = visitor.get("/note");
        assert_eq!(reading.values("set-cookie").count(), 0, "{tampered}: {reading:?}");
        expect(&mut visitor, "/", "hello, stranger: visit 1\n");
        assert_ne!(visitor.jar["sessionid"], tampered);
        expect(&mut visitor, "/", "hello, stranger: visit 2\n");
    }
    visitor.jar.insert("sessionid".to_owned(), token);
    expect(&mut visitor, "/", "hello, ada: visit 1\n");
}

pub fn a_cookie_among_others_is_found(path: &Path) {
    let program = Program::start(path);
    find_among_others(&mut program.visitor());
}

pub fn a_cookie_is_found_in_any_of_several_headers(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    visitor.splits_cookies = true;
    find_among_others(&mut visitor);
}

#[track_caller]
fn find_among_others(visitor: &mut Visitor) {
    visitor.post("/login", "name", "ada");
    for (name, value) in [("a", "1"), ("xsessionid", "2"), ("sessionidx", "3"), ("z", "sessionid")]
    {
        visitor.jar.insert(name.to_owned(), value.to_owned());
    }
    expect(visitor, "/", "hello, ada: visit 1\n");
}

pub fn a_session_too_large_is_an_error_and_the_old_one_stays(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    visitor.post("/login", "name", "ada");
    expect(&mut visitor, "/", "hello, ada: visit 1\n");
    let before = visitor.jar.clone();

    let note = noise(8_000);
    let answer = visitor.post("/note", "text", &note);
    assert_eq!((answer.status, answer.values("set-cookie").count()), (500, 0), "{answer:?}");
    // The reason is in the log, the note is not.
    program.expect_log("more than the limit of 4096; in JSON, note takes 8010 bytes, ");
    assert!(!program.log().contains(&note[..32]));
    assert!(!answer.body.contains("4096"), "{answer:?}");

    assert_eq!(visitor.jar, before);
    expect(&mut visitor, "/note", "");
    expect(&mut visitor, "/", "hello, ada: visit 2\n");
}

/// Creates text that does not become shorter by compression.
fn noise(len: usize) -> String {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let digit = u32::try_from(state % 36).unwrap();
        char::from_digit(digit, 36).unwrap()
    };
    (0..len).map(|_| next()).collect()
}

pub fn a_form_without_its_field_and_an_unknown_page_are_refused(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    for answer in [visitor.post("/login", "age", "36"), visitor.post("/note", "", "")] {
        assert!([400, 422].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.values("set-cookie").count(), 0, "{answer:?}");
    }
    assert_eq!(visitor.get("/nowhere").status, 404);
    assert!(visitor.jar.is_empty());
}

pub fn a_connection_is_kept_unless_the_program_says_that_it_is_not(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    let is_closed = visitor.get("/").header("connection") == "close";
    expect(&mut visitor, "/", "hello, stranger: visit 2\n");
    expect(&mut visitor, "/", "hello, stranger: visit 3\n");
    assert_eq!(visitor.connections, if is_closed { 3 } else { 1 });
}

pub fn a_connection_may_be_closed_after_each_answer(path: &Path) {
    let program = Program::start(path);
    let mut visitor = program.visitor();
    visitor.closes = true;
    for visit in 1..=3 {
        expect(&mut visitor, "/", &format!("hello, stranger: visit {visit}\n"));
    }
    assert_eq!(visitor.connections, 3);
}

pub fn no_visitor_ever_sees_what_is_anothers(path: &Path) {
    let program = Program::start(path);
    thread::scope(|scope| {
        for number in 0..8 {
            let mut visitor = program.visitor();
            scope.spawn(move || {
                visitor.post("/login", "name", &format!("visitor-{number}"));
                visitor.post("/note", "text", &format!("of {number}"));
                for visit in 1..=50 {
                    expect(&mut visitor, "/", &format!("hello, visitor-{number}: visit {visit}\n"));
                }
                expect(&mut visitor, "/note", &format!("of {number}"));
            });
        }
    });
}

pub fn without_a_secret_it_says_how_to_make_one(path: &Path) {
    let output = Command::new(path).env_remove("SIGNED_SESSION_KEY").output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: the variable SIGNED_SESSION_KEY is not set: `openssl rand -base64 48` prints a good secret for \
         it\n",
    );
}

pub fn a_weak_secret_is_warned_of(path: &Path) {
    // The secret of these tests stands in this repository for all to read.
    Program::start(path).expect_log("a publicly known sample");
}
