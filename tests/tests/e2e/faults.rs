//! A link breaks in every way while people talk, wait in a queue and give orders, and a hundred calls
//! a second come and go: those who went on are known again, what changed meanwhile is told, and
//! afterwards everything is as Asterisk lists it.

use crate::{
    feed::{self, Feed, Orders},
    platform::{Platform, SOON, TOKEN},
    views::{equals_the_listings, our_view, their_view},
    ws::Client,
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};
use telepulse_tests::{
    ami,
    asterisk::{self, Asterisk, Options},
    fault_proxy::{Fault, FaultProxy},
    phones::Phone,
    storm::Storm,
    wait,
};
use tokio::time::Instant;

const CALLS_PER_SECOND: u32 = 100;
/// From the listings to a model that is true.
const RESYNC: Duration = Duration::from_secs(2);

const FAULTS: [Fault; 7] = [
    Fault::Reset,
    Fault::Silence,
    Fault::CutAfter(123_457),
    Fault::Stall,
    Fault::Mute,
    Fault::Close,
    Fault::Deaf,
];

#[tokio::test(flavor = "multi_thread")]
async fn people_who_go_on_are_known_again() -> Result<()> {
    rounds("faults::people_who_go_on_are_known_again", FAULTS.len()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test --full"]
async fn people_who_go_on_are_known_again_thirty_times() -> Result<()> {
    rounds("faults::people_who_go_on_are_known_again_thirty_times", 30).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_is_cut_by_asterisk_and_comes_back() -> Result<()> {
    let name = "faults::who_reads_too_slowly_is_cut_by_asterisk_and_comes_back";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let proxy = FaultProxy::start(pbx.manager()).await?;
    let platform = connected_through(&proxy, &pbx, 60).await?;
    let feed = Feed::start(platform.ws_port).await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    let mut auditor = pbx.auditor().await?;
    let storm = Storm::start(&pbx, CALLS_PER_SECOND).await?;
    storm.made_more(100, SOON).await?;

    let mark = feed.mark();
    proxy.set(Fault::Stall);
    let stalled = Instant::now();
    wait::until("Asterisk to have cut the link", Duration::from_mins(1), async || {
        let sessions = auditor.console("manager show connected").await?;
        Ok((!sessions.contains(pbx.username())).then_some(()))
    })
    .await?;
    let (cut, released) = (stalled.elapsed(), Instant::now());
    proxy.set(Fault::None);
    // What was on its way still comes, and is old; then the link ends, and the listings tell.
    let lost = state_after(&feed, mark, "DISCONNECTED").await?;
    ensure!(lost["reason"] == "Asterisk closed the connection", "{lost}");
    let drained = released.elapsed();
    state_after(&feed, mark, "CONNECTED").await?;
    let back = released.elapsed();
    eprintln!(
        "cut after {cut:?}; what was on its way came within {drained:?}, true after {back:?}"
    );
    storm.made_more(100, SOON).await?;
    let made = storm.stop().await;
    nobody_calls(&pbx).await?;
    equals_the_listings(&mut client, &pbx).await?;
    let events = feed.since(0);
    feed::check(&events, &[])?;
    let resyncs = events.iter().filter(|event| event["event"] == "resync").count();
    ensure!(resyncs == 1, "{resyncs} resyncs");
    eprintln!("{made} calls, {} events", events.len());
    platform.stop().await;
    Ok(())
}

/// A platform whose link passes the proxy.
async fn connected_through(
    proxy: &FaultProxy,
    pbx: &Asterisk,
    keep_alive: u32,
) -> Result<Platform> {
    let server = format!(
        "[[server]]\nid = \"pbx1\"\nhost = \"127.0.0.1\"\nport = {}\nkeepAlive = {keep_alive}\n\
         username = \"{}\"\nsecret = \"{}\"\n",
        proxy.address().port(),
        pbx.username(),
        pbx.secret()
    );
    let platform = Platform::builder().raw(&server).start().await?;
    platform.connected("pbx1").await?;
    Ok(platform)
}

/// Waits until the storm has passed.
async fn nobody_calls(pbx: &Asterisk) -> Result<()> {
    let mut auditor = pbx.auditor().await?;
    wait::until("the storm to pass", SOON, async || {
        let theirs = their_view(&mut auditor).await?;
        Ok((!theirs.iter().any(|line| line.contains("@storm"))).then_some(()))
    })
    .await
}

async fn rounds(name: &str, count: usize) -> Result<()> {
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let mut pbx = Asterisk::start(&installation, Options::default()).await?;
    let proxy = FaultProxy::start(pbx.manager()).await?;
    let platform = connected_through(&proxy, &pbx, 2).await?;
    let feed = Feed::start(platform.ws_port).await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;
    let mut people = People::meet(&pbx, &mut client).await?;
    let pauses = Pauses::watch(&pbx).await?;
    let orders = Orders::start(platform.ws_port, "106").await?;
    let storm = Storm::start(&pbx, CALLS_PER_SECOND).await?;

    for (round, fault) in FAULTS.into_iter().cycle().take(count).enumerate() {
        storm.made_more(100, SOON).await?;
        let outcome = round_of(fault, &proxy, &feed, &pbx, &mut people, &mut client).await;
        let took = outcome.with_context(|| format!("round {round}, {fault:?}"))?;
        eprintln!("round {round}, {fault:?}: as Asterisk lists it {took:?} after the listings");
    }

    let made = storm.stop().await;
    let outcomes = orders.stop().await?;
    pauses.compare(&outcomes).await?;
    nobody_calls(&pbx).await?;
    equals_the_listings(&mut client, &pbx).await?;
    people.are_the_same(&mut client).await?;
    feed::check(&feed.since(0), &people.calls())?;

    // Nobody outlives Asterisk itself.
    let mark = feed.mark();
    pbx.kill()?;
    drop(people);
    pbx.start_again().await?;
    state_after(&feed, mark, "CONNECTED").await?;
    equals_the_listings(&mut client, &pbx).await?;
    let events = feed.since(0);
    feed::check(&events, &[])?;
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    ensure!(of("resync") == count + 1, "{} resyncs", of("resync"));
    ensure!(of("snapshot") + of("lagged") == 0, "the feed has a gap");
    eprintln!("{made} calls, {} events, {} orders", events.len(), outcomes.len());
    platform.stop().await;
    Ok(())
}

/// Breaks the link, lets somebody go and somebody come meanwhile, mends it; tells how long it took from
/// the listings until everybody was known.
async fn round_of(
    fault: Fault,
    proxy: &FaultProxy,
    feed: &Feed,
    pbx: &Asterisk,
    people: &mut People,
    client: &mut Client,
) -> Result<Duration> {
    let mark = feed.mark();
    proxy.set(fault);
    let (gone, called) =
        if matches!(fault, Fault::Stall | Fault::Silence | Fault::Mute | Fault::Deaf) {
            // Nobody notices for some seconds, and whoever came back meanwhile would wait in vain.
            let meanwhile = people.one_goes_and_another_comes(pbx).await?;
            state_after(feed, mark, "DISCONNECTED").await?;
            meanwhile
        } else {
            state_after(feed, mark, "DISCONNECTED").await?;
            // Whoever comes back gets no further than the greeting.
            proxy.set(Fault::Close);
            people.one_goes_and_another_comes(pbx).await?
        };
    proxy.set(Fault::None);
    state_after(feed, mark, "CONNECTED").await?;

    let expected = standing(their_view(&mut pbx.auditor().await?).await?);
    let mut last = String::new();
    let begun = Instant::now();
    wait::until("everybody to be known", RESYNC, async || {
        let ours = standing(our_view(client).await?);
        last = format!("ours:   {ours:?}\ntheirs: {expected:?}");
        Ok((ours == expected).then_some(()))
    })
    .await
    .with_context(|| last.clone())?;
    let took = begun.elapsed();
    let is_end = |event: &Value| event["event"] == "callEnded" && event["call"] == *gone;
    let end = feed.event(mark, "the end that nobody saw", is_end).await?;
    // A link on which only our words are lost tells of it in time.
    ensure!((end["disposition"] == "lost") == (fault != Fault::Deaf), "{end}");
    let is_start = |event: &Value| event["event"] == "callStarted" && event["from"] == *called;
    feed.event(mark, "the call that nobody saw begin", is_start).await?;
    people.are_the_same(client).await?;

    // Disconnected, then what was missed, and only then connected.
    let told: Vec<_> = feed.since(mark).iter().filter_map(milestone).collect();
    let attempts = told.split(|told| told == "DISCONNECTED").map(|told| told.join(" "));
    let attempts: Vec<_> = attempts.skip(1).collect();
    let (last, failed) = attempts.split_last().context("it was lost")?;
    ensure!(last == "CONNECTING AUTHENTICATING SYNCING resync CONNECTED", "{told:?}");
    ensure!(failed.iter().all(|told| "CONNECTING AUTHENTICATING".starts_with(told)), "{told:?}");
    Ok(took)
}

async fn state_after(feed: &Feed, mark: usize, state: &str) -> Result<Value> {
    let is_it = |event: &Value| event["event"] == "serverStatus" && event["state"] == state;
    feed.event(mark, &format!("the server to be {state}"), is_it).await
}

fn milestone(event: &Value) -> Option<String> {
    match event["event"].as_str()? {
        "serverStatus" => event["state"].as_str().map(str::to_owned),
        "resync" => Some("resync".to_owned()),
        _ => None,
    }
}

/// What does not come and go by itself.
fn standing(view: BTreeSet<String>) -> BTreeSet<String> {
    view.into_iter().filter(|line| !line.contains("@storm")).collect()
}

/// 101 talks with 102; 105 came through the queue to 104, and 107 waits there; 106 is paused;
/// and one more, from 109 or 110, listens to music.
struct People {
    phones: Vec<Phone>,
    listener: Phone,
    listens: &'static str,
    /// The calls of those who stay, by their numbers.
    stay: BTreeMap<String, String>,
    /// The call of the listener.
    listening: String,
}

impl People {
    async fn meet(pbx: &Asterisk, client: &mut Client) -> Result<Self> {
        let ring = Duration::from_millis(100);
        let mut phones = Vec::new();
        for extension in ["102", "104"] {
            phones.push(Phone::answering(pbx.phone_port(extension)?, ring).await?);
        }
        for agent in ["104", "106"] {
            let member = json!({"action": "queueAdd", "agent": agent, "queue": "support"});
            client.ok(member).await?;
        }
        // The order is answered by Asterisk; that it is done comes as an event.
        wait::until("106 to be a member", SOON, async || {
            let view = our_view(client).await?;
            Ok(view.contains("member support 106 0 ready").then_some(()))
        })
        .await?;
        let pause = json!({"action": "queuePause", "agent": "106", "queue": "support"});
        client.ok(pause).await?;
        for (from, to) in [("101", "102"), ("105", "600")] {
            phones.push(Phone::call(pbx, from, to)?);
        }
        let expected = |calls: &BTreeMap<String, String>| calls.contains_key("105");
        wait_for_calls(client, &["102", "104"], expected).await?;
        phones.push(Phone::call(pbx, "107", "600")?);
        let listener = Phone::call(pbx, "109", "801")?;
        let everybody = ["101", "102", "104", "105", "107", "109"];
        let mut stay = wait_for_calls(client, &everybody, |_| true).await?;
        let listening = stay.remove("109").context("it was just there")?;
        equals_the_listings(client, pbx).await?;
        Ok(Self { phones, listener, listens: "109", stay, listening })
    }

    /// Answers the call that ended, and who called.
    async fn one_goes_and_another_comes(
        &mut self,
        pbx: &Asterisk,
    ) -> Result<(String, &'static str)> {
        let mut auditor = pbx.auditor().await?;
        let old = channel_of(&mut auditor, self.listens).await?;
        auditor.action("Hangup", &[("Channel", &old)]).await?;
        self.listens = if self.listens == "109" { "110" } else { "109" };
        self.listener = Phone::call(pbx, self.listens, "801")?;
        wait::until("the music to play", SOON, async || {
            let channels = auditor.core_show_channels().await?;
            let is_up = |item: &ami::Message| item.has("Application", "MusicOnHold");
            let named = |item: &ami::Message| {
                item.get("Channel").is_some_and(|name| name.contains(self.listens))
            };
            Ok(channels.iter().any(|item| is_up(item) && named(item)).then_some(()))
        })
        .await?;
        Ok((std::mem::take(&mut self.listening), self.listens))
    }

    /// Whether those who stayed are in the calls that they were in.
    async fn are_the_same(&mut self, client: &mut Client) -> Result<()> {
        let mut calls = calls(client).await?;
        self.listening = calls.remove(self.listens).context("the listener has a call")?;
        ensure!(calls == self.stay, "{calls:?} should be {:?}", self.stay);
        ensure!(self.phones.len() == 5, "the phones are held as long as the calls");
        Ok(())
    }

    fn calls(&self) -> Vec<String> {
        self.stay.values().chain([&self.listening]).cloned().collect()
    }
}

async fn channel_of(auditor: &mut ami::Client, extension: &str) -> Result<String> {
    let prefix = format!("PJSIP/{extension}-");
    let channels = auditor.core_show_channels().await?;
    let mut names = channels.iter().filter_map(|item| item.get("Channel"));
    names.find(|name| name.starts_with(&prefix)).map(str::to_owned).context("its channel is gone")
}

/// The call of each phone that is in one, by its extension.
async fn calls(client: &mut Client) -> Result<BTreeMap<String, String>> {
    let listed = client.ok(json!({"action": "query", "query": "calls"})).await?;
    let mut calls = BTreeMap::new();
    for call in listed["items"].as_array().context("a list")? {
        for channel in call["channels"].as_array().context("channels")? {
            let name = channel["channel"].as_str().unwrap_or_default();
            if let Some(name) = name.strip_prefix("PJSIP/") {
                let extension = name.split('-').next().unwrap_or_default().to_owned();
                calls.insert(extension, call["call"].as_str().context("an id")?.to_owned());
            }
        }
    }
    Ok(calls)
}

async fn wait_for_calls(
    client: &mut Client,
    of: &[&str],
    fits: impl Fn(&BTreeMap<String, String>) -> bool,
) -> Result<BTreeMap<String, String>> {
    wait::until(&format!("{of:?} to be in calls"), SOON, async || {
        let calls = calls(client).await?;
        let all = of.iter().all(|extension| calls.contains_key(*extension));
        Ok((all && fits(&calls)).then_some(calls))
    })
    .await
}

/// What Asterisk itself does of the orders, seen on a link of its own.
struct Pauses(ami::Client);

impl Pauses {
    async fn watch(pbx: &Asterisk) -> Result<Self> {
        let mut observer = pbx.observer().await?;
        let filter = [("Operation", "Add"), ("Filter", "Event: QueueMemberPause")];
        observer.action("Filter", &filter).await?;
        Ok(Self(observer))
    }

    /// What was done was done once and never said not to have been sent; what was said to be done
    /// was.
    async fn compare(&self, outcomes: &HashMap<String, String>) -> Result<()> {
        let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
        for (order, outcome) in outcomes {
            *counted.entry(outcome).or_default() += 1;
            let is_it = |event: &ami::Message| event.has("PausedReason", order);
            if outcome == "ok" {
                let what = format!("Asterisk to tell of {order}");
                self.0.wait(0, SOON, &what, is_it).await?;
            }
            let done = self.0.since(0).iter().filter(|event| is_it(event)).count();
            match (outcome.as_str(), done) {
                ("ok", 1)
                | ("serverUnavailable" | "tooManyRequests", 0)
                | ("unknownOutcome" | "timeout", 0 | 1) => {}
                _ => bail!("{order} was answered {outcome}, and done {done} times"),
            }
        }
        eprintln!("outcomes: {counted:?}");
        ensure!(counted.get("ok") > Some(&20), "{counted:?}");
        ensure!(counted.get("serverUnavailable") > Some(&0), "{counted:?}");
        Ok(())
    }
}
