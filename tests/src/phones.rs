//! SIP phones, played by `sipp` from the scenarios in `tests/phones`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::asterisk::Asterisk;
use crate::template::fill;
use crate::{ports, wait};

const CALLEE: &str = include_str!("../phones/callee.xml");
const CALLER: &str = include_str!("../phones/caller.xml");
const REFUSER: &str = include_str!("../phones/refuser.xml");
const REGISTER: &str = include_str!("../phones/register.xml");
const WAIT: &str = include_str!("../phones/act-wait.xml");
const REINVITE: &str = include_str!("../phones/act-reinvite.xml");
const REFER: &str = include_str!("../phones/act-refer.xml");
const SPEAK: &str = include_str!("../phones/act-speak.xml");
const HANG_UP: &str = include_str!("../phones/act-hangup.xml");

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_hours(24);
const READY: Duration = Duration::from_secs(30);

/// What a phone does in a call once that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Stays in the call that long, and answers what the other side asks in the meantime.
    Talk(Duration),
    /// Puts the other side on hold (re-INVITE, sendonly).
    Hold,
    /// Takes it back (re-INVITE, sendrecv).
    Resume,
    /// Sends it to an extension: a blind transfer (REFER).
    Refer(String),
    /// Sends sound from then on; phones are mute otherwise.
    Speak,
    /// Hangs up. Without it a phone talks until the other side hangs up.
    HangUp,
}

/// A phone: one `sipp` process, which serves any number of calls; killed when dropped.
#[derive(Debug)]
pub struct Phone {
    child: Child,
    dir: TempDir,
}

impl Phone {
    /// Rings that long, then answers; talks until the other side hangs up.
    pub async fn answering(port: u16, ring: Duration) -> Result<Self> {
        Self::acting(port, ring, &[]).await
    }

    /// Rings that long, then answers and does one act after the other in each call.
    pub async fn acting(port: u16, ring: Duration, acts: &[Act]) -> Result<Self> {
        let acts = acts_of(acts, "[$to];tag=[pid]-[call_number]", "[$from]")?;
        let ring = ring.as_millis().to_string();
        Self::serve(port, &fill(CALLEE, &[("ring_ms", &ring), ("acts", &acts)])?).await
    }

    /// Rings and never answers.
    pub async fn ringing_only(port: u16) -> Result<Self> {
        Self::answering(port, FOR_EVER).await
    }

    /// Refuses every call: 486 Busy Here.
    pub async fn busy(port: u16) -> Result<Self> {
        Self::refusing(port, "486 Busy Here").await
    }

    /// Refuses every call with a SIP status line, such as `603 Decline`.
    pub async fn refusing(port: u16, status: &str) -> Result<Self> {
        Self::serve(port, &fill(REFUSER, &[("status", status)])?).await
    }

    /// Calls `to` as the phone `from` and talks until the other side hangs up.
    pub fn call(asterisk: &Asterisk, from: &str, to: &str) -> Result<Self> {
        Call::new(from, to).place(asterisk)
    }

    /// Registers one of [`asterisk::REGISTERING`](crate::asterisk::REGISTERING) for that long
    /// (whole seconds), as reached on its phone port; zero: no longer reached.
    pub async fn register(asterisk: &Asterisk, extension: &str, expires: Duration) -> Result<()> {
        let values = [
            ("extension", extension),
            ("expires", &expires.as_secs().to_string()),
            ("phone_port", &asterisk.phone_port(extension)?.to_string()),
        ];
        let at = asterisk.sip().to_string();
        let mut registrar =
            Self::spawn(ports::free()?, &fill(REGISTER, &values)?, &["-m", "1", &at])?;
        registrar.finished(READY).await
    }

    async fn serve(port: u16, scenario: &str) -> Result<Self> {
        let mut phone = Self::spawn(port, scenario, &["-aa"])?;
        wait::until(&format!("sipp to listen on {port}"), READY, async || phone.listens(port))
            .await?;
        Ok(phone)
    }

    fn listens(&mut self, port: u16) -> Result<Option<()>> {
        if let Some(status) = self.child.try_wait()? {
            bail!("sipp ended at once ({status}): {}", self.errors());
        }
        Ok(udp_port_is_bound(port)?.then_some(()))
    }

    fn spawn(port: u16, scenario: &str, args: &[&str]) -> Result<Self> {
        let dir = TempDir::with_prefix("telepulse-phone-")?;
        fs::write(dir.path().join("scenario.xml"), scenario)?;
        fs::write(dir.path().join("hum.ulaw"), hum())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "sipp"]);
        command.args(["-sf", "scenario.xml", "-i", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-nostdin", "-trace_err", "-error_file", "errors.log"]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).current_dir(dir.path());
        command.stderr(File::create(dir.path().join("stderr.log"))?);
        Ok(Self { child: command.spawn().context("starting sipp")?, dir })
    }

    /// Waits until a caller's calls are over; an error tells what went otherwise than planned.
    pub async fn finished(&mut self, limit: Duration) -> Result<()> {
        let child = &mut self.child;
        let ended = wait::until("the phone's calls to end", limit, async || Ok(child.try_wait()?));
        let status = ended.await?;
        if !status.success() {
            bail!("sipp ended with {status}: {}", self.errors());
        }
        Ok(())
    }

    /// What `sipp` complained about.
    pub fn errors(&self) -> String {
        let read = |name| fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        format!("{}{}", read("stderr.log"), read("errors.log"))
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls to be placed by a phone.
#[derive(Debug, Clone)]
pub struct Call {
    from: String,
    to: String,
    number: String,
    name: String,
    patience: Duration,
    acts: Vec<Act>,
    times: u32,
    per_second: u32,
}

impl Call {
    /// One call from the phone `from` (an extension, or `trunk`) to whatever `to` is in the dialplan.
    pub fn new(from: &str, to: &str) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            number: from.to_owned(),
            name: format!("Phone {from}"),
            patience: FOR_EVER,
            acts: Vec::new(),
            times: 1,
            per_second: 10,
        }
    }

    /// Number and name that the call brings along; heeded from `trunk` only.
    #[must_use]
    pub fn caller(mut self, number: &str, name: &str) -> Self {
        number.clone_into(&mut self.number);
        name.clone_into(&mut self.name);
        self
    }

    /// Gives up (CANCEL) when it was not answered that long.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Does this once answered, after what was said before.
    #[must_use]
    pub fn then(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    /// Makes the same call that often, at a rate.
    #[must_use]
    pub fn times(mut self, times: u32, per_second: u32) -> Self {
        (self.times, self.per_second) = (times, per_second);
        self
    }

    /// Starts calling.
    pub fn place(&self, asterisk: &Asterisk) -> Result<Phone> {
        let acts = acts_of(&self.acts, "[$from]", "[$to]")?;
        let patience = self.patience.as_millis().to_string();
        let values = [
            ("caller", self.from.as_str()),
            ("callee", &self.to),
            ("caller_name", &self.name),
            ("caller_number", &self.number),
            ("patience_ms", &patience),
            ("acts", &acts),
        ];
        let scenario = fill(CALLER, &values)?;
        let (times, rate) = (self.times.to_string(), self.per_second.to_string());
        let at = asterisk.sip().to_string();
        Phone::spawn(ports::free()?, &scenario, &["-m", &times, "-r", &rate, &at])
    }
}

/// The acts as a part of a scenario; they end with the call, by whoever hangs up.
fn acts_of(acts: &[Act], local: &str, remote: &str) -> Result<String> {
    let to_the_end = [Act::Talk(FOR_EVER), Act::HangUp];
    acts.iter()
        .chain(&to_the_end)
        .enumerate()
        .map(|(n, act)| {
            let n = n.to_string();
            let dialog = [("n", n.as_str()), ("local", local), ("remote", remote)];
            let with = |template, more| fill(template, &[&dialog[..], &[more]].concat());
            match act {
                Act::Talk(time) => with(WAIT, ("wait_ms", &time.as_millis().to_string())),
                Act::Hold => with(REINVITE, ("direction", "sendonly")),
                Act::Resume => with(REINVITE, ("direction", "sendrecv")),
                Act::Refer(to) => with(REFER, ("refer_to", to)),
                Act::Speak => Ok(String::from(SPEAK)),
                Act::HangUp => fill(HANG_UP, &dialog),
            }
        })
        .collect()
}

/// A second of a square wave of 200 Hz, µ-law at 8 kHz: loud enough to count as talking.
fn hum() -> Vec<u8> {
    (0..8_000).map(|sample| if sample / 20 % 2 == 0 { 0x9f } else { 0x1f }).collect()
}

/// Read from the kernel's table: trying to bind could get in the way of the one who is about to.
fn udp_port_is_bound(port: u16) -> Result<bool> {
    let table = fs::read_to_string(Path::new("/proc/net/udp"))?;
    let ending = format!(":{port:04X}");
    let local = |line: &str| line.split_whitespace().nth(1).is_some_and(|at| at.ends_with(&ending));
    Ok(table.lines().any(local))
}
