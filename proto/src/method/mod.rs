//! The verbs: what each takes, what it answers, and its rule. One file a verb.

pub mod announce;
pub mod get;
pub mod heartbeat;
pub mod hello;
pub mod history;
pub mod list;
pub mod patch;
pub mod prune;
pub mod put;
pub mod remove;
pub mod resolve;
pub mod shutdown;
pub mod sources;
pub mod status;
pub mod subscribe;
pub mod why;

pub use announce::{Announce, Announced};
pub use get::{Found, FoundDocument, Get, GetDocument};
pub use heartbeat::{Heartbeat, Refreshed};
pub use hello::{Hello, Welcome};
pub use history::{Changes, History, Recorded};
pub use list::{List, Listed, Listing, Warning};
pub use patch::{Patch, PatchDocument};
pub use prune::{Prune, Pruned};
pub use put::{Put, Written};
pub use remove::{Remove, Removed};
pub use resolve::{Resolve, Resolved, ResolvedBy};
pub use shutdown::{Shutdown, Stopping};
pub use sources::{
    AddSource, ListSources, PauseSource, RemoveSource, ResumeSource, SourceError, SourceMetrics,
    SourceStatus, Sources, SyncSources, Watching,
};
pub use status::{CollectionStatus, CommitLatency, DatabaseStatus, Status, StatusReport};
pub use subscribe::{Subscribe, Subscribed, Unsubscribe, Unsubscribed};
pub use why::{Explanation, Why};
