//! What happens when a process is killed, or a system call fails, at any point of a change, and
//! beside programs that argus does not control.
//!
//! `strace` does both, `setpriv` makes another user of root, and `node` plays the older programs; so
//! these tests need all three, and root. Run them with
//! `cargo test -p argus-tests --features faults --test faults`.

mod crash;
mod errors;
mod legacy;
mod silence;
mod storm;
mod strace;
mod users;
