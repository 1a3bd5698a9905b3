//! What a plugin has outside its instance: paths and ports, subscriptions, messages that are kept for it, commands
//! that it is asked about. It stays from instance to instance, and some of it while nothing runs.

use super::{Task, worker::Worker};
use crate::{
    candidate::Version,
    durable::Durable,
    grants::{Grants, Mount, PolicyGrant},
    mounts::{Mounts, Owner},
};
use std::sync::Arc;

impl Task {
    /// Has whoever asks on these paths be told that the plugin does not run, until it does.
    pub(super) async fn announce(&mut self, routes: &[Mount]) {
        let (mounts, owner) = self.mounts();
        mounts.announce(&owner, routes).await;
    }

    /// Sees to it that the plugin is asked about these commands, and no others.
    pub(super) fn be_asked(&mut self, grant: Option<PolicyGrant>) {
        if self.policy.as_ref().map(|(grant, _)| grant) == grant.as_ref() {
            return;
        }
        let policies = &self.identity.ports.policies;
        // The new one first: no command slips through between.
        self.policy = grant.map(|grant| {
            let asker = Arc::new(self.asker.clone());
            let guard = policies.register(self.identity.name.as_str(), grant.clone(), asker);
            (grant, guard)
        });
    }

    /// Sees to it that messages are kept on disk as the grants say, also while nothing runs.
    pub(super) async fn keep_messages(&mut self, grants: &Grants) -> Result<(), String> {
        let inbox = Arc::clone(self.inbox());
        if grants.durable == 0 || grants.subscribe.is_empty() {
            inbox.make_durable(None);
            return Ok(());
        }
        if !inbox.set_room_on_disk(grants.durable) {
            let journal = Arc::clone(&self.identity.ports.journal);
            let plugin: Arc<str> = self.identity.name.as_str().into();
            let extent = self.identity.at_home(journal.open(&plugin)).await;
            let extent = extent.map_err(|error| format!("grants.durable: {error}"))?;
            self.give_back();
            inbox.make_durable(Some(Durable::new(journal, plugin, grants.durable, extent)));
        }
        let (mounts, owner) = self.mounts();
        mounts.subscribe(&owner, &grants.subscribe);
        Ok(())
    }

    /// Mounts what a version needs; what it does not need any more goes.
    pub(super) async fn mount(&mut self, version: &Version) -> Result<(), String> {
        self.keep_messages(&version.rights.grants).await?;
        let shards = version.rights.limits.shards;
        if self.inbox().shards() != shards {
            self.give_back();
            self.inbox().split(shards);
            self.others.grow(shards - 1);
        }
        let (mounts, owner) = self.mounts();
        mounts.apply(&owner, version.build.surface(), &version.rights).await
    }

    /// Lets go of everything outside but of messages that are kept on disk.
    pub(super) fn unmount(&mut self) {
        self.http.set(None);
        let is_durable = self.inbox().is_durable();
        self.mounts.clear(&self.shared.home, is_durable);
        self.lead.clear();
        self.others.resting().for_each(Worker::clear);
        self.inbox().clear();
    }

    /// What workers that rest have taken from the mailbox goes back there.
    fn give_back(&mut self) {
        self.lead.give_back();
        self.others.resting().for_each(Worker::give_back);
    }

    /// What is mounted, and who mounts.
    fn mounts(&mut self) -> (&mut Mounts, Owner<'_>) {
        let Self { mounts, identity, shared, lead, http, asker, .. } = self;
        let owner = Owner {
            name: identity.name.as_str(),
            ports: &shared.ports,
            home: &shared.home,
            inbox: lead.inbox(),
            http,
            asker,
        };
        (mounts, owner)
    }
}
