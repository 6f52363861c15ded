//! Unix: modes and owners, hard links, folders that are synced like files.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod macos;

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, openat, statvfs};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::error::{StoreError, StoreResult};

#[cfg(target_os = "linux")]
use linux::sync_file_system;
#[cfg(target_os = "linux")]
pub(crate) use linux::{TELLS_LOCK_HOLDERS, begin_to_sync, exchange, lock_holder, sync_later};
#[cfg(not(target_os = "linux"))]
use macos::sync_file_system;
#[cfg(not(target_os = "linux"))]
pub(crate) use macos::{TELLS_LOCK_HOLDERS, begin_to_sync, exchange, lock_holder, sync_later};

/// What tells a file from what it was before: if all of it is the same, so is the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|meta| Stamp::from(&meta))
    }

    /// Of what is at `path`; a link is followed.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|meta| Stamp::from(&meta))
    }

    fn from(meta: &Metadata) -> Self {
        Stamp {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether it is of the same file with the same content, whatever that is called.
    pub(crate) fn is_same_content(&self, other: &Stamp) -> bool {
        let content = |stamp: &Stamp| (stamp.size, stamp.modified);
        self.is_same_file(other) && content(self) == content(other)
    }

    /// Whether it is of the same file, whatever that holds.
    pub(crate) fn is_same_file(&self, other: &Stamp) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp { device, inode, size, modified, changed } = self;
        let (modified_s, modified_ns) = modified;
        let (changed_s, changed_ns) = changed;
        write!(f, "{device}:{inode}:{size}:{modified_s}.{modified_ns}:{changed_s}.{changed_ns}")
    }
}

impl Stamp {
    /// What stays the same for as long as the file and its content do: not the device, which may have
    /// another number after a boot, and not the time of a change of its mode or its names.
    pub(crate) fn content_text(&self) -> String {
        let Stamp { inode, size, modified: (seconds, nanoseconds), .. } = self;
        format!("{inode}:{size}:{seconds}.{nanoseconds}")
    }
}

/// Whether a file may be called so.
pub(crate) fn check_file_name(_name: &OsStr) -> io::Result<()> {
    Ok(())
}

/// Makes a folder and its missing parents, closed to all but the owner.
pub(crate) fn create_private_folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a folder, and checks on the open descriptor that it is this user's own and no link.
/// `tighten` closes it to others if it is open to them.
pub(crate) fn open_private_folder(path: &Path, tighten: bool) -> StoreResult<File> {
    let open = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::DIRECTORY | OFlags::NOFOLLOW).bits() as i32)
        .open(path)
        .map_err(|source| match source.raw_os_error() {
            Some(code) if is_link_error(code) => StoreError::Permission {
                path: path.to_owned(),
                problem: "is a link or no folder; argus follows no link there".into(),
            },
            _ => StoreError::io("open the folder", path)(source),
        })?;
    let meta = open.metadata().map_err(StoreError::io("look at", path))?;
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != own {
        let (owner, own) = (meta.uid().to_string(), own.to_string());
        return Err(StoreError::Foreign { path: path.to_owned(), owner, own });
    }
    if tighten && meta.mode() & 0o077 != 0 {
        // It is ours, so nobody else could have put anything into it that this would keep.
        open.set_permissions(Permissions::from_mode(0o700))
            .map_err(StoreError::io("close to others", path))?;
    }
    Ok(open)
}

fn is_link_error(code: i32) -> bool {
    code == Errno::LOOP.raw_os_error() || code == Errno::NOTDIR.raw_os_error()
}

/// Opens a file of a folder for reading and writing, 0600 if it has to be made.
pub(crate) fn open_in(folder: &File, _path: &Path, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(folder, name, flags, Mode::from_raw_mode(0o600))?))
}

/// Opens an existing file for reading. A fifo that somebody put there does not make it wait.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)
}

/// Makes a file that must not exist, 0600.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Opens an existing file, for writing as well if asked, but never through a link.
pub(crate) fn open_no_follow(path: &Path, write: bool) -> io::Result<File> {
    // A fifo somebody put there must not make the open wait.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).write(write).custom_flags(flags.bits() as i32).open(path)
}

/// Whether the path leads, without following a link, to this open file.
pub(crate) fn is_same_file(open: &File, path: &Path) -> bool {
    match (open.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Gives an existing file another name, only if that name is free.
pub(crate) fn link_new(existing: &Path, name: &Path) -> io::Result<()> {
    fs::hard_link(existing, name)
}

/// Whether a failed [`link_new`] means that this file system has no second names.
pub(crate) fn has_no_links(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::PERM, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

/// Whether an operation failed because the process, or the system, has too many files open.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| code == Some(errno.raw_os_error()))
}

/// Lets those use `temp` who may use the file that it is about to replace, but for what `mode_max`
/// does not allow. Where there is none it gets `mode_max` itself, or 0600.
pub(crate) fn set_access(
    temp: &NamedTempFile,
    _target: &Path,
    replaced: Option<&Metadata>,
    mode_max: Option<u32>,
) -> io::Result<()> {
    let mode = match replaced {
        Some(meta) => meta.mode() & 0o7777 & mode_max.unwrap_or(0o7777),
        None => mode_max.unwrap_or(0o600),
    };
    temp.as_file().set_permissions(Permissions::from_mode(mode))
}

/// Who may use a file, as permission bits, where the system has such.
pub(crate) fn mode(meta: &Metadata) -> Option<u32> {
    Some(meta.mode() & 0o7777)
}

/// An open folder, to make the names in it durable later.
#[derive(Debug)]
pub(crate) struct OpenFolder(File);

impl OpenFolder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(OpenFolder)
    }

    /// Makes the names in it durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    /// Makes the name durable that a file in it has just got.
    pub(crate) fn sync_name_of(&self, _file: &File) -> io::Result<()> {
        self.sync()
    }

    /// Makes all that was written to its file system durable. Cheaper than to sync many files one
    /// by one.
    pub(crate) fn sync_file_system(&self) -> io::Result<()> {
        sync_file_system(&self.0)
    }
}

/// Makes the content of a file durable.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    OpenFolder::open(path)?.sync()
}

/// Gives a file another name; what had that goes, in one step.
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a file.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Whether an operation failed because another program has the file open.
pub(crate) fn is_in_use(_error: &io::Error) -> bool {
    false
}

/// Keeps a file's number from being given to another, so that a [`Stamp`] with it stays true.
#[derive(Debug, Clone)]
pub(crate) struct Pin(#[expect(dead_code, reason = "it is open, and that is all")] Arc<File>);

impl Pin {
    pub(crate) fn new(file: File) -> Self {
        Pin(Arc::new(file))
    }

    /// Of the file at `path`, if it can be had.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        open_to_read(path).ok().map(Pin::new)
    }
}

/// The folder that a socket stands in.
pub(crate) fn socket_folder(socket: &Path) -> Option<&Path> {
    socket.parent()
}

/// What to type to see who may use something.
pub(crate) fn look_at(path: &Path) -> String {
    format!("ls -ld {}", path.display())
}

/// What to type to see how much room there is.
pub(crate) fn see_room(path: &Path) -> String {
    format!("df -h {}", path.display())
}

/// What helps a process that may open no more files.
pub(crate) const OPEN_MORE_FILES: &str = "let it open more files: ulimit -n 1024";

/// Whether names in this folder may be looked up, made and removed by this user. Asks without trying.
pub(crate) fn check_folder_access(path: &Path) -> io::Result<()> {
    let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    Ok(accessat(CWD, path, access, AtFlags::EACCESS)?)
}

/// Whether this user may decide who uses what is at `path`.
pub(crate) fn is_own(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.uid() == rustix::process::geteuid().as_raw())
}

/// Whether an operation failed because the whole file system takes no changes.
pub(crate) fn is_read_only(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ROFS.raw_os_error())
}

/// How many bytes this user may still write to the file system that `path` is on.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let room = statvfs(path)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

/// What a process calls itself.
pub(crate) fn process_name(pid: u32) -> Option<String> {
    argus_presence::command_of(pid)
}

/// The longest path of a socket that every Unix takes, its final zero included (macOS: 104).
const SOCKET_PATH_BYTES_MAX: usize = 104;

/// Where to listen: at `wanted`, or under a short name in a folder of the user's own.
pub(crate) fn socket_path(wanted: &Path, short_name: &str) -> PathBuf {
    if wanted.as_os_str().len() < SOCKET_PATH_BYTES_MAX {
        return wanted.to_owned();
    }
    // Not in XDG_RUNTIME_DIR: programs with and without that variable must find each other.
    let user = rustix::process::geteuid().as_raw();
    PathBuf::from(format!("/tmp/argus-{user}/{short_name}.sock"))
}
