//! Windows: handles, file numbers, named pipes. Modes there are none.

use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use argus_windows::process::Held;
use argus_windows::{command_lines, file, handle, pipe, security, terminate};
use interprocess::local_socket::ListenerOptions;
use interprocess::os::windows::local_socket::ListenerOptionsExt;
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use widestring::U16CString;

use super::FileStamp;
use crate::wait::{DEADLINE, until};

/// Names that a folder may have and that not every program expects.
pub const ODD_FOLDERS: [&str; 4] = ["a 'quoted' % & ^", "Größe 日本", "-dash", "deep/../er"];

/// What Windows says where all instances of a pipe are taken, for a moment.
const ERROR_PIPE_BUSY: i32 = 231;
/// What it says where the other side has closed a pipe in a way of its own.
const ERROR_PIPE_NOT_CONNECTED: i32 = 233;
/// What it says of a file that is just being replaced.
const ERROR_ACCESS_DENIED: i32 = 5;
/// What it says where somebody else's way of opening a file allows no second one.
const ERROR_SHARING_VIOLATION: i32 = 32;
/// Others may read and write a file meanwhile, and not remove it: as programs open files that are
/// not told otherwise.
const FILE_SHARE_READ_WRITE: u32 = 1 | 2;
/// How often a pipe is looked at for what has arrived.
const LOOK: Duration = Duration::from_millis(1);

/// What leads to who listens at a socket, as `doctor` tells it.
pub const LISTENER_ADVICE: &str = "Get-Process argusd";

/// How a stopped process goes on, as `doctor` tells it.
pub fn resume_advice(pid: u32) -> String {
    format!("let process {pid} go on, or end it: resmon")
}

/// Now in nanoseconds, on a clock that all processes of the machine share. It is the wall clock,
/// since the others are too coarse to order what two processes did.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("it is later than 1970").as_nanos() as u64
}

/// Ends a process at once, without asking it. It may have ended already.
pub fn kill(pid: u32) {
    let _ = terminate::terminate(pid);
}

/// Keeps a process from running, and returns when it does not run.
pub fn stop(pid: u32) {
    terminate::suspend(pid).expect("own process");
}

/// Lets a stopped process run again.
pub fn go_on(pid: u32) {
    // It may have been killed meanwhile.
    let _ = terminate::resume(pid);
}

/// Whether a process has ended.
pub fn ended(pid: u32) -> bool {
    Held::of(pid).is_none_or(|process| process.has_ended())
}

/// Starts it so that no key of a tester's terminal reaches it: there is nothing to do, since tests
/// have no keys pressed.
pub fn own_group(command: &mut Command) -> &mut Command {
    command
}

/// The processes of this name whose arguments contain `text`.
pub fn find(name: &str, text: &str) -> Vec<u32> {
    let program = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let named = command_lines::of_programs(&program).into_iter();
    named.filter(|(pid, line)| line.contains(text) && !ended(*pid)).map(|(pid, _)| pid).collect()
}

/// Of what is at `path`, also where that is a link.
pub fn stamp_of(path: &Path) -> FileStamp {
    let info = file::info_at_link(path).expect("it is there");
    FileStamp {
        identity: (info.volume, info.index),
        modified: info.modified,
        changed: info.changed,
    }
}

/// Who may use a file, as permission bits; `None` where the system has no such.
pub fn mode_of(_path: &Path) -> Option<u32> {
    None
}

/// Gives a file these permission bits, where the system has such.
pub fn set_mode(_path: &Path, _mode: u32) {}

/// Makes a link to a folder; `false` where this user may not.
pub fn symlink_folder(target: &Path, link: &Path) -> bool {
    std::os::windows::fs::symlink_dir(target, link).is_ok()
}

/// Puts a program elsewhere, where it can be run at once.
pub fn copy_program(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("room for it");
}

/// A program that does nothing.
pub fn empty_program() -> Command {
    Command::new(crate::helper("idler"))
}

/// Lets whatever is started from here on have this pipe too, as a caller who forgot to close it.
pub fn let_children_inherit(pipe: &PipeWriter) {
    handle::pass_on(pipe, true).expect("an open handle");
}

/// Where files cost no disk, if there is such a place.
pub fn memory_folder() -> PathBuf {
    std::env::temp_dir()
}

/// Opens a file for reading as a program does that has never heard of argus: nobody can remove the
/// file or put another into its place for as long.
pub fn open_as_others_do(path: &Path) -> File {
    let mut options = File::options();
    options.read(true).share_mode(FILE_SHARE_READ_WRITE);
    until("it can be opened", || match options.open(path) {
        // Somebody is just replacing it.
        Err(error)
            if [ERROR_SHARING_VIOLATION, ERROR_ACCESS_DENIED]
                .map(Some)
                .contains(&error.raw_os_error()) =>
        {
            None
        }
        opened => Some(opened.expect("it is there")),
    })
}

/// Lets this process have as many files and connections open as it may: it always may.
pub fn raise_descriptor_limit() {}

/// Whether there is anything to connect to.
pub fn has_listener(path: &Path) -> bool {
    match open_pipe(path) {
        Ok(_) => true,
        Err(error) => error.raw_os_error() == Some(ERROR_PIPE_BUSY),
    }
}

fn open_pipe(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}

/// A connection to whoever listens at a path.
#[derive(Debug)]
pub struct Connection {
    pipe: File,
    patience: Duration,
}

impl Connection {
    /// Connects. Whoever reads from it waits for so long, and then has an error.
    pub fn open(path: &Path, patience: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match open_pipe(path) {
                Err(error)
                    if error.raw_os_error() == Some(ERROR_PIPE_BUSY)
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(LOOK);
                }
                opened => return opened.map(|pipe| Connection { pipe, patience }),
            }
        }
    }
}

impl Read for Connection {
    /// Looks before it reads: a read that waits could not be ended.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let deadline = Instant::now() + self.patience;
        loop {
            match pipe::readable_bytes(&self.pipe) {
                Ok(0) if Instant::now() < deadline => std::thread::sleep(LOOK),
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => return self.pipe.read(into),
                // Closed by the other side.
                Err(error)
                    if error.kind() == io::ErrorKind::BrokenPipe
                        || error.raw_os_error() == Some(ERROR_PIPE_NOT_CONNECTED) =>
                {
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pipe.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a program could be run in a moment: Wine fails so where many are started at once.
pub fn cannot_be_run_yet(error: &io::Error) -> bool {
    const ERROR_INTERNAL_ERROR: i32 = 1359;
    error.raw_os_error() == Some(ERROR_INTERNAL_ERROR)
}

/// How many of what a test would have at once it has here: under Wine a process takes a third of a
/// second to start, and a write ten times as long as elsewhere.
pub const fn at_once(many: usize) -> usize {
    many.div_ceil(3)
}

/// Whether a process can pass a lock that it holds on to another.
pub const LOCKS_ARE_PASSED_ON: bool = false;

/// Lets only this user connect to what will listen, as argusd does.
pub fn own(options: ListenerOptions<'_>) -> ListenerOptions<'_> {
    let rules = security::pipe_rules().expect("this user is known");
    let rules = U16CString::from_str(rules).expect("it has no zero");
    let rules = SecurityDescriptor::deserialize(&rules).expect("they can be read");
    options.security_descriptor(rules)
}
