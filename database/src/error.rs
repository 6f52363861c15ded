//! What can go wrong with the database, and how a person is told.

use std::io;
use std::path::{Path, PathBuf};

use argus_proto::error::{Code, Error};
use rusqlite::ErrorCode;

use crate::platform;

/// The result of anything that touches the database.
pub type DatabaseResult<T> = Result<T, DatabaseError>;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite refused. Nothing of the transaction was written.
    #[error("cannot use the database {}: {}", path.display(), sqlite_text(source))]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The operating system refused.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What it holds is not what SQLite writes.
    #[error("the database {} is damaged: {problem}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// It was laid out by a newer argus.
    #[error("the database {} has version {version}; this argus knows versions up to {known}", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The last version that is known here.
        known: i64,
    },
    /// It is the database of another program.
    #[error("{} is a database of another program", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// Another file has its name now, or none.
    #[error("the database {} was removed or replaced", path.display())]
    Moved {
        /// The database.
        path: PathBuf,
    },
    /// What was asked for makes no sense, or is not kept any more.
    #[error("{0}")]
    Usage(Error),
}

impl DatabaseError {
    /// For use in `map_err`: SQLite's error, of this database.
    pub(crate) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> DatabaseError + use<> {
        let path = path.to_owned();
        move |source| {
            let path = path.clone();
            match is_damage(&source) {
                true => DatabaseError::Damaged { path, problem: sqlite_text(&source) },
                false => DatabaseError::Sqlite { path, source },
            }
        }
    }

    /// For use in `map_err`: what was tried, on what.
    pub(crate) fn io(
        operation: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> DatabaseError + use<> {
        let path = path.to_owned();
        move |source| DatabaseError::Io { operation, path, source }
    }

    /// The code that a client sees.
    pub fn code(&self) -> Code {
        match self {
            DatabaseError::Sqlite { source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Code::Locked,
                Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => Code::Permission,
                _ => Code::Io,
            },
            DatabaseError::Io { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Code::Permission
            }
            DatabaseError::Io { .. } | DatabaseError::Moved { .. } => Code::Io,
            DatabaseError::Damaged { .. } | DatabaseError::Foreign { .. } => Code::Corrupt,
            DatabaseError::Newer { .. } => Code::UnsupportedVersion,
            DatabaseError::Usage(error) => error.code,
        }
    }

    /// Whether the connection that met it is as good as before: who waits or makes room need not open it
    /// again.
    pub(crate) fn spares_connection(&self) -> bool {
        let DatabaseError::Sqlite { source, .. } = self else { return false };
        matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
        )
    }

    fn path(&self) -> Option<&Path> {
        match self {
            DatabaseError::Sqlite { path, .. }
            | DatabaseError::Io { path, .. }
            | DatabaseError::Damaged { path, .. }
            | DatabaseError::Newer { path, .. }
            | DatabaseError::Foreign { path }
            | DatabaseError::Moved { path } => Some(path),
            DatabaseError::Usage(_) => None,
        }
    }

    fn hint(&self, path: &Path) -> String {
        let path = &path.to_string_lossy();
        match self {
            DatabaseError::Sqlite { source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    format!("see who has it open: {}", platform::see_users(path))
                }
                Some(ErrorCode::DiskFull) => format!("make room: {}", platform::see_room(path)),
                _ => format!("look at it: {}", platform::look_at(path)),
            },
            DatabaseError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    format!("make room: {}", platform::see_room(path))
                }
                _ => format!("look at it: {}", platform::look_at(path)),
            },
            DatabaseError::Damaged { .. } => {
                "argusd sets it aside and fills a new one: argus daemon start".to_owned()
            }
            DatabaseError::Newer { .. } => "use the newer argus: argus --version".to_owned(),
            DatabaseError::Foreign { .. } => {
                "set another `database.path` in config.yaml".to_owned()
            }
            DatabaseError::Moved { .. } | DatabaseError::Usage(_) => "try again".to_owned(),
        }
    }
}

impl From<&DatabaseError> for Error {
    fn from(error: &DatabaseError) -> Self {
        if let DatabaseError::Usage(error) = error {
            return error.clone();
        }
        let plain = Error::new(error.code(), error.to_string());
        let Some(path) = error.path() else { return plain };
        plain.hint(error.hint(path)).details(serde_json::json!({ "path": path.to_string_lossy() }))
    }
}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        Error::from(&error)
    }
}

/// Whether it is what the file holds that is wrong: its bytes, a table or column that somebody has taken
/// away, or a value in argus' own tables that argus cannot have written.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
        )
        || names_nothing(error)
}

/// Whether a statement of ours names what is not there.
fn names_nothing(error: &rusqlite::Error) -> bool {
    let message = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        _ => return false,
    };
    message.starts_with("no such table: ")
        || message.starts_with("no such column: ")
        || message.contains(" has no column named ")
}

/// What SQLite says, without the statement: that may hold what is not to be shown.
fn sqlite_text(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(message)) => {
            format!("{message} (SQLite {})", code.extended_code)
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => {
            format!("{msg} (SQLite {})", error.extended_code)
        }
        other => other.to_string(),
    }
}
