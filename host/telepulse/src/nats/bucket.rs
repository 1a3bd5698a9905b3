//! Buckets of NATS's key-value store: streams that keep the newest message of each subject. They are made where
//! they are missing, and refused where they are not ours.

use crate::config::Nats;
use async_nats::jetstream::{
    Context, ErrorCode,
    context::{CreateStreamError, CreateStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
};
use std::time::Duration;

/// What all buckets have in common, kept as `[bus]` says.
pub(crate) fn config(settings: &Nats, bucket: &str) -> Config {
    Config {
        name: format!("KV_{bucket}"),
        subjects: vec![format!("$KV.{bucket}.>")],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_messages_per_subject: 1,
        storage: if settings.on_disk { StorageType::File } else { StorageType::Memory },
        num_replicas: usize::try_from(settings.replicas).unwrap_or(1),
        allow_rollup: true,
        ..Config::default()
    }
}

/// Finds a bucket or makes it, and gives it our replicas. The error says why it cannot be used.
pub(crate) async fn open(jetstream: &Context, wanted: &Config) -> Result<Stream, String> {
    let stream = find(jetstream, wanted).await?;
    replicate(jetstream, &stream, wanted).await?;
    Ok(stream)
}

/// Finds a bucket or makes it. One that is there keeps its replicas: another node may have set them since.
pub(crate) async fn find(jetstream: &Context, wanted: &Config) -> Result<Stream, String> {
    // The client's own way to make one asks for the limits of the account, in words that NATS 2.9 does not
    // answer in.
    let found = match jetstream.get_or_create_stream(wanted.clone()).await {
        Err(error) if is_made(&error) => jetstream.get_or_create_stream(wanted.clone()).await,
        found => found,
    };
    let stream = found.map_err(|error| error.to_string())?;
    foreign(&stream.cached_info().config, wanted)?;
    Ok(stream)
}

/// Gives a bucket our replicas, where it has others.
pub(crate) async fn replicate(
    jetstream: &Context,
    stream: &Stream,
    wanted: &Config,
) -> Result<(), String> {
    let found = &stream.cached_info().config;
    if found.num_replicas == wanted.num_replicas {
        return Ok(());
    }
    let changed = Config { num_replicas: wanted.num_replicas, ..found.clone() };
    let changed = jetstream.update_stream(&changed).await;
    changed.map(drop).map_err(|error| error.to_string())
}

/// Another node was faster.
fn is_made(error: &CreateStreamError) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(ref error)
        if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

/// Why a stream of this name cannot be ours.
fn foreign(found: &Config, wanted: &Config) -> Result<(), String> {
    let name = &wanted.name;
    let way_out = format!("remove it (`nats stream rm {name}`), or set another [bus] prefix");
    if found.subjects != wanted.subjects || found.max_messages_per_subject != 1 {
        return Err(format!("the stream {name} is no such bucket: {way_out}"));
    }
    if found.discard != wanted.discard || lasting(found) < lasting(wanted) {
        return Err(format!("{name} forgets values too soon: {way_out}"));
    }
    if found.storage != wanted.storage {
        let storage = |it| if it == StorageType::File { "file" } else { "memory" };
        let (found, wanted) = (storage(found.storage), storage(wanted.storage));
        return Err(format!(
            "it is kept in {found}, and [bus] storage = {wanted:?}: write {found:?}, or remove it \
             with all values (`nats stream rm {name}`)"
        ));
    }
    Ok(())
}

/// How long it keeps a value that nobody changes.
fn lasting(config: &Config) -> Duration {
    if config.max_age.is_zero() { Duration::MAX } else { config.max_age }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_of_anothers_is_refused_with_the_way_out_and_more_replicas_are_not() {
        let ours = Config {
            name: "KV_A".to_owned(),
            subjects: vec!["$KV.A.>".to_owned()],
            discard: DiscardPolicy::New,
            max_messages_per_subject: 1,
            max_age: Duration::from_hours(1),
            ..Config::default()
        };
        let refused = |found: Config| foreign(&found, &ours).unwrap_err();
        assert_eq!(foreign(&ours, &ours), Ok(()));
        assert_eq!(foreign(&Config { num_replicas: 3, ..ours.clone() }, &ours), Ok(()));
        for max_age in [Duration::from_hours(2), Duration::ZERO] {
            assert_eq!(foreign(&Config { max_age, ..ours.clone() }, &ours), Ok(()), "{max_age:?}");
        }
        let other = refused(Config { subjects: vec!["a".to_owned()], ..ours.clone() });
        assert!(other.contains("no such bucket") && other.contains("stream rm KV_A"), "{other}");
        let more = refused(Config { max_messages_per_subject: 5, ..ours.clone() });
        assert!(more.contains("no such bucket"), "{more}");
        for forgets in [
            Config { max_age: Duration::from_mins(59), ..ours.clone() },
            Config { discard: DiscardPolicy::Old, ..ours.clone() },
        ] {
            let why = refused(forgets);
            assert!(why.contains("forgets values too soon"), "{why}");
        }
        let memory = refused(Config { storage: StorageType::Memory, ..ours.clone() });
        assert!(
            memory.contains("kept in memory") && memory.contains("write \"memory\""),
            "{memory}"
        );
    }
}
