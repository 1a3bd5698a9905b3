//! The thin shell: gathers facts, from servers and from this machine. Nothing is judged here.

mod answers;
mod ari;
mod files;
mod local;
mod reach;
mod talk;

pub(super) use local::of_machine;

use super::facts::{Answers, Login, Reach, ServerFacts};
use crate::config::Server;
use std::path::{Path, PathBuf};

/// Where Asterisk's configuration is, by custom.
const ASTERISK: &str = "/etc/asterisk";

/// How thoroughly a server is looked at.
#[derive(Clone, Debug)]
pub struct Looks {
    /// Where its configuration files are, if this is its machine; `None`: where they are by custom,
    /// if the server is on this machine.
    pub asterisk: Option<PathBuf>,
    /// For how many milliseconds its events are listened to.
    pub listen_ms: u64,
}

impl Default for Looks {
    fn default() -> Self {
        Self { asterisk: None, listen_ms: 2_000 }
    }
}

/// All facts about one server.
pub(super) async fn of_server(server: &Server, looks: &Looks) -> ServerFacts {
    let mut facts = ServerFacts {
        settings: server.clone(),
        reach: Reach::Silent,
        certificate_ends: None,
        login: Login::NotTried,
        manager: super::facts::ManagerConf::default(),
        answers: Answers::default(),
        ari: server.ari.as_ref().map(|_| super::facts::AriFacts::default()),
    };
    let way = reach::open(server).await;
    facts.certificate_ends = way.certificate_ends;
    match way.stream {
        Ok(wire) => talk::run(&mut facts, wire, looks.listen_ms).await,
        Err(reach) => facts.reach = reach,
    }
    if let Some(folder) = folder(server, looks) {
        files::read(&mut facts, &folder, way.our_address);
    }
    ari::ask(&mut facts).await;
    facts
}

/// Where Asterisk's files are, if they can be read here.
fn folder(server: &Server, looks: &Looks) -> Option<PathBuf> {
    let is_here = server.host.eq_ignore_ascii_case("localhost")
        || server.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let usual = || is_here.then(|| PathBuf::from(ASTERISK));
    looks.asterisk.clone().or_else(usual).filter(|folder: &PathBuf| can_read(folder))
}

fn can_read(folder: &Path) -> bool {
    std::fs::File::open(folder.join("manager.conf")).is_ok()
}
