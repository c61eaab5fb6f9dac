//! Turns a session into the user whom Django has logged in, and a user into a session.
//!
//! As `django.contrib.auth`: `get_user`, `login`, `logout` and
//! `update_session_auth_hash`, with no database behind them.

use std::fmt::{self, Display};

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::error::{ValueError, sure};
use crate::json;
use crate::key::Keyring;
use crate::session::Session;
use crate::signer::salted_hmacs;

const ID_KEY: &str = "_auth_user_id";
const BACKEND_KEY: &str = "_auth_user_backend";
const HASH_KEY: &str = "_auth_user_hash";

/// Where Django keeps its CSRF secret with `CSRF_USE_SESSIONS`.
const CSRF_KEY: &str = "_csrftoken";

/// What `AbstractBaseUser.get_session_auth_hash` is the HMAC for.
const SALT: &str = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// A user as Django's sessions name one: by id, backend and the hash of the password.
///
/// The hash is an HMAC of the stored `password` field, itself a hash. It binds a
/// session to the password: when that is changed, on whichever side, every other
/// session of the user ends. A `password` here is always that field, such as
/// `pbkdf2_sha256$…`, and never what somebody typed.
///
/// # Examples
///
/// A session that Django began; the row comes from the site's database.
///
/// ```
/// use signed_session::django::{self, AuthUser};
/// use signed_session::{Keyring, Session, ValueError};
///
/// struct Row {
///     password: String,
///     is_active: bool,
/// }
///
/// fn who(
///     session: &mut Session,
///     ring: &Keyring,
///     find: impl Fn(&str) -> Option<Row>,
/// ) -> Result<Option<String>, ValueError> {
///     let Some(user) = AuthUser::from_session(session)? else { return Ok(None) };
///     if user.backend() != "django.contrib.auth.backends.ModelBackend" {
///         return Ok(None);
///     }
///     // As this backend does, which also refuses who is not active.
///     let Some(row) = find(user.id()).filter(|row| row.is_active) else { return Ok(None) };
///     let matched = user.resume(session, ring, &row.password);
///     Ok(matched.map(|_| user.id().to_owned()))
/// }
///
/// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
/// let mut password = "pbkdf2_sha256$1000000$salt$hash".to_owned();
/// let backend = "django.contrib.auth.backends.ModelBackend";
/// let mut session = Session::new();
/// AuthUser::new(&ring, 42, backend, &password).login(&mut session, |_| false);
///
/// let row = |password: &str| Row { password: password.to_owned(), is_active: true };
/// assert_eq!(who(&mut session, &ring, |_| Some(row(&password)))?, Some("42".to_owned()));
///
/// // Changed in Django: who is not the one who changed it is logged out here.
/// password.push_str("-of-another");
/// assert_eq!(who(&mut session, &ring, |_| Some(row(&password)))?, None);
/// assert!(session.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuthUser {
    id: String,
    backend: String,
    /// In hexadecimal; empty if the session has none.
    hash: String,
}

impl AuthUser {
    /// Makes the user whom a program has authenticated, to be logged in.
    ///
    /// `id` is the row's primary key as Django prints it, `backend` one of the
    /// site's `AUTHENTICATION_BACKENDS`, `password` the row's field of that name.
    /// The hash is made under the ring's first key.
    #[must_use]
    pub fn new(ring: &Keyring, id: impl Display, backend: &str, password: &str) -> Self {
        Self { id: id.to_string(), backend: backend.to_owned(), hash: hash(ring, password) }
    }

    /// Returns the user whom a session names, if it names one.
    ///
    /// Django keeps the id as text; a whole number, which some applications
    /// wrote there, is taken too. As in `get_user` a session without a backend
    /// is nobody's.
    ///
    /// This proves that the site wrote the name, and not that it still holds:
    /// the user may be gone, or the password another. Ask the database, and
    /// then [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if an entry is there and of no type that Django
    /// writes. Nobody should then be taken for logged in.
    pub fn from_session(session: &Session) -> Result<Option<Self>, ValueError> {
        let Some(id) = session.get_json(ID_KEY) else { return Ok(None) };
        let id = read_id(id)?;
        let Some(backend) = session.get(BACKEND_KEY)? else { return Ok(None) };
        // Null and an empty text are there where a user model has no password.
        let hash = session.get::<Option<String>>(HASH_KEY)?.flatten().unwrap_or_default();
        Ok(Some(Self { id, backend, hash }))
    }

    /// Returns the primary key, as text.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the path of the backend that authenticated the user.
    ///
    /// Django takes a session for nobody's whose backend is none of the site's
    /// `AUTHENTICATION_BACKENDS`, and so should you.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Returns which key of the ring the hash was made with from this password, if any.
    ///
    /// 0 is the first key. The hash is compared in constant time with that of
    /// every key. Without a hash in the session there is none to match.
    #[must_use]
    pub fn verify(&self, ring: &Keyring, password: &str) -> Option<usize> {
        // All are compared, and which matched is chosen without a branch: it takes the same time.
        let (mut found, mut matched) = (Choice::from(0), 0_u64);
        for (index, hash) in (0..).zip(hashes(ring, password)) {
            let is_equal = hash.ct_eq(self.hash.as_bytes());
            matched.conditional_assign(&index, is_equal & !found);
            found |= is_equal;
        }
        bool::from(found).then(|| usize::try_from(matched).ok()).flatten()
    }

    /// Verifies the user against the password, and has the session say what came of it.
    ///
    /// As the end of `django.contrib.auth.get_user`: if the first key's hash
    /// matches the session stays as it is; if a fallback's does, it is written
    /// anew with the hash under the first; if none does it is flushed, and nobody
    /// is logged in. Returns which key matched.
    ///
    /// A user who is no longer in the database, or is not active, is not logged
    /// in either, but Django leaves the session alone: do not call this then.
    #[must_use = "nobody is logged in unless a key matched"]
    pub fn resume(&self, session: &mut Session, ring: &Keyring, password: &str) -> Option<usize> {
        let matched = self.verify(ring, password);
        match matched {
            Some(0) => {}
            Some(_) => self.rebind(session, ring, password),
            None => session.flush(),
        }
        matched
    }

    /// Binds the session to this password of its user, under the ring's first key.
    ///
    /// As `update_session_auth_hash`: for who has just changed the password, and
    /// is to stay logged in where that was done.
    pub fn rebind(&self, session: &mut Session, ring: &Keyring, password: &str) {
        session.cycle_key();
        session.set_text(HASH_KEY, &hash(ring, password));
    }

    /// Logs the user in, which Django then knows too.
    ///
    /// | the session | what becomes of its entries |
    /// |---|---|
    /// | is this user's, with this hash | they stay |
    /// | is another's, or from before the password was changed | all go |
    /// | is an anonymous visitor's | those stay that `keep` is true for |
    ///
    /// Django keeps everything of an anonymous visitor's. But who prepared a
    /// session and planted its cookie in another's browser would find what they
    /// put in at work for the user: so name what is to be kept, such as a cart.
    /// `|_| true` is Django's way.
    ///
    /// With `CSRF_USE_SESSIONS` Django's secret is in the session. It goes, and
    /// Django makes another when the next form asks: pages loaded before the
    /// login can no longer be sent. The cookie `csrftoken`, where Django keeps it
    /// otherwise, is not the session's and stays as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use signed_session::{Keyring, Session, django::AuthUser};
    ///
    /// let ring = Keyring::new("example-only-correct-horse-battery-staple")?;
    /// let mut session = Session::new();
    /// session.insert("cart", ["apples"])?;
    /// session.insert("next_discount", 100)?;
    ///
    /// let backend = "django.contrib.auth.backends.ModelBackend";
    /// let user = AuthUser::new(&ring, 42, backend, "pbkdf2_sha256$1000000$salt$hash");
    /// user.login(&mut session, |key| key == "cart");
    /// let keys: Vec<_> = session.keys().collect();
    /// assert_eq!(keys, ["cart", "_auth_user_id", "_auth_user_backend", "_auth_user_hash"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn login(&self, session: &mut Session, keep: impl Fn(&str) -> bool) {
        if !session.contains_key(ID_KEY) {
            session.begin_anew(keep);
        } else if !self.is_of(session) {
            session.flush();
        }
        session.set_text(ID_KEY, &self.id);
        session.set_text(BACKEND_KEY, &self.backend);
        session.set_text(HASH_KEY, &self.hash);
        session.remove(CSRF_KEY);
    }

    /// Tells whether a session is this user's, with this hash if there is one.
    fn is_of(&self, session: &Session) -> bool {
        let id = session.get_json(ID_KEY).and_then(|id| read_id(id).ok());
        let is_same_id = id.is_some_and(|id| id == self.id);
        let hash = session.get::<String>(HASH_KEY).ok().flatten().unwrap_or_default();
        let is_same_hash = bool::from(hash.as_bytes().ct_eq(self.hash.as_bytes()));
        is_same_id && (self.hash.is_empty() || is_same_hash)
    }
}

/// Logs out whoever is logged in, and ends the session.
///
/// As `django.contrib.auth.logout`: all entries go, and the cookie with them. A
/// copy of the cookie stays good until it expires; see [`Session::flush`].
pub fn logout(session: &mut Session) {
    session.flush();
}

/// Reads `_auth_user_id`: a text, or a whole number.
fn read_id(json: &str) -> Result<String, ValueError> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(json.to_owned());
    }
    json::read(json).map_err(|_| ValueError::WrongType)
}

/// Returns the hash of a password under the first key.
fn hash(ring: &Keyring, password: &str) -> String {
    sure(hashes(ring, password).next().and_then(|hash| String::from_utf8(hash).ok()))
}

/// Returns the hash of a password under each key, in hexadecimal.
fn hashes(ring: &Keyring, password: &str) -> impl Iterator<Item = Vec<u8>> {
    let digits = |byte: u8| [digit(byte >> 4), digit(byte & 15)];
    salted_hmacs(ring, SALT, password.as_bytes())
        .map(move |mac| mac.into_iter().flat_map(digits).collect())
}

/// Returns a hexadecimal digit, by no branch and no table that would tell which.
fn digit(number: u8) -> u8 {
    let is_letter = 9_u8.wrapping_sub(number) >> 7;
    // `a` comes 39 after what would follow `9`.
    number.wrapping_add(b'0').wrapping_add(is_letter.wrapping_mul(39))
}

/// Shows nothing: whom a session names is the visitor's.
impl fmt::Debug for AuthUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthUser").finish_non_exhaustive()
    }
}
