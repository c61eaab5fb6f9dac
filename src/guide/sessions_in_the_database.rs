//! Compares Django's sessions in the database with sessions in the cookie.
//!
//! A project that `startproject` creates sets no `SESSION_ENGINE`. By default a session is a row of
//! the table `django_session`, and the cookie contains the row's key. Rust can read and write the
//! same rows: [`stored_session_codec`] decodes and encodes the column `session_data`. The example
//! `stored_sessions` in the repository is a complete service that you can copy, with login and
//! logout, on SQLite or PostgreSQL.
//!
//! | | keep the engine | change it to `signed_cookies` |
//! |---|---|---|
//! | deployment | nothing changes | every visitor has to log in once more |
//! | Rust needs | the site's secret, and a connection to its database with write access | the secret alone |
//! | reading a session | a query, in Rust as in Django | no query |
//! | logout | the row is deleted, and no copy of the cookie is valid any more | a copy of the cookie stays valid until it expires or is revoked |
//! | ending another user's sessions | delete their rows | a change of the password; in Rust also [`Revocations`] |
//! | the visitor sees | a key | every entry, which is signed but not encrypted |
//! | size | 1 MiB of JSON here, no limit in Django | 4,096 bytes for name and value |
//! | two requests at once | the later write wins, for the whole session | the same |
//! | removing a secret | ends the sessions that were signed with it | the same |
//! | old sessions | `manage.py clearsessions` deletes them | there are none |
//!
//! **What breaks if you change the engine.** `request.session.session_key` becomes the whole token,
//! and changes with each write. Code that stores the key stops working: a cart in a separate table
//! that is found by the key, or `allauth.usersessions`, whose column has 40 characters. Code that
//! counts, lists or deletes rows of `django_session` finds none. Browsers drop a cookie that is too
//! large, and Django does not report it. The visitor can read secrets that were kept in the
//! session, such as the token of another service.
//!
//! **What breaks if you keep the engine.** Nothing in Django. In Rust each request that checks the
//! user costs two queries, for the session and for the user. With `cached_db` Django reads its
//! cache first, and does not see what Rust writes until the cache drops the session. Sessions that
//! are only in a cache are pickled, and cannot be read here at all.
//!
//! # Rules for reading and writing rows
//!
//! Four statements, which are the same on SQLite and PostgreSQL:
//!
//! ```sql
//! SELECT session_data FROM django_session WHERE session_key = $1 AND expire_date > $2
//! UPDATE django_session SET session_data = $1, expire_date = $2 WHERE session_key = $3
//! INSERT INTO django_session (session_key, session_data, expire_date)
//!     VALUES ($1, $2, $3) ON CONFLICT (session_key) DO NOTHING
//! DELETE FROM django_session WHERE session_key = $1
//! ```
//!
//! - **Keys.** A key has 8 to 40 characters `a-z` and `0-9`; Django generates keys with 32. The
//!   cookie's value is user input: if it is not a key, do not put it into a statement's text, a
//!   file name, a cache key or a log.
//! - **Expiry.** A session ends at its `expire_date`. The timestamp in `session_data` does not end
//!   it. Set the date again with each write, to [`Session::expiry_date`].
//! - **Missing rows.** Do not recreate a missing or expired row under its old key, because anyone
//!   could have planted that key in the browser. Insert a row with a new key at the next write.
//! - **Login.** Insert a row with a new key, and delete the old row. [`AuthUser::login`] keeps the
//!   entries that you select.
//! - **Logout.** Delete the row, whatever the status of the response.
//! - **Races.** If a delete and a save race, the delete wins: if the `UPDATE` finds no row, the
//!   visitor has logged out in another request. Do not insert a row, and respond with 400, as
//!   Django does (`SessionInterrupted`).
//! - **Unreadable rows.** Keep a row that cannot be read. It may be signed with a secret that this
//!   service does not have yet.
//! - **Dates in SQLite** are text in UTC, such as `2030-01-02 03:04:05.678901`, and compared as text;
//!   a fraction of zero is left out. With `USE_TZ = False` they are in the site's local time.
//!
//! [`stored_session_codec`]: crate::django::stored_session_codec
//! [`Revocations`]: crate::Revocations
//! [`Session::expiry_date`]: crate::Session::expiry_date
//! [`AuthUser::login`]: crate::django::AuthUser::login

#![expect(clippy::doc_markdown, reason = "SQLite and PostgreSQL are names, and not code")]
