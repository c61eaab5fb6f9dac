//! Holds that the explorer shows a visitor their session, and what becomes of it, in a real browser.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use signed_session_browser_tests::{
    Chromium, Site, Visitor, build_example, check_says, serve, until,
};

/// Starts an explorer with keys of its own: tests rotate them.
fn explorer() -> Site {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| build_example("explorer", "axum"));
    Site::start(&mut Command::new(program))
}

/// Visits the explorer, and checks that the page logged nothing.
fn visit(person: impl FnOnce(&Visitor, &Site)) {
    let (site, chromium) = (explorer(), Chromium::start());
    let visitor = chromium.visitor();
    visitor.open(&site.url("/"));
    person(&visitor, &site);
    check_quiet(&visitor, &site);
}

/// A page that is in order complains of nothing and asks nothing of other sites.
fn check_quiet(visitor: &Visitor, site: &Site) {
    assert_eq!(visitor.complaints(), [""; 0]);
    let requests = visitor.requests();
    assert!(requests.contains(&site.url("/style.css")), "requests are noticed: {requests:?}");
    for url in requests {
        assert!(url.starts_with(&site.url("/")) || url.starts_with("data:"), "{url}");
    }
}

fn set(visitor: &Visitor, key: &str, value: &str) {
    visitor.fill("Key", key);
    visitor.fill("Value, as JSON or text", value);
    visitor.click("Save entry");
}

/// Shows a first visit all the forms.
fn unfold_all(visitor: &Visitor) {
    visitor.unfold("Show all there is to try");
}

/// Returns how many buttons can be seen.
fn buttons(visitor: &Visitor) -> String {
    visitor.read(
        "`${[...document.querySelectorAll('button')].filter(one => one.checkVisibility()).length}`",
    )
}

/// Returns the stamp, which changes from one second to the next.
fn stamp(visitor: &Visitor) -> String {
    visitor.text("#token .stamp")
}

/// Reading a refused cookie leaves it as it is; writing replaces it.
fn check_is_replaced_when_written(visitor: &Visitor) {
    visitor.reload();
    check_says(visitor, "#verdict", "Refused");
    let answer = visitor.text("#page-answer");
    assert!(!answer.contains("set-cookie"), "{answer}");
    set(visitor, "cart", "[2]");
    check_says(visitor, "#verdict", "Verified by key 0.");
    check_says(visitor, "#json", r#"{"cart":[2]}"#);
}

// The instruments.

#[test]
fn a_page_that_complains_or_asks_elsewhere_is_noticed() {
    let chromium = Chromium::start();
    let visitor = chromium.visitor();
    visitor.open(
        "data:text/html,A page<script>console.log('hello'); null.length</script>\
         <img src='http://127.0.0.1:9/elsewhere'>",
    );
    until("three complaints", || (visitor.complaints().len() >= 3).then_some(()));
    let complaints = visitor.complaints().join("\n");
    for complaint in ["hello", "TypeError", "127.0.0.1:9"] {
        assert!(complaints.contains(complaint), "{complaint} is not in {complaints}");
    }
    assert!(visitor.requests().contains(&"http://127.0.0.1:9/elsewhere".to_owned()));
}

// A first visit.

#[test]
fn a_first_visit_is_offered_three_steps() {
    visit(|visitor, _| {
        check_says(visitor, "h2", "Three things to try");
        assert_eq!(visitor.read("`${document.querySelectorAll('#steps li').length}`"), "3");
        // The first step, and what can be set instead: no empty cards, and all else is folded up.
        assert_eq!(buttons(visitor), "2");
        assert!(!visitor.sees("#entries") && !visitor.sees("#page-answer"));

        visitor.click("Fill a cart");
        check_says(visitor, "#notice", "The cart is filled");
        check_says(visitor, "#json", r#"{"cart":["apples","bread"]}"#);
        check_says(visitor, "#verdict", "Verified by key 0.");
        check_says(visitor, "#steps", "Fill a cart (done)");

        visitor.click("Tamper with the cart");
        check_says(visitor, "#verdict", "Refused: the signature matches no key.");
        check_says(visitor, "#steps", "Tamper with the cart (done)");

        visitor.click("Rotate the key");
        check_says(visitor, "#notice", "The cart was filled and signed again.");
        check_says(visitor, "#verdict", "Verified by fallback key 1;");
        check_says(visitor, "#json", r#"{"cart":["apples","bread"]}"#);
        check_says(visitor, "#steps", "Rotate the key (done)");
        // From now on all of it is there.
        assert!(!visitor.sees("details"));
        visitor.reload();
        assert!(!visitor.sees("#steps"));
        check_says(visitor, "#verdict", "Verified by fallback key 1;");
    });
}

#[test]
fn the_three_steps_take_a_keyboard_and_no_javascript() {
    let (site, chromium) = (explorer(), Chromium::start());
    let visitor = chromium.visitor();
    visitor.forbid_javascript();
    visitor.open(&site.url("/"));
    for step in ["Fill a cart", "Tamper with the cart", "Rotate the key"] {
        visitor.tab_to(step);
        visitor.enter();
    }
    check_says(&visitor, "#verdict", "Verified by fallback key 1;");
    visitor.click("Delete the session");
    visitor.reload();
    visitor.tab_to("Show all there is to try");
    visitor.press_enter();
    visitor.tab_to("User name");
    visitor.type_text("ada");
    visitor.enter();
    check_says(&visitor, "#user", "ada is logged in.");
    check_quiet(&visitor, &site);
}

// Entries.

#[test]
fn an_entry_is_set_changed_and_removed() {
    visit(|visitor, _| {
        check_says(visitor, "#verdict", "No cookie. Your browser sent none");
        set(visitor, "name", "Zoë & <b>co</b>");
        check_says(visitor, "#notice", "“name” is set, as text");
        check_says(visitor, "#verdict", "Verified by key 0.");
        check_says(visitor, "#entries", "Zoë & <b>co</b>");
        check_says(visitor, "#json", r#"{"name":"Zo\u00eb & <b>co</b>"}"#);
        check_says(visitor, "#form-answer", "set-cookie: explorer_session=");
        check_says(visitor, "#form-answer", "HttpOnly; SameSite=Lax; Path=/; Max-Age=1209600");
        check_says(visitor, "#form-answer", "vary: Cookie");
        check_says(visitor, "#form-answer", "cache-control: private");
        check_says(visitor, "#page-answer", "vary: Cookie");
        assert!(!visitor.text("#page-answer").contains("set-cookie"));

        // What was sent is what came back.
        let token = visitor.text("#token");
        check_says(visitor, "#form-answer", &format!("set-cookie: {token}; "));

        set(visitor, "total", "12345678901234567890123");
        check_says(visitor, "#notice", "as the JSON that you typed");
        set(visitor, "name", r#"{"first": "Ada"}"#);
        check_says(
            visitor,
            "#json",
            r#"{"name":{"first": "Ada"},"total":12345678901234567890123}"#,
        );

        visitor.click("Remove name");
        check_says(visitor, "#notice", "“name” is removed.");
        check_says(visitor, "#json", r#"{"total":12345678901234567890123}"#);
        visitor.click("Remove total");
        check_says(visitor, "#entries", "Nothing.");
        check_says(visitor, "#json", "{}");
        // Emptied, it is still a session.
        check_says(visitor, "#verdict", "Verified by key 0.");
    });
}

#[test]
fn the_size_is_shown_and_so_is_what_compression_does() {
    visit(|visitor, _| {
        set(visitor, "short", "text");
        check_says(visitor, ".parts .payload", "not compressed");
        let token = visitor.text("#token").len() - "=".len();
        check_says(visitor, "#size", &format!("{token} of 4,096 bytes"));
        assert_eq!(visitor.read("`${document.querySelector('meter').value}`"), token.to_string());

        visitor.fill("Key", "long");
        visitor.paste("Value, as JSON or text", &"long ".repeat(400));
        visitor.click("Save entry");
        check_says(visitor, ".parts .payload", "2,");
        check_says(visitor, ".parts .payload", "bytes of JSON, compressed");
        assert!(visitor.text("#token .payload").starts_with('.'));

        // The browser's own base64 says what it would be without.
        let json = "btoa(document.querySelector('#json').innerText).replaceAll('=', '')";
        let without: usize = visitor.read(&format!("`${{{json}.length}}`")).parse().unwrap();
        let saved = without - visitor.text("#token .payload").len();
        let size = visitor.text("#size").replace(',', "");
        assert!(saved > 1000 && size.ends_with(&format!("which saved {saved}")), "{size}, {saved}");
    });
}

#[test]
fn an_entry_too_large_is_refused_in_words_and_the_session_stays() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        let token = visitor.text("#token");
        // Digits that do not repeat, so that compressing them helps little.
        let digits = (0_u64..1500).map(|n| (n * n * n * 2_654_435_761 % 99_991).to_string());
        visitor.fill("Key", "novel");
        visitor.paste("Value, as JSON or text", &digits.collect::<String>());
        visitor.click("Save entry");
        check_says(visitor, "#notice", "Nothing was saved, and you keep what you had");
        check_says(visitor, "#notice", "more than the limit of 4096");
        check_says(visitor, "#notice", "novel takes");
        check_says(visitor, "#form-answer", "nothing about the session");
        assert_eq!(visitor.text("#token"), token);
        check_says(visitor, "#json", r#"{"cart":[1]}"#);
    });
}

// Who it is.

#[test]
fn login_starts_a_fresh_session_and_logout_deletes_the_cookie() {
    visit(|visitor, _| {
        set(visitor, "before", "1");
        visitor.fill("User name", "ada");
        visitor.click("Log in");
        check_says(visitor, "#notice", "ada is logged in, with a session that holds nothing");
        check_says(visitor, "#user", "ada is logged in.");
        check_says(visitor, "#json", r#"{"user":"ada","_session_id":"#);

        visitor.click("Log out");
        check_says(visitor, "#notice", "You are logged out. The browser was told to delete");
        check_says(visitor, "#form-answer", "set-cookie: explorer_session=; ");
        check_says(visitor, "#form-answer", "Max-Age=0");
        check_says(visitor, "#verdict", "No cookie.");
    });
}

#[test]
fn a_login_can_keep_the_cart() {
    visit(|visitor, _| {
        set(visitor, "discount", "100");
        assert!(!visitor.sees("[name=keep_cart]"), "there is no cart to keep");
        set(visitor, "cart", "[1]");
        visitor.fill("User name", "ada");
        visitor.tick("Keep the cart, and nothing else");
        visitor.click("Log in");
        check_says(visitor, "#notice", "holds nothing from before but the cart.");
        check_says(visitor, "#json", r#"{"cart":[1],"user":"ada","#);
        assert!(!visitor.text("#json").contains("discount"));

        visitor.click("Log out");
        set(visitor, "cart", "[2]");
        visitor.fill("User name", "ada");
        visitor.click("Log in");
        assert!(!visitor.text("#json").contains("cart"));
    });
}

#[test]
fn the_cookie_is_copied_as_it_is() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        visitor.tab_to("Copy the cookie");
        visitor.press_enter();
        until("the copy", || (visitor.text("#copied") == "Copied.").then_some(()));
        visitor.tab_to("Value, as JSON or text");
        visitor.paste_what_was_copied();
        let pasted = visitor.read("document.querySelector('#value').value");
        assert_eq!(pasted, visitor.text("#token"));
    });
}

#[test]
fn a_session_is_cycled_with_another_stamp_and_flushed_away() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        let first = stamp(visitor);
        until("another stamp", || {
            visitor.click("Sign it again");
            (stamp(visitor) != first).then_some(())
        });
        check_says(visitor, "#notice", "The browser got a new cookie.");
        check_says(visitor, "#json", r#"{"cart":[1]}"#);

        visitor.click("Delete the session");
        check_says(visitor, "#notice", "The session is deleted. The browser was told to delete");
        check_says(visitor, "#verdict", "No cookie.");
        visitor.click("Delete the session");
        check_says(visitor, "#notice", "No cookie was sent");
        check_says(visitor, "#form-answer", "vary: Cookie");
    });
}

#[test]
fn a_stolen_copy_is_refused_after_signing_out_everywhere() {
    visit(|visitor, site| {
        unfold_all(visitor);
        visitor.click("Steal a copy of this cookie");
        check_says(visitor, "#notice", "There is no cookie to copy");
        assert!(!visitor.sees("#copy"));

        visitor.fill("User name", "ada");
        visitor.click("Log in");
        let token = visitor.text("#token");
        visitor.click("Steal a copy of this cookie");
        check_says(visitor, "#notice", "Somebody has a copy of your cookie now.");
        assert_eq!(visitor.text("#copy"), token);
        check_says(visitor, "#copy-verdict", "Accepted. Whoever sends it is ada to the server.");

        // What the visitor writes, and which key signs, does not end it.
        set(visitor, "cart", "[1]");
        visitor.click("Rotate the key");
        check_says(visitor, "#copy-verdict", "Accepted.");
        assert_eq!(visitor.text("#copy"), token);

        visitor.click("Sign out everywhere");
        check_says(visitor, "#notice", "You are logged out everywhere");
        check_says(visitor, "#notice", "The browser was told to delete the cookie.");
        check_says(visitor, "#verdict", "No cookie.");
        check_says(visitor, "#copy-verdict", "Refused: the session was ended.");
        check_says(visitor, "#copy-verdict", "Its signature is right and its time is not over.");

        // What has ended stays so when the keys change.
        visitor.click("Rotate the key");
        check_says(visitor, "#copy-verdict", "Refused: the session was ended.");

        // Whoever has just logged in again is in, and the copy stays refused.
        visitor.fill("User name", "ada");
        visitor.click("Log in");
        check_says(visitor, "#verdict", "Verified by key 0.");
        check_says(visitor, "#copy-verdict", "Refused: the session was ended.");

        // The page told the truth: another browser that sends the copy is refused.
        let chromium = Chromium::start();
        let thief = chromium.visitor();
        thief.open(&site.url("/"));
        thief.read(&format!("(document.cookie = '{token}')"));
        thief.reload();
        check_says(&thief, "#verdict", "Refused: the session was ended.");

        visitor.click("Throw the copy away");
        assert!(!visitor.sees("#copy"));
    });
}

#[test]
fn every_browser_of_a_user_is_signed_out_everywhere() {
    let (site, chromium) = (explorer(), Chromium::start());
    let (desk, phone, other) = (chromium.visitor(), chromium.visitor(), chromium.visitor());
    for (visitor, user) in [(&desk, "ada"), (&phone, "ada"), (&other, "grace")] {
        visitor.open(&site.url("/"));
        unfold_all(visitor);
        visitor.fill("User name", user);
        visitor.click("Log in");
    }
    desk.click("Sign out everywhere");
    phone.reload();
    check_says(&phone, "#verdict", "Refused: the session was ended.");
    check_says(&phone, "#page-answer", "Max-Age=0");
    phone.reload();
    check_says(&phone, "#verdict", "No cookie.");
    other.reload();
    check_says(&other, "#user", "grace is logged in.");
}

#[test]
fn a_copy_of_an_anonymous_session_cannot_be_ended() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        visitor.click("Steal a copy of this cookie");
        check_says(visitor, "#copy-verdict", "Accepted. Nobody is logged in with it.");
        visitor.click("Delete the session");
        check_says(visitor, "#copy-verdict", "Accepted.");
        visitor.click("Rotate the key");
        visitor.click("Forget the old keys");
        check_says(visitor, "#copy-verdict", "Refused: the signature matches no key.");
    });
}

// When it ends.

#[test]
fn a_session_ends_when_it_is_told_to() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        check_says(visitor, "#left", "13 days 23:");

        visitor.fill("Seconds from its last writing", "300");
        visitor.click("End after these seconds");
        check_says(visitor, "#notice", "ends 300 seconds after it was last written");
        check_says(visitor, "#json", r#""_session_expiry":300"#);
        check_says(visitor, "#form-answer", "Max-Age=300");
        check_says(visitor, "#left", "00:0");

        visitor.click("End when the browser is closed");
        check_says(visitor, "#json", r#""_session_expiry":0"#);
        check_says(visitor, ".left", "or until the browser is closed");
        assert!(!visitor.text("#form-answer").contains("Max-Age"));

        visitor.fill("Date and time, UTC", "01022999");
        visitor.press_tab();
        visitor.type_text("0304AM");
        visitor.click("End at this date");
        check_says(visitor, "#notice", "ends at 2999-01-02 03:04:00 UTC");
        check_says(visitor, "#json", r#""_session_expiry":"2999-01-02T03:04:00+00:00""#);
        check_says(visitor, ".left", "It ends at 2999-01-02 03:04:00 UTC.");

        visitor.click("End after two weeks");
        check_says(visitor, "#json", r#"{"cart":[1]}"#);
        check_says(visitor, "#form-answer", "Max-Age=1209600");
    });
}

#[test]
fn the_time_left_is_counted_down_in_the_page() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        let first = visitor.text("#left");
        let left = until("a tick", || Some(visitor.text("#left")).filter(|left| *left != first));
        assert!(left.starts_with("13 days 23:"), "{left}");

        // Its own end, in the page that is open.
        visitor.fill("Seconds from its last writing", "2");
        visitor.tick("Let the browser keep the cookie past its end, as a thief would");
        visitor.click("End after these seconds");
        check_says(visitor, "#verdict", "Verified by key 0.");
        until("the end", || (visitor.text("#left") == "00:00:00 (reload the page)").then_some(()));
        // The verdict is as true as the clock, and the server says the same.
        let verdict = visitor.text("#verdict");
        assert!(verdict.starts_with("Refused from now on: its time is over."), "{verdict}");
        assert!(visitor.sees("[aria-live] > #verdict") && visitor.sees("#token.refused"));
        visitor.reload();
        check_says(visitor, "#verdict", "Refused: the token has expired");
    });
}

#[test]
fn a_browser_drops_a_cookie_when_its_time_is_over() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        visitor.fill("Seconds from its last writing", "2");
        visitor.click("End after these seconds");
        check_says(visitor, "#form-answer", "Max-Age=2");
        // Until then the page is left alone: the server may call it over a little earlier.
        until("the end", || (!visitor.holds_a_cookie()).then_some(()));
        visitor.reload();
        check_says(visitor, "#verdict", "No cookie.");
    });
}

#[test]
fn a_genuine_cookie_kept_past_its_time_is_refused() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        visitor.fill("Seconds from its last writing", "2");
        visitor.tick("Let the browser keep the cookie past its end, as a thief would");
        visitor.click("End after these seconds");
        assert!(!visitor.text("#form-answer").contains("Max-Age"));
        check_says(visitor, "#verdict", "Verified by key 0.");
        let verdict = until("the refusal", || {
            visitor.reload();
            Some(visitor.text("#verdict")).filter(|verdict| verdict.starts_with("Refused"))
        });
        assert!(verdict.contains("the token has expired: it was signed"), "{verdict}");
        assert!(verdict.contains("It was authentic"), "{verdict}");
        check_says(visitor, "#entries", "Nothing.");
        check_is_replaced_when_written(visitor);
    });
}

// What is wrong with it.

#[test]
fn a_tampered_cookie_is_refused_and_the_page_says_why() {
    visit(|visitor, _| {
        unfold_all(visitor);
        visitor.click("Tamper with the cookie");
        check_says(visitor, "#notice", "There is no cookie to change");
        check_says(visitor, "#entries", "Nothing.");
        check_says(visitor, "#page-answer", "vary: Cookie");

        set(visitor, "admin", "false");
        let payload = visitor.text("#token .payload");
        visitor.click("Tamper with the cookie");
        check_says(visitor, "#notice", "of your cookie's payload was changed");
        check_says(visitor, "#verdict", "Refused: the signature matches no key.");
        check_says(visitor, "#verdict", "It was not authentic");
        check_says(visitor, "#entries", "Nothing.");
        assert!(!visitor.sees("#json"), "nothing of what is refused is shown as data");
        let forged = visitor.text("#token .payload");
        let differs: Vec<_> =
            payload.chars().zip(forged.chars()).filter(|(was, is)| was != is).collect();
        assert_eq!((differs.len(), forged.len()), (1, payload.len()));

        // That character is marked, where it is and among its neighbours, before and after.
        let (was, is) = differs[0];
        assert_eq!(visitor.text("#token mark"), is.to_string());
        assert_eq!(visitor.text("#before mark"), was.to_string());
        assert_eq!(visitor.text("#after mark"), is.to_string());
        assert!(payload.contains(visitor.text("#before").trim_matches('…')));
        assert!(forged.contains(visitor.text("#after").trim_matches('…')));
        visitor.reload();
        assert!(!visitor.sees("mark"), "the mark goes with the note");
        check_is_replaced_when_written(visitor);
    });
}

#[test]
fn a_retired_key_verifies_until_it_is_dropped() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        check_says(visitor, "#keys", "Key 0: signs and verifies your cookie");

        visitor.click("Rotate the key");
        check_says(visitor, "#notice", "A new key signs from now on.");
        check_says(visitor, "#verdict", "Verified by fallback key 1;");
        check_says(visitor, "#verdict", "will be signed by the new key when it is next written");
        check_says(visitor, "#keys", "Key 1: fallback, verifies your cookie");
        check_says(visitor, "#json", r#"{"cart":[1]}"#);
        visitor.click("Rotate the key");
        check_says(visitor, "#verdict", "Verified by fallback key 2;");

        set(visitor, "cart", "[2]");
        check_says(visitor, "#verdict", "Verified by key 0.");
        check_says(visitor, "#json", r#"{"cart":[2]}"#);

        // What the first key signed is not harmed when the others go.
        visitor.click("Forget the old keys");
        check_says(visitor, "#verdict", "Verified by key 0.");
        assert!(!visitor.text("#keys").contains("fallback"));

        visitor.click("Rotate the key");
        visitor.click("Forget the old keys");
        check_says(visitor, "#notice", "All keys but the first are forgotten.");
        check_says(visitor, "#verdict", "Refused: the signature matches no key.");
        check_says(visitor, "#verdict", "It was not authentic");
        check_says(visitor, "#entries", "Nothing.");
    });
}

#[test]
fn only_the_last_four_keys_are_kept() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        for index in 1..4 {
            visitor.click("Rotate the key");
            check_says(visitor, "#verdict", &format!("Verified by fallback key {index};"));
        }
        visitor.click("Rotate the key");
        check_says(visitor, "#verdict", "Refused: the signature matches no key.");
    });
}

// Who uses it, and how.

#[test]
fn all_of_it_works_without_javascript() {
    let (site, chromium) = (explorer(), Chromium::start());
    let visitor = chromium.visitor();
    visitor.forbid_javascript();
    visitor.open(&site.url("/"));
    set(&visitor, "cart", "[1]");
    check_says(&visitor, "#json", r#"{"cart":[1]}"#);
    check_says(&visitor, "#left", "13 days 23:59:5");
    // What takes JavaScript is not offered.
    assert_eq!(visitor.read("`${document.querySelector('#copier').checkVisibility()}`"), "false");
    visitor.click("Rotate the key");
    check_says(&visitor, "#verdict", "Verified by fallback key 1;");
    visitor.click("Remove cart");
    check_says(&visitor, "#verdict", "Verified by key 0.");
    visitor.fill("User name", "ada");
    visitor.click("Log in");
    visitor.fill("Seconds from its last writing", "300");
    visitor.click("End after these seconds");
    check_says(&visitor, "#json", r#"{"user":"ada","_session_id":"#);
    check_says(&visitor, "#json", r#""_session_expiry":300"#);
    visitor.click("Tamper with the cookie");
    check_says(&visitor, "#verdict", "Refused: the signature matches no key.");
    visitor.fill("User name", "ada");
    visitor.click("Log in");
    visitor.click("Steal a copy of this cookie");
    check_says(&visitor, "#copy-verdict", "Accepted.");
    visitor.click("Sign out everywhere");
    check_says(&visitor, "#copy-verdict", "Refused: the session was ended.");
    visitor.click("Throw the copy away");
    visitor.click("Forget the old keys");
    visitor.click("Delete the session");
    check_says(&visitor, "#verdict", "No cookie.");
    assert!(!visitor.requests().contains(&site.url("/tick.js")), "JavaScript is off");
    check_quiet(&visitor, &site);
}

#[test]
fn all_of_it_can_be_done_from_the_keyboard() {
    visit(|visitor, _| {
        visitor.press_tab();
        assert_eq!(visitor.focused(), "Skip to the forms");
        visitor.press_enter();
        visitor.press_tab();
        assert_eq!(visitor.focused(), "Key");
        visitor.type_text("cart");
        visitor.press_tab();
        assert_eq!(visitor.focused(), "Value, as JSON or text");
        visitor.type_text("[1]");
        visitor.enter();
        check_says(visitor, "#json", r#"{"cart":[1]}"#);
        // The notice has the focus, so that it is read out first.
        assert_eq!(visitor.focused(), visitor.text("#notice"));

        visitor.tab_to("User name");
        visitor.type_text("ada");
        visitor.tab_to("Log in");
        visitor.enter();
        check_says(visitor, "#user", "ada is logged in.");

        visitor.tab_to("Steal a copy of this cookie");
        visitor.enter();
        check_says(visitor, "#copy-verdict", "Accepted.");
        visitor.tab_to("Sign out everywhere");
        visitor.enter();
        check_says(visitor, "#copy-verdict", "Refused: the session was ended.");
        visitor.tab_to("Throw the copy away");
        visitor.enter();
        assert!(!visitor.sees("#copy"));
        visitor.tab_to("User name");
        visitor.type_text("ada");
        visitor.enter();
        check_says(visitor, "#user", "ada is logged in.");

        visitor.tab_to("Seconds from its last writing");
        visitor.type_text("300");
        visitor.tab_to("Let the browser keep the cookie past its end, as a thief would");
        visitor.press_space();
        visitor.tab_to("Seconds from its last writing");
        visitor.enter();
        check_says(visitor, "#json", r#""_session_expiry":300"#);
        check_says(visitor, "#notice", "was not told when it ends");

        visitor.tab_to("Remove _session_expiry");
        visitor.enter();
        assert!(!visitor.text("#json").contains("_session_expiry"));
        for button in [
            "End when the browser is closed",
            "End after two weeks",
            "Sign it again",
            "Rotate the key",
        ] {
            visitor.tab_to(button);
            visitor.enter();
        }
        check_says(visitor, "#verdict", "Verified by fallback key 1;");
        visitor.tab_to("Forget the old keys");
        visitor.enter();
        check_says(visitor, "#verdict", "Refused");
        visitor.tab_to("Tamper with the cookie");
        visitor.enter();
        check_says(visitor, "#verdict", "Refused");
        visitor.tab_to("Delete the session");
        visitor.enter();
        check_says(visitor, "#verdict", "No cookie.");
    });
}

#[test]
fn what_has_the_focus_can_be_seen() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        visitor.open(&visitor.read("location.origin"));
        let mut seen = Vec::new();
        visitor.tab_to("Skip to the forms");
        while seen.last().is_none_or(|last: &String| !last.starts_with("200 OK")) {
            let outline = visitor.read("getComputedStyle(document.activeElement).outlineStyle");
            let focused = visitor.focused();
            assert_eq!(outline, "solid", "around {focused}");
            seen.push(focused);
            assert!(seen.len() < 60, "Tab leads to {seen:?}");
            visitor.press_tab();
        }
        for passed in
            ["Keys", "Remove cart", "Key", "Log in", "Sign it again", "Tamper with the cookie"]
        {
            assert!(seen.iter().any(|name| name == passed), "{passed} is not in {seen:?}");
        }
    });
}

/// Shows all that the page can show at once.
fn fill_the_page(visitor: &Visitor) {
    set(visitor, "cart", "[1]");
    visitor.fill("User name", "ada");
    visitor.click("Log in");
    visitor.click("Steal a copy of this cookie");
    visitor.click("Rotate the key");
    visitor.click("Tamper with the cookie");
}

#[test]
fn a_screen_reader_finds_a_name_for_everything() {
    visit(|visitor, _| {
        for is_full in [false, true] {
            if is_full {
                fill_the_page(visitor);
            }
            let heard = visitor.heard();
            let has = |role: &str, name: &str| {
                heard.iter().any(|(its, named)| its == role && named == name)
            };
            for (role, name) in [
                ("main", ""),
                ("heading", "Session explorer"),
                ("heading", "Your cookie"),
                ("region", "Your cookie"),
                ("button", "Save entry"),
                ("textbox", "Key"),
            ] {
                assert!(has(role, name), "there is no {role} {name:?} in {heard:?}");
            }
            assert_eq!(has("button", "Fill a cart"), !is_full);
            if is_full {
                assert!(has("meter", "Size") && has("region", "The stolen copy"));
            }
            let of = |role: &'static str| heard.iter().filter(move |(its, _)| its == role);
            for role in ["button", "link", "textbox", "spinbutton", "checkbox", "region", "heading"]
            {
                assert!(of(role).all(|(_, name)| !name.trim().is_empty()), "{role}: {heard:?}");
            }
            let mut names: Vec<_> = of("button").map(|(_, name)| name).collect();
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "two buttons have one name: {names:?}");
        }
    });
}

#[test]
fn no_button_has_a_name_of_the_api() {
    visit(|visitor, _| {
        unfold_all(visitor);
        let first = visitor.heard();
        fill_the_page(visitor);
        let heard = first.into_iter().chain(visitor.heard());
        let buttons: Vec<_> = heard.filter(|(role, _)| role == "button").collect();
        assert!(buttons.len() > 20, "{buttons:?}");
        let api = ["cycle", "flush", "begin", "fallback", "default", "expiry", "revo", "commit"];
        for (_, name) in buttons {
            let name = name.to_lowercase();
            assert!(api.iter().all(|word| !name.contains(word)), "{name}");
        }
    });
}

#[test]
fn all_text_stands_out_by_day_and_by_night() {
    visit(|visitor, _| {
        for is_full in [false, true] {
            if is_full {
                fill_the_page(visitor);
            }
            for is_dark in [false, true] {
                visitor.prefer(is_dark);
                assert_eq!(visitor.read(FAINTEST), "");
            }
        }
    });
}

/// Lists the texts whose contrast is below the 4.5 of WCAG 2.2, which has the formula.
const FAINTEST: &str = "(() => {
    const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const pixel = (colour) => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        return [...pen.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => {
        const [r, g, b] = pixel(colour).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return pixel(colour)[3] === 255 ? colour : ground(element.parentElement);
    };
    const has_text = (element) => element.checkVisibility() && [...element.childNodes]
        .some((node) => node.nodeType === 3 && node.textContent.trim());
    const texts = [...document.body.querySelectorAll('*')].filter(has_text);
    if (texts.length < 15) return `only ${texts.length} texts were found`;
    return texts.map((element) => {
        const pair = [light(getComputedStyle(element).color), light(ground(element))];
        const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        return contrast < 4.5 ? `${contrast.toFixed(2)}: ${element.outerHTML}` : '';
    }).join('');
})()";

#[test]
fn what_can_be_touched_is_large_enough() {
    visit(|visitor, _| {
        visitor.resize(320, 700);
        fill_the_page(visitor);
        // As WCAG 2.2 has it, in CSS pixels.
        let small = visitor.read(
            "[...document.querySelectorAll('main button, nav a, summary, label.check, .field input')]
                .filter((one) => one.checkVisibility())
                .filter((one) => one.offsetHeight < 24 || one.offsetWidth < 24)
                .map((one) => one.outerHTML).join('')",
        );
        assert_eq!(small, "");
    });
}

#[test]
fn two_visitors_see_each_their_own_session() {
    let (site, chromium) = (explorer(), Chromium::start());
    let (ada, grace) = (chromium.visitor(), chromium.visitor());
    ada.open(&site.url("/"));
    set(&ada, "name", "ada");
    grace.open(&site.url("/"));
    check_says(&grace, "#verdict", "No cookie.");
    set(&grace, "name", "grace");
    ada.reload();
    check_says(&ada, "#json", r#"{"name":"ada"}"#);
    check_says(&grace, "#json", r#"{"name":"grace"}"#);
    // Nor is the one told what was answered to the other.
    assert!(!ada.sees("#form-answer"));
    ada.click("Delete the session");
    grace.reload();
    check_says(&grace, "#json", r#"{"name":"grace"}"#);
    check_quiet(&ada, &site);
    check_quiet(&grace, &site);
}

#[test]
fn a_form_on_another_site_changes_nothing() {
    let (site, chromium) = (explorer(), Chromium::start());
    let visitor = chromium.visitor();
    visitor.open(&site.url("/"));
    set(&visitor, "cart", "[1]");
    // Another port is another origin but the same site: the cookie comes along.
    let other = serve(format!(
        "<form method=post action='{0}'><button name=do value=flush>Win</button></form>\
         <form method=post action='{0}'><button name=do value=rotate>Turn</button></form>",
        site.url("/")
    ));
    for button in ["Win", "Turn"] {
        visitor.open(&other);
        assert!(visitor.holds_a_cookie());
        visitor.click(button);
        check_says(&visitor, "body", "This form was sent by another site.");
    }
    visitor.open(&site.url("/"));
    check_says(&visitor, "#json", r#"{"cart":[1]}"#);
    check_says(&visitor, "#verdict", "Verified by key 0.");
}

#[test]
fn the_page_fits_a_narrow_screen() {
    visit(|visitor, _| {
        // The narrowest that accessible pages are to fit.
        visitor.resize(320, 700);
        check_fits(visitor);
        set(visitor, "a_key_that_is_rather_long_and_has_no_spaces_at_all", &"x1y2z3".repeat(60));
        visitor.click("Rotate the key");
        check_fits(visitor);
        visitor.click("Tamper with the cookie");
        check_fits(visitor);
        visitor.click("Steal a copy of this cookie");
        check_fits(visitor);
    });
}

#[test]
fn a_phone_shows_the_forms_before_the_answer() {
    visit(|visitor, _| {
        visitor.resize(390, 844);
        set(visitor, "cart", "[1]");
        let top = |selector: &str| -> f64 {
            let place = format!("document.querySelector('{selector}').getBoundingClientRect().top");
            visitor.read(&format!("`${{{place} + scrollY}}`")).parse().unwrap()
        };
        let order = ["#cookie", "#change", "#break", "#end", "#server-keys", "#answer-title"];
        let tops = order.map(top);
        assert!(tops.is_sorted(), "{order:?} start at {tops:?}");

        // Wherever one is, each part is one link away, and is then on the screen.
        for (link, part) in [("Keys", "#server-keys"), ("Break", "#break"), ("End", "#end")] {
            visitor.tab_to(link);
            let box_of = "document.activeElement.getBoundingClientRect()";
            assert_eq!(visitor.read(&format!("`${{{box_of}.top >= 0}}`")), "true");
            visitor.press_enter();
            let seen = format!(
                "(box => `${{box.top >= document.querySelector('nav').offsetHeight && \
                 box.top < innerHeight / 2 || box.bottom <= innerHeight}}`)\
                 (document.querySelector('{part}').getBoundingClientRect())"
            );
            until("the part", || (visitor.read(&seen) == "true").then_some(()));
            visitor.press_tab();
            visitor.read("(document.activeElement.blur(), '')");
        }
        visitor.read("(scrollTo(0, document.body.scrollHeight), '')");
        let nav = "document.querySelector('nav').getBoundingClientRect()";
        assert_eq!(visitor.read(&format!("`${{{nav}.top}}`")), "0");
    });
}

#[test]
fn the_date_can_be_read_as_a_whole_on_a_phone() {
    visit(|visitor, _| {
        set(visitor, "cart", "[1]");
        for width in [320, 390] {
            visitor.resize(width, 844);
            let room = visitor.read(
                "(field => {
                    const has = field.getBoundingClientRect().width;
                    field.style.width = 'max-content';
                    const needs = field.getBoundingClientRect().width;
                    field.style.width = '';
                    return has >= needs ? 'enough' : `${has} of ${needs}`;
                })(document.querySelector('#at'))",
            );
            assert_eq!(room, "enough", "at {width} px");
        }
    });
}

/// Nothing is wider than the window, so that nobody has to scroll sideways.
fn check_fits(visitor: &Visitor) {
    assert_eq!(visitor.read("`${innerWidth}`"), "320");
    let widest = visitor.read(
        "(page => page.scrollWidth <= page.clientWidth ? 'fits' : `${page.scrollWidth} wide`)\
         (document.documentElement)",
    );
    assert_eq!(widest, "fits");
}

#[test]
fn the_page_follows_the_visitors_colours() {
    visit(|visitor, _| {
        let colours =
            "(style => style.color + style.backgroundColor)(getComputedStyle(document.body))";
        let light = visitor.read(colours);
        visitor.prefer_dark();
        assert_ne!(visitor.read(colours), light);
    });
}
