//! The bucket in JetStream: a stream that keeps the newest message of each subject, as NATS's key-value stores
//! are. Every message has a number that no other ever gets, so a value is changed or removed only while it is
//! still the one that was read.

use super::{clock::Clock, names::Names};
use crate::{
    config::Nats,
    nats,
    store::{change::Value, link::Fault},
};
use async_nats::{
    HeaderMap,
    datetime::DateTime,
    header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
    jetstream::{
        Context, Error, ErrorCode, Message,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
        context::{PublishErrorKind, RequestErrorKind},
        response::Response,
        stream::{Config, DeleteStatus, LastRawMessageErrorKind, Stream},
    },
};
use futures_util::StreamExt as _;
use serde_json::json;
use std::time::{Duration, Instant};

/// Until when a value is good, in milliseconds since 1970 by NATS's clock: this version of NATS ends none by
/// itself.
const UNTIL: &str = "Telepulse-Until";
/// Whoever removes a value with the tools of NATS leaves a message that says so, and this.
const OPERATION: &str = "KV-Operation";
/// Keys that are asked for at once.
const BATCH: usize = 1_000;
/// How long NATS keeps the place of a walk that nobody goes on with.
const IDLE: Duration = Duration::from_secs(10);

/// The values of all plugins of a platform.
pub(super) struct Bucket {
    jetstream: Context,
    stream: Stream,
    pub(super) names: Names,
    clock: Clock,
}

/// What there is under a key.
pub(super) struct Found {
    /// The number of the message.
    pub(super) revision: u64,
    /// `None`: somebody has removed it and left a message that says so.
    pub(super) value: Option<Value>,
}

/// What a walk comes by: all but the value itself.
pub(super) struct Passed {
    pub(super) subject: String,
    pub(super) revision: u64,
    /// The message says that there is no value.
    pub(super) is_removed: bool,
    /// When its time was over, or is; of one that says that there is no value, when it said so.
    pub(super) until: Option<u64>,
}

impl Bucket {
    /// Makes the bucket where it is missing. The error says why it cannot be used.
    pub(super) async fn open(jetstream: Context, settings: &Nats) -> Result<Self, String> {
        let bucket = nats::name(settings.prefix.as_deref());
        let names = Names::of(&bucket);
        let why = |error: String| format!("has no bucket {bucket} for values ({error})");
        let stream = nats::bucket::open(&jetstream, &wanted(settings, &bucket)).await;
        let stream = stream.map_err(why)?;
        let consumer = stream.create_consumer(place(names.all(), 0)).await;
        let consumer = consumer.map_err(|error| why(error.to_string()))?;
        let clock = Clock::seen(made(&consumer), Instant::now());
        let bucket = Self { jetstream, stream, names, clock };
        bucket.forget(&consumer).await;
        Ok(bucket)
    }

    /// What NATS's clock shows now, in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.shows(Instant::now())
    }

    /// What is there now, whether or not its time is over. Asked of whoever leads the stream: a copy may be
    /// behind.
    pub(super) async fn get(&self, subject: &str) -> Result<Option<Found>, Fault> {
        match self.stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => {
                let (until, is_removed) = read(&message.headers);
                let value = Value { bytes: message.payload, until };
                let value = Some(value).filter(|_| !is_removed);
                Ok(Some(Found { revision: message.sequence, value }))
            }
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(error) => Err(refused(&error)),
                _ => Err(broke(error)),
            },
        }
    }

    /// Gives a key a value; with `revision` only while that is still its newest, 0 for none. Answers whether.
    pub(super) async fn put(
        &self,
        subject: &str,
        value: Value,
        revision: Option<u64>,
    ) -> Result<bool, Fault> {
        let mut headers = HeaderMap::new();
        if let Some(until) = value.until {
            headers.insert(UNTIL, until.to_string());
        }
        if let Some(revision) = revision {
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, revision.to_string());
        }
        let sent =
            self.jetstream.publish_with_headers(subject.to_owned(), headers, value.bytes).await;
        let outcome = match sent {
            Ok(answer) => answer.await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                PublishErrorKind::WrongLastSequence => Ok(false),
                // It was made when we connected: somebody has removed it. It is made anew by who comes next.
                PublishErrorKind::StreamNotFound => {
                    Err(Fault::Useless("the bucket for values is gone".to_owned()))
                }
                PublishErrorKind::MaxPayloadExceeded => {
                    Err(Fault::Refused(format!("{error}; it takes more with a larger max_payload")))
                }
                PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => Err(broke(error)),
                _ => Err(Fault::Refused(error.to_string())),
            },
        }
    }

    /// Removes a message, if it is still there. Answers whether it was.
    pub(super) async fn remove(&self, revision: u64) -> Result<bool, Fault> {
        let to = format!("STREAM.MSG.DELETE.{}", self.stream.cached_info().config.name);
        // What is overwritten at once costs the disk twice as much; it is no secret.
        let order = json!({ "seq": revision, "no_erase": true });
        let answer = self.jetstream.request(to, &order).await;
        match answer {
            Ok(Response::Ok(DeleteStatus { success })) => Ok(success),
            Ok(Response::Err { error }) if is_gone(&error) => Ok(false),
            Ok(Response::Err { error }) => Err(refused(&error)),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => {
                Err(Fault::Useless(error.to_string()))
            }
            Err(error) => Err(broke(error)),
        }
    }

    /// Comes by all messages of these subjects from a number on, in their order, at most so many.
    pub(super) async fn walk(
        &self,
        subjects: String,
        from: u64,
        most: usize,
        mut pass: impl FnMut(Passed),
    ) -> Result<(), Fault> {
        let consumer = self.stream.create_consumer(place(subjects, from)).await;
        let consumer = consumer.map_err(broke)?;
        self.clock.set(made(&consumer), Instant::now());
        let mut left = most;
        while left > 0 {
            let asked = left.min(BATCH);
            let batch = consumer.fetch().max_messages(asked).messages().await;
            let mut batch = batch.map_err(broke)?;
            let mut came = 0;
            while let Some(message) = batch.next().await {
                pass(passed(&message.map_err(broke)?)?);
                came += 1;
            }
            left -= came;
            if came < asked {
                break;
            }
        }
        self.forget(&consumer).await;
        Ok(())
    }

    /// Removes the place of a walk.
    async fn forget(&self, consumer: &PullConsumer) {
        // Else NATS forgets it after a while.
        let _ = self.stream.delete_consumer(&consumer.cached_info().name).await;
    }
}

fn passed(message: &Message) -> Result<Passed, Fault> {
    let info = message.info().map_err(broke)?;
    let (until, is_removed) = message.headers.as_ref().map(read).unwrap_or_default();
    let said = ms(info.published);
    let until = if is_removed { Some(said) } else { until };
    let subject = message.subject.to_string();
    Ok(Passed { subject, revision: info.stream_sequence, is_removed, until })
}

/// When NATS made the place of a walk, by its own clock: the one that leads all others says so.
fn made(consumer: &PullConsumer) -> u64 {
    ms(consumer.cached_info().created)
}

fn ms(moment: DateTime) -> u64 {
    u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// The place of a walk over headers alone.
fn place(subjects: String, from: u64) -> pull::Config {
    pull::Config {
        deliver_policy: match from {
            0 | 1 => DeliverPolicy::All,
            start_sequence => DeliverPolicy::ByStartSequence { start_sequence },
        },
        ack_policy: AckPolicy::None,
        filter_subject: subjects,
        headers_only: true,
        inactive_threshold: IDLE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    }
}

fn wanted(settings: &Nats, bucket: &str) -> Config {
    Config {
        // Nobody sends a message twice under one name.
        duplicate_window: Duration::from_secs(1),
        description: Some("TelePulse: plugins' values".to_owned()),
        ..nats::bucket::config(settings, bucket)
    }
}

/// Until when, and whether the message says that there is no value.
fn read(headers: &HeaderMap) -> (Option<u64>, bool) {
    let until = headers.get(UNTIL).and_then(|until| until.as_str().parse().ok());
    let is_removed = headers.get(OPERATION).is_some_and(|it| it.as_str() != "PUT");
    (until, is_removed)
}

/// Whether somebody else removed the message before.
fn is_gone(error: &Error) -> bool {
    match error.error_code() {
        ErrorCode::SEQUENCE_NOT_FOUND => true,
        // Versions before 2.10 say it in words alone.
        ErrorCode::STREAM_MESSAGE_DELETE_FAILED => error.to_string().contains("no message found"),
        _ => false,
    }
}

/// JetStream says no. A bucket that somebody has removed is made anew with the next connection.
fn refused(error: &Error) -> Fault {
    let why = error.to_string();
    match error.error_code() {
        ErrorCode::STREAM_NOT_FOUND => Fault::Useless(why),
        _ => Fault::Refused(why),
    }
}

fn broke(error: impl std::fmt::Display) -> Fault {
    Fault::Broke(error.to_string())
}
