//! Exchanges random tokens with the real Django, in both directions, and compares the two.

use crate::clock::moment;
use crate::data::{Described, Key, Value};
use crate::expiry::{Asked, Getters};
use crate::question::{Answer, Call, Question, With, json_of};
use crate::random::Random;
use crate::run::{Case, TOKENS};
use crate::worker::Worker;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use signed_session::{Compress, DecodeError, Session, Signer, django};
use support::json::Embedded;
use support::secret::Secret;

#[test]
fn django_reads_what_is_made_here_and_would_have_made_the_same() {
    TOKENS.on_every_django(1, |worker, cases| {
        let made: Vec<(Question, Value, Compress)> = cases
            .iter_mut()
            .map(|case| {
                let random = &mut case.random;
                let mut question = Question::random(random, &Call::OF_DATA);
                let how =
                    *random.pick(&[Compress::IfShorter, Compress::Never, Compress::Above(60)]);
                let session = random.session();
                let data = match question.call {
                    Call::Session | Call::Database => object(&session),
                    _ => random.value(),
                };
                question.token = match (question.call, random.once_in(2)) {
                    // In one piece, or entry by entry.
                    (Call::Session | Call::Database, true) => {
                        token_of_entries(&question, &session, how)
                    }
                    _ => question.sign_data(&data, how),
                };
                (question, data, how)
            })
            .collect();
        let described: Vec<_> = made
            .iter()
            .map(|(question, data, _)| With { question, more: Data { data: Described(data) } })
            .collect();
        let django: Vec<Encoded> = worker.ask("encode", &described);
        let read: Vec<Answer> = worker.ask("judge", &questions(&made, |(question, ..)| question));
        // Fedora's zlib and that of Python for Windows are others: they write other bytes.
        let same_zlib = cfg!(feature = "zlib") && !worker.about.zlib.contains("ng");
        for (case, ((question, _, how), (django, read))) in
            cases.iter().zip(made.iter().zip(django.iter().zip(read)))
        {
            let token = question.token.as_str();
            let compressed = token.starts_with('.');
            case.equal("the data", Some(&django.json), read.ok.as_ref(), &(question, &read.error));
            match how {
                Compress::IfShorter if same_zlib => {
                    case.equal("the token", token, &django.squeezed, question);
                }
                Compress::Above(_) if same_zlib && compressed => {
                    case.equal("the compressed token", token, &django.squeezed, question);
                }
                _ if !compressed => case.equal("the plain token", token, &django.plain, question),
                _ => (),
            }
            if *how == Compress::Never && compressed {
                case.fail("compressed against all wishes");
            }
        }
    });
}

#[test]
fn what_django_makes_is_read_here_and_comes_back_unaltered() {
    TOKENS.on_every_django(2, |worker, cases| {
        let questions: Vec<Question> = cases
            .iter_mut()
            .map(|case| Question::random(&mut case.random, &Call::OF_DATA))
            .collect();
        let orders: Vec<_> = cases
            .iter_mut()
            .zip(&questions)
            .map(|(case, question)| {
                let seed = case.random.next() >> 16;
                With { question, more: Order { seed, compress: case.random.once_in(2) } }
            })
            .collect();
        let made: Vec<Made> = worker.ask("make", &orders);

        // Written again at another time: first untouched, then with one entry changed.
        let (mut untouched, mut changed, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for (case, (order, made)) in cases.iter_mut().zip(orders.iter().zip(&made)) {
            let question = Question { token: made.token.clone(), ..order.question.clone() };
            let mut later = Question { now: question.now + 777_000, ..question.clone() };
            if let Call::Loads | Call::Object = question.call {
                let json = read_or_fail(case, &question);
                case.equal("the JSON", &json, &made.json, &question);
                let data = Value::Digits(Embedded(json));
                if !order.more.compress {
                    let again = question.sign_data(&data, Compress::Never);
                    case.equal("the token", &again, &made.token, &question);
                }
                later.token = later.sign_data(&data, Compress::IfShorter);
                untouched.push(later);
                continue;
            }
            let mut session = match question.codec().decode_at(&made.token, question.now()) {
                Ok(session) => session,
                Err(error) => case.fail(format_args!("{error}: {question:?}")),
            };
            if made.json == made.read {
                case.equal("the JSON", &json_of(&session), &made.json, &question);
            }
            case.equal("the entries", session.len(), made.entries.len(), &question);
            later.token = later.codec().encode_at(&session, later.now()).expect("it was read");
            untouched.push(later.clone());
            wanted.push(change_one(case, &mut session, &made.entries));
            later.token = later.codec().encode_at(&session, later.now()).expect("a small change");
            changed.push(later);
        }

        let read: Vec<Answer> = worker.ask("judge", &untouched);
        for (case, (question, (made, read))) in
            cases.iter().zip(untouched.iter().zip(made.iter().zip(read)))
        {
            case.equal("untouched", read.ok.as_ref(), Some(&made.read), &(question, read.error));
        }
        let sessions = cases.iter().zip(&untouched);
        let sessions = sessions.filter(|(_, q)| matches!(q.call, Call::Session | Call::Database));
        let read: Vec<Answer> = worker.ask("judge", &changed);
        let texts: Vec<String> = read.into_iter().map(|read| read.ok.unwrap_or_default()).collect();
        if let Some((question, _)) = changed.iter().zip(&texts).find(|(_, text)| text.is_empty()) {
            panic!("Django refuses a changed session: {question:?}");
        }
        let entries: Vec<Entries> = worker.ask("entries", &texts);
        for ((case, question), (wanted, django)) in sessions.zip(wanted.iter().zip(&entries)) {
            case.equal("with one entry changed", wanted, django, question);
        }
    });
}

#[test]
fn both_refuse_tampered_tokens_and_agree_on_odd_genuine_ones() {
    TOKENS.on_every_django(3, |worker, cases| {
        let (tampered, forged) = cases.split_at_mut(cases.len() / 2);
        tampering(worker, tampered);
        forging(worker, forged);
    });
}

fn tampering(worker: &mut Worker, cases: &mut [Case]) {
    let legacy_cookie = !worker.about.v2_cookies;
    let asked: Vec<Question> = cases
        .iter_mut()
        .map(|case| {
            let random = &mut case.random;
            let calls = [&Call::OF_DATA[..], &Call::OF_TEXT].concat();
            let mut question = Question { legacy_cookie, ..Question::random(random, &calls) };
            let (token, other) = (any_token(random, &question), any_token(random, &question));
            question.token = random.alter(&token, &other);
            question
        })
        .collect();
    let answers: Vec<Answer> = worker.ask("judge", &asked);
    let mut same = Vec::new();
    for (case, (question, answer)) in cases.iter().zip(asked.iter().zip(&answers)) {
        if let Some(texts) = agreed(case, question, answer, |_| None) {
            same.push((case, question, texts));
        }
    }
    all_the_same(worker, &same);
}

fn forging(worker: &mut Worker, cases: &mut [Case]) {
    let mut asked: Vec<Question> = cases
        .iter_mut()
        .map(|case| {
            let random = &mut case.random;
            let calls = [
                Call::Session,
                Call::Session,
                Call::Database,
                Call::Loads,
                Call::Object,
                Call::StampedText,
            ];
            let mut question = Question::random(random, &calls);
            (question.separator, question.algorithm) = (":".to_owned(), "sha256");
            if question.call != Call::Session && random.once_in(2) {
                question.max_age = None;
            }
            question.token = random.forge(&mut question);
            question
        })
        .collect();
    let answers: Vec<Answer> = worker.ask("forge", &asked);
    let mut same = Vec::new();
    for (case, (question, answer)) in cases.iter().zip(asked.iter_mut().zip(&answers)) {
        let token = answer.token.clone().expect("the worker signs all");
        let signed = std::mem::replace(&mut question.token, token);
        let ours = Signer::new(&question.ring(), &question.salt).sign(&signed);
        case.equal("the signature", &ours, &question.token, question);
        let difference = |refusal: &DecodeError| crate::odd::difference(&signed, refusal);
        if let Ok(read) = question.read()
            && let Some(broken) = crate::odd::broken_promise(question.call, &signed, &read)
        {
            case.fail(format_args!("{broken}: {question:?}"));
        }
        if let Some(texts) = agreed(case, question, answer, difference) {
            same.push((case, &*question, texts));
        }
    }
    all_the_same(worker, &same);
}

/// Fails unless both accept or both refuse, but for a difference that has a name.
///
/// Returns what both read, where that must still be compared by Python: here
/// numbers, escapes and spaces stay as they came.
fn agreed(
    case: &Case,
    question: &Question,
    answer: &Answer,
    difference: impl Fn(&DecodeError) -> Option<&'static str>,
) -> Option<Texts> {
    match (question.read(), &answer.ok, &answer.error) {
        (Ok(one), Some(other), _) if one == *other => None,
        (Ok(one), Some(other), _) if Call::OF_DATA.contains(&question.call) => {
            Some(Texts { one, other: other.clone() })
        }
        (Err(refusal), None, Some(error)) if crate::odd::is_same_reason(error, &refusal) => None,
        (Err(refusal), Some(_), _) if difference(&refusal).is_some() => None,
        (here, ..) => {
            case.fail(format_args!("  here: {here:?}\nDjango: {answer:?}\n  case: {question:?}"))
        }
    }
}

fn all_the_same(worker: &mut Worker, pairs: &[(&Case, &Question, Texts)]) {
    let texts: Vec<&Texts> = pairs.iter().map(|(.., texts)| texts).collect();
    let same: Vec<bool> = worker.ask("same", &texts);
    for ((case, question, texts), same) in pairs.iter().zip(same) {
        if !same {
            case.fail(format_args!("not the same data: {texts:?}\n  case: {question:?}"));
        }
    }
}

#[test]
fn both_agree_to_the_millisecond_on_the_end_of_a_session() {
    TOKENS.on_every_django(4, |worker, cases| {
        let third = cases.len() / 3;
        let (ages, wishes) = cases.split_at_mut(third);
        let (pythons, ours) = wishes.split_at_mut(third);
        ages_at_the_boundary(worker, ages);
        expiries_that_django_sets(worker, pythons);
        expiries_that_are_set_here(worker, ours);
    });
}

fn ages_at_the_boundary(worker: &mut Worker, cases: &mut [Case]) {
    let legacy_cookie = !worker.about.v2_cookies;
    let asked: Vec<(Question, i64)> = cases
        .iter_mut()
        .map(|case| {
            let random = &mut case.random;
            let calls = [Call::Session, Call::Loads, Call::StampedText, Call::Cookie];
            let mut question = Question { legacy_cookie, ..Question::random(random, &calls) };
            question.token = any_token(random, &question);
            // Eighths of a second: Python's float clock has them exactly.
            let ages = [0, 1, 60, 1_209_600, random.within(0, 1 << 32)];
            let age = *random.pick(&ages) * 1000 + *random.pick(&[0, 0, 0, 125, 500, 875]);
            let past =
                [0, 0, 1, -1, 125, -125, 1000, -1000, random.within(-100_000_000, 100_000_000)];
            let past = *random.pick(&past);
            question.max_age = Some(age);
            question.now = (question.now / 1000 * 1000 + age + past).max(0);
            (question, past)
        })
        .collect();
    let answers: Vec<Answer> = worker.ask("judge", &questions(&asked, |(question, _)| question));
    for (case, ((question, past), answer)) in cases.iter().zip(asked.iter().zip(&answers)) {
        case.equal("over", *past > 0, answer.ok.is_none(), &(question, answer));
        agreed(case, question, answer, |_| None);
    }
}

fn expiries_that_django_sets(worker: &mut Worker, cases: &mut [Case]) {
    let asked: Vec<_> = cases
        .iter_mut()
        .map(|case| {
            let (question, asked) = question_of_expiry(&mut case.random);
            let zones = ["UTC", "America/Chicago", "Asia/Kathmandu"];
            let time_zone = *case.random.pick(&zones);
            let wish = case.random.python_wish(question.now);
            (question, Wish { asked, time_zone, wish })
        })
        .collect();
    let cases_of_worker: Vec<_> =
        asked.iter().map(|(question, wish)| With { question, more: wish }).collect();
    let answers: Vec<Set> = worker.ask("expiry_set", &cases_of_worker);
    for (case, ((question, wish), set)) in cases.iter().zip(asked.iter().zip(answers)) {
        let read = question.codec().decode_at(&set.token, moment(wish.asked.later));
        let session = match read {
            Ok(session) => session,
            Err(error) => case.fail(format_args!("{error}: {set:?}, {wish:?}, {question:?}")),
        };
        compare_getters(case, &wish.asked, question, &session, set.getters, &(wish, &set.token));
    }
}

fn expiries_that_are_set_here(worker: &mut Worker, cases: &mut [Case]) {
    let asked: Vec<_> = cases
        .iter_mut()
        .map(|case| {
            let (mut question, asked) = question_of_expiry(&mut case.random);
            let mut session = Session::new();
            let wish = case.random.wish(question.now);
            session.set_expiry(wish);
            let token = question.codec().encode_at(&session, question.now());
            question.token = token.expect("what is set here can be written");
            (question, asked, session, wish)
        })
        .collect();
    let cases_of_worker: Vec<_> =
        asked.iter().map(|(question, asked, ..)| With { question, more: asked }).collect();
    let answers: Vec<Getters> = worker.ask("expiry_read", &cases_of_worker);
    for (case, ((question, asked, session, wish), django)) in
        cases.iter().zip(asked.iter().zip(answers))
    {
        if let Some(wished) = asked.of_wish(*wish, question.max_age().expect("a session has one")) {
            let date = django.date.and(wished.date);
            case.equal(
                "the wish",
                Getters { date, ..wished },
                django.clone(),
                &(wish, asked, question),
            );
        }
        compare_getters(case, asked, question, session, django, &json_of(session));
    }
}

fn question_of_expiry(random: &mut Random) -> (Question, Asked) {
    let mut question = Question::random(random, &[Call::Session]);
    let age = *random.pick(&[1_209_600_000, 60_000, 1000, 250, 12_345_678_000]);
    question.max_age = Some(age);
    let later = question.now / 1000 * 1000 + random.within(0, age);
    let modification = later + random.within(-1_000_000_000, 1_000_000_000);
    let modification = random.once_in(3).then_some(modification);
    (question, Asked { later, modification, browser_close: random.once_in(2) })
}

fn compare_getters(
    case: &Case,
    asked: &Asked,
    question: &Question,
    session: &Session,
    django: Getters,
    shown: &dyn std::fmt::Debug,
) {
    let mut here = asked.of(session, question.max_age().expect("a session has one"));
    if django.date.is_none() {
        // Python gives up on what is past its calendar.
        here.date = None;
    }
    case.equal("the expiry", here, django, &(asked, question, shown));
}

#[test]
fn a_token_is_read_while_its_key_is_in_the_ring() {
    TOKENS.on_every_django(5, |worker, cases| {
        let asked: Vec<(Question, Question, usize)> = cases
            .iter_mut()
            .map(|case| {
                let random = &mut case.random;
                let calls = [&Call::OF_DATA[..], &Call::OF_TEXT].concat();
                let mut question = Question::random(random, &calls);
                question.legacy_cookie = !worker.about.v2_cookies;
                let count = random.below(5) + 2;
                question.secrets = random.secrets(count);
                let index = random.below(count);
                let mut signing = question.clone();
                signing.secrets = vec![question.secrets[index].clone()];
                question.token = any_token(random, &signing);
                let mut without = question.clone();
                without.secrets.remove(index);
                (question, without, index)
            })
            .collect();
        let with: Vec<Answer> = worker.ask("judge", &questions(&asked, |(with, ..)| with));
        let without: Vec<Answer> =
            worker.ask("judge", &questions(&asked, |(_, without, _)| without));
        for (case, ((ring, smaller, index), (with, without))) in
            cases.iter().zip(asked.iter().zip(with.iter().zip(&without)))
        {
            case.equal("accepted", true, with.ok.is_some(), ring);
            agreed(case, ring, with, |_| None);
            if let Some(told) = ring.key_index() {
                case.equal("the key's place", told, *index, ring);
            }
            case.equal("refused", false, without.ok.is_some(), smaller);
            agreed(case, smaller, without, |_| None);
        }
    });
}

#[test]
fn text_is_signed_alike_with_any_separator_hash_and_cookie_salt() {
    TOKENS.on_every_django(6, |worker, cases| {
        let separators: Vec<String> =
            cases.iter_mut().map(|case| case.random.separator()).collect();
        let safe: Vec<bool> = worker.ask("separator", &separators);
        let any = crate::data::ring(&[Secret::Text("any".to_owned())]);
        for (case, (separator, safe)) in cases.iter().zip(separators.iter().zip(safe)) {
            let here = Signer::new(&any, "").separator(separator).is_ok();
            case.equal("the separator is safe", here, safe, separator);
        }
        let (texts, notes) = cases.split_at_mut(cases.len() * 4 / 5);
        signed_text(worker, texts);
        messages(worker, notes);
    });
}

fn signed_text(worker: &mut Worker, cases: &mut [Case]) {
    let v2_cookies = worker.about.v2_cookies;
    let mut asked: Vec<(Question, String)> = cases
        .iter_mut()
        .map(|case| {
            let random = &mut case.random;
            let mut question = Question::random(random, &Call::OF_TEXT);
            question.legacy_cookie = !v2_cookies;
            let mut value = random.text(30);
            if random.once_in(3) {
                value.insert_str(0, &question.separator);
            }
            if question.call == Call::Cookie {
                // Newer Pythons refuse control characters in a cookie.
                value.retain(|character| !character.is_control());
            }
            (question, value)
        })
        .collect();
    let orders: Vec<_> =
        asked.iter().map(|(question, value)| With { question, more: Text { value } }).collect();
    let made: Vec<Token> = worker.ask("sign", &orders);
    let mut legacy = Vec::new();
    for (case, ((question, value), made)) in cases.iter().zip(asked.iter_mut().zip(made)) {
        case.equal("the token", &question.sign_text(value), &made.token, question);
        question.token = made.token;
        if question.call == Call::Cookie {
            let mut other = Question { legacy_cookie: v2_cookies, ..question.clone() };
            other.token = other.sign_text(value);
            legacy.push((case, other));
        }
    }
    let read: Vec<Answer> = worker.ask("judge", &questions(&asked, |(question, _)| question));
    for (case, ((question, value), read)) in cases.iter().zip(asked.iter().zip(&read)) {
        case.equal("the value", read.ok.as_ref(), Some(value), question);
        agreed(case, question, read, |_| None);
    }
    // The other kind of cookie: the old one is read where the setting says so, the new one by
    // no Django that does not write it.
    let accepted = v2_cookies && worker.about.reads_legacy_cookies;
    let read: Vec<Answer> = worker.ask("judge", &questions(&legacy, |(_, question)| question));
    for ((case, question), read) in legacy.iter().zip(&read) {
        case.equal("the other salt", accepted, read.ok.is_some(), question);
    }
}

/// As in `django.contrib.messages`: whether it is safe HTML, its level, its text, its tags.
type Message = (bool, i64, String, Option<String>);

fn messages(worker: &mut Worker, cases: &mut [Case]) {
    let asked: Vec<(Question, Vec<Message>)> = cases
        .iter_mut()
        .map(|case| {
            let random = &mut case.random;
            let mut question = Question::random(random, &[Call::Loads]);
            let messages: Vec<Message> = (0..random.below(4) + 1)
                .map(|_| {
                    let tags = random.once_in(2).then(|| random.name());
                    (random.once_in(2), random.within(10, 40), random.text(40), tags)
                })
                .collect();
            let rows: Vec<Json> = messages.iter().map(row).collect();
            let signer = django::cookie_signer(&question.ring(), django::MESSAGES_SALT);
            let token = signer.sign_object_at(&rows, Compress::IfShorter, question.now());
            question.token = token.expect("messages can be written");
            (question, messages)
        })
        .collect();
    let orders: Vec<_> = asked
        .iter()
        .map(|(question, messages)| With { question, more: Messages { messages } })
        .collect();
    let answers: Vec<MessagesAnswer> = worker.ask("messages", &orders);
    for (case, ((question, messages), django)) in cases.iter().zip(asked.iter().zip(answers)) {
        case.equal("Django reads", Some(messages), django.read.as_ref(), question);
        if !question.token.starts_with('.') && !django.token.starts_with('.') {
            case.equal("the token", &question.token, &django.token, question);
        }
        let signer = django::cookie_signer(&question.ring(), django::MESSAGES_SALT);
        let read: Result<Vec<Json>, _> =
            signer.unsign_object_at(&django.token, None, question.now());
        case.equal("read here", read, Ok(messages.iter().map(row).collect()), question);
    }
}

fn row((safe, level, text, tags): &Message) -> Json {
    let mut row = vec![json!("__json_message"), json!(u8::from(*safe)), json!(level), json!(text)];
    row.extend(tags.as_ref().map(|tags| json!(tags)));
    Json::Array(row)
}

// What goes to the worker with a question, and what it answers.

#[derive(Serialize)]
struct Data<'a> {
    data: Described<'a>,
}

#[derive(Deserialize)]
struct Encoded {
    json: String,
    plain: String,
    squeezed: String,
}

#[derive(Serialize)]
struct Order {
    seed: u64,
    compress: bool,
}

#[derive(Deserialize)]
struct Made {
    token: String,
    /// As it was signed.
    json: String,
    /// As Django would read and write it: the last of two entries with one key.
    read: String,
    entries: Entries,
}

/// The keys and values of an object, each as Python's JSON.
type Entries = Vec<(String, String)>;

#[derive(Debug, Serialize)]
struct Texts {
    one: String,
    other: String,
}

#[derive(Serialize)]
struct Text<'a> {
    value: &'a str,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Serialize)]
struct Messages<'a> {
    messages: &'a [Message],
}

#[derive(Deserialize)]
struct MessagesAnswer {
    token: String,
    read: Option<Vec<Message>>,
}

#[derive(Debug, Serialize)]
struct Wish {
    #[serde(flatten)]
    asked: Asked,
    time_zone: &'static str,
    wish: Json,
}

#[derive(Debug, Deserialize)]
struct Set {
    token: String,
    #[serde(flatten)]
    getters: Getters,
}

// Helpers

fn questions<T>(cases: &[T], question: impl Fn(&T) -> &Question) -> Vec<&Question> {
    cases.iter().map(question).collect()
}

fn object(session: &[(String, Value)]) -> Value {
    Value::Object(
        session.iter().map(|(key, value)| (Key::Text(key.clone()), value.clone())).collect(),
    )
}

fn token_of_entries(question: &Question, entries: &[(String, Value)], how: Compress) -> String {
    let mut session = Session::new();
    for (key, value) in entries {
        let set = match value.text() {
            None => session.insert(key, value),
            Some(json) => session.insert_json(key, &json),
        };
        set.expect("every value can be written");
    }
    let codec = question.codec().compress(how);
    codec.encode_at(&session, question.now()).expect("every session can be written")
}

/// A token made here, of random content, as the question's call makes them.
fn any_token(random: &mut Random, question: &Question) -> String {
    match question.call {
        Call::Session | Call::Database => {
            question.sign_data(&object(&random.session()), Compress::IfShorter)
        }
        Call::Loads | Call::Object => question.sign_data(&random.value(), Compress::IfShorter),
        Call::Text | Call::StampedText | Call::Cookie => question.sign_text(&random.text(30)),
    }
}

fn read_or_fail(case: &Case, question: &Question) -> String {
    match question.read() {
        Ok(json) => json,
        Err(error) => case.fail(format_args!("{error}: {question:?}")),
    }
}

/// Sets, adds or removes one entry, and returns the entries that Django must find then.
fn change_one(case: &mut Case, session: &mut Session, before: &Entries) -> Entries {
    let random = &mut case.random;
    let mut after = before.clone();
    let keys: Vec<String> = session.keys().map(str::to_owned).collect();
    if keys.is_empty() || random.once_in(3) {
        session.insert("a new one", 12345).expect("an integer");
        after.push(("\"a new one\"".to_owned(), "12345".to_owned()));
        return after;
    }
    let key = random.pick(&keys);
    // A key with lone surrogates is not text to Rust: it is not among those to choose from.
    let is_it = |entry: &(String, String)| {
        serde_json::from_str::<String>(&entry.0).is_ok_and(|text| text == *key)
    };
    let Some(index) = after.iter().position(is_it) else {
        case.fail(format_args!("{key:?} is not a key that Django has"));
    };
    if random.once_in(2) {
        session.remove(key);
        after.remove(index);
    } else {
        session.insert(key, 12345).expect("an integer");
        after[index].1 = "12345".to_owned();
    }
    after
}
