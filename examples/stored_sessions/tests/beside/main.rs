//! Holds that the service and a Django with its default engine are one site.
//!
//! Django is asked for whatever is in the table: it is what the rows have to be good for. Each test
//! runs on SQLite and on a PostgreSQL that the tests start. `tests/support/src/django.rs` says which
//! Djangos there are.

mod server;
mod site;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use support::visitor::connect;

use server::Server;
use site::{Kind, PASSWORD, Person, Site, beside_each_django};

/// Creates two tests from each story: one on SQLite, one on PostgreSQL.
macro_rules! on_both_databases {
    ($($story:ident)*) => {
        mod sqlite {
            $(#[test] fn $story() { super::beside_each_django(super::Kind::Sqlite, super::$story); })*
        }
        mod postgresql {
            $(#[test] fn $story() { super::beside_each_django(super::Kind::Postgres, super::$story); })*
        }
    };
}

on_both_databases! {
    a_login_in_django_holds_in_rust_until_logout_there
    a_login_in_rust_gives_a_new_key_and_holds_in_django
    who_is_logged_in_is_decided_by_the_current_row
    a_row_that_is_over_or_gone_is_not_revived
    each_write_moves_the_end_of_the_row
    a_delete_that_races_a_save_wins_on_both_sides
    what_is_not_a_key_leads_nowhere
    a_row_that_cannot_be_read_is_left_alone
    what_fails_changes_nothing
}

const STRANGER: &str = "hello, stranger\ncart: \n";

/// Sends the form of the cart to Rust.
fn add(person: &mut Person, thing: &str) {
    let answer = person.rust.post("/cart", "thing", thing);
    assert_eq!(answer.status, 303, "{answer:?}");
}

fn log_in_in_rust(person: &mut Person, name: &str, password: &str) -> u16 {
    let fields = [("username", name), ("password", password)];
    person.rust.post_form("/login", &fields).status
}

fn a_login_in_django_holds_in_rust_until_logout_there(site: &Site) {
    let mut ada = site.ada();
    let key = ada.key();
    assert_eq!(ada.sees(), "hello, ada\ncart: \n");
    let answer = ada.rust.get("/");
    assert_eq!(answer.header("vary"), "Cookie");
    assert_eq!(answer.values("set-cookie").count(), 0, "reading writes nothing: {answer:?}");

    add(&mut ada, "apples");
    assert_eq!(ada.sees(), "hello, ada\ncart: apples\n");
    ada.in_django(|django| django.get("/set/cart?thing=pears"));
    add(&mut ada, "figs");
    assert_eq!(ada.sees(), "hello, ada\ncart: apples, pears, figs\n");
    assert_eq!(ada.key(), key);

    let answer = ada.rust.post("/logout", "", "");
    assert!(answer.header("set-cookie").contains("Max-Age=0"), "{answer:?}");
    assert_eq!(ada.key(), "");
    assert_eq!(site.row(&key), serde_json::Value::Null, "no copy of the cookie is of any use");
    ada.set_key(&key);
    assert_eq!(ada.sees(), STRANGER);
}

fn a_login_in_rust_gives_a_new_key_and_holds_in_django(site: &Site) {
    let mut ada = site.person();
    assert_eq!(ada.sees(), STRANGER);
    assert_eq!(ada.key(), "", "a visitor without entries gets no session");
    add(&mut ada, "apples");
    ada.in_django(|django| django.get("/set/discount?thing=100"));
    let planted = ada.key();
    assert!(planted.len() == 32 && planted.bytes().all(|byte| byte.is_ascii_alphanumeric()));

    assert_eq!(log_in_in_rust(&mut ada, "ada", "a guess"), 403);
    assert_eq!(log_in_in_rust(&mut ada, "nobody", PASSWORD), 403);
    assert_eq!(ada.key(), planted);
    assert_eq!(log_in_in_rust(&mut ada, "ada", PASSWORD), 303);
    assert_ne!(ada.key(), planted);
    assert_eq!(site.row(&planted), serde_json::Value::Null, "what was planted leads to nothing");
    assert_eq!(ada.sees(), "hello, ada\ncart: apples\n");
    assert_eq!(site.row(&ada.key())["data"].get("discount"), None);
    let login = site.ask("/user/ada")["last_login"].as_f64().expect("a moment");
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs_f64();
    assert!((now - login).abs() < 60.0, "{login} is not {now}");
    let admin = ada.in_django(|django| django.get("/admin/"));
    assert_eq!(admin.status, 200, "{admin:?}");

    // Again, with another key.
    let first = ada.key();
    assert_eq!(log_in_in_rust(&mut ada, "ada", PASSWORD), 303);
    assert_ne!(ada.key(), first);
    assert_eq!(site.rows().len(), 1);

    ada.in_django(|django| django.get("/logout"));
    assert_eq!(ada.key(), "");
    assert_eq!(ada.sees(), STRANGER);
}

fn who_is_logged_in_is_decided_by_the_current_row(site: &Site) {
    let new = "something else that nobody guesses";
    site.ask(&format!("/user/eve?password={}", PASSWORD.replace(' ', "%20")));
    let mut eve = site.person();
    assert_eq!(log_in_in_rust(&mut eve, "eve", PASSWORD), 303);
    assert_eq!(eve.sees(), "hello, eve\ncart: \n");

    // Nobody, and the session stays: it may be a mistake that is soon undone.
    site.ask("/user/eve?active=no");
    assert_eq!(eve.sees(), STRANGER);
    assert_eq!(log_in_in_rust(&mut site.person(), "eve", PASSWORD), 403);
    site.ask("/user/eve?active=yes");
    assert_eq!(eve.sees(), "hello, eve\ncart: \n");

    let key = eve.key();
    site.ask(&format!("/user/eve?password={}", new.replace(' ', "%20")));
    assert_eq!(eve.rust.get("/").body, STRANGER);
    assert_eq!((eve.key(), site.row(&key)), (String::new(), serde_json::Value::Null));
    assert_eq!(log_in_in_rust(&mut eve, "eve", PASSWORD), 403);
    assert_eq!(log_in_in_rust(&mut eve, "eve", new), 303);
    assert_eq!(eve.sees(), "hello, eve\ncart: \n");
}

fn a_row_that_is_over_or_gone_is_not_revived(site: &Site) {
    for is_gone in [false, true] {
        let mut ada = site.ada();
        let key = ada.key();
        site.ask(&format!("/expire/{key}"));
        if is_gone {
            site.ask("/clear-expired");
        }
        let before = site.row(&key);
        assert_eq!(before.is_null(), is_gone);
        let answer = ada.rust.get("/");
        assert_eq!(answer.body, STRANGER);
        assert_eq!(answer.values("set-cookie").count(), 0, "reading leaves it alone: {answer:?}");
        assert_eq!(answer.header("vary"), "Cookie");

        // Never under the key that the cookie had: anyone can have planted it.
        add(&mut ada, "apples");
        assert_ne!(ada.key(), key);
        assert_eq!(ada.sees(), "hello, stranger\ncart: apples\n");
        assert_eq!(site.row(&key)["text"], before["text"]);
        ada.rust.post("/logout", "", "");
        assert_eq!(ada.key(), "");
    }
}

fn each_write_moves_the_end_of_the_row(site: &Site) {
    const TWO_WEEKS: f64 = 1_209_600.0;
    let mut ada = site.person();
    // By Django's own clock and rules, Django saves what Rust is to save alike.
    for (seconds, lasts, max_age) in
        [("0", TWO_WEEKS, None), ("300", 300.0, Some("300")), ("100000", 100_000.0, Some("100000"))]
    {
        let path = format!("/set-expiry?seconds={seconds}");
        let in_django = ada.in_django(|django| django.get(&path));
        let by_django = site.row(&ada.key())["expires"].as_f64().expect("seconds");
        let in_rust = ada.rust.post("/cart", "thing", "apples");
        let by_rust = site.row(&ada.key())["expires"].as_f64().expect("seconds");
        for left in [by_django, by_rust] {
            assert!((lasts - 30.0..=lasts).contains(&left), "{left} is left, and not {lasts}");
        }
        for answer in [in_django, in_rust] {
            let cookie = answer.header("set-cookie").to_lowercase();
            let said = cookie.split("; ").find_map(|part| part.strip_prefix("max-age="));
            assert_eq!(said, max_age, "{cookie}");
            for attribute in ["; httponly", "; samesite=lax", "; path=/"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert!(!cookie.contains("secure"), "{cookie}");
            assert!(answer.header("vary").contains("Cookie"), "{answer:?}");
        }
    }
}

fn a_delete_that_races_a_save_wins_on_both_sides(site: &Site) {
    let mut ada = site.ada();
    let key = ada.key();
    // The service has loaded the session once it asks for the rest of the form.
    let mut slow = connect(site.rust.address).expect("it listens");
    write!(
        slow,
        "POST /cart HTTP/1.1\r\nHost: {}\r\nCookie: sessionid={key}\r\nExpect: 100-continue\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\
         Connection: close\r\n\r\n",
        site.rust.address
    )
    .expect("it reads");
    let mut reader = BufReader::new(slow.try_clone().expect("a second handle"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("it answers");
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");

    ada.in_django(|django| django.get("/logout"));
    slow.write_all(b"thing=apples").expect("it reads");
    let mut answer = String::new();
    reader.read_to_string(&mut answer).expect("it answers");
    let answer = answer.trim_start();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("session was deleted before the request completed"), "{answer}");
    assert!(!answer.to_lowercase().contains("set-cookie"), "{answer}");
    assert!(site.rows().is_empty(), "what was logged out stays so: {:?}", site.rows());

    // Django's own answer to the same.
    let mut eve = site.person();
    add(&mut eve, "figs");
    let interrupted = eve.in_django(|django| django.get("/interrupted"));
    assert_eq!(interrupted.status, 400);
    assert!(interrupted.body.contains("deleted before the request completed"));
    assert!(site.rows().is_empty());
}

fn what_is_not_a_key_leads_nowhere(site: &Site) {
    let mut ada = site.ada();
    let key = ada.key();
    let rows = site.rows().len();
    for value in [
        "",
        "short-1",
        "abcdefg",
        &key.to_uppercase(),
        &format!("{key}0"),
        &format!("{key}{key}"),
        &key[..31],
        &format!("%{}", &key[1..]),
        &format!("_{}", &key[1..]),
        "' OR '1'='1",
        "x' OR session_key LIKE '%",
        "../../../../../../../../etc/passwd",
        "django.contrib.sessions.cached_db",
        "%00%00%00%00%00%00%00%00",
        "\\000\\000\\000\\000\\000\\000\\000\\000",
        "eyJhIjoxfQ:1r31eq:-erKf6X8XuUqGwrV8KEYexjqNCph05oz8-C135MZMYM",
    ] {
        ada.set_key(value);
        let answer = ada.rust.get("/");
        assert_eq!((answer.status, &*answer.body), (200, STRANGER), "{value:?}: {answer:?}");
        assert_eq!(answer.values("set-cookie").count(), 0, "{value:?}: {answer:?}");
    }
    assert_eq!(site.rows().len(), rows);
    assert_eq!(site.rust.log(), "", "a statement that fails is logged");

    // Of several the last, as in Django.
    ada.set_key(&format!("{key}; sessionid=abcdefgh"));
    assert_eq!(ada.rust.get("/").body, STRANGER);
    ada.set_key(&format!("abcdefgh; sessionid={key}"));
    assert_eq!(ada.sees(), "hello, ada\ncart: \n");
}

fn a_row_that_cannot_be_read_is_left_alone(site: &Site) {
    let mut ada = site.ada();
    let key = ada.key();
    // Signed with another secret.
    let text = "eyJhIjoxfQ:1r31eq:-erKf6X8XuUqGwrV8KEYexjqNCph05oz8-C135MZMYM";
    site.ask(&format!("/replace/{key}?data={text}"));
    assert_eq!(ada.rust.get("/").body, STRANGER);
    site.rust.expect_log("the data of a session cannot be read: the signature matches no key");
    assert!(!site.rust.log().contains(&key), "a key is worth a login: {}", site.rust.log());
    add(&mut ada, "apples");
    assert_ne!(ada.key(), key);
    assert_eq!(site.row(&key)["text"], text);
    assert_eq!(ada.sees(), "hello, stranger\ncart: apples\n");
}

fn what_fails_changes_nothing(site: &Site) {
    let mut ada = site.ada();
    add(&mut ada, "apples");
    let (key, row) = (ada.key(), site.row(&ada.key()));
    // More than a session may have: an error, and no session that cannot be read afterwards.
    let answer = ada.rust.post("/cart", "thing", &"x".repeat(1 << 20));
    assert_eq!((answer.status, answer.values("set-cookie").count()), (500, 0), "{answer:?}");
    site.rust.expect_log("1048576");
    assert!(!site.rust.log().contains("xxxx"));
    assert_eq!((ada.key(), &site.row(&key)["text"]), (key, &row["text"]));

    // What does not ask for the session says nothing of it, and needs no database.
    let answer = ada.rust.get("/about");
    for name in ["set-cookie", "vary", "cache-control"] {
        assert_eq!(answer.values(name).count(), 0, "{answer:?}");
    }
    let about = connect(site.rust.address).and_then(|mut stream| {
        write!(
            stream,
            "POST /logout HTTP/1.1\r\nHost: {}\r\nOrigin: http://127.0.0.1:1\r\n\
             Cookie: sessionid={}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            site.rust.address,
            ada.key()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    assert!(about.expect("it answers").starts_with("HTTP/1.1 403 "));
    assert_eq!(ada.sees(), "hello, ada\ncart: apples\n");

    if site.database.starts_with("postgres:") {
        // As after a restart of the server.
        Server::get().cut_connections(&site.database);
        assert_eq!(ada.rust.get("/").body, "hello, ada\ncart: apples\n");
    }
}
