//! The client for programs without an asynchronous runtime: the same calls, which wait.

mod mirror;
mod typed;

use std::time::Duration;

use argus_proto::call::Method;
use argus_proto::error::{Code, Error, Result};
use argus_proto::event::Event;
use argus_proto::method::*;
use argus_store::Paths;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::options::Options;
use crate::route::Route;
use crate::status::Overview;

pub use mirror::Mirror;
pub use typed::Collection;

/// A way to one registry. Its methods wait for their answer; several threads may call at once.
///
/// May also be used inside an asynchronous program, where it blocks the thread that calls it.
pub struct Client {
    client: crate::Client,
    /// `Some` until dropped.
    runtime: Option<Runtime>,
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Client {
            $(
                $(#[$doc])*
                pub fn $name(&self, $($argument: $type),*) -> Result<$result> {
                    self.wait(self.client.$name($($argument),*))
                }
            )*
        }
    };
}

verbs! {
    /// See [`Client::announce`](crate::Client::announce).
    ///
    /// # Errors
    /// As there.
    announce(announce: Announce) -> Announced;
    /// See [`Client::heartbeat`](crate::Client::heartbeat).
    ///
    /// # Errors
    /// As there.
    heartbeat(heartbeat: Heartbeat) -> Refreshed;
    /// See [`Client::remove`](crate::Client::remove).
    ///
    /// # Errors
    /// As there.
    remove(remove: Remove) -> Removed;
    /// See [`Client::put`](crate::Client::put).
    put(put: Put) -> Written;
    /// See [`Client::patch`](crate::Client::patch).
    patch(patch: Patch) -> Written;
    /// See [`Client::get`](crate::Client::get).
    ///
    /// # Errors
    /// As there.
    get(id: &str) -> Found;
    /// See [`Client::get_document`](crate::Client::get_document).
    ///
    /// # Errors
    /// As there.
    get_document() -> FoundDocument;
    /// See [`Client::patch_document`](crate::Client::patch_document).
    ///
    /// # Errors
    /// As there.
    patch_document(patch: PatchDocument) -> Written;
    /// See [`Client::list`](crate::Client::list).
    ///
    /// # Errors
    /// As there.
    list(list: List) -> Listing;
    /// See [`Client::prune`](crate::Client::prune).
    ///
    /// # Errors
    /// As there.
    prune(prune: Prune) -> Pruned;
    /// See [`Client::resolve`](crate::Client::resolve).
    ///
    /// # Errors
    /// As there.
    resolve(resolve: Resolve) -> Resolved;
    /// See [`Client::history`](crate::Client::history).
    ///
    /// # Errors
    /// As there.
    history(history: History) -> Changes;
    /// See [`Client::why`](crate::Client::why).
    ///
    /// # Errors
    /// As there.
    why(id: &str) -> Explanation;
    /// See [`Client::sources`](crate::Client::sources).
    ///
    /// # Errors
    /// As there.
    sources() -> Sources;
    /// See [`Client::status`](crate::Client::status).
    ///
    /// # Errors
    /// As there.
    status() -> Overview;
    /// See [`Client::shutdown`](crate::Client::shutdown).
    ///
    /// # Errors
    /// As there.
    shutdown() -> Stopping;
    /// See [`Client::start_daemon`](crate::Client::start_daemon).
    ///
    /// # Errors
    /// As there.
    start_daemon() -> StatusReport;
}

impl Client {
    /// See [`Client::new`](crate::Client::new).
    ///
    /// # Errors
    /// As there; `E_IO` where the system gives no descriptors for a runtime.
    pub fn new(options: Options) -> Result<Self> {
        let runtime = runtime()?;
        Ok(Client { client: crate::Client::new(options)?, runtime: Some(runtime) })
    }

    /// See [`Client::from_env`](crate::Client::from_env).
    ///
    /// # Errors
    /// As there.
    pub fn from_env() -> Result<Self> {
        Client::new(Options::from_env()?)
    }

    /// Any method, by its parameters.
    ///
    /// # Errors
    /// As the method's own.
    pub fn call<M: Method + Send>(&self, params: M) -> Result<M::Result>
    where
        M::Result: Send,
    {
        self.wait(self.client.call(params))
    }

    /// See [`Client::collection`](crate::Client::collection).
    pub fn collection<T>(&self, name: &str) -> Collection<'_, T> {
        Collection::new(self, self.client.collection(name))
    }

    /// See [`Client::subscribe`](crate::Client::subscribe).
    pub fn subscribe(&self, subscribe: Subscribe) -> Subscription<'_> {
        Subscription { client: self, subscription: self.client.subscribe(subscribe) }
    }

    /// See [`Client::route`](crate::Client::route).
    pub fn route(&self) -> Route {
        self.client.route()
    }

    /// See [`Client::route_changes`](crate::Client::route_changes).
    pub fn route_changes(&self) -> watch::Receiver<Route> {
        self.client.route_changes()
    }

    /// See [`Client::paths`](crate::Client::paths).
    pub fn paths(&self) -> &Paths {
        self.client.paths()
    }

    fn wait<T: Send>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let Some(runtime) = &self.runtime else {
            return Err(Error::new(Code::Io, "the client is closed"));
        };
        if tokio::runtime::Handle::try_current().is_err() {
            return runtime.block_on(call);
        }
        // A runtime cannot wait inside another; a thread of its own can.
        std::thread::scope(|scope| {
            scope
                .spawn(|| runtime.block_on(call))
                .join()
                .unwrap_or_else(|_| Err(Error::new(Code::Io, "the call panicked")))
        })
    }
}

/// See [`Subscription`](crate::Subscription).
pub struct Subscription<'a> {
    client: &'a Client,
    subscription: crate::Subscription,
}

impl Subscription<'_> {
    /// See [`Subscription::next`](crate::Subscription::next).
    ///
    /// # Errors
    /// As there.
    pub fn next_event(&mut self) -> Result<Event> {
        self.client.wait(self.subscription.next())
    }

    /// Waits for the next event for so long; `None` where none came.
    ///
    /// # Errors
    /// As [`Subscription::next_event`].
    pub fn next_within(&mut self, patience: Duration) -> Result<Option<Event>> {
        let next = self.subscription.next();
        self.client.wait(async { tokio::time::timeout(patience, next).await.ok().transpose() })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not waiting: this may be inside another runtime, and nothing here is worth it.
            runtime.shutdown_background();
        }
    }
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Code::Io, format!("cannot start a runtime: {error}")))
}
