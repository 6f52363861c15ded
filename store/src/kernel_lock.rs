//! Locks that the kernel holds: never stale, since they end with the process, and never stolen.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use crate::endpoint::Endpoint;
use crate::error::{StoreError, StoreResult};
use crate::folder::Folder;
use crate::paths::Paths;
use crate::platform;
use crate::wait::Wait;

/// Taken for each write, before the lockfile.
pub const WRITE_LOCK: &str = "write.lock";
/// Held by the daemon for life.
pub const OWNER_LOCK: &str = "owner.lock";
/// Held while somebody starts a daemon.
pub const SPAWN_LOCK: &str = "spawn.lock";

/// More than this of a note is not read.
const NOTE_BYTES_MAX: u64 = 4096;

/// A held lock. Dropping it releases it; the file stays, since a lock on a file that can be
/// unlinked is a lock on a name that two can hold.
#[derive(Debug)]
pub struct KernelLock {
    file: File,
    path: PathBuf,
}

impl KernelLock {
    /// Takes the lock if nobody has it.
    pub fn try_acquire(folder: &Folder, name: &str) -> StoreResult<Option<Self>> {
        let lock = KernelLock { file: folder.lock_file(name)?, path: folder.path().join(name) };
        match lock.file.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(StoreError::io("lock", &lock.path)(source)),
        }
    }

    /// A lock that another process held, and whose open file it has handed over: it was never free
    /// in between. `None` where the file is not this lock's.
    pub fn inherit(folder: &Folder, name: &str, file: File) -> StoreResult<Option<Self>> {
        let lock = KernelLock { file, path: folder.path().join(name) };
        // Locked anew through the same open file, which does nothing if it is the one.
        Ok((lock.is_in_place() && lock.file.try_lock().is_ok()).then_some(lock))
    }

    /// The open file, to hand over.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Takes the lock as soon as nobody has it.
    pub fn acquire(folder: &Folder, name: &str, wait: &mut Wait) -> StoreResult<Self> {
        let lock = KernelLock { file: folder.lock_file(name)?, path: folder.path().join(name) };
        loop {
            match lock.file.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(source)) => {
                    return Err(StoreError::io("lock", &lock.path)(source));
                }
                Err(TryLockError::WouldBlock) if wait.pause() => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = platform::lock_holder(&lock.file)
                        .map_or_else(|| "another argus process".to_owned(), describe);
                    return Err(StoreError::Locked { path: lock.path, holder, age: None });
                }
            }
        }
    }

    /// Whether the path still leads to the file that is locked.
    pub fn is_in_place(&self) -> bool {
        platform::is_same_file(&self.file, &self.path)
    }

    /// What the last holder noted in the file; at most 4 KiB of it.
    pub fn note(&self) -> String {
        note_in(&self.file)
    }

    /// Notes something for the next holder. It is advice, so it need not be durable.
    pub fn set_note(&mut self, note: &str) -> StoreResult<()> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(note.as_bytes()))
            .map_err(StoreError::io("write", &self.path))
    }
}

/// The process that holds a lock in the folder of a registry, where the system tells. Makes nothing.
/// One that another daemon has handed over is told with that one's pid.
pub fn holder(paths: &Paths, name: &str) -> Option<u32> {
    let file = platform::open_no_follow(&paths.folder().join(name), false).ok()?;
    if platform::TELLS_LOCK_HOLDERS {
        return platform::lock_holder(&file);
    }
    // Had for this moment if it is free. A daemon that wants it just now tries again.
    match file.try_lock() {
        Err(TryLockError::WouldBlock) if name == OWNER_LOCK => {
            Endpoint::read(paths).map(|endpoint| endpoint.pid)
        }
        _ => None,
    }
}

/// What the last holder of a lock noted, for who only looks; empty where there is nothing.
pub fn read_note(paths: &Paths, name: &str) -> String {
    let path = paths.folder().join(name);
    platform::open_no_follow(&path, false).map(|file| note_in(&file)).unwrap_or_default()
}

fn note_in(mut file: &File) -> String {
    let mut note = String::new();
    let read = file.rewind().and_then(|()| file.take(NOTE_BYTES_MAX).read_to_string(&mut note));
    if read.is_err() {
        note.clear();
    }
    note
}

fn describe(pid: u32) -> String {
    match platform::process_name(pid) {
        Some(name) => format!("process {pid} ({name})"),
        None => format!("process {pid}"),
    }
}
