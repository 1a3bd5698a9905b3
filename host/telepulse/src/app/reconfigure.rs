//! Another configuration, put in force while calls go on.

use super::App;
use crate::{
    admin,
    config::{self, Change, Config, User},
    core::Pace,
    proxy::{ServerChanges, Unusable},
};
use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

/// Whoever was logging in while the users changed is looked at again after this.
const ONCE_MORE: Duration = Duration::from_millis(300);

/// What another configuration did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconfigured {
    /// What differed, key by key, secrets left out.
    pub changes: Vec<Change>,
    /// Servers.
    pub servers: ServerChanges,
    /// Users who are new, gone, or other than before; their connections were closed.
    pub users: Vec<String>,
    /// Whether the limits on commands are others.
    pub commands: bool,
    /// Sections that differ and need a restart; those of before stay in force.
    pub later: Vec<&'static str>,
}

impl App {
    /// The next order of the admin API to read the configuration again.
    pub async fn ordered(&self) -> Option<admin::Order> {
        self.orders.lock().await.recv().await
    }

    /// What another configuration would change, secrets left out.
    pub async fn changes(&self, new: &Config) -> Vec<Change> {
        config::diff(&*self.config.lock().await, new, &self.registry.overruled().await)
    }

    /// Puts another configuration in force: servers, users and the limits on commands. What did not
    /// change is not touched; connections of users who are gone, or have other rights or another
    /// token or password, are closed (4401). Where a server cannot be used nothing was touched, and the
    /// configuration of before stays in force.
    pub async fn reconfigure(&self, new: Config) -> Result<Reconfigured, Unusable> {
        let mut config = self.config.lock().await;
        let changes = config::diff(&config, &new, &self.registry.overruled().await);
        let later = [
            ("node", config.node != new.node),
            ("auth.jwt", config.jwt != new.jwt || (new.jwt.is_some() && config.roles != new.roles)),
            ("tls", config.tls != new.tls),
            ("http", config.http != new.http),
            ("bus", config.bus != new.bus),
            ("store", config.store != new.store),
            ("plugins", config.plugins != new.plugins),
            ("admin", config.admin != new.admin),
            ("log", config.log != new.log),
            ("telemetry", config.telemetry != new.telemetry),
        ];
        let later = later.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name);
        // All that can fail is in here, and fails before it has changed anything: there is nothing to undo.
        let servers = self.registry.reconfigure(new.servers.clone()).await?;
        let users = different(&config.users, &new.users);
        if !users.is_empty() {
            self.change_users(&new.users, users.clone());
        }
        let commands = config.commands != new.commands;
        if commands {
            self.pace.store(Arc::new(Pace::new(new.commands.clone())));
        }
        if config.jwt.is_none() && new.jwt.is_none() {
            config.roles = new.roles;
        }
        config.users = new.users;
        config.commands = new.commands;
        config.servers = new.servers;
        let (users, later) = (users.into_iter().collect(), later.collect());
        Ok(Reconfigured { changes, servers, users, commands, later })
    }

    fn change_users(&self, users: &[User], changed: BTreeSet<String>) {
        let auth = self.entrance.auth(users);
        self.listeners.gate().replace(auth.clone());
        let clients = Arc::clone(self.listeners.clients());
        let send_away = move || {
            clients.send_away(|who| changed.contains(&who.name) && !auth.holds(who));
        };
        send_away();
        tokio::spawn(async move {
            tokio::time::sleep(ONCE_MORE).await;
            send_away();
        });
    }
}

/// Names of users who are in one list only, or not the same in both.
fn different(old: &[User], new: &[User]) -> BTreeSet<String> {
    let only = |these: &[User], those: &[User]| -> Vec<String> {
        these.iter().filter(|user| !those.contains(user)).map(|user| user.name.clone()).collect()
    };
    only(old, new).into_iter().chain(only(new, old)).collect()
}

impl fmt::Display for Reconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServerChanges { added, changed, removed, overruled } = &self.servers;
        let lists = [
            ("servers added", added),
            ("servers changed", changed),
            ("servers removed", removed),
            ("as the admin API left them, whatever the file says", overruled),
            ("users changed", &self.users),
        ];
        let mut told = Vec::new();
        for (what, list) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            told.push(format!("{what}: {}", list.join(", ")));
        }
        if self.commands {
            told.push("other limits on commands".to_owned());
        }
        if !self.later.is_empty() {
            told.push(format!("only after a restart: [{}]", self.later.join("], [")));
        }
        if told.is_empty() {
            told.push("nothing differs".to_owned());
        }
        f.write_str(&told.join("; "))
    }
}
