//! The packaged host, started nearly as its unit would: no root, no capability, no way to get any, a
//! network of its own, and a service manager that hears it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::chroot::Chroot;

/// Where it tells how it is, in the system.
const SOCKET: &str = "/run/telepulse-notify";
/// How long it may take to say something: the first start compiles the plugins, slowly in a debug build.
const PATIENCE: Duration = Duration::from_mins(6);
/// What it thinks its manager's patience is.
const WATCHDOG: Duration = Duration::from_secs(4);
/// In namespaces of its own: /proc as systemd would have it, and the loopback.
const AROUND: &str = r#"root=$1; shift
mount -t proc proc "$root/proc" && ip link set lo up && exec chroot "$root" "$@""#;
const NOBODY: &str = "65534";

/// It runs, until it is stopped or dropped.
pub(crate) struct Service {
    program: Child,
    manager: UnixDatagram,
}

impl Service {
    /// Starts it with its data in a folder of the system.
    pub(crate) fn start(system: &Chroot, state: &str) -> Result<Self> {
        let socket = system.path(SOCKET);
        if socket.exists() {
            fs::remove_file(&socket).with_context(|| socket.display().to_string())?;
        }
        let manager = UnixDatagram::bind(&socket).with_context(|| socket.display().to_string())?;
        manager.set_read_timeout(Some(PATIENCE))?;
        fs::set_permissions(&socket, Permissions::from_mode(0o666))?;
        system.run(&["chown", "--recursive", &format!("{NOBODY}:{NOBODY}"), state])?;
        let mut program = Command::new("unshare");
        program.args(["--mount", "--net", "sh", "-euc", AROUND, "sh"]).arg(system.path("/"));
        program.args(["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
        program.args(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]);
        program.args(["telepulse", "run", "--config", "/etc/telepulse/telepulse.toml"]);
        program.env("NOTIFY_SOCKET", SOCKET).env_remove("WATCHDOG_PID");
        program.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        program.env("TELEPULSE_LOG__LEVEL", "warn").stdin(Stdio::null());
        let program = program.spawn().context("unshare did not start")?;
        Ok(Self { program, manager })
    }

    /// Waits until it tells this.
    pub(crate) fn hears(&self, wanted: &str) -> Result<()> {
        let (since, mut told) = (Instant::now(), [0; 4096]);
        while since.elapsed() < PATIENCE {
            let length = self.manager.recv(&mut told).with_context(|| {
                format!("the service did not tell {wanted}; what it logged is above")
            })?;
            if String::from_utf8_lossy(&told[..length]).lines().any(|line| line == wanted) {
                eprintln!("    it told {wanted} after {:.1} s", since.elapsed().as_secs_f64());
                return Ok(());
            }
        }
        bail!("the service told other things than {wanted}");
    }

    /// What its admin API answers.
    pub(crate) fn answer(&self, path: &str) -> Result<String> {
        let mut ask = Command::new("nsenter");
        ask.args(["--net", "--target", &self.program.id().to_string(), "curl", "--silent"]);
        let said = ask.arg("--fail-with-body").arg(format!("http://127.0.0.1:8082{path}")).output();
        let said = said.context("nsenter did not start")?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        ensure!(said.status.success(), "GET {path}: {text}");
        Ok(text)
    }

    /// Asks it to stop; it has to say so, and end well.
    pub(crate) fn stop(mut self) -> Result<()> {
        let id = self.program.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().context("kill did not start")?;
        self.hears("STOPPING=1")?;
        let status = self.program.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
