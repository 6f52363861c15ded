//! Which way calls go.

use argus_proto::error::Error;

/// The two ways of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Through the daemon.
    Daemon,
    /// On the file, by this process.
    Direct,
}

/// Which way the last call went, and why not through the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The way.
    pub way: Way,
    /// What was wrong with the daemon; `None` also where nobody wanted one.
    pub reason: Option<Error>,
}

impl Route {
    /// Whether the last call went to the file although a daemon was wanted.
    pub fn is_fallback(&self) -> bool {
        self.way == Way::Direct && self.reason.is_some()
    }

    pub(crate) fn daemon() -> Self {
        Route { way: Way::Daemon, reason: None }
    }

    pub(crate) fn direct(reason: Option<Error>) -> Self {
        Route { way: Way::Direct, reason }
    }
}
