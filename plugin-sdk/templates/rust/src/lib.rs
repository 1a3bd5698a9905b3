//! A screen pop: when an agent gets a call, tells which page of the CRM to show.
//!
//! It listens to `phoneNumber` and publishes an event of its own, `screenPop`, that every client of
//! the agent sees: `{"event":"screenPop","agent":"201","number":"+49…","link":"https://…", …}`.

use serde::{Deserialize, Serialize};
use telepulse_plugin_sdk::{Event, Failure, Plugin, Start, Subscriber, bus, config, log};

/// `[settings]` of `my-plugin.toml`.
#[derive(Deserialize)]
struct Settings {
    /// The page for a number, which takes the place of `{number}`.
    link: String,
}

/// The state of the running plugin.
struct ScreenPop {
    settings: Settings,
}

/// What this plugin wants to know of a `phoneNumber` event.
#[derive(Deserialize)]
struct PhoneNumber {
    server: String,
    agent: String,
    /// Absent or null when the agent has no call any more.
    number: Option<String>,
}

/// The details of a `screenPop` event.
#[derive(Serialize)]
struct Pop<'a> {
    server: &'a str,
    agent: &'a str,
    number: &'a str,
    link: String,
}

impl Plugin for ScreenPop {
    fn init(start: &Start) -> Result<Self, String> {
        let settings: Settings = config::settings()?;
        log::info!("{} pops up {}", start.plugin, settings.link);
        Ok(Self { settings })
    }
}

impl Subscriber for ScreenPop {
    fn handle(&mut self, event: Event<'_>) -> Result<(), Failure> {
        let call: PhoneNumber = event.json().map_err(|why| Failure::Skip(why.to_string()))?;
        let Some(number) = &call.number else { return Ok(()) };
        let link = self.settings.link.replace("{number}", &digits(number));
        let pop = Pop { server: &call.server, agent: &call.agent, number, link };
        bus::publish_json("telepulse.event.screenPop", &pop).map_err(Failure::Retry)
    }
}

/// A number as it may stand in a link: anything but digits could change what the link means.
fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

telepulse_plugin_sdk::manifest!("../manifest.toml");
telepulse_plugin_sdk::export!(ScreenPop: Subscriber);

#[cfg(test)]
mod tests {
    use super::*;
    use telepulse_plugin_sdk::testing::FakeHost;

    #[test]
    fn a_call_pops_up_its_page() {
        let host = FakeHost::install();
        host.set("link", "https://crm.example/{number}");
        let mut plugin = host.start::<ScreenPop>().unwrap();

        for payload in [
            r#"{"server":"pbx1","agent":"201","number":"+49 30 1","name":"Ada"}"#,
            r#"{"server":"pbx1","agent":"201","number":null}"#,
        ] {
            let event = Event {
                seq: 1,
                time_ns: 0,
                address: "telepulse.event.phoneNumber",
                kind: "phoneNumber",
                server: Some("pbx1"),
                payload: payload.as_bytes(),
            };
            plugin.event(event).unwrap();
        }

        let published = host.published();
        assert_eq!(published.len(), 1);
        assert_eq!(published[0].address, "telepulse.event.screenPop");
        assert_eq!(
            String::from_utf8_lossy(&published[0].payload),
            r#"{"server":"pbx1","agent":"201","number":"+49 30 1","link":"https://crm.example/49301"}"#
        );
    }

    #[test]
    fn without_its_setting_it_does_not_start() {
        let host = FakeHost::install();
        let error = host.start::<ScreenPop>().err().unwrap_or_default();
        assert!(error.contains("link"), "{error}");
    }
}
