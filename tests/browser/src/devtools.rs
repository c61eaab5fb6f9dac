//! Turns a command for Chromium into its answer, over the DevTools protocol.
//!
//! The protocol is JSON over a WebSocket, described at
//! <https://chromedevtools.github.io/devtools-protocol/>. A command is answered
//! under its number; events come in between and are kept until they are asked for.

use std::net::TcpStream;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::PATIENCE;

/// The connection to one browser.
pub(crate) struct DevTools {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    events: Vec<Value>,
}

impl DevTools {
    /// Connects to the address that Chromium prints when it starts.
    pub(crate) fn connect(url: &str) -> Self {
        let host = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
        let stream = TcpStream::connect(host.expect("a WebSocket's address has a host"))
            .expect("Chromium listens where it says");
        stream.set_read_timeout(Some(PATIENCE)).expect("the time to wait is not zero");
        let (socket, _) = tungstenite::client(url, stream).expect("Chromium speaks WebSocket");
        Self { socket, last_id: 0, events: Vec::new() }
    }

    /// Runs a command in the browser, or in the tab that the session is of, and waits for the answer.
    ///
    /// An error is Chromium's own, such as that the page has just gone.
    pub(crate) fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let id = self.send(session, method, params);
        self.answer(id)
    }

    /// Sends a command, and returns the number under which it is answered.
    pub(crate) fn send(&mut self, session: Option<&str>, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.socket.send(Message::text(command.to_string())).expect("Chromium listens");
        id
    }

    /// Waits for the answer to a command that was sent and to which no answer was read yet.
    pub(crate) fn answer(&mut self, id: u64) -> Result<Value, String> {
        loop {
            let message = self
                .socket
                .read()
                .unwrap_or_else(|error| panic!("Chromium does not answer command {id}: {error}"));
            let Message::Text(text) = message else { continue };
            let mut message: Value = serde_json::from_str(&text).expect("Chromium speaks JSON");
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(error.to_string()),
                    None => Ok(message["result"].take()),
                };
            }
            self.events.push(message);
        }
    }

    /// Returns the events of a tab so far.
    pub(crate) fn events(&self, session: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["sessionId"] == session)
    }
}
