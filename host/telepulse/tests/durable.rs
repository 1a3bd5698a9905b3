//! What a plugin has not done yet is on disk: the host is killed, and the plugin gets it from the next.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use ami_simulator::{Settings, Simulator};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);
const SUBSCRIBED: &str = "[grants]\nsubscribe = ['telepulse.event']\ndurable = true\n";

/// A host that can be killed, and started again on the same folder.
struct Host {
    folder: TempDir,
    admin: u16,
    child: Option<Child>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Host {
    fn new(asterisk: u16) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("plugins.d")).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let admin = free.local_addr().unwrap().port();
        let config = format!(
            "[admin]\nlisten = '127.0.0.1:{admin}'\n[store]\npath = 'data'\n\
             [[server]]\nid = 'pbx1'\nhost = '127.0.0.1'\nport = {asterisk}\n\
             username = 'telepulse'\nsecret = 'simulated'\n"
        );
        fs::write(folder.path().join("x.toml"), config).unwrap();
        Self { folder, admin, child: None }
    }

    fn put(&self, file: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join("plugins.d").join(file), bytes).unwrap();
    }

    fn start(&mut self) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_telepulse"))
            .args(["run", "--config", "x.toml"])
            .current_dir(self.folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(log.by_ref().any(|line| line.unwrap().contains("running config=x.toml")));
        thread::spawn(move || log.for_each(drop));
        self.child = Some(child);
    }

    /// SIGKILL: nothing more is written.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What is told of the plugin, once it is as wanted.
    fn ledger(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let told = Command::new(env!("CARGO_BIN_EXE_telepulse"))
                .args(["plugins", "show", "ledger", "--json"])
                .args(["--admin", &format!("http://127.0.0.1:{}", self.admin)])
                .output()
                .unwrap();
            let status: Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
            if wanted(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{status:#} {told:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_has_not_done_survives_a_kill_of_the_host() {
    let settings = Settings::demo(20, 2, 600);
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let simulator = Simulator::start(settings, 1, listen).await.unwrap();
    let mut host = Host::new(simulator.address().port());
    let guests =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/wasm32-wasip2/plugin");
    // It lacks a grant, and waits; its messages are kept meanwhile.
    host.put("ledger.toml", SUBSCRIBED.as_bytes());
    host.put("ledger.wasm", &fs::read(guests.join("counter.wasm")).unwrap());
    tokio::task::spawn_blocking(move || {
        host.start();
        let queued = |status: &Value| status["figures"]["queued"].as_u64().unwrap_or_default();
        let seen = queued(&host.ledger(|status| queued(status) >= 100));
        thread::sleep(Duration::from_millis(200));
        host.kill();

        let granted = format!("{SUBSCRIBED}publish = ['test.out', 'test.log']\n");
        host.put("ledger.toml", granted.as_bytes());
        // Nothing new happens: what it gets now was kept.
        drop(simulator);
        host.start();
        let handled = |status: &Value| status["figures"]["handled"].as_u64().unwrap_or_default();
        let status = host.ledger(|status| handled(status) >= seen);
        assert_eq!(
            (&status["state"], &status["figures"]["dropped"]),
            (&"running".into(), &0.into())
        );
        host.ledger(|status| queued(status) == 0);
    })
    .await
    .unwrap();
}
