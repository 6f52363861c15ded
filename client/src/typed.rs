//! A collection whose records are values of a type of the program's own.
//!
//! 1. A change is made on top of what was read, or not at all: it says which etag it expects, and is
//!    made anew where that is another by now.
//! 2. A change holds what differs and nothing else. So a key that the type does not know stays as it
//!    is, to the letter.
//! 3. One record that is no such value hides no other.

use std::marker::PhantomData;
use std::time::Duration;

use argus_proto::error::{Code, Error, Result};
use argus_proto::json::{JsonText, Object};
use argus_proto::method::{Found, List, Listed, Patch, Put, Remove, Subscribe, Warning, Written};
use argus_proto::precondition::Precondition;
use argus_proto::record::Damage;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::mirror::Mirror;

/// How often a change is begun, at most, where somebody else changes the record each time.
const ATTEMPTS_MAX: u32 = 40;
/// The longest pause between two attempts: at most the first after one, twice as long each time.
const PAUSE: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// One collection, its records as values of type `T`. Cheap to clone; all share the connection of
/// the [`Client`] that gave it.
///
/// `T` says how its fields are called in the record (`serde`), and which of them it needs; a record
/// may have more. Those are kept by every change but [`Collection::replace`], inside of objects too,
/// though not inside of arrays: an array that differs is written whole. To a change a field that is
/// `null` and one that is missing are the same.
///
/// ```no_run
/// use argus_client::Client;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Machine {
///     r#type: String,
///     #[serde(default)]
///     host: String,
/// }
///
/// # async fn example() -> argus_client::Result<()> {
/// let machines = Client::from_env()?.collection::<Machine>("machines");
/// machines.add("box", &Machine { r#type: "ssh".into(), host: "box.lan".into() }).await?;
/// machines.update("box", |machine| machine.host = "box.home".into()).await?;
/// for machine in machines.list().await?.entries {
///     println!("{} is at {}", machine.id, machine.value.host);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Collection<T> {
    client: Client,
    values: PhantomData<fn() -> T>,
}

/// A record of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// Its id.
    pub id: String,
    /// What it holds, as far as the type knows it.
    pub value: T,
    /// The hash of all that it holds, for [`Collection::put_if`] and [`Collection::remove_if`].
    pub etag: String,
}

/// A record that is no value of the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Its id.
    pub id: String,
    /// Why, and where in the record: `E_INVALID` with `path` in its details.
    pub error: Error,
    /// The hash of what it holds.
    pub etag: String,
}

/// The records of a collection, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// Those that are values of the type.
    pub entries: Vec<Entry<T>>,
    /// Those that are not.
    pub invalid: Vec<Invalid>,
    /// What is wrong with the file: then this is what there is instead.
    pub warnings: Vec<Warning>,
}

impl<T> Collection<T> {
    pub(crate) fn new(client: Client) -> Self {
        Collection { client, values: PhantomData }
    }

    /// The client for this collection: for its records as they are, and for events.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Collection::new(self.client.clone())
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync> Collection<T> {
    /// One record; `None` where there is none.
    ///
    /// # Errors
    /// `E_INVALID` with the `path` in the record where it is no `T`; and what every read can meet:
    /// `E_IO`, `E_PERMISSION`, `E_UNREACHABLE`, `E_CORRUPT`.
    pub async fn get(&self, id: &str) -> Result<Option<Entry<T>>> {
        self.found(id).await?.map(|found| self.entry(id, found)).transpose()
    }

    /// All records, and beside them those that are no `T`.
    ///
    /// # Errors
    /// What every read can meet.
    pub async fn list(&self) -> Result<Listing<T>> {
        let listing = self.client.list(List::default()).await?;
        let mut entries = Vec::with_capacity(listing.records.len());
        let mut invalid = Vec::new();
        for Listed { id, record, etag, .. } in listing.records {
            match read(&id, &record) {
                Ok(value) => entries.push(Entry { id, value, etag }),
                Err(error) => invalid.push(Invalid { id, error, etag }),
            }
        }
        Ok(Listing { entries, invalid, warnings: listing.warnings })
    }

    /// Adds a record where there is none.
    ///
    /// # Errors
    /// `E_CONFLICT` where there is one; `E_INVALID` with the `path` for a value that the collection
    /// does not take; and what every change can meet, see [`Client::announce`].
    pub async fn add(&self, id: &str, value: &T) -> Result<Written> {
        let value = text_of(&object_of(value)?);
        self.client.put(Put { if_absent: true, ..Put::new(id, value) }).await
    }

    /// Makes a record this value, and adds it where there is none. What the value does not know of
    /// the record is kept.
    ///
    /// # Errors
    /// `E_INVALID` with the `path` where there is something that is no `T`, so that nobody can say
    /// what of it to keep ([`Collection::replace`] keeps nothing), or where the collection does not take
    /// the value. `E_CONFLICT` where others change the record all the time. What every change can
    /// meet, see [`Client::announce`].
    pub async fn put(&self, id: &str, value: &T) -> Result<Written> {
        let value = object_of(value)?;
        let mut attempts = Attempts::default();
        loop {
            let written = match self.found(id).await? {
                Some(found) => self.put_over(found, id, &value).await,
                None => {
                    let patch = Patch::new(id, text_of(&value));
                    self.client.patch(Patch { if_absent: true, ..patch }).await
                }
            };
            match written {
                Ok(written) => return Ok(written),
                Err(error) => attempts.again_after(error).await?,
            }
        }
    }

    /// As [`Collection::put`], if what the record holds still has this etag.
    ///
    /// # Errors
    /// As there; `E_CONFLICT` where the record is another or gone.
    pub async fn put_if(&self, id: &str, value: &T, etag: &str) -> Result<Written> {
        let value = object_of(value)?;
        let found = self.found(id).await?;
        Precondition::Match(etag).check(id, found.as_ref().map(|found| &*found.etag))?;
        let found = found.ok_or_else(|| Error::not_found(&self.client.description().name, id))?;
        self.put_over(found, id, &value).await
    }

    /// Makes a record this value and nothing else, whatever it was; adds it where there is none.
    ///
    /// # Errors
    /// `E_CONFLICT` where the record is protected; `E_INVALID` with the `path` for a value that the
    /// collection does not take; and what every change can meet, see [`Client::announce`].
    pub async fn replace(&self, id: &str, value: &T) -> Result<Written> {
        self.client.put(Put::new(id, text_of(&object_of(value)?))).await
    }

    /// Changes a record: reads it, lets `change` change it, and writes what differs, if nobody else
    /// has changed the record meanwhile. Else all of it begins anew, so `change` may be called several
    /// times, each time with what is there by then. Where it changes nothing, nothing is written.
    ///
    /// Gives the record as it has become; what the collection itself sets in it (`updatedAt` of a
    /// watcher) is seen at the next [`Collection::get`].
    ///
    /// # Errors
    /// `E_NOT_FOUND` where there is none; `E_INVALID` with the `path` where it is no `T`, or where
    /// the collection does not take what it has become; `E_CONFLICT` where others have changed it 40
    /// times meanwhile. `E_OUTCOME_UNKNOWN` where an answer was lost: it may have been changed once. What
    /// every change can meet, see [`Client::announce`].
    pub async fn update(
        &self,
        id: &str,
        mut change: impl FnMut(&mut T) + Send,
    ) -> Result<Entry<T>> {
        let mut attempts = Attempts::default();
        loop {
            let Entry { mut value, etag, .. } = self.entry(id, self.client.get(id).await?)?;
            let before = object_of(&value)?;
            change(&mut value);
            match self.change(id, &before, &object_of(&value)?, etag).await {
                Ok(written) => return Ok(Entry { id: id.to_owned(), value, etag: written.etag }),
                Err(error) => attempts.again_after(error).await?,
            }
        }
    }

    /// Removes a record; tells whether there was one.
    ///
    /// # Errors
    /// `E_CONFLICT` where the record is protected; and what every change can meet, see
    /// [`Client::announce`].
    pub async fn remove(&self, id: &str) -> Result<bool> {
        self.remove_where(id, None).await
    }

    /// Removes a record, if what it holds still has this etag; tells whether there was one.
    ///
    /// # Errors
    /// As [`Collection::remove`]; `E_CONFLICT` where the record is another.
    pub async fn remove_if(&self, id: &str, etag: &str) -> Result<bool> {
        self.remove_where(id, Some(etag.to_owned())).await
    }

    /// Keeps a copy of all records in memory, for readers that must not wait for anything, and
    /// follows the collection from a task of its own. Returns when the copy is there.
    ///
    /// # Errors
    /// Why nothing can be read: `E_UNREACHABLE` and `E_TIMEOUT` where only the daemon may be asked,
    /// `E_IO`, `E_PERMISSION`, `E_UNSUPPORTED_VERSION`.
    pub async fn mirror(&self) -> Result<Mirror<T>>
    where
        T: 'static,
    {
        Mirror::follow(self.client.subscribe(Subscribe::default())).await
    }

    async fn found(&self, id: &str) -> Result<Option<Found>> {
        match self.client.get(id).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.code == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn entry(&self, id: &str, found: Found) -> Result<Entry<T>> {
        Ok(Entry { id: id.to_owned(), value: read(id, &found.record)?, etag: found.etag })
    }

    async fn put_over(&self, found: Found, id: &str, value: &Object) -> Result<Written> {
        let Entry { value: old, etag, .. } = self.entry(id, found)?;
        let old = object_of(&old)?;
        self.change(id, &old, value, etag).await
    }

    /// Makes of a record that was `before`, under this etag, the `next`.
    async fn change(
        &self,
        id: &str,
        before: &Object,
        next: &Object,
        etag: String,
    ) -> Result<Written> {
        let patch = before.patch_to(next).map_err(|error| unfit(id, "", &error.to_string()))?;
        if patch.is_empty() {
            return Ok(Written { etag, created: false });
        }
        let patch = Patch::new(id, text_of(&patch));
        self.client.patch(Patch { if_match: Some(etag), ..patch }).await
    }

    async fn remove_where(&self, id: &str, if_match: Option<String>) -> Result<bool> {
        let remove = Remove { id: id.to_owned(), pid: None, if_match, flush: false };
        Ok(self.client.remove(remove).await?.removed)
    }
}

/// What a record holds as a value of the type.
///
/// # Errors
/// `E_INVALID`, with the place in the record.
pub(crate) fn read<T: DeserializeOwned>(id: &str, record: &JsonText) -> Result<T> {
    value_of(record.as_str()).map_err(|(path, problem)| unfit(id, &path, &problem))
}

/// The value, or what is wrong with it and where.
fn value_of<T: DeserializeOwned>(text: &str) -> std::result::Result<T, (String, String)> {
    if !text.starts_with('{') {
        return Err((String::new(), "is not a JSON object".to_owned()));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let problem = error.into_inner().to_string();
        // Line and column of a text that nobody has seen.
        let problem = problem.rsplit_once(" at line ").map_or(&*problem, |(problem, _)| problem);
        // As a schema tells it: the place is that of what is missing.
        let missing = problem.strip_prefix("missing field `");
        match missing.and_then(|name| name.strip_suffix('`')) {
            Some(name) if path.is_empty() => (name.to_owned(), "is missing".to_owned()),
            Some(name) => (format!("{path}.{name}"), "is missing".to_owned()),
            None => (path, format!("does not fit: {problem}")),
        }
    })
}

fn unfit(id: &str, path: &str, problem: &str) -> Error {
    let error = Error::from(Damage { path: path.into(), problem: problem.into() });
    Error { message: format!("`{id}`: {}", error.message), ..error }
}

/// What is written of a value.
fn object_of(value: &impl Serialize) -> Result<Object> {
    let refused =
        |problem: String| Error::from(Damage { path: "".into(), problem: problem.into() });
    let text = serde_json::to_string(value)
        .map_err(|error| refused(format!("cannot be written as JSON: {error}")))?;
    Object::parse(&text).map_err(|error| refused(format!("is {error}")))
}

fn text_of(object: &Object) -> JsonText {
    JsonText::from_canonical(object.to_text())
}

/// The attempts at one change.
#[derive(Default)]
struct Attempts {
    ended: u32,
}

impl Attempts {
    /// Waits for the next attempt, a random while, longer each time, so that those who were in each
    /// other's way are not again.
    ///
    /// # Errors
    /// The error of the last one, where another would not help, or there were enough.
    async fn again_after(&mut self, error: Error) -> Result<()> {
        self.ended += 1;
        if !was_overtaken(&error) || self.ended == ATTEMPTS_MAX {
            return Err(error);
        }
        let longest = PAUSE.saturating_mul(1 << self.ended.min(16)).min(PAUSE_MAX);
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
        Ok(())
    }
}

/// Whether a change was refused because the record was not what it had been, and not because it is
/// protected.
fn was_overtaken(error: &Error) -> bool {
    let details = error.details.as_ref().and_then(|details| Object::parse(details.as_str()).ok());
    error.code == Code::Conflict && details.is_some_and(|details| details.get("ifMatch").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Browser {
        port: u16,
        #[serde(default)]
        tabs: Vec<Tab>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Tab {
        title: String,
    }

    #[test]
    fn what_is_no_such_value_is_refused_with_its_place() {
        let rows = [
            (r#"{"port":1,"x":9007199254740993}"#, None),
            ("null", Some(("", "is not a JSON object"))),
            ("[1]", Some(("", "is not a JSON object"))),
            ("{}", Some(("port", "is missing"))),
            (r#"{"port":1,"tabs":[{"title":"a"},{}]}"#, Some(("tabs[1].title", "is missing"))),
            (
                r#"{"port":65536}"#,
                Some(("port", "does not fit: invalid value: integer `65536`, expected u16")),
            ),
        ];
        for (text, expected) in rows {
            let expected = expected.map(|(path, problem)| (path.to_owned(), problem.to_owned()));
            assert_eq!(value_of::<Browser>(text).err(), expected, "{text}");
        }
        let record = JsonText::from_canonical("{}");
        let error = read::<Browser>("app", &record).expect_err("no port");
        assert_eq!(error.message, "`app`: the record cannot be used: `port` is missing");
        let details = error.details.expect("details").to_value();
        assert_eq!((error.code, &details["path"]), (Code::Invalid, &"port".into()));
    }
}
