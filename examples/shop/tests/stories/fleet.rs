//! Starts four processes of one site and a carrier between them, and visits them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use support::visitor::{Answer, PATIENCE, Program, Visitor};
use tempfile::TempDir;

use crate::accounts;
pub use crate::accounts::PASSWORD;
use crate::redis_server::RedisServer;

/// How many seconds the clock of each process is ahead: four minutes apart, and five are allowed.
pub const CLOCKS: [i64; 4] = [0, 120, -120, 60];

pub const SECRET: &str = "example-only-correct-horse-battery-staple";

/// How long an end may take to be known everywhere: a second, and more where the machine is busy.
const SOON: Duration = Duration::from_secs(5);

/// A visitor may choose the secret of their forms, if its cookie and the field have the same.
const CSRF_SECRET: &str = "correcthorsebatterystaplecorrect";

/// The key of the stream.
pub const STREAM: &str = "signed-session:ended:example";

/// The cookies of a browser.
pub type Jar = BTreeMap<String, String>;

/// What is between the processes.
pub enum Carrier {
    /// A file in the folder of the site.
    Sqlite,
    Redis(RedisServer),
}

/// The processes of a site.
pub struct Fleet {
    pub processes: Vec<Program>,
    pub carrier: Carrier,
    /// What else is said to each process.
    arguments: Vec<String>,
    /// The one that signs, and the former one.
    secrets: [String; 2],
    folder: TempDir,
}

/// Tells a story over each carrier.
pub fn over_each_carrier(arguments: &[&str], story: impl Fn(Fleet)) {
    story(Fleet::start(Carrier::Sqlite, arguments));
    story(Fleet::start(Carrier::Redis(RedisServer::start()), arguments));
}

impl Fleet {
    pub fn start(carrier: Carrier, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        accounts::create(&folder.path().join("users.sqlite3"));
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let secrets = [SECRET, ""].map(str::to_owned);
        let mut fleet = Self { processes: Vec::new(), carrier, arguments, secrets, folder };
        fleet.processes = (0..CLOCKS.len()).map(|index| fleet.process(index)).collect();
        fleet
    }

    /// Returns the command that starts a process, with the clock of this one.
    pub fn command(&self, index: usize) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signed-session-example-shop"));
        command
            .arg("--data")
            .arg(self.folder.path())
            .args(&self.arguments)
            .env("SIGNED_SESSION_KEY", &self.secrets[0])
            .env("SIGNED_SESSION_FALLBACK_KEYS", &self.secrets[1])
            .env("SHOP_CLOCK_AHEAD", CLOCKS[index].to_string());
        if let Carrier::Redis(server) = &self.carrier {
            command.args(["--redis", &server.url()]);
        }
        command
    }

    fn process(&self, index: usize) -> Program {
        Program::launch(&mut self.command(index))
    }

    /// Starts another process with the clock of this one, which is killed when the other listens.
    pub fn restart(&mut self, index: usize) {
        self.processes[index] = self.process(index);
    }

    /// Kills all processes before any of them is started again.
    pub fn restart_all(&mut self) {
        self.processes.clear();
        self.processes = (0..CLOCKS.len()).map(|index| self.process(index)).collect();
    }

    /// Restarts all with another secret in front.
    pub fn rotate(&mut self, secret: &str) {
        let former = std::mem::replace(&mut self.secrets[0], secret.to_owned());
        self.secrets[1] = former;
        self.restart_all();
    }

    pub fn all(&self) -> std::ops::Range<usize> {
        0..self.processes.len()
    }

    pub fn ended_file(&self) -> PathBuf {
        self.folder.path().join("ended.sqlite3")
    }

    pub fn redis(&mut self) -> &mut RedisServer {
        match &mut self.carrier {
            Carrier::Redis(server) => server,
            Carrier::Sqlite => panic!("this story is one of Redis"),
        }
    }

    /// Returns the lines in the carrier.
    pub fn lines(&self) -> Vec<String> {
        match &self.carrier {
            Carrier::Sqlite => {
                let table = Connection::open(self.ended_file()).unwrap();
                // A file that was removed has no table until a process writes it again.
                let Ok(mut select) = table.prepare("SELECT line FROM ended ORDER BY seq") else {
                    return Vec::new();
                };
                let lines = select.query_map([], |row| row.get(0)).unwrap();
                lines.map(Result::unwrap).collect()
            }
            Carrier::Redis(server) => {
                let reply: redis::streams::StreamRangeReply = redis::cmd("XRANGE")
                    .arg(STREAM)
                    .arg("-")
                    .arg("+")
                    .query(&mut server.connect())
                    .unwrap();
                reply.ids.iter().map(|entry| entry.get("r").unwrap()).collect()
            }
        }
    }

    /// Appends a line to the carrier, past the programs, and returns its position.
    pub fn append(&self, line: &str) -> String {
        match &self.carrier {
            Carrier::Sqlite => {
                let table = Connection::open(self.ended_file()).unwrap();
                table.busy_timeout(PATIENCE).unwrap();
                let at = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
                let insert = "INSERT INTO ended(at, line) VALUES (?1, ?2)";
                table.execute(insert, (i64::try_from(at).unwrap(), line)).unwrap();
                table.last_insert_rowid().to_string()
            }
            Carrier::Redis(server) => redis::cmd("XADD")
                .arg(STREAM)
                .arg("*")
                .arg("r")
                .arg(line)
                .query(&mut server.connect())
                .unwrap(),
        }
    }

    /// Removes a line from the carrier.
    pub fn remove(&self, position: &str) {
        match &self.carrier {
            Carrier::Sqlite => {
                let table = Connection::open(self.ended_file()).unwrap();
                table.busy_timeout(PATIENCE).unwrap();
                table.execute("DELETE FROM ended WHERE seq = ?1", [position]).unwrap();
            }
            Carrier::Redis(server) => {
                let mut delete = redis::cmd("XDEL");
                delete.arg(STREAM).arg(position).exec(&mut server.connect()).unwrap();
            }
        }
    }

    /// Removes all that the carrier holds, under processes that run.
    pub fn flush(&self) {
        match &self.carrier {
            Carrier::Sqlite => {
                for end in ["", "-wal", "-shm"] {
                    let mut file = self.ended_file().into_os_string();
                    file.push(end);
                    let _ = fs::remove_file(file);
                }
            }
            Carrier::Redis(server) => {
                redis::cmd("FLUSHALL").exec(&mut server.connect()).unwrap();
            }
        }
    }

    // What visitors do.

    /// Sends a browser's request to a process, and keeps the cookies.
    pub fn visit(
        &self,
        index: usize,
        jar: &mut Jar,
        ask: impl FnOnce(&mut Visitor) -> Answer,
    ) -> Answer {
        let mut visitor = self.processes[index].visitor();
        visitor.jar.clone_from(jar);
        let answer = ask(&mut visitor);
        *jar = visitor.jar;
        answer
    }

    /// Submits a form from a browser.
    pub fn submit(
        &self,
        index: usize,
        jar: &mut Jar,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let fields = [fields, &[("csrfmiddlewaretoken", CSRF_SECRET)]].concat();
        self.visit(index, jar, |visitor| {
            visitor.jar.insert("csrftoken".to_owned(), CSRF_SECRET.to_owned());
            let answer = visitor.post_form(path, &fields);
            // The stories are about the sessions.
            visitor.jar.remove("csrftoken");
            answer
        })
    }

    pub fn post(&self, index: usize, jar: &mut Jar, path: &str) -> Answer {
        self.submit(index, jar, path, &[])
    }

    /// Does what is answered by sending the browser back to the page.
    #[track_caller]
    pub fn do_post(&self, index: usize, jar: &mut Jar, path: &str) {
        let answer = self.post(index, jar, path);
        assert_eq!(answer.status, 303, "{path}: {answer:?}");
    }

    pub fn try_to_log_in(&self, index: usize, jar: &mut Jar, name: &str, password: &str) -> Answer {
        self.submit(index, jar, "/login", &[("name", name), ("password", password)])
    }

    /// Logs in, and returns the browser's cookies.
    #[track_caller]
    pub fn log_in(&self, index: usize, name: &str) -> Jar {
        let mut jar = Jar::new();
        let answer = self.try_to_log_in(index, &mut jar, name, PASSWORD);
        assert_eq!((answer.status, &*answer.header("location")), (303, "/"), "{answer:?}");
        assert_eq!(self.who(index, &jar).as_deref(), Some(name));
        jar
    }

    /// Logs in to the administration, and returns the browser's cookies.
    #[track_caller]
    pub fn log_in_admin(&self, index: usize, name: &str) -> Jar {
        let mut jar = Jar::new();
        let fields = [("name", name), ("password", PASSWORD)];
        let answer = self.submit(index, &mut jar, "/admin/login", &fields);
        assert_eq!((answer.status, &*answer.header("location")), (303, "/admin"), "{answer:?}");
        jar
    }

    /// Puts something into the cart, and returns how many things are in it.
    #[track_caller]
    pub fn put_into_cart(&self, index: usize, jar: &mut Jar) -> String {
        let answer = self.submit(index, jar, "/cart/add", &[("fruit", "pears")]);
        assert_eq!(answer.status, 303, "{answer:?}");
        self.text(index, jar, "/", "count")
    }

    /// Returns whom a process takes somebody with these cookies for.
    #[track_caller]
    pub fn who(&self, index: usize, jar: &Jar) -> Option<String> {
        let answer = self.look(index, jar);
        assert_eq!(answer.status, 200, "{answer:?}");
        let (_, name) = answer.body.split_once("You are logged in as ")?;
        Some(name.split_once('.').unwrap().0.to_owned())
    }

    /// Returns the page that somebody with a copy of these cookies gets.
    pub fn look(&self, index: usize, jar: &Jar) -> Answer {
        self.visit(index, &mut jar.clone(), |visitor| visitor.get("/"))
    }

    /// Returns the text of an element of a page.
    #[track_caller]
    pub fn text(&self, index: usize, jar: &Jar, path: &str, id: &str) -> String {
        let page = self.visit(index, &mut jar.clone(), |visitor| visitor.get(path)).body;
        let (_, rest) = page.split_once(&format!("id=\"{id}\">")).expect("it is on the page");
        rest.split_once('<').unwrap().0.to_owned()
    }

    /// Holds that a session is good in every process.
    #[track_caller]
    pub fn assert_lives(&self, jar: &Jar) {
        for index in self.all() {
            assert!(self.who(index, jar).is_some(), "process {index}: {}", self.logs());
        }
    }

    /// Holds that a session is refused in every process, now or soon.
    #[track_caller]
    pub fn assert_ended(&self, jar: &Jar) {
        for index in self.all() {
            self.assert_soon("a session is still good", || self.who(index, jar).is_none());
        }
    }

    #[track_caller]
    pub fn assert_soon(&self, fault: &str, is_so: impl FnMut() -> bool) {
        assert!(is_soon(SOON, is_so), "{fault}: {}", self.logs());
    }

    fn logs(&self) -> String {
        self.processes.iter().map(Program::log).collect::<Vec<_>>().join("\n")
    }
}

/// Returns `true` as soon as this is so, and `false` if it is not for some time.
pub fn is_soon(time: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
