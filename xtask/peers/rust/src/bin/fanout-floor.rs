//! The floor: one thread, one frame for all, nothing but the system calls. It reads nothing, checks nothing,
//! drops nobody. A burst is one write a client.

use ami_peers::{marker, orders};
use std::{
    io::{BufRead, BufReader, ErrorKind, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ready {}", listener.local_addr()?.port());
    let (welcome, newcomers) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Ok(client) = upgraded(client) {
                drop(welcome.send(client));
            }
        }
    });
    let (mut clients, mut burst) = (Vec::<TcpStream>::new(), Vec::new());
    orders::obey(|number, more| {
        let event = marker::event(number);
        let length = u16::try_from(event.len()).expect("some 300 bytes");
        burst.extend_from_slice(&[0x81, 126]);
        burst.extend_from_slice(&length.to_be_bytes());
        burst.extend_from_slice(event.as_bytes());
        if more {
            return;
        }
        clients.extend(newcomers.try_iter());
        send(&mut clients, &burst);
        burst.clear();
    });
    Ok(())
}

/// To all at once; those whose buffers are full in turn, again.
fn send(clients: &mut [TcpStream], bytes: &[u8]) {
    let mut left: Vec<(usize, usize)> = (0..clients.len()).map(|client| (client, 0)).collect();
    while !left.is_empty() {
        left.retain_mut(|(client, at)| match clients[*client].write(&bytes[*at..]) {
            Ok(written) => {
                *at += written;
                *at < bytes.len()
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
    }
}

fn upgraded(mut client: TcpStream) -> std::io::Result<TcpStream> {
    client.set_nodelay(true)?;
    let mut lines = BufReader::new(client.try_clone()?).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    client.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )?;
    client.set_nonblocking(true)?;
    Ok(client)
}
