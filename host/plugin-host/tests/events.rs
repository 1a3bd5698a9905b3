//! Events to a component: in order, through swaps and failures, none lost and none twice.

mod support;

use plugin_host::State;
use std::time::Duration;
use support::{
    COUNTER, Rig,
    guests::{guest, hash, variant},
    world::World,
};

/// What a counter says of events 1 to `last` when it lost none and counted each once.
fn all_counted(last: u64) -> Vec<String> {
    (1..=last).map(|seq| format!("{seq} {seq}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_in_order() {
    let rig = Rig::with(&[("counter", &guest("counter"), COUNTER)]).await;
    let status = rig.host.show("counter").unwrap();
    assert_eq!((status.state, status.incarnation, status.error), (State::Running, 1, None));
    for _ in 0..1000 {
        rig.world.emit("x");
    }
    let said = rig.world.says("1000 counts", |said| said.len() == 1001).await;
    assert_eq!(World::said_to(&said, "test.out"), all_counted(1000));
    let figures = rig.figures("counter", |it| it.handled == 1000).await;
    assert_eq!((figures.dropped, figures.queued), (0, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_for_those_who_do_not_know_the_framed_layout() {
    let rig = Rig::with(&[("records", &guest("records"), COUNTER)]).await;
    rig.world.emit("say");
    let said = rig.world.says("a record", |said| !said.is_empty()).await;
    assert_eq!(World::said_to(&said, "test.out"), ["in Some(\"pbx1\")"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_swaps_under_load_lose_and_double_nothing() {
    let good = guest("counter");
    let bad: Vec<Vec<u8>> = vec![
        guest("trapping-init"),
        guest("looping-init"),
        guest("stranger"),
        good[..good.len() / 2].to_vec(),
        guest("greedy-init"),
    ];
    let rig = Rig::with(&[("counter", &good, COUNTER)]).await;
    let world = rig.world.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    // A steady stream of 5,000 events a second.
    let load = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let mut last = 0;
        while stopped.try_recv().is_err() {
            tick.tick().await;
            for _ in 0..25 {
                last = world.emit("x");
            }
        }
        last
    });
    for round in 0..20u8 {
        if round % 4 == 3 {
            let bad = &bad[usize::from(round / 4)];
            rig.put("counter.wasm", bad);
            let status = rig.refuses("counter", bad).await;
            let error = status.error.unwrap();
            assert!(error.contains(&hash(bad)[..12]) && error.contains("refused"), "{error}");
        }
        let next = variant(&good, round);
        rig.put("counter.wasm", &next);
        let status = rig.runs("counter", &next).await;
        assert_eq!((status.error, status.refused), (None, None));
    }
    stop.send(()).unwrap();
    let last = load.await.unwrap();
    let want = format!("{last} {last}");
    let said = rig.world.says("the last event", |said| said.iter().any(|s| s.2 == want)).await;
    assert_eq!(World::said_to(&said, "test.out"), all_counted(last));
    let figures = rig.figures("counter", |it| it.handled == last).await;
    assert_eq!((figures.swaps, figures.restarts, figures.dropped), (20, 0, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_traps_soon_after_the_swap_is_rolled_back_and_loses_nothing() {
    let good = guest("counter");
    let rig = Rig::with(&[("counter", &good, COUNTER)]).await;
    for _ in 0..10 {
        rig.world.emit("x");
    }
    rig.world.says("ten", |said| said.len() == 11).await;
    let late = guest("late-trap");
    rig.put("counter.wasm", &late);
    rig.runs("counter", &late).await;
    for _ in 0..10 {
        rig.world.emit("x");
    }
    let said = rig.world.says("twenty", |said| World::said_to(said, "test.out").len() == 20).await;
    assert_eq!(World::said_to(&said, "test.out"), all_counted(20));
    let status = rig.runs("counter", &good).await;
    assert_eq!(status.refused, Some(hash(&late)));
    assert_eq!(status.hash, Some(hash(&good)));
    let error = status.error.unwrap();
    assert!(error.contains("soon after it took over") && error.contains("no good at"), "{error}");
    assert_eq!(status.incarnation, 3);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_subscriptions_lose_and_double_nothing_of_what_both_cover() {
    let rig = Rig::with(&[("counter", &guest("counter"), COUNTER)]).await;
    let world = rig.world.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let load = std::thread::spawn(move || {
        let mut last = 0;
        while stopped.try_recv().is_err() {
            last = world.emit("x");
            std::thread::sleep(Duration::from_micros(50));
        }
        last
    });
    for round in 0..20 {
        let more = format!("subscribe = [\"test.more{round}\", \"test.in\"]");
        rig.put("counter.toml", COUNTER.replace("subscribe = [\"test.in\"]", &more).as_bytes());
        let granted = format!("test.more{round}");
        rig.plugin("counter", "other grants", |it| {
            it.grants.iter().any(|grant| grant.contains(&granted))
        })
        .await;
    }
    stop.send(()).unwrap();
    let last = load.join().unwrap();
    let counted = |said: &support::world::Said| World::said_to(said, "test.out").len() as u64;
    let said = rig.world.says("all counted", |said| counted(said) >= last).await;
    assert_eq!(World::said_to(&said, "test.out"), all_counted(last));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_kills_is_set_aside_and_the_others_are_done() {
    let rig = Rig::with(&[("counter", &guest("counter"), COUNTER)]).await;
    for payload in ["x", "x", "trap", "x", "x"] {
        rig.world.emit(payload);
    }
    let done = |said: &support::world::Said| {
        World::said_to(said, "test.out").iter().any(|text| text.starts_with("5 "))
    };
    rig.world.says("the event after the deadly one", done).await;
    let figures = rig.figures("counter", |it| it.handled == 4).await;
    // Twice by itself, and once with others if it came with others.
    assert_eq!(figures.poisoned, 1);
    assert!((2..=3).contains(&figures.restarts), "{figures:?}");
    let status = rig.host.show("counter").unwrap();
    assert_eq!(status.state, State::Running);
    assert!(status.error.unwrap().contains("subscriber.handle failed"));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugins_own_word_decides_about_an_event() {
    let rig = Rig::with(&[("counter", &guest("counter"), COUNTER)]).await;
    for payload in ["x", "skip", "retry", "x"] {
        rig.world.emit(payload);
    }
    let said = rig.world.says("three", |said| World::said_to(said, "test.out").len() == 3).await;
    assert_eq!(World::said_to(&said, "test.out"), ["1 1", "3 2", "4 3"]);
    let figures = rig.figures("counter", |it| it.handled == 3).await;
    assert_eq!((figures.skipped, figures.restarts), (1, 0));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_disconnects_where_that_is_the_policy() {
    let grants = COUNTER.replace("mailbox = 100000", "mailbox = 8\nonFull = \"disconnect\"");
    let rig = Rig::with(&[("counter", &guest("counter"), &grants)]).await;
    // It keeps the plugin busy until the mailbox has overflowed.
    rig.world.emit("loop");
    for _ in 0..50 {
        rig.world.emit("x");
    }
    let status = rig
        .plugin("counter", "a new instance", |it| it.incarnation > 1 && it.state == State::Running)
        .await;
    assert!(status.error.is_some());
    let figures = rig.host.show("counter").unwrap().figures;
    assert!(figures.dropped >= 8, "{figures:?}");
    rig.stop().await;
}

/// Numbers of the events that a counter has done, in the order in which it did them.
fn done(said: &support::world::Said) -> Vec<u64> {
    let first = |text: &String| text.split(' ').next().and_then(|seq| seq.parse().ok());
    World::said_to(said, "test.out").iter().filter_map(first).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_subscription_keeps_what_is_not_done() {
    let durable =
        COUNTER.replace("[limits]\nmailbox = 100000", "durable = true\n[limits]\nmailbox = 8");
    let lacking = durable.replace("publish = [\"test.out\", \"test.log\"]", "");
    let rig = Rig::with(&[("counter", &guest("counter"), &lacking)]).await;
    let emit = |rig: &Rig, count: usize| {
        for _ in 0..count {
            rig.world.emit("x");
        }
    };
    let until_done = async |rig: &Rig, last: u64| {
        let said = rig.world.says("all done", |said| done(said).last() == Some(&last)).await;
        assert_eq!(done(&said), (1..=last).collect::<Vec<_>>(), "each once and in order");
        rig.figures("counter", |it| it.queued == 0).await;
        assert_eq!(rig.world.kept("counter"), 0);
    };
    // It waits for a grant; what it is to do is kept, more than fits into its mailbox.
    assert_eq!(rig.host.show("counter").unwrap().state, State::Waiting);
    emit(&rig, 100);
    assert_eq!(
        (rig.world.kept("counter"), rig.host.show("counter").unwrap().figures.queued),
        (100, 100)
    );
    rig.put("counter.toml", durable.as_bytes());
    until_done(&rig, 100).await;
    // Stopped by the operator, with another build in between.
    rig.host.stop("counter").await.unwrap();
    emit(&rig, 50);
    rig.put("counter.wasm", &variant(&guest("counter"), 2));
    rig.host.start_plugin("counter").await.unwrap();
    until_done(&rig, 150).await;
    // The host goes down.
    rig.host.stop("counter").await.unwrap();
    emit(&rig, 30);
    let rig = rig.again().await;
    emit(&rig, 3);
    until_done(&rig, 183).await;
    // What kills is set aside here too, and not kept.
    rig.world.emit("trap");
    rig.figures("counter", |it| it.poisoned == 1).await;
    assert_eq!(rig.world.kept("counter"), 0);
    // Not durable any more: nothing is kept.
    rig.put("counter.toml", COUNTER.as_bytes());
    rig.plugin("counter", "swapped", |it| !it.grants.iter().any(|it| it.starts_with("durable")))
        .await;
    rig.host.stop("counter").await.unwrap();
    emit(&rig, 10);
    assert_eq!(rig.world.kept("counter"), 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_subscription_that_is_full_keeps_the_oldest() {
    let durable = COUNTER.replace("[limits]", "durable = \"1 KiB\"\n[limits]");
    let rig = Rig::with(&[("counter", &guest("counter"), &durable)]).await;
    rig.host.stop("counter").await.unwrap();
    for _ in 0..100 {
        rig.world.emit("x");
    }
    let figures = rig.host.show("counter").unwrap().figures;
    let kept = figures.queued;
    assert!((10..50).contains(&kept) && figures.dropped == 100 - kept, "{figures:?}");
    rig.host.start_plugin("counter").await.unwrap();
    let said = rig.world.says("what fits", |said| done(said).len() as u64 == kept).await;
    assert_eq!(done(&said), (1..=kept).collect::<Vec<_>>());
    // There is room again.
    rig.figures("counter", |it| it.queued == 0).await;
    let next = rig.world.emit("x");
    rig.world.says("the next one", |said| done(said).last() == Some(&next)).await;
    rig.stop().await;
}
