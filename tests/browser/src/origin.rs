//! Answers a visitor's requests from the test itself, one at a time.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::{Visitor, until};

/// How long a connection may say nothing: Chromium opens some before it needs them.
const SILENCE: Duration = Duration::from_secs(2);

/// A host of this machine, on a port that the system chooses.
///
/// It answers only during [`visit`](Self::visit), and no longer listens once it is dropped.
pub struct Origin {
    listener: TcpListener,
    url: String,
}

impl Origin {
    /// Starts to listen under a name that Chromium resolves to this machine.
    ///
    /// That is `localhost`, or a name that ends in `.localhost`.
    ///
    /// Chromium trusts such an origin, and so keeps `Secure` cookies without https.
    ///
    /// # Panics
    ///
    /// If there is no port for it.
    pub fn start(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        listener.set_nonblocking(true).expect("a listener need not wait");
        let port = listener.local_addr().expect("it has an address").port();
        Self { listener, url: format!("http://{host}:{port}") }
    }

    /// Opens a page as if the visitor had typed its address, and answers the request.
    ///
    /// `respond` turns the `Cookie:` header, empty if there is none, into the values of the
    /// `Set-Cookie:` headers. When this returns, Chromium has taken them or refused them.
    ///
    /// # Panics
    ///
    /// If no request comes.
    pub fn visit(&self, visitor: &Visitor, path: &str, respond: impl FnOnce(&str) -> Vec<String>) {
        visitor.open_served(&format!("{}{path}", self.url), || {
            let (stream, cookies) = until(path, || self.request(path));
            send(stream, &respond(&cookies)).expect("Chromium reads the response");
        });
    }

    /// Returns the next request for this path, and its `Cookie:` header; drops all others.
    fn request(&self, path: &str) -> Option<(TcpStream, String)> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(SILENCE)).ok()?;
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let is_wanted = lines.next()?.split(' ').nth(1) == Some(path);
        let mut cookies = String::new();
        for line in lines.take_while(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("cookie")
            {
                assert_eq!(cookies, "", "Chromium sends one such header");
                value.trim().clone_into(&mut cookies);
            }
        }
        is_wanted.then_some((stream, cookies))
    }
}

fn send(mut stream: TcpStream, set_cookies: &[String]) -> io::Result<()> {
    let mut head =
        String::from("HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\nConnection: close\r\n");
    for cookie in set_cookies {
        head.push_str(&format!("Set-Cookie: {cookie}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())
}
