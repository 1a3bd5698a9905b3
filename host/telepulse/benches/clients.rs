//! 10,000 clients, each with its own agent and two queues, on a simulated call centre at work: each has to get
//! exactly its events, in order, once, also when all come back within ten seconds. `clients CROWD SECONDS` is
//! started by `cargo xtask bench clients`; CROWD is the program with the clients.
//!
//! They ask for the types of events that an agent's panel shows. What each client must get is worked out from the event stream by a reference that shares nothing with the
//! filters of the platform.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[allow(dead_code, reason = "the clients are in a process of their own")]
mod support;

use ami_simulator::{Phone, Queue, Settings, Simulator};
use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use support::{configuration_with, free_port, runtime};
use telepulse::{
    app::App,
    bus::{Address, Bus, Headers},
};
use telepulse_language::SmolStr;
use tokio::task::JoinHandle;

/// The same as the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: usize = 10_000;
const FIRST: usize = 10_001;
const QUEUES: usize = 100;
/// Members of each queue.
const MEMBERS: usize = 20;
const CALLS_A_MINUTE: u32 = 7_500;
/// Within which all come back.
const COME_BACK: u64 = 10;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [crowd, seconds] = &words[..] else {
        // As part of `cargo bench` there is nothing to measure: the crowd is xtask's.
        return;
    };
    let Ok(seconds) = seconds.parse::<u64>() else { return };
    telepulse::memory::in_small_pages();
    let (platform, outside) = (runtime("platform"), runtime("outside"));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let centre = outside.block_on(Simulator::start(centre(), 1, any)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = format!(
        "[[server]]\nid = \"centre\"\nhost = \"127.0.0.1\"\nport = {}\nusername = \"telepulse\"\n\
         secret = \"simulated\"\n",
        centre.address().port()
    );
    let config = configuration_with(folder.path(), port, &server);
    let app = platform.block_on(App::start(config)).unwrap();
    let log = platform.spawn(follow(app.bus().clone()));
    std::thread::sleep(Duration::from_secs(5));

    let mut crowd = Crowd::start(crowd, port);
    crowd.until("ready");
    let (began, first) = (Instant::now(), app.bus().stream().tail());
    std::thread::sleep(Duration::from_secs(seconds / 2));
    crowd.order(&format!("return {COME_BACK}"));
    crowd.until("back");
    std::thread::sleep(Duration::from_secs(seconds).saturating_sub(began.elapsed()));
    let events = app.bus().stream().tail() - first;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = events as f64 / began.elapsed().as_secs_f64();
    println!("figure events a second, {} s: {rate:.0}", began.elapsed().as_secs());
    platform.block_on(stop_the_link(&**app.bus()));
    let last = app.bus().stream().tail();
    crowd.order(&format!("told {last}"));
    let told = crowd.accounts();
    check(&platform.block_on(read_to(log, last)), &told);
    platform.block_on(app.shutdown());
}

/// Ten thousand phones, a fifth of them agents in a hundred queues.
fn centre() -> Settings {
    let mut centre = Settings::demo(0, 0, CALLS_A_MINUTE);
    // Short talks: the centre is at its pace soon.
    centre.talk_ms = 2_000..=12_000;
    let phone = |number: usize| Phone {
        extension: number.to_string(),
        name: format!("Phone {number}"),
        online: true,
        left_alone: false,
    };
    centre.phones = (FIRST..FIRST + CLIENTS).map(phone).collect();
    let queue = |number: usize| Queue {
        name: format!("q{number}"),
        extension: (600 + number).to_string(),
        members: (0..MEMBERS).map(|at| (FIRST + number * MEMBERS + at).to_string()).collect(),
        backups: Vec::new(),
    };
    centre.queues = (0..QUEUES).map(queue).collect();
    centre
}

/// What decides on who gets an event.
struct Logged {
    seq: u64,
    kind: SmolStr,
    agent: Option<SmolStr>,
    queue: Option<SmolStr>,
}

type Log = (Arc<dyn Bus>, Vec<Logged>);

/// Notes all events, until it is aborted or the history is too short for it.
async fn follow(bus: Arc<dyn Bus>) -> Log {
    let mut news = bus.stream().news();
    let mut log: Vec<Logged> = Vec::new();
    loop {
        let after = log.last().map_or(0, |logged| logged.seq);
        let entries = bus.stream().read(after, 1024).expect("the log keeps up");
        log.extend(entries.iter().map(|entry| Logged {
            seq: entry.seq,
            kind: entry.kind().into(),
            agent: entry.agent.clone(),
            queue: entry.queue.clone(),
        }));
        if entries.is_empty() && STOPPED.load(Relaxed) {
            return (bus, log);
        }
        if entries.is_empty() {
            drop(tokio::time::timeout(Duration::from_millis(100), news.changed()).await);
        }
    }
}

/// Nothing comes any more: the log may end.
static STOPPED: AtomicBool = AtomicBool::new(false);

async fn read_to(log: JoinHandle<Log>, last: u64) -> Vec<Logged> {
    STOPPED.store(true, Relaxed);
    let (_, log) = log.await.unwrap();
    assert!(log.last().is_some_and(|logged| logged.seq >= last), "the log is whole");
    log
}

/// Stops the connection to the centre, so that all that was sent can arrive.
async fn stop_the_link(bus: &dyn Bus) {
    let payload = r#"{"command":"stop","server":"centre"}"#.into();
    let address = Address::parse("telepulse.proxy.command").unwrap();
    bus.request(&address, payload, Headers::within(Duration::from_secs(10))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// The process with the clients.
struct Crowd {
    child: Child,
    orders: ChildStdin,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

/// What a client got after it had subscribed.
#[derive(PartialEq, Debug)]
struct Account {
    since: u64,
    count: u64,
    hash: u64,
}

impl Crowd {
    fn start(program: &str, port: u16) -> Self {
        let words = [usize::from(port), FIRST, CLIENTS, QUEUES].map(|word| word.to_string());
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (orders, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, orders, lines: BufReader::new(out).lines() }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// Hands its figures on until it says a word.
    fn until(&mut self, word: &str) {
        loop {
            let line = self.lines.next().expect("the clients are well").unwrap();
            if line == word {
                return;
            }
            println!("{line}");
        }
    }

    fn accounts(&mut self) -> Vec<Account> {
        let mut accounts = Vec::new();
        for line in self.lines.by_ref().map_while(Result::ok) {
            let Some(words) = line.strip_prefix("client ") else {
                println!("{line}");
                continue;
            };
            let words: Vec<u64> = words.split(' ').filter_map(|word| word.parse().ok()).collect();
            let [number, since, count, hash] = words[..] else { panic!("{line}") };
            assert_eq!(usize::try_from(number).unwrap(), accounts.len());
            accounts.push(Account { since, count, hash });
        }
        assert!(self.child.wait().unwrap().success());
        accounts
    }
}

/// The same as the crowd's.
const KINDS: [&str; 9] = [
    "activeLines",
    "userStatus",
    "extensionStatus",
    "phoneNumber",
    "presence",
    "queueMemberStatus",
    "queueCount",
    "queueCaller",
    "agentComplete",
];

/// Works out what each client must have got, and compares.
fn check(log: &[Logged], told: &[Account]) {
    assert_eq!(told.len(), CLIENTS);
    let expect = |account: &Account| Account { since: account.since, count: 0, hash: 0 };
    let mut expected: Vec<Account> = told.iter().map(expect).collect();
    let agents: HashMap<String, usize> =
        (0..CLIENTS).map(|client| ((FIRST + client).to_string(), client)).collect();
    let mut in_queue: HashMap<String, Vec<usize>> = HashMap::new();
    for client in 0..CLIENTS {
        let mut queues = queues_of(client).to_vec();
        queues.dedup();
        for queue in queues {
            in_queue.entry(format!("q{queue}")).or_default().push(client);
        }
    }
    let everybody: Vec<usize> = (0..CLIENTS).collect();
    let mut deliveries = 0_u64;
    for event in log.iter().filter(|event| KINDS.contains(&event.kind.as_str())) {
        let agent = event.agent.as_ref().map(|agent| agents.get(agent.as_str()));
        let queue = event.queue.as_ref().map(|queue| in_queue.get(queue.as_str()));
        let nobody = Vec::new();
        let who: Vec<usize> = match (agent, queue) {
            (None, None) => everybody.clone(),
            (Some(agent), None) => agent.copied().into_iter().collect(),
            (None, Some(queue)) => queue.unwrap_or(&nobody).clone(),
            (Some(agent), Some(queue)) => {
                let all = queue.unwrap_or(&nobody);
                agent.copied().into_iter().filter(|client| all.contains(client)).collect()
            }
        };
        for client in who {
            let account = &mut expected[client];
            if event.seq > account.since {
                account.count += 1;
                account.hash = chain(account.hash, event.seq);
                deliveries += 1;
            }
        }
    }
    let wrong = told.iter().zip(&expected).filter(|(told, expected)| told != expected).count();
    println!("figure deliveries: {deliveries}");
    println!("figure clients that got exactly theirs: {} of {CLIENTS}", CLIENTS - wrong);
    for (client, (told, expected)) in told.iter().zip(&expected).enumerate() {
        assert_eq!(told, expected, "client {client}");
    }
}

/// The same as the crowd's.
fn queues_of(client: usize) -> [usize; 2] {
    [client % QUEUES, (client / QUEUES + client + 1) % QUEUES]
}

/// The same as the crowd's.
fn chain(hash: u64, seq: u64) -> u64 {
    (hash ^ seq).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17)
}
