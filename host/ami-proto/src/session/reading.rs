//! What a message says of the answer that it is part of.

use crate::message::Message;

/// Whether a response says that a list follows.
pub(super) fn starts_list(message: &Message) -> bool {
    list_mark(message).is_some_and(|mark| mark.eq_ignore_ascii_case(b"start"))
}

fn list_mark(message: &Message) -> Option<&[u8]> {
    message.get_bytes("EventList")
}

/// Whether a response says goodbye.
pub(super) fn is_goodbye(message: &Message) -> bool {
    message.response().is_some_and(|verdict| verdict.eq_ignore_ascii_case("Goodbye"))
}

/// Whether an event is the last of its list. Old versions say so by its name alone.
pub(super) fn completes_list(message: &Message) -> bool {
    match list_mark(message) {
        Some(mark) => {
            [&b"Complete"[..], b"cancelled"].iter().any(|end| mark.eq_ignore_ascii_case(end))
        }
        None => message.event().is_some_and(|name| {
            name.len()
                .checked_sub("Complete".len())
                .and_then(|at| name.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case("Complete"))
        }),
    }
}

/// Events whose `ActionID` may be of somebody else's making.
pub(super) fn is_never_an_item(message: &Message) -> bool {
    message.event().is_some_and(|name| name.eq_ignore_ascii_case("UserEvent"))
}
