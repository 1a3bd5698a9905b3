//! A plugin that runs as several instances: each call's events in their order by one of them, through
//! swaps, failures and other numbers of shards.

mod support;

use plugin_host::State;
use std::collections::{BTreeMap, BTreeSet};
use support::{
    COUNTER, Rig,
    guests::{guest, hash, variant},
    world::{Said, World},
};

const CALLS: u64 = 30;

fn shards(count: usize) -> String {
    format!("{COUNTER}shards = {count}\n")
}

/// One event that was done: its number, the call, how many the instance had of that call, its name.
#[derive(Clone, Debug)]
struct Done {
    seq: u64,
    call: String,
    count: u64,
    instance: String,
}

fn done(said: &Said) -> Vec<Done> {
    let read = |text: &String| {
        let [seq, call, count, instance] = text.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{text:?}");
        };
        Done {
            seq: seq.parse().expect("a number"),
            call: call.to_owned(),
            count: count.parse().expect("a number"),
            instance: instance.to_owned(),
        }
    };
    World::said_to(said, "test.out").iter().map(read).collect()
}

fn by_call(done: &[Done]) -> BTreeMap<&str, Vec<&Done>> {
    let mut calls = BTreeMap::<_, Vec<_>>::new();
    for one in done {
        calls.entry(one.call.as_str()).or_default().push(one);
    }
    calls
}

/// Every event once, and those of each call in their order.
fn assert_whole(done: &[Done], last: u64) {
    assert_eq!((done.len() as u64, seqs(done).len() as u64), (last, last), "each once");
    for (call, events) in by_call(done) {
        assert!(events.is_sorted_by_key(|one| one.seq), "{call}: {events:?}");
    }
}

fn emit(rig: &Rig, rounds: u64) -> u64 {
    let mut last = 0;
    for call in (0..rounds).flat_map(|_| 0..CALLS) {
        last = rig.world.emit(&format!("{{\"call\":\"c{call}\"}}"));
    }
    last
}

/// Waits until so many different events were done, some perhaps twice.
async fn until_done(rig: &Rig, count: usize) -> Vec<Done> {
    let all = |said: &Said| {
        let done = done(said);
        // Most looks end here.
        done.len() >= count && seqs(&done).len() >= count
    };
    done(&rig.world.says("all done", all).await)
}

fn seqs(done: &[Done]) -> BTreeSet<u64> {
    done.iter().map(|one| one.seq).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_has_its_instance_and_swaps_hand_over() {
    let build = guest("sharded");
    let rig = Rig::with(&[("sharded", &build, &shards(3))]).await;
    emit(&rig, 20);
    // Amid the work, three times.
    for number in 1..=3 {
        let next = variant(&build, number);
        rig.put("sharded.wasm", &next);
        emit(&rig, 20);
        rig.runs("sharded", &next).await;
        emit(&rig, 20);
    }
    let last = emit(&rig, 20);
    let all = until_done(&rig, usize::try_from(last).unwrap()).await;
    assert_whole(&all, last);
    let instances: BTreeSet<&str> = all.iter().map(|one| one.instance.as_str()).collect();
    assert_eq!(instances.len(), 3 * 4, "three at a time, four builds");
    for (call, events) in by_call(&all) {
        let counts: Vec<u64> = events.iter().map(|one| one.count).collect();
        let expected: Vec<u64> = (1..=last / CALLS).collect();
        assert_eq!(counts, expected, "{call}: what is known of it went from instance to instance");
    }
    rig.host.stop("sharded").await.unwrap();
    let drained = |said: &Said| {
        World::said_to(said, "test.log").iter().filter(|text| *text == "drained").count() == 12
    };
    rig.world.says("twelve drained", drained).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_shards_loses_nothing() {
    let rig = Rig::with(&[("sharded", &guest("sharded"), COUNTER)]).await;
    let mut last = 0;
    for count in [4, 2, 1, 16, 3] {
        emit(&rig, 10);
        rig.put("sharded.toml", shards(count).as_bytes());
        let before = rig.host.show("sharded").unwrap().incarnation;
        last = emit(&rig, 10);
        rig.plugin("sharded", "swapped", |it| it.incarnation > before).await;
    }
    let all = until_done(&rig, usize::try_from(last).unwrap()).await;
    assert_whole(&all, last);
    let figures = rig.figures("sharded", |it| it.queued == 0).await;
    assert_eq!((figures.handled, figures.dropped, figures.restarts), (last, 0, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_takes_no_others_events_along() {
    let rig = Rig::with(&[("sharded", &guest("sharded"), &shards(4))]).await;
    emit(&rig, 10);
    rig.world.emit("{\"call\":\"c3\",\"do\":\"trap\"}");
    let last = emit(&rig, 10);
    rig.figures("sharded", |it| it.poisoned == 1).await;
    let all = until_done(&rig, usize::try_from(last).unwrap() - 1).await;
    assert_eq!(seqs(&all).len() as u64, last - 1, "all but the one that kills");
    let status = rig.host.show("sharded").unwrap();
    assert_eq!(status.state, State::Running);
    let aside = rig.host.aside("sharded").unwrap();
    assert!(aside[0].payload.contains("trap"), "{aside:?}");
    // A build that fails early goes back to the one before, all shards of it.
    let good = status.hash.unwrap();
    let bad = variant(&guest("sharded"), 9);
    rig.put("sharded.wasm", &bad);
    rig.runs("sharded", &bad).await;
    rig.world.emit("{\"call\":\"c5\",\"do\":\"trap\"}");
    let back = rig.plugin("sharded", "gone back", |it| it.hash.as_ref() == Some(&good)).await;
    assert_eq!(back.refused.as_deref(), Some(&*hash(&bad)));
    rig.figures("sharded", |it| it.poisoned == 2).await;
    let all_before = seqs(&all).len();
    emit(&rig, 5);
    let more = usize::try_from(5 * CALLS).unwrap();
    until_done(&rig, all_before + more).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sharded_is_refused_with_the_way_out() {
    let echo = r#"
[grants]
request = ["test.ask"]
websocket = [{ listen = "127.0.0.1:1", path = "/" }]
[limits]
shards = 2
"#;
    let durable = shards(2).replace("[limits]", "durable = true\n[limits]");
    let rig = Rig::with(&[
        ("echo", &guest("echo"), echo),
        ("durable", &guest("sharded"), &durable),
        ("many", &guest("sharded"), &shards(17)),
    ])
    .await;
    for (name, expected) in [
        ("echo", "limits.shards: what has connections"),
        ("durable", "limits.shards: messages that are kept on disk"),
        ("many", "limits.shards: must be a whole number from 1 to 16"),
    ] {
        let error = rig.host.show(name).unwrap().error.unwrap();
        assert!(error.contains(expected), "{name}: {error}");
    }
    rig.stop().await;
}
