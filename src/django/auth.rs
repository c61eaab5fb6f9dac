//! Reads the user whom Django logged in, and logs users in and out.
//!
//! Corresponds to `get_user`, `login`, `logout` and `update_session_auth_hash` of
//! `django.contrib.auth`, without a database.

use std::fmt::{self, Display};

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::django::csrf::defaults::SESSION_KEY;
use crate::error::{ValueError, sure};
use crate::json;
use crate::key::Keyring;
use crate::session::Session;
use crate::signer::salted_hmacs;

const ID_KEY: &str = "_auth_user_id";
const BACKEND_KEY: &str = "_auth_user_backend";
const HASH_KEY: &str = "_auth_user_hash";

/// The salt of the HMAC in `AbstractBaseUser.get_session_auth_hash`.
const SALT: &str = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// The user in a Django session: an id, a backend and a session hash.
///
/// The session hash is an HMAC of the user's `password` field. It binds a session to the password:
/// when the password is changed, in Django or in Rust, the user's other sessions are no longer
/// logged in. In this API, `password` is always that field, which is a password hash such as
/// `pbkdf2_sha256$…`, and never the password that a user enters.
///
/// # Examples
///
/// The row comes from the site's database.
///
/// ```
/// use signed_session::django::{AuthUser, DjangoSettings};
/// use signed_session::{Session, ValueError};
///
/// struct Row {
///     password: String,
///     is_active: bool,
/// }
///
/// fn who(
///     session: &mut Session,
///     settings: &DjangoSettings,
///     find: impl Fn(&str) -> Option<Row>,
/// ) -> Result<Option<String>, ValueError> {
///     let Some(user) = AuthUser::from_session(session)? else { return Ok(None) };
///     if !settings.authentication_backends().iter().any(|known| known == user.backend()) {
///         return Ok(None);
///     }
///     // Like Django's backends, except `AllowAllUsersModelBackend`.
///     let Some(row) = find(user.id()).filter(|row| row.is_active) else { return Ok(None) };
///     // Nobody is logged in unless the hash matches; the session stays as it is.
///     let matched = user.resume(session, settings.keyring(), &row.password);
///     Ok(matched.map(|_| user.id().to_owned()))
/// }
///
/// let settings = DjangoSettings::new("example-only-correct-horse-battery-staple")?;
/// let mut password = "pbkdf2_sha256$1000000$salt$hash".to_owned();
/// let backend = "django.contrib.auth.backends.ModelBackend";
/// let mut session = Session::new();
/// AuthUser::new(settings.keyring(), 42, backend, &password).login(&mut session, |_| false);
///
/// let row = |password: &str| Row { password: password.to_owned(), is_active: true };
/// assert_eq!(who(&mut session, &settings, |_| Some(row(&password)))?, Some("42".to_owned()));
///
/// // After a change of the password in Django, this session is no longer logged in.
/// password.push_str("-of-another");
/// assert_eq!(who(&mut session, &settings, |_| Some(row(&password)))?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # User models that override `get_session_auth_hash`
///
/// A model can compute the hash with a different salt, message or algorithm. [`new`](Self::new),
/// [`verify`](Self::verify), [`resume`](Self::resume) and [`rebind`](Self::rebind) then compute a
/// hash that Django does not accept. Compute it as the model does, and pass it to
/// [`with_hash`](Self::with_hash), [`verify_with`](Self::verify_with),
/// [`resume_with`](Self::resume_with) and [`rebind_with`](Self::rebind_with).
///
/// ```
/// use hmac::{Hmac, KeyInit as _, Mac as _};
/// use sha2::Sha256;
/// use signed_session::{Session, django::AuthUser};
///
/// /// Computes the hash as the site's model does: over the password and a token of each user.
/// fn session_hash(password: &str, token: &str) -> String {
///     let mut mac = Hmac::<Sha256>::new_from_slice(b"a key of the site's").unwrap();
///     mac.update(password.as_bytes());
///     mac.update(token.as_bytes());
///     mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
/// }
///
/// let backend = "django.contrib.auth.backends.ModelBackend";
/// let mut session = Session::new();
/// let hash = session_hash("pbkdf2_sha256$1000000$salt$hash", "a1b2");
/// AuthUser::with_hash(42, backend, &hash).login(&mut session, |_| false);
///
/// let user = AuthUser::from_session(&session)?.unwrap();
/// assert_eq!(user.resume_with(&mut session, [&hash]), Some(0));
/// # Ok::<(), signed_session::ValueError>(())
/// ```
#[derive(Clone)]
pub struct AuthUser {
    id: String,
    backend: String,
    /// In hexadecimal; empty if the session has none.
    hash: String,
}

impl AuthUser {
    /// Creates a user whom the program has authenticated.
    ///
    /// Call [`login`](Self::login) to log the user in. `id` is the row's primary key as Django
    /// prints it, `backend` is one of the site's `AUTHENTICATION_BACKENDS`, and `password` is the
    /// row's `password` field. The hash is computed with the ring's first key.
    #[must_use]
    pub fn new(ring: &Keyring, id: impl Display, backend: &str, password: &str) -> Self {
        Self { id: id.to_string(), backend: backend.to_owned(), hash: hash(ring, password) }
    }

    /// Creates a user whom the program has authenticated, with this hash.
    ///
    /// Use this instead of [`new`](Self::new) for a model that overrides `get_session_auth_hash`.
    #[must_use]
    pub fn with_hash(id: impl Display, backend: &str, hash: &str) -> Self {
        Self { id: id.to_string(), backend: backend.to_owned(), hash: hash.to_owned() }
    }

    /// Returns the user in the session, if there is one.
    ///
    /// Django stores the id as a string; a whole number, which some applications write, is accepted
    /// too. As in `get_user`, a session without a backend has no user.
    ///
    /// This proves that the site wrote the entry, but not that the login is still valid: the user
    /// may have been deleted, or the password changed. Query the database, and then call
    /// [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// [`ValueError::WrongType`] if an entry exists with a type that Django does not write. The
    /// visitor should then not be treated as logged in.
    pub fn from_session(session: &Session) -> Result<Option<Self>, ValueError> {
        let Some(id) = session.get_json(ID_KEY) else { return Ok(None) };
        let id = read_id(id)?;
        let Some(backend) = session.get(BACKEND_KEY)? else { return Ok(None) };
        // A user model without a password stores null or an empty string.
        let hash = session.get::<Option<String>>(HASH_KEY)?.flatten().unwrap_or_default();
        Ok(Some(Self { id, backend, hash }))
    }

    /// Returns the primary key as a string.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the path of the backend that authenticated the user.
    ///
    /// Django ignores a login if its backend is not among the site's `AUTHENTICATION_BACKENDS`, and
    /// so should you. See
    /// [`DjangoSettings::authentication_backends`](crate::django::DjangoSettings::authentication_backends).
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Returns the session's hash, or an empty string if it has none.
    ///
    /// It is derived from the password: compare it with [`verify_with`](Self::verify_with), not
    /// with `==`, and do not log it.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Returns the index of the key with which the hash matches, if any.
    ///
    /// 0 is the first key. The session's hash is compared in constant time with the hash of
    /// `password` computed with every key. A session without a hash never matches.
    #[must_use]
    pub fn verify(&self, ring: &Keyring, password: &str) -> Option<usize> {
        self.choose(hashes(ring, password).map(|hash| hash.ct_eq(self.hash.as_bytes())))
    }

    /// Returns the index of the expected hash that matches, if any.
    ///
    /// `expected` are the hashes that the program computed as the user model does: the current one
    /// first, then those with `SECRET_KEY_FALLBACKS`. All are compared with the session's hash, in
    /// constant time, before any result is used. A session without a hash never matches.
    #[must_use]
    pub fn verify_with<H: AsRef<str>>(
        &self,
        expected: impl IntoIterator<Item = H>,
    ) -> Option<usize> {
        let is_equal = |hash: H| hash.as_ref().as_bytes().ct_eq(self.hash.as_bytes());
        self.choose(expected.into_iter().map(is_equal))
    }

    /// Returns the index of the first true value, without branches.
    fn choose(&self, choices: impl Iterator<Item = Choice>) -> Option<usize> {
        let (mut found, mut matched) = (Choice::from(0), 0_u64);
        for (index, is_equal) in (0..).zip(choices) {
            matched.conditional_assign(&index, is_equal & !found);
            found |= is_equal;
        }
        // An empty hash means that there is none, so two empty hashes do not match.
        let found = bool::from(found) && !self.hash.is_empty();
        found.then(|| usize::try_from(matched).ok()).flatten()
    }

    /// Verifies the session's hash, and renews a hash of a fallback key.
    ///
    /// Corresponds to the last part of `django.contrib.auth.get_user`, except that a mismatch
    /// leaves the session unchanged. If a fallback key matches, the session gets the hash with the
    /// first key. Returns the index of the key that matched.
    ///
    /// If none matches, the visitor is not logged in, and *the session is left unchanged*. Django
    /// flushes it, but a mismatch can have several causes:
    ///
    /// | cause | correct reaction |
    /// |---|---|
    /// | the password has been changed | the session may end |
    /// | the row is from a replica that has not seen the change of the password yet | it must stay |
    /// | the user model overrides `get_session_auth_hash` | it must stay; see [`resume_with`](Self::resume_with) |
    /// | the site has rotated its `SECRET_KEY`, and this program has not | it must stay |
    ///
    /// If you know that the password has been changed, [`flush`](Session::flush) the session.
    /// Otherwise leave that to Django, at the visitor's next request there.
    ///
    /// A user who is no longer in the database, or is not active, is not logged in either, and
    /// Django leaves the session unchanged too.
    #[must_use = "nobody is logged in unless a key matched"]
    pub fn resume(&self, session: &mut Session, ring: &Keyring, password: &str) -> Option<usize> {
        let matched = self.verify(ring, password);
        if let Some(1..) = matched {
            session.renew_text(HASH_KEY, &hash(ring, password));
        }
        matched
    }

    /// Verifies the session's hash, and renews a hash that is not current.
    ///
    /// Use this instead of [`resume`](Self::resume) for a user model that overrides
    /// `get_session_auth_hash`: `expected` are the hashes as for
    /// [`verify_with`](Self::verify_with). If a hash other than the first matches, the first
    /// replaces it in the session. If none matches, the session is left unchanged.
    #[must_use = "nobody is logged in unless a hash matched"]
    pub fn resume_with<H: AsRef<str>>(
        &self,
        session: &mut Session,
        expected: impl IntoIterator<Item = H>,
    ) -> Option<usize> {
        let expected: Vec<H> = expected.into_iter().collect();
        let matched = self.verify_with(&expected);
        if let (Some(1..), Some(current)) = (matched, expected.first()) {
            session.renew_text(HASH_KEY, current.as_ref());
        }
        matched
    }

    /// Binds the session to the user's new password.
    ///
    /// Corresponds to `update_session_auth_hash`. Call it after the user has changed the password,
    /// so that this session stays logged in. This starts a new session that keeps all entries. The
    /// hash is computed with the ring's first key.
    pub fn rebind(&self, session: &mut Session, ring: &Keyring, password: &str) {
        self.rebind_with(session, &hash(ring, password));
    }

    /// Binds the session to the user's new hash.
    ///
    /// Use this instead of [`rebind`](Self::rebind) for a user model that overrides
    /// `get_session_auth_hash`.
    pub fn rebind_with(&self, session: &mut Session, hash: &str) {
        session.begin(|_| true);
        session.set_text(HASH_KEY, hash);
    }

    /// Logs the user in to the session, for Django and for this program.
    ///
    /// This always starts a new session: [`Session::started_at`] returns the time of the login from
    /// then on.
    ///
    /// | the session before the login | its entries |
    /// |---|---|
    /// | belongs to this user, with this hash | all are kept |
    /// | belongs to another user, or is from before the password was changed | all are removed |
    /// | is anonymous | those for which `keep` returns `true` are kept |
    ///
    /// Django keeps all entries of an anonymous visitor. But an attacker who prepared a session and
    /// planted its cookie in the visitor's browser controls every entry that is kept, so keep only
    /// what you need, such as a cart. `|_| true` keeps everything, as Django does.
    ///
    /// The visitor's CSRF secret is replaced, so that pages loaded before the login can no longer
    /// be submitted. With `CSRF_USE_SESSIONS` it is removed from the session, and the next form
    /// creates a new one. The cookie `csrftoken` is replaced if the request is served with
    /// [`Csrf`](crate::django::Csrf) or its layer; otherwise it is not changed.
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
        if session.contains_key(ID_KEY) {
            let is_kept = self.is_of(session);
            session.begin(|_| is_kept);
        } else {
            session.begin(keep);
        }
        session.set_text(ID_KEY, &self.id);
        session.set_text(BACKEND_KEY, &self.backend);
        session.set_text(HASH_KEY, &self.hash);
        session.remove(SESSION_KEY);
    }

    /// Returns `true` if a session belongs to this user, with this hash.
    ///
    /// The hash is not compared if this user has none.
    fn is_of(&self, session: &Session) -> bool {
        let id = session.get_json(ID_KEY).and_then(|id| read_id(id).ok());
        let is_same_id = id.is_some_and(|id| id == self.id);
        let hash = session.get::<String>(HASH_KEY).ok().flatten().unwrap_or_default();
        let is_same_hash = bool::from(hash.as_bytes().ct_eq(self.hash.as_bytes()));
        is_same_id && (self.hash.is_empty() || is_same_hash)
    }
}

/// Logs out the session's user.
///
/// Corresponds to `django.contrib.auth.logout`: all entries and the cookie are removed. Without
/// [`Revocations`](crate::Revocations), a copy of the cookie stays valid until it expires; see
/// [`Session::flush`].
pub fn logout(session: &mut Session) {
    session.flush();
}

/// Reads `_auth_user_id`: a string, or a whole number.
fn read_id(json: &str) -> Result<String, ValueError> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(json.to_owned());
    }
    // An empty id does not name a user.
    json::read(json)
        .ok()
        .filter(|id: &String| !id.is_empty())
        .ok_or_else(|| ValueError::WrongType { key: ID_KEY.to_owned() })
}

/// Returns the hash of a password with the first key.
fn hash(ring: &Keyring, password: &str) -> String {
    sure(hashes(ring, password).next().and_then(|hash| String::from_utf8(hash).ok()))
}

/// Returns the hash of a password with each key, in hexadecimal.
fn hashes(ring: &Keyring, password: &str) -> impl Iterator<Item = Vec<u8>> {
    let digits = |byte: u8| [digit(byte >> 4), digit(byte & 15)];
    salted_hmacs(ring, SALT, password.as_bytes())
        .map(move |mac| mac.into_iter().flat_map(digits).collect())
}

/// Returns a hexadecimal digit, without a branch or a table, in constant time.
fn digit(number: u8) -> u8 {
    let is_letter = 9_u8.wrapping_sub(number) >> 7;
    // `a` comes 39 after the character that would follow `9`.
    number.wrapping_add(b'0').wrapping_add(is_letter.wrapping_mul(39))
}

/// Omits the user, which is private data.
impl fmt::Debug for AuthUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthUser").finish_non_exhaustive()
    }
}
