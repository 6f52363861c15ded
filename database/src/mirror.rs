//! The table `tasks`: kept equal to the collection, except where somebody else has changed a row and is
//! right by the strategy.
//!
//! 1. The task in the registry and its folder are never changed from here.
//! 2. A row is written as a whole version or not at all: where its contents cannot be had it stays, and is
//!    tried again with the next change of the record and the next full comparison.
//! 3. A removed task stays as a row that is not enabled.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use argus_config::OnConflict;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params, params_from_iter};
use sha2::{Digest, Sha256};

use crate::batch::Batch;
use crate::conflict::{self, Hash, Sides, Winner};
use crate::number::{from_sql, to_sql};
use crate::registry::{Contents, Registry};
use crate::task::{TASKS, Task, Valid};

/// How often all rows are compared, also where nothing shows that one differs.
const FULL_EVERY: Duration = Duration::from_secs(300);

/// What is mirrored, in the order of the columns.
const FIELDS: [&str; 8] = [
    "version",
    "uuid",
    "checksum",
    "metadata",
    "script",
    "input_schema",
    "output_schema",
    "enabled",
];
const CHECKSUM: usize = 2;
/// Which of them stand in the folder and not in the record.
const CONTENTS: std::ops::Range<usize> = 3..7;
const ENABLED: usize = 7;

/// The values of a row, as text: SQLite makes a number of `enabled`.
type Values = [Option<String>; 8];

/// What is known of the mirror beside its rows.
pub(crate) struct Mirror {
    strategy: OnConflict,
    /// When all rows are to be compared next; `None` for now.
    full_at: Option<Instant>,
    /// What tells that another program has written the file.
    data_version: Option<i64>,
    /// What these become once what was prepared is in.
    prepared: Option<(bool, i64)>,
    kept: HashSet<(String, String)>,
}

/// What is to be compared, with what had to be read for it.
pub(crate) struct Prepared {
    tasks: Vec<(Task, Option<u64>)>,
    contents: HashMap<String, Contents>,
    is_full: bool,
}

/// A row as it is in the file.
struct Row {
    values: Values,
    changed_at: Option<u64>,
    synced_at: Option<i64>,
    base: [Option<Hash>; 8],
}

impl Prepared {
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Mirror {
    pub(crate) fn new(strategy: OnConflict) -> Self {
        Mirror { strategy, full_at: None, data_version: None, prepared: None, kept: HashSet::new() }
    }

    /// The file is another one, or was closed for a while.
    pub(crate) fn opened(&mut self) {
        self.full_at = None;
        self.data_version = None;
    }

    /// How many rows are not as the registry has it.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.len() as u64
    }

    /// Finds out which rows may differ, and reads what is needed of their folders: before the transaction,
    /// that holds up other programs.
    pub(crate) fn prepare(
        &mut self,
        connection: &Connection,
        batch: &Batch,
        registry: &impl Registry,
    ) -> Result<Prepared> {
        let data_version: i64 =
            connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        let is_full_due = self.full_at.is_none_or(|at| at <= Instant::now())
            || self.data_version.is_some_and(|version| version != data_version)
            || batch.compares.iter().any(|compare| &*compare.collection == TASKS);
        let state = if is_full_due { registry.state(TASKS) } else { None };
        let is_full = state.is_some();
        let tasks = match state {
            Some(state) => {
                let records: HashMap<_, _> = state.records.into_iter().collect();
                let mut tasks: Vec<_> = records
                    .iter()
                    .filter_map(|(id, version)| Task::read(id, &version.text))
                    .map(|task| (task, None))
                    .collect();
                for (source, name) in mirrored(connection)? {
                    let id = format!("{source}/{name}");
                    if !records.contains_key(id.as_str()) {
                        let removed_at = removed_at(connection, &id)?;
                        tasks.push((Task { id, source, name, record: None }, removed_at));
                    }
                }
                tasks
            }
            None => changed(batch),
        };
        let mut contents = HashMap::new();
        for (task, _) in &tasks {
            if let Some(record) = &task.record
                && needs_contents(read_row(connection, task)?.as_ref(), record)
                && let Some(found) = registry.contents(&task.id, &record.text)
                && found.checksum == record.checksum
            {
                contents.insert(task.id.clone(), found);
            }
        }
        self.prepared = Some((is_full || !is_full_due, data_version));
        if is_full {
            self.kept.clear();
        }
        Ok(Prepared { tasks, contents, is_full })
    }

    /// Writes the rows that differ.
    pub(crate) fn apply(
        &mut self,
        transaction: &Transaction<'_>,
        mut prepared: Prepared,
        now: u64,
    ) -> Result<()> {
        for (task, removed_at) in std::mem::take(&mut prepared.tasks) {
            let row = read_row(transaction, &task)?;
            match &task.record {
                Some(record) => {
                    let contents = prepared.contents.remove(&task.id);
                    if needs_contents(row.as_ref(), record) && contents.is_none() {
                        continue;
                    }
                    let registry = values(record, contents, row.as_ref());
                    self.settle(transaction, &task, row, registry, record.updated_at, now)?;
                }
                None => {
                    // Nothing is known of it any more but that it is gone.
                    let Some(row) = row else { continue };
                    let mut registry = row.values.clone();
                    registry[ENABLED] = Some("0".to_owned());
                    let removed_at = removed_at.unwrap_or(now);
                    self.settle_enabled(transaction, &task, row, registry, removed_at, now)?;
                }
            }
        }
        if prepared.is_full {
            self.full_at = Some(Instant::now() + FULL_EVERY);
        }
        Ok(())
    }

    /// What was prepared is in.
    pub(crate) fn written(&mut self) {
        if let Some((is_done, data_version)) = self.prepared.take()
            && is_done
        {
            self.data_version = Some(data_version);
        }
    }

    fn settle(
        &mut self,
        transaction: &Transaction<'_>,
        task: &Task,
        row: Option<Row>,
        registry: Values,
        registry_at: u64,
        now: u64,
    ) -> Result<()> {
        match row {
            None => insert(transaction, task, &registry, now),
            Some(row) => {
                let fields: Vec<usize> = (0..FIELDS.len()).collect();
                self.update(transaction, task, row, &registry, &fields, registry_at, now)
            }
        }
    }

    fn settle_enabled(
        &mut self,
        transaction: &Transaction<'_>,
        task: &Task,
        row: Row,
        registry: Values,
        registry_at: u64,
        now: u64,
    ) -> Result<()> {
        // A row that argus never wrote belongs to who did.
        if row.base[ENABLED].is_none() {
            return Ok(());
        }
        self.update(transaction, task, row, &registry, &[ENABLED], registry_at, now)
    }

    #[expect(clippy::too_many_arguments, reason = "both sides of a row, and when each was changed")]
    fn update(
        &mut self,
        transaction: &Transaction<'_>,
        task: &Task,
        row: Row,
        registry: &Values,
        fields: &[usize],
        registry_at: u64,
        now: u64,
    ) -> Result<()> {
        let sides: Vec<Sides> = fields
            .iter()
            .map(|&field| Sides {
                base: row.base[field],
                row: hash(row.values[field].as_deref()),
                registry: hash(registry[field].as_deref()),
            })
            .collect();
        let winners = conflict::decide(self.strategy, &sides, row.changed_at, registry_at);
        let key = (task.source.clone(), task.name.clone());
        let mut values = row.values.clone();
        let mut is_kept = false;
        for ((&field, winner), sides) in fields.iter().zip(&winners).zip(&sides) {
            match winner {
                Winner::Registry => values[field] = registry[field].clone(),
                Winner::Row => is_kept |= sides.row != sides.registry,
            }
        }
        match is_kept {
            true => self.kept.insert(key),
            false => self.kept.remove(&key),
        };
        let has_new_base = sides.iter().any(|sides| sides.base != Some(sides.registry));
        if values == row.values && !has_new_base {
            return Ok(());
        }
        // Its own changes are told from others' by this one, so it is another one each time.
        let synced_at =
            row.synced_at.map_or(to_sql(now), |at| to_sql(now).max(at.saturating_add(1)));
        let write =
            "UPDATE tasks SET version = ?1, uuid = ?2, checksum = ?3, metadata = ?4, script = ?5,
             input_schema = ?6, output_schema = ?7, enabled = ?8, synced_at = ?9
             WHERE source = ?10 AND name = ?11";
        let (is_written, now) = (values != row.values, now);
        let texts = values.into_iter().collect::<Vec<_>>();
        let mut statement = transaction.prepare(write)?;
        let bound = texts.into_iter().map(rusqlite::types::Value::from).chain([
            synced_at.into(),
            task.source.clone().into(),
            task.name.clone().into(),
        ]);
        statement.execute(params_from_iter(bound))?;
        // Where something of somebody else's stays, it stays theirs, and as old as it is.
        if is_written && !is_kept {
            transaction.execute(
                "UPDATE tasks SET changed_by = 'argus', changed_at = ?1 WHERE source = ?2 AND name = ?3",
                params![to_sql(now), task.source, task.name],
            )?;
        }
        for (&field, sides) in fields.iter().zip(&sides) {
            remember(transaction, task, field, sides.registry)?;
        }
        Ok(())
    }
}

fn insert(transaction: &Transaction<'_>, task: &Task, values: &Values, now: u64) -> Result<()> {
    let mut statement = transaction.prepare(
        "INSERT INTO tasks (version, uuid, checksum, metadata, script, input_schema, output_schema,
             enabled, source, name, changed_by, changed_at, synced_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'argus', ?11, ?11)",
    )?;
    let bound = values.iter().cloned().map(rusqlite::types::Value::from).chain([
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

fn remember(transaction: &Transaction<'_>, task: &Task, field: usize, hash: Hash) -> Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO synced (source, name, field, hash) VALUES (?1, ?2, ?3, ?4)",
            params![task.source, task.name, FIELDS[field], hash],
        )
        .map(drop)
}

/// The tasks that a batch is about, as they are after it.
fn changed(batch: &Batch) -> Vec<(Task, Option<u64>)> {
    let mut tasks = HashMap::new();
    for named in batch.entries.iter().filter(|named| &*named.collection == TASKS) {
        let entry = &named.entry;
        let task = match (&entry.after, &entry.before) {
            (Some(after), _) => Task::read(&entry.id, &after.text),
            (None, before) => Task::gone(&entry.id, before.as_ref().map(|before| &*before.text)),
        };
        match task {
            Some(task) => tasks.insert(entry.id.clone(), (task, Some(entry.at))),
            None => tasks.remove(&entry.id),
        };
    }
    tasks.into_values().collect()
}

/// What the registry has of a task. Where its contents were not needed they are what the row has.
fn values(record: &Valid, contents: Option<Contents>, row: Option<&Row>) -> Values {
    let mut values: Values = row.map(|row| row.values.clone()).unwrap_or_default();
    values[0] = Some(record.version.clone());
    values[1] = record.uuid.clone();
    values[CHECKSUM] = Some(record.checksum.clone());
    if let Some(contents) = contents {
        let Contents { metadata, script, input_schema, output_schema, .. } = contents;
        for (field, text) in CONTENTS.zip([metadata, script, input_schema, output_schema]) {
            values[field] = text;
        }
    }
    values[ENABLED] = Some("1".to_owned());
    values
}

/// Whether the row alone does not tell what the registry has: it is of another version, or somebody else has
/// changed it.
fn needs_contents(row: Option<&Row>, record: &Valid) -> bool {
    row.is_none_or(|row| {
        let checksum = Some(hash(Some(&record.checksum)));
        row.values[CHECKSUM].as_ref() != Some(&record.checksum)
            || row.base[CHECKSUM] != checksum
            || CONTENTS
                .into_iter()
                .any(|field| row.base[field] != Some(hash(row.values[field].as_deref())))
    })
}

fn read_row(connection: &Connection, task: &Task) -> Result<Option<Row>> {
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

/// The tasks that argus has a row of.
fn mirrored(connection: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT DISTINCT source, name FROM synced")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// When a task was removed, as far as that is known.
fn removed_at(connection: &Connection, id: &str) -> Result<Option<u64>> {
    let at: Option<i64> = connection
        .query_row(
            "SELECT changes.at FROM latest JOIN changes ON changes.seq = latest.seq
             WHERE latest.collection = ?1 AND latest.id = ?2",
            [TASKS, id],
            |row| row.get(0),
        )
        .optional()?;
    Ok(at.map(from_sql))
}

fn hash(value: Option<&str>) -> Hash {
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
