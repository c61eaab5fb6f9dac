//! Reads revocations from a file, and refuses the sessions that they end.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use signed_session::{
    CookieOptions, DecodeError, Revocation, Revocations, Session, SessionCodec, SessionManager,
};
use time::OffsetDateTime;

use crate::cli::failure::Failure;
use crate::cli::say;

/// The entry that names the user of a Django login.
const DJANGO_SUBJECT: &str = "_auth_user_id";

/// The maximum size of the file in bytes: a few million lines.
const MAX_FILE_LEN: u64 = 1024 * 1024 * 1024;

#[derive(Args)]
pub(crate) struct EndedArgs {
    /// Refuse sessions that are revoked in this file, one revocation per line
    #[arg(long, value_name = "PATH")]
    revocations: Option<PathBuf>,
    /// Session entry that identifies the user, for --revocations
    #[arg(
        hide_short_help = true,
        long,
        value_name = "KEY",
        requires = "revocations",
        long_help = "\
Session entry that identifies the user, for --revocations

Defaults to _auth_user_id for a session that has this entry, and to user_id for others."
    )]
    subject: Option<String>,
}

impl EndedArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.revocations.is_some()
    }
}

/// The ended sessions, for each entry that may contain the subject.
pub(crate) struct Ended {
    by_subject: Vec<(String, SessionManager)>,
}

impl Ended {
    /// Reads the file, if one was given.
    pub(crate) fn read(
        args: &EndedArgs,
        codec: &SessionCodec,
        now: OffsetDateTime,
    ) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.revocations else { return Ok(None) };
        let unreadable = |reason: &dyn std::fmt::Display| {
            Failure::new(format_args!("cannot read {}: {reason}", path.display()))
        };
        let len = fs::metadata(path).map_err(|error| unreadable(&error))?.len();
        if len > MAX_FILE_LEN {
            return Err(unreadable(&format_args!("it has more than {MAX_FILE_LEN} bytes")));
        }
        let text = fs::read_to_string(path).map_err(|error| unreadable(&error))?;
        // Only the site knows how long a session lasts, so no revocation is dropped here.
        let list = Revocations::new(Duration::MAX);
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number = index.saturating_add(1);
            let revocation: Revocation = line.trim().parse().map_err(|error| {
                Failure::new(format_args!("{}, line {number}: {error}", path.display()))
            })?;
            if let Err(error) = list.apply_at(&revocation, now) {
                say::warning(format_args!("{}, line {number}: {error}", path.display()));
            }
        }
        let keys = match &args.subject {
            Some(key) => vec![key.as_str()],
            None => vec![DJANGO_SUBJECT, "user_id"],
        };
        let options = CookieOptions::new("session").map_err(Failure::new)?;
        let manager = |key: &str| {
            let manager = SessionManager::new(codec.clone(), options.clone());
            (key.to_owned(), manager.revocations(list.clone(), key))
        };
        Ok(Some(Self { by_subject: keys.into_iter().map(manager).collect() }))
    }

    /// Returns why an otherwise valid session is refused.
    pub(crate) fn refusal(
        &self,
        session: &Session,
        token: &str,
        now: OffsetDateTime,
    ) -> Option<DecodeError> {
        let has_subject = |(key, _): &&(String, _)| session.get_json(key).is_some();
        let (_, manager) = self.by_subject.iter().find(has_subject)?;
        manager.load_at([&format!("session={token}")], now).refusal().cloned()
    }
}
