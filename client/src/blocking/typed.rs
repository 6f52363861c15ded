//! A collection of typed records, for programs without an asynchronous runtime.

use argus_proto::error::Result;
use argus_proto::method::Written;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, Mirror};
use crate::typed::{Entry, Listing};

/// See [`Collection`](crate::Collection). Several threads may use it at once.
pub struct Collection<'a, T> {
    client: &'a Client,
    collection: crate::Collection<T>,
}

impl<'a, T> Collection<'a, T> {
    pub(super) fn new(client: &'a Client, collection: crate::Collection<T>) -> Self {
        Collection { client, collection }
    }
}

impl<'a, T: Serialize + DeserializeOwned + Send + Sync> Collection<'a, T> {
    /// See [`Collection::get`](crate::Collection::get).
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, id: &str) -> Result<Option<Entry<T>>> {
        self.client.wait(self.collection.get(id))
    }

    /// See [`Collection::list`](crate::Collection::list).
    ///
    /// # Errors
    /// As there.
    pub fn list(&self) -> Result<Listing<T>> {
        self.client.wait(self.collection.list())
    }

    /// See [`Collection::add`](crate::Collection::add).
    ///
    /// # Errors
    /// As there.
    pub fn add(&self, id: &str, value: &T) -> Result<Written> {
        self.client.wait(self.collection.add(id, value))
    }

    /// See [`Collection::put`](crate::Collection::put).
    ///
    /// # Errors
    /// As there.
    pub fn put(&self, id: &str, value: &T) -> Result<Written> {
        self.client.wait(self.collection.put(id, value))
    }

    /// See [`Collection::put_if`](crate::Collection::put_if).
    ///
    /// # Errors
    /// As there.
    pub fn put_if(&self, id: &str, value: &T, etag: &str) -> Result<Written> {
        self.client.wait(self.collection.put_if(id, value, etag))
    }

    /// See [`Collection::replace`](crate::Collection::replace).
    ///
    /// # Errors
    /// As there.
    pub fn replace(&self, id: &str, value: &T) -> Result<Written> {
        self.client.wait(self.collection.replace(id, value))
    }

    /// See [`Collection::update`](crate::Collection::update).
    ///
    /// # Errors
    /// As there.
    pub fn update(&self, id: &str, change: impl FnMut(&mut T) + Send) -> Result<Entry<T>> {
        self.client.wait(self.collection.update(id, change))
    }

    /// See [`Collection::remove`](crate::Collection::remove).
    ///
    /// # Errors
    /// As there.
    pub fn remove(&self, id: &str) -> Result<bool> {
        self.client.wait(self.collection.remove(id))
    }

    /// See [`Collection::remove_if`](crate::Collection::remove_if).
    ///
    /// # Errors
    /// As there.
    pub fn remove_if(&self, id: &str, etag: &str) -> Result<bool> {
        self.client.wait(self.collection.remove_if(id, etag))
    }

    /// See [`Collection::mirror`](crate::Collection::mirror). It follows from a thread of its own.
    ///
    /// # Errors
    /// As there; `E_IO` where no thread can be started.
    pub fn mirror(&self) -> Result<Mirror<'a, T>>
    where
        T: 'static,
    {
        Mirror::start(self.client, self.collection.client().options().clone())
    }
}
