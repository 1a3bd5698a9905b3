//! What the operator orders of servers: listed, added, changed, removed, stopped and started. Each change is kept
//! before it is carried out: what was answered as done survives a crash.

use super::Registry;
use crate::{
    bus::Headers,
    config::Server,
    proxy::{
        Goal,
        across::{self, Question},
        change,
        describe::describe,
        keeper::Keeper,
        link,
        request::{Ask, LinkHandle},
    },
};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};
use telepulse_language::{Code, Permission, Refusal};

/// How long another node may take to say how its servers are.
const LISTED_WITHIN: Duration = Duration::from_secs(2);

impl Registry {
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
