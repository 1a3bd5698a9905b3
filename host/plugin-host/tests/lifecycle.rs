//! From a file in the folder to a running plugin and back: grants, orders, settings, hostile starts.

mod support;

use bytes::Bytes;
use plugin_host::{ControlError, State, ports::Verdict};
use std::fs;
use support::{
    COUNTER, Rig,
    guests::{asking, guest, hash, variant},
    world::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_component_waits_for_the_grants_that_it_needs() {
    let rig = Rig::with(&[("counter", &guest("counter"), "")]).await;
    let status = rig.host.show("counter").unwrap();
    assert_eq!(status.state, State::Waiting);
    assert_eq!(status.missing, ["subscribe", "publish"]);
    assert!(status.error.unwrap().contains("counter.toml"));
    assert_eq!(rig.world.held(), (0, 0, 0));
    rig.put("counter.toml", COUNTER.as_bytes());
    let status = rig.plugin("counter", "running", |it| it.state == State::Running).await;
    assert_eq!((status.missing, status.error), (vec![], None));
    assert!(
        status.imports.iter().any(|import| import.contains("bus") && import.contains("publish"))
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_says_why() {
    let counter = guest("counter");
    let rig = Rig::with(&[
        ("cut", &counter[..1000], COUNTER),
        ("good", &counter, COUNTER),
        ("greedy", &guest("greedy-init"), COUNTER),
        ("loops", &guest("looping-init"), COUNTER),
        ("refuses", &counter, &format!("{COUNTER}[settings]\ninit = \"not today\"")),
        ("stranger", &guest("stranger"), COUNTER),
        ("text", b"hello", COUNTER),
        ("toml", &counter, "[grants]\nconnections = []\npublish = 3"),
        ("traps", &guest("trapping-init"), COUNTER),
    ])
    .await;
    let expected = [
        ("cut", "no component"),
        ("greedy", "lifecycle.init failed: it wants more memory than limits.memory, 64 MiB"),
        // Having computed for 200 ms or, on a machine that is busy elsewhere, for too long by the clock.
        ("loops", "lifecycle.init was stopped after "),
        ("refuses", "lifecycle.init: \"not today\""),
        ("stranger", "test:stranger/wishes"),
        ("text", "no component"),
        ("toml", "line 2: grants.connections: this build cannot grant it yet"),
        ("traps", "this build does not start"),
    ];
    for (name, reason) in expected {
        let status = rig.host.show(name).unwrap();
        let error = status.error.unwrap();
        assert_eq!(status.state, State::Failed, "{name}");
        assert!(error.contains(reason), "{name}: {error}");
    }
    assert!(rig.host.show("toml").unwrap().error.unwrap().contains("line 3: grants.publish"));
    // The one good plugin is alive among them.
    rig.world.emit("x");
    let said = rig.world.says("a count", |said| !World::said_to(said, "test.out").is_empty()).await;
    assert_eq!(World::said_to(&said, "test.out"), ["1 1"]);
    // A status is what `GET /plugins` shows.
    let shown = serde_json::to_value(rig.host.show("good").unwrap()).unwrap();
    assert_eq!(shown["state"], "running");
    assert_eq!(shown["incarnation"], 1);
    assert!(shown.get("error").is_none() && shown.get("missing").is_none(), "{shown}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_does_not_keep_a_failed_plugin_down() {
    let good = guest("counter");
    let rig = Rig::with(&[("counter", &good, COUNTER)]).await;
    // Twice alone and once in company: it fails three times before it is set aside.
    rig.world.emit("trap");
    rig.plugin("counter", "a failure", |it| it.error.is_some()).await;
    rig.put("counter.wasm", b"no component");
    rig.plugin("counter", "refused", |it| it.refused.is_some()).await;
    rig.world.emit("x");
    let counted = |said: &support::world::Said| {
        World::said_to(said, "test.out").iter().any(|text| text.starts_with("2 "))
    };
    rig.world.says("the event after it", counted).await;
    rig.put("counter.wasm", &good);
    let status = rig.plugin("counter", "as before", |it| it.refused.is_none()).await;
    assert_eq!((status.state, status.error), (State::Running, None));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn precompiled_code_and_links_are_refused() {
    let rig = Rig::start().await;
    let engine = wasmtime::Engine::default();
    rig.put("native.wasm", &engine.precompile_component(&guest("counter")).unwrap());
    let native = rig.plugin("native", "refused", |it| it.state == State::Failed).await;
    assert!(native.error.unwrap().contains("precompiled"));
    let elsewhere = rig.folder.path().join("elsewhere.wasm");
    fs::write(&elsewhere, guest("counter")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, rig.path("linked.wasm")).unwrap();
    let linked = rig.plugin("linked", "refused", |it| it.state == State::Failed).await;
    assert!(linked.error.unwrap().contains("no regular file"));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_alone_start_a_new_instance_with_the_old_state() {
    let rig = Rig::with(&[("counter", &guest("counter"), COUNTER)]).await;
    rig.world.emit("x");
    rig.world.says("a count", |said| said.len() == 2).await;
    rig.put("counter.toml", format!("{COUNTER}[settings]\na = 1").as_bytes());
    rig.plugin("counter", "the second instance", |it| it.incarnation == 2).await;
    rig.world.emit("x");
    let said = rig.world.says("two", |said| World::said_to(said, "test.out").len() == 2).await;
    assert_eq!(World::said_to(&said, "test.out"), ["1 1", "2 2"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_component_is_drained_and_unloaded() {
    let rig = Rig::with(&[("counter", &guest("counter"), COUNTER)]).await;
    assert_eq!(rig.world.held(), (1, 0, 0));
    fs::remove_file(rig.path("counter.wasm")).unwrap();
    rig.until("nothing", std::collections::BTreeMap::is_empty).await;
    assert_eq!(rig.world.held(), (0, 0, 0));
    let said = rig.world.says("drained", |said| said.iter().any(|it| it.2 == "drained")).await;
    assert_eq!(said.len(), 2);
    rig.put("counter.wasm", &guest("counter"));
    rig.plugin("counter", "back", |it| it.state == State::Running && it.incarnation == 1).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_carried_out() {
    let good = guest("counter");
    let rig = Rig::start().await;
    rig.put("counter.toml", COUNTER.as_bytes());
    let status = rig.host.install("counter", Bytes::from(good.clone())).await.unwrap();
    assert_eq!((status.state, status.incarnation), (State::Running, 1));
    assert_eq!(rig.host.reload("counter").await.unwrap().incarnation, 2);

    let status = rig.host.stop("counter").await.unwrap();
    assert_eq!((status.state, rig.world.held()), (State::Stopped, (0, 0, 0)));
    let status = rig.host.start_plugin("counter").await.unwrap();
    assert_eq!((status.state, status.incarnation), (State::Running, 3));

    let refused = rig.host.install("counter", Bytes::from_static(b"nonsense")).await;
    assert!(matches!(refused, Err(ControlError::Refused(_))), "{refused:?}");
    assert_eq!(fs::read(rig.path("counter.wasm")).unwrap(), good);
    let other = variant(&good, 1);
    let status = rig.host.install("counter", Bytes::from(other.clone())).await.unwrap();
    assert_eq!(status.hash, Some(support::guests::hash(&other)));

    assert_eq!(rig.host.remove("counter").await.unwrap().state, State::Stopped);
    rig.until("nothing", std::collections::BTreeMap::is_empty).await;
    assert!(!rig.path("counter.wasm").exists() && rig.path("counter.toml").exists());
    assert!(matches!(rig.host.stop("counter").await, Err(ControlError::Unknown(_))));
    assert!(matches!(rig.host.reload("../x").await, Err(ControlError::Name(_))));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_again_and_again_stays_down_until_it_is_started() {
    let rig = Rig::with(&[("late", &guest("late-trap"), COUNTER)]).await;
    let world = rig.world.clone();
    let failed = rig.plugin("late", "given up", |it| {
        // Each new instance finds a reason to fail.
        world.emit("x");
        world.emit("x");
        it.state == State::Failed
    });
    // The first event sets it going; every status after that brings the next.
    rig.world.emit("x");
    let status = failed.await;
    assert!(status.error.unwrap().contains("failed too often"));
    assert_eq!(rig.world.held(), (0, 0, 0));
    assert_eq!(rig.host.start_plugin("late").await.unwrap().state, State::Running);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_reaches_only_what_it_was_granted() {
    let rig = Rig::with(&[("counter", &guest("counter"), COUNTER)]).await;
    rig.world.emit("trespass");
    let said =
        rig.world.says("the denial", |said| said.iter().any(|it| it.2.contains("grant"))).await;
    assert!(said.iter().all(|(_, address, _)| address != "telepulse.event.forged"));
    let denial = World::said_to(&said, "test.log");
    assert!(denial.iter().any(|text| text.contains("telepulse.event.forged")), "{denial:?}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_neighbours_are_bounded_and_others_live() {
    let wasm = guest("counter");
    let hostile = COUNTER.replace("mailbox = 100000", "memory = \"16 MiB\"");
    let rig = Rig::with(&[("hostile", &wasm, &hostile)]).await;
    // A loop, and memory without end: both end the instance, not the host.
    for payload in ["loop", "hog"] {
        rig.world.emit(payload);
    }
    let error = rig
        .plugin("hostile", "stopped in its loop", |it| {
            it.error.as_ref().is_some_and(|error| error.contains("after computing for 50ms"))
        })
        .await;
    assert!(error.error.unwrap().contains("callMs"));
    rig.put("good.toml", COUNTER.as_bytes());
    rig.put("good.wasm", &variant(&wasm, 1));
    rig.plugin("good", "running beside", |it| it.state == State::Running).await;
    rig.world.emit("x");
    rig.world
        .says("the neighbour", |said| said.iter().any(|it| it.0 == "good" && it.1 == "test.out"))
        .await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_keeps_outlives_its_instances() {
    const GRANTS: &str =
        "[grants]\nsubscribe = [\"test.in\"]\npublish = [\"test.out\"]\nkv = \"1 KiB\"\n";
    let keeper = guest("keeper");
    let without = GRANTS.replace("kv = \"1 KiB\"\n", "");
    let rig = Rig::with(&[("keeper", &keeper, GRANTS), ("other", &keeper, &without)]).await;
    let waiting = rig.host.show("other").unwrap();
    assert_eq!((waiting.state, waiting.missing), (State::Waiting, vec!["kv".to_owned()]));

    let large = format!("set b {}", "x".repeat(2_000));
    let exchange = [
        ("set a 1", "set"),
        ("get a", "1"),
        ("count n", "1"),
        ("count n", "2"),
        ("keys ", "a,n"),
        ("reload", ""),
        ("get a", "1"),
        ("count n", "3"),
        ("take a", "1"),
        ("take a", "nothing"),
        (&large, "refused: no room"),
    ];
    let mut expected = Vec::new();
    for (order, answer) in exchange {
        if order == "reload" {
            let before = rig.host.show("keeper").unwrap().incarnation;
            let after = rig.host.reload("keeper").await.unwrap().incarnation;
            assert!(after > before, "another instance");
            continue;
        }
        rig.world.emit(order);
        expected.push(answer);
        let said = rig.world.says(order, |said| said.len() == expected.len()).await;
        assert_eq!(World::said_to(&said, "test.out"), expected);
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_decides_and_its_failures_are_told() {
    const GRANTS: &str = "[grants]\npolicy = { commands = [\"dial\"] }\n[limits]\ncallMs = 50\n";
    let rig = Rig::with(&[("warden", &guest("warden"), GRANTS)]).await;
    let to = |number: &str| format!("{{\"action\":\"dial\",\"to\":\"{number}\"}}");
    let decides = async |number: &str| rig.world.decides(&to(number)).await.unwrap();
    assert_eq!(decides("101").await, Ok(Verdict::Allow));
    assert_eq!(decides("666").await, Ok(Verdict::Refuse("ann does not call 666".to_owned())));
    assert_eq!(decides("999").await, Ok(Verdict::Change(to("112").into())));
    // Who trapped or was stopped has decided nothing; the next instance decides again.
    for deadly in ["13", "1"] {
        let before = rig.host.show("warden").unwrap().incarnation;
        assert_eq!(decides(deadly).await, Err("it is down".to_owned()), "{deadly}");
        rig.until("another instance", |all| all["warden"].incarnation > before).await;
        assert_eq!(decides("101").await, Ok(Verdict::Allow));
    }
    // Down, or not to be started: it is asked all the same, and the grant says what counts.
    rig.host.stop("warden").await.unwrap();
    assert_eq!(decides("101").await, Err("it is down".to_owned()));
    rig.put("warden.wasm", b"no component");
    rig.host.reload("warden").await.unwrap();
    assert_eq!(rig.world.decided(), ["dial"]);
    // Without the grant, or without the plugin, nobody is asked.
    rig.host.remove("warden").await.unwrap();
    assert_eq!(rig.world.decides(&to("101")).await, None);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_ran_is_gone_back_to_with_its_grants() {
    let first = guest("counter");
    let (second, third) = (variant(&first, 2), variant(&first, 3));
    let rig = Rig::with(&[("counter", &first, COUNTER)]).await;
    let hashes = async || -> Vec<String> {
        let history = rig.host.history("counter").await.unwrap();
        history.into_iter().map(|past| past.hash).collect()
    };
    let nothing = rig.host.roll_back("counter", None).await.unwrap_err();
    assert!(nothing.to_string().contains("no other build"), "{nothing}");
    let more = format!("{COUNTER}callMs = 60\n");
    rig.put("counter.toml", more.as_bytes());
    for build in [&second, &third] {
        rig.put("counter.wasm", build);
        rig.runs("counter", build).await;
    }
    // One that is refused has never run.
    rig.put("counter.wasm", b"no component");
    rig.refuses("counter", b"no component").await;
    let status = rig.host.roll_back("counter", None).await.unwrap();
    assert_eq!((status.hash.as_deref(), status.refused), (Some(&*hash(&second)), None));
    assert_eq!(fs::read(rig.path("counter.wasm")).unwrap(), second);

    let status = rig.host.roll_back("counter", Some(&hash(&first)[..8])).await.unwrap();
    assert_eq!(status.hash.as_deref(), Some(&*hash(&first)));
    assert_eq!(fs::read_to_string(rig.path("counter.toml")).unwrap(), COUNTER);
    let unknown = rig.host.roll_back("counter", Some("0123456789")).await.unwrap_err();
    assert!(unknown.to_string().contains("0123456789"), "{unknown}");
    let expected = [&first, &second, &third, &second, &first].map(|build| hash(build));
    let told = hashes().await;
    assert_eq!(told[told.len() - 4..], expected[1..], "{told:?}");
    // What was removed can be had again.
    rig.host.remove("counter").await.unwrap();
    rig.host.roll_back("counter", Some(&hash(&third))).await.unwrap();
    rig.runs("counter", &third).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_asks_for_is_granted_by_approving_it() {
    const ASKS: &str = "version = \"1\"\ndescription = \"keeps values for tests of asking\"\n[asks]\n\
         subscribe = [\"test.in\"]\npublish = [\"test.out\"]\nkv = \"1 KiB\"\n";
    let keeper = guest("keeper");
    let first = asking(&keeper, ASKS);
    let mine = "[limits]\ncallMs = 70 # mine\n";
    let unasked = asking(&keeper, &ASKS.replace("kv = \"1 KiB\"", "description = 3"));
    let rig = Rig::with(&[
        ("keeper", &first, mine),
        ("other", &asking(&keeper, &ASKS.replace("kv = \"1 KiB\"", "#")), mine),
        ("broken", &unasked, mine),
        ("silent", &keeper, mine),
    ])
    .await;
    let error = |name: &str| rig.host.show(name).unwrap().error.unwrap();
    assert!(error("other").contains("telepulse:manifest does not ask for kv (it imports kv)"));
    assert!(error("broken").contains("telepulse:manifest: line 6: asks.description: unknown"));
    let silent = rig.host.approve("silent", None).await.unwrap_err().to_string();
    assert!(silent.contains("no section telepulse:manifest"), "{silent}");

    let waiting = rig.host.show("keeper").unwrap();
    let lacks = ["subscribe \"test.in\"", "publish \"test.out\"", "kv \"1 KiB\""];
    assert_eq!((waiting.state, &*waiting.missing), (State::Waiting, &lacks.map(str::to_owned)[..]));
    assert!(waiting.error.unwrap().contains("`telepulse plugins approve keeper`"));
    let another = rig.host.approve("keeper", Some("0123")).await.unwrap_err().to_string();
    assert!(another.contains("another one by now"), "{another}");
    let status = rig.host.approve("keeper", waiting.hash.as_deref()).await.unwrap();
    assert_eq!(
        (status.state, status.asks, status.missing.len()),
        (State::Running, lacks.map(str::to_owned).to_vec(), 0)
    );
    let toml = fs::read_to_string(rig.path("keeper.toml")).unwrap();
    assert!(toml.contains("callMs = 70 # mine"), "{toml}");

    // A build that wants more: the one before goes on until the operator has agreed.
    let more = asking(&keeper, &format!("{ASKS}request = [\"test.ask\"]\n"));
    rig.put("keeper.wasm", &more);
    let status = rig.plugin("keeper", "refused", |it| it.refused.is_some()).await;
    assert_eq!((status.state, status.incarnation), (State::Running, 1));
    assert_eq!(
        (status.missing, status.refused_asks.len()),
        (vec!["request \"test.ask\"".to_owned()], 4)
    );
    let status = rig.host.approve("keeper", status.refused.as_deref()).await.unwrap();
    assert_eq!((status.hash, status.incarnation), (Some(hash(&more)), 2));
    assert_eq!((status.missing.len(), status.refused), (0, None));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_too_often_is_quarantined() {
    let counter = guest("counter");
    let rig = Rig::with(&[("counter", &counter, COUNTER)]).await;
    for _ in 0..6 {
        rig.world.emit("fatal");
    }
    let status = rig.plugin("counter", "failed", |it| it.state == State::Failed).await;
    assert_eq!(status.quarantined, Some(hash(&counter)));
    assert!(status.error.unwrap().contains("failed too often"));
    assert!(status.mishaps.len() >= 6, "{:?}", status.mishaps);
    let aside = rig.host.aside("counter").unwrap();
    assert!(!aside.is_empty() && aside[0].payload == "fatal", "{aside:?}");
    assert!(aside[0].why.contains("told to"), "{aside:?}");
    // The same once more changes nothing; another one, or the operator's word, does.
    rig.put("counter.wasm", &counter);
    rig.put("other.wasm", &counter);
    rig.put("other.toml", COUNTER.as_bytes());
    rig.plugin("other", "running", |it| it.state == State::Running).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(rig.host.show("counter").unwrap().state, State::Failed);
    rig.put("counter.wasm", &variant(&counter, 2));
    let status = rig.plugin("counter", "running", |it| it.state == State::Running).await;
    assert_eq!(status.quarantined, None);
    rig.stop().await;
}
