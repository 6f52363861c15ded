//! Windows: access rules, files that cannot be replaced while others have them open, no folder
//! that is synced.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use argus_windows::file::{Info, free_bytes as free_bytes_of, info_at, info_at_link, info_of};
use argus_windows::{process, security};
use tempfile::NamedTempFile;

use crate::error::{StoreError, StoreResult};
use crate::wait::Wait;

// Numbers that Windows has documented for good.
const ERROR_INVALID_FUNCTION: i32 = 1;
const ERROR_TOO_MANY_OPEN_FILES: i32 = 4;
const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_INVALID_HANDLE: i32 = 6;
const ERROR_WRITE_PROTECT: i32 = 19;
const ERROR_SHARING_VIOLATION: i32 = 32;
const ERROR_LOCK_VIOLATION: i32 = 33;
const ERROR_NOT_SUPPORTED: i32 = 50;
const ERROR_INVALID_PARAMETER: i32 = 87;
const ERROR_USER_MAPPED_FILE: i32 = 1224;
const FILE_LIST_DIRECTORY: u32 = 0x1;
const FILE_ADD_FILE: u32 = 0x2;
const FILE_DELETE_CHILD: u32 = 0x40;
const SYNCHRONIZE: u32 = 0x0010_0000;
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

/// How long a file is tried to be replaced or removed that another program has open: a virus
/// scanner, an editor, a program that reads it. Shorter than a request may take, so that it is answered.
const IN_USE_WAIT: Duration = Duration::from_millis(1200);

/// How long it is waited before the next attempt: about that. Most who have it open only read it, and
/// are soon done; where many read it, it is free for moments only.
const IN_USE_PAUSE_US: u64 = 2000;

/// What tells a file from what it was before: if all of it is the same, so is the content.
/// Each is of what was found at one path, and so on one volume, which therefore tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(Info);

impl Stamp {
    /// Of an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        info_of(file).map(Stamp::without_volume)
    }

    /// Of what is at `path`; a link is followed.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        info_at(path).map(Stamp::without_volume)
    }

    fn without_volume(info: Info) -> Self {
        Stamp(Info { volume: 0, ..info })
    }

    /// Whether it is of the same file with the same content, whatever that is called.
    pub(crate) fn is_same_content(&self, other: &Stamp) -> bool {
        let content = |stamp: &Stamp| (stamp.0.size, stamp.0.modified);
        self.is_same_file(other) && content(self) == content(other)
    }

    /// Whether it is of the same file, whatever that holds.
    pub(crate) fn is_same_file(&self, other: &Stamp) -> bool {
        self.0.is_same_file(&other.0)
    }

    /// What stays the same for as long as the file and its content do: not the time of a change of
    /// its names or its access rules.
    pub(crate) fn content_text(&self) -> String {
        let Info { index, size, modified, .. } = self.0;
        format!("{index}:{size}:{modified}")
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Info { index, size, modified, changed, .. } = self.0;
        write!(f, "{index}:{size}:{modified}:{changed}")
    }
}

/// Windows does not give a file's number to another for a long time: nothing has to be kept open,
/// and what is not open is in nobody's way.
#[derive(Debug, Clone)]
pub(crate) struct Pin;

impl Pin {
    pub(crate) fn new(_file: File) -> Self {
        Pin
    }

    pub(crate) fn at(_path: &Path) -> Option<Self> {
        None
    }
}

/// Whether a file may be called so: what stands behind a `:` is a stream of the file that is named before it.
pub(crate) fn check_file_name(name: &OsStr) -> io::Result<()> {
    if name.to_string_lossy().contains(':') {
        let problem = "a `:` in its name leads to a stream of another file; give it a name without";
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, problem));
    }
    Ok(())
}

/// Makes a folder and its missing parents, closed to all but the owner.
pub(crate) fn create_private_folders(path: &Path) -> io::Result<()> {
    security::create_private_folders(path)
}

/// Opens a folder, and checks on the open handle that it is this user's own and no link.
/// `tighten` closes it to others if it is open to them.
pub(crate) fn open_private_folder(path: &Path, tighten: bool) -> StoreResult<File> {
    let failed = || StoreError::io("look at", path);
    let open = open_folder_no_follow(path).map_err(StoreError::io("open the folder", path))?;
    let info = info_of(&open).map_err(failed())?;
    if info.is_link() || !open.metadata().map_err(failed())?.is_dir() {
        let problem = "is a link or no folder; argus follows no link there".into();
        return Err(StoreError::Permission { path: path.to_owned(), problem });
    }
    let owner = security::owner_of_file(&open).map_err(failed())?;
    if !security::is_own(&owner).map_err(failed())? {
        let own = security::user().map_err(failed())?.to_owned();
        return Err(StoreError::Foreign { path: path.to_owned(), owner, own });
    }
    if tighten && security::is_open_to_others(path).map_err(failed())? {
        security::restrict(path).map_err(StoreError::io("close to others", path))?;
    }
    Ok(open)
}

fn open_folder_no_follow(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    once_free(|| options.open(path))
}

/// Opens a file of a folder for reading and writing, and makes it where it is missing.
pub(crate) fn open_in(_folder: &File, path: &Path, name: &str) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    no_link(options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path.join(name))?)
}

/// Opens an existing file for reading.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    once_free(|| match File::open(path) {
        // Windows says of a folder only that it may not be read as a file.
        Err(error) if is_denied(&error) && path.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        opened => opened,
    })
}

/// Makes a file that must not exist. Who may use it follows from its folder.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

/// Opens an existing file, for writing as well if asked, but never through a link.
pub(crate) fn open_no_follow(path: &Path, write: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(write).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    no_link(once_free(|| options.open(path))?)
}

fn no_link(file: File) -> io::Result<File> {
    match info_of(&file)?.is_link() {
        true => Err(io::Error::other("it is a link")),
        false => Ok(file),
    }
}

/// Whether the path leads, without following a link, to this open file.
pub(crate) fn is_same_file(open: &File, path: &Path) -> bool {
    match (info_of(open), info_at_link(path)) {
        (Ok(open), Ok(named)) => open.is_same_file(&named),
        _ => false,
    }
}

/// Gives an existing file another name, only if that name is free.
pub(crate) fn link_new(existing: &Path, name: &Path) -> io::Result<()> {
    fs::hard_link(existing, name).map_err(|error| {
        // A name that was removed is not free before the last who has the file open closes it.
        match is_denied(&error) && !is_free(name) {
            true => io::ErrorKind::AlreadyExists.into(),
            false => error,
        }
    })
}

fn is_free(name: &Path) -> bool {
    info_at_link(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Lets two files exchange their names: Windows cannot.
pub(crate) fn exchange(_one: &Path, _other: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Whether a failed [`link_new`] means that this file system has no second names.
pub(crate) fn has_no_links(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ERROR_INVALID_FUNCTION | ERROR_NOT_SUPPORTED))
}

/// Whether an operation failed because the process has too many files open.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_TOO_MANY_OPEN_FILES)
}

/// Whether an operation failed because another program has the file open.
pub(crate) fn is_in_use(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION | ERROR_USER_MAPPED_FILE)
    )
}

/// Does something as soon as no other program is in the way. An access that is denied can mean the
/// same: of a file that was removed, but is open somewhere, Windows says nothing else.
fn once_free<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut wait = Wait::new(IN_USE_WAIT);
    loop {
        match attempt() {
            Err(error) if is_in_use(&error) && wait.pause() => {}
            Err(error) if is_denied(&error) && wait.left() > IN_USE_WAIT / 2 && wait.pause() => {}
            result => return result,
        }
    }
}

fn is_denied(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_ACCESS_DENIED)
}

/// Gives a file another name; what had that goes, in one step. Waits while another program has it open.
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    let until = Instant::now() + IN_USE_WAIT;
    loop {
        match fs::rename(from, to) {
            Err(error) if is_denied(&error) || is_in_use(&error) => {
                if Instant::now() >= until {
                    return Err(told_in_use(error, to));
                }
                thread::sleep(Duration::from_micros(fastrand::u64(..2 * IN_USE_PAUSE_US)));
            }
            renamed => return renamed,
        }
    }
}

/// Denied is also said of a file that is open elsewhere. It is that where the folder allows it.
fn told_in_use(error: io::Error, path: &Path) -> io::Error {
    let is_allowed = path.parent().is_some_and(|folder| check_folder_access(folder).is_ok());
    match is_denied(&error) && is_allowed && path.is_file() {
        true => io::Error::from_raw_os_error(ERROR_SHARING_VIOLATION),
        false => error,
    }
}

/// Removes a file. Waits while another program has it open.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    once_free(|| fs::remove_file(path))
}

/// Lets those use `temp` who may use the file at `target`, which it is about to replace, but only
/// its owner where `mode_max` lets nobody else. Where there is none it is its owner's alone, unless
/// `mode_max` lets others use it as well: then it is for those for whom its folder is.
pub(crate) fn set_access(
    temp: &NamedTempFile,
    target: &Path,
    replaced: Option<&Metadata>,
    mode_max: Option<u32>,
) -> io::Result<()> {
    let is_for_others = mode_max.map(|mode| mode & 0o077 != 0);
    match (replaced, is_for_others) {
        (Some(_), None | Some(true)) => security::copy_access(target, temp.path()),
        (None, Some(true)) => Ok(()),
        (_, None | Some(false)) => security::restrict(temp.path()),
    }
}

/// Who may use a file, as permission bits: Windows has none.
pub(crate) fn mode(_meta: &Metadata) -> Option<u32> {
    None
}

/// Nothing to do: the system begins by itself.
pub(crate) fn begin_to_sync(_file: &File, _from: u64, _bytes: usize) {}

/// Syncs a file now, since [`OpenFolder::sync_file_system`] cannot do it for all of them.
pub(crate) fn sync_later(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// An open folder, to make the names in it durable later.
///
/// NTFS has what happens to names in its log, in the order in which it happened, and writes that out
/// where a folder or a file is synced. File systems that sync no folder sync the file instead.
#[derive(Debug)]
pub(crate) struct OpenFolder(File);

impl OpenFolder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        options.access_mode(FILE_LIST_DIRECTORY | FILE_ADD_FILE | SYNCHRONIZE);
        options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
        once_free(|| options.open(path)).map(OpenFolder)
    }

    /// Makes the names in it durable, where Windows can.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.0.sync_all() {
            Err(error) if syncs_no_folder(&error) => Ok(()),
            synced => synced,
        }
    }

    /// Makes the name durable that a file in it has just got.
    pub(crate) fn sync_name_of(&self, file: &File) -> io::Result<()> {
        match self.0.sync_all() {
            Err(error) if syncs_no_folder(&error) => file.sync_all(),
            synced => synced,
        }
    }

    /// Windows has nothing to make many files durable at once: [`sync_later`] does it for each.
    pub(crate) fn sync_file_system(&self) -> io::Result<()> {
        Ok(())
    }
}

fn syncs_no_folder(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            ERROR_INVALID_FUNCTION
                | ERROR_ACCESS_DENIED
                | ERROR_INVALID_HANDLE
                | ERROR_NOT_SUPPORTED
                | ERROR_INVALID_PARAMETER
        )
    )
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    OpenFolder::open(path)?.sync()
}

/// Makes the content of a file durable, which takes one who may write into it.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    once_free(|| File::options().write(true).open(path))?.sync_all()
}

/// Whether names in this folder may be looked up, made and removed by this user. Asks without trying.
pub(crate) fn check_folder_access(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.access_mode(FILE_LIST_DIRECTORY | FILE_ADD_FILE | FILE_DELETE_CHILD);
    let open = options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?;
    match open.metadata()?.is_dir() {
        true => Ok(()),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// Whether this user may decide who uses what is at `path`.
pub(crate) fn is_own(path: &Path) -> bool {
    let open = open_folder_no_follow(path);
    let owner = open.and_then(|open| security::owner_of_file(&open));
    owner.and_then(|owner| security::is_own(&owner)).unwrap_or(false)
}

/// Whether an operation failed because the whole volume takes no changes.
pub(crate) fn is_read_only(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_WRITE_PROTECT)
}

/// How many bytes this user may still write to the volume that `path` is on.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    free_bytes_of(path)
}

/// Whether [`lock_holder`] finds who holds a lock.
pub(crate) const TELLS_LOCK_HOLDERS: bool = false;

/// The process that holds a kernel lock on this file: Windows does not tell.
pub(crate) fn lock_holder(_file: &File) -> Option<u32> {
    None
}

/// What a process calls itself.
pub(crate) fn process_name(pid: u32) -> Option<String> {
    let program = process::program_of(pid)?;
    Some(Path::new(&program).file_stem()?.to_string_lossy().into_owned())
}

/// Where to listen: a pipe, whose name no other user shares.
pub(crate) fn socket_path(_wanted: &Path, short_name: &str) -> PathBuf {
    // It cannot fail for a process that asks about itself; a pipe of that name would be nobody's.
    let user = security::user().unwrap_or("unknown");
    PathBuf::from(format!(r"\\.\pipe\argus-{user}-{short_name}"))
}

/// The folder of a pipe is Windows' own.
pub(crate) fn socket_folder(_socket: &Path) -> Option<&Path> {
    None
}

/// What to type to see who may use something.
pub(crate) fn look_at(path: &Path) -> String {
    format!("icacls \"{}\"", path.display())
}

/// What to type to see how much room there is.
pub(crate) fn see_room(path: &Path) -> String {
    format!("fsutil volume diskfree \"{}\"", path.display())
}

/// What helps a process that may open no more files.
pub(crate) const OPEN_MORE_FILES: &str = "close some of the programs that use argus: argus ls";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::Paths;

    #[test]
    fn a_name_that_leads_to_a_stream_of_another_file_is_refused() {
        let error = Paths::new(Path::new(r"C:\home\registry.json:old")).expect_err("a stream");
        assert!(error.to_string().contains("stream"), "{error}");
        assert!(Paths::new(Path::new(r"C:\home\registry.json")).is_ok());
    }
}
