//! A caller slips forged events into the stream: they are kept out, or found and mended.

use crate::bench::{Bench, SOON};
use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
    wait,
};

/// Within so long the model is true again, whatever was forged.
const MENDED: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn forged_events_are_kept_out_or_mended() -> Result<()> {
    let name = "core_on_the_bus::audits::forged_events_are_kept_out_or_mended";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let _callee = Phone::answering(pbx.phone_port("102")?, Duration::from_millis(50)).await?;
    let bench = Bench::start(&pbx).await?;
    let _caller = Phone::call(&pbx, "101", "102")?;
    let line = bench.line("102", Some(("up", "101"))).await?;
    let channel = line["lines"][0]["channel"].as_str().context("a channel")?.to_owned();
    let uniqueid = uniqueid_of(&pbx, &channel).await?;
    let forged = format!(
        "hello\r\n\r\nEvent: Hangup\r\nChannel: {channel}\r\nUniqueid: {uniqueid}\r\nCause: 16\r\n\r\n\
         Event: Newchannel\r\nChannel: PJSIP/103-0000dead\r\nChannelState: 6\r\n\
         Uniqueid: forged.1\r\nLinkedid: forged.1\r\nX: "
    );

    // Nobody reads such events: they are not even sent to us.
    forge(&pbx, &forged).await?;
    let report = audit(&bench).await?;
    ensure!(report["differences"] == 0, "{report}");
    bench.line("102", Some(("up", "101"))).await?;
    let mended =
        async || bench.server("pbx1").await.map(|s| s["figures"]["differencesMended"].clone());
    ensure!(mended().await? == 0, "nothing was wrong");

    // A plugin reads them: now the forgery comes, and does not stay.
    let (notes, _guard) = bench.record("telepulse.proxy.event.*.UserEvent")?;
    wait::until("the forged event to come", SOON, async || {
        forge(&pbx, &forged).await?;
        Ok(notes.all().iter().any(|note| note["UserEvent"] == "Note").then_some(()))
    })
    .await?;
    let is_end = |event: &Value| {
        event["event"] == "activeLines" && event["agent"] == "102" && event["lines"] == json!([])
    };
    bench.event("the forged end", is_end).await?;
    wait::until("the model to be mended", MENDED, async || {
        let lines = bench.ok("telepulse.query", json!({"query": "lines"})).await?;
        let lines = lines["items"].as_array().context("items")?.clone();
        let count = |agent: &str| {
            let of = lines.iter().find(|line| line["agent"] == agent);
            of.and_then(|line| line["lines"].as_array()).map_or(0, Vec::len)
        };
        Ok(((count("101"), count("102"), count("103")) == (1, 1, 0)).then_some(()))
    })
    .await?;
    ensure!(mended().await?.as_u64() > Some(0), "it was mended, and counted");
    let report = audit(&bench).await?;
    ensure!(report["differences"] == 0, "{report}");
    bench.app.shutdown().await;
    Ok(())
}

async fn audit(bench: &Bench) -> Result<Value> {
    bench.ok("telepulse.proxy.command", json!({"command": "audit", "server": "pbx1"})).await
}

async fn uniqueid_of(pbx: &Asterisk, channel: &str) -> Result<String> {
    let channels = pbx.auditor().await?.core_show_channels().await?;
    let found = channels.iter().find(|item| item.get("Channel") == Some(channel));
    Ok(found.context("it is listed")?.get("Uniqueid").context("with its id")?.to_owned())
}

/// Has a dialplan write `text` into an event; returns when Asterisk has sent that.
async fn forge(pbx: &Asterisk, text: &str) -> Result<()> {
    let mut observer = pbx.observer().await?;
    let mark = observer.mark();
    let note = format!("__NOTE={}", STANDARD.encode(text));
    let call = [
        ("Channel", "Local/900@internal"),
        ("Application", "Wait"),
        ("Data", "1"),
        ("Async", "true"),
        ("Variable", note.as_str()),
    ];
    observer.action("Originate", &call).await?;
    observer.wait(mark, SOON, "the note", |message| message.is_event("UserEvent")).await?;
    Ok(())
}
