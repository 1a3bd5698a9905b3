//! What goes into one call: not more than a sound guest can do in its time, however much has arrived. Pure.

use crate::{
    effects::Reply,
    ports::{Frame, Happening},
};
use std::collections::VecDeque;

/// Messages in one call.
const MESSAGES: usize = 64;
/// Bytes in one call. A single thing may be larger.
const BYTES: usize = 256 << 10;

/// Something that is handed over at most once: if a call fails, what was in it is not handed over again,
/// because a command in it must not be given twice.
pub(super) trait Once {
    /// Messages in it, and their bytes.
    fn weight(&self) -> (usize, usize);

    /// The connection that waits for something in vain if it is lost.
    fn owed(&self) -> Option<u64>;
}

impl Once for Happening {
    fn weight(&self) -> (usize, usize) {
        match self {
            Self::Frames(_, frames) => (frames.len(), frames.iter().map(size).sum()),
            Self::Open(_) | Self::Lagged(..) | Self::Closed(..) => (1, 0),
        }
    }

    fn owed(&self) -> Option<u64> {
        match self {
            Self::Open(info) => Some(info.conn),
            Self::Frames(conn, _) | Self::Lagged(conn, _) => Some(*conn),
            Self::Closed(..) => None,
        }
    }
}

impl Once for Reply {
    fn weight(&self) -> (usize, usize) {
        (1, self.answer.as_ref().map_or(0, bytes::Bytes::len))
    }

    fn owed(&self) -> Option<u64> {
        self.conn
    }
}

fn size(frame: &Frame) -> usize {
    match frame {
        Frame::Text(text) => text.len(),
        Frame::Binary(bytes) => bytes.len(),
    }
}

/// Takes the next portion: at least one, if there is one.
pub(super) fn take<T: Once>(waiting: &mut VecDeque<T>) -> Vec<T> {
    let mut portion = Vec::new();
    let (mut messages, mut bytes) = (0, 0);
    while let Some(next) = waiting.front() {
        let (more, larger) = next.weight();
        messages += more;
        bytes += larger;
        if !portion.is_empty() && (messages > MESSAGES || bytes > BYTES) {
            break;
        }
        portion.extend(waiting.pop_front());
    }
    portion
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(conn: u64, count: usize, bytes: usize) -> Happening {
        Happening::Frames(conn, vec![Frame::Text("x".repeat(bytes)); count])
    }

    fn conns(portion: &[Happening]) -> Vec<u64> {
        portion.iter().filter_map(Once::owed).collect()
    }

    #[test]
    fn a_portion_is_bounded_in_messages_and_bytes() {
        let all = [
            frames(1, 32, 10),
            frames(2, 32, 10),
            frames(3, 1, 10),
            frames(4, 1, 1 << 20),
            frames(5, 200, 1),
            Happening::Lagged(6, 1),
        ];
        let mut waiting = VecDeque::from(all);
        let portions: Vec<_> =
            std::iter::from_fn(|| Some(take(&mut waiting)).filter(|it| !it.is_empty())).collect();
        let found: Vec<_> = portions.iter().map(|portion| conns(portion)).collect();
        assert_eq!(found, [vec![1, 2], vec![3], vec![4], vec![5], vec![6]]);
    }
}
