//! Which node should have a server: the same answer everywhere, without a word between them.

use sha2::{Digest as _, Sha256};

/// The node of the highest rank for a server (rendezvous hashing): when one comes or goes, only what it
/// gets or had moves.
pub(super) fn first<'n>(server: &str, nodes: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    nodes.max_by_key(|node| (weight(server, node), *node))
}

fn weight(server: &str, node: &str) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(server);
    // No id has it: what stands before and after cannot be mixed up.
    hash.update([0]);
    hash.update(node);
    let mut weight = [0; 8];
    weight.copy_from_slice(&hash.finalize()[..8]);
    weight
}

#[cfg(test)]
mod tests {
    use super::first;
    use std::collections::BTreeMap;

    #[test]
    fn each_gets_its_part_and_keeps_it_when_others_come() {
        let of = |nodes: &[&'static str]| -> BTreeMap<u32, &'static str> {
            let first = |id| first(&format!("pbx{id}"), nodes.iter().copied()).unwrap();
            (0..3_000).map(|id| (id, first(id))).collect()
        };
        let (three, four) = (of(&["a", "b", "c"]), of(&["a", "b", "c", "d"]));
        for node in ["a", "b", "c"] {
            let part = three.values().filter(|owner| **owner == node).count();
            assert!((850..1_150).contains(&part), "{node}: {part}");
        }
        let moved = three.iter().filter(|(id, owner)| four[id] != **owner);
        assert!(moved.clone().all(|(id, _)| four[id] == "d"));
        assert!((600..900).contains(&moved.count()));
        assert_eq!(first("pbx1", std::iter::empty()), None);
    }
}
