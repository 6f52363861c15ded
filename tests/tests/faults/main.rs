//! What happens when a process is killed, or a system call fails, at any point of a change.
//!
//! `strace` does both, so these tests need it; run them with
//! `cargo test -p argus-tests --features faults --test faults`.

mod crash;
mod errors;
mod strace;
