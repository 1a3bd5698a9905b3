//! All clients on one thread: they connect, and read.

use crate::{
    hello::{Hello, agent},
    marker::{self, LENGTH, Reader},
};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    error::Error,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

/// So many connect at a time.
const AT_ONCE: usize = 200;
/// Without anything to read for so long, the rest is lost.
const PATIENCE: Duration = Duration::from_secs(10);
const BUFFER: usize = 256 << 10;

pub struct Clients {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    reader: Reader,
    /// Each client gets every event, or one of so many in turn, beginning with the first for the first.
    stride: u64,
    /// Of which server they want events, where there are several; as a part of the filter.
    servers: String,
}

struct Client {
    socket: TcpStream,
    /// What was heard and belongs to what comes next.
    rest: Vec<u8>,
    /// The step of the hello that it is at; one more than there are: it is done.
    step: usize,
    /// The number of the next event that it has to get.
    next: u64,
}

impl Clients {
    /// Connects them all and says hello for each.
    pub fn connect(
        port: u16,
        count: usize,
        hello: &Hello,
        stride: u64,
    ) -> Result<Self, Box<dyn Error>> {
        let servers = match std::env::var("BENCH_SERVER") {
            Ok(server) if !server.is_empty() => format!(r#","servers":["{server}"]"#),
            _ => String::new(),
        };
        let mut all = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            clients: Vec::with_capacity(count),
            buffer: vec![0; BUFFER],
            reader: Reader::default(),
            stride,
            servers,
        };
        let mut ready = 0;
        while ready < count {
            while all.clients.len() < count && all.clients.len() - ready < AT_ONCE {
                all.begin(port)?;
            }
            ready += all.greet(port, hello)?;
        }
        Ok(all)
    }

    fn begin(&mut self, port: u16) -> io::Result<()> {
        let mut socket = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let token = Token(self.clients.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, token, interest)?;
        let next = if self.stride == 1 { 1 } else { token.0 as u64 + 1 };
        self.clients.push(Client { socket, rest: Vec::new(), step: 0, next });
        Ok(())
    }

    /// Lets those who heard something go on; answers how many are done with it.
    fn greet(&mut self, port: u16, hello: &Hello) -> Result<usize, Box<dyn Error>> {
        self.poll.poll(&mut self.events, Some(PATIENCE))?;
        if self.events.is_empty() {
            return Err("a client waits in vain for its hello".into());
        }
        let mut ready = 0;
        for event in &self.events {
            let number = event.token().0;
            let filter = match self.stride {
                1 => "{}".to_owned(),
                _ => format!(r#"{{"agents":["{}"]{}}}"#, agent(number), self.servers),
            };
            let client = &mut self.clients[number];
            if client.step == 0 && event.is_writable() {
                let upgrade = format!(
                    "GET {} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: \
                     Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \
                     dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
                    hello.path, hello.headers
                );
                client.socket.write_all(upgrade.as_bytes())?;
                client.step = 1;
            }
            while client.step > 0 && client.step <= hello.steps.len() + 1 {
                let heard = match client.socket.read(&mut self.buffer) {
                    Ok(0) => {
                        let heard = String::from_utf8_lossy(&client.rest);
                        return Err(format!("a client was turned away by {heard:?}").into());
                    }
                    Ok(heard) => heard,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                client.rest.extend_from_slice(&self.buffer[..heard]);
                while client.step <= hello.steps.len() + 1 {
                    let waits_for: &[u8] = match client.step {
                        1 => b"\r\n\r\n",
                        step => hello.steps[step - 2].then,
                    };
                    let Some(at) = memchr::memmem::find(&client.rest, waits_for) else { break };
                    if client.step == 1 && !client.rest.starts_with(b"HTTP/1.1 101") {
                        return Err(String::from_utf8_lossy(&client.rest).into_owned().into());
                    }
                    client.rest.drain(..at + waits_for.len());
                    if let Some(step) = hello.steps.get(client.step - 1) {
                        client.socket.write_all(&step.say(&filter))?;
                    }
                    client.step += 1;
                    ready += usize::from(client.step == hello.steps.len() + 2);
                }
            }
        }
        Ok(ready)
    }

    /// Reads until so many more events have come, each once and in order: to everybody, or in turn.
    pub fn receive(
        &mut self,
        count: u64,
        mut latencies: Option<&mut Histogram<u64>>,
    ) -> Result<(), Box<dyn Error>> {
        let each = if self.stride == 1 { self.clients.len() as u64 } else { 1 };
        let mut missing = count * each;
        let mut heard_at = Instant::now();
        while missing > 0 {
            self.poll.poll(&mut self.events, Some(Duration::from_secs(1)))?;
            if self.events.is_empty() {
                if heard_at.elapsed() > PATIENCE {
                    return Err(format!("{missing} events are waited for in vain").into());
                }
                continue;
            }
            heard_at = Instant::now();
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                let heard =
                    client.hear(&mut self.buffer, &self.reader, self.stride, &mut latencies)?;
                missing = missing.checked_sub(heard).ok_or("more events than were sent")?;
            }
        }
        Ok(())
    }
}

impl Client {
    /// Reads all that is there; answers how many events.
    fn hear(
        &mut self,
        buffer: &mut [u8],
        reader: &Reader,
        stride: u64,
        latencies: &mut Option<&mut Histogram<u64>>,
    ) -> Result<u64, Box<dyn Error>> {
        let mut count = 0;
        loop {
            let kept = self.rest.len();
            buffer[..kept].copy_from_slice(&self.rest);
            let heard = match self.socket.read(&mut buffer[kept..]) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(heard) => heard,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                Err(error) => return Err(error.into()),
            };
            let (now, bytes) = (marker::now(), &buffer[..kept + heard]);
            let mut wrong = None;
            let again = reader.read(bytes, |marker| {
                if marker.number != self.next {
                    wrong.get_or_insert(marker.number);
                }
                self.next = marker.number + stride;
                count += 1;
                if let Some(latencies) = latencies {
                    latencies.saturating_record(now.saturating_sub(marker.sent).max(1));
                }
            });
            if let Some(number) = wrong {
                return Err(format!("event {number} out of order").into());
            }
            debug_assert!(bytes.len() - again < LENGTH);
            self.rest.clear();
            self.rest.extend_from_slice(&bytes[again..]);
            // A read that did not fill the buffer took all there was.
            if kept + heard < buffer.len() {
                return Ok(count);
            }
        }
    }
}
