//! One request to ARI.

use super::reach;
use crate::{
    ari::authorization,
    doctor::facts::{AriOutcome, Reach, ServerFacts},
    exchange::exchange,
};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use std::time::Duration;

/// How long the answer may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The most bytes of an answer that is only looked at for its status.
const LARGEST: usize = 64 << 20;

/// Asks for the channels, as the link to ARI does.
pub(super) async fn ask(facts: &mut ServerFacts) {
    let Some(ari) = &facts.settings.ari else { return };
    let tls = facts.settings.ari_tls();
    let way = reach::to(&ari.url.host, ari.url.port, tls.as_ref()).await;
    let outcome = match way.stream {
        Err(reach) => AriOutcome::Unreached(reach),
        Ok(stream) => {
            let request = Request::get(format!("{}/channels", ari.url.path))
                .header(header::HOST, ari.url.authority())
                .header(header::AUTHORIZATION, authorization(ari))
                .body(Full::<Bytes>::default());
            match request {
                Err(error) => AriOutcome::Unreadable(error.to_string()),
                Ok(request) => {
                    match tokio::time::timeout(WITHIN, exchange(stream, request, LARGEST)).await {
                        Ok(Ok((status, _))) => AriOutcome::Status(status.as_u16()),
                        Ok(Err(error)) => AriOutcome::Unreadable(error.to_string()),
                        Err(_) => AriOutcome::Unreached(Reach::Silent),
                    }
                }
            }
        }
    };
    if let Some(found) = &mut facts.ari {
        found.outcome = Some(outcome);
    }
}
