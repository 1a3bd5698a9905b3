//! The event stream in JetStream: made where it is missing, given our limits, refused where it is not ours.

use super::StartError;
use crate::{config::Nats, nats};
use async_nats::jetstream::{
    Context, ErrorCode,
    context::{CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType},
};
use std::time::Duration;

/// NATS keeps so many events more than the history, for nodes that have not read them yet.
const AHEAD: usize = 100_000;

/// The stream as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) name: String,
    /// Names this stream, as long as it is not made anew.
    pub(super) epoch: String,
    /// The number of the oldest message.
    pub(super) first: u64,
    /// The number of the newest.
    pub(super) last: u64,
}

impl From<Info> for Kept {
    fn from(info: Info) -> Self {
        // Nothing but the time of its making tells one stream from the next of its name.
        let epoch = format!("{:016x}", info.created.unix_timestamp_nanos());
        let (first, last) = (info.state.first_sequence, info.state.last_sequence);
        Self { name: info.config.name, epoch, first, last }
    }
}

impl Kept {
    /// The number to begin at for so many events.
    pub(super) fn begin(&self, history: u64) -> u64 {
        self.first.max(self.last.saturating_sub(history) + 1).max(1)
    }
}

/// The stream as it is to be.
pub(super) fn wanted(settings: &Nats, history: usize, subject: String) -> Config {
    Config {
        name: nats::name(settings.prefix.as_deref()),
        subjects: vec![subject],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_messages: i64::try_from(history.saturating_add(AHEAD)).unwrap_or(i64::MAX),
        max_bytes: i64::try_from(settings.bytes).unwrap_or(i64::MAX),
        max_age: settings.age,
        storage: if settings.on_disk { StorageType::File } else { StorageType::Memory },
        num_replicas: usize::try_from(settings.replicas).unwrap_or(1),
        // It must not be longer than the age. We tell what is there twice by ourselves.
        duplicate_window: Duration::from_secs(1),
        description: Some("TelePulse: events for clients that come back".to_owned()),
        ..Config::default()
    }
}

/// Looks at the stream again; makes it anew where it has gone. The limits that it has it keeps: another node
/// may have set them since.
pub(super) async fn look(jetstream: &Context, wanted: &Config) -> Result<Kept, StartError> {
    match jetstream.get_stream(&wanted.name).await {
        Ok(found) => Ok(found.cached_info().clone().into()),
        Err(error) if is_missing(&error.kind()) => make(jetstream, wanted.clone()).await,
        Err(error) => {
            let (name, why) = (wanted.name.clone(), error.to_string());
            Err(StartError::Stream { name, why })
        }
    }
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    let GetStreamErrorKind::JetStream(error) = kind else { return false };
    error.error_code() == ErrorCode::STREAM_NOT_FOUND
}

/// Makes the stream, or gives the one that is there our limits.
pub(super) async fn keep(jetstream: &Context, wanted: Config) -> Result<Kept, StartError> {
    let name = wanted.name.clone();
    let told = |why: String| StartError::Stream { name: name.clone(), why };
    let found = match jetstream.get_stream(&name).await {
        Ok(found) => found,
        Err(error) if is_missing(&error.kind()) => return make(jetstream, wanted).await,
        Err(error) => return Err(told(error.to_string())),
    };
    let info = found.cached_info().clone();
    if let Some(why) = foreign(&info.config, &wanted) {
        return Err(StartError::Stream { name, why });
    }
    let changed = limited(info.config.clone(), &wanted);
    if changed == info.config {
        return Ok(info.into());
    }
    tracing::info!(stream = %name, "the event stream gets the limits of this configuration");
    let info = jetstream.update_stream(&changed).await.map_err(|error| told(error.to_string()))?;
    Ok(info.into())
}

async fn make(jetstream: &Context, wanted: Config) -> Result<Kept, StartError> {
    let name = wanted.name.clone();
    let made = jetstream.create_stream(wanted).await;
    let made = match made {
        Ok(made) => Ok(made.cached_info().clone()),
        // Another node was faster.
        Err(error)
            if matches!(error.kind(), CreateStreamErrorKind::JetStream(ref it)
            if it.error_code() == ErrorCode::STREAM_NAME_EXIST) =>
        {
            let found = jetstream.get_stream(&name).await;
            found.map(|found| found.cached_info().clone()).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    made.map(Kept::from).map_err(|why| StartError::Stream { name, why })
}

/// The stream with our limits.
fn limited(found: Config, wanted: &Config) -> Config {
    let Config { max_messages, max_bytes, max_age, num_replicas, .. } = *wanted;
    Config { max_messages, max_bytes, max_age, num_replicas, ..found }
}

/// Why a stream of our name cannot be ours.
fn foreign(found: &Config, wanted: &Config) -> Option<String> {
    let way_out = "remove it (`nats stream rm`), or set another [bus] prefix";
    if found.subjects != wanted.subjects {
        return Some(format!(
            "it holds {:?}, not {:?}: {way_out}",
            found.subjects, wanted.subjects
        ));
    }
    if found.retention != wanted.retention || found.discard != wanted.discard {
        return Some(format!("it does not keep the newest events for all: {way_out}"));
    }
    if found.storage != wanted.storage {
        let storage = |it| if it == StorageType::File { "file" } else { "memory" };
        let (found, wanted) = (storage(found.storage), storage(wanted.storage));
        return Some(format!(
            "it is kept in {found}, and [bus] storage = {wanted:?}: write {found:?}, or remove it \
             (`nats stream rm`); then clients begin anew"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_anothers_is_refused_and_other_limits_are_not() {
        let ours = Config {
            name: "TELEPULSE".into(),
            subjects: vec!["telepulse.event.>".into()],
            ..Config::default()
        };
        assert_eq!(foreign(&ours, &ours), None);
        assert_eq!(foreign(&Config { max_messages: 7, ..ours.clone() }, &ours), None);
        let told = |found: Config| foreign(&found, &ours).unwrap_or_default();
        assert!(told(Config { subjects: vec!["x".into()], ..ours.clone() }).contains("\"x\""));
        let queue = Config { retention: RetentionPolicy::WorkQueue, ..ours.clone() };
        assert!(told(queue).contains("for all"));
        let memory = Config { storage: StorageType::Memory, ..ours.clone() };
        assert!(told(memory).contains("kept in memory"));
        let limits = Config { max_messages: 7, num_replicas: 3, ..Config::default() };
        assert_eq!(limited(ours.clone(), &limits).subjects, ours.subjects);
        assert_eq!(limited(ours, &limits).num_replicas, 3);
    }
}
