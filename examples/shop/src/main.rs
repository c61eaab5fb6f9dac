//! Ends sessions in every process of a site: sign out everywhere, after a new password, by an
//! administrator.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --package signed-session-example-shop 3000
//! ```
//!
//! And from another terminal, with the same secret, another process of the same site:
//!
//! ```sh
//! cargo run --package signed-session-example-shop 3001
//! ```
//!
//! Both keep their accounts, and which sessions were ended, in the folder `target/shop`, or
//! where `--data FOLDER` says. With `--redis redis://127.0.0.1:6379` what was ended is in a stream of
//! Redis. While the carrier cannot be read, sessions are accepted unless they are known to be ended,
//! or with `--silence refuse` answered with 503.

mod carrier;
mod clock;
mod page;
mod site;
mod users;

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use carrier::Carrier;
use signed_session::{CookieOptions, Keyring, Revocations, SessionCodec, SessionManager, Silence};
use signed_session_example_shop::{Failure, queue, redis, sqlite};
use site::Site;
use tokio::net::TcpListener;
use users::Users;

/// How long a session lasts from its login, whatever is done with it.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// After how long a session that is in use is signed again.
const REFRESH: Duration = Duration::from_secs(60);

/// How long the carrier may be silent. It is read every second at least.
const NEWS_WITHIN: Duration = Duration::from_secs(5);

/// What the command line asks for.
struct Arguments {
    port: u16,
    data: PathBuf,
    redis: Option<String>,
    silence: Silence,
}

impl Arguments {
    fn read() -> Result<Self, Failure> {
        let data = PathBuf::from("target/shop");
        let mut arguments = Self { port: 0, data, redis: None, silence: Silence::Accept };
        let mut words = env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--data" => arguments.data = value()?.into(),
                "--redis" => arguments.redis = Some(value()?),
                "--silence" => {
                    arguments.silence = match value()?.as_str() {
                        "accept" => Silence::Accept,
                        "refuse" => Silence::Refuse,
                        _ => return Err("--silence is accept or refuse".into()),
                    }
                }
                port => {
                    arguments.port = port.parse().map_err(|_| format!("{port} is not a port"))?;
                }
            }
        }
        Ok(arguments)
    }
}

fn manager(revocations: &Revocations) -> Result<SessionManager, Failure> {
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("revocation_session")?.secure(false);
    Ok(SessionManager::new(SessionCodec::new(&Keyring::from_env()?), options)
        .refresh_after(REFRESH)
        .clock(clock::now)
        .revocations(revocations.clone(), "user_id"))
}

async fn run() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let arguments = Arguments::read()?;
    let (sending, queue) = queue::queue();
    let revocations = Revocations::new(LIFETIME)
        .expect_news_within(NEWS_WITHIN, arguments.silence)
        .on_revocation(move |revocation| sending.add(revocation));
    let manager = manager(&revocations)?;

    fs::create_dir_all(&arguments.data)?;
    let (users, password) = Users::open(arguments.data.join("users.sqlite3")).await?;
    if let Some(password) = password {
        println!("log in as ada, grace or root, who administers, with the password {password}");
    }
    let (list, now) = (revocations.clone(), clock::now);
    let carrier = match arguments.redis {
        Some(url) => Carrier::Redis(redis::Follower::new(url, "example", list, LIFETIME, now)?),
        None => {
            let path = arguments.data.join("ended.sqlite3");
            Carrier::Sqlite(sqlite::Follower::new(path, list, LIFETIME, now))
        }
    };
    // A process that does not know what was ended does not listen.
    while let Err(error) = carrier.catch_up().await {
        tracing::error!(%error, "the list of ended sessions cannot be read");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::spawn(carrier.clone().run(queue));

    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    let address = listener.local_addr()?;
    let site = Site { revocations, carrier, silence: arguments.silence, users, address };
    println!("listening on http://{address}");
    io::stdout().flush()?;
    Ok(axum::serve(listener, site.router(manager)).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
