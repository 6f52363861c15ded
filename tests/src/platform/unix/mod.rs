//! Unix: signals, inodes, modes, sockets in the file system.

mod connection;
#[cfg(target_os = "linux")]
mod proc;
mod processes;
#[cfg(not(target_os = "linux"))]
mod ps;
mod terminal;

use std::fs::{self, File, Permissions};
use std::io::{self, PipeWriter};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use interprocess::local_socket::ListenerOptions;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

pub use connection::{Connection, has_listener};
pub use processes::{ended, find, go_on, kill, own_group, signal_process, stop};
pub use terminal::Terminal;

use super::FileStamp;

/// Names that a folder may have and that not every program expects.
pub const ODD_FOLDERS: [&str; 4] = ["new\nline \"quoted\"", "Größe 日本", "-dash", "deep/../er"];

/// What leads to who listens at a socket, as `doctor` tells it.
pub const LISTENER_ADVICE: &str = "lsof ";

/// How a stopped process goes on, as `doctor` tells it.
pub fn resume_advice(pid: u32) -> String {
    format!("kill -CONT {pid}")
}

/// Now in nanoseconds, on a clock that all processes of the machine share.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Of what is at `path`, also where that is a link.
pub fn stamp_of(path: &Path) -> FileStamp {
    let meta = fs::symlink_metadata(path).expect("it is there");
    let nanos = |seconds: i64, nanos: i64| seconds * 1_000_000_000 + nanos;
    FileStamp {
        identity: (meta.dev(), meta.ino()),
        modified: nanos(meta.mtime(), meta.mtime_nsec()),
        changed: nanos(meta.ctime(), meta.ctime_nsec()),
    }
}

/// Who may use a file, as permission bits; `None` where the system has no such.
pub fn mode_of(path: &Path) -> Option<u32> {
    Some(fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777)
}

/// Gives a file these permission bits, where the system has such.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("own file");
}

/// Makes a link to a folder; `false` where this user may not.
pub fn symlink_folder(target: &Path, link: &Path) -> bool {
    symlink(target, link).expect("own folder");
    true
}

/// Puts a program elsewhere, where it can be run at once.
pub fn copy_program(from: &Path, to: &Path) {
    // By another process: one that this process has open for writing cannot be run, and a
    // child that another test is just starting has open what this process has.
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(copied.expect("cp can be run").success());
}

/// A program that does nothing.
pub fn empty_program() -> Command {
    Command::new("true")
}

/// Lets whatever is started from here on have this pipe too, as a caller who forgot to close it.
pub fn let_children_inherit(pipe: &PipeWriter) {
    // As a shell does with `exec 9>pipe`.
    fcntl_setfd(pipe.as_fd(), FdFlags::empty()).expect("an open descriptor");
}

/// Where files cost no disk, if there is such a place.
pub fn memory_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Opens a file for reading as a program does that has never heard of argus.
pub fn open_as_others_do(path: &Path) -> File {
    File::open(path).expect("it is there")
}

/// Lets this process have as many files and connections open as it may.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("allowed");
}

/// Whether a program could be run in a moment.
pub fn cannot_be_run_yet(_error: &io::Error) -> bool {
    false
}

/// How many of what a test would have at once it has here: all.
pub const fn at_once(many: usize) -> usize {
    many
}

/// Whether a process can pass a lock that it holds on to another.
pub const LOCKS_ARE_PASSED_ON: bool = true;

/// Lets only this user connect to what will listen, as argusd does.
pub fn own(options: ListenerOptions<'_>) -> ListenerOptions<'_> {
    options
}
