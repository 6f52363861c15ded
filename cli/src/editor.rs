//! The user's editor, and the file that it is given.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use crate::platform::{self, EDITOR_BY_DEFAULT};

/// What is run: `$VISUAL`, else `$EDITOR`, else the usual one.
pub(crate) fn named() -> OsString {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(std::env::var_os);
    named.into_iter().find(|editor| !editor.is_empty()).unwrap_or_else(|| EDITOR_BY_DEFAULT.into())
}

/// Makes a file that only the user can read, alone in a folder that only the user can enter: what
/// an editor puts beside it is as private.
pub(crate) fn private_file(name: &str, text: &str) -> io::Result<PathBuf> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let folder = format!("argus-edit-{}-{:09}", std::process::id(), since.subsec_nanos());
    let folder = std::path::absolute(std::env::temp_dir())?.join(folder);
    platform::create_private_folder(&folder)?;
    let path = folder.join(name);
    let mut options = File::options();
    platform::private(options.write(true).create_new(true))
        .open(&path)?
        .write_all(text.as_bytes())?;
    Ok(path)
}
