//! The tables, and how an older file gets them.
//!
//! `tasks` and `changes` are for other programs, the rest is argus' own. `PRAGMA user_version` counts the
//! migrations that a file has had.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::error::{DatabaseError, DatabaseResult};
use crate::secret::Salt;

/// What SQLite's `application_id` of our files is: `argu`.
pub(crate) const APPLICATION_ID: i64 = 0x6172_6775;

/// Each leads from one version to the next. What was published is never edited.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// The version that this program writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// How long the key of the hashes is.
const SALT_BYTES: usize = 32;

/// What a file says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// There is nothing in it.
    Empty,
    /// Ours, of this version or an older one.
    Argus(i64),
}

/// Looks whose file it is, and changes nothing.
///
/// # Errors
/// [`DatabaseError::Newer`] and [`DatabaseError::Foreign`]: it is not to be touched.
pub(crate) fn origin(connection: &Connection, path: &Path) -> DatabaseResult<Origin> {
    let failed = DatabaseError::sqlite(path);
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(&failed)?;
    let version = pragma("user_version").map_err(&failed)?;
    if application == APPLICATION_ID {
        return match version {
            version if version > VERSION => {
                Err(DatabaseError::Newer { path: path.to_owned(), version, known: VERSION })
            }
            version => Ok(Origin::Argus(version)),
        };
    }
    let something: Option<i64> = connection
        .query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |row| row.get(0))
        .optional()
        .map_err(&failed)?;
    if application == 0 && version == 0 && something.is_none() {
        return Ok(Origin::Empty);
    }
    Err(DatabaseError::Foreign { path: path.to_owned() })
}

/// Brings a file to the version of this program, a transaction a step.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> DatabaseResult<()> {
    migrate_with(connection, path, MIGRATIONS)
}

fn migrate_with(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
) -> DatabaseResult<()> {
    let failed = DatabaseError::sqlite(path);
    loop {
        let step = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        // Asked again in each transaction: another process may have been here meanwhile.
        let version: i64 =
            step.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(&failed)?;
        let index = usize::try_from(version).unwrap_or_default();
        let Some(migration) = migrations.get(index) else { return Ok(()) };
        step.execute_batch(migration).map_err(&failed)?;
        if index == 0 {
            step.pragma_update(None, "application_id", APPLICATION_ID).map_err(&failed)?;
            let mut salt = vec![0; SALT_BYTES];
            getrandom::fill(&mut salt).map_err(|error| DatabaseError::Io {
                operation: "get random bytes for",
                path: path.to_owned(),
                source: std::io::Error::other(error.to_string()),
            })?;
            step.execute("INSERT INTO meta (key, value) VALUES ('salt', ?1)", [salt])
                .map_err(&failed)?;
        }
        step.pragma_update(None, "user_version", version + 1).map_err(&failed)?;
        step.commit().map_err(&failed)?;
    }
}

/// What the hashes of this file are keyed with.
pub(crate) fn salt(connection: &Connection, path: &Path) -> DatabaseResult<Salt> {
    connection
        .query_row("SELECT value FROM meta WHERE key = 'salt'", [], |row| row.get(0))
        .map(Salt)
        .map_err(|error| match error {
            // Hashes under another key would match none that are there.
            rusqlite::Error::QueryReturnedNoRows => DatabaseError::Damaged {
                path: path.to_owned(),
                problem: "the key of its hashes is gone".to_owned(),
            },
            other => DatabaseError::sqlite(path)(other),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("ours")
    }

    #[test]
    fn an_older_file_is_brought_up_step_by_step_and_keeps_what_it_holds() {
        let path = Path::new("db");
        let mut connection = Connection::open_in_memory().expect("memory");
        migrate(&mut connection, path).expect("empty");
        assert_eq!(version(&connection), VERSION);
        let key = salt(&connection, path).expect("made").0;
        connection
            .execute("INSERT INTO progress (collection, epoch, revision) VALUES ('c','e',7)", [])
            .expect("ours");
        let with_next = [MIGRATIONS, &["ALTER TABLE progress ADD COLUMN more TEXT"]].concat();
        migrate_with(&mut connection, path, &with_next).expect("known");
        assert_eq!(version(&connection), VERSION + 1);
        let kept: (i64, Option<String>) = connection
            .query_row("SELECT revision, more FROM progress", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("kept");
        assert_eq!(kept, (7, None));
        assert_eq!(salt(&connection, path).expect("kept").0, key);
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_and_the_tables_before_it() {
        let path = Path::new("db");
        let mut connection = Connection::open_in_memory().expect("memory");
        let broken = [MIGRATIONS, &["CREATE TABLE half (a); SELECT no_such_function()"]].concat();
        migrate_with(&mut connection, path, &broken).expect_err("broken");
        assert_eq!(version(&connection), VERSION);
        connection.prepare("SELECT * FROM half").expect_err("rolled back");
    }

    #[test]
    fn a_newer_file_and_one_of_another_program_are_told() {
        let path = Path::new("db");
        let mut connection = Connection::open_in_memory().expect("memory");
        assert_eq!(origin(&connection, path).expect("empty"), Origin::Empty);
        migrate(&mut connection, path).expect("empty");
        assert_eq!(origin(&connection, path).expect("ours"), Origin::Argus(VERSION));
        connection.pragma_update(None, "user_version", VERSION + 1).expect("writable");
        let error = origin(&connection, path).expect_err("newer");
        assert!(matches!(error, DatabaseError::Newer { .. }), "{error}");
        let other = Connection::open_in_memory().expect("memory");
        other.execute_batch("CREATE TABLE theirs (a)").expect("writable");
        let error = origin(&other, path).expect_err("not ours");
        assert!(matches!(error, DatabaseError::Foreign { .. }), "{error}");
    }
}
