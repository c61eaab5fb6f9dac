//! Starts a shop: a cart, a login, and sessions that end in every process of the site.
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

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use signed_session::{Keyring, Revocations, Silence};
use signed_session_example_shop::carrier::Carrier;
use signed_session_example_shop::sessions::LIFETIME;
use signed_session_example_shop::site::Site;
use signed_session_example_shop::users::Users;
use signed_session_example_shop::{Failure, clock, queue, redis, sqlite};
use tokio::net::TcpListener;

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

async fn run() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let arguments = Arguments::read()?;
    let (sending, queue) = queue::queue();
    let revocations = Revocations::new(LIFETIME)
        .expect_news_within(NEWS_WITHIN, arguments.silence)
        .on_revocation(move |revocation| sending.add(revocation));
    let ring = Keyring::from_env()?;

    fs::create_dir_all(&arguments.data)?;
    let (users, password) = Users::open(arguments.data.join("users.sqlite3")).await?;
    if let Some(password) = password {
        println!("log in as ada, grace or root, who administers, with the password {password}");
    }
    let (list, clock) = (revocations.clone(), clock::now);
    let carrier = match arguments.redis {
        Some(url) => Carrier::Redis(redis::Follower::new(url, "example", list, LIFETIME, clock)?),
        None => {
            let path = arguments.data.join("ended.sqlite3");
            Carrier::Sqlite(sqlite::Follower::new(path, list, LIFETIME, clock))
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
    let silence = arguments.silence;
    let router = Site { revocations, carrier, silence, users, address, clock }.router(&ring)?;
    println!("listening on http://{address}");
    io::stdout().flush()?;
    Ok(axum::serve(listener, router).await?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
