//! Creates the sessions that are measured: 256 distinct ones of each size, the same in every run.
//!
//! | bytes of | JSON | a plain token | a compressed one | |
//! |---|---:|---:|---:|---|
//! | tiny | 37 | 101 | – | two entries |
//! | auth | 172 | 281 | 227 | who is logged in, as Django writes it |
//! | k1 | 1,029 | 1,423 | 947 | a shop's session |
//! | k3 | 2,899 | 3,917 | 2,053 | a larger one |

#![allow(dead_code, reason = "each program uses its part of it")]

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The same input again and again would flatter, zlib above all.
pub const COUNT: usize = 256;

pub const SECRET: &str = "example-only-correct-horse-battery-staple";

/// A session of one size, as a struct.
pub trait Sample: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    const NAME: &str;

    /// Three entries that are read of it, each a text.
    const READ: [&str; 3];

    fn random(random: &mut Random) -> Self;

    /// Returns the sessions, each another.
    fn all() -> Vec<Self> {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        (0..COUNT).map(|_| Self::random(&mut random)).collect()
    }
}

#[derive(Clone, Deserialize, Serialize)]
pub struct Tiny {
    user: String,
    language: String,
}

impl Sample for Tiny {
    const NAME: &str = "tiny";
    const READ: [&str; 3] = ["user", "language", "none"];

    fn random(random: &mut Random) -> Self {
        let languages = ["de-AT", "en-GB", "es-MX", "fr-CA", "pt-BR"];
        let user = (1_000_000 + random.below(9_000_000)).to_string();
        Self { user, language: random.pick(&languages).to_owned() }
    }
}

#[derive(Clone, Deserialize, Serialize)]
pub struct Auth {
    _auth_user_id: String,
    _auth_user_backend: String,
    _auth_user_hash: String,
}

impl Sample for Auth {
    const NAME: &str = "auth";
    const READ: [&str; 3] = ["_auth_user_id", "_auth_user_backend", "_auth_user_hash"];

    fn random(random: &mut Random) -> Self {
        Self {
            _auth_user_id: (10 + random.below(90)).to_string(),
            _auth_user_backend: "django.contrib.auth.backends.ModelBackend".to_owned(),
            _auth_user_hash: random.text(b"0123456789abcdef", 64),
        }
    }
}

pub type K1 = Shop<1029>;
pub type K3 = Shop<2899>;

/// What a shop keeps; `LEN` bytes of JSON.
#[derive(Clone, Deserialize, Serialize)]
pub struct Shop<const LEN: usize> {
    _auth_user_id: String,
    _auth_user_backend: String,
    _auth_user_hash: String,
    _csrftoken: String,
    language: String,
    cart: Vec<Item>,
    viewed: Vec<String>,
    note: String,
}

#[derive(Clone, Deserialize, Serialize)]
struct Item {
    sku: String,
    name: String,
    quantity: u8,
    price: u32,
}

impl<const LEN: usize> Sample for Shop<LEN> {
    const NAME: &str = if LEN < 2000 { "k1" } else { "k3" };
    const READ: [&str; 3] = ["_auth_user_id", "_auth_user_hash", "language"];

    fn random(random: &mut Random) -> Self {
        let auth = Auth::random(random);
        let mut shop = Self {
            _auth_user_id: auth._auth_user_id,
            _auth_user_backend: auth._auth_user_backend,
            _auth_user_hash: auth._auth_user_hash,
            _csrftoken: random.text(LETTERS, 32),
            language: "en-GB".to_owned(),
            cart: (0..LEN / 250).map(|_| Item::random(random)).collect(),
            viewed: (0..LEN / 60).map(|_| random.text(LETTERS, 16)).collect(),
            note: String::new(),
        };
        let len = serde_json::to_string(&shop).expect("a struct").len();
        shop.note = random.words(LEN - len);
        shop
    }
}

impl Item {
    fn random(random: &mut Random) -> Self {
        Self {
            sku: random.text(b"0123456789ABCDEF", 8),
            name: format!("{} {}", random.pick(&WORDS), random.pick(&WORDS)),
            quantity: 1 + random.below(9) as u8,
            price: 100 + random.below(9_900) as u32,
        }
    }
}

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const WORDS: [&str; 32] = [
    "amber", "basket", "candle", "copper", "cotton", "cushion", "drawer", "enamel", "folding",
    "garden", "green", "hanging", "kettle", "ladder", "lantern", "large", "linen", "marble",
    "narrow", "oak", "olive", "paper", "round", "shelf", "silver", "small", "spoon", "stone",
    "table", "velvet", "walnut", "wicker",
];

/// Marsaglia's xorshift: the same numbers on every machine.
pub struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn text(&mut self, alphabet: &[u8], len: usize) -> String {
        (0..len).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }

    fn words(&mut self, len: usize) -> String {
        let mut text = String::new();
        while text.len() < len {
            text.push_str(self.pick(&WORDS));
            text.push(' ');
        }
        text.truncate(len);
        text
    }
}
