//! What another configuration needs before it is put in force: all that can fail, tried while nothing is
//! touched.

use super::{link, transport};
use crate::config::Server;
use call_model::Pbx;

/// Servers that cannot be used, each with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Unusable(pub Vec<String>);

/// What begins the servers that were not wanted so before. One that was, and does not run because it
/// cannot be used, is no reason to refuse what is new.
pub(super) fn prepared(
    before: &[Server],
    wanted: &[Server],
) -> Result<Vec<(Server, Pbx)>, Unusable> {
    let (mut fresh, mut wrong) = (Vec::new(), Vec::new());
    for server in wanted.iter().filter(|server| !before.contains(server)) {
        let usable = transport::check(server).and_then(|()| link::model(server));
        match usable {
            Ok(pbx) => fresh.push((server.clone(), pbx)),
            Err(why) => wrong.push(format!("server {}: {why}", server.id)),
        }
    }
    if wrong.is_empty() { Ok(fresh) } else { Err(Unusable(wrong)) }
}

/// The same where nobody can be told but the log: those that can be used begin.
pub(super) fn usable(before: &[Server], wanted: &[Server]) -> Vec<(Server, Pbx)> {
    let mut fresh = Vec::new();
    for server in wanted {
        // The configuration was checked; what is kept can be of an older version.
        match prepared(before, std::slice::from_ref(server)) {
            Ok(one) => fresh.extend(one),
            Err(why) => tracing::error!("{why}"),
        }
    }
    fresh
}
