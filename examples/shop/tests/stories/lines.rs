//! What is in the carrier that no process of the site wrote, or that was written by a wrong clock.

use std::thread;
use std::time::Duration;

use signed_session::Revocations;
use time::OffsetDateTime;

use crate::fleet::over_each_carrier;

#[test]
fn a_moment_a_year_ahead_locks_nobody_out() {
    over_each_carrier(&["--silence", "refuse"], |fleet| {
        let ada = fleet.log_in(0, "ada");
        let wrong = OffsetDateTime::now_utc() + time::Duration::days(365);
        let list = Revocations::new(Duration::from_secs(3600));
        fleet.append(&list.end_all_at(1, wrong).unwrap().to_string());
        fleet.append(&list.end_everyone_at(wrong).to_string());
        for process in &fleet.processes {
            process.expect_log("more than fifteen minutes in the future");
        }
        // Nor is it a silence: all else is known.
        thread::sleep(Duration::from_secs(6));
        fleet.assert_lives(&ada);
        let mut user = fleet.log_in(1, "ada");
        let copy = user.clone();
        fleet.do_post(1, &mut user, "/logout");
        fleet.assert_ended(&copy);
    });
}

#[test]
fn a_line_that_is_not_understood_is_a_silence_until_it_is_gone() {
    over_each_carrier(&["--silence", "refuse"], |mut fleet| {
        let ada = fleet.log_in(0, "ada");
        let mut grace = fleet.log_in(1, "grace");
        let copy = grace.clone();
        let position = fleet.append(r#"{"v":2,"subject":"1","provider":"x"}"#);
        // What follows it is applied all the same.
        fleet.do_post(1, &mut grace, "/logout");
        for index in fleet.all() {
            fleet.processes[index].expect_log("a line of ended sessions");
        }
        // Until the news is overdue.
        thread::sleep(Duration::from_secs(5));
        for index in fleet.all() {
            fleet.assert_soon("it is silent", || fleet.look(index, &ada).status == 503);
            let answer = fleet.look(index, &ada);
            assert_eq!(answer.header("retry-after"), "5");
            assert_eq!(answer.header("set-cookie"), "", "the cookie is kept");
            let log = fleet.processes[index].log();
            assert_eq!(log.matches("a line of ended sessions").count(), 1, "{log}");
        }
        // Nor does a process let anybody in that knows no more.
        fleet.restart(2);
        assert_eq!(fleet.look(2, &ada).status, 503);
        fleet.remove(&position);
        for index in fleet.all() {
            fleet.assert_soon("news are complete", || fleet.look(index, &ada).status == 200);
        }
        fleet.assert_lives(&ada);
        fleet.assert_ended(&copy);
    });
}
