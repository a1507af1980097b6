//! A hand-written TCP server that breaks HTTP on purpose: cut bodies, resets, silence. No mock
//! framework can send half a chunk or a reset.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Sends these bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// Sends these bytes, then closes in order.
    ThenClose(Vec<u8>),
    /// Sends these bytes, then resets.
    ThenReset(Vec<u8>),
    /// Resets before anything was read.
    ResetUnread,
    /// Reads, and never answers.
    Silence,
    /// Sends these bytes one by one with a pause in between.
    Drip(Vec<u8>, Duration),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// `GET /path?query`.
    pub line: String,
    /// Headers in lower case, `name: value`.
    pub headers: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Received {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Debug, Default)]
struct Shared {
    script: VecDeque<Fault>,
    received: Vec<Received>,
    connections: usize,
}

/// A running server; stops when dropped.
pub struct FaultServer {
    /// Where it listens.
    pub addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FaultServer {
    /// Plays `script`, one entry per request, and its last entry for ever.
    pub async fn start(script: impl IntoIterator<Item = Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared =
            Arc::new(Mutex::new(Shared { script: script.into_iter().collect(), ..Shared::default() }));
        let task = tokio::spawn({
            let shared = shared.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    shared.lock().unwrap().connections += 1;
                    tokio::spawn(serve(stream, shared.clone()));
                }
            }
        });
        Self { addr, shared, task }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.lock().unwrap().received.clone()
    }

    /// Connections made so far.
    pub fn connections(&self) -> usize {
        self.shared.lock().unwrap().connections
    }
}

fn next(shared: &Mutex<Shared>) -> Fault {
    let mut shared = shared.lock().unwrap();
    if shared.script.len() > 1 { shared.script.pop_front().unwrap() } else { shared.script[0].clone() }
}

async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    stream.set_nodelay(true).unwrap();
    loop {
        let unread = matches!(shared.lock().unwrap().script.front(), Some(Fault::ResetUnread));
        if unread {
            next(&shared);
            // So that the client has written before it is reset.
            let _ = stream.readable().await;
            return reset(stream);
        }
        let Some(request) = read_request(&mut stream).await else { return };
        shared.lock().unwrap().received.push(request);
        match next(&shared) {
            Fault::Bytes(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Fault::ThenClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Fault::ThenReset(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return reset(stream);
            }
            Fault::Silence => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                return;
            }
            Fault::Drip(bytes, pause) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::timeout(pause, std::future::pending::<()>()).await.unwrap_err();
                }
            }
            Fault::ResetUnread => return reset(stream),
        }
    }
}

fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
}

async fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            format!("{}: {}", name.to_ascii_lowercase(), value.trim())
        })
        .collect();
    let mut request = Received { line, headers, body: bytes.split_off(head_end + 4) };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(request)
}

/// An answer as bytes: status line, the given header lines, Content-Length, body.
pub fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    if !headers.iter().any(|line| line.to_ascii_lowercase().starts_with("content-length")) {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut bytes = format!("{head}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A JSON answer.
pub fn json(status: &str, body: &str) -> Vec<u8> {
    answer(status, &["Content-Type: application/json"], body)
}
