//! Carriers that are killed, that hang, and that lose what they had.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::fleet::{Carrier, Fleet, Jar, STREAM, is_soon, over_each_carrier};
use crate::proxy::Proxy;
use crate::redis_server::RedisServer;

/// How long it takes at most until the list of a process is silent, and until it is heard again:
/// it tries every five seconds.
const OUTAGE: Duration = Duration::from_secs(12);

fn over_redis(arguments: &[&str]) -> Fleet {
    Fleet::start(Carrier::Redis(RedisServer::start()), arguments)
}

#[test]
fn without_redis_sessions_are_accepted_and_ends_are_passed_on_later() {
    let mut fleet = over_redis(&["--silence", "accept"]);
    let [ada, grace, mut out] =
        [(0, "ada"), (1, "grace"), (2, "user1")].map(|(index, name)| fleet.log_in(index, name));
    let copy = out.clone();
    fleet.redis().kill();
    fleet.assert_lives(&ada);
    // Ended here at once, and unknown elsewhere.
    fleet.do_post(2, &mut out, "/logout");
    assert_eq!(fleet.who(2, &copy), None);
    assert!(fleet.who(3, &copy).is_some());
    // An explicit end says that it is not known everywhere yet.
    let answer = fleet.post(1, &mut grace.clone(), "/sign-out-everywhere");
    assert_eq!((answer.status, &*answer.header("retry-after")), (503, "5"), "{answer:?}");
    assert_eq!(fleet.who(1, &grace), None);
    assert!(fleet.who(0, &grace).is_some());
    // One that must not fail halfway is not begun.
    let mut user = ada.clone();
    assert_eq!(fleet.post(0, &mut user, "/sign-out-others").status, 503);
    assert_eq!(user, ada);
    fleet.assert_lives(&ada);
    fleet.log_in(3, "user2");
    thread::sleep(Duration::from_secs(6));
    for index in fleet.all() {
        assert!(fleet.look(index, &ada).body.contains("No news."));
        fleet.processes[index]
            .expect_log("news of the sessions that other processes ended is overdue");
    }

    fleet.redis().restart();
    for index in fleet.all() {
        assert!(is_soon(OUTAGE, || fleet.look(index, &ada).body.contains("Up to date.")));
    }
    fleet.assert_ended(&copy);
    fleet.assert_ended(&grace);
    fleet.assert_lives(&ada);
}

#[test]
fn without_redis_nobody_is_let_in_and_no_session_is_lost() {
    let mut fleet = over_redis(&["--silence", "refuse"]);
    let mut ada = fleet.log_in(0, "ada");
    let mut guest = Jar::new();
    for count in ["1", "2"] {
        assert_eq!(fleet.put_into_cart(1, &mut guest), count);
        assert!(fleet.look(1, &guest).body.contains("not logged in"));
    }
    for signal in ["kill", "-STOP"] {
        match signal {
            "kill" => fleet.redis().kill(),
            signal => fleet.redis().signal(signal),
        }
        for index in fleet.all() {
            assert!(is_soon(OUTAGE, || fleet.look(index, &ada).status == 503));
            let before = ada.clone();
            // What is written now would be lost.
            for answer in [
                fleet.visit(index, &mut ada, |visitor| visitor.get("/account")),
                fleet.submit(index, &mut ada, "/cart/add", &[("fruit", "pears")]),
            ] {
                assert_eq!((answer.status, &*answer.header("retry-after")), (503, "5"));
                assert_eq!(answer.header("set-cookie"), "");
            }
            assert_eq!(ada, before);
            assert_eq!(fleet.who(index, &guest), None, "the anonymous pass");
            let start = Instant::now();
            let answer = fleet.try_to_log_in(index, &mut Jar::new(), "grace", "correct horse");
            assert_eq!((answer.status, &*answer.header("set-cookie")), (503, ""), "{answer:?}");
            assert!(start.elapsed() < Duration::from_secs(10));
        }
        match signal {
            "kill" => fleet.redis().restart(),
            _ => fleet.redis().signal("-CONT"),
        }
        for index in fleet.all() {
            assert!(is_soon(OUTAGE, || fleet.look(index, &ada).status == 200));
        }
        fleet.assert_lives(&ada);
    }
}

#[test]
fn a_redis_that_cannot_write_is_not_taken_for_one_that_has() {
    let mut fleet = over_redis(&[]);
    let (ada, mut grace) = (fleet.log_in(0, "ada"), fleet.log_in(0, "grace"));
    let copy = grace.clone();
    let mut redis = fleet.redis().connect();
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").exec(&mut redis).unwrap();
    assert_eq!(fleet.post(1, &mut ada.clone(), "/sign-out-everywhere").status, 503);
    fleet.do_post(1, &mut grace, "/logout");
    assert!(fleet.lines().is_empty());
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("0").exec(&mut redis).unwrap();
    for jar in [&ada, &copy] {
        for index in fleet.all() {
            assert!(is_soon(OUTAGE, || fleet.who(index, jar).is_none()));
        }
    }
}

/// Ends a session and all of a user, and returns copies of their cookies and one that lives.
fn ends(fleet: &Fleet) -> [Jar; 3] {
    let jars = ["ada", "grace", "root"].map(|name| fleet.log_in(0, name));
    fleet.do_post(0, &mut jars[0].clone(), "/logout");
    fleet.do_post(3, &mut jars[1].clone(), "/sign-out-everywhere");
    jars[..2].iter().for_each(|jar| fleet.assert_ended(jar));
    jars
}

/// Holds that the carrier has all again, so that processes that know nothing refuse it too.
#[track_caller]
fn assert_healed(fleet: &mut Fleet, [out, everywhere, lives]: &[Jar; 3]) {
    assert!(is_soon(OUTAGE, || fleet.lines().len() >= 2), "{:?}", fleet.lines());
    fleet.restart_all();
    for index in fleet.all() {
        assert_eq!(fleet.who(index, out), None);
        assert_eq!(fleet.who(index, everywhere), None);
    }
    fleet.assert_lives(lives);
}

#[test]
fn what_a_carrier_has_lost_is_written_again() {
    over_each_carrier(&[], |mut fleet| {
        let jars = ends(&fleet);
        fleet.flush();
        assert_healed(&mut fleet, &jars);
    });
}

#[test]
fn one_survivor_heals_what_the_others_forgot() {
    over_each_carrier(&[], |mut fleet| {
        let jars = ends(&fleet);
        fleet.processes.drain(1..);
        fleet.flush();
        assert_healed(&mut fleet, &jars);
    });
}

#[test]
fn a_carrier_that_went_back_to_an_older_copy_is_healed() {
    over_each_carrier(&[], |mut fleet| {
        let mut early = fleet.log_in(0, "user1");
        fleet.do_post(0, &mut early, "/logout");
        fleet.assert_soon("it is written", || fleet.lines().len() == 1);
        let jars = match &fleet.carrier {
            Carrier::Sqlite => {
                let copy = fleet.ended_file().with_extension("copy");
                let table = rusqlite::Connection::open(fleet.ended_file()).unwrap();
                table.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
                drop(table);
                let jars = ends(&fleet);
                fleet.flush();
                fs::rename(copy, fleet.ended_file()).unwrap();
                jars
            }
            Carrier::Redis(server) => {
                let copy = server.copy();
                let jars = ends(&fleet);
                fleet.redis().restart_with(&copy);
                jars
            }
        };
        assert!(is_soon(OUTAGE, || fleet.lines().len() >= 3), "{:?}", fleet.lines());
        assert_healed(&mut fleet, &jars);
    });
}

#[test]
fn entries_below_the_last_position_are_read() {
    let mut fleet = over_redis(&[]);
    let jars = ends(&fleet);
    // A server took over that counts from below, and has one line that nobody has heard of.
    let other = fleet.log_in(0, "user3");
    let id = fleet.text(0, &other, "/account", "id");
    let mut redis = fleet.redis().connect();
    redis::pipe()
        .atomic()
        .cmd("DEL")
        .arg(STREAM)
        .cmd("XADD")
        .arg(STREAM)
        .arg("5-1")
        .arg("r")
        .arg(format!(r#"{{"v":1,"subject":"7","session":"{id}"}}"#))
        .exec(&mut redis)
        .unwrap();
    fleet.assert_ended(&other);
    assert!(is_soon(OUTAGE, || fleet.lines().len() >= 3), "{:?}", fleet.lines());
    assert_healed(&mut fleet, &jars);
}

#[test]
fn a_file_that_is_not_a_database_is_an_outage() {
    let mut fleet = Fleet::start(Carrier::Sqlite, &["--silence", "refuse"]);
    let jars = ends(&fleet);
    fleet.flush();
    fs::write(fleet.ended_file(), "not a database ".repeat(1000)).unwrap();
    for index in fleet.all() {
        assert!(is_soon(OUTAGE, || fleet.look(index, &jars[2]).status == 503));
    }
    fs::remove_file(fleet.ended_file()).unwrap();
    for index in fleet.all() {
        assert!(is_soon(OUTAGE, || fleet.look(index, &jars[2]).status == 200));
    }
    assert_healed(&mut fleet, &jars);
}

#[test]
fn a_process_that_read_half_of_the_list_does_not_listen() {
    let mut fleet = over_redis(&[]);
    let mut redis = fleet.redis().connect();
    let mut add = redis::pipe();
    let list = signed_session::Revocations::new(Duration::from_secs(3600));
    for subject in 100..2600 {
        let line = list.end_all(subject).unwrap().to_string();
        add.cmd("XADD").arg(STREAM).arg("*").arg("r").arg(line).ignore();
    }
    add.exec(&mut redis).unwrap();
    let ada = fleet.log_in(0, "ada");
    fleet.do_post(0, &mut ada.clone(), "/sign-out-everywhere");

    let port = fleet.redis().port();
    let proxy = Proxy::start(port, 100_000);
    let mut command = fleet.command(1);
    command.args(["--redis", &format!("redis://{}", proxy.address)]);
    let mut process =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
    let output = process.stdout.take().unwrap();
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .for_each(|line| drop(sender.send(line)));
    });
    // It is cut at the same place each time.
    let early = lines.recv_timeout(Duration::from_secs(4));
    proxy.set_limit(usize::MAX);
    let line = lines.recv_timeout(OUTAGE);
    let address = line.as_deref().ok().and_then(|line| line.strip_prefix("listening on http://"));
    let who = address.map(|address| {
        let mut visitor = support::visitor::Visitor::of(address.parse().unwrap());
        visitor.jar.clone_from(&ada);
        visitor.get("/").body.contains("You are not logged in")
    });
    let _ = process.kill();
    let _ = process.wait();
    assert!(early.is_err(), "{early:?}");
    assert_eq!(who, Some(true), "{line:?}");
}
