//! A manager interface that logs anybody in and, a second later, sends the same stream to each: so
//! many events of whole calls, many at a time. Rendered before anybody connects.

use ami_peers::{
    END,
    calls::{call, serve},
};
use std::{
    fmt::Write as _,
    io::Write,
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

/// Calls that go on at the same time.
const AT_A_TIME: usize = 50;
/// From the login to the stream: every client is ready by then.
const QUIET: Duration = Duration::from_secs(1);

fn main() -> std::io::Result<()> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(200_000);
    let stream: Arc<[u8]> = stream(count).into_bytes().into();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("serving {} {} {}", listener.local_addr()?.port(), count, stream.len());
    for client in listener.incoming() {
        let (client, stream) = (client?, Arc::clone(&stream));
        let log_in = move |client| begin(client, Arc::clone(&stream));
        thread::spawn(move || serve(client, |_| None, log_in));
    }
    Ok(())
}

/// A second after the login the stream begins, whatever else is said.
fn begin(mut client: TcpStream, stream: Arc<[u8]>) {
    thread::spawn(move || {
        thread::sleep(QUIET);
        client.write_all(&stream)
    });
}

/// Whole calls, interleaved, cut to the number, and the end mark.
fn stream(count: usize) -> String {
    let mut text = String::new();
    let mut told = 0;
    let mut next = 0;
    let mut live: Vec<std::vec::IntoIter<String>> = Vec::new();
    while told < count {
        while live.len() < AT_A_TIME {
            live.push(call(next).into_iter());
            next += 1;
        }
        let at = told % AT_A_TIME;
        match live[at].next() {
            Some(event) => {
                text.push_str(&event);
                told += 1;
            }
            None => {
                live[at] = call({
                    next += 1;
                    next - 1
                })
                .into_iter()
            }
        }
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "Event: {END}\r\nPrivilege: call,all\r\n\r\n");
    text
}
