//! Our side of `cargo xtask bench servers`: many links in one process, each event with its number and
//! the time at which it was sent; a subscriber checks that all come, and how late.

use anyhow::{Context, Result, ensure};
use cpu_time::ProcessTime;
use std::{
    collections::HashMap,
    fmt::Write as _,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use telepulse::{
    app::App,
    bus::{EventSink, Message, Pattern},
    config::{Config, Source},
};

/// The load is over when nothing has come for so long.
const QUIET: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let words: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let [port, servers] = words[..] else {
        // As part of `cargo bench` there is nothing to measure: the load is xtask's.
        println!("usage: servers PORT SERVERS; better: cargo xtask bench servers");
        return ExitCode::SUCCESS;
    };
    let runtime = tokio::runtime::Runtime::new().map_err(anyhow::Error::from);
    match runtime.and_then(|runtime| runtime.block_on(measure(port, servers))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What came, by the server.
#[derive(Default)]
struct Seen {
    numbers: HashMap<Arc<str>, u64>,
    gaps: u64,
    late_us: Vec<u32>,
    first: Option<(Instant, ProcessTime)>,
    last: Option<(Instant, ProcessTime)>,
}

#[derive(Default)]
struct Subscriber {
    seen: Mutex<Seen>,
}

impl Subscriber {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Subscriber {
    fn deliver(&self, event: &Arc<Message>) {
        let (Some(number), Some(sent)) =
            (field(&event.payload, b"\"Number\":\""), field(&event.payload, b"\"SentNs\":\""))
        else {
            return;
        };
        let Some(server) = &event.server else { return };
        let mut seen = self.seen();
        let before = seen.numbers.insert(Arc::clone(server), number).unwrap_or(0);
        if number != before + 1 {
            seen.gaps += 1;
        }
        let late = event.time_ns.saturating_sub(sent) / 1_000;
        seen.late_us.push(u32::try_from(late).unwrap_or(u32::MAX));
        let now = (Instant::now(), ProcessTime::now());
        seen.first.get_or_insert(now);
        seen.last = Some(now);
    }
}

/// The number that stands behind `key` in JSON.
fn field(json: &[u8], key: &[u8]) -> Option<u64> {
    let at = json.windows(key.len()).rposition(|window| window == key)? + key.len();
    let digits = json[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

async fn measure(port: usize, servers: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("plugins.d"))?;
    let mut text =
        "[store]\npath = \"data\"\n[plugins]\ndir = \"plugins.d\"\n[log]\nlevel = \"error\"\n\
                    [admin]\nlisten = \"127.0.0.1:0\"\n"
            .to_owned();
    for number in 0..servers {
        write!(
            text,
            "[[server]]\nid = \"pbx{number}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             username = \"u\"\nsecret = \"s\"\n"
        )?;
    }
    let config = Config::parse(&Source::alone(&folder.path().join("telepulse.toml"), &text));
    let app = App::start(config.map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?).await?;
    let subscriber = Arc::new(Subscriber::default());
    let patterns = [Pattern::parse("telepulse.proxy.event")?, Pattern::parse("telepulse.event")?];
    let _guard = app.bus().subscribe(&patterns, subscriber.clone());
    let mut before = 0;
    let mut idle = Instant::now();
    while before == 0 || idle.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = subscriber.seen().late_us.len();
        if now != before {
            (before, idle) = (now, Instant::now());
        }
        ensure!(before > 0 || idle.elapsed() < Duration::from_secs(30), "nothing comes");
    }
    tell(&std::mem::take(&mut *subscriber.seen()))?;
    app.shutdown().await;
    Ok(())
}

fn tell(seen: &Seen) -> Result<()> {
    let mut late = seen.late_us.clone();
    late.sort_unstable();
    let at = |thousandth: usize| late[(late.len() - 1) * thousandth / 1000];
    let ((first, cpu_first), (last, cpu_last)) =
        (seen.first.context("none")?, seen.last.context("none")?);
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.map_or("0", |peak| peak.trim().trim_end_matches("kB").trim());
    println!(
        "result {{\"events\":{},\"gaps\":{},\"servers\":{},\"seconds\":{},\"cpuSeconds\":{},\
         \"peakKib\":{peak},\"p50Us\":{},\"p99Us\":{},\"p999Us\":{},\"maxUs\":{}}}",
        late.len(),
        seen.gaps,
        seen.numbers.len(),
        (last - first).as_secs_f64(),
        cpu_last.duration_since(cpu_first).as_secs_f64(),
        at(500),
        at(990),
        at(999),
        at(1000)
    );
    Ok(())
}
