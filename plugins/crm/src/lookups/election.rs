//! Which client is asked: one at a time of those whose phones ring, until one answers. Pure.

use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// A client that looks numbers up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Client {
    /// Its connection.
    #[serde(rename = "client")]
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) extension: String,
    /// Servers whose calls it may see; none: all.
    #[serde(default)]
    pub(crate) servers: Option<BTreeSet<String>>,
}

/// Those that there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Clients(BTreeMap<u64, Client>);

/// The most that are known.
const MOST: usize = 65_536;
/// Phones of one call do not ring at the same moment: so long, in nanoseconds, it is waited for those of the
/// clients that are preferred.
const SETTLING: u64 = 200_000_000;

impl Clients {
    pub(crate) fn joined(&mut self, client: Client) {
        if self.0.len() < MOST {
            self.0.insert(client.id, client);
        }
    }

    pub(crate) fn left(&mut self, id: u64) {
        self.0.remove(&id);
    }

    /// Those at some extensions of a server, with their rank: users that are preferred come first, in that order, and then all
    /// others.
    pub(crate) fn at(
        &self,
        server: &str,
        extensions: &[String],
        preferred: &[String],
    ) -> Vec<Candidate> {
        let rank =
            |user: &str| preferred.iter().position(|name| name == user).unwrap_or(preferred.len());
        let sees = |client: &&Client| {
            client.servers.as_ref().is_none_or(|servers| servers.contains(server))
        };
        let here = self.0.values().filter(|client| extensions.contains(&client.extension));
        let found = here.filter(sees);
        found.map(|client| Candidate { rank: rank(&client.user), client: client.clone() }).collect()
    }
}

/// A client that can be asked; of the lowest rank any will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) rank: usize,
    pub(crate) client: Client,
}

/// One client is asked after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Election {
    /// So long the phones of those who are asked first may take to ring, in nanoseconds since 1970; 0: no longer.
    #[serde(default)]
    settles: u64,
    /// Those that were asked: they have gone, or said nothing.
    spent: Vec<u64>,
    /// The one that is asked now, under which name, and until when.
    now: Option<(Client, String, u64)>,
}

/// A question for a client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    pub(crate) client: Client,
    /// Under which it answers; nobody else knows it.
    pub(crate) lookup: String,
    pub(crate) call: String,
    pub(crate) number: String,
    /// In nanoseconds since 1970.
    pub(crate) deadline: u64,
}

/// What an election comes to.
pub(super) enum Next {
    Ask { client: Client, lookup: String },
    Nobody,
}

impl Election {
    /// One that begins now.
    pub(super) fn new(now: u64) -> Self {
        Self { settles: now + SETTLING, ..Self::default() }
    }

    /// Elects one that was not asked yet; `chance` are random bytes, at least 16.
    pub(super) fn next(
        &mut self,
        candidates: &[Candidate],
        chance: &[u8],
        now: u64,
        patience: u64,
    ) -> Next {
        if let Some((client, ..)) = self.now.take() {
            self.spent.push(client.id);
        }
        if self.settles <= now {
            self.settles = 0;
        }
        let is_fresh = |it: &&Candidate| !self.spent.contains(&it.client.id);
        let Some(best) = candidates.iter().filter(is_fresh).map(|it| it.rank).min() else {
            return Next::Nobody;
        };
        if best > 0 && self.settles > 0 {
            return Next::Nobody;
        }
        self.settles = 0;
        let equals: Vec<&Candidate> =
            candidates.iter().filter(is_fresh).filter(|it| it.rank == best).collect();
        let at = usize::from(chance.first().copied().unwrap_or_default()) % equals.len();
        let client = equals[at].client.clone();
        let lookup = hex(chance);
        self.now = Some((client.clone(), lookup.clone(), now + patience));
        Next::Ask { client, lookup }
    }

    /// Until when the one that is asked has time, or those who are asked first.
    pub(super) fn until(&self) -> Option<u64> {
        match &self.now {
            Some((_, _, until)) => Some(*until),
            None => Some(self.settles).filter(|settles| *settles > 0),
        }
    }

    /// Whether nobody is asked.
    pub(super) fn is_idle(&self) -> bool {
        self.now.is_none()
    }

    /// A client has gone; answers whether it was the one that is asked, whose time is over now.
    pub(super) fn left(&mut self, id: u64) -> bool {
        match &mut self.now {
            Some((client, _, until)) if client.id == id => {
                *until = 0;
                true
            }
            _ => false,
        }
    }

    /// The client that is asked under this name.
    pub(super) fn asked(&self, lookup: &str) -> Option<&Client> {
        self.now.as_ref().filter(|(_, name, _)| name == lookup).map(|(client, ..)| client)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
