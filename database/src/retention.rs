//! How long changes are kept: for [`KEPT_AGE`] and up to [`KEPT_ROWS_MAX`] of them.
//!
//! The last change of a record that is still there is kept whatever its age: it says why the record is there.

use std::time::Duration;

use rusqlite::{Connection, Result, params};

use crate::number::to_sql;

/// How long a change is kept.
pub const KEPT_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How many changes are kept.
pub const KEPT_ROWS_MAX: u64 = 100_000;

/// The most rows that go at once, so that nothing waits for long.
const STEP_ROWS_MAX: u64 = 2_000;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) age: Duration,
    pub(crate) rows: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { age: KEPT_AGE, rows: KEPT_ROWS_MAX }
    }
}

/// What says of a change that it may go.
const MAY_GO: &str =
    "NOT EXISTS (SELECT 1 FROM latest WHERE latest.seq = changes.seq AND latest.etag IS NOT NULL)";

/// Removes changes that are too old or too many, in one step. Tells whether there may be more.
pub(crate) fn sweep(connection: &Connection, limits: Limits, now: u64) -> Result<bool> {
    let age = u64::try_from(limits.age.as_millis()).unwrap_or(u64::MAX);
    let oldest = to_sql(now.saturating_sub(age));
    let step = to_sql(STEP_ROWS_MAX);
    let old = connection.execute(
        &format!(
            "DELETE FROM changes WHERE seq IN
             (SELECT seq FROM changes WHERE at < ?1 AND {MAY_GO} ORDER BY at LIMIT ?2)"
        ),
        params![oldest, step],
    )?;
    let rows: i64 = connection.query_row("SELECT count(*) FROM changes", [], |row| row.get(0))?;
    let surplus = rows.saturating_sub(to_sql(limits.rows)).clamp(0, step);
    let many = match surplus {
        0 => 0,
        _ => connection.execute(
            &format!(
                "DELETE FROM changes WHERE seq IN
                 (SELECT seq FROM changes WHERE {MAY_GO} ORDER BY seq LIMIT ?1)"
            ),
            [surplus],
        )?,
    };
    if old + many > 0 {
        connection.execute(
            "DELETE FROM latest WHERE etag IS NULL
             AND NOT EXISTS (SELECT 1 FROM changes WHERE changes.seq = latest.seq)",
            [],
        )?;
    }
    let step = usize::try_from(STEP_ROWS_MAX).unwrap_or(usize::MAX);
    Ok(old >= step || many >= step)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::schema;

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    fn with(changes: &[(i64, &str, Option<&str>)]) -> Connection {
        let mut connection = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut connection, Path::new("db")).expect("empty");
        for (at, id, etag) in changes {
            connection
                .execute(
                    "INSERT INTO changes (cursor, at, collection, id, kind, reason)
                     VALUES ('e:1', ?1, 'c', ?2, 'updated', 'put')",
                    params![at, id],
                )
                .expect("ours");
            connection
                .execute(
                    "INSERT OR REPLACE INTO latest (collection, id, etag, seq) VALUES ('c', ?1, ?2, ?3)",
                    params![id, etag, connection.last_insert_rowid()],
                )
                .expect("ours");
        }
        connection
    }

    fn left(connection: &Connection) -> Vec<i64> {
        let mut statement =
            connection.prepare("SELECT seq FROM changes ORDER BY seq").expect("ours");
        let rows = statement.query_map([], |row| row.get(0)).expect("ours");
        rows.collect::<Result<_>>().expect("numbers")
    }

    #[test]
    fn what_is_old_goes_but_for_the_last_change_of_what_is_there() {
        let connection = with(&[
            (1, "there", Some("a")),
            (2, "there", Some("b")),
            (3, "gone", Some("a")),
            (4, "gone", None),
            (31 * DAY_MS, "new", None),
        ]);
        let now = 32 * DAY_MS as u64;
        assert!(!sweep(&connection, Limits::default(), now).expect("ours"));
        assert_eq!(left(&connection), [2, 5]);
        let latest: i64 = connection
            .query_row("SELECT count(*) FROM latest", [], |row| row.get(0))
            .expect("ours");
        assert_eq!(latest, 2);
    }

    #[test]
    fn what_is_too_much_goes_step_by_step_the_oldest_first() {
        let many = STEP_ROWS_MAX as usize + 500;
        let mut changes = vec![(1, "there", Some("a"))];
        changes.resize(1 + many, (2, "busy", Some("b")));
        let connection = with(&changes);
        let limits = Limits { rows: 10, ..Limits::default() };
        assert!(sweep(&connection, limits, 3).expect("ours"));
        assert_eq!(left(&connection).len(), 1 + 500);
        assert!(!sweep(&connection, limits, 3).expect("ours"));
        let last = 1 + many as i64;
        let expected: Vec<i64> = std::iter::once(1).chain(last - 8..=last).collect();
        assert_eq!(left(&connection), expected);
    }
}
