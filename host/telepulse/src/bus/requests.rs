//! Requests of the in-process bus: who serves which address, and waiting for an answer.

use super::{Address, AlreadyServed, Headers, Incoming, RequestError};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use telepulse_language::{Code, Refusal, Reply};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::timeout_at,
};

/// Who serves what.
#[derive(Debug, Default)]
pub(super) struct Requests {
    served: Mutex<HashMap<String, mpsc::Sender<Incoming>>>,
}

impl Requests {
    fn served(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Incoming>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn serve(
        &self,
        address: &Address,
        capacity: usize,
    ) -> Result<mpsc::Receiver<Incoming>, AlreadyServed> {
        let mut served = self.served();
        if served.get(address.as_str()).is_some_and(|server| !server.is_closed()) {
            return Err(AlreadyServed);
        }
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        served.insert(address.as_str().to_owned(), sender);
        Ok(receiver)
    }

    /// Whether somebody here serves an address.
    pub(super) fn is_served(&self, address: &Address) -> bool {
        self.server(address).is_some()
    }

    /// The way to whoever serves an address here.
    pub(super) fn server(&self, address: &Address) -> Option<mpsc::Sender<Incoming>> {
        self.served().get(address.as_str()).filter(|server| !server.is_closed()).cloned()
    }

    /// Queues the request now; the future waits for the answer.
    pub(super) fn request(
        &self,
        address: &Address,
        payload: Bytes,
        headers: Headers,
    ) -> BoxFuture<'static, Result<Bytes, RequestError>> {
        let to = address.as_str().to_owned();
        let deadline = headers.deadline;
        let (reply, answer) = oneshot::channel();
        let queued = match self.served().get(address.as_str()) {
            Some(server) => {
                server.try_send(Incoming { payload, headers, reply }).map_err(|error| match error {
                    TrySendError::Full(_) => RequestError::Full(to.clone()),
                    TrySendError::Closed(_) => RequestError::NobodyServes(to.clone()),
                })
            }
            None => Err(RequestError::NobodyServes(to.clone())),
        };
        Box::pin(async move {
            queued?;
            match timeout_at(deadline, answer).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_dropped)) => Ok(unanswered()),
                Err(_elapsed) => Err(RequestError::Deadline(to)),
            }
        })
    }
}

/// What is answered for a server that dropped a request.
pub(super) fn unanswered() -> Bytes {
    let refusal = Refusal::new(Code::Internal, "the request was dropped without an answer");
    Reply { id: Value::Null, outcome: Err(refusal) }.to_bytes().into()
}
