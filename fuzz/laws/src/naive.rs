//! The library and a second implementation of Django's tokens agree, on what is good and on what is written.

use std::collections::HashSet;
use std::time::Duration;

use signed_session::{
    Compress, DecodeError, ExpiryRule, Keyring, Session, SessionCodec, Signer, TimestampSigner,
    Weakness,
};

use super::django::{self, Content, Refusal};
use super::input::Input;
use super::tree::Tree;
use super::{NOW, SECRET, is_discreet, is_discreet_error, is_rightly_reserved, made};

const RETIRED: &str = "example-only-retired";

const UNKNOWN: &str = "example-only-of-another-site";

pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 4 {
        0 => reads_alike(input.pick(&[60, 1_209_600, 1 << 40]), &input.rest_as_text()),
        1 => writes_alike(&mut input),
        _ => {
            let secret = input.pick(&[SECRET, SECRET, RETIRED, UNKNOWN]);
            let max_age = input.pick(&[1_209_600, 60, 0, 1 << 40]);
            let stamp = made::stamp(&mut input);
            let payload = made::payload(&mut input);
            reads_alike(max_age, &django::sign(&payload, django::SESSION_SALT, secret, &stamp));
        }
    }
}

fn reads_alike(max_age: u64, token: &str) {
    let ring = Keyring::new(SECRET).unwrap().fallback(RETIRED).unwrap();
    let codec = SessionCodec::new(&ring)
        .expiry_rule(ExpiryRule::Django)
        .max_age(Duration::from_secs(max_age));
    let decoded = codec.decode_at(token, NOW);
    let naive = django::decode(
        token,
        &[SECRET, RETIRED],
        max_age.try_into().unwrap(),
        NOW.unix_timestamp(),
    );
    assert_eq!(decoded.map(|session| content(&session)).map_err(|error| refusal(&error)), naive);
}

fn content(session: &Session) -> Content {
    Content {
        entries: django::read_object(&session.to_json()).unwrap(),
        signed_at: session.signed_at().unwrap().unix_timestamp(),
        key_index: session.key_index().unwrap(),
    }
}

fn refusal(error: &DecodeError) -> Refusal {
    match error {
        DecodeError::TooLong { .. } => Refusal::TooLong,
        DecodeError::Malformed => Refusal::Malformed,
        DecodeError::BadSignature => Refusal::BadSignature,
        DecodeError::BadTimestamp => Refusal::BadTimestamp,
        DecodeError::Expired { .. } => Refusal::Expired,
        DecodeError::Base64 => Refusal::Base64,
        DecodeError::Zlib => Refusal::Zlib,
        DecodeError::TooLarge { .. } => Refusal::TooLarge,
        DecodeError::Json => Refusal::Json,
        DecodeError::NotAnObject => Refusal::NotAnObject,
        error => panic!("a token that Django refuses for no reason: {error}"),
    }
}

fn writes_alike(input: &mut Input<'_>) {
    let (secret, salt) = (input.bytes(), input.text());
    let is_blank = str::from_utf8(secret).is_ok_and(|text| text.trim().is_empty());
    let ring = match Keyring::new(secret) {
        Ok(ring) => ring,
        Err(error) => {
            assert!(is_blank);
            return is_discreet_error(&error, &salt);
        }
    };
    assert!(!is_blank);
    assert_eq!(ring.weaknesses(), weaknesses(secret).map(|fault| (0, fault)).collect::<Vec<_>>());
    let seconds = input.number().clamp(0, 253_402_300_799);
    let stamp = django::stamp(seconds);
    let now = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let text = input.text();
    let signature = django::signature(&text, &salt, secret);
    let signer = Signer::new(&ring, &salt);
    assert_eq!(signer.sign(&text), format!("{text}:{signature}"));
    is_discreet(&(&ring, &signer), &String::from_utf8_lossy(secret));
    match signer.separator(&salt) {
        Ok(signer) => {
            let token = format!("{text}{salt}{signature}");
            assert!(!is_unsafe(&salt));
            assert_eq!((signer.sign(&text), signer.unsign(&token)), (token.clone(), Ok(&*text)));
        }
        Err(error) => {
            assert!(is_unsafe(&salt));
            is_discreet_error(&error, &salt);
        }
    }
    let stamper = TimestampSigner::new(&ring, &salt);
    assert_eq!(stamper.sign_at(&text, now), django::sign(&text, &salt, secret, &stamp));

    let tree = Tree::take(input, 0);
    let json = django::dumps(&tree);
    let token = django::sign(&django::base64(json.as_bytes()), &salt, secret, &stamp);
    assert_eq!(stamper.sign_object_at(&tree, Compress::Never, now).unwrap(), token);
    let zlib = django::zlib(json.as_bytes());
    if zlib.len() + 1 < json.len() {
        let payload = format!(".{}", django::base64(&zlib));
        let token = django::sign(&payload, &salt, secret, &stamp);
        assert_eq!(stamper.sign_object_at(&tree, Compress::IfShorter, now).unwrap(), token);
    } else {
        assert_eq!(stamper.sign_object_at(&tree, Compress::IfShorter, now).unwrap(), token);
    }
    if let Tree::Object(entries) = &tree {
        let codec = SessionCodec::new(&ring)
            .salt(&salt)
            .compress(Compress::Never)
            .expiry_rule(ExpiryRule::Django)
            .max_token_len(1 << 20);
        is_discreet(&codec, &String::from_utf8_lossy(secret));
        assert_eq!(codec.encode_as_at(&tree, now).unwrap(), token);
        let mut session = Session::new();
        match session.extend(entries.iter().map(|(key, value)| (key, value))) {
            Ok(()) => assert_eq!(codec.encode_at(&session, now).unwrap(), token),
            Err(error) => {
                let json = entries.iter().map(|(key, value)| (&**key, django::dumps(value)));
                is_rightly_reserved(&error, &json.collect::<Vec<_>>());
            }
        }
    }
}

/// Django's `_SEP_UNSAFE`, `^[A-z0-9-_=]*$`, where `$` also stands before a last newline.
fn is_unsafe(separator: &str) -> bool {
    let unsafe_characters = ('A'..='z').chain('0'..='9').chain(['-', '=']).collect::<String>();
    let is_unsafe = |text: &str| text.chars().all(|c| unsafe_characters.contains(c));
    is_unsafe(separator)
        || separator.ends_with('\n') && is_unsafe(&separator[..separator.len() - 1])
}

fn weaknesses(secret: &[u8]) -> impl Iterator<Item = Weakness> {
    let distinct: HashSet<&u8> = secret.iter().collect();
    let faults = [
        (secret.len() < 32).then_some(Weakness::Short),
        (distinct.len() < 5).then_some(Weakness::FewCharacters),
        secret.starts_with(b"django-insecure-").then_some(Weakness::DjangoInsecure),
        secret.starts_with(b"example-only-").then_some(Weakness::Sample),
    ];
    faults.into_iter().flatten()
}
