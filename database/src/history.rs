//! Reading what became of the records: also while nobody writes, and without changing any file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argus_proto::cursor::Cursor;
use argus_proto::error::{Code, Error};
use argus_proto::json::JsonText;
use argus_proto::method::history::{CHANGES_DEFAULT, CHANGES_MAX};
use argus_proto::method::{Changes, History as Asked, Recorded};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde_json::Value;

use crate::error::{DatabaseError, DatabaseResult};
use crate::file::{check_regular, journal};
use crate::number::{from_sql, to_sql};
use crate::schema::{self, Origin};

/// The most bytes that are answered at once.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long a reader waits for who is just changing the file's layout.
const BUSY_WAIT: Duration = Duration::from_millis(250);

const COLUMNS: &str = "cursor, at, collection, id, kind, reason, before, after, evidence";

/// The changes that a database has, for reading. Open for one question: a file that has no writer when it is
/// opened is taken not to get one.
#[derive(Debug)]
pub struct History {
    connection: Connection,
    path: PathBuf,
    is_empty: bool,
}

impl History {
    /// Opens a database without making or changing any file. `None` where there is none.
    ///
    /// # Errors
    /// [`DatabaseError`]: what is there is damaged, of a newer argus, of another program, or may not be read.
    pub fn open(path: &Path) -> DatabaseResult<Option<Self>> {
        match fs::metadata(path) {
            Ok(_) => check_regular(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(DatabaseError::io("look at", path)(error)),
        }
        let failed = DatabaseError::sqlite(path);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(uri(path), flags).map_err(&failed)?;
        connection.busy_timeout(BUSY_WAIT).map_err(&failed)?;
        connection.pragma_update(None, "temp_store", "MEMORY").map_err(&failed)?;
        // One that was just made has no tables yet.
        let is_empty = match schema::origin(&connection, path)? {
            Origin::Empty => true,
            Origin::Argus(version) => version == 0,
        };
        Ok(Some(History { connection, path: path.to_owned(), is_empty }))
    }

    /// The changes that are asked for, the last ones, in the order in which they happened; of one collection, or
    /// of all.
    ///
    /// # Errors
    /// [`DatabaseError::Usage`]: `limit` is above [`CHANGES_MAX`], `since` is neither cursor nor age, or a
    /// cursor that is not kept any more.
    pub fn changes(
        &self,
        collection: Option<&str>,
        asked: &Asked,
        now_ms: u64,
    ) -> DatabaseResult<Changes> {
        let limit = asked.limit.unwrap_or(CHANGES_DEFAULT);
        if limit == 0 {
            let message = "a limit of 0 asks for nothing".to_owned();
            return Err(usage(message, format!("argus history --limit {CHANGES_DEFAULT}")));
        }
        if limit > CHANGES_MAX {
            let message =
                format!("{limit} changes at once are too many; at most {CHANGES_MAX} are answered");
            return Err(usage(message, format!("argus history --limit {CHANGES_MAX}")));
        }
        let since = asked.since.as_deref().map(Since::parse).transpose()?;
        if self.is_empty {
            return Ok(Changes::default());
        }
        self.select(collection, asked.id.as_deref(), since, limit, now_ms)
    }

    /// The last change of a record.
    ///
    /// # Errors
    /// [`DatabaseError`]: it could not be read.
    pub fn last(&self, collection: &str, id: &str) -> DatabaseResult<Option<Recorded>> {
        if self.is_empty {
            return Ok(None);
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM changes WHERE collection = ?1 AND id = ?2 ORDER BY seq DESC LIMIT 1"
        );
        self.connection
            .query_row(&sql, [collection, id], recorded)
            .optional()
            .map_err(DatabaseError::sqlite(&self.path))
    }

    fn select(
        &self,
        collection: Option<&str>,
        id: Option<&str>,
        since: Option<Since>,
        limit: u64,
        now_ms: u64,
    ) -> DatabaseResult<Changes> {
        let failed = DatabaseError::sqlite(&self.path);
        let (after, from) = match since {
            None => (0, 0),
            Some(Since::Age(age)) => {
                let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                (0, to_sql(now_ms.saturating_sub(age)))
            }
            Some(Since::Cursor(cursor)) => (self.place(collection, &cursor)?, 0),
        };
        // Only what is asked for is named, so that SQLite finds the index that fits.
        let mut sql = format!("SELECT {COLUMNS} FROM changes WHERE seq > ?1 AND at >= ?2");
        sql.push_str(if collection.is_some() { " AND collection = ?3" } else { " AND ?3 IS NULL" });
        sql.push_str(if id.is_some() { " AND id = ?4" } else { " AND ?4 IS NULL" });
        sql.push_str(" ORDER BY seq DESC");
        let mut statement = self.connection.prepare(&sql).map_err(&failed)?;
        let mut rows = statement.query(params![after, from, collection, id]).map_err(&failed)?;
        let mut changes = Changes::default();
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(&failed)? {
            let change = recorded(row).map_err(&failed)?;
            bytes += change_bytes(&change);
            let is_full = changes.changes.len() as u64 >= limit || bytes > ANSWER_BYTES_MAX;
            if is_full {
                changes.truncated = true;
                break;
            }
            changes.changes.push(change);
        }
        changes.changes.reverse();
        Ok(changes)
    }

    /// After which row what happened after a cursor begins. What happened at the cursor itself, or right after
    /// it, has to be there still, or nothing may have happened since.
    fn place(&self, collection: Option<&str>, cursor: &Cursor) -> DatabaseResult<i64> {
        let failed = DatabaseError::sqlite(&self.path);
        let seq = |what: &str, cursor: &Cursor| {
            let sql = format!(
                "SELECT {what}(seq) FROM changes WHERE cursor = ?1 AND (?2 IS NULL OR collection = ?2)"
            );
            let text = cursor.to_string();
            self.connection
                .query_row(&sql, params![text, collection], |row| row.get::<_, Option<i64>>(0))
        };
        if let Some(seq) = seq("max", cursor).map_err(&failed)? {
            return Ok(seq);
        }
        let next = Cursor { revision: cursor.revision.saturating_add(1), ..cursor.clone() };
        if let Some(next) = seq("min", &next).map_err(&failed)? {
            return Ok(next - 1);
        }
        let is_end: bool = self
            .connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM progress WHERE epoch = ?1 AND revision = ?2
                     AND (?3 IS NULL OR collection = ?3))",
                params![cursor.epoch, to_sql(cursor.revision), collection],
                |row| row.get(0),
            )
            .map_err(&failed)?;
        match is_end {
            true => Ok(i64::MAX),
            false => Err(usage(
                format!("what happened after `{cursor}` is not kept any more"),
                "ask by age: argus history --since 2h".to_owned(),
            )),
        }
    }
}

/// From when on changes are asked for.
enum Since {
    Cursor(Cursor),
    Age(Duration),
}

impl Since {
    fn parse(text: &str) -> DatabaseResult<Self> {
        if let Some(age) = argus_config::duration::parse(text) {
            return Ok(Since::Age(age));
        }
        text.parse().map(Since::Cursor).map_err(|_| {
            usage(
                format!("`{text}` is neither a cursor nor an age"),
                "give a cursor from an event, or an age like 90s, 15m, 2h, 1d".to_owned(),
            )
        })
    }
}

fn usage(message: String, hint: String) -> DatabaseError {
    DatabaseError::Usage(Error::new(Code::Usage, message).hint(hint))
}

/// The file as SQLite is to open it. Without a journal nobody has it open, and SQLite is told that nothing
/// changes: else it would make a journal to read it.
fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    let has_journal = fs::metadata(journal(path)).is_ok();
    uri.push_str(if has_journal { "?mode=ro" } else { "?mode=ro&immutable=1" });
    uri
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    let json = |column: usize| {
        let text: Option<String> = row.get(column)?;
        text.map(|text| JsonText::parse(&text).map_err(|error| wrong(column, error.to_string())))
            .transpose()
    };
    Ok(Recorded {
        cursor: row.get(0)?,
        at: from_sql(row.get(1)?),
        collection: row.get(2)?,
        id: row.get(3)?,
        kind: named(row, 4)?,
        reason: named(row, 5)?,
        before: json(6)?,
        after: json(7)?,
        evidence: json(8)?,
    })
}

/// One of the names that stand for a kind or a reason.
fn named<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let name: String = row.get(column)?;
    serde_json::from_value(Value::String(name)).map_err(|error| wrong(column, error.to_string()))
}

fn wrong(column: usize, problem: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, problem.into())
}

fn change_bytes(change: &Recorded) -> usize {
    let texts = [&change.before, &change.after, &change.evidence];
    let texts: usize = texts.into_iter().flatten().map(|text| text.as_str().len()).sum();
    texts + change.id.len() + change.collection.len() + change.cursor.len()
}
