//! What holds for any bytes that can reach argus: from a socket, a registry file, a lockfile.
//!
//! Each module has one `check(bytes)` that panics where its promise is broken. The tests of this
//! package run it over every input in `fuzz/corpus`; the targets in `fuzz` run it over what they
//! think up. Neither knows a promise of its own.

mod answers;
mod cutting;
pub mod frames;
pub mod lines;
pub mod lockfile;
mod machine;
pub mod merge;
pub mod registry;
mod served;

/// What holds for any input of one kind.
pub type Check = fn(&[u8]);

/// Every kind of input: its folder in the corpus, which is also its fuzz target, and what holds.
pub const CHECKS: [(&str, Check); 5] = [
    ("frames", frames::check),
    ("lines", lines::check),
    ("lockfile", lockfile::check),
    ("merge", merge::check),
    ("registry", registry::check),
];
