//! A collection's file: read without a lock, changed under both.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use argus_proto::Code;
use argus_proto::collection::Collection;
use argus_proto::document::{Document, Unreadable};
use argus_proto::limits::FILE_BYTES_MAX;

use crate::atomic;
use crate::error::{StoreError, StoreResult};
use crate::folder::Folder;
use crate::kernel_lock::{KernelLock, WRITE_LOCK};
use crate::lockfile::{Lockfile, StaleAfter};
use crate::paths::Paths;
use crate::platform::{self, Stamp};
use crate::quarantine;
use crate::wait::Wait;

/// How often a reader looks again at a file that somebody may be writing in place.
const TORN_READS_MAX: u32 = 5;
const TORN_READ_PAUSE: Duration = Duration::from_millis(10);

/// One collection's file, and what was last seen of it.
#[derive(Debug)]
pub struct RegistryFile {
    paths: Paths,
    collection: &'static Collection,
    stale_after: StaleAfter,
    known: Option<Known>,
    folder: Option<Folder>,
    recoveries: Vec<Recovery>,
}

/// What the file was when it was last read or written under the locks.
#[derive(Debug, Clone)]
struct Known {
    /// `None`: there was no file.
    stamp: Option<Stamp>,
    document: Document,
}

/// What a lock-free read found.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The document: the file's, or where that cannot be used, the one to go on with.
    pub document: Document,
    /// Why the file cannot be used, and what is shown instead.
    pub problem: Option<(Unreadable, Source)>,
}

/// Where a document comes from when the file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// What this process had read or written before.
    Memory,
    /// `last-good.json`, the file as it was before the last write.
    LastGood,
    /// Nothing was left.
    Empty,
}

impl Source {
    /// As it is said: "going on with …".
    pub fn name(self) -> &'static str {
        match self {
            Source::Memory => "what was in memory",
            Source::LastGood => "last-good.json",
            Source::Empty => "an empty registry",
        }
    }
}

/// A file that could not be kept as it was: it was set aside, and replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The file.
    pub path: PathBuf,
    /// What was wrong with it.
    pub problem: String,
    /// Where its bytes are now.
    pub set_aside: PathBuf,
    /// What it was replaced with; `None` where the rest of it was usable.
    pub source: Option<Source>,
}

impl std::fmt::Display for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, kept) = (self.path.display(), self.set_aside.display());
        write!(f, "{path} was damaged: {}; its bytes are kept in {kept}", self.problem)?;
        match self.source {
            Some(source) => write!(f, ", and it went on with {}", source.name()),
            None => Ok(()),
        }
    }
}

/// A change in the making. All functions are called under the locks.
pub trait Transaction {
    /// Told first, where others have written the file since it was last seen.
    fn notice(&mut self, _before: &Document, _now: &Document) {}

    /// Makes the next document of the one on disk; `None` where nothing changes.
    fn apply(&mut self, document: &Document) -> Option<Document>;

    /// Asked when everything is on the disk but the rename: whether it shall still be done.
    fn is_wanted(&mut self) -> bool {
        true
    }
}

/// How a transaction ended without error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The new document is durable.
    Written,
    /// Nothing was to be changed.
    Unchanged,
    /// The transaction did not want it any more; nothing was changed.
    Withdrawn,
}

impl RegistryFile {
    /// The file at `paths`; nothing is touched yet.
    pub fn new(paths: Paths, collection: &'static Collection, stale_after: StaleAfter) -> Self {
        RegistryFile {
            paths,
            collection,
            stale_after,
            known: None,
            folder: None,
            recoveries: Vec::new(),
        }
    }

    /// Where it is.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Reads the file without a lock, which its atomic replacement makes possible. Writes nothing.
    /// A file that cannot be used is never silently empty: what there is instead is told.
    pub fn read(&self) -> StoreResult<Reading> {
        let mut attempt = 0;
        loop {
            let problem = match read_file(self.paths.registry(), self.collection) {
                Ok((_, document)) => return Ok(Reading { document, problem: None }),
                Err(StoreError::Unreadable { source, .. }) => source,
                Err(error) => return Err(error),
            };
            attempt += 1;
            let is_newer = matches!(problem, Unreadable::UnsupportedVersion { .. });
            // A program that writes in place leaves a moment in which the file is half written.
            if attempt < TORN_READS_MAX && !is_newer {
                std::thread::sleep(TORN_READ_PAUSE);
                continue;
            }
            let (document, source) = self.fallback(!is_newer);
            return Ok(Reading { document, problem: Some((problem, source)) });
        }
    }

    /// The damage that this file was mended from, since this was last asked.
    pub fn take_recoveries(&mut self) -> Vec<Recovery> {
        std::mem::take(&mut self.recoveries)
    }

    /// Reads the file again if it is not what was last seen. Takes no lock and writes nothing.
    pub fn reload(&mut self) -> StoreResult<Document> {
        if let Some(known) = &self.known
            && !self.has_changed()
        {
            return Ok(known.document.clone());
        }
        let (stamp, document) = read_file(self.paths.registry(), self.collection)?;
        self.known = Some(Known { stamp, document: document.clone() });
        Ok(document)
    }

    /// The document as it was last read or written here, if it ever was.
    pub fn known(&self) -> Option<&Document> {
        self.known.as_ref().map(|known| &known.document)
    }

    /// Whether the file is not what was last seen.
    pub fn has_changed(&self) -> bool {
        match &self.known {
            None => true,
            Some(known) => {
                let now = fs::metadata(self.paths.registry()).ok();
                now.as_ref().map(Stamp::of) != known.stamp
            }
        }
    }

    /// Makes a change durable: under both locks, on top of what others wrote meanwhile.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] where the change may have become visible; with any other
    /// error nothing was changed.
    pub fn update(
        &mut self,
        wait: Duration,
        transaction: &mut impl Transaction,
    ) -> StoreResult<Committed> {
        let mut wait = Wait::new(wait);
        let folder = self.checked_folder()?;
        let _write_lock = KernelLock::acquire(folder, WRITE_LOCK, &mut wait)?;
        let mut lockfile = Lockfile::acquire(&self.paths.lockfile(), self.stale_after, &mut wait)?;

        let before = self.known.as_ref().map(|known| known.document.clone());
        let has_changed = self.has_changed();
        let (current, damage) = match self.reload() {
            Ok(document) => (document, None),
            Err(StoreError::Unreadable { source, .. }) if source.code() == Code::Corrupt => {
                let (document, from) = self.fallback(true);
                (document, Some((source.to_string(), Some(from))))
            }
            Err(error) => return Err(error),
        };
        if let Some(before) = before
            && has_changed
        {
            transaction.notice(&before, &current);
        }
        let Some(next) = transaction.apply(&current) else { return Ok(Committed::Unchanged) };
        let damage = damage.or_else(|| duplicates(&current));
        let recovery = damage.map(|damage| self.set_aside(damage)).transpose()?;
        let is_sound = recovery.as_ref().is_none_or(|recovery| recovery.source.is_none());
        let text = next.render(self.collection);

        let replaced = fs::metadata(self.paths.registry()).ok();
        let prepared = atomic::prepare(self.paths.registry(), text.as_bytes(), replaced.as_ref())?;
        if replaced.is_some() && is_sound {
            self.keep_last_good();
        }
        lockfile.refresh();
        if !lockfile.is_own() {
            return Err(StoreError::Locked {
                path: self.paths.lockfile(),
                holder: "a program that took it from us".to_owned(),
                age: None,
            });
        }
        if !transaction.is_wanted() {
            return Ok(Committed::Withdrawn);
        }
        // From here on the file may be the new one; what is known of it is known again only at
        // the end.
        self.known = None;
        let file = prepared.publish()?;
        let stamp = file.metadata().map_err(StoreError::io("look at", self.paths.registry()))?;
        self.known = Some(Known { stamp: Some(Stamp::of(&stamp)), document: next });
        self.recoveries.extend(recovery);
        Ok(Committed::Written)
    }

    /// The folder of locks, made at the first use and looked at again at each: it may have been
    /// replaced, and then the locks in it are nobody's.
    fn checked_folder(&mut self) -> StoreResult<&Folder> {
        let folder = match self.folder.take() {
            Some(folder) if folder.is_in_place() => folder,
            _ => {
                let folder = Folder::create(&self.paths)?;
                // Killed writers leave a temporary file; finding none is not worth an error.
                if KernelLock::try_acquire(&folder, WRITE_LOCK)?.is_some() {
                    let _ = atomic::remove_debris(self.paths.registry());
                }
                folder
            }
        };
        Ok(self.folder.insert(folder))
    }

    /// What to go on with where the file cannot be used.
    fn fallback(&self, may_use_last_good: bool) -> (Document, Source) {
        if let Some(known) = &self.known {
            return (known.document.clone(), Source::Memory);
        }
        if may_use_last_good
            && let Ok((Some(_), document)) = read_file(&self.paths.last_good(), self.collection)
        {
            return (document, Source::LastGood);
        }
        (Document::empty(self.collection), Source::Empty)
    }

    fn set_aside(&self, (problem, source): (String, Option<Source>)) -> StoreResult<Recovery> {
        let path = self.paths.registry().to_owned();
        let folder = Folder::open(self.paths.folder())?;
        let set_aside = quarantine::set_aside(&path, &folder)?;
        Ok(Recovery { path, problem, set_aside, source })
    }

    /// Keeps the old file under a second name. Without it a damaged file costs more; that is no
    /// reason to refuse a write.
    fn keep_last_good(&self) {
        let last_good = self.paths.last_good();
        let fresh = last_good.with_extension("json.new");
        let _ = fs::remove_file(&fresh);
        if platform::link_new(self.paths.registry(), &fresh).is_ok() {
            let _ = fs::rename(&fresh, &last_good);
        }
    }
}

/// Rendering a document keeps one of two records with the same id: reason to keep the bytes.
fn duplicates(document: &Document) -> Option<(String, Option<Source>)> {
    let ids = document.duplicates();
    (!ids.is_empty()).then(|| (format!("`{}` stood there more than once", ids.join("`, `")), None))
}

/// Reads and parses; a missing file is an empty document.
fn read_file(path: &Path, collection: &Collection) -> StoreResult<(Option<Stamp>, Document)> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((None, Document::empty(collection)));
        }
        Err(error) => return Err(StoreError::io("open", path)(error)),
    };
    let meta = file.metadata().map_err(StoreError::io("look at", path))?;
    if !meta.is_file() {
        return Err(StoreError::Io {
            operation: "read",
            path: path.to_owned(),
            source: io::Error::other("it is not a regular file"),
        });
    }
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    if meta.len() > FILE_BYTES_MAX as u64 {
        return Err(unreadable(Unreadable::TooLarge(meta.len())));
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    file.take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(StoreError::io("read", path))?;
    let document = Document::parse(&bytes, collection).map_err(unreadable)?;
    Ok((Some(Stamp::of(&meta)), document))
}

#[cfg(test)]
mod tests {
    use super::*;
    use argus_proto::collection::WATCHERS;

    struct Touch {
        now: u64,
        wanted: bool,
    }

    impl Transaction for Touch {
        fn apply(&mut self, document: &Document) -> Option<Document> {
            let mut next = document.clone();
            next.touch(self.now);
            (next.updated_at() != document.updated_at()).then_some(next)
        }

        fn is_wanted(&mut self) -> bool {
            self.wanted
        }
    }

    struct Home {
        folder: tempfile::TempDir,
        paths: Paths,
    }

    fn home() -> Home {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(&folder.path().join("registry.json")).expect("a path");
        Home { folder, paths }
    }

    fn file(home: &Home) -> RegistryFile {
        RegistryFile::new(home.paths.clone(), &WATCHERS, StaleAfter::default())
    }

    fn text(home: &Home) -> String {
        fs::read_to_string(home.paths.registry()).expect("written")
    }

    const WAIT: Duration = Duration::from_millis(50);

    #[test]
    fn a_change_is_written_once_and_leaves_nothing_behind() {
        let home = home();
        let mut file = file(&home);
        let mut touch = Touch { now: 5, wanted: true };
        assert_eq!(file.update(WAIT, &mut touch).expect("free"), Committed::Written);
        assert_eq!(text(&home), "{\n  \"version\": 1,\n  \"updatedAt\": 5,\n  \"watchers\": {}\n}");
        assert_eq!(file.update(WAIT, &mut touch).expect("free"), Committed::Unchanged);
        let mut names: Vec<_> = fs::read_dir(home.folder.path())
            .expect("there")
            .map(|entry| entry.expect("there").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["registry.json", "registry.json.d"]);
    }

    #[test]
    fn what_others_wrote_meanwhile_is_what_a_change_is_applied_to() {
        let home = home();
        let mut file = file(&home);
        file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
        let foreign = "{\"version\":1,\"watchers\":{\"a\":null},\"updatedAt\":6,\"x\":1.0}";
        fs::write(home.paths.registry(), foreign).expect("written");
        assert!(file.has_changed());
        file.update(WAIT, &mut Touch { now: 7, wanted: true }).expect("free");
        assert_eq!(
            text(&home),
            "{\n  \"version\": 1,\n  \"watchers\": {\n    \"a\": null\n  },\n  \"updatedAt\": 7,\n  \"x\": 1.0\n}"
        );
        assert_eq!(fs::read_to_string(home.paths.last_good()).expect("kept"), foreign);
    }

    #[test]
    fn a_change_that_is_not_wanted_any_more_leaves_the_old_file() {
        let home = home();
        let mut file = file(&home);
        file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
        let before = text(&home);
        let mut unwanted = Touch { now: 6, wanted: false };
        assert_eq!(file.update(WAIT, &mut unwanted).expect("free"), Committed::Withdrawn);
        assert_eq!(text(&home), before);
        assert_eq!(file.known().expect("known").updated_at(), 5);
    }

    #[test]
    fn what_is_no_registry_is_set_aside_once_and_the_last_good_one_goes_on() {
        for bytes in ["", "{\"version\":1", "[]", "\u{0}\u{1}"] {
            let home = home();
            let mut writer = file(&home);
            writer.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
            writer.update(WAIT, &mut Touch { now: 6, wanted: true }).expect("free");
            fs::write(home.paths.registry(), bytes).expect("written");

            let reading = file(&home).read().expect("readable");
            assert_eq!(reading.document.updated_at(), 5, "the last good one is shown");
            assert_eq!(reading.problem.expect("told").1, Source::LastGood);
            assert_eq!(text(&home), bytes, "reading changes nothing");

            // A transaction that changes nothing leaves the damage for who does.
            let mut unchanged = Touch { now: 6, wanted: true };
            assert_eq!(writer.update(WAIT, &mut unchanged).expect("free"), Committed::Unchanged);
            for now in [7, 8] {
                writer.update(WAIT, &mut Touch { now, wanted: true }).expect("free");
            }
            let recoveries = writer.take_recoveries();
            assert_eq!(recoveries.len(), 1);
            assert_eq!(recoveries[0].source, Some(Source::Memory));
            assert_eq!(fs::read_to_string(&recoveries[0].set_aside).expect("kept"), bytes);
            assert!(text(&home).contains("\"updatedAt\": 8"));
            let good = fs::read_to_string(home.paths.last_good()).expect("kept");
            assert!(good.contains("\"updatedAt\": 7"), "garbage is never the last good one");
        }
    }

    #[test]
    fn damage_that_cannot_be_set_aside_is_not_overwritten() {
        let home = home();
        fs::write(home.paths.registry(), "garbage").expect("written");
        let folder = Folder::create(&home.paths).expect("own");
        fs::write(folder.path().join("quarantine"), "in the way").expect("written");
        let error =
            file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("refused");
        assert_eq!(error.code(), Code::Corrupt, "{error}");
        assert_eq!(text(&home), "garbage");
    }

    #[test]
    fn a_newer_format_is_left_alone() {
        let home = home();
        fs::write(home.paths.registry(), "{\"version\":2}").expect("written");
        let error =
            file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("newer");
        assert_eq!(error.code(), Code::UnsupportedVersion);
        assert_eq!(text(&home), "{\"version\":2}");
        assert!(!home.paths.lockfile().exists());
        assert_eq!(file(&home).read().expect("told").problem.expect("told").1, Source::Empty);
    }

    #[test]
    fn a_file_with_an_id_twice_is_kept_before_one_of_them_goes() {
        let home = home();
        let twice = r#"{"version":1,"updatedAt":1,"watchers":{"a":1,"a":2}}"#;
        fs::write(home.paths.registry(), twice).expect("written");
        let mut file = file(&home);
        file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
        let recoveries = file.take_recoveries();
        assert_eq!(fs::read_to_string(&recoveries[0].set_aside).expect("kept"), twice);
        assert!(recoveries[0].to_string().contains("`a` stood there more than once"));
    }

    #[test]
    fn the_mode_of_the_file_is_kept() {
        use std::os::unix::fs::PermissionsExt;
        let home = home();
        let mut file = file(&home);
        let mode = || fs::metadata(home.paths.registry()).expect("there").permissions().mode();
        file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
        assert_eq!(mode() & 0o777, 0o600);
        fs::set_permissions(home.paths.registry(), fs::Permissions::from_mode(0o640)).expect("own");
        file.update(WAIT, &mut Touch { now: 6, wanted: true }).expect("free");
        assert_eq!(mode() & 0o777, 0o640);
    }

    #[test]
    fn a_held_kernel_lock_is_waited_for_and_named() {
        let home = home();
        let folder = Folder::create(&home.paths).expect("own");
        let _held = KernelLock::try_acquire(&folder, WRITE_LOCK).expect("own").expect("free");
        let error =
            file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("held");
        let own = format!("process {}", std::process::id());
        assert!(error.to_string().contains(&own), "{error}");
        assert_eq!(error.code(), Code::Locked);
    }

    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let home = home();
        fs::create_dir(home.folder.path().join("elsewhere")).expect("a folder");
        std::os::unix::fs::symlink(home.folder.path().join("elsewhere"), home.paths.folder())
            .expect("a link");
        let error =
            file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("link");
        assert_eq!(error.code(), Code::Permission);
        assert!(!home.paths.registry().exists());
    }

    #[test]
    fn what_a_killed_writer_left_is_cleared_away() {
        let home = home();
        let debris = home.folder.path().join(".registry.json.x7.argus-tmp");
        let other = home.folder.path().join(".registry.json.swp");
        fs::write(&debris, "half").expect("written");
        fs::write(&other, "an editor's").expect("written");
        file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
        assert!(!debris.exists() && other.exists());
    }
}
