//! The user's editor, and the file that it is given.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::SystemTime;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// What is run where nobody has named one.
pub(crate) const EDITOR_BY_DEFAULT: &str = "vi";

/// What is run: `$VISUAL`, else `$EDITOR`, else the usual one.
pub(crate) fn editor() -> OsString {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(std::env::var_os);
    named.into_iter().find(|editor| !editor.is_empty()).unwrap_or_else(|| EDITOR_BY_DEFAULT.into())
}

/// Makes a file that only the user can read, alone in a folder that only the user can enter: what
/// an editor puts beside it is as private.
pub(crate) fn private_file(name: &str, text: &str) -> io::Result<PathBuf> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let folder = format!("argus-edit-{}-{:09}", std::process::id(), since.subsec_nanos());
    let folder = std::path::absolute(std::env::temp_dir())?.join(folder);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let path = folder.join(name);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    Ok(path)
}

/// Runs the editor on a file, and waits for its end.
pub(crate) async fn edit(editor: &OsString, path: &Path) -> io::Result<ExitStatus> {
    // Keys that mean an end are meant for the editor, which would inherit it if they were ignored.
    let _kept = [signal(SignalKind::interrupt())?, signal(SignalKind::quit())?];
    // Whoever started this may have ignored it, and then nobody is told how the editor has ended.
    drop(signal(SignalKind::child())?);
    // The shell in between stays as well, and waits for its editor.
    let mut script = OsString::from("trap : INT QUIT; ");
    script.push(editor);
    script.push(" \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(editor).arg(path);
    if !io::stdout().is_terminal() {
        // What is printed there is argus' own, and the editor has to be seen.
        command.stdout(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?));
    }
    command.status().await
}
