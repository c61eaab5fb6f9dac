//! A visitor comes again and again, to handlers that do anything: what the responses say holds together.

use std::time::Duration;

use signed_session::{
    CookieOptions, EncodeError, Expiry, ExpiryRule, Keyring, Reply, Session, SessionCodec,
    SessionManager,
};
use time::OffsetDateTime;

use super::input::Input;
use super::tree::Tree;
use super::{NOW, SECRET, TWO_WEEKS, is_discreet, is_discreet_error};
use support::set_cookie::parse;

const NEXT_SECRET: &str = "example-only-the-secret-of-next-month";

const ABSOLUTE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A site under two settings of the ring: before its secret was changed, and after.
struct Site {
    managers: [SessionManager; 2],
    /// Reads whatever was signed, however old.
    reader: SessionCodec,
    saves_every_request: bool,
    is_absolute: bool,
}

/// What a browser keeps.
#[derive(Clone)]
struct Kept {
    token: String,
    json: String,
    /// Which of the secrets signed it.
    secret: usize,
    signed_at: OffsetDateTime,
    began: OffsetDateTime,
}

/// What comes with a request.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    Nothing,
    Kept,
    Forged,
    Both,
}

pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let site = Site::take(&mut input);
    let (mut kept, mut now): (Option<Kept>, _) = (None, NOW);
    while !input.is_empty() {
        // From a second to a month.
        let seconds = 1_i64 << (input.byte() % 22);
        now += time::Duration::seconds(seconds * i64::from(input.flag()));
        visit(&site, &mut kept, now, &mut input);
    }
}

impl Site {
    fn take(input: &mut Input<'_>) -> Self {
        let [saves_every_request, closes, refreshes, reissues, is_absolute] =
            [(); 5].map(|()| input.flag());
        let rule = input.pick(&[ExpiryRule::Enforce, ExpiryRule::Shorter, ExpiryRule::Django]);
        let before = Keyring::new(SECRET).unwrap();
        let after = Keyring::new(NEXT_SECRET).unwrap().fallback(SECRET).unwrap();
        let reader = SessionCodec::new(&after)
            .expiry_rule(ExpiryRule::Django)
            .max_age(Duration::MAX)
            .max_token_len(1 << 20);
        let managers = [before, after].map(|ring| {
            let mut codec = SessionCodec::new(&ring).expiry_rule(rule);
            if is_absolute {
                codec = codec.absolute_max_age(ABSOLUTE);
            }
            let manager = SessionManager::new(codec, CookieOptions::new("sessionid").unwrap())
                .save_every_request(saves_every_request)
                .expire_at_browser_close(closes)
                .reissue_under_primary(reissues);
            if refreshes { manager.refresh_after(TWO_WEEKS / 14) } else { manager }
        });
        Self { managers, reader, saves_every_request, is_absolute }
    }
}

fn visit(site: &Site, kept: &mut Option<Kept>, now: OffsetDateTime, input: &mut Input<'_>) {
    let served_by = usize::from(input.flag());
    let manager = &site.managers[served_by];
    let sent = input.pick(&[Sent::Kept, Sent::Kept, Sent::Nothing, Sent::Forged, Sent::Both]);
    let good = kept.as_ref().filter(|_| matches!(sent, Sent::Kept | Sent::Both));
    let forged = matches!(sent, Sent::Forged | Sent::Both).then(|| forge(kept.as_ref(), input));
    let cookies: Vec<String> = good
        .map(|kept| kept.token.clone())
        .into_iter()
        .chain(forged.clone())
        .map(|token| format!("sessionid={token}"))
        .collect();
    let mut session = manager.load_at([&cookies.join("; ")], now);

    // Loading: the visitor's own data or none. A clone is asked, for asking counts as access.
    assert!(!session.is_accessed() && !session.is_modified());
    let loaded = session.clone();
    let is_read = loaded.signed_at().is_some();
    let arrived = loaded.to_json();
    match good.filter(|_| is_read) {
        Some(kept) => {
            assert_eq!(arrived, kept.json);
            assert_eq!(loaded.signed_at(), Some(kept.signed_at));
            assert!(!site.is_absolute || now - kept.began <= ABSOLUTE);
        }
        None => assert_eq!((&*arrived, is_read), ("{}", false)),
    }
    if let Some(kept) = good
        && !is_read
    {
        // Too old, or of a secret that this server does not have yet.
        let is_authentic = loaded.refusal().is_some_and(|reason| reason.is_authentic());
        assert!(is_authentic || kept.secret > served_by || forged.is_some());
    }

    is_discreet(&(&session, manager), &arrived);

    let was_flushed = act(&mut session, input);
    let status = input.pick(&[200, 200, 302, 404, 499, 500, 503, 599]);
    let has_cookie = !cookies.is_empty();
    let reply = match manager.commit_at(&session, status, now) {
        Ok(reply) => reply,
        Err(error) => {
            is_discreet_error(&error, &session.to_json());
            let is_expected =
                matches!(error, EncodeError::TooLarge { .. } | EncodeError::BadExpiry);
            // Only who changed something is told that it is lost.
            assert!(is_expected && session.is_modified() && status < 500, "{error}");
            return;
        }
    };
    says_what_it_must(&reply, &session, status);
    let is_removal = reply.set_cookie.as_ref().is_some_and(|cookie| cookie.value().is_empty());
    if was_flushed {
        assert_eq!((is_removal, reply.set_cookie.is_some()), (has_cookie, has_cookie));
        assert_eq!((session.refusal(), session.signed_at()), (None, None));
    }
    if !session.is_accessed() && !site.saves_every_request {
        assert!(reply.set_cookie.is_none() && !reply.vary_on_cookie);
    }
    assert_eq!(reply.is_unasked, reply.set_cookie.is_some() && !session.is_modified());
    if let Some(error) = &reply.omitted {
        is_discreet_error(error, &session.to_json());
        assert!(reply.set_cookie.is_none() && !session.is_modified() && is_read);
    }
    // What is refused may be a login that another response has set meanwhile.
    assert!(is_read || session.is_modified() || reply.set_cookie.is_none());

    let Some(cookie) = reply.set_cookie else {
        let is_same = good.is_some_and(|kept| {
            kept.json == session.to_json() && kept.signed_at == now && kept.secret == served_by
        });
        let is_void = !has_cookie && session.is_empty();
        assert!(!session.is_modified() || status >= 500 || is_same || is_void);
        return;
    };
    if is_removal {
        *kept = None;
        return;
    }
    // What was set is what the session holds.
    let token = cookie.value().to_owned();
    let mut written = site.reader.decode_at(&token, now).unwrap();
    let json = written.to_json();
    assert_eq!((written.signed_at(), written.key_index()), (Some(now), Some(1 - served_by)));
    let is_sequel = session.signed_at().is_some();
    let began = kept.take().filter(|_| is_sequel).map_or(now, |kept| kept.began);
    if site.is_absolute {
        assert_eq!(written.get("_session_started"), Ok(Some(began.unix_timestamp() * 1_000_000)));
        if !session.contains_key("_session_started") {
            written.remove("_session_started");
        }
    }
    assert_eq!(written.to_json(), session.to_json());
    *kept = Some(Kept { token, json, secret: served_by, signed_at: now, began });
}

fn forge(kept: Option<&Kept>, input: &mut Input<'_>) -> String {
    let Some(kept) = kept else { return format!("forged:1r31eq:{}", input.byte()) };
    let mut token = kept.token.clone().into_bytes();
    let at = input.place(token.len());
    token[at] = if token[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(token).unwrap()
}

/// Does anything. Returns `true` if that ended the session for good.
fn act(session: &mut Session, input: &mut Input<'_>) -> bool {
    let mut was_flushed = false;
    for _ in 0..input.byte() % 5 {
        let key = input.pick(&["a", "b", "user_id", "é"]);
        match input.byte() % 13 {
            0 | 1 => session.insert(key, Tree::take(input, 38)).unwrap(),
            2 => drop(session.remove(key)),
            3 => drop(session.get::<serde_json::Value>(key)),
            4 => {
                session.clear();
                assert!(session.is_empty() && session.is_modified());
            }
            5 => {
                session.flush();
                was_flushed = true;
                continue;
            }
            6 => session.cycle_key(),
            7 => session
                .set_expiry(Expiry::After(Duration::from_secs(u64::from(input.byte()) * 9_999))),
            8 => session.set_expiry(Expiry::AtBrowserClose),
            9 => session.set_expiry(Expiry::Default),
            10 => drop(session.insert("_session_expiry", Tree::take(input, 40))),
            11 => session.insert("text", noise(usize::from(input.byte()) * 20)).unwrap(),
            _ => drop(session.len()),
        }
        was_flushed = false;
    }
    was_flushed
}

/// Text that does not get smaller.
fn noise(len: usize) -> String {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(1), next).take(len);
    states.map(|state| char::from(b'#' + (state >> 24) as u8 % 56)).collect()
}

/// Holds whatever the handler did.
fn says_what_it_must(reply: &Reply, session: &Session, status: u16) {
    assert!(reply.vary_on_cookie || reply.set_cookie.is_none() && !session.is_accessed());
    // What the response says already is not said again.
    let varies: (&str, &[u8]) = ("Vary", b"Accept-Encoding, cookie");
    let lasts: (&str, &[u8]) = ("Cache-Control", b"no-store");
    let names = |headers: Vec<(&'static str, String)>| -> Vec<_> {
        headers.into_iter().map(|(name, _)| name).collect()
    };
    let sets: &[&str] = if reply.set_cookie.is_some() { &["set-cookie"] } else { &[] };
    assert_eq!(names(reply.headers([varies, lasts])), sets);

    let headers = reply.headers([]);
    let value = |name| headers.iter().find(|(other, _)| *other == name).map(|(_, value)| &**value);
    assert_eq!(value("vary"), reply.vary_on_cookie.then_some("Cookie"));
    assert_eq!(value("cache-control"), reply.set_cookie.as_ref().map(|_| "private"));
    assert_eq!(value("set-cookie").is_some(), reply.set_cookie.is_some());
    let Some(header) = value("set-cookie") else { return };
    let said = parse(header).unwrap_or_else(|| panic!("not a legal cookie: {header:?}"));
    assert_eq!((&*said.name, said.secure), ("sessionid", true));
    assert_eq!(said.max_age.is_some(), said.expires.is_some());
    if said.value.is_empty() {
        assert_eq!((said.max_age, said.expires), (Some(0), Some(0)));
    } else {
        assert!(status < 500);
        assert!(said.name.len() + said.value.len() <= 4096);
    }
}
