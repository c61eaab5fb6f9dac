//! Chooses the manager of a request: always the same, or one by the host.

use std::borrow::Cow;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::live::LiveManager;

/// The source of a request's manager.
#[derive(Clone)]
pub(crate) enum Source {
    One(LiveManager),
    ByHost(Choose),
}

type Choose = Arc<dyn Fn(&str) -> Option<LiveManager> + Send + Sync>;

// The closure would remove these traits. A panic in the library cannot leave it half changed.
impl UnwindSafe for Source {}
impl RefUnwindSafe for Source {}

impl Source {
    /// Creates the source of one manager.
    ///
    /// Logs a warning for each weak secret.
    pub(crate) fn one(manager: impl Into<LiveManager>) -> Self {
        let manager = manager.into();
        warn_of_weak_secrets(&manager);
        Self::One(manager)
    }

    pub(crate) fn by_host(
        choose: impl Fn(&str) -> Option<LiveManager> + Send + Sync + 'static,
    ) -> Self {
        Self::ByHost(Arc::new(choose))
    }

    /// Returns the manager for the host of a request.
    ///
    /// `authority` is that of the request's URI, and `hosts` are its `Host` headers. `None` if
    /// there is no manager for the host; this is logged.
    pub(crate) fn manager<'h, I: Iterator<Item = &'h [u8]>>(
        &self,
        authority: impl FnOnce() -> Option<&'h str>,
        hosts: impl FnOnce() -> I,
    ) -> Option<Cow<'_, LiveManager>> {
        let manager = match self {
            Self::One(manager) => Some(Cow::Borrowed(manager)),
            Self::ByHost(choose) => {
                host(authority(), hosts()).and_then(|host| choose(&host)).map(Cow::Owned)
            }
        };
        match &manager {
            Some(manager) => warn_of_weak_secrets(manager),
            // Anyone can send any host, so this is not a warning and does not quote the host.
            None => {
                tracing::debug!(code = "unknown_host", "there is no session manager for a host");
            }
        }
        manager
    }
}

/// Logs a warning, once for each manager, about secrets that are easy to guess.
fn warn_of_weak_secrets(manager: &LiveManager) {
    if !manager.is_news() {
        return;
    }
    for (index, weakness) in manager.get().weaknesses() {
        tracing::warn!(
            index,
            %weakness,
            "a session secret is weak: `openssl rand -base64 48` prints a good one"
        );
    }
}

/// Returns the host of a request, in lower case and without a port.
///
/// The URI takes precedence over the header, as in RFC 9112, section 3.2.2. A value that is not
/// exactly one host is ignored, because a proxy might interpret it differently.
fn host<'h>(
    authority: Option<&'h str>,
    mut hosts: impl Iterator<Item = &'h [u8]>,
) -> Option<String> {
    let authority = match (authority, hosts.next(), hosts.next()) {
        (Some(authority), _, None) => authority,
        (None, Some(host), None) => str::from_utf8(host).ok()?.trim_matches([' ', '\t']),
        _ => return None,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_plain = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => {
            address.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte))
        }
        None => host.bytes().all(is_host),
    };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    (!host.is_empty() && is_plain && is_port).then(|| host.to_ascii_lowercase())
}
