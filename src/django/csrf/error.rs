//! Defines the reasons why a request was refused.

use std::error::Error;
use std::fmt;

/// The reason why a request with an unsafe method was refused.
///
/// The variants are in the order of the checks, which is Django's. No message contains text from
/// the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrfError {
    /// The `Origin` header is neither the site's own origin nor trusted.
    ///
    /// If every form fails with this, the program is behind a proxy that terminates TLS, and is not
    /// configured for it: see [`Csrf`](crate::django::Csrf).
    Origin,
    /// The request came over https without an `Origin` or `Referer` header.
    NoReferer,
    /// The `Referer` header is not a URL with a scheme and a host.
    MalformedReferer,
    /// The request came over https and the page that sent it did not.
    InsecureReferer,
    /// The host in the `Referer` header is neither the site's nor trusted.
    Referer,
    /// The visitor has no secret in the cookie or the session.
    NoSecret,
    /// The secret in the cookie or the session is malformed.
    MalformedSecret,
    /// There is no token in the header, nor in the form if it was read.
    NoToken,
    /// The token's length or one of its characters is not valid.
    MalformedToken,
    /// The token was not created from the visitor's secret.
    WrongToken,
}

impl CsrfError {
    /// Returns the variant's name in snake case, such as `wrong_token`.
    ///
    /// Use it for logs and metrics. The middleware logs each refusal as a `tracing` event with this
    /// in the field `code`. Unlike the message, a code does not change between releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::NoReferer => "no_referer",
            Self::MalformedReferer => "malformed_referer",
            Self::InsecureReferer => "insecure_referer",
            Self::Referer => "referer",
            Self::NoSecret => "no_secret",
            Self::MalformedSecret => "malformed_secret",
            Self::NoToken => "no_token",
            Self::MalformedToken => "malformed_token",
            Self::WrongToken => "wrong_token",
        }
    }
}

impl fmt::Display for CsrfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Origin => "the Origin header is neither the site's own origin nor trusted",
            Self::NoReferer => "there is neither an Origin nor a Referer header",
            Self::MalformedReferer => "the Referer header is malformed",
            Self::InsecureReferer => "the page that sent the form was not loaded over https",
            Self::Referer => {
                "the Referer header names neither the site's own host nor a trusted one"
            }
            Self::NoSecret => "the visitor has no CSRF secret",
            Self::MalformedSecret => "the visitor's CSRF secret is malformed",
            Self::NoToken => "there is no CSRF token",
            Self::MalformedToken => "the CSRF token is malformed",
            Self::WrongToken => "the CSRF token was not created from the visitor's secret",
        })
    }
}

impl Error for CsrfError {}
