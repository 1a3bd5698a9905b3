//! Many clients in one process, each with a filter of its own, that tell what they got: `crowd PORT FIRST COUNT
//! QUEUES`. Client n wants the agent FIRST + n and two of the queues q0, q1, …
//!
//! Orders on standard input: `told SEQ` waits until somebody has got event SEQ or nothing comes any more, and
//! prints a line `client N SINCE COUNT HASH` for each; `return SECONDS` has all but the first 200 leave and come
//! back within so many seconds, with `since`. Prints `figure …` lines on the way.

use ami_peers::hello::{Hello, Step};
use hdrhistogram::Histogram;
use memchr::memmem;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use std::{
    collections::VecDeque,
    error::Error,
    io::{ErrorKind, Read, Write, stdin},
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Those who stay when the others leave.
const STEADY: usize = 200;
const AT_ONCE: usize = 200;
const BUFFER: usize = 256 << 10;
/// So long without anything, and nothing comes any more.
const QUIET: Duration = Duration::from_secs(3);

/// What an agent's panel shows.
const KINDS: &str = r#""activeLines","userStatus","extensionStatus","phoneNumber","presence","queueMemberStatus","queueCount","queueCaller","agentComplete""#;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [port, first, count, queues] = words[..] else {
        return Err("usage: crowd PORT FIRST COUNT QUEUES".into());
    };
    let hello = Hello::of("telepulse").ok_or("no hello")?;
    let mut crowd = Crowd::new(u16::try_from(port)?, first, queues, &hello.steps[0])?;
    let began = Instant::now();
    for client in 0..count {
        crowd.clients.push(Client::default());
        crowd.waiting.push_back(client);
    }
    while crowd.ready < count {
        crowd.turn(AT_ONCE)?;
    }
    println!("figure {count} clients subscribed: {:.2} s", began.elapsed().as_secs_f64());
    println!("ready");
    let (orders, ordered) = mpsc::channel();
    thread::spawn(move || stdin().lines().map_while(Result::ok).try_for_each(|it| orders.send(it)));
    loop {
        crowd.turn(AT_ONCE)?;
        let Ok(order) = ordered.try_recv() else { continue };
        match order.split_once(' ') {
            Some(("told", seq)) => return crowd.tell(seq.parse()?),
            Some(("return", seconds)) => crowd.come_back(seconds.parse()?)?,
            _ => return Err(format!("no such order: {order}").into()),
        }
    }
}

struct Crowd<'h> {
    port: u16,
    first: usize,
    queues: usize,
    hello: &'h Step,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    /// Those who have to connect.
    waiting: VecDeque<usize>,
    /// Those who are connecting.
    joining: usize,
    /// Those who are subscribed.
    ready: usize,
    epoch: String,
    /// The highest number that anybody has seen, and when something came last.
    last: u64,
    heard: Instant,
    latencies: Histogram<u64>,
    resyncs: usize,
}

#[derive(Default)]
struct Client {
    socket: Option<TcpStream>,
    rest: Vec<u8>,
    stage: Stage,
    /// The number after which its first subscription began.
    since: Option<u64>,
    /// The number of the last event that it got.
    last: u64,
    count: u64,
    hash: u64,
}

#[derive(Default, PartialEq)]
enum Stage {
    #[default]
    Away,
    Upgrading,
    Subscribing,
    Subscribed,
}

impl<'h> Crowd<'h> {
    fn new(
        port: u16,
        first: usize,
        queues: usize,
        hello: &'h Step,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            port,
            first,
            queues,
            hello,
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            buffer: vec![0; BUFFER],
            clients: Vec::new(),
            waiting: VecDeque::new(),
            joining: 0,
            ready: 0,
            epoch: String::new(),
            last: 0,
            heard: Instant::now(),
            latencies: Histogram::new_with_bounds(1, 600_000, 3)?,
            resyncs: 0,
        })
    }

    /// Connects some and reads what there is.
    fn turn(&mut self, most_joining: usize) -> Result<(), Box<dyn Error>> {
        while self.joining < most_joining {
            let Some(number) = self.waiting.pop_front() else { break };
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            let mut socket = TcpStream::connect(address)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(number), interest)?;
            let client = &mut self.clients[number];
            client.socket = Some(socket);
            client.rest.clear();
            client.stage = Stage::Away;
            self.joining += 1;
        }
        self.poll.poll(&mut self.events, Some(Duration::from_millis(20)))?;
        let tokens: Vec<(usize, bool)> =
            self.events.iter().map(|event| (event.token().0, event.is_writable())).collect();
        for (number, is_writable) in tokens {
            self.hear(number, is_writable).map_err(|error| format!("client {number}: {error}"))?;
        }
        Ok(())
    }

    fn filter(&self, number: usize) -> String {
        let [one, other] = queues_of(number, self.queues);
        format!(
            r#"{{"events":[{KINDS}],"agents":["{}"],"queues":["q{one}","q{other}"]}}"#,
            self.first + number
        )
    }

    fn hear(&mut self, number: usize, is_writable: bool) -> Result<(), Box<dyn Error>> {
        let filter = self.filter(number);
        let client = &mut self.clients[number];
        let Some(socket) = &mut client.socket else { return Ok(()) };
        if client.stage == Stage::Away && is_writable {
            let upgrade = format!(
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Authorization: Bearer bench\r\n\r\n",
                self.port
            );
            socket.write_all(upgrade.as_bytes())?;
            client.stage = Stage::Upgrading;
        }
        loop {
            let heard = match socket.read(&mut self.buffer) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(heard) => heard,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // Not connected yet.
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.heard = Instant::now();
            client.rest.extend_from_slice(&self.buffer[..heard]);
            if client.stage == Stage::Upgrading {
                let Some(end) = memmem::find(&client.rest, b"\r\n\r\n") else { continue };
                if !client.rest.starts_with(b"HTTP/1.1 101") {
                    return Err(String::from_utf8_lossy(&client.rest).into_owned().into());
                }
                client.rest.drain(..end + 4);
                let mut subscribe = self.hello.say(&filter);
                if client.since.is_some() {
                    let more = format!(
                        r#"{{"action":"subscribe","id":1,"filter":{filter},"since":{{"epoch":"{}","seq":{}}}}}"#,
                        self.epoch, client.last
                    );
                    subscribe = ami_peers::hello::text(&more);
                }
                socket.write_all(&subscribe)?;
                client.stage = Stage::Subscribing;
            }
            let mut at = 0;
            while let Some((first, payload, next)) = frame(&client.rest, at) {
                at = next;
                if first == 0x89 {
                    // A ping without data.
                    socket.write_all(&[0x8A, 0x80, 0, 0, 0, 0])?;
                    continue;
                }
                let text = std::str::from_utf8(payload)?;
                let seq = number_after(text, "\"seq\":");
                if client.stage == Stage::Subscribing {
                    if !text.contains("\"ok\":true") {
                        return Err(text.to_owned().into());
                    }
                    self.resyncs += usize::from(text.contains("\"resync\":true"));
                    let seq = seq.ok_or("a reply without a number")?;
                    if client.since.is_none() {
                        (client.since, client.last) = (Some(seq), seq);
                    }
                    if self.epoch.is_empty() {
                        let (_, epoch) = text.split_once("\"epoch\":\"").ok_or("no epoch")?;
                        self.epoch = epoch.split('"').next().unwrap_or_default().to_owned();
                    }
                    client.stage = Stage::Subscribed;
                    self.ready += 1;
                    self.joining -= 1;
                    continue;
                }
                if !text.starts_with("{\"event\":") || text.starts_with("{\"event\":\"lagged\"") {
                    return Err(text.to_owned().into());
                }
                let seq = seq.ok_or("an event without a number")?;
                if seq <= client.last {
                    return Err(format!("event {seq} after {}", client.last).into());
                }
                client.last = seq;
                client.count += 1;
                client.hash = chain(client.hash, seq);
                self.last = self.last.max(seq);
                if number < STEADY
                    && let Some(late) = late_ms(text)
                {
                    self.latencies.saturating_record(late.max(1));
                }
            }
            client.rest.drain(..at);
        }
    }

    /// All but the steady ones leave and come back at an even pace.
    fn come_back(&mut self, seconds: u64) -> Result<(), Box<dyn Error>> {
        self.figures("before they left");
        let count = self.clients.len();
        let leaving: Vec<usize> = (STEADY..count).collect();
        let began = Instant::now();
        let (mut gone, total) = (0, leaving.len());
        while self.ready < count || gone < total {
            let due =
                began.elapsed().as_micros() * total as u128 / (u128::from(seconds) * 1_000_000);
            let due = usize::try_from(due).unwrap_or(total).min(total);
            for &number in &leaving[gone..due] {
                let client = &mut self.clients[number];
                client.socket = None;
                client.stage = Stage::Away;
                self.ready -= 1;
                self.waiting.push_back(number);
            }
            gone = due;
            self.turn(count)?;
        }
        println!("figure {total} came back with since: {:.2} s", began.elapsed().as_secs_f64());
        println!("figure of these told to start anew: {}", self.resyncs);
        self.figures("while they came back");
        println!("back");
        Ok(())
    }

    fn figures(&mut self, when: &str) {
        let at = |quantile| self.latencies.value_at_quantile(quantile);
        println!(
            "figure event to client, ms, {when}: p50 {}, p99 {}, slowest {}",
            at(0.5),
            at(0.99),
            self.latencies.max()
        );
        self.latencies.reset();
    }

    /// What everybody got.
    fn tell(&mut self, seq: u64) -> Result<(), Box<dyn Error>> {
        self.heard = Instant::now();
        while self.heard.elapsed() < QUIET {
            self.turn(AT_ONCE)?;
        }
        self.figures("at the end");
        println!("figure numbers seen: {} of {seq}", self.last);
        for (number, client) in self.clients.iter().enumerate() {
            let since = client.since.ok_or("never subscribed")?;
            println!("client {number} {since} {} {}", client.count, client.hash);
        }
        Ok(())
    }
}

/// The two queues of a client.
fn queues_of(number: usize, queues: usize) -> [usize; 2] {
    [number % queues, (number / queues + number + 1) % queues]
}

/// One more number in a client's account.
fn chain(hash: u64, seq: u64) -> u64 {
    (hash ^ seq).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17)
}

/// A frame that begins there: its first byte, its payload, and where the next begins.
fn frame(bytes: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let bytes = bytes.get(at..)?;
    let (length, head) = match *bytes.get(1)? {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        length => (u64::from(length), 2),
    };
    let end = head + usize::try_from(length).ok()?;
    Some((bytes[0], bytes.get(head..end)?, at + end))
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let (_, rest) = text.split_once(key)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// How many milliseconds ago the event's time was: its seconds and milliseconds tell, within a minute.
fn late_ms(text: &str) -> Option<u64> {
    let (_, time) = text.split_once("\"time\":\"")?;
    let seconds: u64 = time.get(17..19)?.parse().ok()?;
    let millis: u64 = time.get(20..23)?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis() as u64 % 60_000;
    Some((now + 60_000 - (seconds * 1_000 + millis)) % 60_000)
}
