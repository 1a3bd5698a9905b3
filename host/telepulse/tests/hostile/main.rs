//! Careless and hostile plugins beside a healthy one: what each tries is denied, told under its name,
//! and hurts nobody else. What hurts the compiler is in `compiling.rs`, what reaches for servers
//! outside in `outgoing.rs`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(unreachable_pub, reason = "modules of one test")]

mod crafted;
mod rig;

use crafted::Crafted;
use plugin_host::{Figures, State};
use rig::Rig;

/// What a plugin tries when it is told to, and what comes of it.
struct Trick {
    /// The event that tells it, with the words of `tests/guests/villain`.
    told: &'static str,
    /// What it says of it, or what is said of its end.
    outcome: Outcome,
    /// What is counted under its name.
    counted: fn(&Figures) -> bool,
}

enum Outcome {
    /// It lives, and says this.
    Says(&'static str),
    /// Its instance is ended with this error, and there is another.
    Ends(&'static str),
}

use Outcome::{Ends, Says};

const fn trick(told: &'static str, outcome: Outcome, counted: fn(&Figures) -> bool) -> Trick {
    Trick { told, outcome, counted }
}

const TRICKS: &[Trick] = &[
    // Computing, memory, waiting.
    trick("spin", Ends("stopped after computing for 300ms"), |it| it.timeouts == 2),
    trick("hog", Ends("more memory than limits.memory, 64 MiB"), |it| it.restarts == 2),
    trick("deep", Ends("out of bounds memory access"), |it| it.restarts == 2),
    trick("trap", Ends("told to"), |it| it.restarts == 2),
    trick("exit", Ends("exit"), |it| it.restarts == 2),
    // Floods.
    trick("log", Says("logged"), |it| it.lines_refused > 5_000),
    trick("long-line", Says("logged"), |_| true),
    trick("stderr", Says("written"), |it| it.lines_refused > 100),
    trick("labels", Says("measured"), |it| it.measures_refused > 15_000),
    trick("submits", Says("1024 sent"), |it| it.denied == 1),
    trick("timers", Says("set"), |it| it.denied > 10_000),
    trick("huge-publish", Ends("too much data"), |it| it.restarts == 2),
    trick("large-publish", Says("refused: the payload has 2097152 bytes"), |it| it.denied == 1),
    trick("random", Ends("at most 4096 bytes"), |it| it.restarts == 2),
    trick("handles", Ends("table"), |it| it.restarts == 2),
    // What is not granted, or nobody's.
    trick("publish test.other", Says("refused: no grant"), |it| it.denied == 1),
    trick(
        "publish telepulse.event.activeLines",
        Says("refused: activeLines is the core's"),
        |_| true,
    ),
    trick("publish telepulse.proxy.event.a.Hangup", Says("refused: no plugin publishes"), |it| {
        it.denied == 1
    }),
    trick("request telepulse.command", Says("refused: no grant"), |it| it.denied == 1),
    trick("request test.void", Says("refused: nobody serves"), |_| true),
    trick("kv", Says("refused: there is no room"), |_| true),
    trick("kv-key", Says("refused: "), |_| true),
    trick("theft mine", Says("None"), |_| true),
    trick("send", Says("refused for [1, 2, 18446744073709551615]"), |_| true),
    trick("login", Says("refused: "), |_| true),
    trick("attach", Says("refused: filter"), |_| true),
    trick("secret", Says("None 0"), |_| true),
    trick("file /etc/passwd", Says("refused: "), |_| true),
    trick("connect 127.0.0.1:22", Says("refused: "), |_| true),
    trick("fetch 127.0.0.1:80", Says("refused: ErrorCode::HttpRequestDenied"), |it| it.denied == 1),
];

/// Settings with which a plugin does harm before it runs, and why it does not.
const STARTS: &[(&str, &str)] = &[
    ("spin", "lifecycle.init was stopped after"),
    ("hog", "lifecycle.init failed: it wants more memory"),
    ("trap", "told to"),
    ("exit", "exit"),
    ("publish telepulse.proxy.action", "lifecycle.init: no plugin publishes to"),
    ("request telepulse.command", "lifecycle.init: no grant"),
];

/// Components made by hand, and why they do not run.
fn crafted() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let spin = "(loop (br 0)) (unreachable)";
    let module = wat::parse_str("(module (func (export \"f\")))").unwrap();
    let engine = wasmtime::Engine::default();
    let native = engine.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap();
    vec![
        ("module", module, "no component"),
        ("native", native, "precompiled native code"),
        ("cut", rig::guest("idle")[..900].to_vec(), "no component"),
        ("text", b"hello".to_vec(), "no component"),
        ("empty", wat::parse_str("(component)").unwrap(), "exports no handler"),
        ("stranger", rig::guest("stranger"), "test:stranger/wishes"),
        (
            "four-gigabytes",
            Crafted { memory: "65536", ..Crafted::default() }.component(),
            "limits.memory, 64 MiB",
        ),
        (
            "table",
            Crafted { fields: "(table 10000000 funcref)", ..Crafted::default() }.component(),
            "exceeds the limit",
        ),
        (
            "start",
            Crafted { fields: "(func $f (loop (br 0))) (start $f)", ..Crafted::default() }
                .component(),
            "instantiation was stopped after",
        ),
        (
            "realloc",
            Crafted { realloc: spin, ..Crafted::default() }.component(),
            "lifecycle.init was stopped after",
        ),
        (
            "realloc-lies",
            Crafted { realloc: "(i32.const -8)", ..Crafted::default() }.component(),
            "lifecycle.init failed: realloc return: beyond end of memory",
        ),
        (
            // `err` with a string of 4 GiB.
            "length-lies",
            Crafted {
                init: "(i32.store8 (i32.const 64) (i32.const 1))
                    (i32.store (i32.const 68) (i32.const 0))
                    (i32.store (i32.const 72) (i32.const -1))
                    (i32.const 64)",
                ..Crafted::default()
            }
            .component(),
            "lifecycle.init failed: ",
        ),
        (
            "result-lies",
            Crafted { init: "(i32.const -4)", ..Crafted::default() }.component(),
            "lifecycle.init failed: ",
        ),
        (
            // `result` has two cases.
            "case-lies",
            Crafted {
                init: "(i32.store8 (i32.const 64) (i32.const 77)) (i32.const 64)",
                ..Crafted::default()
            }
            .component(),
            "lifecycle.init failed: ",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_plugins_try_is_denied_told_and_survived() {
    let rig = Rig::new();
    for (number, _) in TRICKS.iter().enumerate() {
        rig.villain(&format!("trick-{number}"), "");
    }
    rig.villain("rich", "");
    let rig = rig.start().await;
    rig.tell("rich", "keep treasure", "kept").await;

    let tried =
        TRICKS.iter().enumerate().map(async |(number, Trick { told, outcome, counted })| {
            let name = format!("trick-{number}");
            match outcome {
                Says(words) => rig.tell(&name, told, words).await,
                Ends(why) => {
                    rig.emit(&name, told);
                    let wanted = |it: &plugin_host::PluginStatus| {
                        it.error.as_deref().is_some_and(|error| error.contains(why))
                    };
                    rig.status(&name, why, wanted).await;
                }
            }
            // Whatever it was, the plugin goes on; a deadly event is set aside after its second try.
            rig.tell(&name, "hello", "good: hello").await;
            let status = rig.show(&name);
            assert_eq!(status.state, State::Running, "{told}: {status:?}");
            assert!(counted(&status.figures), "{told}: {:?}", status.figures);
        });
    let healthy = rig.healthy();
    tokio::join!(futures_util::future::join_all(tried), healthy);
    offenders_are_told_by_name(&rig.metrics().await);
    rig.stop().await;
}

fn offenders_are_told_by_name(metrics: &str) {
    let value = |name: &str, told: &str| -> f64 {
        let number = TRICKS.iter().position(|trick| trick.told == told).unwrap();
        let series = format!("{name}{{plugin=\"trick-{number}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    };
    assert!(value("telepulse_plugin_timeouts_total", "spin") >= 2.0);
    assert!(value("telepulse_plugin_computed_seconds", "spin") >= 0.15);
    assert!(value("telepulse_plugin_lines_refused_total", "log") > 5_000.0);
    assert!(value("telepulse_plugin_measures_refused_total", "labels") > 15_000.0);
    assert!(value("telepulse_plugin_denied_total", "request telepulse.command") >= 1.0);
    assert!(value("telepulse_plugin_restarts_total", "hog") >= 2.0);
    let calls = metrics.lines().filter(|line| line.starts_with("plugin_calls_total{"));
    assert_eq!(calls.count(), 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why_and_keeps_nobody() {
    let rig = Rig::new();
    for (number, (trick, _)) in STARTS.iter().enumerate() {
        rig.villain(&format!("start-{number}"), &format!("init = \"{trick}\""));
    }
    let crafted = crafted();
    for (name, component, _) in &crafted {
        rig.plugin(name, component, &rig.grants(name, ""));
    }
    let rig = rig.start().await;
    rig.healthy().await;
    let starts = STARTS.iter().enumerate();
    let starts = starts.map(|(number, (_, why))| (format!("start-{number}"), *why));
    let crafted = crafted.iter().map(|(name, _, why)| ((*name).to_owned(), *why));
    for (name, why) in starts.chain(crafted) {
        let status = rig.show(&name);
        assert_eq!(status.state, State::Failed, "{name}: {status:?}");
        let error = status.error.unwrap();
        assert!(error.contains(why), "{name}: {error}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_misbehaves_is_not_taken_and_a_predecessor_keeps_nobody() {
    let rig = Rig::new();
    for name in ["huge", "spin-save", "trap-restore", "spin-drain"] {
        let settings = match name {
            "huge" => "save = \"huge\"",
            "spin-save" => "save = \"spin\"",
            "spin-drain" => "drain = \"spin\"",
            _ => "",
        };
        rig.villain(name, settings);
    }
    rig.plugin("sleeper", &rig::guest("sleeper"), &rig.grants("sleeper", ""));
    let rig = rig.start().await;
    let plugins = rig.app.plugins();
    // Too much state: the one that runs goes on.
    let status = plugins.reload("huge").await.unwrap();
    assert_eq!(status.incarnation, 1);
    assert!(status.error.unwrap().contains("16 MiB are the most"));
    rig.tell("huge", "hello", "good").await;
    // It dies of saving: the next one starts without.
    let status = plugins.reload("spin-save").await.unwrap();
    assert_eq!((status.incarnation, status.state), (2, State::Running));
    rig.tell("spin-save", "hello", "good").await;
    // The successor dies of restoring.
    let worse = rig.rig.grants("trap-restore", "restore = \"trap\"");
    std::fs::write(rig.rig.path("trap-restore.toml"), worse).unwrap();
    let status = plugins.reload("trap-restore").await.unwrap();
    assert_eq!(status.incarnation, 1);
    assert!(status.error.unwrap().contains("told to"));
    rig.tell("trap-restore", "hello", "good").await;
    // Its last call never ends.
    let status = plugins.stop("spin-drain").await.unwrap();
    assert_eq!(status.state, State::Stopped);
    // It waits without computing; the event is set aside after its second try.
    rig.emit("sleeper", "{}");
    let slept = |it: &plugin_host::PluginStatus| it.figures.timeouts > 0 || it.incarnation > 2;
    let status = rig.status("sleeper", "woken", slept).await;
    assert!(status.error.unwrap().contains("subscriber.handle was stopped after 3s"));
    rig.healthy().await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_about_what_was_done_change_nothing() {
    let rig = Rig::new();
    rig.villain("liar", "");
    let rig = rig.start().await;
    rig.emit("liar", "claim");
    rig.figures("liar", |it| it.handled == 1).await;
    rig.tell("liar", "hello", "good").await;
    rig.emit("liar", "claim-failed");
    rig.figures("liar", |it| it.handled == 3).await;
    rig.tell("liar", "again", "good: again").await;
    // For ever is ten times: then it is set aside.
    rig.emit("liar", "retry");
    rig.tell("liar", "later", "good: later").await;
    let figures = rig.show("liar").figures;
    assert_eq!((figures.poisoned, figures.restarts), (1, 0), "{figures:?}");
    rig.stop().await;
}
