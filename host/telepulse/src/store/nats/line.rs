//! One connection to NATS, with the bucket at its other end.

use super::bucket::Bucket;
use crate::{config::Nats, nats, store::link::Server};
use async_nats::{Client, connection::State, jetstream};
use std::{fmt, time::Duration};

/// How long JetStream may take to answer; who asks waits no longer, whatever it does.
const WITHIN: Duration = Duration::from_secs(5);

/// A NATS, as `[bus]` names it.
pub(super) struct Place {
    pub(super) nats: Nats,
}

/// A connection of the store's own: what one waits for here does not stand behind events.
pub(super) struct Line {
    client: Client,
    pub(super) bucket: Bucket,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NATS at {}", nats::places(&self.nats).join(", "))
    }
}

impl Server for Place {
    type Line = Line;

    async fn open(&self) -> Result<Line, String> {
        let servers = nats::places(&self.nats);
        let options = nats::options(&self.nats).await.map_err(|error| format!("({error})"))?;
        // A connection that breaks stays broken, and what lies in it is not sent later, when nobody waits for it.
        let options = options.name("telepulse values").max_reconnects(servers.len());
        let client = options.connect(&servers[..]).await.map_err(|error| {
            if nats::is_refusal(error.kind()) {
                return "does not let us in: see [bus] user and password, token or credentials"
                    .to_owned();
            }
            format!("is away ({error})")
        })?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(WITHIN);
        let bucket = Bucket::open(context, &self.nats).await?;
        Ok(Line { client, bucket })
    }

    fn is_good(line: &Line) -> bool {
        line.client.connection_state() == State::Connected
    }
}
