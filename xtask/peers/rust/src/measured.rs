//! The server that is measured, a process of its own.

use std::{
    error::Error,
    fs,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server has to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Server {
    child: Child,
    /// Until it is to end.
    orders: Option<ChildStdin>,
    port: u16,
    /// Of the process that serves, which may be a child of ours' child.
    pid: u32,
}

impl Server {
    pub fn start(program: &[String]) -> Result<Self, Box<dyn Error>> {
        let [program, words @ ..] = program else { return Err("no program".into()) };
        let mut command = Command::new(program);
        let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(orders), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".into());
        };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        // It may have something else to say first.
        while !line.starts_with("ready ") {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                return Err(format!("{program} ended before it was ready").into());
            }
        }
        thread::spawn(move || io::copy(&mut output, &mut io::stderr()));
        let mut words = line.split_whitespace().skip(1);
        let port = words.next().and_then(|word| word.parse().ok()).ok_or("no port")?;
        let pid = words.next().and_then(|word| word.parse().ok()).unwrap_or(child.id());
        Ok(Self { child, orders: Some(orders), port, pid })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Has events sent.
    pub fn order(&mut self, what: &str) -> io::Result<()> {
        let orders = self.orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        orders.write_all(format!("{what}\n").as_bytes())
    }

    /// What all its threads have computed so far.
    pub fn cpu(&self) -> io::Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            let computed = text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok());
            nanos += computed.unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Bytes of memory that it has now.
    pub fn memory(&self) -> Result<u64, Box<dyn Error>> {
        self.status("VmRSS:")
    }

    /// The most that it had.
    pub fn peak(&self) -> Result<u64, Box<dyn Error>> {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such line")?;
        let kib: u64 = line.split_whitespace().next().ok_or("no number")?.parse()?;
        Ok(kib << 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends, and what it started, when nobody orders any more; who does not is ended.
        drop(self.orders.take());
        let began = Instant::now();
        while began.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
