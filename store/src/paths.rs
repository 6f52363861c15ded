//! Where everything of a registry is.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{StoreError, StoreResult};
use crate::platform;

/// The registry that is meant: what was asked for, else `ARGUS_REGISTRY_PATH`, else
/// `ARGUS_HOME/registry.json`, else `~/.argus/registry.json`. An empty variable counts as none.
pub fn locate_registry(asked: Option<&Path>) -> StoreResult<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = asked {
        return Ok(path.to_owned());
    }
    if let Some(path) = variable("ARGUS_REGISTRY_PATH") {
        return Ok(path);
    }
    let home = match variable("ARGUS_HOME") {
        Some(home) => home,
        None => directories::BaseDirs::new()
            .map(|dirs| dirs.home_dir().join(".argus"))
            .ok_or_else(|| StoreError::Permission {
                path: PathBuf::from("~/.argus"),
                problem: "cannot be found: this user has no home directory; set ARGUS_HOME".into(),
            })?,
    };
    Ok(home.join("registry.json"))
}

/// The paths of one registry file and of what belongs to it.
///
/// They follow from the canonical path of the file, so that every spelling of it leads to the
/// same locks and the same daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    registry: PathBuf,
}

impl Paths {
    /// Of the file at `path`, which need not exist.
    pub fn new(path: &Path) -> StoreResult<Self> {
        let path = std::path::absolute(path).map_err(StoreError::io("find", path))?;
        let Some(name) = path.file_name() else {
            return Err(StoreError::Io {
                operation: "use",
                path,
                source: std::io::Error::from(std::io::ErrorKind::IsADirectory),
            });
        };
        platform::check_file_name(name).map_err(StoreError::io("use", &path))?;
        Ok(Paths { registry: canonical(&path) })
    }

    /// The file of another collection, which is served with this registry: in the same folder.
    pub fn beside_registry(&self, file: Option<&str>) -> StoreResult<Self> {
        match file {
            Some(file) => Paths::new(&self.parent().join(file)),
            None => Ok(self.clone()),
        }
    }

    /// The file itself.
    pub fn registry(&self) -> &Path {
        &self.registry
    }

    /// The folder that the file stands in.
    pub fn parent(&self) -> &Path {
        // `new` has seen a file name.
        self.registry.parent().unwrap_or(Path::new("/"))
    }

    /// The lockfile that other programs know.
    pub fn lockfile(&self) -> PathBuf {
        self.beside(".lock")
    }

    /// The folder of what belongs to the file: locks, socket, log.
    pub fn folder(&self) -> PathBuf {
        self.beside(".d")
    }

    /// The file as it was before the last write.
    pub fn last_good(&self) -> PathBuf {
        self.folder().join("last-good.json")
    }

    /// Where each record has a file of its own, in a collection that is kept so.
    pub fn records(&self) -> PathBuf {
        self.folder().join("records")
    }

    /// What the whole file is worth beside those.
    pub(crate) fn aggregate(&self) -> PathBuf {
        self.folder().join("aggregate.json")
    }

    /// Where the daemon says how to reach it.
    pub fn endpoint(&self) -> PathBuf {
        self.folder().join("endpoint.json")
    }

    /// The daemon's log.
    pub fn log(&self) -> PathBuf {
        self.folder().join("argusd.log")
    }

    /// The socket on which the daemon of this registry listens: in the folder, or, where that
    /// path is longer than a socket's may be, a short one in a folder of the user's own.
    pub fn socket(&self) -> PathBuf {
        platform::socket_path(&self.folder().join("argusd.sock"), &self.hash())
    }

    /// The folder that the socket needs beside that of the registry; `None` where it needs none.
    pub fn socket_folder(&self) -> Option<PathBuf> {
        let socket = self.socket();
        let folder = platform::socket_folder(&socket)?;
        (folder != self.folder()).then(|| folder.to_owned())
    }

    /// A short name for this registry: the same for every process, different for every file.
    pub fn hash(&self) -> String {
        let digest = Sha256::digest(self.registry.as_os_str().as_encoded_bytes());
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name: OsString = self.registry.clone().into_os_string();
        name.push(suffix);
        PathBuf::from(name)
    }
}

/// As many links as Linux follows before it takes them for a loop.
const LINKS_MAX: usize = 40;

/// Resolves links as far as the path exists, and keeps the rest.
fn canonical(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if let Ok(path) = dunce::canonicalize(&path) {
            return path;
        }
        // A link to a file that is still to come leads to that file's folder.
        let (Ok(target), Some(parent)) = (fs::read_link(&path), path.parent()) else { break };
        path = parent.join(target);
    }
    canonical_parent(&path)
}

fn canonical_parent(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => {
            dunce::canonicalize(parent).unwrap_or_else(|_| canonical_parent(parent)).join(name)
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
#[path = "platform/paths_tests.rs"]
mod platform_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_socket_is_never_too_long_and_never_shared() {
        let deep = |name: &str| {
            Paths::new(&PathBuf::from(format!("/{}/{name}.json", "x".repeat(120)))).expect("a path")
        };
        assert!(deep("a").socket().as_os_str().len() < 100);
        assert_ne!(deep("a").socket(), deep("b").socket());
    }
}
