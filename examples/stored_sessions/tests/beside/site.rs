//! Puts the service beside a Django as `startproject` makes it, on one of the two databases.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::django::{self, Django};
use support::visitor::{Answer, Program, Visitor};
use tempfile::TempDir;

use crate::server::Server;

/// The password of `ada`.
pub const PASSWORD: &str = "correct horse battery staple";

/// Which database the site has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A site in both languages; it ends when it is dropped.
pub struct Site {
    pub rust: Program,
    pub database: String,
    _django: Process,
    address: SocketAddr,
    _folder: TempDir,
}

/// One person with one jar, at either side.
pub struct Person {
    pub rust: Visitor,
    pub django: Visitor,
}

/// Tells a story beside each Django: the newest, unless `SIGNED_SESSION_DJANGO` says which.
pub fn beside_each_django(kind: Kind, story: impl Fn(&Site)) {
    for django in django::environments() {
        println!("Django {} on {kind:?}", django.version);
        story(&Site::start(&django, kind));
    }
}

impl Site {
    fn start(django: &Django, kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a site");
        let packages = match kind {
            Kind::Sqlite => String::new(),
            Kind::Postgres => {
                let packages = ["psycopg==3.*", "psycopg-binary==3.*", "typing-extensions==4.*"];
                let path = django::packages(django, &packages, "psycopg");
                path.into_os_string().into_string().expect("the path is text")
            }
        };
        let python = |arguments: &[&str]| {
            let mut command = Command::new(&django.python);
            command
                .args(arguments)
                .current_dir(folder.path())
                .env("PYTHONPATH", format!("{packages}:{}", folder.path().display()))
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("DJANGO_SETTINGS_MODULE", "mysite.settings");
            command
        };
        let mut start_project = python(&["-m", "django", "startproject", "mysite", "."]);
        check(start_project.env_remove("DJANGO_SETTINGS_MODULE"));

        let (settings, database) = match kind {
            Kind::Sqlite => {
                (String::new(), format!("sqlite:{}", folder.path().join("db.sqlite3").display()))
            }
            Kind::Postgres => Server::get().create_database(),
        };
        let mut file = File::options()
            .append(true)
            .open(folder.path().join("mysite/settings.py"))
            .expect("it is there");
        file.write_all(settings.as_bytes()).expect("it can be written");
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(own.join("tests/beside/urls.py"), folder.path().join("mysite/urls.py"))
            .expect("it can be copied");
        let path = |path: &str| own.join(path).into_os_string().into_string().expect("it is text");
        let script = path("../../src/django/write_settings.py");
        check(&mut python(&[&path("tests/beside/prepare.py"), PASSWORD, &script]));

        let mut process = python(&[&path("../beside_django/site/serve.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map(Process)
            .expect("Django starts");
        let mut port = String::new();
        let output = process.0.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut port).expect("Django says its port");
        let port = port.trim().parse().expect("a port");

        let rust = Program::launch(
            Command::new(env!("CARGO_BIN_EXE_signed-session-example-stored-sessions"))
                .arg(folder.path().join("django-settings.json"))
                .env("DATABASE_URL", &database),
        );
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Self { rust, database, _django: process, address, _folder: folder }
    }

    pub fn person(&self) -> Person {
        Person { rust: self.rust.visitor(), django: Visitor::of(self.address) }
    }

    /// Lets somebody in who logs in at Django's admin page.
    pub fn ada(&self) -> Person {
        let mut ada = self.person();
        ada.in_django(|django| django.get("/admin/login/"));
        let token = ada.django.jar["csrftoken"].clone();
        let answer = ada.in_django(|django| {
            django.post_form(
                "/admin/login/?next=/",
                &[("username", "ada"), ("password", PASSWORD), ("csrfmiddlewaretoken", &token)],
            )
        });
        assert_eq!(answer.status, 302, "{answer:?}");
        ada
    }

    /// Returns a page of Django's as JSON.
    pub fn ask(&self, path: &str) -> Value {
        let answer = Visitor::of(self.address).get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Returns all rows of the table, as Django reads them.
    pub fn rows(&self) -> Vec<Value> {
        self.ask("/rows").as_array().expect("a list").clone()
    }

    /// Returns a row of the table as Django reads it, or null.
    pub fn row(&self, key: &str) -> Value {
        self.rows().into_iter().find(|row| row["key"] == key).unwrap_or_default()
    }
}

impl Person {
    /// Goes to Django, and comes back with its cookies.
    pub fn in_django(&mut self, visit: impl FnOnce(&mut Visitor) -> Answer) -> Answer {
        self.django.jar.clone_from(&self.rust.jar);
        let answer = visit(&mut self.django);
        self.rust.jar.clone_from(&self.django.jar);
        answer
    }

    /// Returns what both pages say, which has to be the same.
    #[track_caller]
    pub fn sees(&mut self) -> String {
        let rust = self.rust.get("/");
        let django = self.in_django(|django| django.get("/"));
        assert_eq!((rust.status, django.status), (200, 200), "{rust:?} {django:?}");
        assert_eq!(rust.body, django.body);
        rust.body
    }

    pub fn key(&self) -> String {
        self.rust.jar.get("sessionid").cloned().unwrap_or_default()
    }

    pub fn set_key(&mut self, key: &str) {
        self.rust.jar.insert("sessionid".to_owned(), key.to_owned());
    }
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn check(command: &mut Command) {
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
