//! Measures a cache of call data: `calldata CONNECTIONS SECONDS -- PROGRAM …`.
//!
//! Each connection stores a value and draws a number for it, looks it up, and takes it, over and over, by
//! HTTP/1.1 with Basic authentication; each answer has to be the right one. Tells one line `result {…}`.

use ami_peers::measured::Server;
use hdrhistogram::Histogram;
use serde_json::json;
use std::{
    error::Error,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// `bench:bench`, as Basic authentication writes it.
const CREDENTIALS: &str = "YmVuY2g6YmVuY2g=";
/// Before it is measured: connections, compilers, caches.
const WARM: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [connections, seconds, dashes, program @ ..] = &words[..] else {
        return Err("usage: calldata CONNECTIONS SECONDS -- PROGRAM …".into());
    };
    if dashes != "--" {
        return Err("usage: calldata CONNECTIONS SECONDS -- PROGRAM …".into());
    }
    let (connections, seconds) = (connections.parse::<u32>()?, seconds.parse::<u64>()?);
    let server = Server::start(program).map_err(|error| error.to_string())?;
    let begin = Instant::now() + WARM;
    let end = begin + Duration::from_secs(seconds);
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..connections {
        clients.spawn(client(server.port(), number, begin, end));
    }
    tokio::time::sleep_until(begin.into()).await;
    let cpu = server.cpu()?;
    let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    while let Some(measured) = clients.join_next().await {
        latencies.add(measured??)?;
    }
    let cpu = server.cpu()?.saturating_sub(cpu);
    let result = json!({
        "perSecond": latencies.len() as f64 / seconds as f64,
        "cpuNs": cpu.as_nanos() as f64 / latencies.len().max(1) as f64,
        "p50Us": latencies.value_at_quantile(0.5),
        "p99Us": latencies.value_at_quantile(0.99),
    });
    println!("result {result}");
    Ok(())
}

/// One connection; answers how long each request took, in microseconds.
async fn client(port: u16, number: u32, begin: Instant, end: Instant) -> Outcome<Histogram<u64>> {
    let mut line =
        Line { socket: TcpStream::connect(("127.0.0.1", port)).await?, heard: Vec::new() };
    line.socket.set_nodelay(true)?;
    let mut latencies = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    for turn in 0u64.. {
        if Instant::now() >= end {
            break;
        }
        let ani = format!("49{number:04}{turn:07}");
        let value =
            format!(r#"{{"customer":{turn},"reason":"invoice","words":"as the caller put it"}}"#);
        let mut ask = async |method: &str, path: &str, body: &str, status: u16| {
            let asked = Instant::now();
            let answer = line.ask(method, path, body, status).await?;
            if asked >= begin && asked < end {
                latencies.record(u64::try_from(asked.elapsed().as_micros())?.max(1))?;
            }
            Outcome::Ok(answer)
        };
        let body = format!(r#"{{"ani":"{ani}","value":{value}}}"#);
        let stored = ask("POST", "/cticache/DNIS-ANI", &body, 201).await?;
        let stored: serde_json::Value = serde_json::from_slice(&stored)?;
        let dnis = stored["dnis"].as_str().ok_or("no number was drawn")?;
        let path = format!("/cticache/DNIS-ANI/{dnis}:{ani}");
        for method in ["GET", "DELETE"] {
            let found = ask(method, &path, "", 200).await?;
            let found: serde_json::Value = serde_json::from_slice(&found)?;
            if found["value"]["customer"] != turn {
                return Err(format!("{method} {path} answered {found}").into());
            }
        }
    }
    Ok(latencies)
}

/// A connection that is kept.
struct Line {
    socket: TcpStream,
    heard: Vec<u8>,
}

impl Line {
    /// Asks, and answers the body; another status than expected is an error.
    async fn ask(&mut self, method: &str, path: &str, body: &str, status: u16) -> Outcome<Vec<u8>> {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {CREDENTIALS}\r\n\
             {kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.write_all(request.as_bytes()).await?;
        let head = loop {
            if let Some(at) = memchr::memmem::find(&self.heard, b"\r\n\r\n") {
                break at + 4;
            }
            self.hear().await?;
        };
        let text = String::from_utf8_lossy(&self.heard[..head]).into_owned();
        if !text.starts_with(&format!("HTTP/1.1 {status} ")) {
            return Err(format!("{method} {path}: {}", String::from_utf8_lossy(&self.heard)).into());
        }
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
        });
        let whole = head + length.ok_or("an answer without a length")??;
        while self.heard.len() < whole {
            self.hear().await?;
        }
        let body = self.heard[head..whole].to_vec();
        self.heard.drain(..whole);
        Ok(body)
    }

    async fn hear(&mut self) -> Outcome<()> {
        match self.socket.read_buf(&mut self.heard).await? {
            0 => Err("the server closed a connection".into()),
            _ => Ok(()),
        }
    }
}
