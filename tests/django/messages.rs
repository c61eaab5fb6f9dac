//! Messages are Django's: what one program leaves the next shows once, and none is lost in silence.

use serde::Deserialize;
use serde_json::{Value, json};
use signed_session::django::{
    self, DjangoSettings, Level, Message, MessageStorage, MessagesError, SettingsError,
    StoredMessages,
};
use signed_session::{
    Compress, CookieOptions, DecodeError, EncodeError, Keyring, Session, TimestampSigner,
    ValueError,
};
use support::json::parts;
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2023-11-14 22:13:20 UTC);

fn ring() -> Keyring {
    Keyring::new("test-secret-key-0123456789").unwrap()
}

fn options() -> CookieOptions {
    CookieOptions::new("messages").unwrap()
}

fn signer() -> TimestampSigner {
    django::cookie_signer(&ring(), django::MESSAGES_SALT)
}

fn every_storage() -> [MessageStorage; 3] {
    [
        MessageStorage::cookie(&ring(), options()),
        MessageStorage::session(),
        MessageStorage::fallback(&ring(), options()),
    ]
}

/// A cookie that holds this JSON, as a header.
fn cookie(json: &str) -> String {
    format!("messages={}", signer().sign_json_at(json, Compress::IfShorter, NOW).unwrap())
}

/// The JSON of a cookie that was set; none if it was deleted.
fn rows(stored: &StoredMessages) -> Option<Value> {
    let cookie = stored.reply.set_cookie.as_ref().expect("a cookie is set");
    (!cookie.value().is_empty()).then(|| signer().unsign_object(cookie.value(), None).unwrap())
}

fn session(messages: &str) -> Session {
    let mut session = Session::new();
    session.insert("_messages", messages).unwrap();
    session
}

fn hello() -> Message {
    Message::new(Level::INFO, "Hello.")
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_str()).collect()
}

#[test]
fn a_session_s_messages_are_written_and_read_as_django_does() {
    /// Safe, level, text, extra tags.
    type Row = (u8, i64, String, Option<String>);
    #[derive(Deserialize)]
    struct Vector {
        messages: Option<Vec<Row>>,
        text: Option<String>,
    }
    let file: Value = serde_json::from_str(include_str!("../vectors/beside.json")).unwrap();
    let vectors: Vec<Vector> = Deserialize::deserialize(&file["vectors"]).unwrap();
    let mut count = 0;
    for vector in vectors {
        let (Some(rows), Some(text)) = (vector.messages, vector.text) else { continue };
        let made: Vec<Message> = rows
            .into_iter()
            .map(|(safe, level, text, tags)| {
                let mut message = Message::new(Level(level), text).safe(safe == 1);
                message.extra_tags = tags;
                message
            })
            .collect();
        let storage = MessageStorage::session().level(Level::DEBUG);
        let mut messages = storage.load(["a=b"]);
        assert_eq!(messages.show(&session(&text)).unwrap(), made);

        let (mut messages, mut session) = (storage.load(["a=b"]), Session::new());
        made.into_iter().for_each(|message| messages.add(message));
        let stored = messages.commit_at(&mut session, NOW).unwrap();
        assert!(stored.unstored.is_empty() && stored.reply.set_cookie.is_none());
        let written: Option<String> = session.get("_messages").unwrap();
        assert_eq!(written.unwrap_or("[]".to_owned()), text);
        count += 1;
    }
    assert_eq!(count, 5);
}

#[test]
fn what_is_left_is_shown_once_in_the_order_in_which_it_was_left() {
    for storage in every_storage() {
        let (mut header, mut session) = (String::new(), Session::new());
        for text in ["one", "two"] {
            let mut messages = storage.load([&header]);
            messages.add(Message::new(Level::SUCCESS, text).extra_tags("cart"));
            let stored = messages.commit_at(&mut session, NOW).unwrap();
            if let Some(cookie) = stored.reply.set_cookie {
                header = cookie.stripped().to_string();
            }
        }
        let mut messages = storage.load([&header]);
        messages.add(Message::new(Level::ERROR, "three"));
        let shown = messages.show(&session).unwrap();
        assert_eq!(texts(&shown), ["one", "two", "three"]);
        assert_eq!(shown, messages.show(&session).unwrap(), "shown twice on the same page");
        // What is left after that is for the next page.
        messages.add(Message::new(Level::ERROR, "four"));
        let stored = messages.commit_at(&mut session, NOW).unwrap();
        if let Some(cookie) = stored.reply.set_cookie {
            header = cookie.stripped().to_string();
        }
        let mut messages = storage.load([&header]);
        assert_eq!(texts(&messages.show(&session).unwrap()), ["four"]);
        let stored = messages.commit_at(&mut session, NOW).unwrap();
        assert!(stored.reply.set_cookie.is_none_or(|cookie| cookie.value().is_empty()));
        assert!(session.is_empty());
    }
}

#[test]
fn d20_only_a_page_that_looks_at_the_cookie_varies_by_it() {
    let header = cookie(r#"[["__json_message",0,20,"Hello.",""]]"#);
    for (storage, has_cookie) in every_storage().into_iter().zip([true, false, true]) {
        let mut session = Session::new();
        let untouched = storage.load([&header]).commit_at(&mut session, NOW).unwrap();
        assert_eq!(untouched.reply.set_cookie, None);
        assert!(!untouched.reply.vary_on_cookie && !session.is_accessed());

        let mut messages = storage.load([&header]);
        messages.show(&session).unwrap();
        let shown = messages.commit_at(&mut session, NOW).unwrap();
        assert_eq!(shown.reply.vary_on_cookie, has_cookie);
        // Whether it depends on the session, the session says.
        assert_eq!(session.is_accessed(), !has_cookie);

        let mut messages = storage.load(["a=b"]);
        messages.add(hello());
        let left = messages.commit_at(&mut Session::new(), NOW).unwrap();
        assert_eq!(left.reply.vary_on_cookie, has_cookie);
        let headers = left.reply.headers([]).into_iter().map(|(name, _)| name);
        assert_eq!(headers.count(), if has_cookie { 3 } else { 0 });
    }
}

#[test]
fn an_empty_message_and_one_below_the_level_are_not_left() {
    for storage in every_storage() {
        let storage = storage.level(Level::WARNING);
        let mut messages = storage.load(["a=b"]);
        messages.add(Message::new(Level::ERROR, ""));
        messages.add(Message::new(Level(29), "below"));
        assert!(messages.show(&Session::new()).unwrap().is_empty());
        messages.add(Message::new(Level::WARNING, "at"));
        assert_eq!(texts(&messages.show(&Session::new()).unwrap()), ["at"]);
    }
}

#[test]
fn tags_are_the_message_s_own_and_then_the_level_s() {
    let storage =
        MessageStorage::session().level_tag(Level::ERROR, "danger").level_tag(Level(33), "x");
    for (level, own, expected) in [
        (Level::DEBUG, "", "debug"),
        (Level::INFO, "a b", "a b info"),
        (Level::SUCCESS, "", "success"),
        (Level::WARNING, "", "warning"),
        (Level::ERROR, "a", "a danger"),
        (Level(33), "", "x"),
        (Level(34), "a", "a"),
        (Level(34), "", ""),
    ] {
        let mut message = Message::new(level, "text").extra_tags(own);
        assert_eq!(storage.tags(&message), expected);
        if own.is_empty() {
            message.extra_tags = None;
            assert_eq!(storage.tags(&message), expected);
        }
    }
    let error = Message::new(Level::ERROR, "text");
    assert_eq!(MessageStorage::session().tags(&error), "error");
}

/// Rows that are not messages of Django, or contain more than a message can.
const OTHER_ROWS: [&str; 15] = [
    r#""text""#,
    "null",
    "17",
    r#"{"a":1}"#,
    "[]",
    r#"["__json_message"]"#,
    r#"["__json_message",0,20]"#,
    r#"["__json_message",0,20,"text","tags","more"]"#,
    r#"["__json_message",2,20,"text",""]"#,
    r#"["__json_message",0,20.5,"text",""]"#,
    r#"["__json_message",0,123456789012345678901234567890,"text",""]"#,
    r#"["__json_message",0,20,5,""]"#,
    r#"["__json_message",0,20,"\ud800",""]"#,
    r#"["__json_message",0,20,"text",1]"#,
    r#"["__other",0,20,"text",""]"#,
];

#[test]
fn d21_what_is_not_a_message_is_carried_unchanged() {
    let message = r#"["__json_message",0,20,"Hello.",""]"#;
    for row in OTHER_ROWS {
        let list = format!("[{row},{message}]");
        for (storage, with_cookie) in every_storage().into_iter().zip([true, false, true]) {
            for shows in [false, true] {
                let (header, mut session) = if with_cookie {
                    (cookie(&list), Session::new())
                } else {
                    (String::new(), session(&list))
                };
                let mut messages = storage.load([&header]);
                if shows {
                    assert_eq!(texts(&messages.show(&session).unwrap()), ["Hello."], "{row}");
                }
                messages.add(Message::new(Level::INFO, "next"));
                let stored = messages.commit_at(&mut session, NOW).unwrap();
                let kept: String = if with_cookie {
                    let cookie = stored.reply.set_cookie.unwrap();
                    signer().unsign_json(cookie.value(), None).unwrap()
                } else {
                    session.get("_messages").unwrap().unwrap()
                };
                let kept = parts(&kept);
                assert_eq!(kept[0], row);
                assert_eq!(kept.len(), if shows { 2 } else { 3 }, "{row}");
            }
        }
    }
}

#[test]
fn d21_what_is_not_a_message_is_moved_to_the_cookie_in_ascii() {
    let header = cookie(r#"[1,"__messagesnotfinished__"]"#);
    let mut session = session(r#"["ü"]"#);
    let mut messages = MessageStorage::fallback(&ring(), options()).load([&header]);
    messages.add(hello());
    let stored = messages.commit_at(&mut session, NOW).unwrap();
    let cookie = stored.reply.set_cookie.unwrap();
    let kept = signer().unsign_json(cookie.value(), None).unwrap();
    let hello = r#"["__json_message",0,20,"Hello.",""]"#;
    assert_eq!(parts(&kept), ["1", r#""\u00fc""#, hello]);
    assert!(session.is_empty());
}

#[test]
fn items_that_are_not_messages_and_do_not_fit_are_an_error() {
    let filler: String =
        (0..300_u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    let storage = MessageStorage::cookie(&ring(), options());
    let mut messages = storage.load([&cookie("[17]")]);
    messages.add(Message::new(Level::INFO, &filler));
    let refused = messages.commit_at(&mut Session::new(), NOW);
    assert!(
        matches!(refused, Err(MessagesError::Encode(EncodeError::TooLarge { limit: 2048, .. }))),
        "{refused:?}"
    );
    // A message alone is returned, to be logged.
    let mut messages = storage.load(["a=b"]);
    messages.add(Message::new(Level::INFO, &filler));
    messages.add(hello());
    let stored = messages.commit_at(&mut Session::new(), NOW).unwrap();
    assert_eq!(texts(&stored.unstored), [filler.as_str()]);
    let expected = json!([["__json_message", 0, 20, "Hello.", ""], "__messagesnotfinished__"]);
    assert_eq!(rows(&stored), Some(expected));
}

#[test]
fn what_does_not_fit_the_cookie_comes_after_it_from_the_session() {
    let storage = MessageStorage::fallback(&ring(), options());
    let mut session = Session::new();
    let mut messages = storage.load(["a=b"]);
    let all: Vec<String> = (0..200_u64)
        .map(|n| format!("{n} {:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    for text in &all {
        messages.add(Message::new(Level::INFO, text));
    }
    let stored = messages.commit_at(&mut session, NOW).unwrap();
    assert!(stored.unstored.is_empty());
    let cookie = stored.reply.set_cookie.unwrap();
    assert!((1500..=2048).contains(&cookie.value().len()), "{}", cookie.value().len());
    assert!(session.contains_key("_messages"));

    let mut messages = storage.load([&cookie.stripped().to_string()]);
    assert_eq!(texts(&messages.show(&session).unwrap()), all);
    let stored = messages.commit_at(&mut session, NOW).unwrap();
    assert_eq!((rows(&stored), session.len()), (None, 0));
}

#[test]
fn a_message_too_large_for_a_payload_goes_into_the_session() {
    let large = "a".repeat(100_000);
    let storage = MessageStorage::fallback(&ring(), options());
    let (mut messages, mut session) = (storage.load(["a=b"]), Session::new());
    messages.add(Message::new(Level::INFO, &large));
    let stored = messages.commit_at(&mut session, NOW).unwrap();
    assert_eq!(rows(&stored), Some(json!(["__messagesnotfinished__"])));
    let header = stored.reply.set_cookie.unwrap().stripped().to_string();
    assert_eq!(texts(&storage.load([&header]).show(&session).unwrap()), [large.as_str()]);
}

#[test]
fn d21_unreadable_messages_of_a_session_are_an_error_and_stay() {
    let storage = MessageStorage::session();
    for value in [json!([1]), json!(1), json!("["), json!("{}"), json!("null x"), json!("17")] {
        let mut session = Session::new();
        session.insert("_messages", &value).unwrap();
        assert_eq!(
            storage.load(["a=b"]).show(&session),
            Err(MessagesError::Value(ValueError::WrongType { key: "_messages".to_owned() })),
            "{value}"
        );
        let mut messages = storage.load(["a=b"]);
        messages.add(hello());
        let refused = messages.commit_at(&mut session, NOW).err();
        assert_eq!(
            refused,
            Some(MessagesError::Value(ValueError::WrongType { key: "_messages".to_owned() })),
            "{value}"
        );
        assert_eq!(session.get("_messages"), Ok(Some(value)));
    }
    for value in [json!(null), json!(""), json!("[]")] {
        let mut session = Session::new();
        session.insert("_messages", &value).unwrap();
        assert_eq!(storage.load(["a=b"]).show(&session), Ok(Vec::new()), "{value}");
    }
}

#[test]
fn d21_a_forged_cookie_is_deleted_and_a_genuine_one_stays() {
    let storage = MessageStorage::cookie(&ring(), options());
    let message = r#"[["__json_message",0,20,"Hello.",""]]"#;
    let forged = cookie(message) + "x";
    let not_json = format!("messages={}", signer().sign_at("ew", NOW));
    let no_list = cookie("{}");
    let other = cookie(r#"[["__json_message",0,20,"Another.",""]]"#);
    let two = format!("{}; {other}", cookie(message));
    for (header, reason, is_deleted) in [
        (&forged, DecodeError::BadSignature, true),
        (&"messages=nothing".to_owned(), DecodeError::Malformed, true),
        (&not_json, DecodeError::Json, false),
        (&no_list, DecodeError::WrongType, false),
        (&two, DecodeError::Ambiguous, false),
        (&vec![cookie(message); 17].join("; "), DecodeError::TooManyCookies { limit: 16 }, false),
    ] {
        let mut session = Session::new();
        let mut messages = storage.load([header]);
        assert_eq!(messages.refusal(), None, "not looked at");
        assert_eq!(messages.show(&session), Ok(Vec::new()));
        assert_eq!(messages.refusal(), Some(&reason));
        let stored = messages.commit_at(&mut session, NOW).unwrap();
        assert_eq!(stored.reply.set_cookie.is_some(), is_deleted, "{reason:?}");
        assert!(stored.reply.vary_on_cookie);

        let mut messages = storage.load([header]);
        messages.add(hello());
        let stored = messages.commit_at(&mut session, NOW).unwrap();
        assert_eq!(rows(&stored), Some(json!([["__json_message", 0, 20, "Hello.", ""]])));
    }
    // Where the session holds messages too, Django leaves a cookie that told it nothing.
    let storage = MessageStorage::fallback(&ring(), options());
    for header in ["theme=dark", &forged] {
        let mut messages = storage.load([header]);
        assert_eq!(messages.show(&Session::new()), Ok(Vec::new()));
        let stored = messages.commit_at(&mut Session::new(), NOW).unwrap();
        assert_eq!(stored.reply.set_cookie, None);
        assert!(stored.reply.vary_on_cookie);
    }
    // The same one twice is one.
    let storage = MessageStorage::cookie(&ring(), options());
    let twice = format!("{}; {}", cookie(message), cookie(message));
    assert_eq!(storage.load([&twice]).show(&Session::new()).unwrap(), [hello()]);
}

#[test]
fn messages_are_valid_under_a_fallback_key_and_no_other_salt() {
    let storage = MessageStorage::cookie(
        &Keyring::new("the-new-test-secret-key")
            .unwrap()
            .fallback("test-secret-key-0123456789")
            .unwrap(),
        options(),
    );
    let header = cookie(r#"[["__json_message",0,20,"Hello.",""]]"#);
    assert_eq!(storage.load([&header]).show(&Session::new()).unwrap(), [hello()]);
    for signer in [
        TimestampSigner::new(&ring(), django::MESSAGES_SALT),
        django::cookie_signer(&ring(), django::DUMPS_SALT),
        django::signed_cookie_signer(&ring(), "messages", ""),
    ] {
        let value = signer
            .sign_object_at(&json!([["__json_message", 0, 20, "Hello.", ""]]), Compress::Never, NOW)
            .unwrap();
        let mut messages = storage.load([&format!("messages={value}")]);
        assert_eq!(messages.show(&Session::new()), Ok(Vec::new()));
        assert_eq!(messages.refusal(), Some(&DecodeError::BadSignature));
    }
}

#[test]
fn the_cookie_has_the_session_s_attributes_save_path_and_age() {
    let settings = DjangoSettings::new("test-secret-key-0123456789")
        .unwrap()
        .set("SESSION_COOKIE_PATH", "/app")
        .and_then(|settings| settings.set("SESSION_COOKIE_NAME", "sid"))
        .and_then(|settings| settings.set("SESSION_COOKIE_DOMAIN", "example.com"))
        .and_then(|settings| settings.set("SESSION_COOKIE_SECURE", true))
        .and_then(|settings| settings.set("MESSAGE_TAGS", json!({"40": "danger"})))
        .and_then(|settings| settings.set("MESSAGE_LEVEL", 30))
        .unwrap();
    let storage = settings.message_storage().unwrap();
    let mut messages = storage.load(["a=b"]);
    messages.add(Message::new(Level::INFO, "below"));
    messages.add(Message::new(Level::ERROR, "no"));
    let stored = messages.commit_at(&mut Session::new(), NOW).unwrap();
    let cookie = stored.reply.set_cookie.unwrap();
    let text = cookie.to_string().replace(cookie.value(), "");
    assert_eq!(text, "messages=; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com");
    let shown = storage.load([&cookie.stripped().to_string()]).show(&Session::new()).unwrap();
    assert_eq!(storage.tags(&shown[0]), "danger");
}

#[test]
fn the_setting_names_one_of_django_s_storages_or_is_refused() {
    for (class, in_cookie, in_session) in [
        ("django.contrib.messages.storage.cookie.CookieStorage", true, false),
        ("django.contrib.messages.storage.session.SessionStorage", false, true),
        ("django.contrib.messages.storage.fallback.FallbackStorage", true, false),
    ] {
        let settings = DjangoSettings::new("test-secret-key-0123456789").unwrap();
        let storage = settings.set("MESSAGE_STORAGE", class).unwrap().message_storage().unwrap();
        let (mut messages, mut session) = (storage.load(["a=b"]), Session::new());
        messages.add(hello());
        let stored = messages.commit_at(&mut session, NOW).unwrap();
        assert_eq!(stored.reply.set_cookie.is_some(), in_cookie);
        assert_eq!(session.contains_key("_messages"), in_session);
    }
    let settings = DjangoSettings::new("test-secret-key-0123456789").unwrap();
    let settings = settings.set("MESSAGE_STORAGE", "shop.Storage").unwrap();
    assert_eq!(settings.message_storage().err(), Some(SettingsError::MessageStorage));
    for (name, bad) in [
        ("MESSAGE_STORAGE", json!(null)),
        ("MESSAGE_LEVEL", json!("20")),
        ("MESSAGE_LEVEL", json!(null)),
        ("MESSAGE_TAGS", json!(["danger"])),
        ("MESSAGE_TAGS", json!({"40": 1})),
    ] {
        let refused = settings.clone().set(name, &bad).err();
        assert_eq!(refused, Some(SettingsError::Value { name }), "{bad}");
    }
}

#[test]
fn neither_messages_nor_their_storage_show_anything() {
    let storage = MessageStorage::fallback(&ring(), options());
    assert_eq!(format!("{storage:?}"), "MessageStorage { .. }");
    assert_eq!(format!("{:?}", storage.load(["messages=planted"])), "Messages { .. }");
}

#[test]
fn the_short_form_asks_the_clock_and_no_date_is_before_1970() {
    let storage = MessageStorage::cookie(&ring(), options());
    let store = |commit: fn(_, &mut Session) -> Result<StoredMessages, MessagesError>| {
        let mut messages = storage.load(["a=b"]);
        messages.add(hello());
        commit(messages, &mut Session::new())
    };
    let before = OffsetDateTime::now_utc().unix_timestamp();
    let stored = store(|messages: django::Messages, session| messages.commit(session)).unwrap();
    let cookie = stored.reply.set_cookie.unwrap();
    let signed_at = signer().unsign(cookie.value(), None).unwrap().signed_at.unix_timestamp();
    assert!((before..=OffsetDateTime::now_utc().unix_timestamp()).contains(&signed_at));

    let refused = store(|messages, session| {
        messages.commit_at(session, OffsetDateTime::UNIX_EPOCH - time::Duration::SECOND)
    });
    assert_eq!(refused.err(), Some(MessagesError::Encode(EncodeError::BadTimestamp)));
}
