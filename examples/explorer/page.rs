//! Turns a session, and what the server made of it, into a page. maud escapes all text.

use maud::{DOCTYPE, Markup, html};
use signed_session::{DecodeError, EncodeError, Session, Unverified};
use time::{Duration, OffsetDateTime};

use crate::{CART_KEY, COOKIE_AGE, COOKIE_NAME, Headers, Key, Note, Step, Tampered, USER_KEY};

/// The most that browsers keep of a cookie: bytes of name and value together.
const MAX_COOKIE_LEN: usize = 4096;

/// All that the page shows, but for what this very answer carries.
pub struct View<'a> {
    pub token: Option<&'a str>,
    pub session: &'a Session,
    pub copy: Option<StolenCopy<'a>>,
    pub entries: Vec<(&'a str, &'a str)>,
    pub keys: &'a [Key],
    pub note: Option<Note>,
    pub now: OffsetDateTime,
}

/// A copy of the visitor's cookie, and the session that the server makes of it at this moment.
pub struct StolenCopy<'a> {
    pub token: &'a str,
    pub session: Session,
}

pub fn render(view: &View<'_>, answer: &Result<Headers, EncodeError>) -> Markup {
    let done = view.note.as_ref().and_then(|note| note.step);
    // Without a cookie there is nothing to show yet, and nothing to end.
    let is_first = view.token.is_none() && view.note.is_none();
    let is_short = is_first || done.is_some_and(|done| done < Step::Rotate);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Session explorer" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                script src="/tick.js" defer {}
            }
            body {
                a.skip href="#change" { "Skip to the forms" }
                header {
                    h1 { "Session explorer" }
                    p {
                        "Your session is in no database. It is this cookie, which your browser "
                        "holds and the server signs. Change it, break it, and see what happens."
                    }
                }
                @if !is_short { (places()) }
                main {
                    // Focused, so that it is read out and the next Tab starts here.
                    div #notice role="status" aria-live="polite" {
                        @if let Some(note) = &view.note {
                            p.error[note.is_error] tabindex="-1" autofocus { (note.text) }
                        }
                    }
                    @if is_first || done.is_some() { (steps(done)) }
                    div.columns {
                        div {
                            (cookie(view))
                            @if let Some(copy) = &view.copy { (stolen(copy)) }
                        }
                        div #change tabindex="-1" {
                            (set_form())
                            @if is_short {
                                details { summary { "Show all there is to try" } (others(view)) }
                            } @else {
                                (others(view))
                            }
                        }
                        @if !is_first { div { (entries(view)) (answers(view, answer)) } }
                    }
                }
                footer {
                    p {
                        "No key was configured. The first was made from the system's random "
                        "source when this program started, and all keys end with it."
                    }
                }
            }
        }
    }
}

/// Links to the parts of the page, which are far apart on a phone.
fn places() -> Markup {
    html! {
        nav aria-label="Parts of the page" {
            a href="#cookie" { "Cookie" }
            a href="#change" { "Change" }
            a href="#break" { "Break" }
            a href="#end" { "End" }
            a href="#server-keys" { "Keys" }
        }
    }
}

/// Shows the forms that a first visit finds folded up.
fn others(view: &View<'_>) -> Markup {
    html! { (breakage()) (login(view)) (end()) (keys(view)) }
}

/// Splits a token into payload, stamp and signature; what is missing is empty.
pub fn parts(token: &str) -> (&str, &str, &str) {
    match Unverified::new(token) {
        Ok(parts) => (parts.payload(), parts.stamp().unwrap_or_default(), parts.signature()),
        Err(_) => (token, "", ""),
    }
}

fn cookie(view: &View<'_>) -> Markup {
    html! {
        section #cookie aria-labelledby="cookie-title" {
            h2 #cookie-title { "Your cookie" }
            @if let Some(token) = view.token {
                @let (payload, stamp, signature) = parts(token);
                @let tampered = view.note.as_ref().and_then(|note| note.tampered.as_ref())
                    .filter(|tampered| payload.chars().nth(tampered.at) == Some(tampered.is));
                // The script puts another verdict here when the time is over: it is read out, too.
                div aria-live="polite" { (verdict(view.session)) }
                p.token #token.refused[view.session.refusal().is_some()] {
                    span.name { (COOKIE_NAME) "=" }
                    span.payload {
                        @match tampered {
                            Some(tampered) => (marked(payload, tampered.at, usize::MAX)),
                            None => (payload),
                        }
                    }
                    ":" span.stamp { (stamp) } ":" span.signature { (signature) }
                }
                @if let Some(tampered) = tampered { (difference(payload, tampered)) }
                p.copier {
                    // It takes the script, which shows it.
                    button.small #copier type="button" hidden { "Copy the cookie" }
                    " " span #copied role="status" {}
                }
                dl.parts {
                    div.payload { dt { "Payload" } dd { (about_payload(view.session, payload)) } }
                    div.stamp { dt { "Stamp" } dd { (about_stamp(view.session)) } }
                    div.signature { dt { "Signature" } dd { (about_signature(signature)) } }
                }
                (size(COOKIE_NAME.len() + token.len(), saved(view.session, payload)))
                (time_left(view))
            } @else {
                p.verdict #verdict {
                    strong { "No cookie." } " Your browser sent none, so your session is empty. "
                    "Add an entry, and the answer sets one."
                }
            }
        }
    }
}

fn verdict(session: &Session) -> Markup {
    if let Some(reason) = session.refusal() {
        return html! {
            p.verdict.bad #verdict {
                strong { "Refused: " (reason) "." } " "
                @if reason.is_authentic() {
                    "It was authentic: one of the keys did sign it."
                } @else {
                    "It was not authentic: anybody can have made it, and nothing of its payload "
                    "was read."
                }
                " An empty session stands in for it."
            }
        };
    }
    match session.key_index() {
        Some(0) => html! {
            p.verdict.good #verdict {
                strong { "Verified by key 0." } " That is the key that signs."
            }
        },
        Some(index) => html! {
            p.verdict.late #verdict {
                strong { "Verified by fallback key " (index) ";" }
                " will be signed by the new key when it is next written."
            }
        },
        None => html! {
            p.verdict #verdict {
                strong { "Too short to be a session." } " It counts as none."
            }
        },
    }
}

/// Shows the character that was changed among its neighbours, before and after.
fn difference(payload: &str, tampered: &Tampered) -> Markup {
    let swap = |(at, character)| if at == tampered.at { tampered.was } else { character };
    let before: String = payload.chars().enumerate().map(swap).collect();
    html! {
        dl.difference {
            dt { "Before" } dd #before { (marked(&before, tampered.at, 8)) }
            dt { "After" } dd #after { (marked(payload, tampered.at, 8)) }
        }
    }
}

/// Marks a character, and shows so many on either side of it.
fn marked(text: &str, at: usize, around: usize) -> Markup {
    let (first, end) = (at.saturating_sub(around), at.saturating_add(around).saturating_add(1));
    let pick = |from: usize, to: usize| -> String {
        text.chars().skip(from).take(to.saturating_sub(from)).collect()
    };
    html! {
        @if first > 0 { "…" }
        (pick(first, at)) mark { (pick(at, at + 1)) } (pick(at + 1, end))
        @if text.chars().count() > end { "…" }
    }
}

/// Shows the copy, and whether it opens the session to whoever has it.
fn stolen(copy: &StolenCopy<'_>) -> Markup {
    let (payload, stamp, signature) = parts(copy.token);
    let refusal = copy.session.refusal();
    html! {
        section aria-labelledby="copy-title" {
            h2 #copy-title { "The stolen copy" }
            @match refusal {
                Some(reason) => {
                    p.verdict.bad #copy-verdict {
                        strong { "Refused: " (reason) "." } " " (why_copy_is_refused(reason))
                    }
                }
                None => {
                    p.verdict.late #copy-verdict {
                        strong { "Accepted." } " "
                        @match copy.session.get::<String>(USER_KEY).ok().flatten() {
                            Some(user) => {
                                "Whoever sends it is " (user) " to the server. Sign out, here or "
                                "everywhere, and look again."
                            }
                            None => {
                                "Nobody is logged in with it. Such a session cannot be ended: a "
                                "copy is good until its time is over."
                            }
                        }
                    }
                }
            }
            p.token #copy.refused[refusal.is_some()] {
                span.name { (COOKIE_NAME) "=" }
                span.payload { (payload) } ":" span.stamp { (stamp) } ":"
                span.signature { (signature) }
            }
            form.after method="post" action="/" {
                button name="do" value="discard" { "Throw the copy away" }
            }
        }
    }
}

fn why_copy_is_refused(reason: &DecodeError) -> &'static str {
    match reason {
        DecodeError::Revoked => {
            "Its signature is right and its time is not over. But the server remembers that this \
             session was ended, and with it every copy of its cookie."
        }
        _ if reason.is_authentic() => "One of the keys did sign it.",
        _ => "None of the server's keys signed it as it is.",
    }
}

/// The data of a session whose token was accepted.
fn json(session: &Session) -> Option<String> {
    session.signed_at().map(|_| session.to_json())
}

fn about_payload(session: &Session, payload: &str) -> Markup {
    html! {
        @match json(session) {
            None => "The data. They were not read.",
            Some(json) if payload.starts_with('.') => {
                "The data: " (grouped(json.len())) " bytes of JSON, "
                strong { "compressed" } " by zlib (the dot says so), in base64: "
                (grouped(payload.len())) " characters."
            }
            Some(json) => {
                "The data: " (grouped(json.len())) " bytes of JSON, "
                strong { "not compressed" } " (that would not make it shorter), in base64: "
                (grouped(payload.len())) " characters."
            }
        }
        " Anybody can read this: it is signed and not encrypted."
    }
}

fn about_stamp(session: &Session) -> Markup {
    html! {
        @match session.signed_at() {
            Some(at) => {
                "When it was signed, in base 62: " (at.unix_timestamp()) " in Unix seconds, "
                span.nowrap { (moment(at)) } "."
            }
            None => "When it was signed, in base 62.",
        }
    }
}

fn about_signature(signature: &str) -> Markup {
    html! {
        (signature.len()) " characters of HMAC-SHA256 over all that stands before. Only the holder "
        "of a key can make it."
    }
}

/// Returns how many characters the payload would have in addition without compression.
fn saved(session: &Session, payload: &str) -> Option<usize> {
    let json = json(session).filter(|_| payload.starts_with('.'))?;
    (json.len() * 4).div_ceil(3).checked_sub(payload.len())
}

fn size(len: usize, saved: Option<usize>) -> Markup {
    html! {
        div.size {
            label for="meter" { "Size" }
            meter #meter min="0" max=(MAX_COOKIE_LEN) high="3500" optimum="0" value=(len) {}
            span #size {
                (grouped(len)) " of " (grouped(MAX_COOKIE_LEN)) " bytes of name and value"
                @if let Some(saved) = saved {
                    "; it would be " (grouped(len + saved)) " without compression, which saved "
                    (grouped(saved))
                }
            }
        }
    }
}

fn time_left(view: &View<'_>) -> Markup {
    let Some(signed_at) = view.session.signed_at() else { return html! {} };
    let ends = view.session.expiry_date(COOKIE_AGE, signed_at);
    let at_close = view.session.expires_at_browser_close(false) == Ok(true);
    html! {
        @if let Ok(ends) = ends {
            @let left = (ends - view.now).max(Duration::ZERO);
            template #over {
                p.verdict.bad #verdict {
                    strong { "Refused from now on: its time is over." }
                    " A browser that was told when it ends has dropped it by itself."
                }
            }
            p.left {
                "Time left: "
                strong #left role="timer" data-milliseconds=(left.whole_milliseconds()) {
                    (countdown(left.whole_seconds()))
                }
                @if at_close { ", or until the browser is closed" }
                ". It ends at " span.nowrap { (moment(ends)) } "."
            }
        }
    }
}

fn entries(view: &View<'_>) -> Markup {
    html! {
        section aria-labelledby="entries-title" {
            h2 #entries-title { "What is in it" }
            @if view.entries.is_empty() {
                p #entries { "Nothing." }
            } @else {
                table #entries {
                    thead {
                        tr {
                            th scope="col" { "Key" }
                            th scope="col" { "Value" }
                            th scope="col" { span.unseen { "Remove" } }
                        }
                    }
                    tbody {
                        @for (key, json) in &view.entries {
                            tr {
                                th scope="row" { (key) }
                                td { span.value { (readable(json)) } " " small { (kind(key, json)) } }
                                td {
                                    form method="post" action="/" {
                                        input type="hidden" name="key" value=(key);
                                        button.small name="do" value="remove"
                                            aria-label={ "Remove " (key) } { "Remove" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(json) = json(view.session) {
                h3 #json-title { "As JSON, byte for byte" }
                pre #json tabindex="0" aria-labelledby="json-title" { (json) }
            }
        }
    }
}

/// Shows text without its quotes and escapes, and all else as the JSON it is.
fn readable(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

fn kind(key: &str, json: &str) -> &'static str {
    match json.as_bytes().first() {
        // The reserved entries are the library's or Django's.
        _ if key.starts_with('_') => "reserved",
        Some(b'"') => "text",
        Some(b'{') => "object",
        Some(b'[') => "list",
        Some(b't' | b'f') => "yes or no",
        Some(b'n') => "nothing",
        _ => "number",
    }
}

fn answers(view: &View<'_>, answer: &Result<Headers, EncodeError>) -> Markup {
    html! {
        section aria-labelledby="answer-title" {
            h2 #answer-title { "What the server answered" }
            @if let Some(note) = &view.note {
                h3 #form-title { "To your form" }
                pre #form-answer tabindex="0" aria-labelledby="form-title" {
                    "303 See Other\n" (lines(&note.headers))
                }
            }
            h3 #page-title { "To the request for this page" }
            pre #page-answer tabindex="0" aria-labelledby="page-title" {
                "200 OK\n"
                @match answer {
                    Ok(headers) => (lines(headers)),
                    Err(error) => { "nothing was saved: " (error) }
                }
            }
        }
    }
}

fn lines(headers: &Headers) -> Markup {
    html! {
        @for (name, value) in headers { b { (name) ":" } " " (value) "\n" }
        @if headers.is_empty() { i { "nothing about the session" } }
    }
}

/// Offers a first visit three steps, and the next one after each.
fn steps(done: Option<Step>) -> Markup {
    let all = [
        (Step::Fill, "try_fill", "Fill a cart", "The server signs it, and your browser keeps it."),
        (
            Step::Tamper,
            "try_tamper",
            "Tamper with the cart",
            "Change one character of the cookie, and see it refused.",
        ),
        (
            Step::Rotate,
            "try_rotate",
            "Rotate the key",
            "The server makes a new key, and still accepts what the old one signed.",
        ),
    ];
    let next = all.iter().map(|(step, ..)| *step).find(|step| done.is_none_or(|done| *step > done));
    html! {
        section aria-labelledby="steps-title" {
            h2 #steps-title { "Three things to try" }
            ol #steps {
                @for (step, action, title, about) in all {
                    li.done[done.is_some_and(|done| step <= done)] {
                        div {
                            strong { (title) }
                            @if done.is_some_and(|done| step <= done) { " (done)" }
                            br;
                            (about)
                        }
                        @if next == Some(step) {
                            form method="post" action="/" {
                                button.main name="do" value=(action) { (title) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn set_form() -> Markup {
    html! {
        section aria-labelledby="change-title" {
            h2 #change-title { "Change it" }
            form method="post" action="/" {
                div.row {
                    div.field {
                        label for="key" { "Key" }
                        input #key name="key" required autocomplete="off" autocapitalize="none";
                    }
                    div.field.wide {
                        label for="value" { "Value, as JSON or text" }
                        input #value name="value" autocomplete="off" autocapitalize="none";
                    }
                }
                button name="do" value="set" { "Save entry" }
            }
        }
    }
}

fn login(view: &View<'_>) -> Markup {
    let user = view.session.get::<String>(USER_KEY).ok().flatten();
    html! {
        section aria-labelledby="user-title" {
            h2 #user-title { "Who is it?" }
            @if let Some(user) = user {
                form.line method="post" action="/" {
                    p #user { strong { (user) } " is logged in." }
                    button name="do" value="log_out" { "Log out" }
                    button name="do" value="log_out_everywhere" { "Sign out everywhere" }
                }
            } @else {
                form method="post" action="/" {
                    div.line {
                        div.field {
                            label for="name" { "User name" }
                            input #name name="user" required autocomplete="off"
                                autocapitalize="none";
                        }
                        button name="do" value="log_in" { "Log in" }
                    }
                    @if view.session.contains_key(CART_KEY) {
                        label.check {
                            input type="checkbox" name="keep_cart";
                            span { "Keep the cart, and nothing else" }
                        }
                    }
                }
            }
        }
    }
}

fn end() -> Markup {
    html! {
        section #end aria-labelledby="end-title" {
            h2 #end-title { "When does it end?" }
            form method="post" action="/" {
                div.line {
                    div.field {
                        label for="seconds" { "Seconds from its last writing" }
                        input #seconds type="number" name="seconds" min="1" required;
                    }
                    button name="do" value="end_after" { "End after these seconds" }
                }
                label.check {
                    input type="checkbox" name="keep";
                    span {
                        "Let the browser keep the cookie past its end, as a thief would"
                    }
                }
            }
            form.line method="post" action="/" {
                div.field.moment {
                    label for="at" { "Date and time, UTC" }
                    input #at type="datetime-local" name="at" required;
                }
                button name="do" value="end_at" { "End at this date" }
            }
            form.buttons method="post" action="/" {
                button name="do" value="end_with_browser" { "End when the browser is closed" }
                button name="do" value="end_by_default" { "End after two weeks" }
            }
            h3 { "The whole of it" }
            form.buttons method="post" action="/" {
                button name="do" value="cycle" aria-describedby="cycle-is" { "Sign it again" }
                button name="do" value="flush" aria-describedby="flush-is" { "Delete the session" }
            }
            p.hint {
                span #cycle-is { "Signed again, it holds the same, with another timestamp." } " "
                span #flush-is { "Deleted, it is empty, and the browser is told to drop the cookie." }
            }
        }
    }
}

fn breakage() -> Markup {
    html! {
        section #break aria-labelledby="break-title" {
            h2 #break-title { "Break it" }
            form method="post" action="/" {
                p { "Changes one character of the payload in your browser's cookie." }
                button.danger name="do" value="tamper" { "Tamper with the cookie" }
            }
            form method="post" action="/" {
                p { "Keeps a copy, as somebody would who has seen your cookie." }
                button.danger name="do" value="steal" { "Steal a copy of this cookie" }
            }
        }
    }
}

fn keys(view: &View<'_>) -> Markup {
    html! {
        section #server-keys aria-labelledby="keys-title" {
            h2 #keys-title { "The server's keys" }
            ol #keys start="0" {
                @for (index, key) in view.keys.iter().enumerate() {
                    li.used[view.session.key_index() == Some(index)] {
                        span {
                            "Key " (index) ": "
                            @if index == 0 { "signs and verifies" } @else { "fallback, verifies" }
                            @if view.session.key_index() == Some(index) {
                                " " strong { "your cookie" }
                            }
                        }
                        " " small { "made " (moment(key.made_at)) }
                    }
                }
            }
            form.buttons method="post" action="/" {
                button name="do" value="rotate" { "Rotate the key" }
                button.danger name="do" value="drop_fallbacks" { "Forget the old keys" }
            }
            p.hint { "The keys are the same for all visitors." }
        }
    }
}

/// Writes a moment as `2030-01-02 03:04:05 UTC`.
pub fn moment(at: OffsetDateTime) -> String {
    let (hour, minute, second) = at.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", at.date())
}

/// Writes a number of seconds as `13 days 23:59:58`, as `tick.js` does.
fn countdown(seconds: i64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    match days {
        0 => clock,
        1 => format!("1 day {clock}"),
        _ => format!("{days} days {clock}"),
    }
}

/// Writes 4096 as `4,096`.
fn grouped(number: usize) -> String {
    match (number / 1000, number % 1000) {
        (0, small) => small.to_string(),
        (thousands, rest) => format!("{},{rest:03}", grouped(thousands)),
    }
}
