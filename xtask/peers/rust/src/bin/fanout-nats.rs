//! nats-server with its WebSocket listener, and one who publishes there over TCP: `fanout-nats FOLDER`.

use ami_peers::{marker, orders};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

struct Nats(Child);

impl Drop for Nats {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("usage: fanout-nats FOLDER");
    let (tcp, websocket) = (free_port()?, free_port()?);
    let file = format!("{folder}/nats.conf");
    fs::write(
        &file,
        format!(
            "listen: 127.0.0.1:{tcp}\nmax_connections: 20000\n\
             websocket {{ listen: \"127.0.0.1:{websocket}\", no_tls: true }}\n"
        ),
    )?;
    let mut server = Command::new("nats-server");
    server.args(["--config", &file, "--log", "/dev/null"]);
    let server = Nats(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let mut publisher = publisher(tcp)?;
    println!("ready {websocket} {}", server.0.id());
    let mut burst = Vec::new();
    orders::obey(|number, more| {
        let event = marker::event(number);
        let message = format!("PUB bench {}\r\n{event}\r\n", event.len());
        burst.extend_from_slice(message.as_bytes());
        if !more {
            publisher.write_all(&burst).expect("the server takes it");
            burst.clear();
        }
    });
    drop(server);
    Ok(())
}

fn publisher(port: u16) -> std::io::Result<TcpStream> {
    let mut socket = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(socket) => break socket,
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    };
    socket.set_nodelay(true)?;
    socket.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n")?;
    let mut answers = socket.try_clone()?;
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    thread::spawn(move || {
        while let Some(Ok(line)) = lines.next() {
            if line.starts_with("PING") && answers.write_all(b"PONG\r\n").is_err() {
                return;
            }
        }
    });
    Ok(socket)
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
