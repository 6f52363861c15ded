//! What a finding tells to type.

/// The shortest look at a file or a folder.
pub(crate) fn look_at(typed: &str) -> String {
    format!("ls -ld {typed}")
}

/// A look at what is in a folder, or at some files.
pub(crate) fn list(typed: &str) -> String {
    format!("ls -l {typed}")
}

/// How full the disk is that a folder is on.
pub(crate) fn see_room(typed: &str) -> String {
    format!("df -h {typed}")
}

/// Which file system a folder is on.
pub(crate) fn see_mount(typed: &str) -> String {
    format!("findmnt -T {typed}")
}

/// Who listens at a socket.
pub(crate) fn see_listener(typed: &str) -> String {
    format!("lsof {typed}")
}

/// Takes over all that is in a folder.
pub(crate) fn take_over(typed: &str) -> String {
    format!("sudo chown -R \"$(id -un)\" {typed}")
}

/// Opens a folder to its owner.
pub(crate) fn open_to_owner(typed: &str) -> String {
    format!("chmod u+rwx {typed}")
}

/// Lets the owner, and nobody else, connect.
pub(crate) fn mend_socket(typed: &str) -> String {
    format!("chmod 600 {typed}")
}

/// Gives something another name.
pub(crate) fn rename(typed: &str, to: &str) -> String {
    format!("mv {typed} {to}")
}

/// Ends a process.
pub(crate) fn end_process(pid: u32) -> String {
    format!("kill {pid}")
}

/// Lets a stopped process go on.
pub(crate) fn resume_process(pid: u32) -> String {
    format!("kill -CONT {pid}")
}

/// Runs a command that reads a file as its standard input.
pub(crate) fn fed(command: &str, file: &str) -> String {
    format!("{command} < {file}")
}

/// Runs a command with another editor.
pub(crate) fn with_editor(command: &str) -> String {
    format!("VISUAL=nano {command}")
}
