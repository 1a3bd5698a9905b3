//! Actions at the limits of what Asterisk takes, odd values, and lists of all kinds.

use ami_proto::actions::{self, Originate, Target};
use ami_proto::{Action, ActionError, Message, SubmitError};
use anyhow::{Context, Result};
use telepulse_tests::asterisk::{self, Asterisk, Options};

use crate::link::{Link, config};

/// A line of 1,024 bytes with its CRLF, and a value one byte too long for that.
const LONGEST: usize = 1_024 - "Text: \r\n".len();

#[tokio::test]
async fn what_is_asked_is_what_asterisk_reads() -> Result<()> {
    let name = "ami_session::actions::what_is_asked_is_what_asterisk_reads";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let asterisk = Asterisk::start(&installation, Options::default()).await?;
    let mut link = Link::ready(&asterisk, config(&asterisk)).await?;
    a_line_may_be_this_long(&asterisk, &mut link).await?;
    an_action_may_have_this_many_headers(&mut link).await?;
    odd_values_arrive_as_they_are(&mut link).await?;
    lists(&mut link).await?;
    assert_eq!((link.problems.len(), link.closed), (0, None));
    Ok(())
}

fn user_event(text: &str) -> Action {
    Action::new("UserEvent").header("UserEvent", "Long").header("Text", text)
}

async fn a_line_may_be_this_long(asterisk: &Asterisk, link: &mut Link) -> Result<()> {
    let longest = "x".repeat(LONGEST);
    let (response, _) = link.ask(user_event(&longest)).await?;
    assert!(!response.is_error(), "{response:?}");
    let has_come = |event: &Message| event.get("Text") == Some(&longest);
    link.until("the event", |link| link.events.iter().any(has_come)).await?;

    let one_more = "x".repeat(LONGEST + 1);
    let refused = link.session.submit(user_event(&one_more), 1_000, link.now_ms());
    let too_long = ActionError::LineTooLong { field: "Text".to_owned(), bytes: 1_025 };
    assert_eq!(refused, Err(SubmitError::Invalid(too_long)));
    // Asterisk would not have taken it.
    let mut auditor = asterisk.auditor().await?;
    let reply = auditor.action("UserEvent", &[("UserEvent", "Long"), ("Text", &one_more)]).await;
    assert!(reply.is_err() || reply.is_ok_and(|reply| reply.has("Response", "Error")));
    Ok(())
}

async fn an_action_may_have_this_many_headers(link: &mut Link) -> Result<()> {
    // `Action` and `ActionID` count, too.
    let with = |count| {
        (0..count - 3).fold(user_event("x").list(false), |action, n| {
            if n == 0 { action } else { action.header(format!("K{n}"), "v") }
        })
    };
    let (response, _) = link.ask(with(128)).await?;
    assert!(!response.is_error(), "{response:?}");
    let has_come = |event: &Message| event.get("K124") == Some("v");
    link.until("the event", |link| link.events.iter().any(has_come)).await?;
    let refused = link.session.submit(with(129), 1_000, link.now_ms());
    assert_eq!(refused, Err(SubmitError::Invalid(ActionError::TooManyHeaders(129))));
    Ok(())
}

async fn odd_values_arrive_as_they_are(link: &mut Link) -> Result<()> {
    let values = [
        ("PLAIN", "a: b: c"),
        ("QUOTES", r#"he said "no", didn't he\she"#),
        ("SIGNS", "x=y;z|w,v&u,(t,[s"),
        ("WORDS", "Zo\u{eb} \u{41f}\u{440}\u{438}\u{432}\u{435}\u{442} \u{1f4de}"),
    ];
    let call = Originate {
        channel: "Local/60@storm".to_owned(),
        target: Target::Extension {
            context: "storm".to_owned(),
            exten: "60".to_owned(),
            priority: "1".to_owned(),
        },
        timeout_ms: Some(5_000),
        caller_id: Some(r#""Zo\u{eb} O'Brien; \"x\"" <101>"#.to_owned()),
        account: None,
        variables: values.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        auto_answer: false,
        channel_id: Some("odd-1".to_owned()),
        other_channel_id: Some("odd-2".to_owned()),
    };
    let (response, _) = link.ask(actions::originate(&call)).await?;
    assert!(!response.is_error(), "{response:?}");
    link.until("the call's outcome", |link| {
        link.events.iter().any(|event| event.event() == Some("OriginateResponse"))
    })
    .await?;
    let outcome = link.events.iter().find(|event| event.event() == Some("OriginateResponse"));
    let outcome = outcome.context("it came")?;
    assert_eq!(
        (outcome.get("Response"), outcome.get("Uniqueid")),
        (Some("Success"), Some("odd-1"))
    );
    let channel = outcome.get("Channel").context("a channel")?.to_owned();
    for (name, value) in values {
        let (response, _) = link.ask(actions::get_var(Some(&channel), name)).await?;
        assert_eq!(response.get("Value"), Some(value), "{name}");
    }
    Ok(())
}

/// With items, empty, refused because empty, with items that bear a live event's name.
async fn lists(link: &mut Link) -> Result<()> {
    let (_, channels) = link.ask(actions::core_show_channels()).await?;
    let ids: Vec<_> = channels.iter().filter_map(|item| item.get("Uniqueid")).collect();
    assert!(ids.contains(&"odd-1") && ids.contains(&"odd-2"), "{channels:?}");
    let (_, devices) = link.ask(actions::device_state_list()).await?;
    let (last, devices) = devices.split_last().context("a list")?;
    assert_eq!(last.get("EventList"), Some("Complete"));
    assert_eq!(last.get("ListItems"), Some(devices.len().to_string().as_str()));
    assert!(devices.iter().all(|item| item.event() == Some("DeviceStateChange")), "{devices:?}");
    let (_, parked) = link.ask(actions::parked_calls()).await?;
    assert_eq!(parked.len(), 1, "only its end: {parked:?}");
    let (response, rooms) = link.ask(actions::confbridge_list_rooms()).await?;
    assert!(response.is_error() && rooms.is_empty(), "{response:?} {rooms:?}");
    assert_eq!(response.get("Message"), Some("No active conferences."));
    let (response, _) = link.ask(Action::new("NoSuchAction")).await?;
    assert!(response.is_error(), "{response:?}");
    Ok(())
}
