//! Measures one gateway from the AMI socket to WebSocket clients: `end-to-end KIND -- PROGRAM …`, where the
//! program gets the port of a manager interface as its last argument and says `ready PORT PID`. With
//! `end-to-end KIND RATE … -- PROGRAM …`, at these events a second alone.
//!
//! This is that manager interface, and all clients. 1,000 of them want one agent each, of those whose calls
//! the stream tells; every tenth event is an AgentComplete with a number and the time at which it was sent,
//! in turn for each agent: it has to reach that agent's client, once and in order, and is what is measured.
//! Tells one line `result {…}`.

use ami_peers::{
    calls::{call, serve},
    clients::Clients,
    hello::{self, Hello, agent},
    marker::mark,
    measured::Server,
};
use hdrhistogram::Histogram;
use serde_json::json;
use std::{
    error::Error,
    fmt::Write as _,
    io::Write,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

const CLIENTS: usize = 1_000;
/// Events a second that are always measured.
const RATES: [u64; 3] = [1_000, 2_500, 16_000];
/// Those that are tried in turn, as long as the slowest one of a hundred events takes less than the limit.
const STEPS: [u64; 9] = [5_000, 10_000, 16_000, 24_000, 36_000, 54_000, 80_000, 120_000, 180_000];
const LIMIT_US: u64 = 50_000;
const SECONDS: u64 = 3;
/// One of so many events is marked.
const MARKED: u64 = 10;
/// Clients of a blast, events in each, and how many of them.
const BLAST: (usize, u64, u64) = (50, 1_000, 30);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut parts = words.splitn(2, |word| word == "--");
    let (Some([kind, only @ ..]), Some(program)) = (parts.next(), parts.next()) else {
        return Err("usage: end-to-end KIND [RATE …] -- PROGRAM …".into());
    };
    let hello = Hello::of(kind).ok_or_else(|| format!("kinds are {}", hello::KINDS.join(", ")))?;
    let only: Vec<u64> = only.iter().map(|rate| rate.parse()).collect::<Result<_, _>>()?;
    let mut rates = serde_json::Map::new();
    for rate in if only.is_empty() { RATES.to_vec() } else { only.clone() } {
        let mut world = World::start(program)?;
        let (p50, p99, cpu) = world.paced(&hello, rate)?;
        rates.insert(rate.to_string(), json!({ "p50Us": p50, "p99Us": p99, "cpuNs": cpu }));
    }
    if !only.is_empty() {
        println!("result {}", json!({ "rates": rates }));
        return Ok(());
    }
    let highest = highest(&hello, program)?;
    let blast = World::start(program)?.blast(&hello)?;
    println!("result {}", json!({ "rates": rates, "highest": highest, "blast": blast }));
    Ok(())
}

/// The highest rate within the limit; each is tried on a fresh process.
fn highest(hello: &Hello, program: &[String]) -> Result<u64, Box<dyn Error>> {
    let mut highest = 0;
    for rate in STEPS {
        match World::start(program)?.paced(hello, rate) {
            Ok((_, p99, _)) if p99 < LIMIT_US => highest = rate,
            _ => break,
        }
    }
    Ok(highest)
}

/// A gateway that has logged in.
struct World {
    server: Server,
    ami: TcpStream,
}

impl World {
    fn start(program: &[String]) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port().to_string();
        let (logins, logged_in) = mpsc::channel();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let logins = logins.clone();
                // Nobody waits for a second login.
                let log_in = move |client| drop(logins.send(client));
                let instead = |action: &[(String, String)]| {
                    is(action, "action", "DeviceStateList").then(|| devices(action))
                };
                thread::spawn(move || serve(client, instead, log_in));
            }
        });
        let server = Server::start(&[program, &[port]].concat())?;
        let ami = logged_in.recv_timeout(Duration::from_secs(20))?;
        // The listings that follow a login.
        thread::sleep(Duration::from_secs(1));
        Ok(Self { server, ami })
    }

    /// Median and 99th percentile in microseconds, and nanoseconds computed for an event.
    #[expect(clippy::cast_precision_loss)]
    fn paced(&mut self, hello: &Hello, rate: u64) -> Result<(u64, u64, f64), Box<dyn Error>> {
        let mut clients = Clients::connect(self.server.port(), CLIENTS, hello, CLIENTS as u64)?;
        let mut ami = self.ami.try_clone()?;
        let cpu = self.server.cpu()?;
        let events = rate * SECONDS;
        let sender = thread::spawn(move || pace(&mut ami, rate, events));
        let mut latencies = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        clients.receive(events / MARKED, Some(&mut latencies))?;
        sender.join().map_err(|_| "the sender failed")??;
        let cpu = self.server.cpu()?.saturating_sub(cpu).as_nanos() as f64 / events as f64;
        Ok((latencies.value_at_quantile(0.5), latencies.value_at_quantile(0.99), cpu))
    }

    /// Deliveries a second to a few clients that want everything.
    #[expect(clippy::cast_precision_loss)]
    fn blast(&mut self, hello: &Hello) -> Result<f64, Box<dyn Error>> {
        let (count, events, times) = BLAST;
        let mut clients = Clients::connect(self.server.port(), count, hello, 1)?;
        let mut next = 1;
        let mut began = Instant::now();
        for time in 0..=times {
            let mut text = String::new();
            for _ in 0..events {
                marked(next, &mut text);
                next += 1;
            }
            let mut ami = self.ami.try_clone()?;
            let sender = thread::spawn(move || ami.write_all(text.as_bytes()));
            clients.receive(events, None)?;
            sender.join().map_err(|_| "the sender failed")??;
            if time == 0 {
                // The first one is for the compilers.
                began = Instant::now();
            }
        }
        Ok((times * events * count as u64) as f64 / began.elapsed().as_secs_f64())
    }
}

fn is(fields: &[(String, String)], key: &str, value: &str) -> bool {
    fields.iter().any(|(k, v)| k == key && v.eq_ignore_ascii_case(value))
}

/// All phones are there: who is online does not change.
fn devices(action: &[(String, String)]) -> String {
    let id = action.iter().find(|(key, _)| key == "actionid");
    let id = id.map_or(String::new(), |(_, id)| format!("ActionID: {id}\r\n"));
    let mut text = format!(
        "Response: Success\r\n{id}EventList: start\r\nMessage: Device States will follow\r\n\r\n"
    );
    for client in 0..CLIENTS {
        let agent = agent(client);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "Event: DeviceStateChange\r\n{id}Device: PJSIP/{agent}\r\nState: NOT_INUSE\r\n\r\n"
        );
    }
    let _ = write!(
        text,
        "Event: DeviceStateListComplete\r\n{id}EventList: Complete\r\nListItems: {CLIENTS}\r\n\r\n"
    );
    text
}

/// Sends so many events at an even pace, all that are due in one write.
fn pace(ami: &mut TcpStream, rate: u64, events: u64) -> std::io::Result<()> {
    let mut calls = (0..).flat_map(call);
    let began = Instant::now();
    let mut sent = 0;
    while sent < events {
        let elapsed = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let due = (elapsed * rate / 1_000_000 + 1).min(events);
        let mut text = String::new();
        for number in sent + 1..=due {
            if number % MARKED == 0 {
                marked(number / MARKED, &mut text);
            } else if let Some(event) = calls.next() {
                text.push_str(&event);
            }
        }
        ami.write_all(text.as_bytes())?;
        sent = due;
        thread::sleep(Duration::from_micros((1_000_000 / rate).clamp(200, 1_000)));
    }
    Ok(())
}

/// What a queue says of an agent who has talked, marked.
fn marked(number: u64, text: &mut String) {
    let agent = agent(usize::try_from((number - 1) % CLIENTS as u64).unwrap_or(0));
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "Event: AgentComplete\r\nPrivilege: agent,all\r\nQueue: sales\r\nUniqueid: {}\r\n\
         Channel: PJSIP/{agent}-0000abcd\r\nMemberName: Agent {agent}\r\n\
         Interface: PJSIP/{agent}\r\nHoldTime: 4\r\nTalkTime: 60\r\nReason: caller\r\n\r\n",
        mark(number)
    );
}
