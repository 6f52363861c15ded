//! The right to write a file: a turn among the callers of this process, the kernel lock among those
//! who know argus, the lockfile among all others.
//!
//! 1. They are taken in this order, within one wait, and let go in the opposite one.
//! 2. The kernel lock `<file>.d/write.lock` decides; the lockfile `<file>.lock` is there for programs
//!    that know only it, and is looked at once more before anything is replaced.
//! 3. They are the locks of every argus process, the daemon included: whoever holds them for a
//!    registry keeps all writers of that registry waiting.

use std::path::Path;
use std::time::Duration;

use crate::atomic::{self, Mode};
use crate::error::{StoreError, StoreResult};
use crate::folder::Folder;
use crate::kernel_lock::{KernelLock, WRITE_LOCK};
use crate::lockfile::{Lockfile, StaleAfter, Watch};
use crate::paths::Paths;
use crate::records::RecordFolder;
use crate::registry_file::Committed;
use crate::turn::Turn;
use crate::wait::{LOCK_WAIT, Wait};

/// The name under which a lockfile is written before it is published.
const PRIVATE_LOCKFILE: &str = "lockfile.new";

/// How locks are waited for.
#[derive(Debug, Clone, Copy)]
pub struct LockOptions {
    /// How long to wait, for all of them together.
    pub wait: Duration,
    /// When the lockfile of another program counts as left behind.
    pub stale_after: StaleAfter,
}

impl Default for LockOptions {
    /// Two seconds, and what [`StaleAfter`] says by itself.
    fn default() -> Self {
        LockOptions { wait: LOCK_WAIT, stale_after: StaleAfter::default() }
    }
}

/// All locks of one file, held. Dropping it releases them; so does the end of the process, however
/// it ends: the next one takes over what is left at once.
///
/// ```
/// use argus_store::atomic::Mode;
/// use argus_store::{Lock, LockOptions};
///
/// # fn main() -> argus_store::StoreResult<()> {
/// # let home = tempfile::tempdir().expect("a folder");
/// # let path = home.path().join("settings.json");
/// let lock = Lock::acquire(&path, LockOptions::default())?;
/// let old = lock.read()?;
/// assert_eq!(old, None);
/// lock.replace(b"{}", Mode::Kept)?;
/// drop(lock);
/// assert_eq!(argus_store::atomic::read(&path)?.as_deref(), Some(&b"{}"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Lock {
    // Released in this order.
    lockfile: Lockfile,
    _write_lock: KernelLock,
    _turn: Turn,
    paths: Paths,
}

/// Reads a file, lets `change` make new content of it, and puts that in its place, all of it under
/// the file's locks: whatever other processes do the same way at the same time, nothing is lost.
///
/// `change` gets `None` where there is no file, and gives `None` where it is to stay as it is. The
/// file's folder is made where it is missing. Waits as [`LockOptions`] do by themselves; who wants it
/// otherwise takes the [`Lock`].
///
/// ```
/// use argus_store::{Committed, atomic::Mode};
///
/// # fn main() -> argus_store::StoreResult<()> {
/// # let home = tempfile::tempdir().expect("a folder");
/// # let path = home.path().join("count");
/// let count = |old: Option<&[u8]>| {
///     let count: u64 = String::from_utf8_lossy(old.unwrap_or(b"0")).parse().ok()?;
///     Some((count + 1).to_string().into_bytes())
/// };
/// assert_eq!(argus_store::update(&path, Mode::Kept, count)?, Committed::Written);
/// argus_store::update(&path, Mode::Kept, count)?;
/// assert_eq!(std::fs::read(&path).expect("written"), b"2");
/// assert_eq!(argus_store::update(&path, Mode::Kept, |_| None)?, Committed::Unchanged);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`Lock::acquire`], [`Lock::read`] and [`Lock::replace`].
pub fn update(
    path: &Path,
    mode: Mode,
    change: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
) -> StoreResult<Committed> {
    Lock::acquire(path, LockOptions::default())?.update(mode, change)
}

impl Lock {
    /// Takes the locks of the file at `path`, which need not exist; where it is a link, those of the
    /// file that it leads to. Makes the folders that are missing, closed to others.
    ///
    /// Blocks for as long as the options say. Whoever holds a lock and asks for it again on the same
    /// thread waits in vain.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where somebody else holds one of them for longer than the wait, with
    /// who it is. [`StoreError::Foreign`], [`StoreError::Permission`] and [`StoreError::Denied`] where
    /// the folders may not be used, [`StoreError::Io`] where the system does not do it.
    pub fn acquire(path: &Path, options: LockOptions) -> StoreResult<Self> {
        let paths = Paths::new(path)?;
        Locker::default().lock(&paths, options.stale_after, &mut Wait::new(options.wait))
    }

    /// The file, links resolved.
    pub fn path(&self) -> &Path {
        self.paths.registry()
    }

    /// Whether the lockfile is still this one's. An argus process never takes one that is held; a
    /// program that knows only the lockfile may, where its holder was stopped for long.
    pub fn is_own(&self) -> bool {
        self.lockfile.is_own()
    }

    /// For who is about to rename: makes the lockfile look young, and refuses where it was taken.
    ///
    /// # Errors
    /// [`StoreError::Locked`].
    pub fn check_own(&self) -> StoreResult<()> {
        self.lockfile.refresh();
        if self.is_own() {
            return Ok(());
        }
        Err(StoreError::Locked {
            path: self.paths.lockfile(),
            holder: "a program that took it from us".to_owned(),
            age: None,
        })
    }

    /// What the file holds; `None` where there is none. See [`atomic::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&self) -> StoreResult<Option<Vec<u8>>> {
        atomic::read(self.path())
    }

    /// Puts new content in the place of the old, as [`atomic::replace`] does, if the lockfile is
    /// still this one's when everything but the rename is done.
    ///
    /// # Errors
    /// As there, and [`StoreError::Locked`] where the lockfile was taken: nothing was changed then.
    pub fn replace(&self, content: &[u8], mode: Mode) -> StoreResult<()> {
        let prepared = atomic::prepare_as(self.path(), content, mode)?;
        self.check_own()?;
        prepared.publish().map(drop)
    }

    /// Reads, changes and replaces, as [`update`] does. May be called again under the same lock.
    ///
    /// # Errors
    /// Those of [`Lock::read`] and [`Lock::replace`].
    pub fn update(
        &self,
        mode: Mode,
        change: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> StoreResult<Committed> {
        match change(self.read()?.as_deref()) {
            Some(content) => self.replace(&content, mode).map(|()| Committed::Written),
            None => Ok(Committed::Unchanged),
        }
    }
}

/// What a writer keeps from one lock to the next.
#[derive(Debug, Default)]
pub(crate) struct Locker {
    folder: Option<Folder>,
    /// What it has seen of others' lockfiles.
    watch: Watch,
    debris_removed: bool,
}

impl Locker {
    /// Takes all locks of a file, always of the same one.
    pub(crate) fn lock(
        &mut self,
        paths: &Paths,
        stale_after: StaleAfter,
        wait: &mut Wait,
    ) -> StoreResult<Lock> {
        let turn = Turn::wait_for(paths.registry(), wait)?;
        let write_lock = self.write_lock(paths, wait)?;
        let private = paths.folder().join(PRIVATE_LOCKFILE);
        let watch = &mut self.watch;
        let lockfile = Lockfile::acquire(&paths.lockfile(), &private, stale_after, watch, wait)?;
        self.remove_debris_once(paths);
        Ok(Lock { lockfile, _write_lock: write_lock, _turn: turn, paths: paths.clone() })
    }

    /// Takes the kernel lock in the folder that is in place. It may be replaced during the wait,
    /// and then the lock is nobody's.
    fn write_lock(&mut self, paths: &Paths, wait: &mut Wait) -> StoreResult<KernelLock> {
        loop {
            let lock = KernelLock::acquire(self.checked_folder(paths)?, WRITE_LOCK, wait)?;
            if lock.is_in_place() {
                return Ok(lock);
            }
        }
    }

    /// The folder of locks, made at the first use and looked at again at each: it may have been
    /// replaced, and then the locks in it are nobody's.
    fn checked_folder(&mut self, paths: &Paths) -> StoreResult<&Folder> {
        let folder = match self.folder.take() {
            Some(folder) if folder.is_in_place() => folder,
            _ => {
                self.debris_removed = false;
                Folder::create(paths)?
            }
        };
        Ok(self.folder.insert(folder))
    }

    /// Killed writers leave temporary files. Only under the lock: those of a living one look the
    /// same.
    fn remove_debris_once(&mut self, paths: &Paths) {
        if !self.debris_removed {
            // Finding that there is something that cannot be removed is not worth an error.
            let _ = atomic::remove_debris(paths.registry());
            RecordFolder::new(paths).remove_debris();
            self.debris_removed = true;
        }
    }
}
