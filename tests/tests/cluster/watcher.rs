//! Clients who want to know everything, wherever there is a node that tells it.

use crate::{socket::Socket, view::View, world::SOON};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use telepulse_tests::wait;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// A node that says nothing for so long is asked whether it lives.
const SILENCE: Duration = Duration::from_secs(2);
/// And is left for another if it does not say so within this time.
const ANSWER: Duration = Duration::from_millis(1_500);
/// A snapshot waits for NATS.
const SUBSCRIBED: Duration = Duration::from_secs(12);

/// A client that goes to another node when its own is gone, and says there how far it was told.
pub(crate) struct Watcher {
    name: String,
    seen: Arc<Mutex<Seen>>,
    _task: AbortOnDropHandle<()>,
}

/// All that it was told.
#[derive(Debug, Default)]
struct Seen {
    view: View,
    epoch: String,
    /// The number up to which everything was told.
    last: u64,
    /// One for each snapshot that it got; what follows one goes on over any number of connections.
    stretches: Vec<Stretch>,
    /// How often it went to another node, and why for the last time.
    moves: usize,
    why: String,
    /// What should never be told.
    wrong: Vec<String>,
}

/// Numbers of events by server, without anything missing. How much of what follows its number a snapshot holds
/// already differs from server to server: each begins with the first event that is told of it.
type Stretch = BTreeMap<String, BTreeSet<u64>>;

impl Watcher {
    /// Begins at one of the nodes.
    pub(crate) fn start(name: String, first: usize, gateways: Vec<u16>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn(watch(first, gateways, seen.clone()));
        Self { name, seen, _task: AbortOnDropHandle::new(task) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        seen(&self.seen)
    }

    /// Waits until it is told events.
    pub(crate) async fn listens(&self) -> Result<()> {
        let listens = wait::until("a client to be subscribed", SOON, async || {
            Ok((!self.seen().stretches.is_empty()).then_some(()))
        });
        listens.await.with_context(|| format!("{}: {}", self.name, self.seen().why))
    }

    /// What it takes for true.
    pub(crate) fn lines(&self) -> BTreeSet<String> {
        self.seen().view.lines()
    }

    /// In a line, for people.
    pub(crate) fn told(&self) -> String {
        let seen = self.seen();
        let count: usize = seen.stretches.iter().flat_map(Stretch::values).map(BTreeSet::len).sum();
        let (moves, snapshots) = (seen.moves, seen.stretches.len());
        format!(
            "{}: {count} events, {snapshots} snapshots, {moves} moves ({})",
            self.name, seen.why
        )
    }
}

/// Fails where any was told something twice or out of order, or was not told what another was.
pub(crate) fn all_were_told_the_same(watchers: &[Watcher]) -> Result<()> {
    let mut all: BTreeMap<String, Stretch> = BTreeMap::new();
    for watcher in watchers {
        let seen = watcher.seen();
        ensure!(seen.wrong.is_empty(), "{}: {}", watcher.name, seen.wrong.join("\n"));
        let all = all.entry(seen.epoch.clone()).or_default();
        for (server, numbers) in seen.stretches.iter().flatten() {
            all.entry(server.clone()).or_default().extend(numbers);
        }
    }
    ensure!(all.len() == 1, "the clients are in several streams: {:?}", all.keys());
    let all = all.into_values().next().unwrap_or_default();
    watchers.iter().try_for_each(|watcher| watcher.missed_nothing_of(&all))
}

impl Watcher {
    fn missed_nothing_of(&self, all: &Stretch) -> Result<()> {
        for (place, stretch) in self.seen().stretches.iter().enumerate() {
            for (server, told) in stretch {
                let (Some(first), Some(last)) = (told.first(), told.last()) else { continue };
                let missed: Vec<&u64> =
                    all[server].range(first..=last).filter(|it| !told.contains(it)).collect();
                let (name, some) = (&self.name, &missed[..missed.len().min(20)]);
                let count = missed.len();
                ensure!(
                    missed.is_empty(),
                    "{name} missed {count} of {server} in stretch {place}, {first} to {last}: {some:?}, …"
                );
            }
        }
        Ok(())
    }
}

fn seen(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch(first: usize, gateways: Vec<u16>, told: Arc<Mutex<Seen>>) {
    for port in gateways.iter().cycle().skip(first) {
        if let Err(why) = follow(*port, &told).await {
            let mut seen = seen(&told);
            seen.moves += 1;
            seen.why = format!("{why:#}");
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Until the node is gone.
async fn follow(port: u16, told: &Mutex<Seen>) -> Result<()> {
    let mut socket = Socket::connect(port).await?;
    let subscribe = seen(told).subscribe();
    let reply = socket.ask(&subscribe, SUBSCRIBED).await?;
    seen(told).subscribed(&reply)?;
    loop {
        let message = if let Ok(message) = timeout(SILENCE, socket.next()).await {
            message?
        } else {
            socket.send(&json!({"action": "ping", "id": "alive"})).await?;
            timeout(ANSWER, socket.next()).await.context("the node is silent")??
        };
        seen(told).take(&message)?;
    }
}

impl Seen {
    fn subscribe(&self) -> Value {
        let mut request = json!({"action": "subscribe", "id": "all", "snapshot": true});
        if !self.stretches.is_empty() {
            request["since"] = json!({"epoch": self.epoch, "seq": self.last});
        }
        request
    }

    fn subscribed(&mut self, reply: &Value) -> Result<()> {
        let epoch = reply["epoch"].as_str().context("an epoch")?;
        let is_first = self.stretches.is_empty();
        if is_first || reply["resync"] == true {
            let seq = reply["seq"].as_u64().context("a number")?;
            epoch.clone_into(&mut self.epoch);
            self.begin_anew(seq, &reply["snapshot"]);
        } else if epoch != self.epoch {
            self.wrong.push(format!("it goes on in {epoch}, and was in {}", self.epoch));
        }
        Ok(())
    }

    fn begin_anew(&mut self, seq: u64, snapshot: &Value) {
        self.view.begin_anew(snapshot);
        self.last = seq;
        self.stretches.push(Stretch::new());
    }

    fn take(&mut self, message: &Value) -> Result<()> {
        // What is no event is an answer; and after `lagged` follows a snapshot.
        if matches!(message["event"].as_str(), None | Some("lagged")) {
            return Ok(());
        }
        let seq = message["seq"].as_u64().with_context(|| format!("no number: {message}"))?;
        if message["event"] == "snapshot" {
            self.begin_anew(seq, &message["snapshot"]);
            return Ok(());
        }
        if seq <= self.last {
            self.wrong.push(format!("after {}: {message}", self.last));
            bail!("it is told something twice, or out of order");
        }
        self.last = seq;
        self.view.fold(message);
        let stretch = self.stretches.last_mut().context("nothing comes before a subscription")?;
        let server = message["server"].as_str().with_context(|| format!("no server: {message}"))?;
        stretch.entry(server.to_owned()).or_default().insert(seq);
        Ok(())
    }
}
