//! Plugins that run on some nodes only: they come, go and divide their events as they are told, and what was
//! taken in is done first.

mod support;

use plugin_host::{PluginStatus, State, ports::Where};
use std::{collections::BTreeSet, sync::Arc};
use support::{
    COUNTER, Rig,
    guests::{guest, variant},
    world::{World, places::elsewhere},
};

const ECHO: &str = r#"
[grants]
request = ["test.ask"]
websocket = [{ listen = "127.0.0.1:8084", path = "/" }]
"#;
const WEB: &str = r#"
[grants]
request = ["test.ask"]
http = []
routes = [{ listen = "127.0.0.1:8083", path = "/" }]
"#;

fn one_node(toml: &str) -> String {
    format!("{toml}[placement]\nrun = \"oneNode\"\n")
}

fn is_elsewhere(status: &PluginStatus) -> bool {
    status.state == State::Elsewhere
}

/// Puts a plugin into the folder after it was said where it is to be.
async fn placed(name: &str, toml: &str, place: Where) -> Rig {
    let rig = Rig::start().await;
    rig.world.place(name, place);
    rig.put(&format!("{name}.toml"), toml.as_bytes());
    rig.put(&format!("{name}.wasm"), &guest(name));
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_elsewhere_says_why_holds_nothing_and_runs_once_it_may() {
    let place = elsewhere("it runs on one node, which is b", false);
    let rig = placed("counter", &one_node(COUNTER), place).await;
    let status = rig.plugin("counter", "elsewhere", is_elsewhere).await;
    assert_eq!(status.elsewhere.as_deref(), Some("it runs on one node, which is b"));
    assert_eq!((status.error, status.incarnation), (None, 0));
    assert_eq!((rig.world.held(), rig.world.is_here("counter")), ((0, 0, 0), false));
    let shown = serde_json::to_value(rig.host.show("counter").unwrap()).unwrap();
    assert_eq!(shown["state"], "elsewhere");
    // A newer build that comes meanwhile is the one that runs.
    let next = variant(&guest("counter"), 1);
    rig.put("counter.wasm", &next);
    let hash = support::guests::hash(&next);
    rig.plugin("counter", "the newer one", |it| it.hash.as_ref() == Some(&hash)).await;
    rig.world.place("counter", elsewhere("it runs on one node, which is c", false));
    rig.plugin("counter", "another reason", |it| {
        it.elsewhere.as_deref() == Some("it runs on one node, which is c")
    })
    .await;
    rig.world.place("counter", Where::Here);
    let status = rig.runs("counter", &next).await;
    assert_eq!((status.elsewhere, status.incarnation), (None, 1));
    assert!(rig.world.is_here("counter"));
    rig.world.emit("x");
    let said = rig.world.says("a count", |said| said.len() == 2).await;
    assert_eq!(World::said_to(&said, "test.out"), ["1 1"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_away_does_first_what_it_took_in() {
    let rig = placed("counter", &one_node(COUNTER), Where::Here).await;
    rig.runs("counter", &guest("counter")).await;
    for _ in 0..5_000 {
        rig.world.emit("x");
    }
    rig.world.place("counter", elsewhere("it runs on one node, which is b", false));
    rig.plugin("counter", "elsewhere", is_elsewhere).await;
    assert_eq!((rig.world.held(), rig.world.is_here("counter")), ((0, 0, 0), false));
    let said = rig.world.says("drained", |said| said.len() >= 5_002).await;
    let expected: Vec<String> = (1..=5_000).map(|seq| format!("{seq} {seq}")).collect();
    assert_eq!(World::said_to(&said, "test.out"), expected, "each once, in order");
    assert_eq!(World::said_to(&said, "test.log").last().unwrap(), "drained");
    let figures = rig.figures("counter", |it| it.queued == 0).await;
    assert_eq!((figures.handled, figures.dropped), (5_000, 0));
    // Events that come while it is away are another node's.
    rig.world.emit("x");
    rig.world.place("counter", Where::Here);
    rig.runs("counter", &guest("counter")).await;
    rig.world.emit("x");
    let said = rig.world.says("again", |said| World::said_to(said, "test.out").len() > 5_000).await;
    assert_eq!(World::said_to(&said, "test.out").last().unwrap(), "5002 1", "a fresh instance");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_timers_and_requests_end_where_a_gateway_moves_away() {
    let rig = placed("echo", &one_node(ECHO), Where::Here).await;
    rig.runs("echo", &guest("echo")).await;
    let conn = rig.world.connect("/").await;
    rig.world.hears(conn, &format!("hello {conn}")).await;
    rig.world.tell(conn, "ask").await;
    rig.world.place("echo", elsewhere("this node hands its plugins over", false));
    rig.plugin("echo", "elsewhere", is_elsewhere).await;
    rig.world.hears(conn, &format!("answer echo asks for user {conn}")).await;
    assert_eq!(rig.world.held(), (0, 0, 0), "its path is free");
    let heard = rig.world.heard(conn);
    rig.world.place("echo", Where::Here);
    rig.runs("echo", &guest("echo")).await;
    assert_eq!(rig.world.held(), (0, 1, 0), "it listens again");
    let next = rig.world.connect("/").await;
    rig.world.hears(next, &format!("hello {next}")).await;
    assert_eq!(rig.world.heard(conn), heard, "nothing of before goes on");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_of_what_is_elsewhere_are_free() {
    let rig = placed("web", &one_node(WEB), elsewhere("it listens (role gateway)", false)).await;
    rig.plugin("web", "elsewhere", is_elsewhere).await;
    assert_eq!((rig.world.held(), rig.world.announced()), ((0, 0, 0), vec![]));
    rig.world.place("web", Where::Here);
    rig.runs("web", &guest("web")).await;
    assert_eq!(rig.world.held(), (0, 0, 1));
    rig.world.place("web", elsewhere("it listens (role gateway)", true));
    rig.plugin("web", "elsewhere", is_elsewhere).await;
    assert_eq!((rig.world.held(), rig.world.announced()), ((0, 0, 0), vec![]));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_or_is_stopped_gives_its_place_back() {
    let counter = guest("counter");
    let rig = placed("counter", &one_node(COUNTER), Where::Here).await;
    rig.runs("counter", &counter).await;
    assert_eq!(rig.host.stop("counter").await.unwrap().state, State::Stopped);
    assert!(!rig.world.is_here("counter"));
    // Stopped it stays, whatever is said of places.
    rig.world.place("counter", elsewhere("another has it", false));
    rig.world.place("counter", Where::Here);
    assert_eq!(rig.host.start_plugin("counter").await.unwrap().state, State::Running);
    assert!(rig.world.is_here("counter"));
    // A build that fails too often is another node's to try.
    for _ in 0..20 {
        rig.world.emit("fatal");
    }
    rig.plugin("counter", "given up", |it| it.state == State::Failed).await;
    assert_eq!((rig.world.is_here("counter"), rig.world.held()), (false, (0, 0, 0)));
    // So is one that is no component.
    rig.put("text.toml", one_node(COUNTER).as_bytes());
    rig.put("text.wasm", b"hello");
    rig.plugin("text", "refused", |it| it.state == State::Failed).await;
    assert!(!rig.world.is_here("text"));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_on_disk_wait_for_the_plugin_to_come_back() {
    let durable = COUNTER.replace("[limits]", "durable = true\n[limits]");
    let rig = placed("counter", &one_node(&durable), Where::Here).await;
    rig.runs("counter", &guest("counter")).await;
    // The first is wanted again and again, so that the others wait.
    rig.world.emit("loop");
    for _ in 0..50 {
        rig.world.emit("x");
    }
    rig.world.place("counter", elsewhere("NATS has not confirmed that this node is there", true));
    rig.plugin("counter", "elsewhere", is_elsewhere).await;
    assert_eq!(rig.world.held(), (0, 0, 0), "nothing comes meanwhile");
    let kept = rig.world.kept("counter");
    rig.world.emit("another node's");
    assert_eq!(rig.world.kept("counter"), kept);
    rig.world.place("counter", Where::Here);
    let all = |said: &support::world::Said| {
        let seqs: BTreeSet<String> = World::said_to(said, "test.out")
            .iter()
            .filter_map(|text| Some(text.split_once(' ')?.0.to_owned()))
            .collect();
        (2..=51).all(|seq| seqs.contains(&seq.to_string()))
    };
    rig.world.says("all that was kept", all).await;
    rig.stop().await;
}

/// Has the calls with an even number.
#[derive(Debug)]
struct Half(u64);

impl plugin_host::ports::Part for Half {
    fn has(&self, about: &str) -> bool {
        // "pbx1/\"c12\""
        let call = about.chars().skip_while(|it| *it != 'c').filter(char::is_ascii_digit);
        call.collect::<String>().parse::<u64>().is_ok_and(|call| call % 2 == self.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_part_gets_that_part_and_another_one_when_it_changes() {
    let toml = format!("{COUNTER}shards = 2\n[placement]\nrun = \"shards\"\n");
    let rig = placed("sharded", &toml, Where::Part(Arc::new(Half(0)))).await;
    rig.runs("sharded", &guest("sharded")).await;
    let emit = || {
        for call in 0..40 {
            rig.world.emit(&format!("{{\"call\":\"c{call}\"}}"));
        }
    };
    let calls = |said: &support::world::Said| -> Vec<String> {
        let texts = World::said_to(said, "test.out");
        texts.iter().map(|text| text.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    emit();
    let said = rig.world.says("one half", |said| calls(said).len() == 20).await;
    let even: BTreeSet<String> = (0..40).step_by(2).map(|call| format!("c{call}")).collect();
    assert_eq!(calls(&said).into_iter().collect::<BTreeSet<_>>(), even);
    // Another part needs no other instance.
    rig.world.place("sharded", Where::Part(Arc::new(Half(1))));
    let both = async {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
        while calls(&rig.world.says("anything", |_| true).await).iter().all(|it| even.contains(it))
        {
            pace.tick().await;
            rig.world.emit("{\"call\":\"c1\"}");
        }
    };
    tokio::time::timeout(support::PATIENCE, both).await.expect("the other half");
    assert_eq!(rig.host.show("sharded").unwrap().incarnation, 1);
    // Alone again, it has all.
    rig.world.place("sharded", Where::Here);
    let whole = async {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(20));
        let has = |said: &support::world::Said| calls(said).iter().any(|call| call == "c100");
        while !has(&rig.world.says("anything", |_| true).await) {
            pace.tick().await;
            rig.world.emit("{\"call\":\"c100\"}");
        }
    };
    tokio::time::timeout(support::PATIENCE, whole).await.expect("all of it");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_placement_begins_anew() {
    let rig = placed("counter", COUNTER, Where::Here).await;
    rig.runs("counter", &guest("counter")).await;
    rig.world.emit("x");
    rig.world.says("a count", |said| World::said_to(said, "test.out").len() == 1).await;
    rig.put("counter.toml", one_node(COUNTER).as_bytes());
    rig.plugin("counter", "the second instance", |it| it.incarnation == 2).await;
    rig.world.emit("x");
    let said = rig.world.says("two", |said| World::said_to(said, "test.out").len() == 2).await;
    assert_eq!(World::said_to(&said, "test.out"), ["1 1", "2 1"], "nothing was handed over");
    rig.stop().await;
}
