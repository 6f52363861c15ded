//! What can go wrong with the file, and how a person is told.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argus_proto::document::Unreadable;
use argus_proto::error::{Code, Error};
use argus_proto::limits::FILE_BYTES_MAX;

use crate::platform;

/// The result of anything that touches the disk.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why the disk did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds a lock, and the wait has run out.
    #[error("{} is held by {holder}{}", path.display(), age_text(*age))]
    Locked {
        /// The lock.
        path: PathBuf,
        /// Who holds it, as far as that can be told.
        holder: String,
        /// How long it has been held, as far as that can be told.
        age: Option<Duration>,
    },
    /// Another program has the file open, and the wait has run out: on Windows it cannot be replaced then.
    #[error("cannot replace {}: another program has it open", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a registry, or one from the future.
    #[error("cannot use {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Unreadable,
    },
    /// The file is damaged, and a daemon that serves it knows best what it held.
    #[error(
        "{} is damaged: {source}; argusd (process {owner}) has what it held and mends it",
        path.display()
    )]
    OwnersToMend {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        source: Unreadable,
        /// The daemon.
        owner: u32,
    },
    /// The file is damaged and could not be copied away, so it is not overwritten.
    #[error(
        "{} is damaged and cannot be set aside in {}: {source}; nothing was changed",
        path.display(),
        quarantine.display()
    )]
    NotSetAside {
        /// The damaged file.
        path: PathBuf,
        /// Where the copy was to go.
        quarantine: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file would be larger than any argus reads.
    #[error(
        "{} would have {bytes} bytes; at most {FILE_BYTES_MAX} are allowed; nothing was changed",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How many bytes it would have.
        bytes: usize,
    },
    /// Something may not be used, or is a link where none may be.
    #[error("{} {problem}", path.display())]
    Permission {
        /// What it is about.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Something belongs to another user.
    #[error("{} belongs to user {owner}, not to you (user {own})", path.display())]
    Foreign {
        /// What it is about.
        path: PathBuf,
        /// Whose it is, as the system numbers its users.
        owner: String,
        /// Who asks.
        own: String,
    },
    /// The permissions do not allow it; nothing was changed.
    #[error("may not {operation} {}: {source}", path.display())]
    Denied {
        /// What was tried, as in "may not … PATH".
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system refused; nothing was changed.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "cannot … PATH".
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The change may have become visible, but not durable.
    #[error(
        "cannot {operation} {}: {source}; the change may or may not last",
        path.display()
    )]
    OutcomeUnknown {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// For use in `map_err` where a file was to be replaced.
    pub(crate) fn replacing(path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |source| match platform::is_in_use(&source) {
            true => StoreError::InUse { path },
            false => StoreError::io("rename a temporary file to", &path)(source),
        }
    }

    /// For use in `map_err`: what was tried, on what.
    pub fn io(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::PermissionDenied => StoreError::Denied { operation, path, source },
            _ => StoreError::Io { operation, path, source },
        }
    }

    /// Whether it is what the file holds that is wrong, and not one attempt to change it.
    pub fn is_about_content(&self) -> bool {
        matches!(self, StoreError::Unreadable { .. } | StoreError::NotSetAside { .. })
    }

    /// The code that a client sees.
    pub fn code(&self) -> Code {
        match self {
            StoreError::Locked { .. } | StoreError::InUse { .. } => Code::Locked,
            StoreError::Unreadable { source, .. } => source.code(),
            StoreError::OwnersToMend { .. } | StoreError::NotSetAside { .. } => Code::Corrupt,
            StoreError::TooLarge { .. } => Code::TooLarge,
            StoreError::Permission { .. }
            | StoreError::Foreign { .. }
            | StoreError::Denied { .. } => Code::Permission,
            StoreError::Io { .. } => Code::Io,
            StoreError::OutcomeUnknown { .. } => Code::OutcomeUnknown,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unreadable { path, source } => source.at(&path.to_string_lossy()),
            StoreError::TooLarge { path, .. } => Error::new(Code::TooLarge, error.to_string())
                .hint("argus prune")
                .details(serde_json::json!({ "path": path.to_string_lossy() })),
            StoreError::Locked { path, holder, age } => Error::new(Code::Locked, error.to_string())
                .hint("try again once it is released; reading goes on meanwhile: argus ls")
                .details(serde_json::json!({
                    "path": path.to_string_lossy(), "holder": holder, "ageMs": age.map(|age| age.as_millis() as u64),
                })),
            StoreError::InUse { path } => Error::new(Code::Locked, error.to_string())
                .hint("try again once that has closed it; reading goes on meanwhile: argus ls")
                .details(serde_json::json!({ "path": path.to_string_lossy() })),
            StoreError::OwnersToMend { path, .. } => Error::new(Code::Corrupt, error.to_string())
                .hint("try again in a moment; if that does not help: argus doctor")
                .details(serde_json::json!({ "path": path.to_string_lossy() })),
            StoreError::NotSetAside { path, quarantine, .. } => {
                Error::new(Code::Corrupt, error.to_string())
                    .hint(format!("make room: {}", platform::see_room(quarantine)))
                    .details(serde_json::json!({ "path": path.to_string_lossy() }))
            }
            StoreError::Permission { path, .. }
            | StoreError::Foreign { path, .. }
            | StoreError::Denied { path, .. } => {
                // What was not to be made is not there; then it is its folder that does not allow it.
                let there = path.ancestors().find(|path| path.symlink_metadata().is_ok());
                Error::new(Code::Permission, error.to_string())
                    .hint(format!("look at it: {}", platform::look_at(there.unwrap_or(path))))
                    .details(serde_json::json!({ "path": path.to_string_lossy() }))
            }
            StoreError::Io { path, source, .. } => {
                let hint = match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        format!("make room: {}", platform::see_room(path))
                    }
                    _ if platform::is_out_of_descriptors(source) => {
                        platform::OPEN_MORE_FILES.to_owned()
                    }
                    _ => format!("look at it: {}", platform::look_at(path)),
                };
                Error::new(Code::Io, error.to_string())
                    .hint(hint)
                    .details(serde_json::json!({ "path": path.to_string_lossy() }))
            }
            StoreError::OutcomeUnknown { path, .. } => {
                Error::new(Code::OutcomeUnknown, error.to_string())
                    .hint("read again before going on: argus ls")
                    .details(serde_json::json!({ "path": path.to_string_lossy() }))
            }
        }
    }
}

fn age_text(age: Option<Duration>) -> String {
    age.map_or_else(String::new, |age| format!(" for {:.1} s", age.as_secs_f64()))
}
