//! The daemon as a service: how long until it says that it is ready, and its memory idle and after a sweep.

use crate::sides::Sides;
use anyhow::{Context as _, bail, ensure};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing is asked of it for so long before its idle memory is read: what it does by itself at its start is over then.
const IDLE: Duration = Duration::from_secs(15);

/// What was measured.
pub struct Figures {
    /// From the start of the process until it is ready, with a ledger that is there already.
    pub ready: Duration,
    /// Resident memory after [`IDLE`], in MB.
    pub idle: f64,
    /// The most resident memory up to the end of a sweep of all contacts, in MB.
    pub swept: f64,
}

/// Starts the daemon beside simulators with so many contacts, and lets it harvest once.
pub fn measure(contacts: u32) -> anyhow::Result<Figures> {
    let sides = Sides::start(0, contacts)?;
    let folder = Path::new(sides.folder());
    // The first start makes the ledger; only every later one is a start of the service.
    let (_, first) = Daemon::start(folder)?;
    harvest(folder)?;
    first.end()?;
    let (ready, daemon) = Daemon::start(folder)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "no runtime runs here, and nothing else is to run meanwhile"
    )]
    std::thread::sleep(IDLE);
    let idle = daemon.memory("VmRSS:")?;
    harvest(folder)?;
    let swept = daemon.memory("VmHWM:")?;
    daemon.end()?;
    Ok(Figures { ready, idle, swept })
}

fn harvest(folder: &Path) -> anyhow::Result<()> {
    let harvest = verb(folder, &["sync", "harvest"]).stdout(Stdio::null()).status()?;
    ensure!(harvest.success(), "the harvest ended with {harvest}");
    Ok(())
}

struct Daemon(Child);

impl Daemon {
    fn start(folder: &Path) -> anyhow::Result<(Duration, Self)> {
        let path = folder.join("notify");
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        let began = Instant::now();
        let log = std::fs::File::create(folder.join("daemon.log"))?;
        let daemon = Self(
            verb(folder, &["run"])
                .env("NOTIFY_SOCKET", &path)
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()?,
        );
        let mut words = [0; 4096];
        loop {
            let length = socket.recv(&mut words).context("the daemon does not get ready")?;
            if words[..length].split(|byte| *byte == b'\n').any(|word| word == b"READY=1") {
                return Ok((began.elapsed(), daemon));
            }
        }
    }

    /// A line of the kernel's account of the process, in MB.
    fn memory(&self, name: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("this is Linux")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes / 1024.0)
    }

    /// As the service manager ends it.
    fn end(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.0.id().to_string()).status()?;
        let ended = self.0.wait()?;
        if !ended.success() {
            bail!("the daemon ended with {ended}");
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Ended already, as a rule: then there is nothing to kill.
        if let Ok(None) = self.0.try_wait()
            && let Err(error) = self.0.kill().and_then(|()| self.0.wait())
        {
            eprintln!("bench: the daemon does not end: {error}");
        }
    }
}

fn verb(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialbridge"));
    // As the unit says it.
    command.env("MALLOC_ARENA_MAX", "2");
    command.args(arguments).arg("--config").arg(folder.join("dialbridge.toml"));
    command
}
