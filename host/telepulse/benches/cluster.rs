//! Nodes that `cargo xtask bench cluster` measures, each with its WebSocket gateway; they say `ready PORT` and
//! end with their standard input.
//!
//! - `near PORT`: one alone; events come from a manager interface at that port.
//! - `node NAME SERVER NATS PORT`: one of several on a NATS, given by its port, with a server of its own.
//! - `far NATS PORT`: two on a NATS. The one has the server, the other the clients.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[allow(dead_code, reason = "the clients are others' here")]
mod support;

use std::{
    env,
    io::{BufRead as _, BufReader, stdin},
    process::{Child, Command, Stdio},
};
use support::{configuration_with, free_port, runtime};
use telepulse::app::App;

/// The same as the program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A node that has no servers.
const NO_PROXY: &str = "roles = [\"core\", \"gateway\", \"plugins\"]\n";

fn main() {
    // `cargo bench` without `xtask` says nothing: there is nothing to measure then.
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["near", port] => serve(&server("pbx1", port)),
        ["node", name, id, nats, port] => serve(&(on_nats(name, nats, "") + &server(id, port))),
        ["far", nats, port] => {
            let mut owner = owner(nats, port);
            serve(&(on_nats("gateway", nats, NO_PROXY) + &server("pbx1", port)));
            // It ends with its standard input.
            drop(owner.stdin.take());
            owner.wait().unwrap();
        }
        _ => {}
    }
}

fn server(id: &str, port: &str) -> String {
    format!(
        "[[server]]\nid = \"{id}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         username = \"u\"\nsecret = \"s\"\n"
    )
}

fn on_nats(name: &str, nats: &str, roles: &str) -> String {
    format!(
        "[node]\nname = \"{name}\"\n{roles}\
         [bus]\nkind = \"nats\"\nurl = \"nats://127.0.0.1:{nats}\"\n"
    )
}

/// The other node, in a process of its own, once it is ready.
fn owner(nats: &str, port: &str) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["node", "owner", "pbx1", nats, port]);
    let mut owner = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("ready "), "{said}");
    owner
}

/// Until nobody is there any more.
fn serve(more: &str) {
    telepulse::memory::in_small_pages();
    let platform = runtime("platform");
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = configuration_with(folder.path(), port, more);
    let app = platform.block_on(App::start(config)).unwrap();
    println!("ready {port}");
    stdin().lines().map_while(Result::ok).for_each(drop);
    platform.block_on(app.shutdown());
}
