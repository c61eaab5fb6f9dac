//! Stands between a process and Redis, and cuts what Redis answers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A proxy of Redis, until the test ends.
pub struct Proxy {
    pub address: SocketAddr,
    limit: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy that closes each connection after so many bytes of answers.
    pub fn start(port: u16, limit: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let limit = Arc::new(AtomicUsize::new(limit));
        let shared = Arc::clone(&limit);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(from, to, &AtomicUsize::new(usize::MAX)));
                let limit = Arc::clone(&shared);
                thread::spawn(move || pass(server, client, &limit));
            }
        });
        Self { address, limit }
    }

    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, limit: &AtomicUsize) {
    let (mut passed, mut buffer) = (0, [0; 512]);
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let len = len.min(limit.load(Ordering::SeqCst).saturating_sub(passed));
        if len == 0 || to.write_all(&buffer[..len]).is_err() {
            break;
        }
        passed += len;
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}
