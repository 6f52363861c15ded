//! The file itself: opening it, seeing that it is still the one that was opened, setting it aside.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{DatabaseError, DatabaseResult};
use crate::platform::{self, FileId};
use crate::schema;
use crate::secret::Salt;

/// How long SQLite waits for other programs at a time.
const BUSY_WAIT: Duration = Duration::from_millis(250);
/// Up to what size a file is checked as a whole when it is opened.
const CHECKED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What the journal is cut down to after a checkpoint.
const JOURNAL_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// What every database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How much of the file is kept in memory, in KiB. SQLite by itself keeps 2 MiB.
const CACHE_KIB: i64 = 256;

/// What stands beside a database, by what its name ends with.
const JOURNALS: [&str; 2] = ["-shm", "-wal"];

/// The open file.
pub(crate) struct DatabaseFile {
    pub(crate) connection: Connection,
    /// To look at what the file begins with. Closed after SQLite has closed its own: whoever closes a file
    /// lets go, on Unix, of all locks that the process has on it.
    beginning: fs::File,
    pub(crate) salt: Salt,
    path: PathBuf,
    id: FileId,
    journal: Option<FileId>,
}

impl DatabaseFile {
    /// Opens the file, and makes it first where there is none.
    pub(crate) fn open(path: &Path) -> DatabaseResult<Self> {
        // 0600 before anything is in it. SQLite gives its journal the mode of the file.
        platform::create_private(&real(path)).map_err(DatabaseError::io("create", path))?;
        check_regular(path)?;
        platform::tighten(path).map_err(DatabaseError::io("close to others", path))?;
        // They keep the mode that the file once had: one that could not be written was left so.
        for journal in JOURNALS {
            let journal = beside(path, journal);
            platform::copy_mode(path, &journal)
                .map_err(DatabaseError::io("set the mode of", &journal))?;
        }
        let id = identify(path)?;
        let beginning = fs::File::open(path).map_err(DatabaseError::io("open", path))?;
        let failed = DatabaseError::sqlite(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Not on every system does SQLite look for the journal where a link leads.
        let mut connection = Connection::open_with_flags(real(path), flags).map_err(&failed)?;
        connection.busy_timeout(BUSY_WAIT).map_err(&failed)?;
        schema::origin(&connection, path)?;
        prepare(&connection, path)?;
        if fs::metadata(path).is_ok_and(|meta| meta.len() <= CHECKED_BYTES_MAX) {
            check(&connection, path)?;
        }
        schema::migrate(&mut connection, path)?;
        let salt = schema::salt(&connection, path)?;
        let journal = FileId::of(&journal(path)).unwrap_or_default();
        let file = DatabaseFile { connection, beginning, salt, path: path.to_owned(), id, journal };
        file.check_in_place()?;
        Ok(file)
    }

    /// # Errors
    /// [`DatabaseError::Moved`] where the name leads to another file now, or to none;
    /// [`DatabaseError::Damaged`] where somebody has written something else into it: SQLite would go on with
    /// what it has read before, and notice much later.
    pub(crate) fn check_in_place(&self) -> DatabaseResult<()> {
        match FileId::of(&self.path).map_err(DatabaseError::io("look at", &self.path))? {
            Some(id) if id == self.id => {}
            _ => return Err(DatabaseError::Moved { path: self.path.clone() }),
        }
        let mut beginning = [0; MAGIC.len()];
        let mut file = &self.beginning;
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_exact(&mut beginning));
        match read {
            Ok(()) if beginning == *MAGIC => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Err(DatabaseError::io("read", &self.path)(error))
            }
            _ => {
                let problem = "somebody has written something else into it".to_owned();
                Err(DatabaseError::Damaged { path: self.path.clone(), problem })
            }
        }
    }

    /// Closes it. SQLite plays the journal into the file then, and removes it; of a file that has lost its
    /// name it leaves both alone. So a journal of ours would be played into whatever has the name now, and
    /// has to go. One that came with another file stays.
    pub(crate) fn close(self) {
        let is_moved = self.check_in_place().is_err();
        let (path, ours) = (journal(&self.path), self.journal);
        self.close_connection();
        let is_ours = ours.is_some() && FileId::of(&path).unwrap_or_default() == ours;
        if is_moved
            && is_ours
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
    }

    /// Closes it, and leaves file and journal as they are: what is damaged is kept as it was found.
    pub(crate) fn close_as_it_is(self) {
        if let Err(error) =
            self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        {
            tracing::warn!("the journal of {} may be lost: {error}", self.path.display());
        }
        self.close_connection();
    }

    fn close_connection(self) {
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!("closing the database {}: {error}", self.path.display());
        }
    }

    /// Puts what is in the journal into the file itself.
    pub(crate) fn checkpoint(&self) -> DatabaseResult<()> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(DatabaseError::sqlite(&self.path))
    }
}

fn identify(path: &Path) -> DatabaseResult<FileId> {
    FileId::of(path)
        .map_err(DatabaseError::io("look at", path))?
        .ok_or_else(|| DatabaseError::Moved { path: path.to_owned() })
}

fn prepare(connection: &Connection, path: &Path) -> DatabaseResult<()> {
    let failed = DatabaseError::sqlite(path);
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(&failed)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(DatabaseError::Io {
            operation: "keep a journal beside",
            path: path.to_owned(),
            source: io::Error::other("its file system does not share memory"),
        });
    }
    // A power failure may take the last batches, never the order or the whole: the JSON files are the
    // truth, and what is missing is found by comparing.
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(&failed)?;
    // What SQLite sorts stays in memory: a file would be another place where records end up.
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(&failed)?;
    // It writes and seldom reads: the daemon is to be small.
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(&failed)?;
    connection
        .pragma_update_and_check(None, "journal_size_limit", JOURNAL_BYTES_MAX, |_| Ok(()))
        .map_err(&failed)
}

fn check(connection: &Connection, path: &Path) -> DatabaseResult<()> {
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(DatabaseError::sqlite(path))?;
    if found == "ok" {
        return Ok(());
    }
    Err(DatabaseError::Damaged { path: path.to_owned(), problem: found })
}

/// Moves the file with its journal into the quarantine, under names of their own. `None` where there was
/// nothing to move any more.
pub(crate) fn set_aside(
    path: &Path,
    quarantine: &Path,
    now: u64,
) -> DatabaseResult<Option<PathBuf>> {
    platform::create_private_folder(quarantine)
        .map_err(DatabaseError::io("create the folder", quarantine))?;
    check_regular(path)?;
    let path = &real(path);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{stem}-{now}-{:08x}.db", fastrand::u32(..));
    // The journal first: who is killed in between leaves a file that is found damaged again, and never a
    // journal that would be played into a new one.
    for journal in JOURNALS {
        rename(&beside(path, journal), quarantine, &format!("{name}{journal}"))?;
    }
    rename(path, quarantine, &name)
}

/// # Errors
/// Where it is a folder, a device: nothing that argus would use or move. One that is gone is none.
pub(crate) fn check_regular(path: &Path) -> DatabaseResult<()> {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(DatabaseError::Io {
            operation: "use",
            path: path.to_owned(),
            source: io::Error::other("it is not a regular file"),
        }),
        _ => Ok(()),
    }
}

/// The file behind a link, also where that is not there yet: its journal stands beside it, not beside the
/// link.
fn real(path: &Path) -> PathBuf {
    dunce::canonicalize(path).unwrap_or_else(|_| match fs::read_link(path) {
        Ok(target) => path.parent().unwrap_or(Path::new(".")).join(target),
        Err(_) => path.to_owned(),
    })
}

fn rename(from: &Path, quarantine: &Path, name: &str) -> DatabaseResult<Option<PathBuf>> {
    let to = quarantine.join(name);
    let renamed = match fs::rename(from, &to) {
        // The quarantine is on another disk. It is kept where it is then, under its new name.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let to = from.with_file_name(name);
            fs::rename(from, &to).map(|()| to)
        }
        renamed => renamed.map(|()| to),
    };
    match renamed {
        Ok(to) => {
            platform::close_to_others(&to).map_err(DatabaseError::io("close to others", &to))?;
            Ok(Some(to))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DatabaseError::io("set aside", from)(error)),
    }
}

/// The journal of a database.
pub(crate) fn journal(path: &Path) -> PathBuf {
    beside(&real(path), "-wal")
}

/// The name of what stands beside a database.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
