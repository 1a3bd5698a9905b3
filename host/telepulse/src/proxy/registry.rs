//! Which servers there are: starts and ends their tasks, and serves `telepulse.proxy.command`.

use super::{
    Goal,
    across::{self, Question},
    change,
    describe::describe,
    keep::KeepError,
    keeper::{At, Keeper},
    link,
    prepare::{Unusable, prepared, usable},
    request::{Ask, LinkHandle},
};
use crate::{
    bus::{Bus, Headers},
    cluster::{Cluster, Version},
    config::Server,
    telemetry::Tracer,
};
use arc_swap::ArcSwap;
use call_model::Pbx;
use futures_util::future::join_all;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};
use telepulse_language::{Code, Permission, Refusal};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long a removed server's task may take to say good-bye.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long another node may take to say how its servers are.
const LISTED_WITHIN: Duration = Duration::from_secs(2);

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

    /// Does one proxy command (contract section 1) and gives its result.
    pub(crate) async fn command(
        &self,
        headers: &Headers,
        fields: Map<String, Value>,
    ) -> Result<Value, Refusal> {
        if let Some(who) = &headers.principal
            && who.permission("proxy") != Permission::Any
        {
            return Err(Refusal::new(Code::Forbidden, "the right `proxy` is needed"));
        }
        let command = fields.get("command").and_then(Value::as_str).unwrap_or_default().to_owned();
        let argument = fields.get("server").cloned().unwrap_or(Value::Null);
        match command.as_str() {
            "list" if fields.contains_key("here") => Ok(json!({ "items": self.here() })),
            "list" => Ok(json!({ "items": self.list().await })),
            "add" => self.add(read_server(argument)?).await,
            "change" => self.change(argument).await,
            "remove" => self.remove(&read_id(&argument)?).await,
            "stop" => self.set_goal(&read_id(&argument)?, true, |_| Goal::Stop).await,
            "start" => self.set_goal(&read_id(&argument)?, false, |old| old.running(0)).await,
            "audit" => {
                let link = self.existing(&read_id(&argument)?)?;
                link.answer(|reply| Ask::Audit { reply }).await
            }
            "restart" => self.restart(&read_id(&argument)?).await,
            _ => Err(Refusal::field(
                "command",
                "must be list, add, change, remove, restart, stop, start or audit",
            )),
        }
    }

    /// All servers; those of other nodes as these tell, or as they are known here.
    async fn list(&self) -> Vec<Value> {
        let links = self.links();
        let elsewhere = links.values().filter(|link| link.place.is_elsewhere());
        let owners: BTreeMap<_, _> = elsewhere
            .filter_map(|link| link.place.owner())
            .map(|owner| (owner.start.clone(), owner))
            .collect();
        let asked = owners.values().map(async |owner| {
            let (bus, headers) = (&*self.shared.bus, Headers::within(LISTED_WITHIN));
            across::ask::<Vec<Value>>(bus, owner, &Question::Descriptions, headers).await
        });
        let told: Vec<Value> = join_all(asked).await.into_iter().flatten().flatten().collect();
        let by_id = |id: &str| told.iter().find(|item| item["id"] == id);
        let item = |link: &LinkHandle| match by_id(&link.server.id) {
            Some(item) if !link.is_here() => item.clone(),
            _ => describe(link),
        };
        links.values().map(item).collect()
    }

    /// Those that this node has.
    fn here(&self) -> Vec<Value> {
        self.links().values().filter(|link| link.is_here()).map(describe).collect()
    }

    /// Begins anew, wherever the server is.
    async fn restart(&self, id: &str) -> Result<Value, Refusal> {
        self.set_goal(id, false, |old| old.running(1)).await?;
        let link = self.existing(id)?;
        let Some(owner) = link.place.owner().filter(|_| link.place.is_elsewhere()) else {
            return Ok(describe(&link));
        };
        let question = Question::Restart { server: id.to_owned() };
        across::ask(&*self.shared.bus, &owner, &question, Headers::within(LISTED_WITHIN)).await
    }

    fn existing(&self, id: &str) -> Result<LinkHandle, Refusal> {
        self.links().get(id).cloned().ok_or_else(|| {
            Refusal::new(Code::NotFound, format!("there is no server {id:?}")).with_field("server")
        })
    }

    async fn add(&self, server: Server) -> Result<Value, Refusal> {
        let mut keeper = self.shared.kept.lock().await;
        if self.links().contains_key(&server.id) {
            let message = format!("server {:?} exists already; change it with PUT", server.id);
            return Err(Refusal::new(Code::Conflict, message).with_field("id"));
        }
        self.put(&mut keeper, server).await
    }

    async fn change(&self, argument: Value) -> Result<Value, Refusal> {
        let mut keeper = self.shared.kept.lock().await;
        let old = self.existing(&read_id(&argument["id"])?)?;
        let server = change::read(&old.server, argument)?;
        if *old.server == server {
            return Ok(describe(&old));
        }
        self.put(&mut keeper, server).await
    }

    /// Writes the file first: what was answered as done survives a crash.
    async fn put(&self, keeper: &mut Keeper, server: Server) -> Result<Value, Refusal> {
        let id = server.id.clone();
        let pbx = link::model(&server).map_err(|error| Refusal::field("extensions", error))?;
        let goes_on =
            self.links().get(&id).is_some_and(|old| old.server.is_same_but_for_ari(&server));
        keeper.update(|kept| kept.put(server.clone(), goes_on)).await?;
        let goal = keeper.goal(&id);
        let handle = self.begin(server, pbx, goal).await;
        let description = describe(&handle);
        self.edit(|links| drop(links.insert(id, handle)));
        Ok(description)
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

    async fn remove(&self, id: &str) -> Result<Value, Refusal> {
        let mut keeper = self.shared.kept.lock().await;
        let old = self.existing(id)?;
        let configured = keeper.configured.iter().any(|server| server.id == id);
        let kept = keeper.update(|kept| {
            kept.servers.retain(|server| server.id != id);
            kept.stopped.remove(id);
            if configured {
                kept.removed.insert(id.to_owned());
            }
        });
        kept.await?;
        self.drop_link(&old).await;
        Ok(json!({}))
    }

    async fn set_goal(
        &self,
        id: &str,
        stopped: bool,
        goal: impl FnOnce(Goal) -> Goal,
    ) -> Result<Value, Refusal> {
        let mut keeper = self.shared.kept.lock().await;
        let link = self.existing(id)?;
        if keeper.kept.stopped.contains(id) != stopped {
            let kept = keeper.update(|kept| {
                if stopped {
                    kept.stopped.insert(id.to_owned());
                } else {
                    kept.stopped.remove(id);
                }
            });
            kept.await?;
        }
        let old = *link.goal.borrow();
        let new = goal(old);
        if new != old {
            link.goal.send_replace(new);
        }
        Ok(describe(&link))
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

fn read_id(argument: &Value) -> Result<String, Refusal> {
    argument
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Refusal::field("server", "must be the id of a server"))
}

fn read_server(argument: Value) -> Result<Server, Refusal> {
    Server::from_json(argument)
}
