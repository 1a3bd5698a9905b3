//! A real Redis of a test's own, which keeps nothing on disk.

use crate::config::Redis;
use redis::FromRedisValue;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; killed when dropped.
pub(in crate::store) struct RedisServer {
    pub(super) folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    process: Child,
}

impl RedisServer {
    pub(in crate::store) fn start() -> Self {
        Self::with(TempDir::new().unwrap(), &[])
    }

    /// The same with arguments of its own, in which `PORT` is its port.
    pub(super) fn with(folder: TempDir, arguments: &[&str]) -> Self {
        loop {
            // Below those that the system gives to clients: it is free when we come again.
            let port = rand::random_range(4_000..12_000);
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                continue;
            }
            let own = |argument: &&str| argument.replace("PORT", &port.to_string());
            let arguments: Vec<_> = arguments.iter().map(own).collect();
            let mut process = spawn(&folder, port, &arguments);
            if listens(port, &mut process) {
                return Self { folder, port, arguments, process };
            }
        }
    }

    pub(in crate::store) fn config(&self) -> Redis {
        Redis {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: self.port,
            is_encrypted: false,
            user: None,
            password: None,
            db: 0,
        }
    }

    /// Kills it, with all that it has.
    pub(super) fn kill(&self) {
        kill_process(Pid::from_child(&self.process), Signal::KILL).unwrap();
    }

    /// The same, and waits until it is gone.
    pub(super) fn stop(&mut self) {
        self.kill();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port, empty.
    pub(super) fn start_again(&mut self) {
        self.process.wait().unwrap();
        self.process = spawn(&self.folder, self.port, &self.arguments);
        assert!(listens(self.port, &mut self.process), "its port was taken meanwhile");
    }

    /// Lets it do nothing any more, with its sockets open.
    pub(in crate::store) fn hang(&self) {
        kill_process(Pid::from_child(&self.process), Signal::STOP).unwrap();
    }

    pub(in crate::store) fn go_on(&self) {
        kill_process(Pid::from_child(&self.process), Signal::CONT).unwrap();
    }

    /// Asks it past the store.
    pub(super) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query_async(&mut connection).await.unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &TempDir, port: u16, arguments: &[String]) -> Child {
    let spawned = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(arguments)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn();
    spawned.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            panic!("redis-server is not installed: run `apt-get install redis-server` as root")
        }
        _ => panic!("redis-server does not start: {error}"),
    })
}

/// Waits until it listens; if it ends instead another has its port.
fn listens(port: u16, process: &mut Child) -> bool {
    let started = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        assert!(started.elapsed() < PATIENCE, "redis-server does not listen");
        thread::sleep(Duration::from_millis(10));
    }
    false
}
