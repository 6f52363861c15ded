//! The table `tasks`: kept equal to the collection, except where somebody else has changed a row and is
//! right by the strategy.
//!
//! 1. The task in the registry and its folder are never changed from here.
//! 2. A row is written as a whole version or not at all: where its contents cannot be had it stays, and is
//!    tried again with the next change of the record and the next full comparison.
//! 3. A removed task stays as a row that is not enabled.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use argus_config::OnConflict;
use rusqlite::{Connection, OptionalExtension, Result, Transaction};

use crate::batch::Batch;
use crate::conflict::{self, Sides, Winner};
use crate::number::from_sql;
use crate::registry::{Contents, Registry};
use crate::row::{self, CHECKSUM, CONTENTS, ENABLED, FIELDS, Row, Values, hash};
use crate::task::{TASKS, Task, Valid};

/// How often all rows are compared, also where nothing shows that one differs.
const FULL_EVERY: Duration = Duration::from_secs(300);

/// What is known of the mirror beside its rows.
pub(crate) struct Mirror {
    strategy: OnConflict,
    /// When all rows are to be compared next; `None` for now.
    full_at: Option<Instant>,
    /// What tells that another program has written the file.
    data_version: Option<i64>,
    /// What was seen when something was prepared that is not in yet.
    prepared: Option<Seen>,
    kept: HashSet<(String, String)>,
}

/// What was seen when something was prepared.
struct Seen {
    is_full: bool,
    is_full_due: bool,
    data_version: i64,
}

/// What is to be compared, with what had to be read for it.
pub(crate) struct Prepared {
    tasks: Vec<(Task, Option<u64>)>,
    contents: HashMap<String, Contents>,
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
                && needs_contents(Row::read(connection, task)?.as_ref(), record)
                && let Some(found) = registry.contents(&task.id, &record.text)
                && found.checksum == record.checksum
            {
                contents.insert(task.id.clone(), found);
            }
        }
        self.prepared = Some(Seen { is_full, is_full_due, data_version });
        if is_full {
            self.kept.clear();
        }
        Ok(Prepared { tasks, contents })
    }

    /// Writes the rows that differ.
    pub(crate) fn apply(
        &mut self,
        transaction: &Transaction<'_>,
        prepared: Prepared,
        now: u64,
    ) -> Result<()> {
        let Prepared { tasks, mut contents } = prepared;
        for (task, removed_at) in tasks {
            let row = Row::read(transaction, &task)?;
            let at = removed_at.unwrap_or(now);
            let (registry, fields, at) = match (&task.record, &row) {
                (Some(record), row) => {
                    let contents = contents.remove(&task.id);
                    if contents.is_none() && needs_contents(row.as_ref(), record) {
                        continue;
                    }
                    (values(record, contents, row.as_ref()), 0..FIELDS.len(), record.updated_at)
                }
                // Nothing is known of it any more but that it is gone; or that it never was there, where
                // somebody else has put the row in.
                (None, Some(row)) => {
                    let mut values = row.values.clone();
                    values[ENABLED] = Some("0".to_owned());
                    let at = if row.base[ENABLED].is_some() { at } else { 0 };
                    (values, ENABLED..ENABLED + 1, at)
                }
                (None, None) => continue,
            };
            match row {
                None => row::insert(transaction, &task, &registry, now)?,
                Some(row) => self.settle(Disagreement {
                    transaction,
                    task: &task,
                    row: &row,
                    registry,
                    fields,
                    registry_at: at,
                    now,
                })?,
            }
        }
        Ok(())
    }

    /// What was prepared is in.
    pub(crate) fn written(&mut self) {
        let Some(seen) = self.prepared.take() else { return };
        if seen.is_full {
            self.full_at = Some(Instant::now() + FULL_EVERY);
        }
        if seen.is_full || !seen.is_full_due {
            self.data_version = Some(seen.data_version);
        }
    }

    /// Brings a row to where the strategy says that it belongs.
    fn settle(&mut self, disagreement: Disagreement<'_>) -> Result<()> {
        let Disagreement { transaction, task, row, registry, fields, registry_at, now } =
            disagreement;
        let sides: Vec<Sides> = fields.clone().map(|field| sides(row, &registry, field)).collect();
        let mut winners = conflict::decide(self.strategy, &sides, row.changed_at, registry_at);
        // Whether a task is there is the registry's to say, unless somebody else has said so in the row: a
        // row that is otherwise theirs would stay disabled when its task comes back.
        if let Some(enabled) = fields.clone().position(|field| field == ENABLED)
            && !sides[enabled].is_changed_in_row()
        {
            winners[enabled] = Winner::Registry;
        }
        let mut values = row.values.clone();
        let mut is_kept = false;
        for ((field, winner), sides) in fields.clone().zip(&winners).zip(&sides) {
            match winner {
                Winner::Registry => values[field] = registry[field].clone(),
                Winner::Row => is_kept |= sides.row != sides.registry,
            }
        }
        let key = (task.source.clone(), task.name.clone());
        match is_kept {
            true => self.kept.insert(key),
            false => self.kept.remove(&key),
        };
        let has_new_base = sides.iter().any(|sides| sides.base != Some(sides.registry));
        if values == row.values && !has_new_base {
            return Ok(());
        }
        let is_of_others = |field: usize| {
            !fields.contains(&field) && row.base[field] != Some(hash(row.values[field].as_deref()))
        };
        let is_own = !is_kept && !(0..FIELDS.len()).any(is_of_others);
        row.write(transaction, task, values, is_own, now)?;
        for (field, sides) in fields.zip(&sides) {
            row::remember(transaction, task, field, sides.registry)?;
        }
        Ok(())
    }
}

/// A row, and what the registry has of its task.
struct Disagreement<'a> {
    transaction: &'a Transaction<'a>,
    task: &'a Task,
    row: &'a Row,
    registry: Values,
    /// Which fields the registry knows.
    fields: Range<usize>,
    /// When the registry's were changed.
    registry_at: u64,
    now: u64,
}

fn sides(row: &Row, registry: &Values, field: usize) -> Sides {
    Sides {
        base: row.base[field],
        row: hash(row.values[field].as_deref()),
        registry: hash(registry[field].as_deref()),
    }
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

/// The tasks that there is a row of, or was.
fn mirrored(connection: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = connection
        .prepare("SELECT source, name FROM synced UNION SELECT source, name FROM tasks")?;
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
