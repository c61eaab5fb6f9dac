//! What a Django beside us left is read or refused with a reason, and what is left for it is read again.

use signed_session::django::{
    AuthUser, DjangoSettings, Level, MESSAGES_SALT, Message, MessageStorage, SignedCookie, logout,
};
use signed_session::{CookieOptions, DecodeError, Keyring, Session, ValueError};

use super::input::Input;
use super::{NOW, RING, SECRET, STAMP, TWO_WEEKS, django, is_discreet, is_discreet_error, made};

/// What stands before the secret of every cookie but the session's.
const COOKIE_KEY: &str = "django.http.cookies";

pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 5 {
        0 => settings(&mut input),
        1 => single_cookie(&mut input),
        2 => left_for_django(&mut input),
        3 => left_by_django(&mut input),
        _ => login(&mut input),
    }
}

/// Settings are taken or refused, and say nothing of what is in them.
fn settings(input: &mut Input<'_>) {
    let text = input.rest_as_text();
    match DjangoSettings::from_json(&text) {
        Ok(settings) => {
            is_discreet(&(&settings, settings.keyring()), &text);
            match settings.session_manager() {
                Ok(manager) => assert_eq!(manager.weaknesses(), settings.keyring().weaknesses()),
                Err(error) => is_discreet_error(&error, &text),
            }
            match settings.message_storage() {
                Ok(storage) => is_discreet(&storage, &text),
                Err(error) => is_discreet_error(&error, &text),
            }
        }
        Err(error) => is_discreet_error(&error, &text),
    }
}

/// A cookie that is set is found again, and none that nobody signed.
fn single_cookie(input: &mut Input<'_>) {
    let (salt, is_legacy) = (input.text(), input.flag());
    let options = CookieOptions::new("c").unwrap();
    let cookie = SignedCookie::new(&RING, options, &salt).max_age(TWO_WEEKS);
    let cookie = cookie.legacy_fallback(is_legacy);
    let text = input.rest_as_text();
    let forged = format!("c={text}");
    match cookie.read_at([forged.as_str()], NOW) {
        // The fuzzer may remember a signature that was made here; then it is for this very cookie.
        Ok(Some(value)) => assert!(text.contains(&value) || text.contains('"')),
        Ok(None) => panic!("there is a cookie"),
        Err(error) => is_discreet_error(&error, &text),
    }
    match cookie.cookie_at(&text, NOW) {
        Ok(set) => {
            is_discreet(&cookie, &salt);
            assert_eq!(
                cookie.cookie(&text).map(|today| today.value().len()),
                Ok(set.value().len())
            );
            let header = set.stripped().to_string();
            assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b';'));
            assert_eq!(cookie.read_at([header.as_str()], NOW), Ok(Some(text)));
            let other = SignedCookie::new(&RING, CookieOptions::new("c").unwrap(), "another");
            assert!(salt == "another" || other.read_at([header.as_str()], NOW).is_err());
            // Once it is deleted there is none, or an empty one that nobody signed.
            assert_eq!(cookie.read_at(["another=1"], NOW), Ok(None));
            let removed = cookie.removal().stripped().to_string();
            assert_eq!(cookie.read_at([removed.as_str()], NOW), Err(DecodeError::Malformed));
        }
        Err(error) => is_discreet_error(&error, &text),
    }
}

fn storage(input: &mut Input<'_>) -> MessageStorage {
    let options = CookieOptions::new("messages").unwrap();
    match input.byte() % 3 {
        0 => MessageStorage::cookie(&RING, options),
        1 => MessageStorage::session(),
        _ => MessageStorage::fallback(&RING, options),
    }
}

/// Messages that were left are shown, in order, once: but for those that are said to find no room.
fn left_for_django(input: &mut Input<'_>) {
    let storage = storage(input).level(Level(i64::MIN));
    let mut session = Session::new();
    let mut messages = storage.load(None::<&str>);
    let mut left = Vec::new();
    while !input.is_empty() && left.len() < 40 {
        let is_safe = input.flag();
        let mut message = Message::new(Level(input.number()), input.text()).safe(is_safe);
        if input.flag() {
            message = message.extra_tags(&input.text());
        }
        message.text = message.text.repeat(usize::from(input.byte() % 8));
        assert_eq!(storage.tags(&message), tags(&message));
        messages.add(message.clone());
        // One without text is none.
        left.extend(Some(message).filter(|message| !message.text.is_empty()));
    }
    let stored = messages.commit_at(&mut session, NOW).unwrap();
    let cookie = stored.reply.set_cookie.map(|cookie| cookie.stripped().to_string());
    assert!(cookie.as_ref().is_none_or(|cookie| cookie.len() <= "messages=".len() + 2048));
    let mut again = storage.load(cookie.iter());
    let shown = again.show(&session).unwrap();
    assert_eq!([stored.unstored, shown].concat(), left);
    assert!(again.refusal().is_none());
    let stored = again.commit_at(&mut session, NOW).unwrap();
    assert!(stored.unstored.is_empty());
    let mut rest = storage.load(stored.reply.set_cookie.map(|c| c.stripped().to_string()).iter());
    assert!(rest.show(&session).unwrap().is_empty());
}

/// The message's own tags and its level's, once more in other words.
fn tags(message: &Message) -> String {
    let of_level = match message.level {
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::SUCCESS => "success",
        Level::WARNING => "warning",
        Level::ERROR => "error",
        _ => "",
    };
    let tags = [message.extra_tags.as_deref().unwrap_or(""), of_level];
    tags.into_iter().filter(|tags| !tags.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whatever Django signed as messages is shown or kept, and never panics.
fn left_by_django(input: &mut Input<'_>) {
    let (storage, is_shown) = (storage(input), input.flag());
    let mut session = Session::new();
    if input.flag() {
        session.insert("_messages", input.text()).unwrap();
    }
    let secret = [COOKIE_KEY, SECRET].concat();
    let value = django::sign(&made::payload(input), MESSAGES_SALT, secret, STAMP);
    let header = format!("messages={value}");
    let mut messages = storage.load([header.as_str()]);
    if is_shown {
        let _ = messages.show(&session);
    }
    if let Some(error) = messages.refusal() {
        // What is cut off or trimmed in the header is no longer what was signed.
        let is_whole = value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        let is_proved = error.is_authentic() || matches!(error, DecodeError::TooLong { .. });
        assert!(is_proved || !is_whole);
        is_discreet_error(error, &value);
    }
    is_discreet(&messages, &value);
    messages.add(Message::new(Level::ERROR, "the last"));
    match messages.commit_at(&mut session, NOW) {
        Ok(stored) => {
            let cookie = stored.reply.set_cookie.map(|cookie| cookie.value().len());
            assert!(cookie.is_none_or(|len| len <= 2048));
        }
        Err(error) => is_discreet_error(&error, &value),
    }
}

/// Who logs in is known until the password is another, whatever was in the session.
fn login(input: &mut Input<'_>) {
    let (id, backend, password) = (input.text(), input.text(), input.text());
    let mut session = Session::new();
    for key in ["_auth_user_id", "_auth_user_backend", "_auth_user_hash", "cart"] {
        if !input.flag() {
            continue;
        }
        let text = input.text();
        if !text.is_ascii() || session.insert_json(key, &text).is_err() {
            session.insert(key, text).unwrap();
        }
    }
    if let Ok(Some(user)) = AuthUser::from_session(&session) {
        is_discreet(&user, user.id());
        let _ = user.verify(&RING, &password);
    }
    let user = AuthUser::new(&RING, &id, &backend, &password);
    user.login(&mut session, |key| key == "cart");
    if id.is_empty() {
        // It names nobody, and must not pass for a user.
        let error = AuthUser::from_session(&session).err();
        assert!(matches!(error, Some(ValueError::WrongType { .. })), "{error:?}");
        return;
    }
    let known = AuthUser::from_session(&session).unwrap().unwrap();
    assert_eq!((known.id(), known.backend()), (id.as_str(), backend.as_str()));
    assert_eq!(known.verify(&RING, &password), Some(0));

    let rotated = Keyring::new("another").unwrap().fallback(SECRET).unwrap();
    assert_eq!(known.resume(&mut session, &rotated, &password), Some(1));
    let known = AuthUser::from_session(&session).unwrap().unwrap();
    assert_eq!(known.verify(&rotated, &password), Some(0));
    let before = session.to_json();
    assert_eq!(known.resume(&mut session, &rotated, &format!("{password}x")), None);
    assert_eq!(session.to_json(), before);
    assert_eq!(known.resume_with(&mut session, [&id, known.hash()]), Some(1));
    logout(&mut session);
    assert!(session.is_empty());
}
