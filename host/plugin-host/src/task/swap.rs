//! From one instance to the next, at a batch boundary: save, restore, resume, switch.

use super::{DRAIN, Kind, Probation, Task};
use crate::{
    asks,
    candidate::{Candidate, Refusal, Version},
    instance::Instance,
    ports::Live,
    status::{State, count},
};
use std::time::Instant;

/// What a state may be long, in bytes (`handoff.save`).
const LARGEST_STATE: usize = 16 << 20;

impl Task {
    /// A preparation came to its end.
    pub(super) async fn prepared(&mut self, prepared: Result<Candidate, Refusal>, kind: Kind) {
        match (prepared, kind) {
            (Ok(candidate), Kind::Files) if self.instance.is_some() => self.swap(candidate).await,
            (Ok(candidate), kind) => self.begin(candidate, kind).await,
            (Err(refusal), Kind::Files) => self.refused(&refusal),
            (Err(refusal), Kind::Restart | Kind::RollBack(_)) => {
                self.status.mishap(&refusal.error);
                self.status.error = Some(refusal.error);
                self.again_or_not(Instant::now()).await;
                self.publish();
            }
        }
    }

    /// Takes over from the running instance. Whatever goes wrong, the old one goes on from here.
    async fn swap(&mut self, candidate: Candidate) {
        let Candidate { version, instance: new } = candidate;
        let (Some(old), Some(before)) = (self.instance.take(), self.current.clone()) else {
            return;
        };
        let (old, state) = match self.save(old, &before).await {
            Ok(saved) => saved,
            Err((old, error)) => {
                self.instance = Some(old);
                return self.refused(&refusal(&version, error));
            }
        };
        match self.take_over(&version, new, state.as_deref()).await {
            Ok(instance) => {
                self.status.error = None;
                self.switch(version, instance);
                count(&self.counters.swaps, 1);
                self.note().await;
                let until = Instant::now() + self.shared.probation;
                self.probation = Some(Probation { previous: before, state, until });
                if let Some(old) = old {
                    let name = self.identity.name.clone();
                    self.shared.guests.spawn(async move {
                        if let Err(fault) = old.drain(DRAIN).await {
                            tracing::warn!(plugin = %name, %fault, "drain of the instance before");
                        }
                    });
                }
                self.publish();
            }
            Err(error) => {
                self.remount(&before).await;
                self.instance = old;
                self.refused(&refusal(&version, error));
            }
        }
    }

    /// Asks the running instance for its state. If it dies of that the successor starts without; an
    /// error of its own keeps it.
    async fn save(
        &mut self,
        old: Instance,
        version: &Version,
    ) -> Result<(Option<Instance>, Option<Vec<u8>>), (Instance, String)> {
        if !version.build.surface().handoff {
            return Ok((Some(old), None));
        }
        match old.save().await {
            Ok((old, Ok(state))) if state.len() <= LARGEST_STATE => Ok((Some(old), Some(state))),
            Ok((old, Ok(state))) => {
                let error = format!("handoff.save gave {} bytes, 16 MiB are the most", state.len());
                Err((old, error))
            }
            Ok((old, Err(why))) => {
                Err((old, format!("handoff.save: {}", crate::failure::shorten(&why))))
            }
            Err(fault) => {
                tracing::error!(plugin = %self.identity.name, %fault, "the old instance, when it was to save");
                count(&self.counters.restarts, 1);
                Ok((None, None))
            }
        }
    }

    /// Starts where nothing runs.
    async fn begin(&mut self, candidate: Candidate, kind: Kind) {
        let Candidate { version, instance } = candidate;
        let state = match &kind {
            Kind::RollBack(state) => state.as_deref(),
            Kind::Files | Kind::Restart => None,
        };
        match self.take_over(&version, instance, state).await {
            Ok(instance) => {
                if matches!(kind, Kind::Files) {
                    self.status.error = None;
                    count(&self.counters.swaps, usize::from(self.current.is_some()));
                }
                self.switch(version, instance);
                self.note().await;
                self.publish();
            }
            Err(error) if matches!(kind, Kind::Files) => {
                match self.current.clone() {
                    Some(current) => self.remount(&current).await,
                    None => self.unmount(),
                }
                self.refused(&refusal(&version, error));
            }
            Err(error) => {
                self.status.mishap(&error);
                self.status.error = Some(error);
                self.again_or_not(Instant::now()).await;
                self.publish();
            }
        }
    }

    /// Back to the mounts of what is in force: a successor that failed may have changed them.
    pub(super) async fn remount(&mut self, version: &Version) {
        if let Err(error) = self.mount(version).await {
            tracing::error!(plugin = %self.identity.name, error, "mounting what was mounted before");
        }
    }

    /// Everything before the switch: state, mounts, connections.
    async fn take_over(
        &mut self,
        version: &Version,
        instance: Option<Instance>,
        state: Option<&[u8]>,
    ) -> Result<Option<Instance>, String> {
        let Some(mut instance) = instance else {
            return self.mount(version).await.map(|()| None);
        };
        if let Some(state) = state.filter(|_| version.build.surface().handoff) {
            let (restored, answer) =
                instance.restore(state).await.map_err(|fault| fault.to_string())?;
            answer.map_err(|why| format!("handoff.restore: {}", crate::failure::shorten(&why)))?;
            instance = restored;
        }
        self.mount(version).await?;
        if version.build.surface().connection_handler {
            let live = self.live();
            instance = instance.resume(live).await.map_err(|fault| fault.to_string())?;
        }
        Ok(Some(instance))
    }

    /// The connections that the plugin knows of and that are open. Of the others it learns by what
    /// waits in the mailbox.
    fn live(&mut self) -> Vec<Live> {
        let mut live = self.identity.ports.connections.live(self.identity.name.as_str());
        live.retain(|one| self.known.contains(&one.info.conn));
        live
    }

    /// Notes what took over, before anybody hears of it: who then asks for the build before gets that.
    async fn note(&mut self) {
        if let Some(Version { build, toml, .. }) = &self.current {
            self.shared.took_over(&self.identity.name, build.hash(), toml).await;
        }
    }

    /// From here on it is this one.
    fn switch(&mut self, version: Version, mut instance: Option<Instance>) {
        self.inbox().limit(&version.rights.limits);
        if !version.build.surface().policy {
            self.be_asked(None);
        }
        self.http.set(version.build.surface().http.then(|| version.clone()));
        if let Some(instance) = &mut instance {
            let effects = instance.take_effects();
            self.settle(effects);
        }
        self.status.state = State::Running;
        self.status.hash = Some(version.build.hash().to_owned());
        self.status.imports = version.build.imports().to_vec();
        self.status.exports = version.build.exports().to_vec();
        let asks = version.build.asks().map(|asks| asks::spelled(&asks.grants));
        self.status.asks = asks.unwrap_or_default();
        self.status.grants = asks::spelled(&version.rights.grants);
        self.status.incarnation += 1;
        self.status.missing.clear();
        if self.status.refused.as_deref() == Some(version.build.hash())
            || self.status.error.is_none()
        {
            self.status.refused = None;
            self.status.refused_asks.clear();
        }
        self.instance = instance;
        self.current = Some(version);
        self.restart_at = None;
        self.probation = None;
    }
}

fn refusal(version: &Version, error: String) -> Refusal {
    Refusal {
        hash: Some(version.build.hash().to_owned()),
        error,
        missing: Vec::new(),
        build: Some(version.build.clone()),
    }
}
