//! Starts a web program, and visits it as a small browser: over a socket, with a cookie jar.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long anything may take before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

const SECRET: &str = "example-only-correct-horse-battery-staple";

/// A program that listens, until this is dropped.
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Program {
    /// Starts the program and waits for the line that says where it listens.
    pub fn start(path: impl AsRef<Path>) -> Self {
        Self::launch(Command::new(path.as_ref()).env("SIGNED_SESSION_KEY", SECRET))
    }

    /// Starts a program with arguments and variables, and waits for the line that says where it
    /// listens.
    pub fn launch(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let log = Arc::default();
        let (first_line, line) = mpsc::channel();
        let copies = [
            copy(child.stderr.take().unwrap(), Arc::clone(&log), None),
            copy(child.stdout.take().unwrap(), Arc::clone(&log), Some(first_line)),
        ];
        let line = line.recv_timeout(PATIENCE).unwrap_or_default();
        let address = line.strip_prefix("listening on http://").map(str::parse);
        if let Some(Ok(address)) = address {
            return Self { child, address, log };
        }
        let _ = child.kill();
        let status = child.wait().unwrap();
        copies.into_iter().for_each(|copy| copy.join().unwrap());
        let log = log.lock().unwrap();
        panic!("{command:?} does not listen: {line:?}, {status}\n{log}");
    }

    pub fn visitor(&self) -> Visitor {
        Visitor::of(self.address)
    }

    /// Waits until the program has logged this.
    pub fn expect_log(&self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(wanted) {
            assert!(Instant::now() < deadline, "{wanted:?} is not in the log: {}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the program has said so far, but for its first line.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies what a program says to the log, so that it never waits for a reader.
fn copy(
    pipe: impl Read + Send + 'static,
    log: Arc<Mutex<String>>,
    mut first_line: Option<mpsc::Sender<String>>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            match first_line.take() {
                Some(first_line) => drop(first_line.send(line)),
                None => *log.lock().unwrap() += &(line + "\n"),
            }
        }
    })
}

/// A browser without a window: one connection, kept if the server keeps it, and a cookie jar.
pub struct Visitor {
    address: SocketAddr,
    pub jar: BTreeMap<String, String>,
    connection: Option<BufReader<TcpStream>>,
    /// How many connections were opened.
    pub connections: u32,
    /// Whether the server is asked to close after each response.
    pub closes: bool,
    /// Whether each cookie comes in a header of its own, as in HTTP/2.
    pub splits_cookies: bool,
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The header's values, joined as HTTP joins them; empty where there is none.
    pub fn header(&self, name: &str) -> String {
        self.values(name).collect::<Vec<_>>().join(", ")
    }

    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }
}

impl Visitor {
    /// Creates a visitor of the server at this address, with an empty jar.
    pub fn of(address: SocketAddr) -> Self {
        Self {
            address,
            jar: BTreeMap::new(),
            connection: None,
            connections: 0,
            closes: false,
            splits_cookies: false,
        }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers()))
    }

    /// Sends a form with one field.
    pub fn post(&mut self, path: &str, name: &str, value: &str) -> Answer {
        self.post_form(path, &[(name, value)])
    }

    /// Sends a form.
    pub fn post_form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields =
            fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value)));
        let body = fields.collect::<Vec<_>>().join("&");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\n{}{kind}\r\nContent-Length: {}\r\n\r\n{body}",
            self.headers(),
            body.len(),
        ))
    }

    fn headers(&self) -> String {
        let mut headers = format!("Host: {}\r\n", self.address);
        if self.closes {
            headers += "Connection: close\r\n";
        }
        if !self.jar.is_empty() {
            let cookies = self.jar.iter().map(|(name, value)| format!("{name}={value}"));
            let between = if self.splits_cookies { "\r\nCookie: " } else { "; " };
            headers += &format!("Cookie: {}\r\n", cookies.collect::<Vec<_>>().join(between));
        }
        headers
    }

    fn ask(&mut self, request: &str) -> Answer {
        let was_kept = self.connection.is_some();
        let answer = match self.exchange(request) {
            // The server may have closed a kept connection in the meantime.
            Err(_) if was_kept => self.exchange(request),
            answer => answer,
        };
        let answer = answer.unwrap_or_else(|error| panic!("no answer to {request:?}: {error}"));
        for cookie in answer.values("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a name and a value");
            let mut attributes = attributes.split(';').map(str::trim);
            if attributes.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0")) {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Sends a request and reads the response, on the kept connection or a new one.
    fn exchange(&mut self, request: &str) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.connections += 1;
                BufReader::new(connect(self.address)?)
            }
        };
        connection.get_mut().write_all(request.as_bytes())?;
        let answer = Answer::read(&mut connection)?;
        if !answer.header("connection").eq_ignore_ascii_case("close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

impl Answer {
    fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let status_line = read_line(reader)?;
        // Python's own server, which has Django behind it in some tests, speaks the older one.
        let older = status_line.strip_prefix("HTTP/1.0 ");
        let rest = older.or_else(|| status_line.strip_prefix("HTTP/1.1 "));
        let status = rest.and_then(|rest| rest.get(..3));
        let status = status.and_then(|digits| digits.parse().ok());
        let status = status.ok_or_else(|| invalid(&status_line))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut answer = Self { status, headers, body: String::new() };
        let mut body = Vec::new();
        if answer.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            read_chunks(reader, &mut body)?;
        } else if older.is_some() && answer.values("content-length").count() == 0 {
            reader.read_to_end(&mut body)?;
        } else {
            let len = answer.header("content-length");
            body.resize(len.parse().map_err(|_| invalid("content-length"))?, 0);
            reader.read_exact(&mut body)?;
        }
        answer.body = String::from_utf8(body).map_err(io::Error::other)?;
        Ok(answer)
    }
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(reader)?;
        let digits = line.split(';').next().unwrap_or_default();
        let len = u64::from_str_radix(digits, 16).map_err(|_| invalid(&line))?;
        if reader.by_ref().take(len).read_to_end(body)? as u64 != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The end of the chunk; after the last one there may be trailers.
        while !read_line(reader)?.is_empty() {}
        if len == 0 {
            return Ok(());
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(line.to_owned())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is not HTTP: {what:?}"))
}

/// Connects with a timeout for whatever is done afterwards.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
