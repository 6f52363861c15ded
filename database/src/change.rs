//! Writing changes: a row each in `changes`, and what is known last of each record in `latest`.

use std::borrow::Cow;
use std::collections::HashMap;

use argus_proto::cursor::Cursor;
use rusqlite::{Connection, OptionalExtension, Result, Statement, Transaction, params};

use crate::batch::{Batch, Compare, Named};
use crate::number::{from_sql, to_sql};
use crate::registry::{Version, kind};
use crate::secret::Salt;

/// Writes changes into the tables of a transaction.
struct Recorder<'t> {
    change: Statement<'t>,
    latest: Statement<'t>,
    salt: &'t Salt,
    rows: u64,
}

/// Writes what a batch says of changes, and up to where that is. Tells how many rows that made.
pub(crate) fn record(
    transaction: &Transaction<'_>,
    batch: &Batch,
    salt: &Salt,
    now: u64,
) -> Result<u64> {
    let mut recorder = Recorder {
        change: transaction.prepare(
            "INSERT INTO changes (cursor, at, collection, id, kind, reason, before, after, evidence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?,
        latest: transaction.prepare(
            "INSERT INTO latest (collection, id, etag, seq) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (collection, id) DO UPDATE SET etag = excluded.etag, seq = excluded.seq",
        )?,
        salt,
        rows: 0,
    };
    for compare in &batch.compares {
        recorder.compare(transaction, compare, now)?;
    }
    for named in &batch.entries {
        recorder.entry(transaction, named)?;
    }
    let mut progress = transaction.prepare(
        "INSERT INTO progress (collection, epoch, revision) VALUES (?1, ?2, ?3)
         ON CONFLICT (collection) DO UPDATE SET epoch = excluded.epoch, revision = excluded.revision",
    )?;
    for (collection, place) in &batch.places {
        progress.execute(params![&**collection, place.epoch, to_sql(place.revision)])?;
    }
    Ok(recorder.rows)
}

/// Up to where each collection is written.
pub(crate) fn progress(connection: &Connection) -> Result<HashMap<String, Cursor>> {
    let mut statement = connection.prepare("SELECT collection, epoch, revision FROM progress")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, Cursor { epoch: row.get(1)?, revision: from_sql(row.get(2)?) }))
    })?;
    rows.collect()
}

/// A row of `changes` but for where it belongs.
struct Row<'a> {
    at: u64,
    id: &'a str,
    reason: &'a str,
    was_there: bool,
    before: Option<String>,
    after: Option<&'a Version>,
    evidence: Option<&'a str>,
}

impl Recorder<'_> {
    fn entry(&mut self, transaction: &Transaction<'_>, named: &Named) -> Result<()> {
        let entry = &named.entry;
        let before = entry.before.as_ref().map(|before| self.shown(named.is_secret, &before.text));
        let row = Row {
            at: entry.at,
            id: &entry.id,
            reason: entry.reason.name(),
            was_there: before.is_some(),
            before,
            after: entry.after.as_ref(),
            evidence: entry.evidence.as_deref(),
        };
        self.write(transaction, &named.collection, &entry.cursor, named.is_secret, row)
    }

    /// Writes a change for each record that is not as it was known last.
    fn compare(
        &mut self,
        transaction: &Transaction<'_>,
        compare: &Compare,
        now: u64,
    ) -> Result<()> {
        let known = known(transaction, &compare.collection)?;
        let at = compare.at_most.map_or(now, |at| at.min(now));
        let mut ids: Vec<&str> = compare.records.keys().map(|id| &**id).collect();
        ids.extend(
            known.keys().map(String::as_str).filter(|id| !compare.records.contains_key(*id)),
        );
        ids.sort_unstable();
        for id in ids {
            let (was, is) = (known.get(id), compare.records.get(id));
            let etag = is.map(|version| self.etag(compare.is_secret, &version.etag));
            if was.map(|(etag, _)| &**etag) == etag.as_deref() {
                continue;
            }
            let row = Row {
                at,
                id,
                reason: compare.gap.reason.name(),
                was_there: was.is_some(),
                before: match was {
                    Some((_, seq)) => after(transaction, *seq)?,
                    None => None,
                },
                after: is,
                evidence: compare.gap.evidence.as_deref(),
            };
            let Compare { collection, cursor, is_secret, .. } = compare;
            self.write(transaction, collection, cursor, *is_secret, row)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        transaction: &Transaction<'_>,
        collection: &str,
        cursor: &Cursor,
        is_secret: bool,
        row: Row<'_>,
    ) -> Result<()> {
        let after = row.after.map(|after| self.shown(is_secret, &after.text));
        self.change.execute(params![
            cursor.to_string(),
            to_sql(row.at),
            collection,
            row.id,
            kind(row.was_there, row.after.is_some()).name(),
            row.reason,
            row.before,
            after,
            row.evidence,
        ])?;
        let seq = transaction.last_insert_rowid();
        let etag = row.after.map(|after| self.etag(is_secret, &after.etag));
        self.latest.execute(params![collection, row.id, etag, seq])?;
        self.rows += 1;
        Ok(())
    }

    /// An etag is a hash of the record that anybody can make of a guess.
    fn etag<'v>(&self, is_secret: bool, etag: &'v str) -> Cow<'v, str> {
        if is_secret { self.salt.hash(etag).into() } else { etag.into() }
    }

    fn shown(&self, is_secret: bool, text: &str) -> String {
        if is_secret { self.salt.hide(text) } else { text.to_owned() }
    }
}

/// The etag of each record that is there as far as is known, and the change that made it so.
fn known(connection: &Connection, collection: &str) -> Result<HashMap<String, (String, i64)>> {
    let mut statement = connection
        .prepare("SELECT id, etag, seq FROM latest WHERE collection = ?1 AND etag IS NOT NULL")?;
    let rows =
        statement.query_map([collection], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    rows.collect()
}

fn after(connection: &Connection, seq: i64) -> Result<Option<String>> {
    let after = connection
        .query_row("SELECT after FROM changes WHERE seq = ?1", [seq], |row| row.get(0))
        .optional()?;
    Ok(after.flatten())
}
