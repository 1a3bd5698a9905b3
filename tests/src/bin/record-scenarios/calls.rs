//! Scenarios between phones: calls, their ends, transfers, hold, Local channels, a storm.

use std::time::Duration;

use anyhow::Result;
use telepulse_tests::phones::{Act, Call, Phone};

use crate::session::Session;

const A_WHILE: Duration = Duration::from_secs(2);
const A_MOMENT: Duration = Duration::from_millis(700);

pub(crate) async fn login(s: &mut Session) -> Result<()> {
    s.login().await
}

/// The session begins in the middle of a call, a queue, a conference and a parked call.
pub(crate) async fn login_live(s: &mut Session) -> Result<()> {
    for extension in ["102", "109"] {
        s.phone(extension, &[]).await?;
    }
    s.keep(Phone::ringing_only(s.asterisk.phone_port("104")?).await?);
    let member = [("Queue", "support"), ("Interface", "PJSIP/104"), ("MemberName", "Agent 104")];
    s.aside("QueueAdd", &member).await?;
    for (from, to) in
        [("101", "102"), ("103", "600"), ("105", "700"), ("106", "700"), ("107", "750")]
    {
        s.keep(Phone::call(&s.asterisk, from, to)?);
    }
    let held = Call::new("108", "109").then(Act::Talk(A_MOMENT)).then(Act::Hold);
    s.keep(held.place(&s.asterisk)?);
    s.channels_up(8).await?;
    s.channel_of("104").await?;
    s.let_them_talk(A_WHILE).await;
    s.login().await?;
    s.let_them_talk(A_WHILE).await;
    s.hang_up_all().await
}

pub(crate) async fn ext_call(s: &mut Session) -> Result<()> {
    talking(s).await?;
    let channel = s.channel_of("101").await?;
    s.action("Hangup", &[("Channel", &channel), ("Cause", "16")]).await?;
    s.idle().await
}

/// An originate that shows the caller whom it calls: CallerIDNum is nobody's own number then.
pub(crate) async fn misleading_caller_id(s: &mut Session) -> Result<()> {
    s.phone("101", &[]).await?;
    s.phone("102", &[]).await?;
    s.login().await?;
    s.originate_as("\"Call to 102\" <102>", "101", "102", "tp-call-1").await?;
    s.expect_bridged("2").await?;
    s.let_them_talk(A_WHILE).await;
    s.hang_up_all().await
}

pub(crate) async fn sip_call(s: &mut Session) -> Result<()> {
    s.phone("102", &[]).await?;
    s.login().await?;
    let call = Call::new("101", "102").then(Act::Talk(A_WHILE)).then(Act::HangUp);
    s.keep(call.place(&s.asterisk)?);
    s.expect_bridged("2").await?;
    s.idle().await
}

/// A call from outside, with a name that has to be escaped; the callee hangs up.
pub(crate) async fn trunk_call(s: &mut Session) -> Result<()> {
    s.phone("102", &[Act::Talk(A_WHILE), Act::HangUp]).await?;
    s.login().await?;
    let call = Call::new("trunk", "102").caller("38511234567", "Maja O'Brien-Šarić");
    s.keep(call.place(&s.asterisk)?);
    s.expect_bridged("2").await?;
    s.idle().await
}

/// The caller gives up while it rings; then another rings until the dialplan gives up.
pub(crate) async fn no_answer(s: &mut Session) -> Result<()> {
    s.keep(Phone::ringing_only(s.asterisk.phone_port("102")?).await?);
    s.login().await?;
    let call = Call::new("101", "102").patience(A_WHILE);
    s.keep(call.place(&s.asterisk)?);
    s.expect("Hangup", |_| true).await?;
    s.idle().await
}

pub(crate) async fn busy(s: &mut Session) -> Result<()> {
    s.keep(Phone::busy(s.asterisk.phone_port("102")?).await?);
    s.keep(Phone::refusing(s.asterisk.phone_port("103")?, "603 Decline").await?);
    s.login().await?;
    for callee in ["102", "103", "802"] {
        let mut caller = Phone::call(&s.asterisk, "101", callee)?;
        caller.finished(Duration::from_secs(20)).await?;
    }
    s.idle().await
}

/// Originates that come to nothing: not answered, busy, and a channel or an extension that does
/// not exist.
pub(crate) async fn originate_failed(s: &mut Session) -> Result<()> {
    s.keep(Phone::ringing_only(s.asterisk.phone_port("101")?).await?);
    s.keep(Phone::busy(s.asterisk.phone_port("102")?).await?);
    s.phone("103", &[]).await?;
    s.login().await?;
    let tries = [
        ("PJSIP/101", "104", "tp-fail-1"),
        ("PJSIP/102", "104", "tp-fail-2"),
        ("PJSIP/999", "104", "tp-fail-3"),
        ("PJSIP/103", "4711", "tp-fail-4"),
    ];
    for (channel, exten, unique) in tries {
        let headers = [
            ("Channel", channel),
            ("Context", "internal"),
            ("Exten", exten),
            ("Priority", "1"),
            ("Timeout", "1500"),
            ("ChannelId", unique),
            ("Async", "true"),
        ];
        // An extension that does not exist is refused at once, with no event.
        if s.try_action("Originate", &headers).await?.has("Response", "Success") {
            s.expect("OriginateResponse", |event| event.has("Uniqueid", unique)).await?;
        }
    }
    s.idle().await
}

/// 101 talks to 102, and AMI's Redirect sends 102 to 103.
pub(crate) async fn redirect(s: &mut Session) -> Result<()> {
    talking(s).await?;
    let channel = s.channel_of("102").await?;
    let to = [("Channel", &*channel), ("Context", "internal"), ("Exten", "103"), ("Priority", "1")];
    s.action("Redirect", &to).await?;
    bridged_anew(s).await
}

/// The same by AMI's BlindTransfer, which 101 seems to have asked for.
pub(crate) async fn blind_transfer(s: &mut Session) -> Result<()> {
    talking(s).await?;
    let channel = s.channel_of("101").await?;
    let to = [("Channel", &*channel), ("Context", "internal"), ("Exten", "103")];
    s.action("BlindTransfer", &to).await?;
    bridged_anew(s).await
}

/// The same by the phone itself (REFER).
pub(crate) async fn refer(s: &mut Session) -> Result<()> {
    s.phone("102", &[]).await?;
    s.phone("103", &[]).await?;
    s.login().await?;
    let call = Call::new("101", "102").then(Act::Talk(A_WHILE)).then(Act::Refer("103".into()));
    s.keep(call.place(&s.asterisk)?);
    bridged_anew(s).await
}

/// 101 asks 103 first, by AMI's Atxfer, and hangs up to connect the two others.
pub(crate) async fn attended_transfer(s: &mut Session) -> Result<()> {
    talking(s).await?;
    let channel = s.channel_of("101").await?;
    let to = [("Channel", &*channel), ("Context", "internal"), ("Exten", "103")];
    s.action("Atxfer", &to).await?;
    let third = s.channel_of("103").await?;
    s.expect("BridgeEnter", |event| event.has("Channel", &third)).await?;
    s.let_them_talk(A_WHILE).await;
    s.action("Hangup", &[("Channel", &channel), ("Cause", "16")]).await?;
    s.expect("AttendedTransfer", |_| true).await?;
    s.let_them_talk(A_MOMENT).await;
    s.hang_up_all().await
}

/// Hold and resume twice, by the caller and by the callee.
pub(crate) async fn hold(s: &mut Session) -> Result<()> {
    s.phone("102", &[Act::Talk(A_WHILE * 2), Act::Hold, Act::Talk(A_WHILE), Act::Resume]).await?;
    s.login().await?;
    let call = Call::new("101", "102")
        .then(Act::Talk(A_MOMENT))
        .then(Act::Hold)
        .then(Act::Talk(A_WHILE))
        .then(Act::Resume);
    s.keep(call.place(&s.asterisk)?);
    let channel = s.channel_of("102").await?;
    s.expect("Unhold", |event| event.has("Channel", &channel)).await?;
    s.let_them_talk(A_MOMENT).await;
    s.hang_up_all().await
}

/// A call through two Local channels, which disappear from it.
pub(crate) async fn local_chain(s: &mut Session) -> Result<()> {
    s.phone("102", &[Act::Speak]).await?;
    s.login().await?;
    s.keep(Call::new("101", "9102").then(Act::Speak).place(&s.asterisk)?);
    s.expect("LocalOptimizationEnd", |_| true).await?;
    s.channels_up(2).await?;
    s.let_them_talk(A_WHILE).await;
    s.hang_up_all().await
}

/// Twenty calls a second for ten seconds, each of one second, between Local channels.
pub(crate) async fn storm(s: &mut Session) -> Result<()> {
    s.login().await?;
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    for call in 0..200 {
        pace.tick().await;
        let headers = [
            ("Channel", "Local/1@storm"),
            ("Context", "storm"),
            ("Exten", "1"),
            ("Priority", "1"),
            ("ChannelId", &*format!("tp-storm-{call};1")),
            ("OtherChannelId", &*format!("tp-storm-{call};2")),
            ("Async", "true"),
        ];
        s.action("Originate", &headers).await?;
    }
    s.idle().await
}

/// 101 has called 102 and they talk; 103 would answer too.
async fn talking(s: &mut Session) -> Result<()> {
    for extension in ["101", "102", "103"] {
        s.phone(extension, &[]).await?;
    }
    s.login().await?;
    s.originate("101", "102", "tp-call-1").await?;
    s.expect_bridged("2").await?;
    s.let_them_talk(A_WHILE).await;
    Ok(())
}

/// 103 has come into the call; then all hang up.
async fn bridged_anew(s: &mut Session) -> Result<()> {
    let third = s.channel_of("103").await?;
    s.expect("BridgeEnter", |event| event.has("Channel", &third)).await?;
    s.channels_up(2).await?;
    s.let_them_talk(A_WHILE).await;
    s.hang_up_all().await
}
