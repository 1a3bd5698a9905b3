//! Rounds of the first shard, and what becomes of a plugin whose instance failed.

use super::{Kind, Probation, Task};
use crate::{
    failure::Fault,
    instance::Instance,
    questions::{Question, Wanted},
    restarts::Verdict,
    status::{State, count},
};
use std::time::Instant;

impl Task {
    /// Has the plugin answer about a command. Without an instance there is no answer.
    pub(super) async fn answer(&mut self, question: Question) {
        let Some(instance) = self.instance.take() else { return };
        match asked(instance, question).await {
            Ok(mut instance) => {
                self.lead.settle(instance.take_effects());
                self.instance = Some(instance);
            }
            Err(fault) => self.failed(&fault).await,
        }
    }

    /// One round: a batch of each kind that is there.
    pub(super) async fn serve(&mut self) {
        let Some(instance) = self.instance.take() else { return };
        match self.lead.round(instance).await {
            Ok(instance) => self.instance = Some(instance),
            Err(fault) => self.failed(&fault).await,
        }
    }

    /// An instance is gone, and with it those of the other shards: the build before comes back if this one is new, else the same again.
    pub(super) async fn failed(&mut self, fault: &Fault) {
        tracing::error!(plugin = %self.identity.name, %fault, "instance failed");
        count(&self.counters.restarts, 1);
        self.status.error = Some(fault.to_string());
        self.status.mishap(&fault.to_string());
        self.instance = None;
        drop(self.others.rest().await);
        let now = Instant::now();
        match self.probation.take().filter(|probation| now < probation.until) {
            Some(probation) => self.roll_back(probation, fault).await,
            None => self.again_or_not(now).await,
        }
        self.publish();
    }

    async fn roll_back(&mut self, probation: Probation, fault: &Fault) {
        let Probation { previous, states, .. } = probation;
        let Some(failed) = self.current.replace(previous.clone()) else { return };
        let hash = failed.build.hash();
        self.status.refused = Some(hash.to_owned());
        self.status.error = Some(format!(
            "{} failed soon after it took over, the build before is back: {fault}",
            &hash[..12]
        ));
        self.status.hash = Some(previous.build.hash().to_owned());
        self.inbox().limit(&previous.rights.limits);
        self.remount(&previous).await;
        self.restart(Kind::RollBack(states));
    }

    pub(super) async fn again_or_not(&mut self, now: Instant) {
        match self.restarts.failed(now) {
            Verdict::After(pause) => self.restart_at = Some(now + pause),
            Verdict::GiveUp => {
                let why = self.status.error.take().unwrap_or_default();
                self.quarantine = self.current.take();
                self.halt(State::Failed).await;
                let build = self.quarantine.as_ref().map(|it| it.build.hash().to_owned());
                let told = build.as_deref().map_or("it", |hash| &hash[..12]);
                self.status.error = Some(format!(
                    "{told} failed too often and stays down until another build comes, its grants \
                     change, or it is started: {why}"
                ));
                self.status.quarantined = build;
            }
        }
    }
}

/// Hands a question over and sends the answer back; whoever asked may have given up.
async fn asked(instance: Instance, question: Question) -> Result<Instance, Fault> {
    let Question { command, who, answer } = question;
    match answer {
        Wanted::Verdict(verdict) => {
            let (instance, decided) = instance.decide(&command, who.as_deref()).await?;
            let _ = verdict.send(decided);
            Ok(instance)
        }
        Wanted::Outcome(outcome) => {
            let (instance, served) = instance.serve(&command, who.as_deref()).await?;
            let _ = outcome.send(served);
            Ok(instance)
        }
    }
}
