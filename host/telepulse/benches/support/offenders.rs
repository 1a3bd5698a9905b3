//! Plugins that do what a neighbour should not.
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use super::components::component;
use std::{fs, path::Path, sync::Arc, time::Duration};
use telepulse::bus::{Address, Bus};

/// What the neighbours do over and over, with the words of `tests/guests/villain`; those that trap are
/// given up after some time, and there are more of them.
pub(crate) const OFFENCES: [(&str, &str); 8] = [
    ("busy-1", "busy 45"),
    ("busy-2", "busy 45"),
    ("memory", "use-memory"),
    ("flood", "log"),
    ("labels", "labels"),
    ("trap-1", "trap"),
    ("trap-2", "spin"),
    ("waiting", "fetch"),
];

/// Puts the neighbours into the folder.
pub(crate) fn install(folder: &Path, port: u16, silent: u16) {
    let villain = component("villain");
    for (name, _) in OFFENCES {
        let grants = format!(
            "[grants]\nsubscribe = [\"test.in.{name}\"]\npublish = [\"test.out.{name}\"]\n\
             request = [\"test.void\"]\nkv = \"1 KiB\"\nhttp = [\"http://127.0.0.1:{silent}\"]\n\
             websocket = [{{ listen = \"127.0.0.1:{port}\", path = \"/{name}\" }}]\n\
             [settings]\nout = \"test.out.{name}\"\n"
        );
        let plugins = folder.join("plugins.d");
        fs::write(plugins.join(format!("{name}.toml")), grants).unwrap();
        fs::write(plugins.join(format!("{name}.wasm")), &villain).unwrap();
    }
}

/// Tells them, again and again.
pub(crate) async fn offend(bus: Arc<dyn Bus>, silent: String) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        for (name, offence) in OFFENCES {
            let address = Address::parse(&format!("test.in.{name}")).unwrap();
            let offence = match offence {
                "fetch" => format!("fetch {silent}"),
                other => other.to_owned(),
            };
            bus.publish(&address, None, offence.into());
        }
    }
}
