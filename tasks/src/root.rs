//! A source's folder, and opening what is below it without ever leaving it.
//!
//! 1. Whatever is opened lies below the folder at that very moment; no check is made that a swapped link
//!    could outrun.
//! 2. Links may be followed as long as they stay below it, absolute ones too.
//! 3. Only regular files are read. Opening waits for nobody: not for the writer of a pipe.
//!
//! Paths are relative to the folder, of plain names with `/` between them; `""` is the folder itself.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{self, Handle, Stamp};

/// The opened folder of a source.
pub(crate) struct Root {
    path: PathBuf,
    handle: Handle,
    identity: platform::Identity,
}

/// Why something was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// A link leads out of the source.
    #[error("it is, or lies behind, a link that leads out of the source; argus does not follow it")]
    Escapes,
    /// There is nothing.
    #[error("it is not there")]
    Gone,
    /// It is neither file nor folder, or not what it was taken for.
    #[error("it is no regular file")]
    NoFile,
    /// It is no folder.
    #[error("it is no folder")]
    NoFolder,
    /// The system says no.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

impl Refused {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Refused::Escapes => "SYMLINK_ESCAPES",
            _ => "UNREADABLE",
        }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Refused::Gone,
            _ => Refused::Io(error),
        }
    }
}

/// One entry of a folder.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its name; `Err` has what can be shown of one that is no Unicode.
    pub(crate) name: Result<String, String>,
    pub(crate) kind: Kind,
}

/// What something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    File(Stamp),
    Folder(platform::Identity),
    Link,
    Other,
}

impl Root {
    /// Opens the folder of a source. A link to it is followed: whoever named it meant it.
    pub(crate) fn open(folder: &Path) -> io::Result<Root> {
        let path = folder.canonicalize()?;
        let handle = Handle::open(&path)?;
        let identity = handle.identity()?;
        Ok(Root { path, handle, identity })
    }

    /// Where it is, without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path of the source still leads here.
    pub(crate) fn is_still(&self, folder: &Path) -> bool {
        platform::Identity::at(folder).is_ok_and(|identity| identity == self.identity)
    }

    /// Opens a regular file.
    pub(crate) fn file(&self, relative: &str) -> Result<(File, Stamp), Refused> {
        let file = self.open_any(relative)?;
        match kind(&file)? {
            Kind::File(stamp) => Ok((file, stamp)),
            _ => Err(Refused::NoFile),
        }
    }

    /// Opens a folder.
    pub(crate) fn folder(&self, relative: &str) -> Result<(File, platform::Identity), Refused> {
        let file = self.open_any(relative)?;
        match kind(&file)? {
            Kind::Folder(identity) => Ok((file, identity)),
            _ => Err(Refused::NoFolder),
        }
    }

    /// What is behind a link.
    pub(crate) fn behind_link(&self, relative: &str) -> Result<Kind, Refused> {
        kind(&self.open_any(relative)?)
    }

    /// The entries of an opened folder, at most `most` and one more.
    pub(crate) fn entries(
        &self,
        folder: &File,
        relative: &str,
        most: usize,
    ) -> Result<Vec<Entry>, Refused> {
        Ok(platform::entries(folder, &self.path.join(relative), most)?)
    }

    fn open_any(&self, relative: &str) -> Result<File, Refused> {
        self.handle.open_beneath(&self.path, relative)
    }
}

fn kind(file: &File) -> Result<Kind, Refused> {
    let metadata = file.metadata()?;
    Ok(if metadata.is_file() {
        Kind::File(Stamp::of(&metadata, platform::Identity::of(file)?))
    } else if metadata.is_dir() {
        Kind::Folder(platform::Identity::of(file)?)
    } else {
        Kind::Other
    })
}
