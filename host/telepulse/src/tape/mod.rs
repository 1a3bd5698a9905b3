//! AMI links on tape: recorded from a real server with their times, and served again.

mod files;
mod playing;
mod record;
mod replay;

pub use files::{LoadError, Tape, load, sent_beside};
pub use record::{Progress, RecordError, record};
pub use replay::{Happening, Login, Replay, Speed};
