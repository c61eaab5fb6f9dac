//! Provides the logged-in user as an argument of handlers.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::DecodeError;
use crate::handle::{MissingSession, SessionHandle};
use crate::identity::Subject;

/// The entry with the user's id in a Django login.
///
/// This entry alone does not authorize a request.
const DJANGO_SUBJECT: &str = "_auth_user_id";

/// The value of `Retry-After`, in seconds.
const RETRY_AFTER: &str = "5";

/// The characters that are percent-encoded in `?next=`.
///
/// They include those that could end the parameter, and those that browsers encode anyway.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The logged-in user of a request.
///
/// This is an argument of handlers for axum and actix-web. It contains the session's *subject*: the
/// value of the entry that the manager names with [`SessionManager::subject`] or
/// [`SessionManager::revocations`]. `T` is the type of that value, such as `u64` or `String`, and
/// is parsed with [`FromStr`]. A handler that takes a `LoggedIn` is called only for visitors who
/// are logged in. The response to others:
///
/// | the session | the response |
/// |---|---|
/// | anonymous, refused, expired or revoked | 303 to the [login page], if one is set and the request is for a page; otherwise 401 |
/// | has a subject that is not a `T` | the same, but [`NotLoggedIn::is_anonymous`] returns `false` |
/// | cannot be checked, because the list of ended sessions is out of date ([`DecodeError::Unheard`]) | 503 with `Retry-After` |
/// | is missing (no layer is around the handler), or its manager names no subject | 500; the reason is logged |
///
/// The redirect contains the request's path and query in `?next=`; see
/// [`local_path`](crate::local_path). The path is the one that the outermost session layer gets:
/// with axum, a layer inside `Router::nest` does not see the prefix of the nest, so put it outside.
/// A request is for a page if its method is GET or HEAD, its
/// `Accept` header (if any) allows HTML, and no header says that a script sent it.
///
/// For pages that anonymous visitors see as well, take an `Option<LoggedIn<T>>` with axum. It is
/// `None` in the case of the first row, and the other rows of the table still apply. On the login
/// page itself, the second row would redirect to that page again: take a [`SessionHandle`] there.
/// With actix-web, an `Option` is `None` for *every* error of an extractor. Take a
/// `Result<LoggedIn<T>, NotLoggedIn>`, which works with both frameworks, and check
/// [`NotLoggedIn::is_anonymous`].
///
/// If the subject is Django's `_auth_user_id`, the response is always 500: a Django login is valid
/// only if the password's hash matches and the user is active, which only the database knows. The
/// [guide](crate::guide) shows how to verify a Django login.
///
/// # Examples
///
/// ```
/// use signed_session::LoggedIn;
///
/// async fn account(LoggedIn { id, .. }: LoggedIn<u64>) -> String {
///     format!("You are user {id}.")
/// }
///
/// // With axum; see above for actix-web.
/// async fn home(user: Option<LoggedIn<u64>>) -> &'static str {
///     if user.is_some() { "Welcome back." } else { "Welcome." }
/// }
/// ```
///
/// [`SessionManager::subject`]: crate::SessionManager::subject
/// [`SessionManager::revocations`]: crate::SessionManager::revocations
/// [`DecodeError::Unheard`]: crate::DecodeError::Unheard
/// [login page]: crate::SessionManager::login_page
pub struct LoggedIn<T, M = ()> {
    /// The subject of the session.
    pub id: T,
    /// The session of this user.
    pub session: SessionHandle<M>,
}

/// Omits the user, which is private data.
impl<T, M> fmt::Debug for LoggedIn<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedIn").finish_non_exhaustive()
    }
}

/// The reason why a [`LoggedIn`] could not be extracted.
///
/// Its response is in the table at [`LoggedIn`].
#[derive(Clone, PartialEq, Eq)]
pub struct NotLoggedIn(Reason);

#[derive(Clone, PartialEq, Eq)]
enum Reason {
    /// The URL of the login page, if the visitor should be redirected to it.
    Anonymous {
        login: Option<String>,
    },
    Unheard,
    /// The session's subject does not fit the requested type.
    Unreadable {
        login: Option<String>,
    },
    NoSubject,
    Django,
    NoLayer(MissingSession),
}

impl NotLoggedIn {
    /// Returns `true` if the visitor is not logged in.
    ///
    /// `false` means that the list of ended sessions is out of date, that the subject does not fit
    /// the type, or that there is a mistake in the program. See the table at [`LoggedIn`].
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        matches!(self.0, Reason::Anonymous { .. })
    }

    pub(crate) fn no_layer(error: MissingSession) -> Self {
        Self(Reason::NoLayer(error))
    }

    /// Returns the response: its status, a header if it has one, and its body.
    pub(crate) fn response(&self) -> (u16, Option<(&'static str, &str)>, String) {
        match &self.0 {
            Reason::Anonymous { login: Some(page) } | Reason::Unreadable { login: Some(page) } => {
                (303, Some(("location", page)), String::new())
            }
            Reason::Anonymous { login: None } | Reason::Unreadable { login: None } => {
                (401, None, String::new())
            }
            Reason::Unheard => (503, Some(("retry-after", RETRY_AFTER)), String::new()),
            Reason::NoSubject | Reason::Django | Reason::NoLayer(_) => {
                (500, None, format!("{self}\n"))
            }
        }
    }

    /// Logs the reason if it is a mistake in the program.
    pub(crate) fn log(&self) {
        match self.0 {
            Reason::NoSubject | Reason::Django | Reason::NoLayer(_) => {
                tracing::error!(reason = %self, "a handler could not get the logged-in user");
            }
            // The session is signed, so that the program wrote the subject, perhaps in another
            // release.
            Reason::Unreadable { .. } => tracing::warn!(
                reason = %self,
                "a user who is logged in was asked to log in: insert a value of the type that \
                 LoggedIn reads"
            ),
            Reason::Anonymous { .. } | Reason::Unheard => {}
        }
    }
}

impl fmt::Display for NotLoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Anonymous { .. } => f.write_str("the visitor is not logged in"),
            Reason::Unheard => f.write_str(
                "cannot tell whether the session was ended: the list of ended sessions is out of \
                 date",
            ),
            Reason::Unreadable { .. } => {
                f.write_str("the session's subject does not fit the type of LoggedIn")
            }
            Reason::NoSubject => f.write_str(
                "the manager names no subject: call SessionManager::subject with the entry that \
                 names the user",
            ),
            Reason::Django => f.write_str(
                "LoggedIn cannot verify a Django login: use django::AuthUser, as shown in the \
                 guide",
            ),
            Reason::NoLayer(error) => error.fmt(f),
        }
    }
}

/// Shows the reason, and omits the URL, which is private data.
impl fmt::Debug for NotLoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotLoggedIn({self})")
    }
}

impl Error for NotLoggedIn {}

/// The parts of a request that decide whether and where it is redirected.
pub(crate) struct Address<'a> {
    pub(crate) method: &'a str,
    /// The path and the query.
    pub(crate) path: &'a str,
}

impl Address<'_> {
    /// Returns the URL of the login page with `?next=`.
    ///
    /// `None` if no login page is set, or if the request is not for a page.
    fn login<'h>(
        &self,
        page: Option<&str>,
        header: impl Fn(&str) -> Option<&'h [u8]>,
    ) -> Option<String> {
        let page = page.filter(|_| self.is_page(header))?;
        let separator = if page.contains('?') { '&' } else { '?' };
        Some(format!("{page}{separator}next={}", utf8_percent_encode(self.path, ENCODED)))
    }

    /// Returns `true` if a browser will display the response.
    ///
    /// Returns `false` if a script will read it.
    fn is_page<'h>(&self, header: impl Fn(&str) -> Option<&'h [u8]>) -> bool {
        let is_read = matches!(self.method, "GET" | "HEAD");
        let is_navigation = match header("sec-fetch-mode") {
            Some(mode) => mode == b"navigate",
            None => header("x-requested-with").is_none(),
        };
        let takes_pages = header("accept").is_none_or(|accept| {
            let mut types =
                accept.split(|byte| matches!(byte, b',' | b';')).map(<[u8]>::trim_ascii);
            types.any(|kind| matches!(kind, b"text/html" | b"text/*" | b"*/*"))
        });
        is_read && is_navigation && takes_pages
    }
}

/// Returns the logged-in user, or the reason why there is none.
pub(crate) fn find<'h, T: FromStr, M>(
    session: SessionHandle<M>,
    address: &Address<'_>,
    header: impl Fn(&str) -> Option<&'h [u8]>,
) -> Result<LoggedIn<T, M>, NotLoggedIn> {
    let manager = session.manager();
    let key = manager.subject_key().ok_or(NotLoggedIn(Reason::NoSubject))?;
    if key == DJANGO_SUBJECT {
        return Err(NotLoggedIn(Reason::Django));
    }
    let found = session.with(|session| match session.refusal() {
        Some(DecodeError::Unheard) => Err(Reason::Unheard),
        _ => Ok(Subject::read(session.get_json(key))),
    });
    let login = || address.login(manager.login_address(), header);
    match found.map_err(NotLoggedIn)? {
        Ok(Some(subject)) => match subject.as_str().parse() {
            Ok(id) => Ok(LoggedIn { id, session }),
            Err(_) => Err(NotLoggedIn(Reason::Unreadable { login: login() })),
        },
        Ok(None) => Err(NotLoggedIn(Reason::Anonymous { login: login() })),
        Err(_) => Err(NotLoggedIn(Reason::Unreadable { login: login() })),
    }
}
