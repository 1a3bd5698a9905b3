//! As many servers as connect, behind one port: each sends events of calls at an even pace, every one
//! with its number and the time at which it was handed to the socket.
//!
//! `load PER_SECOND SECONDS`; the pace begins when nobody has connected for a second.

use ami_peers::calls::{call, serve};
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// So long without another login, and all are there.
const QUIET: Duration = Duration::from_secs(2);

fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1).map(|word| word.parse().ok());
    let (Some(Some(per_second)), Some(Some(seconds))) = (words.next(), words.next()) else {
        panic!("usage: load PER_SECOND SECONDS");
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("serving {}", listener.local_addr()?.port());
    let (logins, logged_in) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let logins = logins.clone();
            // After the login the stream has a hand of its own.
            let log_in = move |client| logins.send(client).expect("main waits");
            thread::spawn(move || serve(client, |_| None, log_in));
        }
    });
    let mut clients = vec![Paced::new(logged_in.recv().expect("somebody logs in"))];
    while let Ok(client) = logged_in.recv_timeout(QUIET) {
        clients.push(Paced::new(client));
    }
    pace(&mut clients, per_second, seconds);
    // Who measures ends first.
    thread::sleep(Duration::from_secs(3600));
    Ok(())
}

/// One connection and what it sends next.
struct Paced {
    socket: TcpStream,
    calls: usize,
    call: std::vec::IntoIter<String>,
    number: u64,
}

impl Paced {
    fn new(socket: TcpStream) -> Self {
        Self { socket, calls: 0, call: Vec::new().into_iter(), number: 0 }
    }

    fn send(&mut self) -> std::io::Result<()> {
        let event = loop {
            match self.call.next() {
                Some(event) => break event,
                None => {
                    self.call = call(self.calls).into_iter();
                    self.calls += 1;
                }
            }
        };
        self.number += 1;
        let headers = event.trim_end_matches("\r\n");
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (number, sent) = (self.number, since.as_nanos());
        let text = format!("{headers}\r\nNumber: {number}\r\nSentNs: {sent}\r\n\r\n");
        self.socket.write_all(text.as_bytes())
    }
}

/// Each connection sends in its own turn of the interval, so that none of them burst together.
fn pace(clients: &mut [Paced], per_second: u64, seconds: u64) {
    let count = clients.len() as u64;
    let begun = Instant::now();
    let total = per_second * seconds * count;
    for turn in 0..total {
        let due = begun + Duration::from_nanos(1_000_000_000 * turn / (per_second * count));
        let now = Instant::now();
        if due > now {
            thread::sleep(due - now);
        }
        let client = &mut clients[usize::try_from(turn % count).unwrap_or(0)];
        if client.send().is_err() {
            eprintln!("a connection was closed");
            return;
        }
    }
}
