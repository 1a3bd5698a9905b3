//! Which servers there are: starts and ends their tasks, as the configuration says and the operator orders.

mod commands;

use super::{
    Goal, across,
    keep::KeepError,
    keeper::{At, Keeper},
    link,
    prepare::{Unusable, prepared, usable},
    request::LinkHandle,
};
use crate::{
    bus::Bus,
    cluster::{Cluster, Version},
    config::Server,
    telemetry::Tracer,
};
use arc_swap::ArcSwap;
use call_model::Pbx;
use indexmap::IndexMap;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long a removed server's task may take to say good-bye.
const GOODBYE: Duration = Duration::from_secs(3);

type Links = IndexMap<String, LinkHandle>;

/// All servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Registry {
    shared: Arc<Shared>,
}

/// What another configuration did to the servers, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerChanges {
    /// Those that are new.
    pub added: Vec<String>,
    /// Those with other settings: ended and begun anew, or their ARI alone if nothing else differs.
    pub changed: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
    /// Those that the configuration says something else of, and that stay as the admin API left them.
    pub overruled: Vec<String>,
}

struct Shared {
    bus: Arc<dyn Bus>,
    cluster: Cluster,
    /// What readers see; replaced whole.
    links: ArcSwap<Links>,
    /// Held while servers are changed: one change at a time, and what is kept says the same.
    kept: Mutex<Keeper>,
}

impl Registry {
    /// Starts the configured servers and those that were added over the API before, in a file at `path` or
    /// where the nodes share it.
    pub(crate) async fn start(
        bus: Arc<dyn Bus>,
        cluster: Cluster,
        configured: Vec<Server>,
        path: PathBuf,
    ) -> Result<Self, KeepError> {
        let at = match cluster.servers() {
            Some(value) => At::Shared { value: value.clone().into(), known: (0, 0) },
            None => At::File(path),
        };
        let keeper = Keeper::load(at, configured).await?;
        let (links, kept) = (ArcSwap::default(), Mutex::new(keeper));
        let registry = Self { shared: Arc::new(Shared { bus, cluster, links, kept }) };
        let keeper = registry.shared.kept.lock().await;
        registry.take_over(&keeper).await;
        drop(keeper);
        if let Some(value) = registry.shared.cluster.servers() {
            let (told, versions) = mpsc::channel(1);
            tokio::spawn(value.clone().tell(told));
            tokio::spawn(follow(Arc::downgrade(&registry.shared), versions));
        }
        Ok(registry)
    }

    /// Lets other nodes ask for the servers that this one has, and follows how theirs are.
    pub(crate) fn answer_nodes(&self, tracer: &Tracer, stop: &CancellationToken) {
        let Shared { bus, cluster, .. } = &*self.shared;
        let Some(start) = cluster.start() else { return };
        let (bus, start, stop) = (bus.clone(), start.clone(), stop.clone());
        let (registry, tracer) = (self.clone(), tracer.clone());
        tokio::spawn(across::serve(registry, bus.clone(), start, tracer, stop.clone()));
        tokio::spawn(across::follow(cluster.clone(), bus, stop));
    }

    /// All links as they are now.
    pub(crate) fn links(&self) -> Arc<Links> {
        self.shared.links.load_full()
    }

    /// Servers of whom the configuration does not decide: they were changed or removed over the API.
    pub(crate) async fn overruled(&self) -> BTreeSet<String> {
        self.shared.kept.lock().await.kept.overruled()
    }

    /// Runs what another configuration says, with what was changed over the API since. Servers that
    /// are the same go on untouched. What can fail comes first: if one server cannot be used, nothing
    /// was touched.
    pub(crate) async fn reconfigure(
        &self,
        configured: Vec<Server>,
    ) -> Result<ServerChanges, Unusable> {
        let mut keeper = self.shared.kept.lock().await;
        let wanted = keeper.kept.over(&configured);
        let fresh = prepared(&keeper.kept.over(&keeper.configured), &wanted)?;
        let overruled = keeper.overruled_in(&configured);
        keeper.configured = configured;
        let changes = self.bring_in_line(&keeper, fresh).await;
        Ok(ServerChanges { overruled, ..changes })
    }

    /// Runs what is kept, whatever ran before: at the start, and when another node has changed it.
    async fn take_over(&self, keeper: &Keeper) {
        let before: Vec<Server> =
            self.links().values().map(|link| (*link.server).clone()).collect();
        let fresh = usable(&before, &keeper.wanted());
        self.bring_in_line(keeper, fresh).await;
    }

    /// Runs what is to run; `fresh` are those that do not run so yet.
    async fn bring_in_line(&self, keeper: &Keeper, fresh: Vec<(Server, Pbx)>) -> ServerChanges {
        let wanted = keeper.wanted();
        let mut changes = ServerChanges::default();
        for (id, link) in self.links().iter() {
            if !wanted.iter().any(|server| server.id == *id) {
                self.drop_link(link).await;
                changes.removed.push(id.clone());
            }
        }
        for (server, pbx) in fresh {
            let id = server.id.clone();
            let is_known = self.links().contains_key(&id);
            let handle = self.begin(server, pbx, keeper.goal(&id)).await;
            self.edit(|links| drop(links.insert(id.clone(), handle)));
            if is_known { changes.changed.push(id) } else { changes.added.push(id) }
        }
        for link in self.links().values() {
            link.goal.send_if_modified(|old| old.follow(keeper.goal(&link.server.id)));
        }
        changes
    }

    async fn drop_link(&self, link: &LinkHandle) {
        end(link).await;
        self.edit(|links| drop(links.shift_remove(&link.server.id)));
        self.shared.cluster.places().forget(&link.server.id);
    }

    /// Ends every task: logs off and closes.
    pub(crate) async fn stop(&self) {
        let links = self.links();
        for link in links.values() {
            link.goal.send_replace(Goal::Quit);
        }
        for link in links.values() {
            // A server that does not listen is left behind.
            drop(timeout(GOODBYE, link.ended()).await);
        }
    }

    /// Starts a server's tasks, in place of those that it had. Where nothing but ARI differs the link
    /// and its calls go on.
    async fn begin(&self, server: Server, pbx: Pbx, goal: Goal) -> LinkHandle {
        let bus = &self.shared.bus;
        let old = self.links().get(&server.id).cloned();
        if let Some(old) = old.as_ref().filter(|old| old.server.is_same_but_for_ari(&server)) {
            return old.with_ari(server, bus).await;
        }
        if let Some(old) = &old {
            end(old).await;
        }
        let place = self.shared.cluster.places().of(&server.id);
        link::spawn(server, pbx, bus.clone(), place, goal)
    }

    fn edit(&self, change: impl FnOnce(&mut Links)) {
        let mut links = (*self.links()).clone();
        change(&mut links);
        self.shared.links.store(Arc::new(links));
    }
}

/// Takes what other nodes change, as long as there is somebody to take it for.
async fn follow(shared: Weak<Shared>, mut versions: mpsc::Receiver<Version>) {
    while let Some(version) = versions.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        let registry = Registry { shared };
        let mut keeper = registry.shared.kept.lock().await;
        match keeper.take(&version) {
            Ok(true) => registry.take_over(&keeper).await,
            Ok(false) => {}
            Err(why) => tracing::error!("{why}"),
        }
    }
}

async fn end(link: &LinkHandle) {
    link.goal.send_replace(Goal::Remove);
    if timeout(GOODBYE, link.ended()).await.is_err() {
        tracing::warn!(server = link.server.id, "the server's tasks are slow to end");
    }
}
