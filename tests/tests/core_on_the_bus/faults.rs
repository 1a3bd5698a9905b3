//! A link is broken in every way there is, under a hundred calls a second, and afterwards the model is
//! what Asterisk lists, nothing was told twice, and every action has had its outcome.

use crate::bench::{Bench, Recorder, SOON, server};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use telepulse_tests::{
    ami,
    asterisk::{self, Asterisk, Options},
    fault_proxy::{Fault, FaultProxy},
    storm::Storm,
    wait,
};
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

const CALLS_PER_SECOND: u32 = 100;
/// From FullyBooted to a model that is true.
const RESYNC: Duration = Duration::from_secs(2);

/// The ways in which a link breaks.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// Asterisk is killed and started again.
    Kill,
    /// Nothing passes, for longer than Asterisk waits for a slow reader.
    Stall,
    /// A reset in the middle of a message.
    Reset,
    /// The connection is closed in the middle of a message.
    Close,
    /// Half-open: the other end is gone and nobody says so.
    Silence,
}

const BREAKS: [Break; 5] = [Break::Reset, Break::Kill, Break::Stall, Break::Silence, Break::Close];

#[tokio::test(flavor = "multi_thread")]
async fn a_link_broken_in_each_way_is_true_again() -> Result<()> {
    let name = "core_on_the_bus::faults::a_link_broken_in_each_way_is_true_again";
    rounds(name, &BREAKS).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --full"]
async fn a_link_broken_thirty_times_is_true_again() -> Result<()> {
    let name = "core_on_the_bus::faults::a_link_broken_thirty_times_is_true_again";
    let thirty: Vec<_> = BREAKS.iter().copied().cycle().take(30).collect();
    rounds(name, &thirty).await
}

async fn rounds(name: &str, breaks: &[Break]) -> Result<()> {
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let mut pbx = Asterisk::start(&installation, Options::default()).await?;
    let proxy = FaultProxy::start(pbx.manager()).await?;
    let through = server("pbx1", &pbx, "keepAlive = 2").replace(
        &format!("port = {}", pbx.manager().port()),
        &format!("port = {}", proxy.address().port()),
    );
    let bench = Arc::new(Bench::with(&through).await?);
    let (statuses, _guard) = bench.record("telepulse.proxy.status")?;
    bench.state("pbx1", "CONNECTED").await?;

    let load = Storm::start(&pbx, CALLS_PER_SECOND).await?;
    let actions = Actions::start(bench.clone());
    for (round, kind) in breaks.iter().enumerate() {
        let context = || format!("round {round}, {kind:?}");
        let took = round_of(*kind, &mut pbx, &proxy, &bench, &statuses).await;
        let took = took.with_context(context)?;
        let auditor = pbx.auditor().await?;
        let known = is_within_the_listings(&bench, auditor).await;
        let known = known.with_context(|| {
            let told = statuses.all();
            let last: Vec<_> = told.iter().rev().take(8).map(Value::to_string).collect();
            format!("{}; newest first: {}", context(), last.join(" "))
        })?;
        eprintln!("{}: true {took:?} after login, with {known} channels", context());
        load.made_more(20, SOON).await.with_context(context)?;
    }
    let made = load.stop().await;
    let outcomes = actions.stop().await?;

    // Everything ends by itself; then the model is exactly what Asterisk lists: nothing.
    wait::until("every call to end", SOON, async || {
        let theirs = pbx.auditor().await?.core_show_channels().await?.len();
        let ours = bench.items("calls").await?.len();
        Ok((theirs == 0 && ours == 0).then_some(()))
    })
    .await?;
    let events = bench.events();
    each_call_is_told_once(&events)?;
    let resyncs = events.iter().filter(|event| event["event"] == "resync").count();
    ensure!(resyncs >= breaks.len(), "{resyncs} resyncs in {} rounds", breaks.len());
    let was_done = members(&mut pbx.auditor().await?).await?;
    check(&outcomes, &was_done, breaks)?;
    eprintln!("{made} calls, {} events, {} actions", events.len(), outcomes.len());
    Arc::into_inner(bench).context("nobody else has it")?.app.shutdown().await;
    Ok(())
}

/// Breaks the link, mends it, and tells how long the model took from login to truth.
async fn round_of(
    kind: Break,
    pbx: &mut Asterisk,
    proxy: &FaultProxy,
    bench: &Bench,
    statuses: &Recorder,
) -> Result<Duration> {
    let before = statuses.all().len();
    let is_lost = |status: &Value| status["state"] == "DISCONNECTED";
    let lost = async || {
        wait::until("the link to be lost", SOON, async || {
            Ok(statuses.all()[before..].iter().any(is_lost).then_some(()))
        })
        .await
    };
    match kind {
        Break::Kill => {
            pbx.kill()?;
            lost().await?;
            pbx.start_again().await?;
        }
        Break::Stall => {
            proxy.set(Fault::Stall);
            // Asterisk gives up on us within a second or so; we on Asterisk after two pings.
            lost().await?;
        }
        Break::Silence => {
            proxy.set(Fault::Silence);
            lost().await?;
        }
        Break::Reset => {
            proxy.set(Fault::Reset);
            lost().await?;
        }
        Break::Close => {
            proxy.set(Fault::Close);
            lost().await?;
        }
    }
    proxy.set(Fault::None);
    wait::until("the link to be mended", SOON, async || {
        let told = statuses.all();
        let at = told[before..].iter().rposition(is_lost).map_or(before, |at| before + at);
        Ok(told[at..].iter().any(|status| status["state"] == "CONNECTED").then_some(()))
    })
    .await
    .with_context(|| format!("{:?}", statuses.all().last()))?;
    bench.state("pbx1", "CONNECTED").await?;
    let told = statuses.all();
    let at = |state: &str| -> Result<u64> {
        let status = told.iter().rfind(|status| status["state"] == state);
        milliseconds(status.context("a status")?["since"].as_str().context("a time")?)
    };
    let took = Duration::from_millis(at("CONNECTED")?.saturating_sub(at("SYNCING")?));
    ensure!(took <= RESYNC, "the model took {took:?} from login to truth");
    Ok(took)
}

/// The time of day in milliseconds of an RFC 3339 text; no test lasts over midnight twice.
fn milliseconds(time: &str) -> Result<u64> {
    let clock = time.split_once('T').context("a date and a time")?.1.trim_end_matches('Z');
    let mut parts = clock.split([':', '.']).map(str::parse::<u64>);
    let mut next = || -> Result<u64> { Ok(parts.next().context("hh:mm:ss.mmm")??) };
    Ok(((next()? * 60 + next()?) * 60 + next()?) * 1000 + next()?)
}

/// Under load: what two listings have, one before and one after, the model must have; and what the
/// model has, one of them must. Answers how many channels the model had.
async fn is_within_the_listings(bench: &Bench, mut auditor: ami::Client) -> Result<usize> {
    let mut last = String::new();
    let within = wait::until("the model to be within the listings", RESYNC, async || {
        let before = listed(&mut auditor).await?;
        let ours = known(bench).await?;
        let after = listed(&mut auditor).await?;
        let missing: Vec<_> =
            before.intersection(&after).filter(|id| !ours.contains(*id)).collect();
        let ghosts: Vec<_> =
            ours.iter().filter(|id| !before.contains(*id) && !after.contains(*id)).collect();
        last = format!("of {} missing {missing:?}, ghosts {ghosts:?}", ours.len());
        Ok((missing.is_empty() && ghosts.is_empty() && !ours.is_empty()).then_some(ours.len()))
    });
    within.await.context(last)
}

async fn listed(auditor: &mut ami::Client) -> Result<BTreeSet<String>> {
    let items = auditor.core_show_channels().await?;
    Ok(items.iter().filter_map(|item| item.get("Channel")).map(str::to_owned).collect())
}

async fn known(bench: &Bench) -> Result<BTreeSet<String>> {
    let calls = bench.items("calls").await?;
    let channels = calls.iter().flat_map(|call| call["channels"].as_array().into_iter().flatten());
    Ok(channels.filter_map(|channel| channel["channel"].as_str()).map(str::to_owned).collect())
}

/// The stream is in order, each call begins once and ends once for each who is concerned.
fn each_call_is_told_once(events: &[Value]) -> Result<()> {
    let seqs: Vec<_> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    ensure!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "the stream is out of order");
    let mut calls: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for event in events {
        let kind = event["event"].as_str().unwrap_or_default();
        if matches!(kind, "callStarted" | "callEnded") {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            calls.entry((text("call"), text("agent"))).or_default().push(kind);
        }
    }
    for (call, told) in &calls {
        ensure!(told == &["callStarted", "callEnded"], "{call:?}: {told:?}");
    }
    ensure!(calls.len() > 100, "only {} calls were told", calls.len());
    Ok(())
}

/// Actions that go on all the while, each to be known again by what it leaves in Asterisk.
struct Actions {
    stop: CancellationToken,
    task: AbortOnDropHandle<Result<HashMap<String, String>>>,
}

impl Actions {
    fn start(bench: Arc<Bench>) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut outcomes = HashMap::new();
            let mut asked = Vec::new();
            for number in 0.. {
                if stopped.is_cancelled() {
                    break;
                }
                let bench = bench.clone();
                asked.push(tokio::spawn(async move { add_member(&bench, number).await }));
                sleep(Duration::from_millis(50)).await;
            }
            for one in asked {
                let (member, outcome) = one.await??;
                ensure!(outcomes.insert(member.clone(), outcome).is_none(), "{member} twice");
            }
            Ok(outcomes)
        });
        Self { stop, task: AbortOnDropHandle::new(task) }
    }

    async fn stop(self) -> Result<HashMap<String, String>> {
        self.stop.cancel();
        self.task.await?
    }
}

/// Adds a member to a queue; answers its interface and what came of it.
async fn add_member(bench: &Bench, number: usize) -> Result<(String, String)> {
    let interface = format!("Local/{number}@storm");
    let action = json!({
        "ServerId": "pbx1", "Action": "QueueAdd", "Queue": "support", "Interface": interface,
    });
    let asked = Instant::now();
    let reply = bench.request("telepulse.proxy.action", action).await?;
    ensure!(asked.elapsed() < SOON, "{interface} was answered late");
    let outcome = match &reply["error"]["code"] {
        Value::String(code) => code.clone(),
        _ => reply["Response"].as_str().context("an answer")?.to_owned(),
    };
    Ok((interface, outcome))
}

async fn members(auditor: &mut ami::Client) -> Result<BTreeSet<String>> {
    let items = auditor.queue_status().await?;
    Ok(items.iter().filter_map(|item| item.get("Location")).map(str::to_owned).collect())
}

/// Every action has one outcome, and what was said not to have been sent was not done.
fn check(
    outcomes: &HashMap<String, String>,
    was_done: &BTreeSet<String>,
    breaks: &[Break],
) -> Result<()> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for (member, outcome) in outcomes {
        *counted.entry(outcome).or_default() += 1;
        let done = was_done.contains(member);
        match outcome.as_str() {
            "serverUnavailable" => ensure!(!done, "{member} was said not to be sent, and was done"),
            "Success" => {
                // A killed Asterisk forgets what it had not written yet.
                let can_be_forgotten = breaks.iter().any(|kind| matches!(kind, Break::Kill));
                ensure!(done || can_be_forgotten, "{member} was said to be done, and was not");
            }
            "unknownOutcome" | "timeout" => {}
            other => anyhow::bail!("{member}: {other}"),
        }
    }
    ensure!(counted.get("Success") > Some(&10), "{counted:?}");
    ensure!(counted.get("serverUnavailable") > Some(&0), "{counted:?}");
    eprintln!("outcomes: {counted:?}");
    Ok(())
}
