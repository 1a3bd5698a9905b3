//! What an operator's collector of traces sees of commands to a real Asterisk.

use crate::{
    collector::Collector,
    platform::{Platform, TOKEN},
    ws::Client,
};
use anyhow::Result;
use serde_json::json;
use std::time::Duration;
use telepulse_tests::{
    asterisk::{self, Asterisk, Options},
    phones::Phone,
};

/// As OTLP numbers them.
const SERVER: i32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_followed_to_what_asterisk_says() -> Result<()> {
    let name = "traced::a_command_is_followed_to_what_asterisk_says";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let ring = Duration::from_millis(300);
    let _phone = Phone::answering(pbx.phone_port("101")?, ring).await?;
    let _other = Phone::answering(pbx.phone_port("102")?, ring).await?;
    let collector = Collector::start().await;
    let telemetry = format!("[telemetry]\notlp = \"http://{}\"\n", collector.address);
    let platform = Platform::builder().server("pbx1", &pbx).raw(&telemetry).start().await?;
    platform.connected("pbx1").await?;
    let mut client = Client::connect(platform.ws_port, TOKEN).await?;

    let dialled = client.ok(json!({"action": "dial", "from": "101", "to": "102"})).await?;
    let outcome = collector.span("AMI OriginateResponse", |_| true).await;
    let originate = collector.span("AMI Originate", |_| true).await;
    let command = collector.span("command dial", |_| true).await;
    assert_eq!((command.kind, &*command.parent), (SERVER, ""), "{command:#?}");
    assert_eq!(command.said["telepulse.plugin"], "websocket");
    assert_eq!(dialled["call"], command.said["telepulse.call"]);
    assert_eq!((&originate.parent, &outcome.parent), (&command.id, &originate.id));
    assert_eq!(outcome.said["telepulse.ami.reason"], "4", "answered: {outcome:#?}");
    assert_eq!(outcome.failure, None);
    // From where nothing was sent yet: Asterisk's answer is read when we come to it.
    let took = Duration::from_nanos(outcome.end - originate.begin);
    assert!(took >= ring, "the phone rings so long: {took:?}");

    // Asterisk's own words where it refuses.
    client.refused(json!({"action": "dial", "from": "101", "to": "666"})).await?;
    let refused = collector.span("AMI Originate", |it| it.failure.is_some()).await;
    assert_eq!(refused.said["telepulse.ami.response"], "Error");
    let why = refused.failure.as_deref().unwrap_or_default();
    assert!(why.contains("does not exist"), "{why}");
    let command = collector.span("command dial", |it| it.id == refused.parent).await;
    assert_eq!(command.said["telepulse.outcome"], "rejectedByServer");
    platform.stop().await;
    Ok(())
}
