//! The history of calls, as it is asked for while and after calls end.

use super::*;
use crate::bus::LocalBus;
use serde_json::{from_value, json};
use telepulse_language::{Event, Filter, QueryKind, Timestamp};
use tempfile::TempDir;

const ALL: config::Calls = config::Calls { number: 100_000, days: None };

/// The end of the call `number`, told to `agents`, so many milliseconds after the epoch.
fn ends(number: u64, ms: u64, agents: &[&str]) -> Vec<Event> {
    let event = |agent: Option<&str>| Event {
        server: "pbx1".into(),
        time: Timestamp(ms),
        agent: agent.map(Into::into),
        queue: None,
        details: from_value::<telepulse_language::CallEnded>(json!({
            "call": format!("pbx1-{number}"), "from": "030123", "to": "201",
            "started": "2026-11-20T22:08:00.000Z", "duration": 3, "talkTime": 0,
            "disposition": "answered", "cause": 16, "causeText": "", "recordings": [],
        }))
        .unwrap()
        .into(),
    };
    let mut events: Vec<Event> = agents.iter().map(|agent| event(Some(agent))).collect();
    if events.is_empty() {
        events.push(event(None));
    }
    events
}

struct Bench {
    folder: TempDir,
    bus: Arc<dyn Bus>,
    history: History,
}

impl Bench {
    fn start(keep: config::Calls) -> Self {
        let folder = TempDir::new().unwrap();
        let bus: Arc<dyn Bus> = LocalBus::new("e".to_owned(), 10);
        let history = History::start(&bus, &folder.path().join("calls.redb"), keep).unwrap();
        Self { folder, bus, history }
    }

    async fn again(self) -> Self {
        self.again_with(ALL).await
    }

    async fn again_with(self, keep: config::Calls) -> Self {
        let Self { folder, bus, history } = self;
        history.stop().await;
        drop(history);
        let history = History::start(&bus, &folder.path().join("calls.redb"), keep).unwrap();
        Self { folder, bus, history }
    }

    async fn page(&self, filter: Value, page: Value, who: Option<Value>) -> Result<Part, Refusal> {
        let query = json!({"query": "endedCalls", "filter": filter, "page": page});
        let who = who.map(|who| from_value::<Principal>(who).unwrap());
        self.history.page(&from_value(query).unwrap(), who.as_ref()).await
    }

    /// The calls' numbers on one page, and where the next begins.
    async fn numbers(&self, filter: Value, page: Value) -> (Vec<String>, Option<String>) {
        let part = self.page(filter, page, None).await.unwrap();
        let number = |call: &Value| call["call"].as_str().unwrap().replace("pbx1-", "");
        (part.items.iter().map(number).collect(), part.next)
    }
}

#[tokio::test]
async fn what_ended_is_kept_once_with_everybody_and_survives_a_restart() {
    let bench = Bench::start(ALL);
    bench.bus.append(ends(1, 1_000, &["201", "202"]));
    bench.bus.append(ends(2, 2_000, &[]));
    let part = bench.page(json!({}), json!({}), None).await.unwrap();
    assert_eq!(part.next, None);
    assert_eq!(part.items.len(), 2);
    assert_eq!(part.items[0]["agents"], json!([]));
    assert_eq!(
        part.items[1],
        json!({
            "call": "pbx1-1", "server": "pbx1", "agents": ["201", "202"],
            "from": "030123", "to": "201", "started": "2026-11-20T22:08:00.000Z",
            "ended": "1970-01-01T00:00:01.000Z", "duration": 3, "talkTime": 0,
            "disposition": "answered", "cause": 16, "causeText": "", "recordings": [],
        })
    );
    let bench = bench.again().await;
    assert_eq!(bench.page(json!({}), json!({}), None).await.unwrap(), part);
    bench.bus.append(ends(3, 2_000, &["201"]));
    assert_eq!(bench.numbers(json!({}), json!({})).await.0, ["3", "2", "1"]);
}

#[tokio::test]
async fn what_was_answered_for_is_there_after_a_kill() {
    let bench = Bench::start(ALL);
    bench.bus.append(ends(1, 1_000, &["201"]));
    assert_eq!(bench.numbers(json!({}), json!({})).await.0, ["1"]);
    // What is in the file now is what a process that begins after a kill finds.
    let found = bench.folder.path().join("found.redb");
    std::fs::copy(bench.folder.path().join("calls.redb"), &found).unwrap();
    let bus: Arc<dyn Bus> = LocalBus::new("e".to_owned(), 10);
    let history = History::start(&bus, &found, ALL).unwrap();
    let query = Query::new(QueryKind::EndedCalls, Filter::default());
    assert_eq!(history.page(&query, None).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_call_told_in_two_batches_is_one_call() {
    let bench = Bench::start(ALL);
    for agent in ["201", "202", "203"] {
        bench.bus.append(ends(1, 1_000, &[agent]));
        bench.history.recorder.written().await.unwrap();
    }
    let part = bench.page(json!({}), json!({}), None).await.unwrap();
    assert_eq!(part.items.len(), 1);
    assert_eq!(part.items[0]["agents"], json!(["201", "202", "203"]));
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let bench = Bench::start(ALL);
    for number in 1..=5 {
        bench.bus.append(ends(number, 1_000 * number, &["201"]));
    }
    let (first, next) = bench.numbers(json!({}), json!({"limit": 2})).await;
    assert_eq!(first, ["5", "4"]);
    // What ends meanwhile is not in the way.
    bench.bus.append(ends(6, 6_000, &["201"]));
    let (second, next) = bench.numbers(json!({}), json!({"limit": 2, "before": next})).await;
    assert_eq!(second, ["3", "2"]);
    let (last, next) = bench.numbers(json!({}), json!({"limit": 2, "before": next})).await;
    assert_eq!((last, next), (vec!["1".to_owned()], None));
    let refusal = bench.page(json!({}), json!({"before": "x"}), None).await.unwrap_err();
    assert_eq!(refusal.field.as_deref(), Some("page.before"));
}

#[tokio::test]
async fn only_what_is_wanted_and_may_be_seen_is_shown() {
    let bench = Bench::start(ALL);
    for number in 1..=4 {
        let agent = if number % 2 == 0 { "202" } else { "201" };
        bench.bus.append(ends(number, 1_000 * number, &[agent]));
    }
    let all = || json!({});
    assert_eq!(bench.numbers(json!({"agents": ["202"]}), all()).await.0, ["4", "2"]);
    assert!(bench.numbers(json!({"servers": ["pbx2"]}), all()).await.0.is_empty());
    assert_eq!(bench.numbers(all(), json!({"number": "030123"})).await.0.len(), 4);
    assert!(bench.numbers(all(), json!({"number": "030124"})).await.0.is_empty());
    let (since, until) = ("1970-01-01T00:00:02.000Z", "1970-01-01T00:00:04.000Z");
    let between = json!({"since": since, "until": until});
    assert_eq!(bench.numbers(all(), between).await.0, ["3", "2"]);
    assert!(bench.numbers(all(), json!({"since": until, "until": since})).await.0.is_empty());
    assert_eq!(bench.numbers(all(), json!({"call": "pbx1-2"})).await.0, ["2"]);
    assert!(bench.numbers(all(), json!({"call": "pbx1-9"})).await.0.is_empty());
    let who = json!({"name": "anna", "agents": ["201"]});
    let hidden = bench.page(all(), json!({"call": "pbx1-2"}), Some(who.clone())).await.unwrap();
    assert_eq!(hidden.items, [] as [Value; 0]);
    let seen = bench.page(all(), all(), Some(who)).await.unwrap();
    assert_eq!(seen.items.len(), 2);
}

#[tokio::test]
async fn it_keeps_as_many_as_it_should() {
    let bench = Bench::start(config::Calls { number: 3, days: None });
    for number in 1..=5 {
        bench.bus.append(ends(number, 1_000 * number, &["201"]));
    }
    assert_eq!(bench.numbers(json!({}), json!({})).await.0, ["5", "4", "3"]);
    assert!(bench.numbers(json!({}), json!({"call": "pbx1-2"})).await.0.is_empty());
    let bench = bench.again_with(config::Calls { number: 0, days: None }).await;
    bench.bus.append(ends(6, 6_000, &["201"]));
    assert!(bench.numbers(json!({}), json!({})).await.0.is_empty());

    let bench = Bench::start(config::Calls { number: 10, days: Some(1) });
    bench.bus.append(ends(1, 1_000, &["201"]));
    let now = jiff::Timestamp::now().as_millisecond();
    bench.bus.append(ends(2, now.try_into().unwrap(), &["201"]));
    assert_eq!(bench.numbers(json!({}), json!({})).await.0, ["2"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let bench = Bench::start(ALL);
    let path = bench.folder.path().join("calls.redb");
    let taken = History::start(&bench.bus, &path, ALL).err().unwrap().to_string();
    assert!(taken.contains("calls.redb") && taken.contains("another TelePulse"), "{taken}");
    let other = bench.folder.path().join("text");
    std::fs::write(&other, "no database").unwrap();
    let wrong = History::start(&bench.bus, &other, ALL).err().unwrap().to_string();
    assert!(wrong.contains("move it away"), "{wrong}");
}
