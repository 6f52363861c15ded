//! The editor, and who may see what it is given.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// What is run where nobody has named one.
pub(crate) const EDITOR_BY_DEFAULT: &str = "vi";

/// Makes a folder that only the user can enter.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// A file that is made so can be read by the user only.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
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
