//! Counts visits and logs visitors in, with the standard library for a server.
//!
//! ```sh
//! export SIGNED_SESSION_KEY="$(openssl rand -base64 48)"
//! cargo run --example std_net 3000
//! ```
//!
//! And from another terminal, as often as you like:
//!
//! ```sh
//! curl -b jar -c jar http://127.0.0.1:3000/
//! curl -b jar -c jar -L -d name=ada http://127.0.0.1:3000/login
//! ```
//!
//! What a framework needs of this crate is in `respond`. The HTTP below it is
//! as little as will do: no limit on connections, for one.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, thread};

use signed_session::{CookieOptions, Keyring, Session, SessionCodec, SessionManager, ValueError};

/// The longest request that is read, in bytes.
const MAX_LEN: u64 = 32 * 1024;

/// How long a visitor may take to send a request, or to take the response.
const PATIENCE: Duration = Duration::from_secs(5);

fn answer(request: &Request, session: &mut Session) -> Result<Response, ValueError> {
    Ok(match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => {
            let visits = session.get::<u64>("visits")?.unwrap_or(0) + 1;
            session.insert("visits", visits)?;
            let name = session.get("name")?.unwrap_or("stranger".to_owned());
            Response::new(200, format!("hello, {name}: visit {visits}\n"))
        }
        // Leaves the session alone: caches may keep this page for everybody.
        ("GET", "/about") => Response::new(200, "a counter of visits\n"),
        ("POST", "/login") => {
            let Some(name) = request.field("name") else { return Ok(Response::bad_request()) };
            // Nothing that was put into the stranger's session is carried into ada's.
            session.begin(|_| false);
            session.insert("name", name)?;
            Response::see_other("/")
        }
        ("POST", "/logout") => {
            session.flush();
            Response::see_other("/")
        }
        ("GET", "/note") => Response::new(200, session.get::<String>("note")?.unwrap_or_default()),
        // Answers 500 to a note too long for a cookie, and the session stays as it was.
        ("POST", "/note") => {
            let Some(note) = request.field("text") else { return Ok(Response::bad_request()) };
            session.insert("note", note)?;
            Response::see_other("/note")
        }
        _ => Response::new(404, "there is no such page\n"),
    })
}

/// Loads the session, has the request answered, and commits the session.
fn respond(request: &Request, manager: &SessionManager) -> Result<Response, Box<dyn Error>> {
    let mut session = manager.load(&request.cookies);
    let mut response = answer(request, &mut session)?;
    let reply = manager.commit(&session, response.status)?;
    if let Some(reason) = &reply.omitted {
        eprintln!("warning: the session could not be renewed: {reason}: no cookie is sent");
    }
    let present = response.headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    response.headers.append(&mut reply.headers(present));
    Ok(response)
}

fn serve(stream: &TcpStream, manager: &SessionManager) -> io::Result<()> {
    let response = match Request::read(stream) {
        Ok(request) => respond(&request, manager).unwrap_or_else(|reason| {
            eprintln!("error: {reason}");
            Response::new(500, "")
        }),
        Err(_) => Response::bad_request(),
    };
    stream.set_write_timeout(Some(PATIENCE))?;
    response.write(stream)
}

struct Request {
    method: String,
    path: String,
    cookies: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    /// Reads one request; whatever is too long, too slow, cut off or no HTTP/1 is an error.
    fn read(stream: &TcpStream) -> io::Result<Self> {
        let patient = Patient { stream, deadline: Instant::now() + PATIENCE };
        let mut reader = BufReader::new(patient.take(MAX_LEN));
        let line = read_line(&mut reader)?;
        let [method, target, "HTTP/1.0" | "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..]
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let path = target.split('?').next().unwrap_or_default();
        let (mut cookies, mut body_len) = (Vec::new(), None);
        loop {
            let line = read_line(&mut reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            match name.to_ascii_lowercase().as_str() {
                "cookie" => cookies.push(value.to_owned()),
                "content-length" if body_len.is_none() && !value.contains('+') => {
                    let len = value.trim_matches([' ', '\t']).parse::<u16>();
                    body_len = Some(usize::from(len.map_err(io::Error::other)?));
                }
                // Whoever reads these in another way than we do sees another request.
                "content-length" | "transfer-encoding" => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                name if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                _ => {}
            }
        }
        let mut body = vec![0; body_len.unwrap_or_default()];
        reader.read_exact(&mut body)?;
        Ok(Self { method: method.to_owned(), path: path.to_owned(), cookies, body })
    }

    /// Returns a field of the form.
    fn field(&self, name: &str) -> Option<String> {
        let (_, value) = form_urlencoded::parse(&self.body).find(|(key, _)| key == name)?;
        Some(value.into_owned())
    }
}

/// Reads a line; in bytes that are not UTF-8 there is nothing for us.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// A stream to be read by a deadline: a timeout alone would wait for each single byte.
struct Patient<'a> {
    stream: &'a TcpStream,
    deadline: Instant,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A timeout of zero is an error, which is what is wanted here.
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    fn new(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, body: body.into() }
    }

    fn see_other(path: &str) -> Self {
        let mut response = Self::new(303, "");
        response.headers.push(("location", path.to_owned()));
        response
    }

    fn bad_request() -> Self {
        Self::new(400, "the request is not valid\n")
    }

    fn write(&self, mut stream: &TcpStream) -> io::Result<()> {
        let Self { status, headers, body } = self;
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let len = body.len();
        let framing = format!("content-length: {len}\r\nconnection: close\r\n");
        // HTTP wants the space after the status, but no words.
        let text = format!("HTTP/1.1 {status} \r\n{headers}{framing}\r\n{body}");
        stream.write_all(text.as_bytes())
    }
}

fn session_manager() -> Result<SessionManager, Box<dyn Error>> {
    let codec = SessionCodec::new(&Keyring::from_env()?);
    // Only because this is http, on your own machine: a site on https leaves `secure` out.
    let options = CookieOptions::new("sessionid")?.secure(false);
    let manager = SessionManager::new(codec, options);
    for (_, weakness) in manager.weaknesses() {
        eprintln!("warning: a secret {weakness}");
    }
    Ok(manager)
}

fn run() -> Result<(), Box<dyn Error>> {
    let manager = session_manager()?;
    let port = env::args().nth(1).map_or(Ok(0), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the argument is a port")?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on http://{}", listener.local_addr()?);
    thread::scope(|scope| {
        for stream in listener.incoming().flatten() {
            let manager = &manager;
            // Where the system has no thread left, or the visitor is gone, this connection ends.
            let connection = move || serve(&stream, manager).unwrap_or_default();
            let _ = thread::Builder::new().spawn_scoped(scope, connection);
        }
    });
    Ok(())
}

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
