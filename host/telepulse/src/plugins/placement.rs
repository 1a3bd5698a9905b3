//! Where plugins run: by the roles of this node, and where the nodes have to agree, by what they did.

use crate::{cluster::Cluster, config::NodeRole};
use plugin_host::ports::{Needs, Placement, Run, Seat, Settled, Where};
use std::collections::BTreeSet;

/// This node among the others, as plugins see it.
pub(crate) struct Nodes {
    roles: BTreeSet<NodeRole>,
    cluster: Cluster,
}

impl Nodes {
    pub(crate) fn new(roles: BTreeSet<NodeRole>, cluster: Cluster) -> Self {
        Self { roles, cluster }
    }
}

impl Placement for Nodes {
    fn seek(&self, plugin: &str, needs: Needs) -> Box<dyn Seat> {
        if let Some(why) = lacking(needs, &self.roles) {
            return Box::new(Settled::new(Where::Elsewhere { why: why.into(), at_once: false }));
        }
        match (needs.run, self.cluster.seats()) {
            (Run::EveryNode, _) | (_, None) => Box::new(Settled::new(Where::Here)),
            (run, Some(seats)) => seats.take(plugin, run),
        }
    }
}

/// Why a node with these roles does not run a plugin; `None`: it does. A plugin is whole, so one role of
/// several is enough.
fn lacking(needs: Needs, roles: &BTreeSet<NodeRole>) -> Option<String> {
    let listens = needs.listens.then_some(("it listens", NodeRole::Gateway));
    let decides =
        needs.decides.then_some(("it decides on commands or carries them out", NodeRole::Core));
    let mut wanted: Vec<_> = listens.into_iter().chain(decides).collect();
    if wanted.is_empty() {
        wanted.push(("it neither listens nor decides on commands", NodeRole::Plugins));
    }
    if wanted.iter().any(|(_, role)| roles.contains(role)) {
        return None;
    }
    let each = wanted.iter().map(|(why, role)| format!("{why} (role {})", role.word()));
    let has: Vec<&str> = roles.iter().map(|role| role.word()).collect();
    let each: Vec<String> = each.collect();
    Some(format!("{}: this node has the roles {}", each.join(" and "), has.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_role_and_one_of_several_is_enough() {
        use NodeRole::{Core, Gateway, Plugins, Proxy};
        for (listens, decides, roles, is_here) in [
            (true, false, &[Gateway][..], true),
            (true, false, &[Core, Plugins, Proxy], false),
            (false, true, &[Core], true),
            (false, true, &[Gateway, Plugins, Proxy], false),
            (true, true, &[Core], true),
            (true, true, &[Gateway], true),
            (true, true, &[Plugins, Proxy], false),
            (false, false, &[Plugins], true),
            (false, false, &[Proxy, Core, Gateway], false),
            (true, true, &NodeRole::ALL, true),
            (false, false, &NodeRole::ALL, true),
        ] {
            let needs = Needs { listens, decides, run: Run::EveryNode };
            let roles = roles.iter().copied().collect();
            assert_eq!(lacking(needs, &roles).is_none(), is_here, "{needs:?} on {roles:?}");
        }
    }

    #[test]
    fn it_is_said_what_is_missing() {
        let needs = Needs { listens: true, decides: false, run: Run::OneNode };
        let roles = [NodeRole::Proxy, NodeRole::Core].into();
        let why = lacking(needs, &roles).unwrap();
        assert_eq!(why, "it listens (role gateway): this node has the roles proxy, core");
    }

    #[test]
    fn a_node_that_is_alone_runs_all() {
        let nodes = Nodes::new(NodeRole::ALL.into(), Cluster::alone());
        for run in [Run::EveryNode, Run::OneNode, Run::Shards] {
            let seat = nodes.seek("crm", Needs { run, ..Needs::default() });
            assert!(matches!(*seat.place().borrow(), Where::Here) && seat.begin().is_some());
        }
    }
}
