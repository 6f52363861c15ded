//! Folders of tasks: found, checked, and followed as they change.
//!
//! A source is a folder tree; a folder in it that holds a `metadata.json` is a task. What is found is
//! handed on as changes of records; where these are kept is somebody else's concern. No file is ever
//! written here.
//!
//! 1. Nothing outside a source's folder is read, whatever its links say and whoever swaps them meanwhile.
//! 2. What is wrong with one task or one folder is told, and never ends the look at the others.
//! 3. A task that was valid keeps its last valid version until it is valid again, or gone.
//! 4. What did not change gives no change, also after a restart.
//! 5. A change that was not taken is kept and offered again.

mod catalog;
mod contents;
mod follower;
mod following;
mod ignore;
mod inbox;
mod limits;
mod load;
mod loads;
mod outbox;
mod platform;
mod problem;
mod quiet;
mod record;
mod root;
mod script;
mod sink;
mod summary;
mod validate;
mod walk;
mod watch;

pub use catalog::TaskChange;
pub use contents::{Contents, ContentsError, contents};
pub use follower::Follower;
pub use problem::Problem;
pub use sink::{Sink, Undelivered};
