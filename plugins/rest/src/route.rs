//! Paths: which there are, and what can be done with each.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands as it is in a path segment: the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What can be ordered of a call at `/v1/calls/{id}/ORDER`: commands of the same name.
pub(crate) const ORDERS: [&str; 6] = ["transfer", "record", "park", "spy", "whisper", "barge"];

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Calls,
    Call(String),
    /// One of [`ORDERS`] about a call.
    Order {
        call: String,
        order: &'static str,
    },
    Parked,
    Conferences,
    Extensions,
    Extension(String),
    Queues,
    Queue(String),
    Member {
        queue: String,
        agent: String,
    },
    Servers,
    Commands,
}

impl Route {
    /// The resource at a path; `None` if there is none.
    pub(crate) fn find(path: &str) -> Option<Self> {
        let segments: Vec<String> = path
            .strip_prefix("/v1/")?
            .split('/')
            .map(|segment| Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned()))
            .collect::<Option<_>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        // An empty segment names nothing: `/v1/calls/` is not there.
        if segments.contains(&"") {
            return None;
        }
        let text = |text: &str| text.to_owned();
        Some(match segments[..] {
            ["calls"] => Self::Calls,
            ["calls", call] => Self::Call(text(call)),
            ["calls", call, order] => {
                let order = ORDERS.into_iter().find(|known| *known == order)?;
                Self::Order { call: text(call), order }
            }
            ["parked"] => Self::Parked,
            ["conferences"] => Self::Conferences,
            ["extensions"] => Self::Extensions,
            ["extensions", extension] => Self::Extension(text(extension)),
            ["queues"] => Self::Queues,
            ["queues", queue] => Self::Queue(text(queue)),
            ["queues", queue, "members", agent] => {
                Self::Member { queue: text(queue), agent: text(agent) }
            }
            ["servers"] => Self::Servers,
            ["commands"] => Self::Commands,
            _ => return None,
        })
    }

    /// The methods that it knows, as in the header `Allow`. GET brings HEAD with it.
    pub(crate) fn methods(&self) -> &'static str {
        match self {
            Self::Calls => "GET, HEAD, POST",
            Self::Call(_) => "GET, HEAD, DELETE",
            Self::Order { .. } | Self::Commands => "POST",
            Self::Extensions
            | Self::Extension(_)
            | Self::Queues
            | Self::Queue(_)
            | Self::Parked
            | Self::Conferences
            | Self::Servers => "GET, HEAD",
            Self::Member { .. } => "PUT, PATCH, DELETE",
        }
    }
}

/// Where a call is.
pub(crate) fn location(call: &str) -> String {
    format!("/v1/calls/{}", utf8_percent_encode(call, SEGMENT))
}
