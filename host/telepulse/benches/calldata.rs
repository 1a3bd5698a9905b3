//! The platform with its call-data cache, as a server that `cargo xtask bench calldata` measures beside the same
//! on Express: `embedded`, or `redis PORT`. It says `ready PORT`, and ends with its standard input.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[allow(dead_code, reason = "the clients are others' here")]
mod support;

use std::{fs, io::stdin, path::Path};
use support::{component, configuration_at, free_port, runtime};
use telepulse::app::App;

/// The same as the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many numbers as the peer has.
const POOL: &str = "[settings.pools]\nDNIS-ANI = [\"5550000-5550999\"]\n";

fn main() {
    // `cargo bench` without `xtask` has nobody to ask: there is nothing to measure then.
    let words: Vec<String> = std::env::args().skip(1).collect();
    let store = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["embedded"] => String::new(),
        ["redis", port] => format!("kind = \"redis\"\nurl = \"redis://127.0.0.1:{port}\"\n"),
        _ => return,
    };
    telepulse::memory::in_small_pages();
    let platform = runtime("platform");
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = configuration_at(folder.path(), free_port(), &store, "");
    install(&folder.path().join("plugins.d"), port);
    let app = platform.block_on(App::start(config)).unwrap();
    println!("ready {port}");
    std::io::copy(&mut stdin(), &mut std::io::sink()).unwrap();
    platform.block_on(app.shutdown());
}

fn install(plugins: &Path, port: u16) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let toml = fs::read_to_string(root.join("plugins/calldata/calldata.toml")).unwrap();
    let grants = toml.split("[settings]").next().unwrap();
    let grants = grants.replace("127.0.0.1:8083", &format!("127.0.0.1:{port}"));
    fs::write(plugins.join("calldata.toml"), format!("{grants}\n{POOL}")).unwrap();
    fs::write(plugins.join("calldata.wasm"), component("telepulse_plugin_calldata")).unwrap();
}
