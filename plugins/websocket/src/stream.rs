//! Clients that only listen (server-sent events): the filter and the place to go on from are in the address.
//! `GET /v1/events?events=activeLines,callEnded&agents=201&snapshot=true`, and the header `Last-Event-ID`.

use crate::message::{Since, Subscribe};
use telepulse_plugin_sdk::{
    OpenInfo,
    language::{Filter, Refusal},
};

/// Whether a connection is of that kind.
pub(crate) fn is_one(info: &OpenInfo) -> bool {
    header(info, "accept").is_some_and(|kinds| kinds.contains("text/event-stream"))
        && header(info, "upgrade").is_none()
}

fn header<'i>(info: &'i OpenInfo, name: &str) -> Option<&'i str> {
    info.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// What it wants.
pub(crate) fn subscription(info: &OpenInfo) -> Result<Subscribe, Refusal> {
    let mut subscribe = Subscribe { filter: Filter::default(), snapshot: false, since: None };
    let mut last = header(info, "last-event-id").map(str::to_owned);
    for (name, value) in form_urlencoded::parse(info.query.as_bytes()) {
        let list = || {
            let items = value.split(',').filter(|item| !item.is_empty());
            Some(items.map(str::to_owned).collect())
        };
        match &*name {
            "events" => subscribe.filter.events = list(),
            "servers" => subscribe.filter.servers = list(),
            "agents" => subscribe.filter.agents = list(),
            "queues" => subscribe.filter.queues = list(),
            "snapshot" => {
                subscribe.snapshot = value
                    .parse()
                    .map_err(|_| Refusal::field("snapshot", "must be true or false"))?;
            }
            "lastEventId" => last = Some(value.into_owned()),
            _ => {
                let message = "is not a parameter here; known: events, servers, agents, queues, \
                               snapshot, lastEventId";
                return Err(Refusal::field(name, message));
            }
        }
    }
    subscribe.since = last.as_deref().map(since).transpose()?;
    Ok(subscribe)
}

/// `EPOCH:SEQ`, as the host numbers messages.
fn since(id: &str) -> Result<Since, Refusal> {
    let wrong = || Refusal::field("Last-Event-ID", "must be the id of an event, like e1:17");
    let (epoch, seq) = id.rsplit_once(':').ok_or_else(wrong)?;
    Ok(Since { epoch: epoch.to_owned(), seq: seq.parse().map_err(|_| wrong())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(query: &str, last: Option<&str>) -> OpenInfo {
        let mut headers = vec![("accept".to_owned(), "text/event-stream".to_owned())];
        headers.extend(last.map(|last| ("last-event-id".to_owned(), last.to_owned())));
        OpenInfo { query: query.to_owned(), headers, ..OpenInfo::default() }
    }

    #[test]
    fn the_address_says_what_is_wanted() {
        let wanted = info("events=callEnded,parked&agents=201&snapshot=true", Some("e1:17"));
        assert!(is_one(&wanted) && !is_one(&OpenInfo::default()));
        let Ok(Subscribe { filter, snapshot, since }) = subscription(&wanted) else {
            panic!("refused");
        };
        let words =
            |list: Option<std::collections::BTreeSet<String>>| list.unwrap_or_default().len();
        assert_eq!((words(filter.events), words(filter.agents), snapshot), (2, 1, true));
        assert!(since.is_some_and(|since| since.epoch == "e1" && since.seq == 17));
        for (query, last, field) in [
            ("colour=red", None, "colour"),
            ("snapshot=yes", None, "snapshot"),
            ("", Some("17"), "Last-Event-ID"),
            ("lastEventId=e1:x", None, "Last-Event-ID"),
        ] {
            let refusal = subscription(&info(query, last)).err();
            assert_eq!(refusal.and_then(|it| it.field).as_deref(), Some(field), "{query}");
        }
    }
}
