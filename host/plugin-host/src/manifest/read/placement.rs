//! `[placement]`: on how many nodes a plugin runs, and whether its grants allow for that.

use super::Reader;
use crate::{manifest::Manifest, ports::Run};
use toml::de::DeTable;

impl Reader<'_> {
    pub(super) fn placement(&mut self, table: &DeTable<'_>) -> Run {
        let mut run = Run::default();
        for (key, value) in table {
            let name = format!("placement.{}", key.get_ref());
            if key.get_ref() != "run" {
                self.mistake(key.span(), &name, "unknown; there is run");
                continue;
            }
            match value.get_ref().as_str() {
                Some("everyNode") => run = Run::EveryNode,
                Some("oneNode") => run = Run::OneNode,
                Some("shards") => run = Run::Shards,
                _ => {
                    let message = "must be \"everyNode\", \"oneNode\" or \"shards\"";
                    self.mistake(value.span(), &name, message);
                }
            }
        }
        run
    }

    /// Not every plugin can be on one node, or divide its events.
    pub(super) fn fits(&mut self, table: &DeTable<'_>, manifest: &Manifest) {
        let needs = manifest.needs();
        let message = match needs.run {
            Run::OneNode | Run::Shards if needs.decides => {
                "each core asks the plugins of its own node, so what decides on commands or carries \
                 them out (grants.policy, grants.serve) runs on every node: remove [placement], or \
                 those grants"
            }
            Run::Shards if !manifest.grants.websocket.is_empty() => {
                "what has connections (grants.websocket) needs all events: write \"oneNode\", or \
                 remove [placement]"
            }
            _ => return,
        };
        let section = table.iter().find(|(key, _)| key.get_ref() == "placement");
        let table = section.and_then(|(_, value)| value.get_ref().as_table());
        let run = table.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == "run"));
        let at = run.map(|(key, _)| key.span()).unwrap_or_default();
        self.mistake(at, "placement.run", message);
    }
}

#[cfg(test)]
mod tests {
    use crate::{manifest::Manifest, ports::Run};

    #[test]
    fn a_placement_is_one_of_three_and_fits_the_grants() {
        let parse = |run: &str, grants: &str| {
            Manifest::parse(&format!("[grants]\n{grants}\n[placement]\n{run}"))
        };
        for (word, run) in
            [("everyNode", Run::EveryNode), ("oneNode", Run::OneNode), ("shards", Run::Shards)]
        {
            let manifest = parse(&format!("run = \"{word}\""), "").unwrap();
            assert_eq!((manifest.run, manifest.needs().run), (run, run));
        }
        let socket = "websocket = [{ listen = \"127.0.0.1:8084\", path = \"/\" }]";
        let policy = "policy = { commands = [\"dial\"] }";
        for (run, grants, why) in [
            ("run = \"twice\"", "", "\"everyNode\""),
            ("run = 1", "", "\"everyNode\""),
            ("nodes = 1", "", "unknown; there is run"),
            ("run = \"oneNode\"", policy, "runs on every node"),
            ("run = \"shards\"", "serve = [\"note\"]", "runs on every node"),
            ("run = \"shards\"", socket, "\"oneNode\""),
        ] {
            let mistakes = parse(run, grants).unwrap_err();
            assert_eq!((mistakes.len(), mistakes[0].line), (1, 4), "{run}: {mistakes:?}");
            assert!(mistakes[0].message.contains(why), "{run}: {}", mistakes[0]);
            assert!(mistakes[0].key.starts_with("placement."), "{}", mistakes[0]);
        }
        parse("run = \"oneNode\"", socket).unwrap();
        parse("run = \"everyNode\"", policy).unwrap();
    }
}
