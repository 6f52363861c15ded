//! Windows: what is opened is judged before and after, by paths in Windows' own notation, for which no name
//! is reserved and no path too long.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Identity, Stamp, checked};
use crate::root::{Entry, Kind, Refused};

/// Lets a folder be opened at all.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// A link is opened itself.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
/// Enough to look at a file, also at one that nobody may read.
const FILE_READ_ATTRIBUTES: u32 = 0x80;

/// A source's folder. It is not kept open: nobody could rename what is above it.
pub(crate) struct Handle(PathBuf);

impl Handle {
    pub(crate) fn open(path: &Path) -> io::Result<Handle> {
        if fs::metadata(path)?.is_dir() {
            return Ok(Handle(path.to_owned()));
        }
        Err(io::ErrorKind::NotADirectory.into())
    }

    pub(crate) fn identity(&self) -> io::Result<Identity> {
        Identity::at(&self.0)
    }

    pub(crate) fn open_beneath(&self, root: &Path, relative: &str) -> Result<File, Refused> {
        checked::open_beneath(root, relative, |path| {
            OpenOptions::new().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
        })
    }
}

/// The entries of a folder, at most `most` and one more.
pub(crate) fn entries(_folder: &File, path: &Path, most: usize) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = match kind(&entry.path()) {
            Ok(kind) => kind,
            // It went in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // Also said of one that was removed while somebody has it open, and of some of the system's.
            Err(_) => Kind::Other,
        };
        let name = entry.file_name();
        let name = name.to_str().map(str::to_owned).ok_or_else(|| name.display().to_string());
        entries.push(Entry { name, kind });
        if entries.len() > most {
            break;
        }
    }
    Ok(entries)
}

/// What is there, of the file itself: what its folder tells is from when it was last closed.
fn kind(path: &Path) -> io::Result<Kind> {
    let file = OpenOptions::new()
        .access_mode(FILE_READ_ATTRIBUTES)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    let metadata = file.metadata()?;
    Ok(if metadata.is_symlink() {
        Kind::Link
    } else if metadata.is_file() {
        Kind::File(Stamp::of(&metadata, Identity::of(&file)?))
    } else if metadata.is_dir() {
        Kind::Folder(Identity::of(&file)?)
    } else {
        Kind::Other
    })
}
