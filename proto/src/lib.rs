//! What argus processes agree on: records, commands, events, frames, errors.
//!
//! Everything here is pure. No function reads a clock, a disk, a socket or the process table:
//! time comes in as `now`, files as text, and what is known of other processes through
//! [`process::Machine`]. So the daemon and the direct mode of the client cannot disagree about
//! a rule: both call the same one.

pub mod adoption;
pub mod call;
pub mod collection;
pub mod cursor;
pub mod document;
pub mod engine;
pub mod error;
pub mod event;
pub mod evidence;
pub mod id;
pub mod json;
pub mod limits;
pub mod merge;
pub mod method;
mod platform;
pub mod precondition;
pub mod presence;
pub mod process;
pub mod reaping;
pub mod record;
pub mod record_file;
pub mod records;
pub mod schema;
pub mod sentence;
pub mod shell;
pub mod style;
pub mod wire;

pub use call::{Answer, Call, Request};
pub use collection::Collection;
pub use document::Document;
pub use error::{Code, Error, Result};
pub use record::Record;
