//! This machine: the configuration, files, ports, plugins.

use super::list;
use crate::doctor::{
    facts::{LocalFacts, UsedFacts},
    finding::Finding,
};
use std::collections::BTreeMap;

/// Bytes below which a store is nearly full.
const LEAST_FREE: u64 = 512 << 20;
/// Files below which thousands of clients are too many.
const LEAST_FILES: u64 = 8_192;

fn file(facts: &LocalFacts) -> String {
    facts.file.display().to_string()
}

fn used(facts: &LocalFacts, about: impl FnOnce(&UsedFacts) -> Vec<Finding>) -> Vec<Finding> {
    facts.used.as_ref().map(about).unwrap_or_default()
}

pub(super) fn mistakes(facts: &LocalFacts) -> Vec<Finding> {
    let mistake = |(place, text): &(String, String)| {
        Finding::error("configuration", place, text)
            .cure("correct the line; `telepulse check` tells when all is good")
    };
    facts.mistakes.iter().map(mistake).collect()
}

pub(super) fn secrets_in_plain(facts: &LocalFacts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts
        .plain_secrets
        .iter()
        .map(|(line, key)| {
            let what = format!("{key} holds the secret itself: it ends up in backups and versions");
            let name = key.rsplit('.').next().unwrap_or(key);
            let variable = key.replace(['.', '-'], "_").to_ascii_uppercase();
            let section = match key.rsplit_once('.') {
                Some(("server", _)) => "[[server]]".to_owned(),
                Some((section, _)) => format!("[{section}]"),
                None => String::new(),
            };
            Finding::warning("plain-secret", format!("{}:{line}", file(facts)), what)
                .cure(format!(
                    "give it to TelePulse as a variable ({variable}=...): under systemd in \
                     /etc/telepulse/environment, which only root can read"
                ))
                .own(&section, [format!("{name} = \"env:{variable}\"")])
        })
        .collect();
    findings.extend(used(facts, |used| {
        let plugins = used.plugins.iter().flat_map(|folder| &folder.plugins);
        let plain = plugins.filter(|plugin| !plugin.plain_secrets.is_empty());
        let finding = |plugin: &crate::doctor::facts::PluginFacts| {
            let what =
                format!("[secrets] holds the secrets themselves: {}", list(&plugin.plain_secrets));
            let place = format!("{}.toml", plugin.name);
            Finding::warning("plain-plugin-secret", &place, what).paste(
                &place,
                "[secrets]".to_owned(),
                plugin
                    .plain_secrets
                    .iter()
                    .map(|key| format!("{key} = \"file:/etc/telepulse/{key}\"")),
                "the file is read again by itself",
            )
        };
        plain.map(finding).collect()
    }));
    findings
}

pub(super) fn readable_by_all(facts: &LocalFacts) -> Vec<Finding> {
    if facts.plain_secrets.is_empty() || facts.mode.is_none_or(|mode| mode & 0o004 == 0) {
        return Vec::new();
    }
    let what = "the file holds secrets, and every user of this machine can read it";
    let finding = Finding::warning("readable-secrets", file(facts), what);
    vec![finding.cure("move the secrets out of it, or let only TelePulse's user read it")]
}

pub(super) fn nobody(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        if !used.config.users.is_empty() || used.config.jwt.is_some() {
            return Vec::new();
        }
        let what = "there is no user: nobody can log in at the gateways";
        let finding = Finding::warning("no-users", file(facts), what);
        vec![finding.cure("`telepulse token` makes a token and its line").own(
            "[[auth.user]]",
            ["name = \"ana\"", "token = \"sha256:…\"    # by `telepulse token`", "allow = [\"*\"]"],
        )]
    })
}

pub(super) fn powerless(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let blind = |list: &Option<std::collections::BTreeSet<String>>| {
            list.as_ref().is_some_and(std::collections::BTreeSet::is_empty)
        };
        let is_blind = |user: &&crate::config::User| {
            user.allow.is_empty()
                && blind(&user.agents)
                && blind(&user.queues)
                && blind(&user.servers)
        };
        let names: Vec<&String> =
            used.config.users.iter().filter(is_blind).map(|user| &user.name).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let what = format!("users who see nothing and may do nothing: {}", list(names));
        vec![
            Finding::note("powerless-users", file(facts), what)
                .own("[[auth.user]]", ["role = \"agent\""]),
        ]
    })
}

pub(super) fn guessable(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let token = used.guessable.iter().map(|(who, place)| {
            let what = format!("the token or password of {who} is one that anybody would guess");
            Finding::error("guessable-token", file(facts), what)
                .cure("`telepulse token` makes a good one")
                .own(place, ["token = \"sha256:…\""])
        });
        let server = used.guessable_servers.iter().map(|id| {
            let what = format!(
                "the secret of the server {id} is one that anybody would guess: who reaches its \
                 manager owns it"
            );
            let name = used.config.servers.iter().find(|server| server.id == *id);
            let name = name.map_or("telepulse", |server| &server.username);
            Finding::error("guessable-secret", file(facts), what)
                .of(id)
                .cure("`openssl rand -base64 24` makes a good one; put it into both files")
                .manager(name, ["secret = …    ; the new one"])
        });
        token.chain(server).collect()
    })
}

pub(super) fn admin_in_clear(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let admin = &used.config.admin;
        if admin.listen.ip().is_loopback() || admin.tls {
            return Vec::new();
        }
        let what = format!("the admin API on {} takes its token unencrypted", admin.listen);
        let finding = Finding::warning("admin-in-clear", file(facts), what);
        vec![finding.own("[admin]", ["tls = true    # with the certificate of [tls]"])]
    })
}

pub(super) fn store(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let path = used.config.store.path.display().to_string();
        if let Some(why) = &used.store_error {
            let what = format!("nothing can be kept in {path}: {why}");
            let finding = Finding::error("store-not-writable", file(facts), what);
            return vec![
                finding
                    .cure("make the folder and give it to the user that TelePulse runs as")
                    .own("[store]", ["path = \"/var/lib/telepulse\""]),
            ];
        }
        let Some(free) = used.store_free.filter(|free| *free < LEAST_FREE) else {
            return Vec::new();
        };
        let what = format!("only {} MiB are free in {path}", free >> 20);
        vec![Finding::warning("store-nearly-full", file(facts), what).cure("make room")]
    })
}

pub(super) fn ports(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let finding = |(address, purpose): &(String, String)| {
            let port = address.rsplit(':').next().unwrap_or_default();
            let what =
                format!("{address}, for {purpose}, cannot be listened on: another program does");
            let finding = Finding::error("port-taken", file(facts), what);
            let finding = finding.cure(format!("`ss -ltnp 'sport = :{port}'` names it"));
            if purpose == "the admin API" {
                finding.own("[admin]", ["listen = \"127.0.0.1:8092\""])
            } else {
                finding
            }
        };
        used.taken.iter().filter(|_| !used.is_running).map(finding).collect()
    })
}

pub(super) fn plugins_folder(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let path = used.config.plugins.dir.display().to_string();
        match &used.plugins {
            Err(why) => {
                let what = format!(
                    "the plugins folder {path} cannot be read: {why}; without the \
                                    gateways nobody can connect"
                );
                let finding = Finding::error("no-plugins-folder", file(facts), what);
                vec![
                    finding
                        .own("[plugins]", ["dir = \"plugins.d\"    # where the .wasm files are"]),
                ]
            }
            Ok(folder) if folder.plugins.is_empty() => {
                let what = format!(
                    "there is no plugin in {path}: without the gateways nobody can connect"
                );
                let finding = Finding::error("no-plugins", &path, what);
                vec![finding.cure("`cargo xtask build` makes them; copy websocket and rest there")]
            }
            Ok(folder) if folder.mode.is_some_and(|mode| mode & 0o002 != 0) => {
                let what = "every user of this machine can put plugins there";
                vec![
                    Finding::error("open-plugins-folder", &path, what)
                        .cure(format!("chmod o-w {path}")),
                ]
            }
            Ok(_) => Vec::new(),
        }
    })
}

pub(super) fn plugin_files(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let plugins = used.plugins.iter().flat_map(|folder| &folder.plugins);
        plugins
            .flat_map(|plugin| {
                let place = format!("{}.toml", plugin.name);
                plugin.mistakes.iter().map(move |mistake| {
                    Finding::error("plugin-files", &place, mistake.as_str())
                        .cure("correct it; the file is read again by itself")
                })
            })
            .collect()
    })
}

pub(super) fn grants(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let plugins = used.plugins.iter().flat_map(|folder| &folder.plugins);
        let waiting = plugins.filter(|plugin| !plugin.lacking.is_empty());
        waiting
            .map(|plugin| {
                let what = format!("{} waits for grants: {}", plugin.name, list(&plugin.lacking));
                Finding::error("grants-missing", format!("{}.toml", plugin.name), what).cure(
                    format!("`telepulse plugins approve {}` shows and grants them", plugin.name),
                )
            })
            .collect()
    })
}

/// Two entries for one Asterisk: everything would be told twice.
pub(super) fn twins(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let mut by_place: BTreeMap<(String, u16), Vec<&str>> = BTreeMap::new();
        for server in &used.config.servers {
            by_place
                .entry((server.host.to_ascii_lowercase(), server.port))
                .or_default()
                .push(&server.id);
        }
        let twins = by_place.into_iter().filter(|(_, ids)| ids.len() > 1);
        twins
            .map(|((host, port), ids)| {
                let what = format!(
                    "{} are the same Asterisk ({host}:{port}): everything is told twice",
                    list(ids)
                );
                Finding::warning("same-server-twice", file(facts), what).cure("remove one of them")
            })
            .collect()
    })
}

pub(super) fn open_files(facts: &LocalFacts) -> Vec<Finding> {
    used(facts, |used| {
        let Some(files) = used.open_files.filter(|files| *files < LEAST_FILES) else {
            return Vec::new();
        };
        let what = format!("a process may open {files} files here, one for each client");
        let finding = Finding::note("few-files", "this machine", what);
        vec![finding.paste(
            "telepulse.service",
            "[Service]".to_owned(),
            ["LimitNOFILE=65536"],
            "systemctl daemon-reload && systemctl restart telepulse",
        )]
    })
}
