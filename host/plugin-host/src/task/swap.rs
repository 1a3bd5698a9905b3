//! From the instances of one build to those of the next, at a batch boundary: save, restore, resume, switch.

use super::{Kind, Probation, States, Task, drain, worker::Worker};
use crate::{
    asks,
    candidate::{Candidate, Refusal, Version},
    instance::Instance,
    ports::Live,
    status::{State, count},
};
use std::{sync::Arc, time::Instant};

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

    /// Takes over from the running instances. Whatever goes wrong, the old ones go on from here.
    async fn swap(&mut self, candidate: Candidate) {
        let Candidate { version, instances: new } = candidate;
        let Some(before) = self.current.clone() else { return };
        let old = self.rest().await;
        let (old, saved) = self.save(old, &before).await;
        let states = match saved {
            Ok(states) => states,
            Err(error) => return self.stay(old, &version, error),
        };
        match self.take_over(&version, new, &states).await {
            Ok(instances) => {
                self.status.error = None;
                self.switch(version, instances);
                count(&self.counters.swaps, 1);
                self.note().await;
                let until = Instant::now() + self.shared.probation;
                self.probation = Some(Probation { previous: before, states, until });
                let identity = Arc::clone(&self.identity);
                self.shared.guests.spawn(async move { drain(&identity, old).await });
                self.publish();
            }
            Err(error) => {
                self.remount(&before).await;
                self.stay(old, &version, error);
            }
        }
    }

    /// The old instances go on. If one of them died meanwhile, all are started again.
    fn stay(&mut self, old: Vec<Option<Instance>>, refused: &Version, error: String) {
        if let Some(old) = old.into_iter().collect() {
            self.work(old);
        }
        self.refused(&refusal(refused, error));
    }

    /// Asks the running instances for their state. One that dies of that leaves none; an error of its
    /// own keeps them all.
    async fn save(
        &mut self,
        old: Vec<Option<Instance>>,
        version: &Version,
    ) -> (Vec<Option<Instance>>, Result<States, String>) {
        if !version.build.surface().handoff {
            return (old, Ok(States::new()));
        }
        let (mut kept, mut states) = (Vec::new(), Ok(States::new()));
        for instance in old {
            let (instance, state) = match instance {
                Some(instance) => self.save_one(instance).await,
                None => (None, Ok(None)),
            };
            kept.push(instance);
            match (state, &mut states) {
                (Ok(state), Ok(states)) => states.push(state),
                (Err(error), Ok(_)) => states = Err(error),
                (_, Err(_)) => {}
            }
        }
        (kept, states)
    }

    async fn save_one(
        &mut self,
        instance: Instance,
    ) -> (Option<Instance>, Result<Option<Vec<u8>>, String>) {
        match instance.save().await {
            Ok((old, Ok(state))) if state.len() <= LARGEST_STATE => (Some(old), Ok(Some(state))),
            Ok((old, Ok(state))) => {
                let error = format!("handoff.save gave {} bytes, 16 MiB are the most", state.len());
                (Some(old), Err(error))
            }
            Ok((old, Err(why))) => {
                (Some(old), Err(format!("handoff.save: {}", crate::failure::shorten(&why))))
            }
            Err(fault) => {
                tracing::error!(plugin = %self.identity.name, %fault, "the old instance, when it was to save");
                count(&self.counters.restarts, 1);
                (None, Ok(None))
            }
        }
    }

    /// Starts where nothing runs.
    async fn begin(&mut self, candidate: Candidate, kind: Kind) {
        let Candidate { version, instances } = candidate;
        let (is_files, states) = match kind {
            Kind::RollBack(states) => (false, states),
            Kind::Restart => (false, States::new()),
            Kind::Files => (true, States::new()),
        };
        match self.take_over(&version, instances, &states).await {
            Ok(instances) => {
                if is_files {
                    self.status.error = None;
                    count(&self.counters.swaps, usize::from(self.current.is_some()));
                }
                self.switch(version, instances);
                self.note().await;
                self.publish();
            }
            Err(error) if is_files => {
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
        mut instances: Vec<Instance>,
        states: &[Option<Vec<u8>>],
    ) -> Result<Vec<Instance>, String> {
        // Another number of shards: what each knew is of other calls than it has now.
        if states.len() == instances.len() && version.build.surface().handoff {
            instances = restored(instances, states).await?;
        }
        self.mount(version).await?;
        if version.build.surface().connection_handler {
            let live = self.live();
            let mut resumed = Vec::new();
            for instance in instances {
                // There is one: what has connections is not sharded.
                let instance = instance.resume(live.clone()).await;
                resumed.push(instance.map_err(|fault| fault.to_string())?);
            }
            instances = resumed;
        }
        Ok(instances)
    }

    /// The connections that the plugin knows of and that are open. Of the others it learns by what
    /// waits in the mailbox.
    fn live(&mut self) -> Vec<Live> {
        let mut live = self.identity.ports.connections.live(self.identity.name.as_str());
        live.retain(|one| self.lead.known().contains(&one.info.conn));
        live
    }

    /// Notes what took over, before anybody hears of it: who then asks for the build before gets that.
    async fn note(&mut self) {
        if let Some(Version { build, toml, .. }) = &self.current {
            self.shared.took_over(&self.identity.name, build.hash(), toml).await;
        }
    }

    /// From here on it is this one.
    fn switch(&mut self, version: Version, mut instances: Vec<Instance>) {
        self.inbox().limit(&version.rights.limits);
        if !version.build.surface().policy {
            self.be_asked(None);
        }
        self.http.set(version.build.surface().http.then(|| version.clone()));
        let shards = version.rights.limits.shards;
        if self.current.as_ref().is_some_and(|it| it.rights.limits.shards != shards) {
            self.others.shrink(shards - 1);
            // They were set by instances that had other calls.
            self.lead.clear_timers();
            self.others.resting().for_each(Worker::clear_timers);
        }
        if let Some(lead) = instances.first_mut() {
            let effects = lead.take_effects();
            self.lead.settle(effects);
        }
        self.status.state = State::Running;
        self.status.elsewhere = None;
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
        self.work(instances);
        self.current = Some(version);
        self.restart_at = None;
        self.probation = None;
    }
}

/// Each with what its forerunner saved.
async fn restored(
    instances: Vec<Instance>,
    states: &[Option<Vec<u8>>],
) -> Result<Vec<Instance>, String> {
    let mut restored = Vec::new();
    for (mut instance, state) in instances.into_iter().zip(states) {
        if let Some(state) = state {
            let (sound, answer) = instance.restore(state).await.map_err(|it| it.to_string())?;
            answer.map_err(|why| format!("handoff.restore: {}", crate::failure::shorten(&why)))?;
            instance = sound;
        }
        restored.push(instance);
    }
    Ok(restored)
}

fn refusal(version: &Version, error: String) -> Refusal {
    Refusal {
        hash: Some(version.build.hash().to_owned()),
        error,
        missing: Vec::new(),
        build: Some(version.build.clone()),
    }
}
