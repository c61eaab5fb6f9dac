//! Holds servers on real sockets, axum's and actix-web's, to what many visitors at once may expect.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use axum::body::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use signed_session::{SessionHandle, SessionManager, ValueError};
use tokio::sync::Semaphore;

use crate::common::{Answer, DEADLINE, cookie, manager};

/// A place where handlers stop until they are let go.
#[derive(Clone)]
struct Gate {
    arrivals: mpsc::SyncSender<()>,
    permits: Arc<Semaphore>,
}

impl Gate {
    async fn pass(&self) {
        let _ = self.arrivals.send(());
        self.permits.acquire().await.unwrap().forget();
    }
}

/// The handler of all pages, the same for both frameworks.
async fn page(session: SessionHandle, path: String, gate: Gate) -> Result<String, ValueError> {
    let user = async || session.get::<String>("user").map(Option::unwrap_or_default);
    match path.split('/').collect::<Vec<_>>()[1..] {
        ["login", name] => {
            session.flush();
            session.insert("user", name)?;
            user().await
        }
        ["logout"] => {
            session.flush();
            user().await
        }
        ["who"] => user().await,
        ["count"] => {
            let count = session.get::<u32>("count")?.unwrap_or(0) + 1;
            tokio::task::yield_now().await;
            session.insert("count", count)?;
            tokio::task::yield_now().await;
            Ok(format!("{} {count}", user().await?))
        }
        ["slow"] => {
            let before = user().await?;
            gate.pass().await;
            Ok(format!("{before} {}", user().await?))
        }
        ["panic"] => session.clone().with(|session| {
            session.insert("user", "half").unwrap();
            // Without the noise of a real one.
            resume_unwind(Box::new("a fault of the handler"))
        }),
        _ => Ok("elsewhere".to_owned()),
    }
}

/// A body that comes in two parts, the second when the gate lets it.
fn parts(session: SessionHandle, gate: Gate) -> impl Stream<Item = io::Result<Bytes>> + Send {
    session.insert("user", "ada").unwrap();
    let second = stream::once(async move {
        gate.pass().await;
        assert_eq!(session.insert("user", "late"), Err(ValueError::TooLate));
        session.with(|session| session.insert("user", "late").unwrap());
        Ok(Bytes::from_static(b"the second"))
    });
    stream::iter([Ok(Bytes::from_static(b"the first"))]).chain(second)
}

/// A server, which ends with the test.
struct Server {
    address: SocketAddr,
    arrivals: mpsc::Receiver<()>,
    permits: Arc<Semaphore>,
    end: Option<Box<dyn FnOnce()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

impl Server {
    fn start(framework: Framework, manager: SessionManager) -> Self {
        let (sender, arrivals) = mpsc::sync_channel(100);
        let permits = Arc::new(Semaphore::new(0));
        let gate = Gate { arrivals: sender, permits: Arc::clone(&permits) };
        let (address, end) = match framework {
            #[cfg(feature = "axum")]
            Framework::Axum => with_axum::start(manager, gate),
            #[cfg(feature = "actix")]
            Framework::Actix => with_actix::start(manager, gate),
        };
        Self { address, arrivals, permits, end: Some(end) }
    }

    fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Waits until a handler stands at the gate.
    fn await_arrival(&self) {
        self.arrivals.recv_timeout(DEADLINE).expect("nobody came to the gate");
    }

    fn open_gate(&self) {
        self.permits.add_permits(1);
    }

    /// Sends a request up to the gate, does something else, and returns the answer to the request.
    fn meanwhile(&self, browser: &Browser, function: impl FnOnce()) -> Answer {
        let mut connection = self.connect();
        let cookie = browser.cookie.clone();
        let slow = thread::spawn(move || connection.try_ask("/slow", cookie.as_deref()).unwrap());
        self.await_arrival();
        function();
        self.open_gate();
        slow.join().unwrap()
    }
}

#[derive(Clone, Copy, Debug)]
enum Framework {
    #[cfg(feature = "axum")]
    Axum,
    #[cfg(feature = "actix")]
    Actix,
}

const FRAMEWORKS: &[Framework] = &[
    #[cfg(feature = "axum")]
    Framework::Axum,
    #[cfg(feature = "actix")]
    Framework::Actix,
];

#[cfg(feature = "axum")]
mod with_axum {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::{StatusCode, Uri};
    use axum::response::IntoResponse;
    use axum::routing::get;
    use hyper_util::rt::TokioIo;
    use signed_session::SessionLayer;
    use tokio::net::TcpListener;

    use super::*;

    pub fn start(manager: SessionManager, gate: Gate) -> (SocketAddr, Box<dyn FnOnce()>) {
        let to_stream = gate.clone();
        let stream = move |session| {
            let body = parts(session, to_stream.clone());
            async { Body::from_stream(body) }
        };
        let page = move |session, uri: Uri| page(session, uri.path().to_owned(), gate.clone());
        let app = Router::new()
            .route("/stream", get(stream))
            .route("/echo", get(echo))
            .fallback(page)
            .layer(SessionLayer::new(manager));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(axum::serve(listener, app).into_future());
        (address, Box::new(|| runtime.shutdown_background()))
    }

    /// Leaves HTTP, and sends back in capitals what it receives.
    async fn echo(session: SessionHandle, request: Request) -> impl IntoResponse {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        session.insert("user", "ada").unwrap();
        tokio::spawn(async {
            let mut stream = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
            let mut bytes = [0; 64];
            while let Ok(len @ 1..) = stream.read(&mut bytes).await {
                stream.write_all(&bytes[..len].to_ascii_uppercase()).await.unwrap();
            }
        });
        (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "websocket")])
    }
}

#[cfg(feature = "actix")]
mod with_actix {
    use actix_web::dev::ServerHandle;
    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
    use signed_session::SessionMiddleware;

    use super::*;

    pub fn start(manager: SessionManager, gate: Gate) -> (SocketAddr, Box<dyn FnOnce()>) {
        let middleware = SessionMiddleware::new(manager);
        let app = move || {
            let (to_stream, to_page) = (gate.clone(), gate.clone());
            let stream = move |session| {
                let body = parts(session, to_stream.clone());
                async { HttpResponse::Ok().streaming(body) }
            };
            let page = move |session, request: HttpRequest| {
                page(session, request.path().to_owned(), to_page.clone())
            };
            App::new()
                .wrap(middleware.clone())
                .route("/stream", web::get().to(stream))
                .route("/echo", web::get().to(echo))
                .default_service(web::to(page))
        };
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            rt::System::new().block_on(async {
                let server = HttpServer::new(app).workers(3).disable_signals();
                let server = server.bind(("127.0.0.1", 0)).unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                sender.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, handle): (SocketAddr, ServerHandle) = receiver.recv().unwrap();
        let end = move || {
            // The order is given at once; what it returns would wait.
            drop(handle.stop(false));
            thread.join().unwrap();
        };
        (address, Box::new(end))
    }

    /// Leaves HTTP, and sends back in capitals what it receives.
    async fn echo(session: SessionHandle, body: web::Payload) -> Result<HttpResponse, ValueError> {
        session.insert("user", "ada")?;
        let capitals = body.map(|bytes| bytes.map(|bytes| bytes.to_ascii_uppercase().into()));
        Ok(HttpResponse::SwitchingProtocols().upgrade("websocket").streaming(capitals))
    }
}

#[test]
fn no_visitor_sees_another_s_session_however_many_come_at_once() {
    const VISITORS: usize = 24;
    const CONNECTIONS: usize = 8;
    const VISITS: u32 = 10;
    for framework in FRAMEWORKS {
        let server = Server::start(*framework, manager());
        // As behind a proxy: whoever is next takes the connection that is free.
        let waiting = Mutex::new(Vec::new());
        for visitor in 0..VISITORS {
            let mut browser = Browser::default();
            let answer = browser.ask(&mut server.connect(), &format!("/login/visitor-{visitor}"));
            assert_eq!(answer.body, format!("visitor-{visitor}"));
            waiting.lock().unwrap().insert(0, (visitor, 0, browser));
        }
        thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                let mut connection = server.connect();
                let waiting = &waiting;
                scope.spawn(move || {
                    loop {
                        let next = waiting.lock().unwrap().pop();
                        let Some((visitor, visits, mut browser)) = next else { break };
                        let answer = browser.ask(&mut connection, "/count");
                        let visits = visits + 1;
                        assert_eq!(answer.body, format!("visitor-{visitor} {visits}"));
                        let answer = browser.ask(&mut connection, "/who");
                        assert_eq!(answer.body, format!("visitor-{visitor}"));
                        assert_eq!(answer.cookie(), None);
                        let stranger = connection.try_ask("/who", None).unwrap();
                        assert_eq!((stranger.body.as_str(), stranger.cookie()), ("", None));
                        if visits < VISITS {
                            waiting.lock().unwrap().insert(0, (visitor, visits, browser));
                        }
                    }
                });
            }
        });
    }
}

/// A browser with a cookie of a minute ago: written again, it would not be the same.
fn visitor(user: &str) -> Browser {
    Browser { cookie: Some(cookie(user)) }
}

// Two of a visitor's requests at once. Whoever answers last has the last word in the browser: a
// request that writes nothing must say nothing. `SessionManager::refresh_after` and
// `save_every_request` are the exceptions, as their documentation says: they write what was read.

#[test]
fn an_earlier_request_that_only_read_does_not_undo_a_login() {
    for framework in FRAMEWORKS {
        let server = Server::start(*framework, manager());
        let mut browser = visitor("guest");
        let before = browser.clone();
        let slow = server.meanwhile(&before, || {
            browser.ask(&mut server.connect(), "/login/ada");
        });
        assert_eq!(slow.body, "guest guest");
        assert_eq!(slow.all("set-cookie"), [""; 0]);
        browser.heed(&slow);
        assert_eq!(browser.ask(&mut server.connect(), "/who").body, "ada");
    }
}

#[test]
fn an_earlier_request_that_only_read_does_not_undo_a_logout() {
    for framework in FRAMEWORKS {
        let server = Server::start(*framework, manager());
        let mut browser = visitor("ada");
        let before = browser.clone();
        let slow = server.meanwhile(&before, || {
            browser.ask(&mut server.connect(), "/logout");
        });
        assert_eq!(slow.body, "ada ada");
        assert_eq!(slow.all("set-cookie"), [""; 0]);
        browser.heed(&slow);
        assert_eq!(browser.cookie, None);
        assert_eq!(browser.ask(&mut server.connect(), "/who").body, "");
    }
}

#[test]
fn a_request_that_waits_holds_up_no_other_of_the_same_visitor() {
    for framework in FRAMEWORKS {
        let server = Server::start(*framework, manager());
        let mut browser = visitor("ada");
        let before = browser.clone();
        let slow = server.meanwhile(&before, || {
            for visit in 1..4 {
                let answer = browser.ask(&mut server.connect(), "/count");
                assert_eq!(answer.body, format!("ada {visit}"));
            }
        });
        assert_eq!(slow.body, "ada ada");
    }
}

#[test]
fn a_handler_that_panics_harms_no_other_request() {
    for framework in FRAMEWORKS {
        let server = Server::start(*framework, manager());
        let mut browser = visitor("ada");
        let cookie = browser.cookie.clone();
        let slow = server.meanwhile(&browser, || {
            for _ in 0..4 {
                // The connection ends, and nothing was said.
                server.connect().try_ask("/panic", cookie.as_deref()).unwrap_err();
            }
        });
        assert_eq!(slow.body, "ada ada");
        assert_eq!(browser.ask(&mut server.connect(), "/who").body, "ada");
        assert_eq!(browser.ask(&mut server.connect(), "/count").body, "ada 1");
    }
}

#[test]
fn a_browser_that_goes_away_harms_no_other_request() {
    for framework in FRAMEWORKS {
        let server = Server::start(*framework, manager());
        let mut browser = visitor("ada");
        let cookie = browser.cookie.clone().unwrap();
        for _ in 0..4 {
            let mut connection = server.connect();
            let request =
                format!("GET /slow HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n");
            connection.send(request.as_bytes()).unwrap();
            server.await_arrival();
        }
        assert_eq!(browser.ask(&mut server.connect(), "/count").body, "ada 1");
    }
}

#[test]
fn a_body_passes_in_parts_and_later_changes_are_not_saved() {
    for framework in FRAMEWORKS {
        let server = Server::start(*framework, manager());
        let mut connection = server.connect();
        let answer = connection.begin("/stream", &[]).unwrap();
        assert_eq!((answer.status, answer.all("vary")), (200, vec!["Cookie"]));
        assert_eq!(answer.session().unwrap().get("user"), Ok(Some("ada")));
        connection.read_until("the first");
        // Only now can there be a second part.
        server.open_gate();
        connection.read_until("the second");
        let mut browser = Browser::default();
        browser.heed(&answer);
        assert_eq!(browser.ask(&mut server.connect(), "/who").body, "ada");
    }
}

#[test]
fn a_connection_that_leaves_http_goes_on_both_ways() {
    for framework in FRAMEWORKS {
        let server = Server::start(*framework, manager());
        let mut connection = server.connect();
        let upgrade = ["Connection: upgrade", "Upgrade: websocket"];
        let answer = connection.begin("/echo", &upgrade).unwrap();
        assert_eq!(answer.status, 101);
        assert_eq!(answer.session().unwrap().get("user"), Ok(Some("ada")));
        for (sent, received) in [("one", "ONE"), ("and another", "AND ANOTHER")] {
            connection.send(sent.as_bytes()).unwrap();
            connection.read_until(received);
        }
    }
}

// A browser, for servers on a real socket.

/// A connection that is kept alive from one request to the next.
struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(server: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&server, DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a request with these lines, each a header, and reads the head of the answer.
    fn begin(&mut self, path: &str, headers: &[&str]) -> io::Result<Answer> {
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
        headers.iter().for_each(|line| writeln!(head, "{line}\r").unwrap());
        self.send(format!("{head}\r\n").as_bytes())?;

        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut answer = Answer::new(status.ok_or(io::ErrorKind::UnexpectedEof)?);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { return Ok(answer) };
            answer = answer.header(name, value.trim());
        }
    }

    /// Sends a request with this cookie, and reads the answer.
    fn try_ask(&mut self, path: &str, cookie: Option<&str>) -> io::Result<Answer> {
        let cookie = cookie.map(|cookie| format!("Cookie: {cookie}"));
        let answer = self.begin(path, cookie.as_deref().as_slice())?;
        let length = answer.all("content-length").concat().parse().unwrap();
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(answer.body(String::from_utf8(body).unwrap()))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads on until this text has come.
    fn read_until(&mut self, text: &str) {
        let mut read = Vec::new();
        while !read.ends_with(text.as_bytes()) {
            let mut byte = [0];
            if let Err(error) = self.stream.read_exact(&mut byte) {
                panic!("{error}; no {text:?} in {:?}", String::from_utf8_lossy(&read));
            }
            read.extend(byte);
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

/// A browser, which keeps the cookie as it was last told to.
#[derive(Clone, Default)]
struct Browser {
    cookie: Option<String>,
}

impl Browser {
    fn ask(&mut self, connection: &mut Connection, path: &str) -> Answer {
        let answer = connection.try_ask(path, self.cookie.as_deref()).unwrap();
        self.heed(&answer);
        answer
    }

    /// Does with the cookie what the answer says.
    fn heed(&mut self, answer: &Answer) {
        if let Some(cookie) = answer.cookie() {
            let is_removal = answer.all("set-cookie").concat().contains("Max-Age=0");
            self.cookie = (!is_removal).then(|| cookie.to_owned());
        }
    }
}
