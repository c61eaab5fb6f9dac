//! Every way to end a session, known in every process.

use std::thread;
use std::time::{Duration, Instant};

use crate::fleet::{Fleet, Jar, PASSWORD, over_each_carrier};

const LATER: Duration = Duration::from_secs(5);

/// Shows the message about the end, after which nothing is left in the session.
#[track_caller]
fn assert_empty(fleet: &Fleet, index: usize, jar: &mut Jar) {
    let answer = fleet.visit(index, jar, |visitor| visitor.get("/"));
    assert!(answer.body.contains("You are signed out"), "{answer:?}");
    // The payload is `{}`.
    assert!(jar["shop_session"].starts_with("e30:"), "{jar:?}");
}

#[test]
fn a_logout_ends_every_copy_in_every_process() {
    over_each_carrier(&[], |fleet| {
        for index in fleet.all() {
            let mut user = fleet.log_in(index, "ada");
            let stolen = user.clone();
            fleet.assert_lives(&stolen);
            // Copies that the thief had signed again, by processes whose clocks differ.
            let copies: Vec<Jar> = fleet
                .all()
                .map(|index| {
                    let mut copy = stolen.clone();
                    fleet.put_into_cart(index, &mut copy);
                    assert_ne!(copy, stolen);
                    copy
                })
                .collect();
            let start = Instant::now();
            fleet.do_post(index, &mut user, "/logout");
            assert_empty(&fleet, index, &mut user);
            for copy in copies.iter().chain([&stolen]) {
                fleet.assert_ended(copy);
            }
            println!("known everywhere after {:?}", start.elapsed());
        }
        assert_eq!(fleet.lines().len(), fleet.all().len());
    });
}

#[test]
fn signing_out_everywhere_ends_all_devices_and_no_cart() {
    over_each_carrier(&[], |fleet| {
        let mut guest = Jar::new();
        assert_eq!(fleet.put_into_cart(0, &mut guest), "1");
        let grace = fleet.log_in(1, "grace");
        // On clocks ahead and behind, in turn: only who logs in after the last end is in.
        for _ in 0..2 {
            for index in fleet.all() {
                let mut devices: Vec<Jar> =
                    fleet.all().map(|index| fleet.log_in(index, "ada")).collect();
                fleet.do_post(index, &mut devices[index], "/sign-out-everywhere");
                assert_empty(&fleet, index, &mut devices[index]);
                let again = fleet.all().map(|index| fleet.log_in(index, "ada"));
                for again in again.collect::<Vec<_>>() {
                    fleet.assert_lives(&again);
                }
                for (device, jar) in
                    devices.iter().enumerate().filter(|(device, _)| *device != index)
                {
                    assert!(!jar.is_empty(), "{device}");
                    fleet.assert_ended(jar);
                }
            }
        }
        fleet.assert_lives(&grace);
        assert_eq!(fleet.put_into_cart(2, &mut guest), "2");
    });
}

#[test]
fn who_logs_in_at_once_after_an_end_is_in() {
    over_each_carrier(&[], |fleet| {
        for round in 0..12 {
            // Ended on one process, begun on another: the login catches up first.
            let (ender, other) = (round % 4, (round + 1 + round / 4) % 4);
            let mut user = fleet.log_in(ender, "ada");
            fleet.do_post(ender, &mut user, "/sign-out-everywhere");
            fleet.assert_lives(&fleet.log_in(other, "ada"));
        }
    });
}

#[test]
fn signing_out_the_others_spares_this_browser_and_no_copy() {
    over_each_carrier(&[], |fleet| {
        let mut user = fleet.log_in(0, "ada");
        let (copy, other) = (user.clone(), fleet.log_in(2, "ada"));
        let id = fleet.text(0, &user, "/account", "id");
        fleet.do_post(1, &mut user, "/sign-out-others");
        fleet.assert_lives(&user);
        assert_ne!(fleet.text(3, &user, "/account", "id"), id);
        fleet.assert_ended(&copy);
        fleet.assert_ended(&other);
    });
}

#[test]
fn a_new_password_ends_all_other_sessions() {
    over_each_carrier(&[], |fleet| {
        let mut user = fleet.log_in(0, "ada");
        let other = fleet.log_in(1, "ada");
        let mut change = |old, new| {
            let fields = [("old", old), ("new", new)];
            let answer = fleet.submit(3, &mut user, "/password", &fields);
            assert_eq!((answer.status, &*answer.header("location")), (303, "/account"));
            fleet.visit(3, &mut user, |visitor| visitor.get("/account")).body
        };
        assert!(change("a guess", "battery staple").contains("not your current password"));
        assert!(change(PASSWORD, "short").contains("at least eight characters"));
        fleet.assert_lives(&other);
        assert!(change(PASSWORD, "battery staple").contains("Your password was changed"));
        fleet.assert_ended(&other);
        fleet.assert_lives(&user);
        let mut jar = Jar::new();
        let mut log_in = |password| fleet.try_to_log_in(2, &mut jar, "ada", password).status;
        assert_eq!(log_in(PASSWORD), 403);
        assert_eq!(log_in("battery staple"), 303);
    });
}

#[test]
fn an_administrator_ends_anybodys_sessions_and_everyones() {
    over_each_carrier(&[], |fleet| {
        let [mut ada, grace, mut visitor] =
            [(0, "ada"), (1, "grace"), (2, "root")].map(|(index, name)| fleet.log_in(index, name));
        let root = fleet.log_in_admin(0, "root");
        let mut guest = Jar::new();
        fleet.put_into_cart(0, &mut guest);
        // Nobody else may, and the administrator not as a visitor of the shop.
        for path in ["/admin/end", "/admin/end-everyone"] {
            for jar in [&mut ada, &mut guest, &mut visitor, &mut Jar::new()] {
                let answer = fleet.submit(1, jar, path, &[("id", "2")]);
                assert_eq!(answer.status, 401, "{answer:?}");
            }
        }
        let answer = fleet.submit(3, &mut root.clone(), "/admin/end", &[("id", "1")]);
        assert_eq!(answer.status, 303, "{answer:?}");
        fleet.assert_ended(&ada);
        fleet.assert_lives(&grace);

        let ada = fleet.log_in(3, "ada");
        fleet.do_post(1, &mut root.clone(), "/admin/end-everyone");
        [&ada, &grace, &visitor].into_iter().for_each(|jar| fleet.assert_ended(jar));
        for index in fleet.all() {
            fleet.assert_soon("the administration is open", || {
                fleet.visit(index, &mut root.clone(), |visitor| visitor.get("/admin")).status == 303
            });
        }
        fleet.assert_lives(&fleet.log_in(2, "grace"));
        assert_eq!(fleet.put_into_cart(3, &mut guest), "2");
    });
}

#[test]
fn logging_in_again_ends_the_session_that_came() {
    over_each_carrier(&[], |fleet| {
        let mut user = fleet.log_in(0, "ada");
        let copy = user.clone();
        // Not if the login fails.
        fleet.try_to_log_in(1, &mut user, "ada", "a guess");
        fleet.assert_lives(&copy);
        fleet.try_to_log_in(1, &mut user, "ada", PASSWORD);
        fleet.assert_lives(&user);
        fleet.assert_ended(&copy);
    });
}

#[test]
fn what_was_ended_stays_so_after_restarts_and_under_another_secret() {
    over_each_carrier(&[], |mut fleet| {
        let [mut out, everywhere, lives] =
            ["ada", "grace", "root"].map(|name| fleet.log_in(0, name));
        let copy = out.clone();
        fleet.do_post(1, &mut out, "/logout");
        fleet.do_post(2, &mut everywhere.clone(), "/sign-out-everywhere");
        fleet.assert_ended(&copy);
        let check = |fleet: &Fleet| {
            // At once: a process listens when it knows what was ended.
            for index in fleet.all() {
                assert_eq!(fleet.who(index, &copy), None);
                assert_eq!(fleet.who(index, &everywhere), None);
            }
            fleet.assert_lives(&lives);
        };
        for index in fleet.all() {
            fleet.restart(index);
            check(&fleet);
        }
        fleet.restart_all();
        check(&fleet);
        fleet.rotate("the next secret of this site, which is long enough as well");
        check(&fleet);
    });
}

#[test]
fn a_browser_that_watches_is_told_at_once() {
    over_each_carrier(&[], |fleet| {
        let mut user = fleet.log_in(0, "ada");
        thread::scope(|scope| {
            let (fleet, mut copy) = (&fleet, user.clone());
            let watches =
                scope.spawn(move || fleet.visit(2, &mut copy, |visitor| visitor.get("/watch")));
            thread::sleep(Duration::from_millis(500));
            assert!(!watches.is_finished());
            let start = Instant::now();
            fleet.do_post(1, &mut user, "/logout");
            let answer = watches.join().unwrap();
            assert_eq!((answer.status, answer.body.as_str()), (200, "ended"));
            assert!(start.elapsed() < LATER, "{:?}", start.elapsed());
        });
    });
}

#[test]
fn the_same_logout_a_hundred_times_is_one_line() {
    over_each_carrier(&[], |fleet| {
        let user = fleet.log_in(0, "ada");
        thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| fleet.do_post(0, &mut user.clone(), "/logout"));
            }
        });
        fleet.assert_ended(&user);
        assert_eq!(fleet.lines().len(), 1);
    });
}
