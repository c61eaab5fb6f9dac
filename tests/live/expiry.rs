//! Wishes of when a session ends, as Python has them and as this crate has them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use signed_session::{Expiry, Session};
use time::{OffsetDateTime, UtcOffset};

use crate::clock::{microseconds, moment};
use crate::random::Random;

/// What a session is asked, with the site's settings.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// In milliseconds since 1970, as all times here.
    pub later: i64,
    pub modification: Option<i64>,
    pub browser_close: bool,
}

/// What the three getters say.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Getters {
    /// In microseconds.
    pub age: i64,
    /// In microseconds since 1970; nothing if Python has no such date.
    pub date: Option<i64>,
    pub at_browser_close: bool,
}

impl Asked {
    /// What Django must say of what was wished for here, with nothing written and read between.
    pub fn of_wish(&self, wish: Expiry, cookie_age: Duration) -> Option<Getters> {
        let wish = match wish {
            // Written as over at once: for Django 0 is the browser's end.
            Expiry::After(Duration::ZERO) => return None,
            // Cut to what Python's dates can say.
            Expiry::At(moment) => {
                let microsecond = moment.microsecond();
                Expiry::At(moment.replace_microsecond(microsecond).expect("as it was"))
            }
            wish => wish,
        };
        let modification = moment(self.modification.unwrap_or(self.later));
        Some(Getters {
            age: microseconds(wish.age(cookie_age, modification).whole_nanoseconds()),
            date: Some(microseconds(wish.date(cookie_age, modification).unix_timestamp_nanos())),
            at_browser_close: wish.at_browser_close(self.browser_close),
        })
    }

    /// What the crate's getters say of a session.
    pub fn of(&self, session: &Session, cookie_age: Duration) -> Getters {
        let modification = moment(self.modification.unwrap_or(self.later));
        let usable = "Django's expiry is usable";
        let age = session.expiry_age(cookie_age, modification).expect(usable);
        let date = session.expiry_date(cookie_age, modification).expect(usable);
        Getters {
            age: microseconds(age.whole_nanoseconds()),
            date: Some(microseconds(date.unix_timestamp_nanos())),
            at_browser_close: session.expires_at_browser_close(self.browser_close).expect(usable),
        }
    }
}

impl Random {
    /// An argument of Django's `set_expiry`, as the worker spells them.
    pub fn python_wish(&mut self, now: i64) -> Value {
        match self.below(9) {
            0 => json!(["none", null]),
            1 => json!(["number", self.pick(&[json!(0), json!(false), json!(0.0), json!(-0.0)])]),
            2 => json!(["number", self.within(-1_000_000, 100_000_000)]),
            3 => json!(["number", *self.pick(&[1, -1, 1_000_000_000_000, -1_000_000_000_000_i64])]),
            4 => json!(["number", self.within(-10_000_000_000, 10_000_000_000) as f64 / 1e6]),
            5 => json!(["duration", self.microseconds()]),
            6 => {
                // Python allows offsets of seconds; local mean time has them.
                let offset = *self.pick(&[0, 3600, 20_700, -12_600, 1172, -2670, 86_399, -86_399]);
                json!(["offset", [self.date(now), offset]])
            }
            7 => {
                let zones = ["Europe/Paris", "Asia/Kolkata", "America/St_Johns", "Africa/Monrovia"];
                json!(["zone", [self.date(now), self.pick(&zones)]])
            }
            _ => json!(["offset", [self.date(now), 0]]),
        }
    }

    /// A wish of this crate.
    pub fn wish(&mut self, now: i64) -> Expiry {
        match self.below(6) {
            0 => Expiry::Default,
            1 => Expiry::AtBrowserClose,
            2 => Expiry::After(Duration::from_secs(*self.pick(&[
                0,
                1,
                60,
                86_400,
                1_000_000_000_000,
            ]))),
            3 => Expiry::After(Duration::from_micros(self.within(0, 10_000_000_000) as u64)),
            4 => Expiry::After(Duration::from_secs(self.within(0, 1 << 33) as u64)),
            _ => {
                let nanoseconds =
                    i128::from(self.date(now)) * 1000 + i128::from(self.within(0, 999));
                let offset = self.within(-50_000, 50_000) as i32;
                let offset = UtcOffset::from_whole_seconds(offset).expect("less than a day");
                let moment =
                    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).expect("a date");
                Expiry::At(moment.to_offset(offset))
            }
        }
    }

    fn microseconds(&mut self) -> i64 {
        let any = self.within(-1_000_000_000_000_000, 1_000_000_000_000_000);
        *self.pick(&[any, any / 1_000_000 * 1_000_000, 86_400_000_000, 1, -1, 0, any / 1_000_000])
    }

    /// Microseconds since 1970 of a date near now or, rarely, anywhere from the year 2 to 9998.
    fn date(&mut self, now: i64) -> i64 {
        if self.once_in(10) {
            return self.within(-62_100_000_000_000_000, 253_300_000_000_000_000);
        }
        now * 1000 + self.microseconds()
    }
}
