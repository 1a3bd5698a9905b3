//! Scenarios around a queue and its members.

use std::time::Duration;

use anyhow::Result;
use telepulse_tests::phones::{Act, Call, Phone};

use crate::session::Session;

const A_WHILE: Duration = Duration::from_secs(2);
const SUPPORT: (&str, &str) = ("Queue", "support");
const AGENT: (&str, &str) = ("Interface", "PJSIP/102");

/// A caller waits, a member comes, they talk, the agent hangs up.
pub(crate) async fn call(s: &mut Session) -> Result<()> {
    s.phone("102", &[Act::Talk(A_WHILE), Act::HangUp]).await?;
    s.login().await?;
    s.keep(Phone::call(&s.asterisk, "101", "600")?);
    s.expect("QueueCallerJoin", |_| true).await?;
    s.let_them_talk(A_WHILE).await;
    add(s).await?;
    s.expect("AgentComplete", |_| true).await?;
    s.idle().await
}

/// The member is there first, the caller comes from outside and hangs up after talking.
pub(crate) async fn caller_hangs_up(s: &mut Session) -> Result<()> {
    s.phone("102", &[]).await?;
    s.login().await?;
    add(s).await?;
    let call = Call::new("trunk", "600")
        .caller("38591222333", "Ana Horvat")
        .then(Act::Talk(A_WHILE * 2))
        .then(Act::HangUp);
    s.keep(call.place(&s.asterisk)?);
    s.expect("AgentComplete", |_| true).await?;
    s.action("QueueRemove", &[SUPPORT, AGENT]).await?;
    s.idle().await
}

/// All that can happen to a member without a call: here and in a second queue.
pub(crate) async fn pause(s: &mut Session) -> Result<()> {
    s.login().await?;
    add(s).await?;
    s.action("QueueAdd", &[("Queue", "sales"), AGENT, ("Paused", "true")]).await?;
    let lunch = [SUPPORT, AGENT, ("Paused", "true"), ("Reason", "Lunch: back at one")];
    s.action("QueuePause", &lunch).await?;
    s.action("QueuePause", &[SUPPORT, AGENT, ("Paused", "false")]).await?;
    // In all queues at once.
    s.action("QueuePause", &[AGENT, ("Paused", "true"), ("Reason", "Meeting")]).await?;
    s.action("QueuePause", &[AGENT, ("Paused", "false")]).await?;
    s.action("QueuePenalty", &[SUPPORT, AGENT, ("Penalty", "3")]).await?;
    s.try_action("QueueAdd", &[SUPPORT, AGENT]).await?;
    s.try_action("QueuePause", &[SUPPORT, ("Interface", "PJSIP/103"), ("Paused", "true")]).await?;
    s.action("QueueRemove", &[SUPPORT, AGENT]).await?;
    s.expect("QueueMemberRemoved", |event| event.has("Queue", "support")).await?;
    s.try_action("QueueRemove", &[SUPPORT, AGENT]).await.map(drop)
}

/// Two wait; the first hangs up, the second moves up and does the same.
pub(crate) async fn abandon(s: &mut Session) -> Result<()> {
    s.login().await?;
    for (from, patience) in [("101", A_WHILE), ("103", A_WHILE * 2)] {
        let call = Call::new(from, "600").then(Act::Talk(patience)).then(Act::HangUp);
        s.keep(call.place(&s.asterisk)?);
        s.expect("QueueCallerJoin", |event| event.has("CallerIDNum", from)).await?;
    }
    s.expect("QueueCallerAbandon", |event| event.has("OriginalPosition", "2")).await?;
    s.idle().await
}

/// The member is rung and does not answer; then the caller has enough.
pub(crate) async fn ring_no_answer(s: &mut Session) -> Result<()> {
    s.keep(Phone::ringing_only(s.asterisk.phone_port("102")?).await?);
    s.login().await?;
    add(s).await?;
    s.keep(Phone::call(&s.asterisk, "101", "600")?);
    s.expect("AgentRingNoAnswer", |_| true).await?;
    s.hang_up_all().await
}

/// The agent sends the caller on to 103 (BlindTransfer): the agent is free, the call is not over.
pub(crate) async fn transfer(s: &mut Session) -> Result<()> {
    s.phone("102", &[]).await?;
    s.phone("103", &[]).await?;
    s.login().await?;
    add(s).await?;
    s.keep(Phone::call(&s.asterisk, "101", "600")?);
    s.expect_bridged("2").await?;
    s.let_them_talk(A_WHILE).await;
    let channel = s.channel_of("102").await?;
    let to = [("Channel", &*channel), ("Context", "internal"), ("Exten", "103")];
    s.action("BlindTransfer", &to).await?;
    let third = s.channel_of("103").await?;
    s.expect("BridgeEnter", |event| event.has("Channel", &third)).await?;
    s.let_them_talk(A_WHILE).await;
    s.hang_up_all().await
}

async fn add(s: &mut Session) -> Result<()> {
    let name = ("MemberName", "Agent 102");
    s.action("QueueAdd", &[SUPPORT, AGENT, name, ("Penalty", "1")]).await?;
    s.expect("QueueMemberAdded", |_| true).await.map(drop)
}
