//! A manager interface that logs anybody in and, a second later, sends the same stream to each: so
//! many events of whole calls, many at a time. Rendered before anybody connects.

use ami_peers::{
    END,
    calls::{answer, call, fields},
};
use std::{
    fmt::Write as _,
    io::{BufReader, Write},
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
        thread::spawn(move || serve(client, &stream));
    }
    Ok(())
}

fn serve(client: TcpStream, stream: &Arc<[u8]>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut writer = client.try_clone()?;
    writer.write_all(b"Asterisk Call Manager/11.0.0\r\n")?;
    let mut reader = BufReader::new(client);
    while let Some(action) = fields(&mut reader)? {
        let (text, is_login) = answer(&action);
        writer.write_all(text.as_bytes())?;
        if is_login {
            let (mut writer, stream) = (writer.try_clone()?, Arc::clone(stream));
            thread::spawn(move || {
                thread::sleep(QUIET);
                writer.write_all(&stream)
            });
        }
    }
    Ok(())
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
