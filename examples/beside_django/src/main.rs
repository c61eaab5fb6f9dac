//! Puts a Rust service beside a Django site: one origin, one cookie, one login.
//!
//! ```sh
//! cargo run --package signed-session-example-beside-django
//! ```
//!
//! It needs Python 3, and fetches Django itself. `site/` is the Django project,
//! and `shop.rs` the same shop in Rust. The rest is what a web server and a
//! service manager do elsewhere: `origin.rs` passes to Django what is not
//! Rust's, `django.rs` starts and stops it.
//!
//! The secrets are in a file that is named at the start. Change it, and type
//! `django` to restart Django, or `rust` to have Rust read the file again, for
//! which it does not restart: so secrets are rotated, one machine after the other.

mod cookie;
mod django;
mod ending;
mod origin;
mod page;
mod shop;
mod users;

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use django::Project;
use ending::Ending;
use origin::Origin;
use shop::Shop;
use support::django as python;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use users::Users;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), Failure> {
    let mut orders = orders()?;
    let folder = tempfile::tempdir()?;
    let django = python::wanted()?.swap_remove(0);
    let project = Project::new(django.python, folder.path())?;
    let password = project.create_user("ada")?;

    let ending = Ending::start(project.database()).await?;
    let server = project.serve()?;
    println!("Django {} is on http://{}", django.version, server.address());
    println!("the secrets are in {}", project.secrets().display());
    println!("log in as ada with the password {password}");
    let users = Users::new(project.database());
    let shop = Shop::new(&project.settings()?, password, users, ending)?;
    let origin = Origin::new(server, Arc::clone(&shop).router());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    tokio::spawn(origin.clone().serve(listener));

    while let Some(order) = orders.recv().await {
        let done = match order {
            Order::Stop => break,
            Order::RestartDjango => {
                project.serve().map(|server| origin.set_django(server)).map(|()| "restarted")
            }
            Order::ReloadRust => {
                project.settings().and_then(|it| shop.reload(&it)).map(|()| "reloaded")
            }
        };
        match done {
            Ok(done) => println!("{done}"),
            Err(error) => println!("nothing has changed: {error}"),
        }
    }
    Ok(())
}

/// What can be asked of the running program.
enum Order {
    Stop,
    RestartDjango,
    ReloadRust,
}

/// Takes orders from the terminal: lines that are typed, and Ctrl-C.
fn orders() -> Result<UnboundedReceiver<Order>, Failure> {
    let (sender, orders) = unbounded_channel();
    let stop = sender.clone();
    ctrlc::set_handler(move || drop(stop.send(Order::Stop)))?;
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            let order = match line.trim() {
                "django" => Order::RestartDjango,
                "rust" => Order::ReloadRust,
                _ => {
                    println!("type django, to restart it, or rust, to have it read the secrets");
                    continue;
                }
            };
            if sender.send(order).is_err() {
                return;
            }
        }
    });
    Ok(orders)
}

/// Returns a secret of 32 random bytes, in hexadecimal.
fn random() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
