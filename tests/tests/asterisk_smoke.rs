//! The harness itself: a real Asterisk boots, and its phones talk.

use std::time::Duration;

use telepulse_tests::asterisk::{self, Asterisk, Options};
use telepulse_tests::phones::{Act, Call, Phone};
use telepulse_tests::wait;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn one_phone_calls_another() {
    let Some(installation) = asterisk::require("asterisk_smoke::one_phone_calls_another") else {
        return;
    };
    let asterisk = Asterisk::start(&installation, Options::default()).await.unwrap();
    let observer = asterisk.observer().await.unwrap();
    let mut auditor = asterisk.auditor().await.unwrap();
    let port = asterisk.phone_port("102").unwrap();
    let _callee = Phone::answering(port, Duration::from_millis(200)).await.unwrap();

    let mut caller = Call::new("101", "102")
        .then(Act::Talk(Duration::from_secs(5)))
        .then(Act::HangUp)
        .place(&asterisk)
        .unwrap();

    let ringing = observer.wait(0, SOON, "102 to ring", |event| {
        event.is_event("Newstate") && event.has("ChannelStateDesc", "Ringing")
    });
    assert_eq!(ringing.await.unwrap().get("ConnectedLineNum"), Some("101"));
    let both_in_a_bridge = observer.wait(0, SOON, "both to be in a bridge", |event| {
        event.is_event("BridgeEnter") && event.has("BridgeNumChannels", "2")
    });
    both_in_a_bridge.await.unwrap();
    let channels = auditor.core_show_channels().await.unwrap();
    let mut numbers: Vec<_> = channels.iter().filter_map(|item| item.get("CallerIDNum")).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["101", "102"]);

    caller.finished(SOON).await.unwrap();
    for channel in &channels {
        let id = channel.get("Uniqueid").unwrap();
        let gone = observer.wait(0, SOON, "the hang-up of both channels", |event| {
            event.is_event("Hangup") && event.has("Uniqueid", id)
        });
        assert_eq!(gone.await.unwrap().get("Cause"), Some("16"));
    }
    assert!(auditor.core_show_channels().await.unwrap().is_empty());
}

#[tokio::test]
async fn killed_in_a_call_it_comes_back_on_the_same_port() {
    let name = "asterisk_smoke::killed_in_a_call_it_comes_back_on_the_same_port";
    let Some(installation) = asterisk::require(name) else { return };
    let mut asterisk = Asterisk::start(&installation, Options::default()).await.unwrap();
    let _caller = Phone::call(&asterisk, "101", "801").unwrap();
    let mut auditor = asterisk.auditor().await.unwrap();
    wait::until("a channel to be up", SOON, async || {
        let channels = auditor.core_show_channels().await?;
        Ok(channels.iter().any(|item| item.has("ChannelStateDesc", "Up")).then_some(()))
    })
    .await
    .unwrap();

    asterisk.kill().unwrap();
    assert!(asterisk.auditor().await.is_err());
    asterisk.start_again().await.unwrap();
    assert!(asterisk.auditor().await.unwrap().core_show_channels().await.unwrap().is_empty());
    asterisk.stop().await.unwrap();
    assert!(asterisk.auditor().await.is_err());
}
