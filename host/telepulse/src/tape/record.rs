//! Records a link of its own to a server: the same login, mask and listings as the proxy's.

use super::Tape;
use crate::{
    bus::Below,
    config::Server,
    proxy::{Interest, model, open, session_config},
};
use ami_proto::{Action, CloseReason, Outcome, Output, RequestId, Session, SubmitError};
use bytes::{Buf as _, BytesMut};
use call_model::{Listing, Pbx};
use std::{
    collections::HashMap,
    future::Future,
    io::{self, Write},
    pin::pin,
    time::Duration,
};
use telepulse_language::Timestamp;
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, interval, sleep_until},
};

/// How often progress is told, and files are brought up to date.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long a listing may take.
const LISTING_TIMEOUT_MS: u64 = 30_000;

/// How far a recording is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether the login was accepted, and everything has been listed.
    pub is_listed: bool,
    /// Bytes that came from the server.
    pub bytes: u64,
    /// Live events among them.
    pub events: u64,
}

/// Why a recording ended before it was to.
#[derive(Debug, Error)]
pub enum RecordError {
    /// There was no connection.
    #[error("{0}")]
    Connect(String),
    /// The connection ended; what came until then is recorded.
    #[error("the link ended after {events} events: {reason}")]
    Ended {
        /// Live events until then.
        events: u64,
        /// Why.
        reason: String,
    },
    /// What came cannot be written.
    #[error("cannot write the recording: {0}")]
    Write(io::Error),
}

/// Connects to a server, asks what the proxy would ask, and records both directions until `stop`.
///
/// `mask` replaces the proxy's choice of events by classes (`on` for all). `tell` is called once a
/// second.
pub async fn record<W: Write>(
    server: &Server,
    mask: Option<&str>,
    tape: &mut Tape<W>,
    mut tell: impl FnMut(Progress),
    stop: impl Future<Output = ()>,
) -> Result<Progress, RecordError> {
    let mut recorder = Recorder::new(server, mask, tape).map_err(RecordError::Connect)?;
    let mut stop = pin!(stop);
    let mut is_stopping = false;
    let opened = tokio::select! {
        opened = open(server) => opened,
        () = &mut stop => return Ok(Progress::default()),
    };
    let (mut reader, mut writer) = opened.map_err(RecordError::Connect)?;
    let mut ticks = interval(TELL_EVERY);
    loop {
        recorder.drain()?;
        if let Some(reason) = recorder.end.take() {
            recorder.tape.flush().map_err(RecordError::Write)?;
            return match reason {
                CloseReason::Requested => Ok(recorder.progress),
                reason => Err(recorder.ended(&reason.to_string())),
            };
        }
        let due =
            recorder.session.poll_timeout().map(|ms| recorder.origin + Duration::from_millis(ms));
        let known = recorder.session.buffer().len();
        tokio::select! {
            read = reader.read_buf(recorder.session.buffer()) => recorder.on_read(&read, known)?,
            sent = writer.write_buf(&mut recorder.outgoing), if recorder.outgoing.has_remaining() => {
                let flushed = match sent {
                    Ok(_) => writer.flush().await,
                    Err(error) => Err(error),
                };
                if let Err(error) = flushed {
                    return Err(recorder.ended(&format!("writing: {error}")));
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                recorder.session.handle_timeout(recorder.now_ms());
            }
            _ = ticks.tick() => {
                recorder.tape.flush().map_err(RecordError::Write)?;
                tell(recorder.progress);
            }
            () = &mut stop, if !is_stopping => {
                is_stopping = true;
                recorder.session.close(recorder.now_ms());
            }
        }
    }
}

/// One link that is recorded.
struct Recorder<'a, W> {
    session: Session,
    /// Says what to list, and what a listing leads to.
    pbx: Pbx,
    listings: HashMap<RequestId, Listing>,
    outgoing: BytesMut,
    tape: &'a mut Tape<W>,
    progress: Progress,
    origin: Instant,
    end: Option<CloseReason>,
}

impl<'a, W: Write> Recorder<'a, W> {
    fn new(server: &Server, mask: Option<&str>, tape: &'a mut Tape<W>) -> Result<Self, String> {
        let interest = Interest::of(Below::Names([].into()), &server.filter.exclude);
        let mut config = session_config(server, &interest);
        if let Some(mask) = mask {
            mask.clone_into(&mut config.event_mask);
            config.filters.clear();
        }
        Ok(Self {
            session: Session::new(config, 0),
            pbx: model(server)?,
            listings: HashMap::new(),
            outgoing: BytesMut::new(),
            tape,
            progress: Progress::default(),
            origin: Instant::now(),
            end: None,
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What was read is behind the first `known` bytes of the session's buffer.
    fn on_read(&mut self, read: &io::Result<usize>, known: usize) -> Result<(), RecordError> {
        match read {
            Ok(0) => self.session.disconnected(self.now_ms()),
            Ok(length) => {
                self.progress.bytes += *length as u64;
                let new = &self.session.buffer()[known..];
                self.tape.received(new).map_err(RecordError::Write)?;
                self.session.handle_input(self.now_ms());
            }
            Err(error) => return Err(self.ended(&format!("reading: {error}"))),
        }
        Ok(())
    }

    fn ended(&self, reason: &str) -> RecordError {
        RecordError::Ended { events: self.progress.events, reason: reason.to_owned() }
    }

    /// Moves everything that the session has to say.
    fn drain(&mut self) -> Result<(), RecordError> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Ready { .. } => {
                    let listings = self.pbx.begin_sync(Timestamp(0));
                    self.list(listings)?;
                }
                Output::Event(_) => self.progress.events += 1,
                Output::Reply { id, outcome } => self.on_reply(id, &outcome)?,
                Output::Closed { reason } => self.end = Some(reason),
                // What was sent is recorded, whatever it is; a refused login ends it.
                Output::Unclaimed(_) | Output::Problem(_) | Output::Rejected { .. } => {}
            }
        }
        while let Some(bytes) = self.session.poll_transmit() {
            self.tape.sent(&bytes).map_err(RecordError::Write)?;
            self.outgoing.extend_from_slice(&bytes);
        }
        Ok(())
    }

    fn list(&mut self, listings: Vec<Listing>) -> Result<(), RecordError> {
        for listing in listings {
            let id =
                self.submit(listing.action()).map_err(|error| self.ended(&error.to_string()))?;
            self.listings.insert(id, listing);
        }
        self.progress.is_listed = self.listings.is_empty();
        Ok(())
    }

    fn submit(&mut self, action: Action) -> Result<RequestId, SubmitError> {
        self.session.submit(action, LISTING_TIMEOUT_MS, self.now_ms())
    }

    /// An answer that does not come is recorded as just that.
    fn on_reply(&mut self, id: RequestId, outcome: &Outcome) -> Result<(), RecordError> {
        let more = match (self.listings.remove(&id), outcome) {
            (Some(listing), Outcome::Response { response, items }) => {
                self.pbx.fold(&listing, response, items, Timestamp(0), &mut Vec::new())
            }
            _ => Vec::new(),
        };
        self.list(more)
    }
}
