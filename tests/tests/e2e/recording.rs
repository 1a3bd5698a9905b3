//! Recording policies on a real Asterisk, with phones that speak: what rules have recorded, what pauses it, and who
//! may hear it.

use crate::{
    platform::{Platform, SOON, TOKEN, hash},
    words,
    ws::Client,
};
use anyhow::{Context, Result, ensure};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, time::Duration};
use telepulse_language::{Details, Event, Other, Timestamp};
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::{Act, Call, Phone},
    wait,
};
use tokio::time::sleep;

const RING: Duration = Duration::from_millis(200);
/// Long enough for something to be said.
const A_MOMENT: Duration = Duration::from_secs(1);
/// Where recordings are found.
const ROOT: &str = "/v1/recordings";
/// More bytes than the plugin has memory.
const LARGE: u64 = 80 << 20;
/// So many samples are a second.
const SECOND: usize = 8_000;

/// A PBX with phones that speak, a platform with rules, and a client that is told of recordings.
struct Centre {
    pbx: Asterisk,
    platform: Platform,
    client: Client,
    /// Events that came and were not asked for yet.
    seen: Vec<Value>,
    phones: Vec<Phone>,
    folder: PathBuf,
}

impl Centre {
    /// `None` where there is no Asterisk to test with.
    async fn open(test: &str, answering: &[&str], rules: &str) -> Result<Option<Self>> {
        let Some(installation) = asterisk::require(test) else { return Ok(None) };
        let pbx = Asterisk::start(&installation, Options::default()).await?;
        let mut phones = Vec::new();
        for extension in answering {
            let speaks = [Act::Speak];
            phones.push(Phone::acting(pbx.phone_port(extension)?, RING, &speaks).await?);
        }
        let users = [
            ("sup", "allow = [\"recordings\"]"),
            ("dialler", "allow = [\"dial\"]"),
            ("own", "allow = [\"recordings\"]\nagents = [\"101\"]"),
        ];
        let users = users.map(|(name, more)| {
            let token = hash(&format!("{name}-token"));
            format!("[[auth.user]]\nname = \"{name}\"\ntoken = \"sha256:{token}\"\n{more}\n")
        });
        let platform =
            Platform::builder().server("pbx1", &pbx).raw(&users.concat()).start().await?;
        let named = if installation.root().is_some() { "/mnt/spool/monitor" } else { "" };
        let folder = pbx.file("/mnt/spool/monitor");
        fs::create_dir_all(&folder)?;
        let here = folder.display();
        let asterisk = if named.is_empty() { folder.display().to_string() } else { named.into() };
        let settings = format!(
            "[settings]\npauseSeconds = 2\n{rules}\n[[settings.folders]]\npath = \"{here}\"\n\
             asterisk = {asterisk:?}\n"
        );
        let granted = format!("files = [{{ path = \"{here}\", mode = \"ro\" }}]");
        let change = |toml: String| {
            let grants = toml.split("[settings]").next().unwrap_or_default();
            let grants = grants.replace("files = []", &granted);
            format!("{grants}\n{settings}")
        };
        platform.add("recording", change).await?;
        platform.connected("pbx1").await?;
        let mut client = Client::connect(platform.ws_port, TOKEN).await?;
        let events = [
            "agentComplete",
            "callAnswered",
            "callEnded",
            "callStarted",
            "recording",
            "recordingPolicy",
        ];
        client.ok(json!({"action": "subscribe", "filter": {"events": events}})).await?;
        Ok(Some(Self { pbx, platform, client, seen: Vec::new(), phones, folder }))
    }

    /// Waits for an event with these fields among others; each is told once, in whatever order they come.
    async fn told(&mut self, kind: &str, fields: Value) -> Result<Value> {
        let fields = fields.as_object().context("fields")?.clone();
        let is_it = |event: &Value| {
            event["event"] == *kind
                && fields.iter().all(|(key, value)| event.get(key) == Some(value))
        };
        if !self.seen.iter().any(is_it) {
            let seen = &mut self.seen;
            let what = format!("{kind} {fields:?}");
            let came = self.client.event(&what, |event| {
                seen.push(event.clone());
                is_it(event)
            });
            if let Err(error) = came.await {
                return Err(error.context(self.story().await?));
            }
        }
        let place = self.seen.iter().position(is_it).context("it was seen")?;
        let found = self.seen.remove(place);
        words::note(&format!("event-{kind}"), &found)?;
        Ok(found)
    }

    /// What everybody has to say when something did not come.
    async fn story(&self) -> Result<String> {
        let log = reqwest::get(self.platform.admin("/plugins/recording/log")).await?;
        let log = log.text().await?;
        Ok(format!("the plugin: {log}; Asterisk: {}", self.pbx.log()))
    }

    /// A CRM says that card data is spoken, or not any more.
    fn card(&self, agent: &str, change: &str) {
        let fields = [("change".to_owned(), json!(change))].into_iter().collect();
        self.platform.app.bus().append(vec![Event {
            server: "pbx1".into(),
            time: Timestamp(0),
            agent: Some(agent.into()),
            queue: None,
            details: Details::Other(Other { kind: "cardData".into(), fields }),
        }]);
    }

    async fn get(&self, user: &str, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
        self.ask(Method::GET, user, path, headers).await
    }

    async fn ask(
        &self,
        method: Method,
        user: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Response> {
        let request = reqwest::Client::new().request(method, self.platform.rest(path));
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Ok(request.bearer_auth(format!("{user}-token")).send().await?)
    }

    /// The one recording of a call, once the call is over.
    async fn listed(&self, call: &str) -> Result<Value> {
        let path = format!("{ROOT}?call={call}&agent=102");
        wait::until("the recording to be listed", SOON, async || {
            let listed: Value = self.get("sup", &path, &[]).await?.json().await?;
            let found = listed["items"].as_array().context("items")?.first().cloned();
            Ok(found.filter(|entry| entry["ended"].is_string()))
        })
        .await
    }

    async fn close(self) {
        self.platform.stop().await;
        drop((self.phones, self.pbx));
    }
}

/// The samples of a WAV file; of two channels one after the other.
fn samples(wav: &[u8]) -> Vec<i16> {
    let pairs = wav.get(44..).unwrap_or_default().chunks_exact(2);
    pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// The longest silence between two sounds.
fn longest_gap(samples: &[i16]) -> usize {
    let loud: Vec<usize> =
        samples.iter().enumerate().filter(|(_, it)| it.abs() > 100).map(|(at, _)| at).collect();
    loud.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_has_a_call_recorded_paused_found_and_heard() -> Result<()> {
    let test = "recording::a_rule_has_a_call_recorded_paused_found_and_heard";
    let rules = "[[settings.rules]]\nname = \"never\"\nqueues = [\"sales\"]\nrecord = false\n\
                 [[settings.rules]]\nname = \"support\"\nqueues = [\"support\"]\nretentionDays = 30\n\
                 file = \"{date}/{queue}/{number}-{call}.wav\"\n";
    let Some(mut centre) = Centre::open(test, &["102"], rules).await? else { return Ok(()) };
    let add = json!({"action": "queueAdd", "agent": "102", "queue": "support"});
    centre.client.ok(add).await?;
    let mut caller = Call::new("trunk", "600")
        .caller("+38511234567", "somebody")
        .patience(SOON)
        .then(Act::Speak)
        .place(&centre.pbx)?;

    let policy = centre.told("recordingPolicy", json!({"rule": "support"})).await?;
    assert_eq!((&policy["decision"], &policy["reason"]), (&json!("record"), &json!("rule")));
    assert_eq!((&policy["retentionDays"], &policy["queue"]), (&json!(30), &json!("support")));
    let call = policy["call"].as_str().context("a call")?.to_owned();
    let ordered = policy["file"].as_str().context("a file")?;
    ensure!(ordered.contains("/support/_38511234567-"), "{ordered}");
    let started = centre.told("recording", json!({"call": call, "change": "started"})).await?;
    let file = started["file"].as_str().context("a file")?.to_owned();
    ensure!(file.ends_with(ordered), "{file} and {ordered}");

    // By a command, for the call; it ends by itself.
    sleep(A_MOMENT).await;
    let pause = json!({"action": "record", "agent": "102", "change": "pause"});
    centre.client.ok(pause).await?;
    let paused = centre.told("recording", json!({"call": call, "change": "paused"})).await?;
    assert_eq!(paused["by"], "101");
    centre.told("recording", json!({"call": call, "change": "resumed"})).await?;
    sleep(A_MOMENT).await;
    // And by a CRM, as long as card data is spoken.
    centre.card("102", "start");
    centre.told("recording", json!({"call": call, "change": "paused"})).await?;
    centre.card("102", "end");
    centre.told("recording", json!({"call": call, "change": "resumed"})).await?;

    centre.client.ok(json!({"action": "hangup", "agent": "102"})).await?;
    let complete = centre.told("agentComplete", json!({"agent": "102"})).await?;
    assert_eq!((&complete["recording"], &complete["recordings"]), (&json!(file), &json!([file])));
    let ended = centre.told("callEnded", json!({"call": call})).await?;
    assert_eq!(ended["recordings"], json!([file]));
    caller.finished(SOON).await?;

    let entry = centre.listed(&call).await?;
    let steps = entry["trail"].as_array().context("a trail")?;
    let steps: Vec<_> = steps
        .iter()
        .map(|step| {
            let text = |key: &str| step[key].as_str().unwrap_or("-").to_owned();
            (text("change"), text("by"), text("why"))
        })
        .collect();
    let step =
        |change: &str, by: &str, why: &str| (change.to_owned(), by.to_owned(), why.to_owned());
    let expected = [
        step("started", "recording", "rule support"),
        step("paused", "101", "-"),
        step("resumed", "recording", "the pause has lasted"),
        step("paused", "102", "card data is spoken"),
        step("resumed", "102", "no card data is spoken any more"),
    ];
    assert_eq!(steps[..5], expected, "{steps:?}");
    assert_eq!(
        (&entry["number"], &entry["did"], &entry["queue"]),
        (&Value::Null, &json!("600"), &json!("support"))
    );

    is_heard(&centre, &entry, &file).await?;
    is_closed_to_others(&mut centre, &call, &entry).await?;
    centre.close().await;
    Ok(())
}

/// It is the very file, whole and in parts, and what was not to be heard is silence.
async fn is_heard(centre: &Centre, entry: &Value, file: &str) -> Result<()> {
    let bytes = fs::read(centre.pbx.file(file))?;
    let audio = entry["files"][0]["audio"].as_str().context("a link")?;
    let whole = centre.get("sup", audio, &[]).await?;
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.headers()["content-type"], "audio/wav");
    let tag = whole.headers()["etag"].to_str()?.to_owned();
    ensure!(whole.bytes().await? == bytes, "the whole file");
    let gap = longest_gap(&samples(&bytes));
    ensure!(gap > SECOND, "the pause of two seconds is silence: {gap} of {} bytes", bytes.len());
    let length = bytes.len();
    for (range, from, to) in [
        ("bytes=0-99".to_owned(), 0, 100),
        (format!("bytes={}-{}", length / 2, length / 2 + 999), length / 2, length / 2 + 1000),
        ("bytes=-500".to_owned(), length - 500, length),
        (format!("bytes={}-", length - 7), length - 7, length),
    ] {
        let part = centre.get("sup", audio, &[("range", &range), ("if-range", &tag)]).await?;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let told = part.headers()["content-range"].to_str()?.to_owned();
        assert_eq!(told, format!("bytes {from}-{}/{length}", to - 1));
        ensure!(part.bytes().await? == bytes[from..to], "{range}");
    }
    let beyond = format!("bytes={length}-");
    let beyond = centre.get("sup", audio, &[("range", &beyond)]).await?;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let known = centre.get("sup", audio, &[("if-none-match", &tag)]).await?;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let head = centre.ask(Method::HEAD, "sup", audio, &[]).await?;
    let told = head.headers().get("content-length").and_then(|it| it.to_str().ok());
    assert_eq!((head.status(), told), (StatusCode::OK, Some(&*length.to_string())));
    // What a plugin may have of memory is no bound for what it sends.
    fs::File::create(centre.pbx.file(file))?.set_len(LARGE)?;
    let large = centre.get("sup", audio, &[("range", "bytes=0-"), ("if-range", &tag)]).await?;
    assert_eq!(large.status(), StatusCode::OK, "it is another file than the one of that tag");
    assert_eq!(large.bytes().await?.len() as u64, LARGE);
    Ok(())
}

/// Who lacks the right, or may not see the agent, gets nothing; and no way leads out of the folder.
async fn is_closed_to_others(centre: &mut Centre, call: &str, entry: &Value) -> Result<()> {
    let audio = entry["files"][0]["audio"].as_str().context("a link")?;
    let one = format!("{ROOT}/{call}");
    for path in [ROOT, &one, audio] {
        assert_eq!(
            centre.get("dialler", path, &[]).await?.status(),
            StatusCode::FORBIDDEN,
            "{path}"
        );
        let nobody = reqwest::get(centre.platform.rest(path)).await?;
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    // What a client says of itself does not count.
    let claim = r#"{"name":"sup","allow":["*"]}"#;
    let claims = [("telepulse-principal", claim), ("telepulse-user", "sup")];
    assert_eq!(centre.get("own", &one, &claims).await?.status(), StatusCode::NOT_FOUND);
    assert_eq!(centre.get("own", audio, &[]).await?.status(), StatusCode::NOT_FOUND);
    let own: Value = centre.get("own", ROOT, &[]).await?.json().await?;
    assert_eq!(own["items"], json!([]));

    fs::write(centre.folder.parent().context("a folder above")?.join("secret.wav"), "secret")?;
    for way_out in [
        format!("{ROOT}/..%2Fsecret.wav/audio"),
        format!("{ROOT}/%2E%2E%2Fsecret.wav"),
        format!("{one}/audio/..%2F..%2Fsecret.wav"),
        format!("{ROOT}/%2Fetc%2Fpasswd/audio"),
    ] {
        let answer = centre.get("sup", &way_out, &[]).await?;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{way_out}");
    }
    for (query, status) in
        [("?file=../secret.wav", 400), ("?file=9", 404), ("?path=/etc/passwd", 400)]
    {
        let answer = centre.get("sup", &format!("{one}/audio{query}"), &[]).await?;
        assert_eq!(answer.status().as_u16(), status, "{query}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_kept_apart_with_beeps_and_an_announcement() -> Result<()> {
    let test = "recording::both_sides_are_kept_apart_with_beeps_and_an_announcement";
    let rules = "[[settings.rules]]\nname = \"two\"\ndirections = [\"internal\"]\nmode = \"stereo\"\n\
                 beepSeconds = 5\nannouncement = \"950\"\n";
    let Some(mut centre) = Centre::open(test, &["101", "102"], rules).await? else { return Ok(()) };
    let observer = centre.pbx.observer().await?;
    let dialled = centre.client.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    let call = dialled["call"].as_str().context("a call")?.to_owned();
    centre.told("recordingPolicy", json!({"call": call, "decision": "record"})).await?;
    let started = centre.told("recording", json!({"call": call, "change": "started"})).await?;
    observer.wait(0, SOON, "the announcement", |it| it.is_event("ChanSpyStart")).await?;
    observer.wait(0, SOON, "the announcement's end", |it| it.is_event("ChanSpyStop")).await?;
    centre.client.ok(json!({"action": "hangup", "call": call})).await?;
    centre.told("callEnded", json!({"call": call})).await?;

    let file = started["file"].as_str().context("a file")?;
    ensure!(file.strip_suffix(".raw").is_some(), "{file}");
    let entry = centre.listed(&call).await?;
    assert_eq!(entry["files"][0]["mode"], "stereo");
    let audio = entry["files"][0]["audio"].as_str().context("a link")?;
    let heard = centre.get("sup", audio, &[]).await?;
    assert_eq!(heard.headers()["content-type"], "audio/wav");
    let heard = heard.bytes().await?;
    let raw = fs::read(centre.pbx.file(file))?;
    ensure!(heard.starts_with(b"RIFF") && heard[44..] == raw, "a header and the samples");
    assert_eq!(heard[22..24], 2_u16.to_le_bytes());
    let samples = samples(&heard);
    let side = |place: usize| samples.iter().skip(place).step_by(2).any(|it| it.abs() > 1_000);
    ensure!(side(0) && side(1), "each side is heard in {} samples", samples.len());
    // A part that begins in the header, and ends in the samples.
    let part = centre.get("sup", audio, &[("range", "bytes=40-59")]).await?.bytes().await?;
    ensure!(part == heard[40..60], "{part:?}");
    centre.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_recorded_from_its_ringing_on_and_only_with_consent() -> Result<()> {
    let test = "recording::a_call_is_recorded_from_its_ringing_on_and_only_with_consent";
    let rules = "[[settings.rules]]\nname = \"ringing\"\nagents = [\"103\"]\nstart = \"ring\"\n\
                 [[settings.rules]]\nname = \"asked\"\n\
                 consent = { variable = \"CONSENT\", is = [\"yes\"], deadlineMs = 4000, fallback = \"record\" }\n";
    let Some(mut centre) = Centre::open(test, &["101", "102"], rules).await? else { return Ok(()) };
    for (consent, decision, reason) in [
        ("yes", "record", "consentGiven"),
        ("no", "dontRecord", "consentRefused"),
        ("", "record", "fallback"),
    ] {
        let mut dial = json!({"action": "dial", "from": "101", "to": "102"});
        if !consent.is_empty() {
            dial["variables"] = json!({"CONSENT": consent});
        }
        let dialled = centre.client.ok(dial).await?;
        let call = dialled["call"].as_str().context("a call")?.to_owned();
        let policy = centre.told("recordingPolicy", json!({"call": call})).await?;
        assert_eq!((&policy["decision"], &policy["reason"]), (&json!(decision), &json!(reason)));
        if decision == "record" {
            centre.told("recording", json!({"call": call, "change": "started"})).await?;
        }
        centre.client.ok(json!({"action": "hangup", "call": call})).await?;
        let ended = centre.told("callEnded", json!({"call": call})).await?;
        let files = ended["recordings"].as_array().context("recordings")?.len();
        assert_eq!(files, usize::from(decision == "record"), "{consent}: {ended}");
    }

    let _phone = Phone::ringing_only(centre.pbx.phone_port("103")?).await?;
    let _caller = Call::new("102", "103").patience(SOON).then(Act::Speak).place(&centre.pbx)?;
    let policy = centre.told("recordingPolicy", json!({"rule": "ringing"})).await?;
    let call = policy["call"].as_str().context("a call")?.to_owned();
    centre.told("recording", json!({"call": call, "change": "started"})).await?;
    centre.client.ok(json!({"action": "hangup", "call": call})).await?;
    let ended = centre.told("callEnded", json!({"call": call})).await?;
    ensure!(ended["answered"].is_null() && ended["recordings"][0].is_string(), "{ended}");
    centre.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn as_it_comes_it_runs_and_nothing_is_recorded() -> Result<()> {
    let platform = Platform::builder().start().await?;
    platform.add("recording", |toml| toml).await?;
    let http = reqwest::Client::new();
    let get = |path: &str| http.get(platform.rest(path)).bearer_auth(TOKEN).send();
    let listed = get(ROOT).await?;
    assert_eq!(listed.status(), StatusCode::OK);
    assert_eq!(listed.json::<Value>().await?, json!({"items": []}));
    assert_eq!(get("/v1/recordings/c1/audio").await?.status(), StatusCode::NOT_FOUND);
    // What the REST gateway has beside it is there still.
    assert_eq!(get("/v1/calls").await?.status(), StatusCode::OK);
    platform.stop().await;
    Ok(())
}
