//! A recorded session: the client that is on tape, the phones, and a second pair of eyes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use telepulse_tests::ami::{Client, Message};
use telepulse_tests::asterisk::Asterisk;
use telepulse_tests::phones::{Act, Phone};
use telepulse_tests::recording::{Recording, Tape};
use telepulse_tests::wait;

/// More than anything in a scenario takes.
const SOON: Duration = Duration::from_secs(20);

/// What a client asks to learn the state of an Asterisk, in this order, right after its login.
const LISTINGS: [&str; 10] = [
    "Status",
    "CoreShowChannels",
    "BridgeList",
    "QueueStatus",
    "ExtensionStateList",
    "DeviceStateList",
    "PresenceStateList",
    "PJSIPShowContacts",
    "ParkedCalls",
    "ConfbridgeListRooms",
];

pub(crate) struct Session {
    pub(crate) asterisk: Asterisk,
    auditor: Client,
    tape: Tape,
    client: Option<Client>,
    phones: Vec<Phone>,
}

impl Session {
    pub(crate) async fn new(asterisk: Asterisk) -> Result<Self> {
        let auditor = asterisk.auditor().await?;
        Ok(Self { asterisk, auditor, tape: Tape::default(), client: None, phones: Vec::new() })
    }

    /// Logs in on tape and asks for all listings.
    pub(crate) async fn login(&mut self) -> Result<()> {
        self.tape = Tape::default();
        let (at, user) = (self.asterisk.manager(), self.asterisk.username());
        let secret = self.asterisk.secret();
        let client = Client::login_recorded(at, user, secret, self.tape.clone()).await?;
        self.client = Some(client);
        self.expect("FullyBooted", |_| true).await?;
        self.listings().await
    }

    /// Asks for everything that can be listed, and for the details of each bridge and conference.
    pub(crate) async fn listings(&mut self) -> Result<()> {
        for action in LISTINGS {
            let items = self.client()?.list(action, &[]).await?;
            for item in items {
                if let Some(bridge) = item.get("BridgeUniqueid").filter(|_| action == "BridgeList")
                {
                    self.client()?.list("BridgeInfo", &[("BridgeUniqueid", bridge)]).await?;
                }
                if let Some(room) = item.get("Conference") {
                    self.client()?.list("ConfbridgeList", &[("Conference", room)]).await?;
                }
            }
        }
        Ok(())
    }

    /// An action on tape that must succeed.
    pub(crate) async fn action(&mut self, action: &str, headers: &[(&str, &str)]) -> Result<()> {
        let reply = self.try_action(action, headers).await?;
        if !reply.has("Response", "Success") {
            bail!("{action} failed: {:?}", reply.get("Message"));
        }
        Ok(())
    }

    /// An action on tape, whatever is answered.
    pub(crate) async fn try_action(
        &mut self,
        action: &str,
        headers: &[(&str, &str)],
    ) -> Result<Arc<Message>> {
        self.client()?.action(action, headers).await
    }

    /// Makes the phone of `from` ring and sends it to `to` when it answers, under its own number.
    pub(crate) async fn originate(&mut self, from: &str, to: &str, unique: &str) -> Result<()> {
        let own = format!("\"Phone {from}\" <{from}>");
        self.originate_as(&own, from, to, unique).await
    }

    /// The same under another caller ID.
    pub(crate) async fn originate_as(
        &mut self,
        caller_id: &str,
        from: &str,
        to: &str,
        unique: &str,
    ) -> Result<()> {
        let headers = [
            ("Channel", &*format!("PJSIP/{from}")),
            ("Context", "internal"),
            ("Exten", to),
            ("Priority", "1"),
            ("CallerID", caller_id),
            ("Timeout", "20000"),
            ("ChannelId", unique),
            ("Async", "true"),
        ];
        self.action("Originate", &headers).await
    }

    /// Waits until such an event is on tape, since the login if not earlier.
    pub(crate) async fn expect(
        &mut self,
        event: &str,
        fits: impl Fn(&Message) -> bool,
    ) -> Result<Arc<Message>> {
        let ours = |message: &Message| message.is_event(event) && fits(message);
        self.client()?.wait(0, SOON, event, ours).await
    }

    /// Waits until two channels, or more, talk in one bridge.
    pub(crate) async fn expect_bridged(&mut self, channels: &str) -> Result<()> {
        self.expect("BridgeEnter", |event| event.has("BridgeNumChannels", channels)).await.map(drop)
    }

    /// Lets a while go by, as people talking do, so that the times on tape are believable.
    pub(crate) async fn let_them_talk(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Adds a phone that answers after 300 ms and does what the acts say.
    pub(crate) async fn phone(&mut self, extension: &str, acts: &[Act]) -> Result<()> {
        let port = self.asterisk.phone_port(extension)?;
        let phone = Phone::acting(port, Duration::from_millis(300), acts).await?;
        self.keep(phone);
        Ok(())
    }

    /// Keeps a phone until the scenario ends.
    pub(crate) fn keep(&mut self, phone: Phone) {
        self.phones.push(phone);
    }

    /// Takes all phones off the net, without a goodbye.
    pub(crate) fn drop_phones(&mut self) {
        self.phones.clear();
    }

    /// The name of a live channel of that extension, asked off tape; waits until there is one.
    pub(crate) async fn channel_of(&mut self, extension: &str) -> Result<String> {
        let prefix = format!("PJSIP/{extension}-");
        let auditor = &mut self.auditor;
        wait::until(&format!("a channel {prefix}…"), SOON, async || {
            let channels = auditor.core_show_channels().await?;
            let names = channels.iter().filter_map(|item| item.get("Channel"));
            Ok(names.map(str::to_owned).find(|name| name.starts_with(&prefix)))
        })
        .await
    }

    /// Waits, off tape, until that many channels are up.
    pub(crate) async fn channels_up(&mut self, count: usize) -> Result<()> {
        let auditor = &mut self.auditor;
        wait::until(&format!("{count} channels to be up"), SOON, async || {
            let channels = auditor.core_show_channels().await?;
            let up = channels.iter().filter(|item| item.has("ChannelStateDesc", "Up")).count();
            Ok((up == count).then_some(()))
        })
        .await
    }

    /// An action of somebody else: not on tape.
    pub(crate) async fn aside(&mut self, action: &str, headers: &[(&str, &str)]) -> Result<()> {
        self.auditor.action(action, headers).await.map(drop)
    }

    /// Hangs up every channel, on tape, and waits until all are gone.
    pub(crate) async fn hang_up_all(&mut self) -> Result<()> {
        for item in self.auditor.core_show_channels().await? {
            let channel = item.get("Channel").context("an item without a channel")?;
            // One hang-up often takes the other side along.
            self.try_action("Hangup", &[("Channel", channel), ("Cause", "16")]).await?;
        }
        self.idle().await
    }

    /// Waits until no channel is left.
    pub(crate) async fn idle(&mut self) -> Result<()> {
        let auditor = &mut self.auditor;
        wait::until("all channels to be gone", SOON, async || {
            Ok(auditor.core_show_channels().await?.is_empty().then_some(()))
        })
        .await
    }

    /// Stops Asterisk under the session's feet and waits for the end of the stream.
    pub(crate) async fn stop_asterisk(&mut self) -> Result<()> {
        self.asterisk.stop().await?;
        let ended = self.client()?.wait(usize::MAX, SOON, "the end", |_| false).await;
        if ended.is_ok() {
            bail!("the session outlived its Asterisk");
        }
        self.client = None;
        Ok(())
    }

    /// Lists once more, so that the tape ends with a state to compare with, and logs off.
    pub(crate) async fn end(&mut self) -> Result<Recording> {
        if self.client.is_some() {
            self.listings().await?;
            self.client()?.action("Logoff", &[]).await?;
        }
        Ok(self.recording())
    }

    /// What is on tape so far.
    pub(crate) fn recording(&self) -> Recording {
        self.tape.recording()
    }

    fn client(&mut self) -> Result<&mut Client> {
        self.client.as_mut().context("nobody is logged in on tape")
    }
}
