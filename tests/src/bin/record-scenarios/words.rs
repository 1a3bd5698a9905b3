//! Scenarios with what a panel asks for besides calls: listening in, keys and variables, failing
//! consultations, calls that are parked and given up.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result};
use telepulse_tests::phones::{Act, Phone};

use crate::session::Session;

const A_MOMENT: Duration = Duration::from_millis(700);
const A_WHILE: Duration = Duration::from_secs(2);

/// Somebody listens by the channel's id and goes; another time the call goes first.
pub(crate) async fn listen(s: &mut Session) -> Result<()> {
    talking(s, &[Act::Speak]).await?;
    for (how, id) in [("qEu", "tp-spy-1"), ("qEuw", "tp-spy-2")] {
        let spy = [
            ("Channel", "PJSIP/103"),
            ("Application", "ChanSpy"),
            ("Data", &*format!("tp-call-1,{how}")),
            ("Async", "true"),
            ("Timeout", "30000"),
            ("CallerID", "101"),
            ("ChannelId", id),
        ];
        s.action("Originate", &spy).await?;
        s.expect("ChanSpyStart", |event| event.has("SpyerUniqueid", id)).await?;
        s.let_them_talk(A_MOMENT).await;
        let over = if id == "tp-spy-1" { "103" } else { "102" };
        let channel = s.channel_of(over).await?;
        s.action("Hangup", &[("Channel", &channel), ("Cause", "16")]).await?;
        s.expect("ChanSpyStop", |event| event.has("SpyerUniqueid", id)).await?;
        s.let_them_talk(A_MOMENT).await;
    }
    s.idle().await
}

/// Everything that can be asked of one channel, of a channel that is not there, and of nothing.
pub(crate) async fn channel_words(s: &mut Session) -> Result<()> {
    talking(s, &[]).await?;
    let talking = s.channel_of("102").await?;
    for channel in [&*talking, "PJSIP/199-00000099"] {
        let this = ("Channel", channel);
        for direction in ["in", "out", "all"] {
            for state in ["on", "off"] {
                let mute = [this, ("Direction", direction), ("State", state)];
                s.try_action("MuteAudio", &mute).await?;
            }
        }
        s.try_action("PlayDTMF", &[this, ("Digit", "1")]).await?;
        s.try_action("SetVar", &[this, ("Variable", "CRM"), ("Value", "a,b")]).await?;
        s.try_action("GetVar", &[this, ("Variable", "CRM")]).await?;
        s.try_action("GetVar", &[this, ("Variable", "NOBODY_SET_IT")]).await?;
        s.try_action("StopMixMonitor", &[this]).await?;
        let pause = [this, ("Direction", "both"), ("State", "1")];
        s.try_action("MixMonitorMute", &pause).await?;
        s.try_action("MixMonitor", &[this, ("File", "words/one.wav")]).await?;
        s.try_action("SetVar", &[this, ("Variable", "MIXMONITOR_FILENAME"), ("Value", "")]).await?;
        s.try_action("StopMixMonitor", &[this]).await?;
        s.try_action("SendText", &[this, ("Message", "Lunch?")]).await?;
    }
    s.try_action("SetVar", &[("Variable", "TEAM"), ("Value", "blue")]).await?;
    s.try_action("GetVar", &[("Variable", "TEAM")]).await?;
    for presence in ["dnd,,", "available,,"] {
        let set = [("Variable", "PRESENCE_STATE(CustomPresence:102)"), ("Value", presence)];
        s.try_action("SetVar", &set).await?;
    }
    let gone = ("Channel", "PJSIP/199-00000099");
    let room = ("Conference", "799");
    s.try_action("Park", &[gone]).await?;
    s.try_action("Park", &[("Channel", &talking), ("Parkinglot", "nowhere")]).await?;
    s.try_action("Atxfer", &[gone, ("Context", "internal"), ("Exten", "103")]).await?;
    s.try_action("Redirect", &[gone, ("Context", "internal"), ("Exten", "103"), ("Priority", "1")])
        .await?;
    for action in ["ConfbridgeMute", "ConfbridgeKick", "ConfbridgeLock", "ConfbridgeList"] {
        s.try_action(action, &[room, ("Channel", "all")]).await?;
    }
    let message = [("To", "pjsip:102"), ("From", "sip:101@localhost"), ("Body", "Lunch?")];
    s.try_action("MessageSend", &message).await?;
    s.try_action("PresenceState", &[("Provider", "CustomPresence:102")]).await?;
    s.try_action("ExtensionState", &[("Exten", "102"), ("Context", "internal")]).await?;
    s.try_action("FlyToTheMoon", &[]).await?;
    s.let_them_talk(A_MOMENT).await;
    s.hang_up_all().await
}

/// A parked caller gives up; nobody is fetched from an empty space.
pub(crate) async fn park_and_give_up(s: &mut Session) -> Result<()> {
    talking(s, &[]).await?;
    let (parker, parked) = (s.channel_of("101").await?, s.channel_of("102").await?);
    let park = [
        ("Channel", &*parked),
        ("TimeoutChannel", &*parker),
        ("AnnounceChannel", &*parker),
        ("Timeout", "60000"),
    ];
    s.action("Park", &park).await?;
    s.expect("ParkedCall", |_| true).await?;
    s.let_them_talk(A_WHILE).await;
    s.action("Hangup", &[("Channel", &parker), ("Cause", "16")]).await?;
    s.let_them_talk(A_MOMENT).await;
    s.originate("103", "759", "tp-call-2").await?;
    s.let_them_talk(A_WHILE).await;
    s.action("Hangup", &[("Channel", &parked), ("Cause", "16")]).await?;
    s.expect("ParkedCallGiveUp", |_| true).await?;
    s.let_them_talk(A_MOMENT).await;
    s.hang_up_all().await
}

/// Whom 101 asks is busy; the next one answers and hangs up. Each time it is back with 102.
pub(crate) async fn consultation_fails(s: &mut Session) -> Result<()> {
    s.keep(Phone::busy(s.asterisk.phone_port("104")?).await?);
    talking(s, &[]).await?;
    let channel = s.channel_of("101").await?;
    for (to, back) in [("104", 2), ("103", 3)] {
        let ask = [("Channel", &*channel), ("Context", "internal"), ("Exten", to)];
        s.action("Atxfer", &ask).await?;
        if to == "103" {
            let third = s.channel_of(to).await?;
            s.expect("BridgeEnter", |event| event.has("Channel", &third)).await?;
            s.let_them_talk(A_WHILE).await;
            s.action("Hangup", &[("Channel", &third), ("Cause", "16")]).await?;
        }
        let first = s.expect("BridgeEnter", |event| event.has("Channel", &channel)).await?;
        let bridge = first.get("BridgeUniqueid").context("a bridge")?.to_owned();
        let seen = Cell::new(0);
        s.expect("BridgeEnter", |event| {
            if event.has("Channel", &channel) && event.has("BridgeUniqueid", &bridge) {
                seen.set(seen.get() + 1);
            }
            seen.get() == back
        })
        .await?;
        s.let_them_talk(A_WHILE).await;
    }
    s.hang_up_all().await
}

/// 101 and 102 talk; 103 would answer.
async fn talking(s: &mut Session, acts: &[Act]) -> Result<()> {
    for extension in ["101", "102", "103"] {
        s.phone(extension, acts).await?;
    }
    s.login().await?;
    s.originate("101", "102", "tp-call-1").await?;
    s.expect_bridged("2").await?;
    s.let_them_talk(A_MOMENT).await;
    Ok(())
}
