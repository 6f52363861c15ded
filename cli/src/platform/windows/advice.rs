//! What a finding tells to type, into PowerShell.

/// The shortest look at a file or a folder.
pub(crate) fn look_at(typed: &str) -> String {
    format!("icacls {typed}")
}

/// A look at what is in a folder, or at some files.
pub(crate) fn list(typed: &str) -> String {
    format!("dir {typed}")
}

/// How full the disk is that a folder is on.
pub(crate) fn see_room(_typed: &str) -> String {
    "Get-PSDrive -PSProvider FileSystem".to_owned()
}

/// Which file system a folder is on.
pub(crate) fn see_mount(_typed: &str) -> String {
    "Get-Volume".to_owned()
}

/// Who listens at a socket: a pipe has no tool that tells, and only an argusd listens there.
pub(crate) fn see_listener(_typed: &str) -> String {
    "Get-Process argusd".to_owned()
}

/// Takes over all that is in a folder.
pub(crate) fn take_over(typed: &str) -> String {
    format!("takeown /R /F {typed}")
}

/// Opens a folder to its owner.
pub(crate) fn open_to_owner(typed: &str) -> String {
    format!("icacls {typed} /reset")
}

/// Lets the owner, and nobody else, connect: a pipe is as its argusd has made it.
pub(crate) fn mend_socket(_typed: &str) -> String {
    "argus daemon restart, as the user who started it".to_owned()
}

/// Gives something another name.
pub(crate) fn rename(typed: &str, to: &str) -> String {
    format!("move {typed} {to}")
}

/// Ends a process.
pub(crate) fn end_process(pid: u32) -> String {
    format!("taskkill /F /PID {pid}")
}

/// Lets a stopped process go on: there is no command that does.
pub(crate) fn resume_process(pid: u32) -> String {
    format!("let process {pid} go on, or end it: resmon")
}

/// Runs a command that reads a file as its standard input. PowerShell would change its letters.
pub(crate) fn fed(command: &str, file: &str) -> String {
    format!("cmd /c '{}'", format!("{command} < {file}").replace('\'', "\""))
}

/// Runs a command with another editor.
pub(crate) fn with_editor(command: &str) -> String {
    format!("$env:VISUAL = 'notepad'; {command}")
}
