//! Who is let in, and whose connections are closed because they are let in no more.

use crate::{
    audit::Audit,
    auth::{Auth, FailedLogins, Jwt, Revocations, keys},
    clock,
    config::{JwtSettings, Role, User},
    sockets::{Gate, ListenerPool},
};
use plugin_host::ports::Kv;
use std::{sync::Arc, time::Duration};
use telepulse_language::Principal;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often it is looked whose token's time is over, and who is revoked.
const LOOK: Duration = Duration::from_millis(500);

/// What decides who comes in.
pub(super) struct Entrance {
    jwt: Option<Arc<Jwt>>,
    pub(super) revocations: Arc<Revocations>,
    pub(super) failed: Arc<FailedLogins>,
    pub(super) gate: Arc<Gate>,
}

impl Entrance {
    /// Takes what the configuration says, and what the store has of revocations.
    pub(super) async fn open(
        users: &[User],
        (jwt, roles): (Option<JwtSettings>, &[Role]),
        kv: Arc<dyn Kv>,
        audit: &Audit,
    ) -> Self {
        let revocations = Revocations::new(kv, Some(audit.clone()));
        // Nobody is let in before it is known who is not, if the store can tell.
        revocations.look().await;
        let jwt = jwt.map(|settings| Jwt::new(settings, roles, revocations.in_force()));
        let failed = Arc::new(FailedLogins::audited(audit.clone()));
        let auth = auth(users, jwt.clone(), &revocations);
        let gate = Gate::counting(auth, failed.clone());
        Self { jwt, revocations, failed, gate }
    }

    /// The same with other users.
    pub(super) fn auth(&self, users: &[User]) -> Arc<Auth> {
        auth(users, self.jwt.clone(), &self.revocations)
    }

    /// Follows what changes outside, until stopped.
    pub(super) fn keep(
        &self,
        tasks: &TaskTracker,
        listeners: &Arc<ListenerPool>,
        stop: &CancellationToken,
    ) {
        tasks.spawn(self.revocations.clone().follow(stop.clone()));
        if let Some(jwt) = self.jwt.clone() {
            tasks.spawn(keys::follow(jwt, stop.clone()));
        }
        tasks.spawn(end_in_time(self.jwt.clone(), listeners.clone(), stop.clone()));
    }
}

fn auth(users: &[User], jwt: Option<Arc<Jwt>>, revocations: &Revocations) -> Arc<Auth> {
    Arc::new(Auth::new(users).with_jwt(jwt).with_revoked(revocations.in_force()))
}

/// Closes the connections of those whose tokens' time is over, or whose logins are revoked.
async fn end_in_time(jwt: Option<Arc<Jwt>>, listeners: Arc<ListenerPool>, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        let now_s = clock::now().0 / 1000;
        let ended = jwt.as_ref().map(|jwt| jwt.ended(now_s)).unwrap_or_default();
        let auth = listeners.gate().auth();
        if !ended.is_empty() || auth.has_revoked() {
            let is_over = |who: &Arc<Principal>| ended.iter().any(|ended| Arc::ptr_eq(ended, who));
            listeners.clients().send_away(|who| is_over(who) || auth.is_revoked(who));
        }
    }
}
