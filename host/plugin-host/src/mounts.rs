//! What a plugin holds outside: its subscription, WebSocket paths, HTTP routes and commands. They outlive
//! instances; a change of grants changes only what differs.

use crate::{
    bindings::Surface,
    ctx::Rights,
    grants::{Mount, Pattern},
    http::{HttpSlot, Route},
    mailbox::Inbox,
    ports::{Guard, Ports},
    questions::Asker,
};
use futures_util::future::BoxFuture;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::runtime::Handle;

/// Everything that is mounted now. Dropping it unmounts.
#[derive(Default)]
pub(crate) struct Mounts {
    subscription: Option<(Vec<Pattern>, Guard)>,
    websockets: BTreeMap<Mount, (Vec<String>, Guard)>,
    routes: BTreeMap<Place, (Arc<Route>, Guard)>,
    /// Paths of a plugin that does not run yet, or any more.
    announced: Vec<Guard>,
    commands: BTreeMap<String, Guard>,
}

/// A listener, and a path on it.
type Place = (SocketAddr, String);

fn place(mount: &Mount) -> Place {
    (mount.listen, mount.path.clone())
}

/// Who mounts.
pub(crate) struct Owner<'a> {
    pub(crate) name: &'a str,
    pub(crate) ports: &'a Ports,
    /// The runtime that the ports live on.
    pub(crate) home: &'a Handle,
    pub(crate) inbox: &'a Arc<Inbox>,
    pub(crate) http: &'a HttpSlot,
    pub(crate) asker: &'a Asker,
}

impl Owner<'_> {
    /// Has a listener's future driven by the runtime that its sockets belong to.
    async fn at_home(
        &self,
        open: impl FnOnce() -> BoxFuture<'static, Result<Guard, String>>,
    ) -> Result<Guard, String> {
        let opening = {
            let _home = self.home.enter();
            self.home.spawn(open())
        };
        opening.await.unwrap_or_else(|_| Err("opening it failed inside the host".to_owned()))
    }
}

impl Mounts {
    /// Unmounts everything; a subscription that is durable goes on without its plugin, and what is announced
    /// stays so.
    pub(crate) fn clear(&mut self, home: &Handle, is_durable: bool) {
        let _home = home.enter();
        let subscription = self.subscription.take().filter(|_| is_durable);
        let announced = std::mem::take(&mut self.announced);
        *self = Self { subscription, announced, ..Self::default() };
    }

    /// Has whoever asks on these paths be told that the plugin is to come.
    pub(crate) async fn announce(&mut self, owner: &Owner<'_>, routes: &[Mount]) {
        let mut announced = Vec::new();
        for Mount { listen, path, .. } in routes {
            let listeners = &owner.ports.listeners;
            match owner.at_home(|| listeners.announce(owner.name, *listen, path)).await {
                Ok(guard) => announced.push(guard),
                // It is told again, and as what it is, when the path is mounted.
                Err(error) => tracing::debug!(plugin = owner.name, error, "not announced"),
            }
        }
        self.conceal(owner.home);
        self.announced = announced;
    }

    /// Announces nothing any more.
    pub(crate) fn conceal(&mut self, home: &Handle) {
        let _home = home.enter();
        self.announced.clear();
    }

    /// Makes it so. On an error what was mounted before is still, or again, mounted.
    pub(crate) async fn apply(
        &mut self,
        owner: &Owner<'_>,
        surface: Surface,
        rights: &Rights,
    ) -> Result<(), String> {
        let websockets = if surface.connection_handler { &*rights.grants.websocket } else { &[] };
        let routes = if surface.http { &*rights.grants.routes } else { &[] };
        // New listeners first: they may fail.
        let mut opened = BTreeMap::new();
        for mount in routes.iter().filter(|mount| !self.routes.contains_key(&place(mount))) {
            let route = owner.http.route();
            route.set_right(mount.right.as_deref());
            let (handler, listeners) = (Arc::clone(&route), &owner.ports.listeners);
            let guard =
                owner.at_home(|| listeners.http(owner.name, mount.listen, &mount.path, handler));
            opened.insert(place(mount), (route, guard.await?));
        }
        let commands = if surface.commands { &*rights.grants.serve } else { &[] };
        let mut served = self.commands(owner, commands)?;
        self.websockets(owner, websockets, &rights.origins).await?;
        {
            let _home = owner.home.enter();
            self.websockets.retain(|mount, _| websockets.contains(mount));
            self.commands.append(&mut served);
            self.commands.retain(|action, _| commands.contains(action));
            self.routes.append(&mut opened);
            self.routes.retain(|mounted, _| routes.iter().any(|mount| place(mount) == *mounted));
        }
        for mount in routes {
            if let Some((route, _)) = self.routes.get(&place(mount)) {
                route.set_right(mount.right.as_deref());
            }
        }
        self.conceal(owner.home);
        self.subscribe(owner, if surface.subscriber { &rights.grants.subscribe } else { &[] });
        Ok(())
    }

    /// Has those commands come here that did not before.
    fn commands(
        &self,
        owner: &Owner<'_>,
        wanted: &[String],
    ) -> Result<BTreeMap<String, Guard>, String> {
        let new = wanted.iter().filter(|action| !self.commands.contains_key(*action));
        new.map(|action| {
            let handler = Arc::new(owner.asker.clone());
            let guard = owner.ports.commands.register(owner.name, action, handler)?;
            Ok((action.clone(), guard))
        })
        .collect()
    }

    async fn websockets(
        &mut self,
        owner: &Owner<'_>,
        wanted: &[Mount],
        origins: &[String],
    ) -> Result<(), String> {
        let mut opened = Vec::new();
        for mount in wanted {
            let before = self.websockets.get(mount).map(|(origins, _)| origins.clone());
            if before.as_deref() == Some(origins) {
                continue;
            }
            // The path can be had once only: let go of it, and take it back if the change fails.
            self.unmount(owner, mount);
            match websocket(owner, mount, origins).await {
                Ok(guard) => {
                    self.websockets.insert(mount.clone(), (origins.to_vec(), guard));
                    opened.push((mount, before));
                }
                Err(error) => {
                    opened.push((mount, before));
                    self.take_back(owner, opened).await;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn unmount(&mut self, owner: &Owner<'_>, mount: &Mount) {
        let _home = owner.home.enter();
        self.websockets.remove(mount);
    }

    async fn take_back(&mut self, owner: &Owner<'_>, opened: Vec<(&Mount, Option<Vec<String>>)>) {
        for (mount, before) in opened {
            self.unmount(owner, mount);
            let Some(origins) = before else { continue };
            match websocket(owner, mount, &origins).await {
                Ok(guard) => {
                    self.websockets.insert(mount.clone(), (origins, guard));
                }
                Err(error) => {
                    tracing::error!(plugin = owner.name, %error, "WebSocket path lost");
                }
            }
        }
    }

    /// Nothing comes any more.
    pub(crate) fn unsubscribe(&mut self, home: &Handle) {
        let _home = home.enter();
        self.subscription = None;
    }

    /// Makes the subscription so.
    pub(crate) fn subscribe(&mut self, owner: &Owner<'_>, wanted: &[Pattern]) {
        if self.subscription.as_ref().is_some_and(|(patterns, _)| patterns == wanted) {
            return;
        }
        let _home = owner.home.enter();
        let before = self.subscription.take();
        if wanted.is_empty() {
            return;
        }
        let addresses: Vec<String> =
            wanted.iter().map(|pattern| pattern.as_str().to_owned()).collect();
        let sink = Arc::clone(owner.inbox) as Arc<_>;
        let guard = match before {
            Some((_, before)) => owner.ports.bus.resubscribe(before, &addresses, sink),
            None => owner.ports.bus.subscribe(&addresses, sink),
        };
        self.subscription = Some((wanted.to_vec(), guard));
    }
}

async fn websocket(owner: &Owner<'_>, mount: &Mount, origins: &[String]) -> Result<Guard, String> {
    let sink = Arc::clone(owner.inbox) as Arc<_>;
    let Owner { name, ports, .. } = owner;
    owner
        .at_home(|| ports.listeners.websocket(name, mount.listen, &mount.path, origins, sink))
        .await
}
