//! What goes wrong on purpose.

use super::shared::Shared;
use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{future, sync::Arc, time::Duration};
use tokio::time::sleep;

/// What is done to the requests that come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) delay: Duration,
    pub(super) silent: bool,
    /// So many more fail with that status.
    pub(super) failing: Option<(usize, StatusCode)>,
    pub(super) refusing: Option<StatusCode>,
    /// So many more are done and never answered.
    pub(super) losing: usize,
}

impl Faults {
    /// The status with which the next request fails, if it does.
    fn take(&mut self) -> Option<StatusCode> {
        match &mut self.failing {
            Some((left, status)) if *left > 0 => {
                *left -= 1;
                Some(*status)
            }
            _ => self.refusing,
        }
    }

    /// Whether the next answer is lost.
    fn loses(&mut self) -> bool {
        let loses = self.losing > 0;
        self.losing = self.losing.saturating_sub(1);
        loses
    }
}

/// Holds a request up, or for ever.
pub(super) async fn hold(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let (delay, silent) = shared.faults(|faults| (faults.delay, faults.silent));
    if silent {
        future::pending::<()>().await;
    }
    sleep(delay).await;
    next.run(request).await
}

/// Counts a request, and fails it, or loses its answer, if its turn has come.
pub(super) async fn refuse(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    shared.count_request();
    if let Some(status) = shared.faults(Faults::take) {
        return shared.kind.failure(status).into_response();
    }
    let answer = next.run(request).await;
    if shared.faults(Faults::loses) {
        future::pending::<()>().await;
    }
    answer
}
