//! A good token with anything changed is never accepted.

use std::sync::LazyLock;

use signed_session::{CookieOptions, SessionManager, Signer, TimestampSigner};

use super::input::Input;
use super::{NOW, RING, SECRET, WIDE_CODEC, django, made};

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new(&RING, django::SESSION_SALT));

static STAMPER: LazyLock<TimestampSigner> =
    LazyLock::new(|| TimestampSigner::new(&RING, django::SESSION_SALT));

static MANAGER: LazyLock<SessionManager> = LazyLock::new(|| {
    SessionManager::new(WIDE_CODEC.clone(), CookieOptions::new("sessionid").unwrap())
});

pub fn law(data: &[u8]) {
    let mut input = Input::new(data);
    let edits: Vec<Edit> = (0..=input.byte() % 4).map(|_| Edit::take(&mut input)).collect();
    let other = format!("{{\"user_id\":{}}}", input.number());
    let stamp = made::stamp(&mut input);
    let payload = made::payload(&mut input);
    let sign = |payload: &str| django::sign(payload, django::SESSION_SALT, SECRET, &stamp);
    let good = [sign(&payload), sign(&django::base64(other.as_bytes()))];

    let [mut token, donor] = good.clone();
    edits.iter().for_each(|edit| token = edit.apply(&token, &donor));
    // The fuzzer may remember a token of an earlier run, which is as good.
    if is_signed(&token) {
        return;
    }
    let refused = WIDE_CODEC.decode_at(&token, NOW).unwrap_err();
    assert!(!refused.is_authentic(), "{refused}");
    assert_eq!(SIGNER.unsign(&token), Err(refused.clone()));
    assert_eq!(STAMPER.unsign_at(&token, None, NOW), Err(refused));

    // A cookie cannot hold all of it: what stands before a `;` may be the good token again.
    if !token.contains(';') && !is_signed(token.trim_matches([' ', '\t'])) {
        let session = MANAGER.load_at([&format!("sessionid={token}")], NOW);
        assert!(session.is_empty() && session.signed_at().is_none());
    }
    // Beside the good one it changes nothing.
    if let Ok(session) = WIDE_CODEC.decode_at(&good[0], NOW)
        && !good[0].contains(';')
        && good[0].trim_matches([' ', '\t']) == good[0]
    {
        let headers =
            [format!("sessionid={}", good[0]), format!("sessionid={}", token.replace(';', ""))];
        let loaded = MANAGER.load_at(&headers, NOW);
        if !is_signed(token.replace(';', "").trim_matches([' ', '\t'])) {
            assert_eq!(loaded.to_json(), session.to_json());
        }
    }
}

/// Returns `true` if the key signed a token, according to the second implementation.
fn is_signed(token: &str) -> bool {
    token.rsplit_once(':').is_some_and(|(value, signature)| {
        django::signature(value, django::SESSION_SALT, SECRET) == signature
    })
}

/// One change, at places that are shares of the token's length.
struct Edit {
    kind: u8,
    places: [u16; 2],
    text: String,
}

impl Edit {
    fn take(input: &mut Input<'_>) -> Self {
        let mut place = || u16::from_le_bytes([input.byte(), input.byte()]);
        let places = [place(), place()];
        Self { kind: input.byte(), places, text: input.text() }
    }

    fn apply(&self, token: &str, donor: &str) -> String {
        let mut chars: Vec<char> = token.chars().collect();
        let place = |place: u16, len: usize| usize::from(place) % (len + 1);
        let [a, b] = self.places.map(|at| place(at, chars.len()));
        let (start, end) = (a.min(b), a.max(b));
        match self.kind % 8 {
            // Put another text in place of as many characters.
            0 => {
                let end = (start + self.text.chars().count()).min(chars.len());
                chars.splice(start..end, self.text.chars());
            }
            1 => drop(chars.splice(start..start, self.text.chars())),
            2 => drop(chars.drain(start..end)),
            3 if end < chars.len() => chars.swap(start, end),
            4 => chars.truncate(end),
            5 => {
                let part = chars[start..end].to_vec();
                chars.splice(end..end, part);
            }
            6 => chars[start..end].iter_mut().for_each(|c| {
                *c = if c.is_ascii_lowercase() {
                    c.to_ascii_uppercase()
                } else {
                    c.to_ascii_lowercase()
                };
            }),
            // The beginning of this and the end of another.
            _ => {
                let rest = donor.chars().skip(place(self.places[1], donor.chars().count()));
                return chars[..a].iter().copied().chain(rest).collect();
            }
        }
        chars.into_iter().collect()
    }
}
