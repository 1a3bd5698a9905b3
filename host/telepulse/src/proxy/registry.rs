//! Which servers there are: starts and ends their tasks, and serves `telepulse.proxy.command`.

use super::{
    change,
    describe::describe,
    keep::{KeepError, Kept},
    link::{self, Goal},
    prepare::{Unusable, prepared},
    request::{Ask, LinkHandle},
};
use crate::{
    bus::{Bus, Headers},
    config::Server,
};
use arc_swap::ArcSwap;
use call_model::Pbx;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};
use telepulse_language::{Code, Permission, Refusal};
use tokio::{sync::Mutex, time::timeout};

/// How long a removed server's task may take to say good-bye.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(3);

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
    /// What readers see; replaced whole.
    links: ArcSwap<Links>,
    /// Held while servers are changed: one change at a time, and the file says the same.
    kept: Mutex<Keeper>,
}

struct Keeper {
    kept: Kept,
    configured: Vec<Server>,
    path: PathBuf,
}

impl Registry {
    /// Starts the configured servers and those that were added over the API before.
    pub(crate) fn start(
        bus: Arc<dyn Bus>,
        configured: Vec<Server>,
        path: PathBuf,
    ) -> Result<Self, KeepError> {
        let kept = Kept::load(&path)?;
        let mut links = Links::new();
        for server in kept.over(&configured) {
            let id = server.id.clone();
            match link::model(&server) {
                Ok(pbx) => {
                    let handle = link::spawn(server, pbx, bus.clone());
                    if kept.stopped.contains(&id) {
                        handle.goal.send_replace(Goal::Stop);
                    }
                    links.insert(id, handle);
                }
                // The configuration was checked; a kept one can be of an older version.
                Err(error) => tracing::error!(server = id, error, "server cannot be used"),
            }
        }
        let shared = Shared {
            bus,
            links: ArcSwap::from_pointee(links),
            kept: Mutex::new(Keeper { kept, configured, path }),
        };
        Ok(Self { shared: Arc::new(shared) })
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
        let mut changes = ServerChanges {
            overruled: keeper.overruled_in(&configured),
            ..ServerChanges::default()
        };
        keeper.configured = configured;
        for (id, link) in self.links().iter() {
            if !wanted.iter().any(|server| server.id == *id) {
                end(link).await;
                self.edit(|links| drop(links.shift_remove(id)));
                changes.removed.push(id.clone());
            }
        }
        for (server, pbx) in fresh {
            let id = server.id.clone();
            let is_known = self.links().contains_key(&id);
            let handle = self.begin(server, pbx).await;
            if keeper.kept.stopped.contains(&id) {
                handle.goal.send_replace(Goal::Stop);
            }
            self.edit(|links| drop(links.insert(id.clone(), handle)));
            if is_known { changes.changed.push(id) } else { changes.added.push(id) }
        }
        Ok(changes)
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
            "list" => Ok(json!({ "items": self.list() })),
            "add" => self.add(read_server(argument)?).await,
            "change" => self.change(argument).await,
            "remove" => self.remove(&read_id(&argument)?).await,
            "stop" => self.set_goal(&read_id(&argument)?, true, |_| Goal::Stop).await,
            "start" => self.set_goal(&read_id(&argument)?, false, |old| running(old, 0)).await,
            "audit" => {
                let link = self.existing(&read_id(&argument)?)?;
                link.answer(|reply| Ask::Audit { reply }).await
            }
            "restart" => self.set_goal(&read_id(&argument)?, false, |old| running(old, 1)).await,
            _ => Err(Refusal::field(
                "command",
                "must be list, add, change, remove, restart, stop, start or audit",
            )),
        }
    }

    fn list(&self) -> Vec<Value> {
        self.links().values().map(describe).collect()
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
        keeper.update(|kept| kept.put(server.clone(), goes_on))?;
        let handle = self.begin(server, pbx).await;
        let description = describe(&handle);
        self.edit(|links| drop(links.insert(id, handle)));
        Ok(description)
    }

    /// Starts a server's tasks, in place of those that it had. Where nothing but ARI differs the link
    /// and its calls go on.
    async fn begin(&self, server: Server, pbx: Pbx) -> LinkHandle {
        let bus = &self.shared.bus;
        let old = self.links().get(&server.id).cloned();
        if let Some(old) = old.as_ref().filter(|old| old.server.is_same_but_for_ari(&server)) {
            return old.with_ari(server, bus).await;
        }
        if let Some(old) = &old {
            end(old).await;
        }
        link::spawn(server, pbx, bus.clone())
    }

    async fn remove(&self, id: &str) -> Result<Value, Refusal> {
        let mut keeper = self.shared.kept.lock().await;
        let old = self.existing(id)?;
        let configured = keeper.configured.iter().any(|server| server.id == id);
        keeper.update(|kept| {
            kept.servers.retain(|server| server.id != id);
            kept.stopped.remove(id);
            if configured {
                kept.removed.insert(id.to_owned());
            }
        })?;
        end(&old).await;
        self.edit(|links| drop(links.shift_remove(id)));
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
            keeper.update(|kept| {
                if stopped {
                    kept.stopped.insert(id.to_owned());
                } else {
                    kept.stopped.remove(id);
                }
            })?;
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

impl Keeper {
    /// Servers of which another configuration says something else, in vain.
    fn overruled_in(&self, configured: &[Server]) -> Vec<String> {
        let of = |list: &[Server], id: &str| list.iter().find(|it| it.id == id).cloned();
        let differs = |id: &String| of(&self.configured, id) != of(configured, id);
        self.kept.overruled().into_iter().filter(differs).collect()
    }

    fn update(&mut self, change: impl FnOnce(&mut Kept)) -> Result<(), Refusal> {
        let mut kept = self.kept.clone();
        change(&mut kept);
        kept.save(&self.path).map_err(|error| {
            Refusal::new(Code::Internal, format!("nothing was changed: {error}"))
        })?;
        self.kept = kept;
        Ok(())
    }
}

/// The goal of a server that is to run: `step` 1 begins anew even if it runs.
fn running(old: Goal, step: u64) -> Goal {
    match old {
        Goal::Run(turn) => Goal::Run(turn + step),
        Goal::Stop | Goal::Remove | Goal::Quit => Goal::Run(0),
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
