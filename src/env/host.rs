//! The machine this runs on: the one place that reads its id.

use super::Env;
use std::path::Path;

/// What is known of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its id; `None` where it has none that can be read.
    pub machine: Option<String>,
    /// Whether this is a container, which is made anew with another id at any time.
    pub container: bool,
}

impl Env {
    /// The machine, or the one that a test gave.
    pub fn host(&self) -> Host {
        self.host.clone().unwrap_or_else(real)
    }

    /// The same surroundings on another machine.
    #[must_use]
    pub fn on_host(&self, machine: &str) -> Self {
        let host = Host { machine: Some(machine.to_owned()), container: false };
        Self { host: Some(host), ..self.clone() }
    }
}

fn real() -> Host {
    let read = std::fs::read_to_string("/etc/machine-id").ok();
    let machine = read.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let signs = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"];
    let container = signs.iter().any(|sign| Path::new(sign).exists()) || std::env::var("container").is_ok();
    Host { machine, container }
}
