//! Our side of `cargo xtask bench ami`: takes the stream of a server at one depth, and tells one line.
//!
//! `memory` parses a stream that is in memory already; `parse` runs the session on the socket; `json`
//! writes each event as JSON too; `model` is the platform itself, from the socket to a subscriber of
//! the language's events, without a history of calls; `raw` is the same with a subscriber of every
//! AMI event as JSON beside it; `plugin` is `model` with a plugin that gets each event of the language;
//! `offenders` is `model` beside plugins that compute, trap, flood the log and use memory all the time.

#[path = "support/components.rs"]
mod components;
#[path = "support/offenders.rs"]
mod offenders;

use ami_proto::{Decoder, Frame, Limits, Message, Output, Session, SessionConfig};
use anyhow::{Context, Result, bail, ensure};
use cpu_time::ProcessTime;
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use telepulse::{
    app::App,
    bus::{EventSink, Message as Published, Pattern},
    config::{Config, Source},
};
use tokio::sync::Notify;

/// The last event of the stream; not one of those that count.
const END: &str = "StreamEnd";
/// Longer than any depth takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (Some(port), Some(depth)) = (words.next(), words.next()) else {
        // As part of `cargo bench` there is nothing to measure: the server is xtask's.
        println!(
            "usage: ami PORT memory|parse|json|model|raw|plugin|offenders; better: cargo xtask bench ami"
        );
        return Ok(());
    };
    let port = port.parse().context("the port")?;
    match depth.as_str() {
        "memory" => memory(port),
        "parse" => on_the_socket(port, |_| {}),
        "json" => {
            let mut json = Vec::with_capacity(4096);
            on_the_socket(port, move |message| {
                json.clear();
                message.write_json("pbx1", &mut json);
                std::hint::black_box(&json);
            })
        }
        "model" => tokio::runtime::Runtime::new()?.block_on(platform(port, Beside::Nobody)),
        "raw" => tokio::runtime::Runtime::new()?.block_on(platform(port, Beside::Raw)),
        "plugin" => tokio::runtime::Runtime::new()?.block_on(platform(port, Beside::Plugin)),
        "offenders" => tokio::runtime::Runtime::new()?.block_on(platform(port, Beside::Offenders)),
        other => bail!("there is no depth {other:?}"),
    }
}

/// Counts from the first event to the last.
#[derive(Default)]
struct Meter {
    events: u64,
    first: Option<(Instant, ProcessTime)>,
    last: Option<(Instant, ProcessTime)>,
}

impl Meter {
    fn event(&mut self, name: &str) {
        match name {
            "FullyBooted" => {}
            END => self.end(),
            _ => {
                self.begin();
                self.events += 1;
            }
        }
    }

    fn begin(&mut self) {
        self.first.get_or_insert_with(|| (Instant::now(), ProcessTime::now()));
    }

    fn end(&mut self) {
        self.last = Some((Instant::now(), ProcessTime::now()));
    }

    fn tell(&self, more: &str) -> Result<()> {
        let (first, cpu_first) = self.first.context("no event came")?;
        let (last, cpu_last) = self.last.context("the end did not come")?;
        let (events, seconds) = (self.events, (last - first).as_secs_f64());
        let cpu = cpu_last.duration_since(cpu_first).as_secs_f64();
        let status = std::fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.map_or("0", |peak| peak.trim().trim_end_matches("kB").trim());
        println!(
            "result {{\"events\":{events},\"seconds\":{seconds},\"cpuSeconds\":{cpu},\"peakKib\":{peak}{more}}}"
        );
        Ok(())
    }
}

/// Logs in by hand, reads everything, and only then parses.
fn memory(port: u16) -> Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.write_all(b"Action: Login\r\nActionID: 1\r\nUsername: u\r\nSecret: s\r\n\r\n")?;
    socket.set_read_timeout(Some(Duration::from_secs(3)))?;
    let mut stream = Vec::new();
    // The server keeps the connection: the end is silence.
    match socket.read_to_end(&mut stream) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
        other => drop(other?),
    }
    let mut meter = Meter::default();
    let mut decoder = Decoder::new(Limits::default());
    meter.begin();
    for read in stream.chunks(64 * 1024) {
        decoder.buffer().extend_from_slice(read);
        for frame in decoder.by_ref() {
            if let Frame::Message(message) = frame? {
                meter.event(message.event().unwrap_or("FullyBooted"));
            }
        }
    }
    meter.tell(&format!(",\"bytes\":{}", stream.len()))
}

/// The session of a link, and what `look` does with each event.
fn on_the_socket(port: u16, mut look: impl FnMut(&Message)) -> Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    let origin = Instant::now();
    let now_ms = || u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut session = Session::new(SessionConfig::new("u", "s", "bench"), now_ms());
    let mut meter = Meter::default();
    let mut read = vec![0; 64 * 1024];
    while meter.last.is_none() {
        let length = socket.read(&mut read)?;
        ensure!(length > 0, "the server closed the connection");
        session.buffer().extend_from_slice(&read[..length]);
        session.handle_input(now_ms());
        while let Some(output) = session.poll_output() {
            match output {
                Output::Event(message) => {
                    look(&message);
                    meter.event(message.event().unwrap_or_default());
                }
                Output::Closed { reason } => bail!("{reason}"),
                _ => {}
            }
        }
        while let Some(bytes) = session.poll_transmit() {
            socket.write_all(&bytes)?;
        }
    }
    meter.tell("")
}

/// What a subscriber sees.
struct Subscriber {
    meter: Mutex<Meter>,
    language: AtomicU64,
    is_begun: AtomicBool,
    ended: Notify,
    counts_raw: bool,
}

impl EventSink for Subscriber {
    fn deliver(&self, event: &Arc<Published>) {
        let is_raw = event.address.starts_with("telepulse.proxy.event.");
        if !is_raw {
            self.language.fetch_add(1, Relaxed);
            // The stream's first event makes a channel; what logging in tells may come till then.
            if &*event.kind == "channelState" && !self.is_begun.swap(true, Relaxed) {
                self.meter().begin();
            }
            return;
        }
        if self.counts_raw && &*event.kind != "Response" {
            self.meter().event(&event.kind);
        } else if &*event.kind == END {
            self.meter().end();
        }
        if &*event.kind == END {
            self.ended.notify_one();
        }
    }
}

impl Subscriber {
    fn meter(&self) -> std::sync::MutexGuard<'_, Meter> {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is there beside the subscriber.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    /// A subscriber of every AMI event.
    Raw,
    /// A plugin that gets every event of the language.
    Plugin,
    /// Plugins that do what they should not.
    Offenders,
}

impl Beside {
    /// Puts the plugins into the folder; `silent` is a port where nobody answers.
    fn install(self, folder: &std::path::Path, silent: u16) -> Result<()> {
        let plugins = folder.join("plugins.d");
        std::fs::create_dir(&plugins)?;
        match self {
            Self::Nobody | Self::Raw => {}
            Self::Plugin => {
                let grants = "[grants]\nsubscribe = [\"telepulse.event\"]\n\
                              [limits]\nmailbox = 1000000\n";
                std::fs::write(plugins.join("idle.toml"), grants)?;
                std::fs::write(plugins.join("idle.wasm"), components::component("idle"))?;
            }
            Self::Offenders => offenders::install(folder, free_port()?, silent),
        }
        Ok(())
    }
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The platform as it runs.
async fn platform(port: u16, beside: Beside) -> Result<()> {
    let counts_raw = beside == Beside::Raw;
    let folder = tempfile::tempdir()?;
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    beside.install(folder.path(), silent.port())?;
    let text = format!(
        "[store]\npath = \"data\"\ncalls = 0\n[plugins]\ndir = \"plugins.d\"\n[log]\nlevel = \"error\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[[server]]\nid = \"pbx1\"\nhost = \"127.0.0.1\"\n\
         port = {port}\nusername = \"u\"\nsecret = \"s\"\n"
    );
    let config = Config::parse(&Source::alone(&folder.path().join("telepulse.toml"), &text));
    let app = App::start(config.map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?).await?;
    let offending = (beside == Beside::Offenders)
        .then(|| tokio::spawn(offenders::offend(app.bus().clone(), silent.to_string())));
    let subscriber = Arc::new(Subscriber {
        meter: Mutex::default(),
        language: AtomicU64::new(0),
        is_begun: AtomicBool::new(false),
        ended: Notify::new(),
        counts_raw,
    });
    let raw =
        if counts_raw { "telepulse.proxy.event" } else { "telepulse.proxy.event.*.StreamEnd" };
    let patterns = [Pattern::parse("telepulse.event")?, Pattern::parse(raw)?];
    let _guard = app.bus().subscribe(&patterns, subscriber.clone());
    // Logging in tells its states: they are none of the stream's events.
    wait_until_connected(&app).await?;
    subscriber.language.store(0, Relaxed);
    tokio::time::timeout(PATIENCE, subscriber.ended.notified()).await.context("the end")?;
    let taken = settled(&app).await?;
    if let Some(offending) = offending {
        offending.abort();
    }
    let language = subscriber.language.load(Relaxed);
    if beside == Beside::Plugin {
        all_handled(&app, language).await?;
    }
    let mut meter = std::mem::take(&mut *subscriber.meter());
    if !counts_raw {
        // FullyBooted and the end are no events of the stream.
        meter.events = taken.saturating_sub(2);
    }
    meter.tell(&format!(",\"language\":{language}"))?;
    app.shutdown().await;
    Ok(())
}

/// Waits until the plugin has done as many events as the subscriber saw; none may be dropped.
async fn all_handled(app: &App, language: u64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let plugin = app.plugins().show("idle").context("the plugin")?;
        ensure!(plugin.figures.dropped == 0, "events were dropped: {plugin:?}");
        // It also had those that logging in told.
        if plugin.figures.handled >= language && plugin.figures.queued == 0 {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "it does not come to an end: {plugin:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn server(app: &App) -> Result<serde_json::Value> {
    let address = telepulse::bus::Address::parse("telepulse.proxy.command")?;
    let headers = telepulse::bus::Headers::within(Duration::from_secs(5));
    let list = bytes::Bytes::from_static(b"{\"command\":\"list\"}");
    let answer = app.bus().request(&address, list, headers).await?;
    let mut answer: serde_json::Value = serde_json::from_slice(&answer)?;
    Ok(answer["result"]["items"][0].take())
}

async fn wait_until_connected(app: &App) -> Result<()> {
    let begun = Instant::now();
    while server(app).await?["state"] != "CONNECTED" {
        ensure!(begun.elapsed() < PATIENCE, "it does not connect: {}", server(app).await?);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// The figures are told after the events: once they stand still they are whole.
async fn settled(app: &App) -> Result<u64> {
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = events_taken(app).await?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
}

async fn events_taken(app: &App) -> Result<u64> {
    let server = server(app).await?;
    ensure!(server["figures"]["eventsLeftOut"] == 0, "events were left out: {server}");
    server["figures"]["events"].as_u64().context("figures")
}
