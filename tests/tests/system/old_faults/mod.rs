//! What the older tools did wrong with the files that argus shares with them: one story a test.
//! Those that need `strace` are in `tests/faults/old_faults.rs`.

mod accounts;
mod watchers;
