//! Who gives orders all the while, each under a name of its own, and writes down what became of each.

use crate::socket::Socket;
use anyhow::{Context, Result, bail};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use telepulse_tests::node::TOKEN;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// From order to order of one who gives them.
const PAUSE: Duration = Duration::from_millis(500);
/// The gateway answers within 15 seconds whatever happens, and the node may have been stopped for some more.
const ANSWERED: Duration = Duration::from_secs(30);
/// The variable by which a dialled channel is known in Asterisk's records.
pub(crate) const MARK: &str = "TP_MARK";
/// So many nodes are asked the same under one Idempotency-Key.
const ATTEMPTS: usize = 8;

/// What was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Dial,
    Pause,
    Add,
    Remove,
    HangUp,
}

/// An order, and what its giver was told of it: `ok`, the code of a refusal, or `lost` where the
/// connection was.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) name: String,
    pub(crate) server: String,
    pub(crate) kind: Kind,
    pub(crate) outcome: String,
}

/// All who give orders.
pub(crate) struct Givers {
    stop: CancellationToken,
    tasks: JoinSet<Result<Vec<Order>>>,
}

impl Givers {
    pub(crate) fn new() -> Self {
        Self { stop: CancellationToken::new(), tasks: JoinSet::new() }
    }

    /// One who orders over a WebSocket to one node.
    pub(crate) fn add(&mut self, name: &str, server: &str, gateway: u16, agent: &str, seed: u64) {
        let giver = Giver {
            name: name.to_owned(),
            server: server.to_owned(),
            agent: agent.to_owned(),
            random: StdRng::seed_from_u64(seed),
            calls: VecDeque::new(),
            is_member: false,
            open: BTreeMap::new(),
            orders: Vec::new(),
        };
        self.tasks.spawn(giver.run(gateway, self.stop.clone()));
    }

    /// One who orders over HTTP and asks the next node when there is no answer, under the same key.
    pub(crate) fn add_patient(&mut self, name: &str, server: &str, gateways: Vec<u16>) {
        let (name, server) = (name.to_owned(), server.to_owned());
        self.tasks.spawn(insist(name, server, gateways, self.stop.clone()));
    }

    /// Has them stop, and waits until each order has its outcome.
    pub(crate) async fn stop(mut self) -> Result<Vec<Order>> {
        self.stop.cancel();
        let mut all = Vec::new();
        while let Some(orders) = self.tasks.join_next().await {
            all.extend(orders??);
        }
        Ok(all)
    }
}

struct Giver {
    name: String,
    server: String,
    /// Whom nobody else adds to queues.
    agent: String,
    random: StdRng,
    /// Calls that it has made and not ended.
    calls: VecDeque<String>,
    is_member: bool,
    /// Orders without an outcome, with when they were given.
    open: BTreeMap<String, (Kind, Instant)>,
    orders: Vec<Order>,
}

impl Giver {
    async fn run(mut self, gateway: u16, stop: CancellationToken) -> Result<Vec<Order>> {
        loop {
            let ended = match Socket::connect(gateway).await {
                Ok(mut socket) => self.give(&mut socket, &stop).await,
                Err(_) => Ok(false),
            };
            match ended {
                Ok(true) => return Ok(self.orders),
                Err(silent) if silent.is::<Unanswered>() => return Err(silent),
                // Whether they were carried out nobody can say.
                Ok(false) | Err(_) => self.lose(),
            }
            if stop.is_cancelled() {
                return Ok(self.orders);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Until it shall stop and all is answered (true), or the connection is lost.
    async fn give(&mut self, socket: &mut Socket, stop: &CancellationToken) -> Result<bool> {
        let mut pace = interval(PAUSE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if stop.is_cancelled() && self.open.is_empty() {
                return Ok(true);
            }
            tokio::select! {
                _ = pace.tick() => {
                    if !stop.is_cancelled() {
                        let order = self.next();
                        socket.send(&order).await?;
                    }
                    self.look_for_the_unanswered()?;
                }
                message = socket.next() => self.take(&message?)?,
            }
        }
    }

    /// Thinks of an order and writes it down.
    fn next(&mut self) -> Value {
        let name = format!("{}-{}", self.name, self.orders.len() + self.open.len());
        let (kind, mut order) = self.think(&name);
        order["id"] = json!(name);
        order["server"] = json!(self.server);
        self.open.insert(name, (kind, Instant::now()));
        order
    }

    fn think(&mut self, name: &str) -> (Kind, Value) {
        let dice = self.random.random_range(0..100);
        if self.calls.len() > 2 || (dice < 20 && !self.calls.is_empty()) {
            let call = self.calls.pop_front();
            return (Kind::HangUp, json!({"action": "hangup", "call": call}));
        }
        match dice {
            0..50 => {
                let variables = json!({ MARK: name });
                let dial =
                    json!({"action": "dial", "from": "103", "to": "801", "variables": variables});
                (Kind::Dial, dial)
            }
            50..80 => (Kind::Pause, pause(name)),
            _ => {
                self.is_member = !self.is_member;
                let (kind, action) = if self.is_member {
                    (Kind::Add, "queueAdd")
                } else {
                    (Kind::Remove, "queueRemove")
                };
                let mut order = json!({"action": action, "agent": self.agent, "queue": "sales"});
                if kind == Kind::Add {
                    order["name"] = json!(name);
                }
                (kind, order)
            }
        }
    }

    fn take(&mut self, reply: &Value) -> Result<()> {
        let name = reply["id"].as_str().with_context(|| format!("no reply: {reply}"))?;
        let outcome = outcome(reply)?;
        let Some((kind, _)) = self.open.remove(name) else {
            bail!(Unanswered(format!("{name} was answered, and had an outcome already: {reply}")))
        };
        if kind == Kind::Dial
            && let Some(call) = reply["result"]["call"].as_str()
        {
            self.calls.push_back(call.to_owned());
        }
        self.note(name.to_owned(), kind, &outcome);
        Ok(())
    }

    fn note(&mut self, name: String, kind: Kind, outcome: &str) {
        let (server, outcome) = (self.server.clone(), outcome.to_owned());
        self.orders.push(Order { name, server, kind, outcome });
    }

    fn lose(&mut self) {
        for (name, (kind, _)) in std::mem::take(&mut self.open) {
            self.note(name, kind, "lost");
        }
    }

    fn look_for_the_unanswered(&self) -> Result<()> {
        let is_late = |given: &Instant| given.elapsed() > ANSWERED;
        match self.open.iter().find(|(_, (_, given))| is_late(given)) {
            Some((name, _)) => bail!(Unanswered(format!("{name} has no outcome"))),
            None => Ok(()),
        }
    }
}

/// What must not happen, whatever is broken.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unanswered(String);

fn pause(name: &str) -> Value {
    json!({"action": "queuePause", "agent": "106", "queue": "support", "reason": name})
}

fn outcome(reply: &Value) -> Result<String> {
    match reply["error"]["code"].as_str() {
        Some(code) => Ok(code.to_owned()),
        None if reply["ok"] == true => Ok("ok".to_owned()),
        None => bail!("neither ok nor an error: {reply}"),
    }
}

async fn insist(
    name: String,
    server: String,
    gateways: Vec<u16>,
    stop: CancellationToken,
) -> Result<Vec<Order>> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let mut orders = Vec::new();
    while !stop.is_cancelled() {
        let name = format!("{name}-{}", orders.len());
        let mut order = pause(&name);
        order["server"] = json!(server);
        let mut outcome = "lost".to_owned();
        for gateway in gateways.iter().cycle().skip(orders.len()).take(ATTEMPTS) {
            if let Some(told) = ask(&client, *gateway, &name, &order).await {
                outcome = told;
                break;
            }
            sleep(PAUSE).await;
        }
        orders.push(Order { name, server: server.clone(), kind: Kind::Pause, outcome });
        sleep(PAUSE).await;
    }
    Ok(orders)
}

/// What came of it; nothing where another node should be asked.
async fn ask(client: &reqwest::Client, gateway: u16, key: &str, order: &Value) -> Option<String> {
    let url = format!("http://127.0.0.1:{gateway}/v1/commands");
    let request = client.post(url).bearer_auth(TOKEN).header("idempotency-key", key).json(order);
    let answer = request.send().await.ok()?;
    match answer.status().as_u16() {
        200..300 => Some("ok".to_owned()),
        // The first one is still carried out, or what came of it is not known.
        409 => Some("unknownOutcome".to_owned()),
        503 | 504 => None,
        _ => Some(answer.json::<Value>().await.ok()?["code"].as_str()?.to_owned()),
    }
}
