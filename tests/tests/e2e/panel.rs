//! The operator panel in a real browser on a real Asterisk: what its user does there, and what Asterisk has to say of it.
//! With `SCREENSHOTS=DIR` pictures of every view are left there.

use crate::{
    crm,
    platform::{Platform, SOON, TOKEN},
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use telepulse_tests::{
    ami,
    asterisk::{self, Asterisk, Options},
    crm::{Crm, Kind},
    languages,
    phones::{Act, Call, Phone},
    wait,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

const RING: Duration = Duration::from_millis(200);

/// Asterisk itself and the CRM, asked past the platform.
struct Witness<'p> {
    platform: &'p Platform,
    pbx: &'p Asterisk,
    auditor: ami::Client,
    crm: Crm,
    /// Calls from outside.
    callers: Vec<Phone>,
}

impl Witness<'_> {
    /// Waits until it is as the page believes.
    async fn agrees(&mut self, said: &Value) -> Result<()> {
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        match &*text("check") {
            "talk" => self.talk(&text("one"), &text("other"), |one, other| one == other).await,
            // Asterisk puts a Local channel between the two.
            "consult" => self.talk(&text("one"), &text("other"), |one, other| one != other).await,
            "idle" => {
                for agent in said["agents"].as_array().context("agents")? {
                    self.channel(agent.as_str().unwrap_or_default(), None).await?;
                }
                Ok(())
            }
            "listens" => self.channel(&text("agent"), Some(("Application", "ChanSpy"))).await,
            "parked" => {
                let device = device(&text("agent"));
                self.listed("ParkedCalls", &[], move |item| starts(item, "ParkeeChannel", &device))
                    .await
            }
            "locked" => {
                let conference = text("conference");
                let is = move |room: &ami::Message| {
                    room.has("Conference", &conference) && room.has("Locked", "Yes")
                };
                self.listed("ConfbridgeListRooms", &[], is).await
            }
            "recorded" => self.recorded(&text("agent")).await,
            "member" => {
                let paused = if said["paused"] == true { "1" } else { "0" };
                self.member(&text("queue"), &text("agent"), Some(paused)).await
            }
            "noMember" => self.member(&text("queue"), &text("agent"), None).await,
            "dial" => {
                let body = json!({"from": said["from"], "to": said["to"]});
                let request =
                    reqwest::Client::new().post(self.platform.rest("/v1/calls")).bearer_auth(TOKEN);
                request.json(&body).send().await?.error_for_status()?;
                Ok(())
            }
            "calls" => {
                let call = Call::new("trunk", &text("to")).caller(crm::WRITTEN, "").patience(SOON);
                self.callers.push(call.place(self.pbx)?);
                Ok(())
            }
            "logged" => self.logged(&text("agent"), &text("text")).await,
            other => bail!("the page asks for {other:?}, which nobody here knows"),
        }
    }

    /// The CRM was asked once who calls, and has the call with what was written of it.
    async fn logged(&self, agent: &str, note: &str) -> Result<()> {
        let call = wait::until("the CRM to have the call", SOON, async || {
            Ok(self.crm.logged().into_iter().next())
        })
        .await?;
        let written = call["text"].as_str().unwrap_or_default();
        ensure!(call["agent"] == agent && written.ends_with(note), "{call}");
        ensure!(self.crm.lookups(crm::NUMBER) == 1, "asked {}", self.crm.lookups(crm::NUMBER));
        Ok(())
    }

    /// Both are in bridges, of which this is so.
    async fn talk(
        &mut self,
        one: &str,
        other: &str,
        is_so: impl Fn(&str, &str) -> bool,
    ) -> Result<()> {
        let what = format!("{one} and {other} to be bridged");
        let auditor = &mut self.auditor;
        wait::until(&what, SOON, async || {
            let channels = auditor.core_show_channels().await?;
            let bridge = |agent: &str| {
                let channel = channels.iter().find(|it| starts(it, "Channel", &device(agent)))?;
                channel.get("BridgeId").filter(|bridge| !bridge.is_empty()).map(str::to_owned)
            };
            let both = bridge(one).zip(bridge(other));
            Ok(both.filter(|(one, other)| is_so(one, other)).map(drop))
        })
        .await
    }

    /// A channel of the phone has this field; `None`: there is no channel of it.
    async fn channel(&mut self, agent: &str, wanted: Option<(&str, &str)>) -> Result<()> {
        let auditor = &mut self.auditor;
        wait::until(&format!("a channel of {agent}: {wanted:?}"), SOON, async || {
            let channels = auditor.core_show_channels().await?;
            let mut own = channels.iter().filter(|it| starts(it, "Channel", &device(agent)));
            let is_so = match wanted {
                Some((field, value)) => own.any(|channel| channel.has(field, value)),
                None => own.next().is_none(),
            };
            Ok(is_so.then_some(()))
        })
        .await
    }

    async fn listed(
        &mut self,
        action: &str,
        headers: &[(&str, &str)],
        wanted: impl Fn(&ami::Message) -> bool,
    ) -> Result<()> {
        let auditor = &mut self.auditor;
        wait::until(action, SOON, async || {
            let items = auditor.list(action, headers).await?;
            Ok(items.iter().any(|item| wanted(item)).then_some(()))
        })
        .await
    }

    /// Its channel has a recording, and the file of that is there and grows.
    async fn recorded(&mut self, agent: &str) -> Result<()> {
        let auditor = &mut self.auditor;
        wait::until(&format!("a recording of {agent}"), SOON, async || {
            let channels = auditor.core_show_channels().await?;
            let own = channels.iter().find(|it| starts(it, "Channel", &device(agent)));
            let Some(name) = own.and_then(|channel| channel.get("Channel")) else {
                return Ok(None);
            };
            let variable = [("Channel", name), ("Variable", "MIXMONITOR_FILENAME")];
            let told = auditor.action("Getvar", &variable).await?;
            let file = self.pbx.file(told.get("Value").unwrap_or_default());
            Ok(file.metadata().is_ok_and(|file| file.len() > 0).then_some(()))
        })
        .await
    }

    /// The phone is a member, paused or not; `None`: it is no member.
    async fn member(&mut self, queue: &str, agent: &str, paused: Option<&str>) -> Result<()> {
        let auditor = &mut self.auditor;
        wait::until(&format!("{agent} in {queue}: {paused:?}"), SOON, async || {
            let items = auditor.queue_status().await?;
            let member = items.iter().find(|item| {
                item.is_event("QueueMember")
                    && item.has("Queue", queue)
                    && item
                        .get("StateInterface")
                        .is_some_and(|it| it.ends_with(&format!("/{agent}")))
            });
            let is = member.map(|member| member.get("Paused").unwrap_or_default());
            Ok((is == paused).then_some(()))
        })
        .await
    }
}

fn device(agent: &str) -> String {
    format!("PJSIP/{agent}-")
}

fn starts(message: &ami::Message, field: &str, with: &str) -> bool {
    message.get(field).is_some_and(|value| value.starts_with(with))
}

/// Runs parts of the browser's tests; what they want to be looked at is looked at.
async fn run(parts: &str, panel: &str, witness: &mut Option<Witness<'_>>) -> Result<()> {
    let folder = tokio::task::spawn_blocking(|| {
        languages::browser()?;
        languages::panel()
    })
    .await??;
    let mut process = Command::new("node")
        .arg(folder.join("e2e/run.mjs"))
        .envs([("PARTS", parts), ("PANEL", panel), ("TOKEN", TOKEN)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = process.stdin.take().context("its input")?;
    let mut lines = BufReader::new(process.stdout.take().context("its output")?).lines();
    let mut done = 0;
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        done += usize::from(line.starts_with("ok "));
        if line.starts_with('{')
            && let Some(witness) = witness.as_mut()
        {
            let said = serde_json::from_str(&line)?;
            let answer = match witness.agrees(&said).await {
                Ok(()) => "ok\n".to_owned(),
                Err(why) => format!("{}\n", format!("{why:#}").replace('\n', " ")),
            };
            input.write_all(answer.as_bytes()).await?;
        }
    }
    let status = process.wait().await?;
    ensure!(status.success(), "the browser's tests ended with {status}; they tell why above");
    ensure!(done > 0, "no test of {parts} ran");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_on_the_panel_is_done_by_asterisk() -> Result<()> {
    let test = "panel::what_is_done_on_the_panel_is_done_by_asterisk";
    let Some(installation) = asterisk::require(test) else { return Ok(()) };
    let pbx = Asterisk::start(&installation, Options::default()).await?;
    let mut phones = Vec::new();
    for extension in ["101", "102", "103"] {
        // A silent phone is a dead line to who listens: ChanSpy then does not even hang up.
        phones.push(Phone::acting(pbx.phone_port(extension)?, RING, &[Act::Speak]).await?);
    }
    phones.push(Phone::ringing_only(pbx.phone_port("104")?).await?);
    let platform = Platform::builder().server("pbx1", &pbx).start().await?;
    platform.connected("pbx1").await?;
    let gateway = platform.ws_port;
    let port =
        |toml: String| toml.replace("# gatewayPort = 8084", &format!("gatewayPort = {gateway}"));
    platform.add("panel", port).await?;

    let crm = Crm::start(Kind::Rest).await?;
    crm.contact(crm::NUMBER, crm::contact(Kind::Rest));
    platform.add("crm", crm::at(&crm)).await?;

    let (auditor, callers) = (pbx.auditor().await?, Vec::new());
    let mut witness = Some(Witness { platform: &platform, pbx: &pbx, auditor, crm, callers });
    run("login,actions,views", &platform.rest("/"), &mut witness).await?;
    platform.stop().await;
    drop((phones, pbx));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_is_honest() -> Result<()> {
    // Its core without a browser, then its page with a gateway that fails in all ways.
    let folder = tokio::task::spawn_blocking(languages::panel).await??;
    let core = Command::new("npm").args(["test", "--silent"]).current_dir(folder).output().await?;
    let told = String::from_utf8_lossy(&core.stdout);
    ensure!(core.status.success(), "{told}{}", String::from_utf8_lossy(&core.stderr));
    ensure!(told.contains("passed"), "{told}");
    run("honest", "", &mut None).await
}
