//! Checks in Chromium that `SessionManager::retire` carries visitors over a change of the cookie.

use signed_session::{
    ConfigError, CookieOptions, DecodeError, Keyring, Session, SessionCodec, SessionManager,
};
use signed_session_browser_tests::{Chromium, Origin, Visitor};

/// The host that most changes are tried on, and the domain that it is in.
const HOST: &str = "shop.example.localhost";
const DOMAIN: &str = "example.localhost";

/// A page to which the cookies of both paths are sent, and one outside of `/app`.
const INSIDE: &str = "/app/page";
const OUTSIDE: &str = "/page";

/// A change of a site's cookie.
struct Change {
    host: &'static str,
    former: CookieOptions,
    current: CookieOptions,
}

impl Change {
    fn is_of_name(&self) -> bool {
        self.former.name() != self.current.name()
    }

    /// Returns `false` on `localhost`, where Chromium treats `Domain=localhost` as no domain.
    fn leaves_two_cookies(&self) -> bool {
        self.host != "localhost"
    }
}

/// Returns a change of every kind that leaves browsers with the former cookie.
fn changes() -> Result<Vec<Change>, ConfigError> {
    let name = CookieOptions::new;
    let change = |host, (former, current)| Change { host, former, current };
    let pairs = [
        // Another name, and what browsers demand of either.
        (name("sid")?, name("sessionid")?),
        (name("sid")?, name("SID")?),
        (name("sid")?, name("__Host-sid")?),
        (name("__Host-sid")?, name("__Http-sid")?),
        (name("__Http-sid")?.path("/app")?, name("__Host-Http-sid")?),
        (name("__Host-Http-sid")?, name("sid")?.domain(DOMAIN)?),
        (name("sid")?.partitioned(true), name("sessionid")?),
        // Another path.
        (name("sid")?.path("/app")?, name("sid")?),
        (name("sid")?, name("sid")?.path("/app")?),
        (name("sid")?.path("/app")?, name("sid")?.path("/app/")?),
        (name("__Http-sid")?.path("/app")?, name("__Http-sid")?),
        // Another domain.
        (name("sid")?.domain(DOMAIN)?, name("sid")?),
        (name("sid")?, name("sid")?.domain(DOMAIN)?),
        (name("sid")?.domain(HOST)?, name("sid")?),
        (name("__Secure-sid")?.domain(DOMAIN)?, name("__Secure-sid")?.domain(HOST)?),
        // Another partition: Chromium keeps a cookie with `Partitioned` and one without.
        (name("sid")?, name("sid")?.partitioned(true)),
        (name("sid")?.partitioned(true), name("sid")?),
        // Both.
        (name("sid")?.domain(DOMAIN)?.path("/app")?, name("sid")?),
    ];
    let pairs_on_localhost = [
        (name("sid")?.domain("localhost")?, name("sid")?),
        (name("sid")?, name("sid")?.domain("localhost")?),
    ];
    let on_localhost = pairs_on_localhost.map(|pair| change("localhost", pair));
    Ok(pairs.map(|pair| change(HOST, pair)).into_iter().chain(on_localhost).collect())
}

/// A site at which a visitor has a session with the name that they logged in under.
struct Shop<'v> {
    origin: Origin,
    visitor: &'v Visitor,
    manager: SessionManager,
    change: &'v Change,
}

fn manager(options: &CookieOptions) -> SessionManager {
    let ring = Keyring::new("example-only-correct-horse-battery-staple").expect("not blank");
    SessionManager::new(SessionCodec::new(&ring), options.clone())
}

impl<'v> Shop<'v> {
    fn before(change: &'v Change, visitor: &'v Visitor) -> Self {
        let (origin, manager) = (Origin::start(change.host), manager(&change.former));
        Self { origin, visitor, manager, change }
    }

    /// Changes the cookie, and names the former one.
    fn change(&mut self) {
        self.manager = manager(&self.change.current).retire(self.change.former.clone());
    }

    /// Changes the cookie without naming the former one.
    fn change_carelessly(&mut self) {
        self.manager = manager(&self.change.current);
    }

    /// Opens a page as the visitor, which does something to the session.
    fn open<T>(&self, path: &str, act: impl FnOnce(&mut Session) -> T) -> T {
        let mut result = None;
        self.origin.visit(self.visitor, path, |cookies| {
            let mut session = self.manager.load([cookies]);
            result = Some(act(&mut session));
            let reply = self.manager.commit(&session, 200).expect("it fits");
            let headers = reply.headers([]).into_iter();
            headers.filter(|(name, _)| *name == "set-cookie").map(|(_, value)| value).collect()
        });
        result.expect("the page was asked for")
    }

    /// Returns who the visitor is to a page that only reads, or why it does not know.
    fn reads(&self, path: &str) -> Result<Option<String>, DecodeError> {
        self.open(path, |session| {
            let user = session.get("user").expect("a name is text");
            session.refusal().map_or(Ok(user), |reason| Err(reason.clone()))
        })
    }

    #[track_caller]
    fn check_knows(&self, path: &str, user: &str) {
        assert_eq!(self.reads(path), Ok(Some(user.to_owned())));
    }

    #[track_caller]
    fn check_knows_nobody(&self, path: &str) {
        assert_eq!(self.reads(path), Ok(None));
    }

    fn log_in(&self, path: &str, user: &str) {
        self.open(path, |session| session.insert("user", user).expect("a name is JSON"));
    }

    fn write(&self, path: &str) {
        self.open(path, |session| {
            let count = session.get::<u32>("count").expect("it is a number").unwrap_or(0);
            session.insert("count", count + 1).expect("a number is JSON");
        });
    }

    fn log_out(&self, path: &str) {
        self.open(path, Session::flush);
    }

    /// Checks how many cookies the browser holds: it sends all of this site's to `INSIDE`.
    #[track_caller]
    fn check_holds(&self, count: usize) {
        let mut sent = String::new();
        self.origin.visit(self.visitor, INSIDE, |cookies| {
            cookies.clone_into(&mut sent);
            Vec::new()
        });
        assert_eq!(sent.split(';').filter(|pair| !pair.is_empty()).count(), count, "{sent}");
    }
}

/// Runs a story for each change. It must leave the browser without cookies, as it found it.
fn at_each_change(story: impl Fn(&mut Shop<'_>)) {
    let chromium = Chromium::start();
    let visitor = chromium.visitor();
    for change in &changes().expect("they can be built") {
        // Shown if the story fails.
        eprintln!("from {:?}\nto {:?}", change.former, change.current);
        let mut shop = Shop::before(change, &visitor);
        story(&mut shop);
        shop.check_holds(0);
    }
}

#[test]
fn a_login_outlasts_the_change_and_ends_with_a_logout() {
    at_each_change(|shop| {
        shop.log_in(INSIDE, "ada");
        shop.change();
        shop.check_knows(INSIDE, "ada");
        for _ in 0..2 {
            shop.write(INSIDE);
            shop.check_knows(INSIDE, "ada");
        }
        shop.check_holds(1);
        shop.log_out(INSIDE);
        shop.check_knows_nobody(INSIDE);
    });
}

#[test]
fn a_session_under_a_former_name_moves_when_it_is_read() {
    at_each_change(|shop| {
        if shop.change.is_of_name() {
            shop.log_in(INSIDE, "ada");
            shop.change();
            shop.check_knows(INSIDE, "ada");
            shop.check_holds(1);
            // The session has moved for good.
            shop.change_carelessly();
            shop.check_knows(INSIDE, "ada");
            shop.log_out(INSIDE);
        }
    });
}

#[test]
fn a_logout_right_after_the_change_ends_the_former_login() {
    at_each_change(|shop| {
        shop.log_in(INSIDE, "ada");
        shop.change();
        shop.log_out(INSIDE);
        shop.check_knows_nobody(INSIDE);
    });
}

#[test]
fn a_login_after_the_change_counts_and_the_former_one_is_gone() {
    at_each_change(|shop| {
        // Outside of `/app` a page may see nothing of the former cookie, nor leave the current one.
        for path in [INSIDE, OUTSIDE] {
            shop.manager = manager(&shop.change.former);
            shop.log_in(INSIDE, "ada");
            shop.change();
            shop.log_in(path, "bob");
            shop.check_knows(INSIDE, "bob");
            shop.check_holds(1);
            shop.log_out(INSIDE);
            shop.check_knows_nobody(INSIDE);
        }
    });
}

#[test]
fn a_careless_change_locks_out_until_the_former_is_retired() {
    at_each_change(|shop| {
        shop.log_in(INSIDE, "ada");
        shop.change_carelessly();
        shop.log_in(INSIDE, "bob");
        if shop.change.is_of_name() || !shop.change.leaves_two_cookies() {
            shop.check_knows(INSIDE, "bob");
        } else {
            assert_eq!(shop.reads(INSIDE), Err(DecodeError::Ambiguous));
        }
        shop.check_holds(if shop.change.leaves_two_cookies() { 2 } else { 1 });

        shop.change();
        let _ = shop.reads(INSIDE);
        shop.check_holds(1);
        shop.check_knows(INSIDE, "bob");
        shop.log_out(INSIDE);
    });
}

#[test]
fn a_login_outlasts_two_changes_whether_or_not_in_between() {
    let chromium = Chromium::start();
    let visitor = chromium.visitor();
    let options = |name| CookieOptions::new(name).expect("it is a token");
    let first = options("sid").path("/app").expect("it is a path");
    let second = options("sid").domain(DOMAIN).expect("it is a domain");
    let third = options("sessionid");
    let change = Change { host: HOST, former: first.clone(), current: second.clone() };
    for is_there_in_between in [false, true] {
        let mut shop = Shop::before(&change, &visitor);
        shop.log_in(INSIDE, "ada");
        shop.change();
        if is_there_in_between {
            shop.write(INSIDE);
        }
        shop.manager = manager(&third).retire(first.clone()).retire(second.clone());
        shop.check_knows(INSIDE, "ada");
        shop.check_holds(1);
        shop.write(OUTSIDE);
        shop.check_knows(OUTSIDE, "ada");
        shop.log_out(INSIDE);
        shop.check_holds(0);
    }
}

#[test]
fn a_logout_where_the_former_cookie_is_not_sent_ends_it_too() {
    let chromium = Chromium::start();
    let visitor = chromium.visitor();
    let current = CookieOptions::new("sid").expect("it is a token");
    let former = current.clone().path("/app").expect("it is a path");
    let change = Change { host: HOST, former, current };
    let mut shop = Shop::before(&change, &visitor);
    shop.log_in(INSIDE, "ada");
    shop.change();
    shop.check_knows(INSIDE, "ada");
    shop.log_out(OUTSIDE);
    shop.check_knows_nobody(INSIDE);
}
