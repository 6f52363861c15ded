//! The editor, and who may see what it is given.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::os::windows::io::AsHandle;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use argus_windows::security;
use tokio::process::Command;

use super::command_line;
use super::signals::Deaf;

/// What is run where nobody has named one.
pub(crate) const EDITOR_BY_DEFAULT: &str = "notepad";

/// Makes a folder that only the user can enter.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    security::create_private_folder(path)
}

/// A file is as private as the folder that it is in.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
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
