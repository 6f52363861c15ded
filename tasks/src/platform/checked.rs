//! Opening below a folder where the system cannot be told to stay there: the path is resolved and
//! judged, opened without links, and judged once more when it is open.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::Identity;
use crate::root::Refused;

/// Opens what `relative` leads to, below `root`, which is canonical. `open` follows no link at the end.
pub(super) fn open_beneath(
    root: &Path,
    relative: &str,
    open: impl Fn(&Path) -> io::Result<File>,
) -> Result<File, Refused> {
    let path = resolved(root, relative)?;
    let metadata = fs::metadata(&path)?;
    // A pipe is not opened even for a look: that could wait for its other end.
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(Refused::NoFile);
    }
    let file = open(&path)?;
    let opened = Identity::of(&file)?;
    let again = resolved(root, relative)?;
    if Identity::at(&again)? == opened {
        return Ok(file);
    }
    Err(Refused::Io(io::Error::other("it was replaced while it was opened")))
}

fn resolved(root: &Path, relative: &str) -> Result<std::path::PathBuf, Refused> {
    let path = root.join(relative).canonicalize()?;
    if path.starts_with(root) { Ok(path) } else { Err(Refused::Escapes) }
}
