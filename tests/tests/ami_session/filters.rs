//! Filters in both forms: on a real Asterisk each lets in and leaves out what it says.

use ami_proto::{EventFilter, Match, Message, SessionConfig, actions};
use anyhow::{Context, Result};
use telepulse_tests::ami::Client;
use telepulse_tests::asterisk::{self, Asterisk, Options};

use crate::link::{Link, SOON, config};

/// A header's value that is full of what regular expressions mind.
const ODD: &str = r"a.b(c|d)*[e]^$\x{2}+?";
/// What [`ODD`] would match, were it taken for one or were only its start looked at.
const NEAR: &str = r"axb(c|d)*[e]^$\x{2}+? and more";

/// The events that are made for each session to see, or not.
const ALL: [&str; 4] = ["device", "Alpha", "odd", "near"];

#[derive(Clone)]
struct Case {
    filters: Vec<EventFilter>,
    /// Of [`ALL`].
    seen: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let name = |name: &str| Match::Name(name.to_owned());
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mark = |value: &str| Match::Header {
        event: "UserEvent".to_owned(),
        key: "Mark".to_owned(),
        value: value.to_owned(),
    };
    let case = |filters: Vec<EventFilter>, seen| Case { filters, seen };
    vec![
        case(vec![], &ALL),
        case(vec![EventFilter::include(name("UserEvent"))], &["Alpha", "odd", "near"]),
        case(vec![EventFilter::exclude(name("UserEvent"))], &["device"]),
        // The whole name, with its case.
        case(vec![EventFilter::include(name("User"))], &[]),
        case(vec![EventFilter::include(name("Event"))], &[]),
        case(vec![EventFilter::exclude(name("userevent"))], &ALL),
        case(
            EventFilter::include_names(names(&["Hangup", "DeviceStateChange", "User"])),
            &["device"],
        ),
        case(
            EventFilter::exclude_names(names(&["Hangup", "DeviceStateChange", "User"])),
            &["Alpha", "odd", "near"],
        ),
        case(vec![EventFilter::include(mark(ODD))], &["odd"]),
        case(vec![EventFilter::exclude(mark(ODD))], &["device", "Alpha", "near"]),
        case(
            vec![EventFilter::include(Match::Anything), EventFilter::exclude(mark("1"))],
            &["device", "odd", "near"],
        ),
        // Excluding comes after including, whatever the order.
        case(
            vec![EventFilter::exclude(mark("1")), EventFilter::include(name("UserEvent"))],
            &["odd", "near"],
        ),
        case(
            vec![EventFilter::include(mark("1")), EventFilter::include(name("DeviceStateChange"))],
            &["device", "Alpha"],
        ),
    ]
}

#[tokio::test]
async fn filters_let_in_and_leave_out_in_both_forms() -> Result<()> {
    let name = "ami_session::filters::filters_let_in_and_leave_out_in_both_forms";
    let Some(installation) = asterisk::require(name) else { return Ok(()) };
    let asterisk = Asterisk::start(&installation, Options::default()).await?;
    let mut links = Vec::new();
    for case in cases() {
        links.push(("old", with_old_form(&asterisk, &case).await?, case.clone()));
        links.push(("new", with_new_form(&asterisk, &case).await?, case));
    }
    make_events(&mut asterisk.observer().await?).await?;
    for (form, mut link, case) in links {
        link.flushed().await?;
        let mut came: Vec<&str> = link.events.iter().filter_map(label).collect();
        let mut seen = case.seen.to_vec();
        // Two routers bring them, in any order.
        came.sort_unstable();
        seen.sort_unstable();
        assert_eq!(came, seen, "{form} form of {:?}", case.filters);
        assert_eq!(link.problems, [], "{form} form of {:?}", case.filters);
    }
    Ok(())
}

/// At login, as the version allows it.
async fn with_new_form(asterisk: &Asterisk, case: &Case) -> Result<Link> {
    let filters = case.filters.clone();
    let link = Link::ready(asterisk, SessionConfig { filters, ..config(asterisk) }).await?;
    let version = link.session.asterisk_version().context("a version")?;
    assert!(version.has_match_criteria(), "the tests' Asterisk is too old: {version}");
    Ok(link)
}

/// Afterwards, as if the version were not known.
async fn with_old_form(asterisk: &Asterisk, case: &Case) -> Result<Link> {
    let mut link = Link::ready(asterisk, config(asterisk)).await?;
    for filter in &case.filters {
        let (response, _) = link.ask(actions::filter_add(filter, None)).await?;
        assert!(!response.is_error(), "{filter:?}: {response:?}");
    }
    Ok(link)
}

/// Makes the events of [`ALL`], and returns when each is queued for every session.
async fn make_events(observer: &mut Client) -> Result<()> {
    let state = [("Variable", "DEVICE_STATE(Custom:lamp)"), ("Value", "INUSE")];
    observer.action("Setvar", &state).await?;
    for (user_event, mark) in [("Alpha", "1"), ("odd", ODD), ("near", NEAR)] {
        observer.action("UserEvent", &[("UserEvent", user_event), ("Mark", mark)]).await?;
    }
    // The reply to the action comes before its event.
    for (key, value) in [("Device", "Custom:lamp"), ("UserEvent", "near")] {
        observer.wait(0, SOON, value, |event| event.has(key, value)).await?;
    }
    Ok(())
}

/// Which of [`ALL`] it is; Asterisk tells of other things too.
fn label(event: &Message) -> Option<&str> {
    match event.event()? {
        "DeviceStateChange" if event.get("Device") == Some("Custom:lamp") => Some("device"),
        "UserEvent" => event.get("UserEvent"),
        _ => None,
    }
}
