//! Scenarios with Asterisk's other facilities: parking, conferences, recording, spying, presence.

use std::time::Duration;

use anyhow::{Context, Result};
use telepulse_tests::phones::{Act, Call, Phone};

use crate::session::Session;

const A_WHILE: Duration = Duration::from_secs(2);
const A_MOMENT: Duration = Duration::from_millis(700);

/// Parked and fetched again from its space; parked again and left there until it comes back.
pub(crate) async fn park(s: &mut Session) -> Result<()> {
    talking(s).await?;
    let channel = s.channel_of("102").await?;
    let parker = s.channel_of("101").await?;
    let park = [("Channel", &*channel), ("TimeoutChannel", &*parker), ("Timeout", "10000")];
    s.action("Park", &park).await?;
    let parked = s.expect("ParkedCall", |_| true).await?;
    s.listings().await?;
    s.let_them_talk(A_WHILE).await;
    let space = parked.get("ParkingSpace").context("no parking space")?;
    let fetch = Call::new("103", space).then(Act::Talk(A_WHILE)).then(Act::Refer("750".into()));
    s.keep(fetch.place(&s.asterisk)?);
    s.expect("UnParkedCall", |_| true).await?;
    s.expect("ParkedCallTimeOut", |_| true).await?;
    s.let_them_talk(A_WHILE).await;
    s.hang_up_all().await
}

/// Three in a conference: one muted, unmuted, one kicked; locked and unlocked.
pub(crate) async fn confbridge(s: &mut Session) -> Result<()> {
    s.login().await?;
    for extension in ["101", "102", "103"] {
        let speaks = Call::new(extension, "700").then(Act::Talk(A_MOMENT)).then(Act::Speak);
        s.keep(speaks.place(&s.asterisk)?);
        s.expect("ConfbridgeJoin", |event| event.has("CallerIDNum", extension)).await?;
    }
    s.expect("ConfbridgeTalking", |event| event.has("TalkingStatus", "on")).await?;
    s.listings().await?;
    let room = ("Conference", "700");
    let (second, third) = (s.channel_of("102").await?, s.channel_of("103").await?);
    s.action("ConfbridgeMute", &[room, ("Channel", &second)]).await?;
    s.expect("ConfbridgeMute", |_| true).await?;
    s.action("ConfbridgeUnmute", &[room, ("Channel", &second)]).await?;
    s.expect("ConfbridgeUnmute", |_| true).await?;
    s.action("ConfbridgeLock", &[room]).await?;
    s.action("ConfbridgeUnlock", &[room]).await?;
    s.action("ConfbridgeKick", &[room, ("Channel", &third)]).await?;
    s.expect("ConfbridgeLeave", |event| event.has("CallerIDNum", "103")).await?;
    s.let_them_talk(A_MOMENT).await;
    s.hang_up_all().await?;
    s.expect("ConfbridgeEnd", |_| true).await.map(drop)
}

/// A call recorded, the recording paused and resumed; a third party listens in.
pub(crate) async fn record_and_spy(s: &mut Session) -> Result<()> {
    talking(s).await?;
    let channel = s.channel_of("101").await?;
    let this = ("Channel", &*channel);
    s.action("MixMonitor", &[this, ("File", "tp-recording.wav")]).await?;
    s.expect("MixMonitorStart", |_| true).await?;
    for state in ["1", "0"] {
        let mute = [this, ("Direction", "both"), ("State", state)];
        s.action("MixMonitorMute", &mute).await?;
        s.let_them_talk(A_MOMENT).await;
    }
    s.action("StopMixMonitor", &[this]).await?;
    s.expect("MixMonitorStop", |_| true).await?;
    let spy = [
        ("Channel", "PJSIP/103"),
        ("Application", "ChanSpy"),
        ("Data", &*format!("{channel},q")),
        ("ChannelId", "tp-spy-1"),
        ("Async", "true"),
    ];
    s.action("Originate", &spy).await?;
    s.expect("ChanSpyStart", |_| true).await?;
    s.let_them_talk(A_MOMENT).await;
    s.hang_up_all().await?;
    s.expect("ChanSpyStop", |_| true).await.map(drop)
}

/// 102 rings and 103 answers in its place.
pub(crate) async fn pickup(s: &mut Session) -> Result<()> {
    s.keep(Phone::ringing_only(s.asterisk.phone_port("102")?).await?);
    s.phone("103", &[]).await?;
    s.login().await?;
    s.keep(Phone::call(&s.asterisk, "101", "102")?);
    let ringing = s.channel_of("102").await?;
    s.expect("Newstate", |event| {
        event.has("Channel", &ringing) && event.has("ChannelStateDesc", "Ringing")
    })
    .await?;
    let pickup = [
        ("Channel", "PJSIP/103"),
        ("Application", "PickupChan"),
        ("Data", &*ringing),
        ("ChannelId", "tp-pickup-1"),
        ("Async", "true"),
    ];
    s.action("Originate", &pickup).await?;
    s.expect("Pickup", |_| true).await?;
    s.expect_bridged("2").await?;
    s.let_them_talk(A_MOMENT).await;
    s.hang_up_all().await
}

/// Somebody's presence changes, and an application sends events of its own.
pub(crate) async fn presence_and_user_event(s: &mut Session) -> Result<()> {
    s.login().await?;
    for state in ["away,coffee,Back soon", "dnd,,", "available,,"] {
        let set = [("Variable", "PRESENCE_STATE(CustomPresence:101)"), ("Value", state)];
        s.aside("Setvar", &set).await?;
    }
    s.expect("PresenceStateChange", |event| event.has("Status", "available")).await?;
    let event = [("UserEvent", "Survey"), ("Score", "5"), ("Text", "très bien: 100 %")];
    s.action("UserEvent", &event).await?;
    s.expect("UserEvent", |_| true).await.map(drop)
}

/// A phone becomes reachable and vanishes.
pub(crate) async fn qualify(s: &mut Session) -> Result<()> {
    s.login().await?;
    s.phone("101", &[]).await?;
    let of_101 = |event: &telepulse_tests::ami::Message, status| {
        event.has("AOR", "101") && event.has("ContactStatus", status)
    };
    s.expect("ContactStatus", |event| of_101(event, "Reachable")).await?;
    s.listings().await?;
    s.drop_phones();
    s.expect("ContactStatus", |event| of_101(event, "Unreachable")).await.map(drop)
}

/// A phone registers, is called, and goes.
pub(crate) async fn register(s: &mut Session) -> Result<()> {
    s.phone("121", &[]).await?;
    s.login().await?;
    s.keep(Phone::call(&s.asterisk, "101", "121")?);
    s.expect("Hangup", |_| true).await?;
    s.idle().await?;
    Phone::register(&s.asterisk, "121", Duration::from_mins(1)).await?;
    s.expect("ContactStatus", |_| true).await?;
    s.listings().await?;
    s.keep(Phone::call(&s.asterisk, "101", "121")?);
    s.expect_bridged("2").await?;
    s.let_them_talk(A_MOMENT).await;
    s.hang_up_all().await?;
    Phone::register(&s.asterisk, "121", Duration::ZERO).await?;
    s.expect("ContactStatus", |event| event.has("ContactStatus", "Removed")).await.map(drop)
}

/// Asterisk is stopped in the middle of a call.
pub(crate) async fn shutdown(s: &mut Session) -> Result<()> {
    talking(s).await?;
    s.stop_asterisk().await
}

/// 101 and 102 talk; 103 would answer.
async fn talking(s: &mut Session) -> Result<()> {
    for extension in ["101", "102", "103"] {
        s.phone(extension, &[]).await?;
    }
    s.login().await?;
    s.originate("101", "102", "tp-call-1").await?;
    s.expect_bridged("2").await?;
    s.let_them_talk(A_MOMENT).await;
    Ok(())
}
