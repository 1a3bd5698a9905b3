//! What is to run: the files as they are handed over, and builds that are got ready, refused, or begun with anew.

use super::{Kind, Order, Preparing, Task};
use crate::{
    asks,
    bindings::StartReason,
    candidate::{self, Beginning, Plan, Refusal, Version},
    folder::Source,
    manifest::Manifest,
    runtime::Build,
    status::State,
};
use std::{sync::Arc, time::Instant};

impl Task {
    /// Takes the files as they are now: what runs is changed, or goes on, or waits for another node.
    pub(super) async fn files(&mut self, source: Result<Source, String>, order: Order) {
        if order == Order::Load {
            self.stopped = false;
        } else if self.stopped {
            return self.publish();
        }
        self.preparing = None;
        if let Ok(source) = &source
            && let Ok(manifest) = Manifest::parse(&source.toml)
        {
            self.seek(manifest.needs()).await;
            if !self.is_placed(source) {
                return self.wait_elsewhere(&source.hash).await;
            }
            // Before the plugin is there: until it decides, its grant says what counts; and what it is
            // to do is kept for it.
            if self.current.is_none() {
                if let Err(error) = self.keep_messages(&manifest.grants).await {
                    tracing::error!(plugin = %self.identity.name, error, "its messages are not kept");
                }
                self.announce(&manifest.grants.routes).await;
            }
            self.be_asked(manifest.grants.policy);
        }
        let source = match source {
            Ok(source) => source,
            Err(error) => {
                let missing = Vec::new();
                return self.refused(&Refusal { hash: None, error, missing, build: None });
            }
        };
        let is_it = |it: &Version| it.toml == source.toml && it.build.hash() == source.hash;
        if order == Order::Changed && self.quarantine.as_ref().is_some_and(is_it) {
            // Put there once more: it is what it was.
            return self.publish();
        }
        self.quarantine = None;
        self.status.quarantined = None;
        let same = self.current.as_ref().is_some_and(is_it);
        if same && order == Order::Changed && self.status.state == State::Running {
            // Back to what runs: whatever was refused is no longer there.
            self.status.refused = None;
            self.status.refused_asks.clear();
            self.status.error = None;
            self.go_on();
            return self.publish();
        }
        self.restarts.clear();
        let reason = if self.instance.is_some() { StartReason::Reload } else { StartReason::Fresh };
        self.prepare(Plan::Files(source), reason, Kind::Files);
    }

    /// Gets a build ready, on a task of its own.
    fn prepare(&mut self, plan: Plan, reason: StartReason, kind: Kind) {
        let known = self.current.as_ref().map(|current| current.build.clone());
        let beginning = Beginning { incarnation: self.status.incarnation + 1, reason };
        let (shared, identity) = (Arc::clone(&self.shared), Arc::clone(&self.identity));
        let task = candidate::prepare(shared, identity, plan, known, beginning);
        self.preparing = Some(Preparing { task: self.shared.guests.spawn(task), kind });
    }

    /// Starts the current build anew.
    pub(super) fn restart(&mut self, kind: Kind) {
        self.restart_at = None;
        if let Some(current) = self.current.clone() {
            self.prepare(Plan::Version(current), StartReason::CrashRestart, kind);
        }
    }

    /// Something did not get ready. What runs goes on.
    pub(super) fn refused(&mut self, refusal: &Refusal) {
        let Refusal { hash, error, missing, build } = refusal;
        let asks = build.as_ref().and_then(Build::asks).map(|asks| asks::spelled(&asks.grants));
        tracing::warn!(plugin = %self.identity.name, hash, error, "build refused");
        self.status.mishap(error);
        if self.current.is_some() {
            let build = hash.as_deref().map_or("the file", |hash| &hash[..12]);
            self.status.error =
                Some(format!("{build} was refused, the build before goes on: {error}"));
            self.status.refused.clone_from(hash);
            self.status.refused_asks = asks.unwrap_or_default();
        } else {
            self.status.asks = asks.unwrap_or_default();
            self.status.state = if missing.is_empty() { State::Failed } else { State::Waiting };
            // Another node may be able to.
            self.let_go(self.status.state);
            self.status.error = Some(error.clone());
            self.status.hash.clone_from(hash);
            if let Some(build) = build {
                self.status.imports = build.imports().to_vec();
                self.status.exports = build.exports().to_vec();
            }
        }
        self.status.missing.clone_from(missing);
        self.go_on();
        self.publish();
    }

    /// Sees to it that what is in force gets an instance again, if getting one ready was broken off
    /// for something that came to nothing.
    pub(super) fn go_on(&mut self) {
        let lacks = self.current.as_ref().is_some_and(|it| it.build.surface().is_resident());
        if lacks && self.instance.is_none() && self.preparing.is_none() {
            self.restart_at.get_or_insert_with(Instant::now);
        }
    }
}
