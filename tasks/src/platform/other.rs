//! Elsewhere: what is opened is judged before and after.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Identity, Stamp, checked};
use crate::root::{Entry, Kind, Refused};

/// A source's folder.
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
        checked::open_beneath(root, relative, |path| File::open(path))
    }
}

/// The entries of a folder, at most `most` and one more.
pub(crate) fn entries(_folder: &File, path: &Path, most: usize) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let kind = if metadata.is_symlink() {
            Kind::Link
        } else if metadata.is_file() {
            Kind::File(Stamp::of(&metadata, Identity::of_metadata(&metadata)))
        } else if metadata.is_dir() {
            Kind::Folder(Identity::of_metadata(&metadata))
        } else {
            Kind::Other
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
