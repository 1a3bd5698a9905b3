//! Does the harm that an event, or a setting, names: what careless and hostile plugins try.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:villain;
        world guest {
            include telepulse:plugin/basics@0.1.0;
            import telepulse:plugin/bus-blocking@0.1.0;
            import telepulse:plugin/kv@0.1.0;
            import telepulse:plugin/connections@0.1.0;
            export telepulse:plugin/lifecycle@0.1.0;
            export telepulse:plugin/handoff@0.1.0;
            export telepulse:plugin/subscriber@0.1.0;
        }
    ",
    world: "test:villain/guest",
    generate_all,
});

mod outside;

use exports::telepulse::plugin::{handoff, lifecycle, subscriber};
use std::hint::black_box;
use telepulse::plugin::{bus, bus_blocking, clock, config, connections, kv, log, metrics, types};

struct Villain;

impl lifecycle::Guest for Villain {
    fn init(_: lifecycle::StartInfo) -> Result<(), String> {
        match config::get("init").as_deref() {
            Some(trick) => do_harm(trick.trim_matches('"')).map(drop),
            None => Ok(()),
        }
    }

    fn drain(_: u64) {
        if let Some(trick) = config::get("drain") {
            let _ = do_harm(trick.trim_matches('"'));
        }
    }
}

impl handoff::Guest for Villain {
    fn save() -> Result<Vec<u8>, String> {
        match config::get("save").as_deref() {
            Some("\"huge\"") => Ok(vec![1; 17 << 20]),
            Some(trick) => do_harm(trick.trim_matches('"')).map(String::into_bytes),
            None => Ok(Vec::new()),
        }
    }

    fn restore(_: Vec<u8>) -> Result<(), String> {
        match config::get("restore").as_deref() {
            Some(trick) => do_harm(trick.trim_matches('"')).map(drop),
            None => Ok(()),
        }
    }
}

impl subscriber::Guest for Villain {
    fn handle(batch: Vec<types::Event>) -> Result<u32, (u32, types::Failure)> {
        let mut done = 0;
        for event in &batch {
            let trick = String::from_utf8_lossy(&event.payload);
            match &*trick {
                "claim" => return Ok(u32::MAX),
                "claim-failed" => {
                    return Err((u32::MAX, types::Failure::Skip("more than all".into())));
                }
                "retry" => return Err((done, types::Failure::Retry("for ever".into()))),
                trick => {
                    let said = do_harm(trick).unwrap_or_else(|why| format!("refused: {why}"));
                    let _ = bus::publish(&out(), said.as_bytes());
                }
            }
            done += 1;
        }
        Ok(done)
    }
}

/// Where it says what came of it.
fn out() -> String {
    config::get("out").unwrap_or_default().trim_matches('"').to_owned()
}

/// Answers what came of it.
fn do_harm(trick: &str) -> Result<String, String> {
    let (trick, argument) = trick.split_once(' ').unwrap_or((trick, ""));
    match trick {
        "spin" => loop {
            black_box(());
        },
        "busy" => {
            let until = clock::now_ns() + argument.parse::<u64>().unwrap_or(0) * 1_000_000;
            while clock::now_ns() < until {}
            Ok("done".to_owned())
        }
        "use-memory" => {
            let used = black_box(vec![1u8; 48 << 20]);
            Ok(format!("{} bytes", used.len()))
        }
        "hog" => {
            let mut hog = Vec::new();
            loop {
                hog.push(black_box(vec![1u8; 1 << 20]));
            }
        }
        "trap" => panic!("told to"),
        "deep" => Ok(format!("{}", recurse(u64::MAX))),
        "exit" => std::process::exit(0),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(3_600));
            Ok("slept".to_owned())
        }
        "log" => {
            (0..20_000)
                .for_each(|line| log::write(log::Level::Info, &format!("flood {line}"), &[]));
            Ok("logged".to_owned())
        }
        "long-line" => {
            log::write(log::Level::Info, &"\u{1b}[31m\n".repeat(100_000), &[]);
            Ok("logged".to_owned())
        }
        "stderr" => {
            (0..2_000).for_each(|line| eprintln!("flood {line}"));
            Ok("written".to_owned())
        }
        "labels" => {
            for call in 0..20_000 {
                let label = types::Pair { key: "call".into(), value: call.to_string() };
                metrics::add("calls", 1, &[label]);
            }
            Ok("measured".to_owned())
        }
        "publish" => bus::publish(argument, b"{}").map(|()| "published".to_owned()),
        "huge-publish" => bus::publish(&out(), &vec![b' '; 60 << 20]).map(|()| "published".into()),
        "large-publish" => bus::publish(&out(), &vec![b' '; 2 << 20]).map(|()| "published".into()),
        "request" => bus_blocking::request(argument, b"{}", 0).map(|_| "answered".to_owned()),
        "submits" => {
            let sent = (0..10_000)
                .take_while(|_| bus::submit("test.void", b"{}", u32::MAX, None, &[]).is_ok());
            Ok(format!("{} sent", sent.count()))
        }
        "timers" => {
            (0..80_000).for_each(|id| clock::set_timer(id, u64::MAX, Some(0)));
            Ok("set".to_owned())
        }
        "random" => Ok(format!("{} bytes", clock::random(u32::MAX).len())),
        "kv" => kv::set("large", &vec![0; 4096], None).map(|()| "kept".to_owned()),
        "kv-key" => kv::set(&"k".repeat(100_000), b"", None).map(|()| "kept".to_owned()),
        "keep" => kv::set("mine", argument.as_bytes(), None).map(|()| "kept".to_owned()),
        "theft" => kv::get(argument).map(|value| format!("{value:?}")),
        "send" => {
            let frame = connections::Frame::Text("boo".into());
            Ok(format!("refused for {:?}", connections::send(&[1, 2, u64::MAX], &[frame])))
        }
        "login" => connections::login(1, "guess").map(|who| who.name),
        "attach" => connections::attach(1, 1, "{\"\":", None).map(|_| "attached".to_owned()),
        "secret" => Ok(format!("{:?} {:?}", config::secret("other"), std::env::vars().count())),
        "file" => outside::file(argument),
        "connect" => outside::connect(argument),
        "fetch" => outside::fetch(argument),
        "handles" => Ok(format!("{} handles", outside::handles())),
        other => Ok(format!("good: {other}")),
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    if depth == 0 { 0 } else { recurse(depth - 1) + black_box(room)[3] }
}

export!(Villain);
