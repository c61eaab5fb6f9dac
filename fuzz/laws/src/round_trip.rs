//! What goes into a session comes out of its token, which is ASCII, fit for a cookie and of Django's length.

use serde_json::Value;
use signed_session::{Compress, CookieOptions, Expiry, Session};

use super::input::Input;
use super::tree::Tree;
use super::{NOW, STAMP, TWO_WEEKS, WIDE_CODEC, django, is_rightly_reserved};

/// What a session should hold: each key and the JSON of its value.
type Model = Vec<(String, String)>;

pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let (mut session, mut model) = (Session::new(), Model::new());
    while !input.is_empty() {
        act(&mut input, &mut session, &mut model);
        assert_eq!(entries(&session), model);
    }

    let json = session.to_json();
    let quoted = model.iter().map(|(key, text)| format!("{}:{text}", django::quote(key)));
    assert_eq!(json, format!("{{{}}}", quoted.collect::<Vec<_>>().join(",")));

    assert!(session.keys().eq(model.iter().map(|(key, _)| key)));

    let codec = &*WIDE_CODEC;
    let today = codec.decode(&codec.encode(&session).unwrap()).unwrap();
    assert_eq!(entries(&today), model);
    let plain = codec.clone().compress(Compress::Never).encode_at(&session, NOW).unwrap();
    assert_eq!(plain.len(), (4 * json.len()).div_ceil(3) + 51, "Django's length");
    assert!(plain.starts_with(&django::base64(json.as_bytes())));
    assert_eq!(plain.get(plain.len() - 50..plain.len() - 44), Some(STAMP));
    for compress in [Compress::Never, Compress::Above(100), Compress::IfShorter] {
        let token = codec.clone().compress(compress).encode_at(&session, NOW).unwrap();
        assert!(token == plain || token.starts_with('.') && token.len() < plain.len());
        let is_octet = |byte: u8| matches!(byte, b'!'..=b'~') && !b"\",;\\".contains(&byte);
        assert!(token.bytes().all(is_octet));
        let cookie = CookieOptions::new("s").unwrap().cookie(&token, None, NOW);
        assert_eq!(cookie.is_ok(), token.len() < 4096);

        let mut again = codec.decode_at(&token, NOW).unwrap();
        assert!(!again.is_modified() && !again.is_accessed());
        assert_eq!(entries(&again), model);
        assert_eq!((again.signed_at(), again.key_index()), (Some(NOW), Some(0)));
        for (key, text) in &model {
            let value = serde_json::from_str::<Value>(text).ok();
            assert_eq!(again.get::<Value>(key).ok().flatten(), value);
        }
        // In one that came in a token the entries are found and changed as well.
        if let Some((key, _)) = model.first() {
            again.insert(key, 0).unwrap();
            assert_eq!(again.pop::<i64>(key), Ok(Some(0)));
            assert_eq!(entries(&again), model[1..]);
        }
    }
}

fn entries(session: &Session) -> Model {
    session.iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect()
}

/// Applies one operation to a session and to its expected contents.
fn act(input: &mut Input<'_>, session: &mut Session, model: &mut Model) {
    let action = input.byte() % 12;
    let key = match input.byte() % 8 {
        0 => input.text(),
        1 => "_session_expiry".to_owned(),
        2 => "testcookie".to_owned(),
        letter => char::from(b'a' + letter).to_string(),
    };
    let found = model.iter().position(|(other, _)| *other == key);
    assert_eq!(session.contains_key(&key), found.is_some());
    match action {
        0..=3 => {
            let tree = Tree::take(input, 30);
            let text = django::dumps(&tree);
            match session.insert(&key, &tree) {
                Ok(()) => set(model, &key, text),
                Err(error) => is_rightly_reserved(&error, &[(&*key, text)]),
            }
        }
        4 => {
            assert_eq!(session.remove(&key), found.is_some());
            found.map(|at| model.remove(at));
        }
        5 => match session.pop::<Value>(&key) {
            Ok(value) => {
                let text = found.map(|at| model.remove(at).1);
                assert_eq!(value, text.map(|text| serde_json::from_str(&text).unwrap()));
            }
            // Too deep for a value of `serde_json`: it stays.
            Err(_) => assert!(session.contains_key(&key)),
        },
        6 => {
            let value = input.number();
            let got = session.get_or_insert(&key, value);
            match found {
                Some(at) => assert_eq!(got.ok(), model[at].1.parse().ok()),
                None => {
                    assert_eq!(got, Ok(value));
                    model.push((key, value.to_string()));
                }
            }
        }
        7 => {
            let pairs = [(key, Tree::take(input, 40)), (input.text(), Tree::take(input, 40))];
            match session.extend(pairs.clone()) {
                Ok(()) => pairs.iter().for_each(|(key, tree)| set(model, key, django::dumps(tree))),
                Err(error) => {
                    let entries = pairs.each_ref().map(|(key, tree)| (&**key, django::dumps(tree)));
                    is_rightly_reserved(&error, &entries);
                }
            }
        }
        8 => {
            session.clear();
            model.clear();
        }
        9 if found.is_some() => {
            let is_there = model.iter().any(|(key, _)| key == "testcookie");
            assert_eq!(session.delete_test_cookie(), is_there);
            model.retain(|(key, _)| key != "testcookie");
            assert!(!session.test_cookie_worked());
        }
        9 => {
            session.set_test_cookie();
            assert!(session.test_cookie_worked());
            set(model, "testcookie", "\"worked\"".to_owned());
        }
        10 => {
            session.set_expiry(Expiry::After(TWO_WEEKS));
            assert_eq!(session.expiry(), Ok(Expiry::After(TWO_WEEKS)));
            set(model, "_session_expiry", "1209600".to_owned());
        }
        _ => {
            session.set_expiry(Expiry::Default);
            model.retain(|(key, _)| key != "_session_expiry");
        }
    }
}

fn set(model: &mut Model, key: &str, text: String) {
    match model.iter_mut().find(|(other, _)| other == key) {
        Some(entry) => entry.1 = text,
        None => model.push((key.to_owned(), text)),
    }
}
