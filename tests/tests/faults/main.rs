//! What happens when a process is killed, a system call fails, the power goes, the disk or the
//! descriptors run out, or the clock is set, at any point of a change; and beside programs that
//! argus does not control.
//!
//! The tools are Debian's: `strace`, `node` for the older programs, `faketime`, `python3` and
//! `mkfs.ext4` for the disk that loses its power, and `mount`, `setpriv`, `prlimit`, `unshare` and
//! `nsenter` of util-linux; and all of it takes root. Run them with
//! `cargo test -p argus-tests --features faults --test faults`.

mod behind;
mod clocks;
mod collections;
mod crash;
mod daemon_errors;
mod descriptors;
mod doctor;
mod errors;
mod full_disk;
mod heartbeats;
mod kept;
mod legacy;
mod mounts;
mod namespaces;
mod old_faults;
mod power_loss;
mod silence;
mod storm;
mod strace;
mod takeover;
mod tasks;
mod users;
