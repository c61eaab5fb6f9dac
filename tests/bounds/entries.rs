//! A session of many entries costs no more for each of them than one of few.

use std::collections::BTreeSet;

use proptest::prelude::*;
use signed_session::Session;

use crate::limits::{noon, plain_token, roomy, takes_time_in_proportion};

const ONE: usize = 1_500;

fn key(index: usize) -> String {
    format!("entry_{}", index.wrapping_mul(0x9E37_79B9) % (1 << 32))
}

/// A session that arrives with this many entries.
fn arrived(entries: usize) -> Session {
    let entry = |index| format!("\"{}\":{index}", key(index));
    let json = (0..entries).map(entry).collect::<Vec<_>>().join(",");
    let session = roomy().decode_at(&plain_token(&format!("{{{json}}}")), noon()).unwrap();
    assert_eq!(session.len(), entries);
    session
}

type Use = (&'static str, fn(&mut Session, usize));

const USES: [Use; 11] = [
    ("get", |session, n| {
        (0..n).for_each(|index| assert_eq!(session.get(&key(index)), Ok(Some(index))));
    }),
    ("get what is not there", |session, n| {
        (n..2 * n).for_each(|index| assert_eq!(session.get::<u8>(&key(index)), Ok(None)));
    }),
    ("set what is there", |session, n| {
        (0..n).for_each(|index| session.insert(&key(index), 1).unwrap());
    }),
    ("insert", |session, n| {
        (n..2 * n).for_each(|index| session.insert(&key(index), 1).unwrap());
        assert_eq!(session.len(), 2 * n);
    }),
    ("remove", |session, n| {
        (0..n).for_each(|index| assert!(session.remove(&key(index))));
        assert!(session.is_empty());
    }),
    ("remove from the end", |session, n| {
        (0..n).rev().for_each(|index| assert!(session.remove(&key(index))));
        assert!(session.is_empty());
    }),
    ("remove the first", |session, _| {
        while !session.is_empty() {
            let first = session.keys().next().unwrap().to_owned();
            session.remove(&first);
        }
    }),
    ("list the two that are left", |session, n| {
        (1..n - 1).for_each(|index| assert!(session.remove(&key(index))));
        (0..n).for_each(|_| assert_eq!(session.keys().count(), 2));
    }),
    ("pop and insert", |session, n| {
        for index in 0..n {
            assert_eq!(session.pop(&key(index)), Ok(Some(index)));
            session.insert(&key(index + n), index).unwrap();
        }
        assert_eq!(session.len(), n);
    }),
    ("remove and insert one", |session, n| {
        for _ in 0..n {
            session.remove("one");
            session.insert("one", 1).unwrap();
        }
    }),
    ("count, list and write", |session, n| {
        assert_eq!(session.len(), n);
        assert_eq!(session.keys().count(), n);
        assert!(session.to_json().len() > n);
    }),
];

#[test]
fn using_each_entry_takes_time_in_proportion_to_their_number() {
    for (name, using) in USES {
        let (one, sixteen) = (arrived(ONE), arrived(16 * ONE));
        takes_time_in_proportion(
            name,
            || using(&mut one.clone(), ONE),
            || using(&mut sixteen.clone(), 16 * ONE),
        );
    }
}

#[test]
fn beginning_from_nothing_takes_time_in_proportion_too() {
    let fill = |n| {
        let mut session = Session::new();
        (0..n).for_each(|index| session.insert(&key(index), index).unwrap());
        assert_eq!(session.len(), n);
    };
    takes_time_in_proportion("filling", || fill(ONE), || fill(16 * ONE));
}

/// The same by the plainest means: a list that is searched.
#[derive(Clone, Default)]
struct Plain(Vec<(String, String)>);

impl Plain {
    fn set(&mut self, key: &str, json: &str) {
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, value)) => json.clone_into(value),
            None => self.0.push((key.to_owned(), json.to_owned())),
        }
    }

    fn remove(&mut self, key: &str) -> bool {
        let len = self.0.len();
        self.0.retain(|(known, _)| known != key);
        self.0.len() < len
    }

    fn is(&self, session: &Session) {
        let entries = self.0.iter().map(|(key, json)| (key.as_str(), json.as_str()));
        assert!(session.iter().eq(entries.clone()), "{}", session.to_json());
        assert_eq!((session.len(), session.is_empty()), (self.0.len(), self.0.is_empty()));
        let quoted = |(key, json)| format!("{}:{json}", serde_json::Value::from(key));
        let json = entries.map(quoted).collect::<Vec<_>>().join(",");
        assert_eq!(session.to_json(), format!("{{{json}}}"));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u8),
    Remove(u8),
    RemoveMany(u8, u8),
    Get(u8),
    Clear,
    Clone,
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        60 => (any::<u8>(), any::<u8>()).prop_map(|(key, value)| Step::Set(key, value)),
        20 => any::<u8>().prop_map(Step::Remove),
        10 => (any::<u8>(), any::<u8>()).prop_map(|(first, count)| Step::RemoveMany(first, count)),
        20 => any::<u8>().prop_map(Step::Get),
        1 => Just(Step::Clear),
        3 => Just(Step::Clone),
        3 => Just(Step::Again),
    ]
}

/// One in eight has an escape in JSON.
fn name(key: u8) -> String {
    if key.is_multiple_of(8) { format!("\"{key}\\") } else { format!("k{key}") }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_session_of_any_size_does_what_a_plain_list_does(
        arrived in prop::collection::vec((any::<u8>(), any::<u8>()), 0..200),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut plain = Plain::default();
        let entries: Vec<String> = arrived
            .iter()
            .map(|(key, value)| format!("{}:{value}", serde_json::Value::from(name(*key))))
            .collect();
        let token = plain_token(&format!("{{{}}}", entries.join(",")));
        let mut session = roomy().decode_at(&token, noon()).unwrap();
        arrived.iter().for_each(|(key, value)| plain.set(&name(*key), &value.to_string()));
        plain.is(&session);
        for step in steps {
            match step {
                Step::Set(key, value) => {
                    session.insert(&name(key), value).unwrap();
                    plain.set(&name(key), &value.to_string());
                }
                Step::Remove(key) => {
                    assert_eq!(session.remove(&name(key)), plain.remove(&name(key)));
                }
                Step::RemoveMany(first, count) => {
                    for key in (0..count).map(|step| first.wrapping_add(step)) {
                        assert_eq!(session.remove(&name(key)), plain.remove(&name(key)));
                    }
                }
                Step::Get(key) => {
                    let known = plain.0.iter().find(|(known, _)| *known == name(key));
                    assert_eq!(session.get_json(&name(key)), known.map(|(_, json)| &**json));
                    assert_eq!(session.contains_key(&name(key)), known.is_some());
                }
                Step::Clear => {
                    session.clear();
                    plain = Plain::default();
                }
                Step::Clone => session = session.clone(),
                Step::Again => {
                    let token = roomy().encode_at(&session, noon()).unwrap();
                    session = roomy().decode_at(&token, noon()).unwrap();
                }
            }
            plain.is(&session);
        }
    }
}

#[test]
fn the_largest_entries_are_told_by_their_place_though_others_are_gone() {
    let mut session = arrived(100);
    (0..100).filter(|index| index % 3 > 0).for_each(|index| assert!(session.remove(&key(index))));
    session.insert("typed by a visitor", "x".repeat(5000)).unwrap();
    let codec = roomy().compress(signed_session::Compress::Never);
    let refused = codec.max_token_len(1000).encode_at(&session, noon()).unwrap_err();
    let signed_session::EncodeError::TooLarge { entries, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!(entries[0].0, "entry 35");
    let names: BTreeSet<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 35);
}

#[test]
fn a_session_takes_no_more_room_than_it_did() {
    // On bb10d52: every handle, request and future that holds one is moved.
    assert!(size_of::<Session>() <= 168, "{}", size_of::<Session>());
}
