//! A row of `tasks`, and what both sides knew last of its fields.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params, params_from_iter};
use sha2::{Digest, Sha256};

use crate::conflict::Hash;
use crate::number::{from_sql, to_sql};
use crate::task::Task;

/// What is mirrored, in the order of the columns.
pub(crate) const FIELDS: [&str; 8] = [
    "version",
    "uuid",
    "checksum",
    "metadata",
    "script",
    "input_schema",
    "output_schema",
    "enabled",
];
pub(crate) const CHECKSUM: usize = 2;
/// Which of them stand in the folder and not in the record.
pub(crate) const CONTENTS: std::ops::Range<usize> = 3..7;
pub(crate) const ENABLED: usize = 7;

/// The values of a row, as text: SQLite makes a number of `enabled`.
pub(crate) type Values = [Option<String>; 8];

/// A row as it is in the file.
pub(crate) struct Row {
    pub(crate) values: Values,
    /// When somebody last changed it.
    pub(crate) changed_at: Option<u64>,
    synced_at: Option<i64>,
    /// What both sides knew last; `None` where argus never wrote it.
    pub(crate) base: [Option<Hash>; 8],
}

impl Row {
    /// The row of a task.
    pub(crate) fn read(connection: &Connection, task: &Task) -> Result<Option<Self>> {
        let row = connection
            .query_row(
                "SELECT version, uuid, checksum, metadata, script, input_schema, output_schema, enabled,
                     changed_at, synced_at
                 FROM tasks WHERE source = ?1 AND name = ?2",
                params![task.source, task.name],
                |row| {
                    let mut values = Values::default();
                    for (field, value) in values.iter_mut().enumerate() {
                        *value = text(row.get_ref(field)?);
                    }
                    let number = |column| match row.get_ref(column)? {
                        ValueRef::Integer(number) => Ok(Some(number)),
                        _ => Ok::<_, rusqlite::Error>(None),
                    };
                    let changed_at = number(8)?.map(from_sql);
                    Ok(Row { values, changed_at, synced_at: number(9)?, base: [None; 8] })
                },
            )
            .optional()?;
        let Some(mut row) = row else { return Ok(None) };
        let mut statement =
            connection.prepare("SELECT field, hash FROM synced WHERE source = ?1 AND name = ?2")?;
        let mut known = statement.query(params![task.source, task.name])?;
        while let Some(synced) = known.next()? {
            let name: String = synced.get(0)?;
            if let Some(field) = FIELDS.iter().position(|field| *field == name) {
                row.base[field] = synced.get(1)?;
            }
        }
        Ok(Some(row))
    }

    /// Writes these values. `is_argus` says that they are all of the registry; else something of
    /// somebody else's stays, and so it stays theirs, and as old as it is.
    pub(crate) fn write(
        &self,
        transaction: &Transaction<'_>,
        task: &Task,
        values: Values,
        is_argus: bool,
        now: u64,
    ) -> Result<()> {
        let is_changed = values != self.values;
        // argus' own changes are told from others' by this one, so it is another one each time.
        let now = to_sql(now);
        let synced_at = self.synced_at.map_or(now, |at| now.max(at.saturating_add(1)));
        let mut statement = transaction.prepare(
            "UPDATE tasks SET version = ?1, uuid = ?2, checksum = ?3, metadata = ?4, script = ?5,
                 input_schema = ?6, output_schema = ?7, enabled = ?8, synced_at = ?9
             WHERE source = ?10 AND name = ?11",
        )?;
        let key = [task.source.clone().into(), task.name.clone().into()];
        let values = values.into_iter().map(Value::from);
        statement.execute(params_from_iter(values.chain([synced_at.into()]).chain(key)))?;
        if is_changed && is_argus {
            transaction.execute(
                "UPDATE tasks SET changed_by = 'argus', changed_at = ?1 WHERE source = ?2 AND name = ?3",
                params![now, task.source, task.name],
            )?;
        }
        Ok(())
    }
}

/// Writes the first row of a task.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    task: &Task,
    values: &Values,
    now: u64,
) -> Result<()> {
    let mut statement = transaction.prepare(
        "INSERT INTO tasks (version, uuid, checksum, metadata, script, input_schema, output_schema,
             enabled, source, name, changed_by, changed_at, synced_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'argus', ?11, ?11)",
    )?;
    let bound = values.iter().cloned().map(Value::from).chain([
        task.source.clone().into(),
        task.name.clone().into(),
        to_sql(now).into(),
    ]);
    statement.execute(params_from_iter(bound))?;
    for (field, value) in values.iter().enumerate() {
        remember(transaction, task, field, hash(value.as_deref()))?;
    }
    Ok(())
}

/// Keeps what both sides know of a field from now on.
pub(crate) fn remember(
    transaction: &Transaction<'_>,
    task: &Task,
    field: usize,
    hash: Hash,
) -> Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO synced (source, name, field, hash) VALUES (?1, ?2, ?3, ?4)",
            params![task.source, task.name, FIELDS[field], hash],
        )
        .map(drop)
}

/// Whatever somebody else has put there, as text.
fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

/// What is compared of a value.
pub(crate) fn hash(value: Option<&str>) -> Hash {
    let mut hasher = Sha256::new();
    match value {
        None => hasher.update([0]),
        Some(value) => {
            hasher.update([1]);
            hasher.update(value);
        }
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(&hasher.finalize()[..16]);
    hash
}
