//! A real NATS of a test's own.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; killed when dropped.
pub(crate) struct NatsServer {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl NatsServer {
    /// One with JetStream, which asks nobody who they are.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// The same with more lines of its configuration.
    pub(crate) fn with(more: &str) -> Self {
        let folder = TempDir::with_prefix("telepulse-nats-").unwrap();
        loop {
            // Below those that the system gives to clients: it is free when we come again.
            let port = rand::random_range(12_000..20_000);
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                continue;
            }
            let configuration = format!(
                "host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: \"{}\" }}\n{more}\n",
                folder.path().join("store").display()
            );
            fs::write(folder.path().join("nats.conf"), configuration).unwrap();
            let mut process = spawn(folder.path());
            if listens(port, &mut process) {
                return Self { folder, port, process };
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::KILL).unwrap();
        self.process.wait().unwrap();
    }

    /// Lets it do nothing any more, with its sockets open.
    pub(crate) fn hang(&self) {
        kill_process(Pid::from_child(&self.process), Signal::STOP).unwrap();
    }

    pub(crate) fn go_on(&self) {
        kill_process(Pid::from_child(&self.process), Signal::CONT).unwrap();
    }

    /// Starts it again on the same port, with what it had on disk.
    pub(crate) fn start_again(&mut self) {
        self.process = spawn(self.folder.path());
        assert!(listens(self.port, &mut self.process), "its port was taken meanwhile");
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let spawned = Command::new("nats-server")
        .args(["-c", "nats.conf"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    spawned.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            panic!("nats-server is not installed: run `apt-get install nats-server` as root")
        }
        _ => panic!("nats-server does not start: {error}"),
    })
}

/// Waits until it listens; if it ends instead another has its port.
fn listens(port: u16, process: &mut Child) -> bool {
    let started = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        assert!(started.elapsed() < PATIENCE, "nats-server does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    false
}
