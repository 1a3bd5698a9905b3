//! A request by `wasi:http/incoming-handler`: its body and the answer's go through the guest as they come.

use super::{DEADLINE, Serving, Slot, trace};
use crate::{
    bindings::{Incoming, answer as our_answer},
    failure::Fault,
    instance::{Budget, Start},
    ports::{Body, HttpFailure},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// How long a whole answer may take where it may be a large file, and who asks a slow reader. That it begins is
/// waited for as long as for any other.
const DOWNLOAD: Duration = Duration::from_mins(15);

/// Answers a request.
pub(super) async fn answer(
    slot: &Slot,
    serving: Arc<Serving>,
    request: http::Request<Body>,
    start: Start,
) -> Result<http::Response<Body>, HttpFailure> {
    let place = slot.place().await?;
    let (answered, wanted) = oneshot::channel();
    let failures = slot.failures();
    // On the guests' threads, and to its end: a guest may go on after it has answered.
    slot.shared.guests.spawn(async move {
        if let Err(fault) = run(&serving, start, request, answered).await {
            failures.count(&fault);
        }
        drop(place);
    });
    wanted.await.map_err(|_| HttpFailure::Failed)
}

async fn run(
    serving: &Arc<Serving>,
    start: Start,
    request: http::Request<Body>,
    answered: oneshot::Sender<http::Response<Body>>,
) -> Result<(), Fault> {
    let trap = |why: String| Fault::Trapped { call: "incoming-handler.handle", why };
    let has_files = start.rights.grants.files.iter().flatten().next().is_some();
    let wall = if has_files { DOWNLOAD } else { DEADLINE };
    let budget = Budget { cpu: start.rights.limits.request, wall };
    let (mut instance, times) = serving.instance(start).await?;
    instance.be_traced(trace(request.headers()));
    let (incoming, decided) =
        Incoming::new(instance.store_mut(), request).map_err(|error| trap(format!("{error:#}")))?;
    let forward = async {
        let response = match decided.await {
            Ok(Ok(response)) => our_answer(response),
            Ok(Err(code)) => return Err(trap(format!("it answered with an error: {code:?}"))),
            // It ended without an answer: what ended it says more.
            Err(_) => return Ok(false),
        };
        // It fails when the client has gone: nothing is lost.
        let _ = answered.send(response);
        Ok(true)
    };
    let (ran, forwarded) = tokio::join!(instance.http(incoming, budget), forward);
    let instance = ran?;
    if !forwarded? {
        return Err(trap("it ended without an answer".to_owned()));
    }
    serving.keep(instance, times);
    Ok(())
}
