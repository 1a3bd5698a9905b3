//! A link to a real Asterisk is recorded and served again: a platform that is connected to the
//! recording tells what one that was connected to Asterisk told.

use crate::bench::{Bench, SOON, server};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use telepulse::{
    config::Server,
    tape::{self, Progress, Replay, Speed, Tape},
};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::{Act, Phone},
    wait,
};
use tokio_util::sync::CancellationToken;

const USER: &str = "telepulse";

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_link_tells_the_same_again() -> Result<()> {
    let name = "core_on_the_bus::tape::a_recorded_link_tells_the_same_again";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let live = Bench::start(&pbx).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pbx1.amirec");

    // Recorded beside the platform: the same is sent to both.
    let recorded = Arc::new(Mutex::new(Progress::default()));
    let stop = CancellationToken::new();
    let recording = tokio::spawn(record(
        Server::from_json(json!({
            "id": "pbx1", "host": "127.0.0.1", "port": pbx.manager().port(),
            "username": USER, "secret": pbx.secret(),
        }))
        .map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?,
        Tape::create(&file, false)?,
        recorded.clone(),
        stop.clone(),
    ));
    let progress = || *recorded.lock().expect("nobody panics with it");
    wait::until("the listings", SOON, async || Ok(progress().is_listed.then_some(()))).await?;
    scenario(&live, &pbx).await?;
    let sent = live.server("pbx1").await?["figures"]["events"].as_u64().context("a figure")?;
    wait::until("the recorder to have as many events", SOON, async || {
        ensure!(!recording.is_finished(), "the recorder ended");
        Ok((progress().events >= sent).then_some(()))
    })
    .await
    .with_context(|| format!("{:?} of {sent}", progress()))?;
    stop.cancel();
    let done = recording.await??;
    ensure!(done.events == sent, "{done:?} of {sent} events");
    let expected = told(&live);
    live.app.shutdown().await;

    for written in [&file, &tape::sent_beside(&file)] {
        let bytes = std::fs::read(written)?;
        ensure!(!contains(&bytes, pbx.secret().as_bytes()), "the secret is in {written:?}");
    }
    let script = tape::load(&file)?;
    ensure!(script.event_count() as u64 == sent, "{} on tape", script.event_count());
    let listen = ([127, 0, 0, 1], 0).into();
    let replay = Replay::start(script, Speed::Times(10.0), None, listen, |_, _| {}).await?;
    let port = format!("port = {}", pbx.manager().port());
    let again =
        server("pbx1", &pbx, "").replace(&port, &format!("port = {}", replay.address().port()));
    let again = Bench::with(&again).await?;
    wait::until("the same number of events", SOON, async || {
        Ok((told(&again).len() >= expected.len()).then_some(()))
    })
    .await
    .with_context(|| difference(&told(&again), &expected))?;
    let told = told(&again);
    ensure!(told == expected, "{}", difference(&told, &expected));
    ensure!(again.items("calls").await?.is_empty(), "every call has ended");
    again.app.shutdown().await;
    Ok(())
}

async fn record(
    server: Server,
    mut tape: Tape<std::io::BufWriter<std::fs::File>>,
    progress: Arc<Mutex<Progress>>,
    stop: CancellationToken,
) -> Result<Progress> {
    let tell = |now| *progress.lock().expect("nobody panics with it") = now;
    Ok(tape::record(&server, None, &mut tape, tell, stop.cancelled()).await?)
}

/// A call with hold, one through a queue, one that nobody answers.
async fn scenario(bench: &Bench, pbx: &Asterisk) -> Result<()> {
    let short = Duration::from_millis(200);
    let acts = [Act::Talk(short), Act::Hold, Act::Talk(short), Act::Resume, Act::Talk(short)];
    let mut phone = Phone::acting(pbx.phone_port("102")?, short, &acts).await?;
    let call = async |from: &str, to: &str, agent: &str| -> Result<()> {
        let _caller = Phone::call(pbx, from, to)?;
        let before = ended(bench, agent);
        bench.line(agent, Some(("up", from))).await?;
        bench.command(json!({"action": "hangup", "agent": agent})).await?;
        wait::until("the call to end", SOON, async || {
            Ok((ended(bench, agent) > before).then_some(()))
        })
        .await
    };
    let _caller = Phone::call(pbx, "101", "102")?;
    let holds = |event: &Value| event["agent"] == "102" && event["lines"][0]["state"] == "hold";
    bench.event("102 to hold", holds).await?;
    bench.line("102", Some(("up", "101"))).await?;
    bench.command(json!({"action": "hangup", "agent": "101"})).await?;
    bench.line("102", None).await?;
    bench.line("101", None).await?;
    drop(phone);

    phone = Phone::answering(pbx.phone_port("103")?, short).await?;
    bench.command(json!({"action": "queueAdd", "agent": "103", "queue": "support"})).await?;
    call("104", "600", "103").await?;
    bench.command(json!({"action": "queuePause", "agent": "103", "reason": "lunch"})).await?;
    bench
        .event("the pause", |event| {
            event["event"] == "queueMemberStatus" && event["status"] == "paused"
        })
        .await?;
    drop(phone);
    wait::until("no call to be left", SOON, async || {
        Ok(bench.items("calls").await?.is_empty().then_some(()))
    })
    .await
}

fn ended(bench: &Bench, agent: &str) -> usize {
    let events = bench.events();
    events.iter().filter(|e| e["event"] == "callEnded" && e["agent"] == agent).count()
}

/// What was told of calls and queues since the link was up, without what depends on the time of day.
fn told(bench: &Bench) -> Vec<Value> {
    let mut events = bench.events();
    // The bench may have begun to listen before that, or just after.
    if let Some(up) = events.iter().position(|event| event["state"] == "CONNECTED") {
        events.drain(..=up);
    }
    // These tell of the link, or at most so often a second.
    let other: BTreeSet<&str> = BTreeSet::from(["serverStatus", "activeUsers"]);
    events.retain(|event| !event["event"].as_str().is_some_and(|name| other.contains(name)));
    events.iter_mut().for_each(timeless);
    events
}

fn timeless(value: &mut Value) {
    const TIMES: [&str; 10] = [
        "seq", "time", "since", "started", "answered", "duration", "talkTime", "holdTime", "wait",
        "lastCall",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !TIMES.contains(&key.as_str()));
            fields.values_mut().for_each(timeless);
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        _ => {}
    }
}

fn difference(told: &[Value], expected: &[Value]) -> String {
    let at = told.iter().zip(expected).position(|(told, expected)| told != expected);
    let at = at.unwrap_or(told.len().min(expected.len()));
    format!(
        "{} events were told, {} should be; the first difference is at {at}:\n{:?}\n{:?}",
        told.len(),
        expected.len(),
        told.get(at).map(Value::to_string),
        expected.get(at).map(Value::to_string)
    )
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
