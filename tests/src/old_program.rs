//! A program of the older kind: it knows the file and the lockfile, and has never heard of argus.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use argus_presence::clock;
use serde_json::{Value, json};

use crate::wait::until;

/// Reads the registry under its lockfile, changes it, and renames a new one into its place.
#[derive(Debug)]
pub struct OldProgram {
    registry: PathBuf,
    text_of: fn(&Value) -> String,
    reaps_garbage: bool,
    reaped: AtomicUsize,
}

impl OldProgram {
    /// One that works on this file.
    pub fn new(registry: &Path) -> Self {
        let registry = registry.to_owned();
        let text_of =
            |document: &_| serde_json::to_string_pretty(document).expect("a value is text");
        OldProgram { registry, text_of, reaps_garbage: false, reaped: AtomicUsize::new(0) }
    }

    /// One that lays the file out in a way of its own.
    #[must_use]
    pub fn writing(mut self, text_of: fn(&Value) -> String) -> Self {
        self.text_of = text_of;
        self
    }

    /// With a fault that one of them has: a lockfile that is no JSON yet it takes for garbage.
    #[must_use]
    pub fn reaping_garbage(mut self) -> Self {
        self.reaps_garbage = true;
        self
    }

    /// How often it has done that.
    pub fn reaped(&self) -> usize {
        self.reaped.load(Ordering::Relaxed)
    }

    /// Changes the document.
    pub fn update(&self, change: impl FnOnce(&mut Value)) {
        let _lock = self.lock();
        let mut document = match fs::read(&self.registry) {
            Ok(bytes) => serde_json::from_slice(&bytes).expect("the file is whole at every moment"),
            Err(_) => json!({ "version": 1, "updatedAt": 0, "watchers": {} }),
        };
        change(&mut document);
        document["updatedAt"] = clock::wall_ms().into();
        let temp = self.beside(&format!(".tmp-{}-{}", std::process::id(), clock::monotonic_ms()));
        fs::write(&temp, (self.text_of)(&document)).expect("own folder");
        fs::rename(&temp, &self.registry).expect("own folder");
    }

    /// Writes a record of a process, with a pid and nothing else to know it by.
    pub fn announce(&self, id: &str, pid: u32) {
        let now = clock::wall_ms();
        self.update(|document| {
            document["watchers"][id] = json!({
                "id": id, "host": "127.0.0.1", "port": 1, "pid": pid, "startedAt": now,
                "updatedAt": now,
            });
        });
    }

    /// Takes the lockfile: with O_EXCL, and empty for as long as it is held.
    pub fn lock(&self) -> OldLock {
        let path = self.beside(".lock");
        until("the lockfile is free", || {
            if File::create_new(&path).is_ok() {
                return Some(());
            }
            // Often, since a lockfile would be garbage for a moment only.
            for _ in 0..if self.reaps_garbage { 100 } else { 0 } {
                let text = fs::read_to_string(&path);
                if text.is_ok_and(|text| serde_json::from_str::<Value>(&text).is_err()) {
                    self.reaped.fetch_add(1, Ordering::Relaxed);
                    let _ = fs::remove_file(&path);
                }
            }
            None
        });
        OldLock(path)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.registry.clone().into_os_string();
        path.push(suffix);
        path.into()
    }
}

/// The lockfile of an old program. Dropping it unlinks whatever stands there by then.
#[derive(Debug)]
pub struct OldLock(PathBuf);

impl Drop for OldLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
