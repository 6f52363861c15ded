//! argusd as a service of the user: the files that tell a service manager of it, and what makes the
//! manager read them. Only texts; `command/install.rs` writes and runs them.

mod launchd;
mod systemd;

use std::path::{Path, PathBuf};

use argus_client::{Code, Error, Result};
use argus_store::Paths;
use directories::BaseDirs;
use serde::Serialize;

/// Who starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "a system has one of them, or none")]
pub(crate) enum Manager {
    /// Linux. It listens on the socket, and starts argusd when the first client connects.
    Systemd,
    /// macOS. It starts argusd at login, and anew where it crashes.
    Launchd,
}

/// What a service is made of, and how it comes and goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Service {
    pub(crate) files: Vec<File>,
    /// What is run once the files are there, and shows whether there is a service manager at all.
    pub(crate) read: Vec<Vec<String>>,
    /// What is run then.
    pub(crate) install: Vec<Vec<String>>,
    /// What is run before they go.
    pub(crate) before_removal: Vec<Vec<String>>,
    /// What is run after they have gone.
    pub(crate) after_removal: Vec<Vec<String>>,
}

/// A file that a service manager reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What the files have to name, as text that fits on a line.
#[derive(Debug)]
struct Names<'a> {
    /// Of the service.
    service: &'a str,
    daemon: &'a str,
    registry: &'a str,
    socket: &'a str,
}

/// The service that serves a registry.
///
/// # Errors
/// `E_INVALID` for paths that cannot stand in such a file; `E_IO` without a home directory.
pub(crate) fn service(manager: Manager, paths: &Paths, daemon: &Path) -> Result<Service> {
    let home = BaseDirs::new().ok_or_else(|| Error::new(Code::Io, "there is no home directory"))?;
    let socket = paths.socket();
    let usual = home.home_dir().join(".argus").join("registry.json");
    let service = match paths.registry() == usual {
        true => "argusd".to_owned(),
        false => format!("argusd-{}", paths.hash()),
    };
    let names = Names {
        service: &service,
        daemon: line(daemon)?,
        registry: line(paths.registry())?,
        socket: line(&socket)?,
    };
    Ok(match manager {
        Manager::Systemd => systemd::service(&names, &home.config_dir().join("systemd/user")),
        Manager::Launchd => launchd::service(&names, &home.home_dir().join("Library/LaunchAgents")),
    })
}

fn line(path: &Path) -> Result<&str> {
    path.to_str().filter(|text| !text.contains(char::is_control)).ok_or_else(|| {
        let message = format!("the path {} cannot stand in a service's file", path.display());
        Error::new(Code::Invalid, message)
    })
}

fn words(command: &str) -> Vec<String> {
    command.split(' ').map(ToOwned::to_owned).collect()
}
