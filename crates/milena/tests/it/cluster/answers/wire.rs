//! A call exactly as recorded, to any worker: no header but those given is added, no path is tidied.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use crate::cluster::world::{PATIENCE, unchunked};

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut of = self.headers.iter();
        let found = of.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON, or as a text; without the sentences that document keys.
    pub(super) fn shown(&self) -> Value {
        let Ok(mut shown) = serde_json::from_str::<Value>(&self.body) else {
            return Value::String(self.body.clone());
        };
        let configs = match shown.get_mut("configs") {
            Some(configs) => configs,
            None => &mut shown,
        };
        for config in configs.as_array_mut().into_iter().flatten() {
            let definition = match config.get_mut("definition") {
                Some(definition) => definition,
                None => config,
            };
            if let Some(fields) = definition.as_object_mut() {
                fields.remove("documentation");
            }
        }
        shown
    }
}

/// Sends one request on a connection of its own.
pub(super) fn send(
    url: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body.unwrap_or_default());
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("transfer-encoding") && value == "chunked");
    let body = match chunked {
        true => unchunked(body),
        false => body.to_owned(),
    };
    Answer {
        status,
        headers,
        body,
    }
}
