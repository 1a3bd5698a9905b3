//! How things stand, for whoever looks: which nodes there are, who has which server, and whether this node may
//! act.

use super::life::Life;
use crate::cluster::{
    NodeState,
    places::Owner,
    view::{NodeView, View},
};
use std::{collections::BTreeMap, sync::Arc};

impl Life<'_> {
    /// Says how things stand, to whoever looks.
    pub(super) fn tell(&mut self, can_act: bool) {
        let mut nodes: BTreeMap<&str, NodeView> =
            self.view.others().map(|(id, record)| (id, NodeView::of(record, false))).collect();
        nodes.insert(&self.me, NodeView::of(&self.view.own_record(), true));
        let mut has_moved = false;
        for (server, place) in self.shared.places.all() {
            let owner = self.view.owner(&server).and_then(|id| nodes.get(id));
            let owner = owner.map(|node| Owner {
                name: node.name.clone(),
                start: node.start.clone(),
                is_self: node.is_self,
            });
            has_moved |= place.owned_by(owner.as_ref());
        }
        // What is gone is of no interest but as long as something names it.
        let nodes = nodes.into_values().filter(|node| node.state != NodeState::Gone).collect();
        let trouble = (!can_act).then(|| {
            "NATS has not confirmed that this node is there: others may take its servers".to_owned()
        });
        self.shared.view.store(Arc::new(View { nodes, trouble }));
        if has_moved {
            self.shared.moved.notify_one();
        }
    }
}
