//! The user's editor, and the file that it is given.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::windows::io::AsHandle;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::SystemTime;

use argus_windows::security;
use tokio::process::Command;

use super::command_line;
use super::signals::Deaf;

/// What is run where nobody has named one.
pub(crate) const EDITOR_BY_DEFAULT: &str = "notepad";

/// What is run: `VISUAL`, else `EDITOR`, else the usual one.
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
    security::create_private_folder(&folder)?;
    let path = folder.join(name);
    let mut file = File::options().write(true).create_new(true).open(&path)?;
    file.write_all(text.as_bytes())?;
    Ok(path)
}

/// Runs the editor on a file, and waits for its end.
pub(crate) async fn edit(editor: &OsString, path: &Path) -> io::Result<ExitStatus> {
    // Keys that mean an end are meant for the editor.
    let _deaf = Deaf::new();
    let (program, arguments) = split(editor);
    let started = command_line::start(&program, |program| {
        let mut command = Command::new(program);
        command.args(&arguments).arg(path);
        if !io::stdout().is_terminal() {
            // What is printed there is argus' own, and the editor has to be seen.
            command.stdout(Stdio::from(io::stderr().as_handle().try_clone_to_owned()?));
        }
        command.spawn()
    });
    started?.wait().await
}

/// The program and what it is given before the file. The name of a file may have spaces without quotes.
fn split(editor: &OsStr) -> (OsString, Vec<OsString>) {
    let line = editor.to_str().filter(|_| !Path::new(editor).is_file());
    let mut words = line.map(command_line::words).unwrap_or_default().into_iter();
    match words.next() {
        Some(program) => (program.into(), words.map(OsString::from).collect()),
        None => (editor.to_owned(), Vec::new()),
    }
}
