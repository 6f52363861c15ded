//! `registry.json.lock`, the lock that programs know which have never heard of argus.
//!
//! Among argus processes the kernel lock decides; this one is taken after it, for the others.
//!
//! 1. It is published complete: written under a private name, then linked to its own. The file stays
//!    under the private name, for the next time.
//! 2. A stale one is taken over in place. Its name never vanishes meanwhile, so nobody can slip in.
//! 3. It is removed only by who can show that it is his: same inode, same nonce.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use argus_presence::{ThisMachine, boot_id, clock};
use argus_proto::process::{Machine, Process};

use crate::error::{StoreError, StoreResult};
pub use crate::holder::StaleAfter;
use crate::holder::{Content, Found, SIGNATURE};
use crate::keeper::{self, Kept};
use crate::platform;
use crate::wait::Wait;

/// Content beyond this is no lockfile's.
const CONTENT_BYTES_MAX: u64 = 4096;

/// Enough for ours.
const CONTENT_BYTES_USUAL: usize = 512;

/// Our lockfile, held. Dropping it releases it.
#[derive(Debug)]
pub struct Lockfile {
    path: PathBuf,
    file: Arc<File>,
    nonce: String,
    /// What we wrote into it.
    content: Vec<u8>,
    kept: Kept,
}

impl Lockfile {
    /// Takes the lockfile as soon as nobody has it. Only for who holds the kernel lock, to whom
    /// `private` belongs as well: the name under which it is written first. `watch` is what this
    /// writer has seen of the lockfile before.
    pub fn acquire(
        path: &Path,
        private: &Path,
        stale_after: StaleAfter,
        watch: &mut Watch,
        wait: &mut Wait,
    ) -> StoreResult<Self> {
        let nonce = format!("{:016x}", fastrand::u64(..));
        loop {
            if let Some(lockfile) = publish(path, private, &nonce)? {
                return Ok(lockfile);
            }
            let found = match open_existing(path)? {
                None => continue,
                Some(file) => match watch.look(&file) {
                    Ok(found) if found.is_stale(stale_after, &ThisMachine) => {
                        if let Some(lockfile) = take_over(file, path, &nonce)? {
                            return Ok(lockfile);
                        }
                        continue;
                    }
                    Ok(found) => found,
                    Err(source) => return Err(StoreError::io("read the lockfile", path)(source)),
                },
            };
            if !wait.pause() {
                return Err(StoreError::Locked {
                    path: path.to_owned(),
                    holder: found.holder(),
                    age: found.age,
                });
            }
        }
    }

    fn held(path: &Path, file: File, nonce: &str, content: Vec<u8>) -> Self {
        let file = Arc::new(file);
        let kept = keeper::keep(file.clone());
        Lockfile { path: path.to_owned(), file, nonce: nonce.to_owned(), content, kept }
    }

    /// Tells others that the holder is still at work, if it has held it for long.
    pub fn refresh(&self) {
        self.kept.refresh();
    }

    /// Whether it is still this one's: nobody has stolen it meanwhile.
    pub fn is_own(&self) -> bool {
        platform::is_same_file(&self.file, &self.path) && (self.is_unchanged() || self.has_nonce())
    }

    /// Whether it reads as we wrote it.
    fn is_unchanged(&self) -> bool {
        // One byte more, to see whether there is one.
        let mut found = vec![0; self.content.len() + 1];
        let mut file = &*self.file;
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read(&mut found));
        read.is_ok_and(|bytes| found[..bytes] == self.content[..])
    }

    /// Whether it is ours however somebody has laid it out since.
    fn has_nonce(&self) -> bool {
        read_content(&mut &*self.file)
            .is_ok_and(|content| content.nonce.as_deref() == Some(&self.nonce))
    }
}

impl Drop for Lockfile {
    fn drop(&mut self) {
        if self.is_own() {
            // Whoever finds it afterwards sees our signature while holding the kernel lock, and
            // takes it over at once.
            let _ = platform::remove_file(&self.path);
        }
    }
}

/// A lockfile, as who only looks finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// What it says, for judgement.
    pub found: Found,
    /// For how long it has been held, as far as that can be told: argus keeps its own looking young,
    /// and says in them since when.
    pub held_for: Option<Duration>,
}

/// The lockfile at `path`, if there is one. Takes no lock and writes nothing.
pub fn inspect(path: &Path) -> StoreResult<Option<Inspected>> {
    let failed = || StoreError::io("read the lockfile", path);
    let file = match platform::open_no_follow(path, false) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed()(error)),
    };
    if !file.metadata().map_err(failed())?.is_file() {
        return Err(failed()(io::ErrorKind::IsADirectory.into()));
    }
    let found = Watch::default().look(&file).map_err(failed())?;
    let since = found.content.at.as_deref().filter(|_| found.is_signed());
    let said = since
        .and_then(|at| at.parse::<jiff::Timestamp>().ok())
        .and_then(|at| SystemTime::now().duration_since(at.into()).ok());
    let held_for = said.max(found.age);
    Ok(Some(Inspected { found, held_for }))
}

/// How long the same lockfile has been seen unchanged: over all attempts of one writer, since a
/// single wait is shorter than any lockfile takes to become stale.
#[derive(Debug, Default)]
pub struct Watch {
    seen: Option<(platform::Stamp, Instant)>,
}

impl Watch {
    fn look(&mut self, mut file: &File) -> io::Result<Found> {
        let meta = file.metadata()?;
        let stamp = platform::Stamp::of(file)?;
        let since = match self.seen {
            Some((seen, since)) if seen == stamp => since,
            _ => Instant::now(),
        };
        self.seen = Some((stamp, since));
        Ok(Found {
            content: read_content(&mut file).unwrap_or_default(),
            age: SystemTime::now().duration_since(meta.modified()?).ok(),
            watched: since.elapsed(),
            since_boot: clock::since_boot(),
            this_boot: boot_id(),
        })
    }
}

/// Makes the lockfile, complete from its first moment; `None` where somebody has it.
fn publish(path: &Path, private: &Path, nonce: &str) -> StoreResult<Option<Lockfile>> {
    let failed = || StoreError::io("create the lockfile", path);
    // The same file each time: making one and removing it costs the disk more than the rest. Where it was
    // the lockfile of somebody who was killed, it still is; it belongs to who holds the kernel lock.
    let mut file = open_private(private).map_err(failed())?;
    let content = overwrite(&mut file, own_content(nonce)).map_err(failed())?;
    let linked = platform::link_new(private, path);
    let held = |file, content| Some(Lockfile::held(path, file, nonce, content));
    match linked {
        Ok(()) => Ok(held(file, content)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        // There it is empty for a moment, as every other program's is.
        Err(error) if platform::has_no_links(&error) => match platform::create_new(path) {
            Ok(mut file) => match file.write_all(&content) {
                Ok(()) => Ok(held(file, content)),
                Err(error) => {
                    let _ = fs::remove_file(path);
                    Err(failed()(error))
                }
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(failed()(error)),
        },
        Err(error) => Err(failed()(error)),
    }
}

fn open_existing(path: &Path) -> StoreResult<Option<File>> {
    match platform::open_no_follow(path, true) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("open the lockfile", path)(error)),
    }
}

/// Overwrites a stale lockfile with ours, in one write; `None` where it is gone meanwhile.
fn take_over(mut file: File, path: &Path, nonce: &str) -> StoreResult<Option<Lockfile>> {
    if !platform::is_same_file(&file, path) {
        return Ok(None);
    }
    let failed = || StoreError::io("take over the lockfile", path);
    let content = overwrite(&mut file, own_content(nonce)).map_err(failed())?;
    let lockfile = Lockfile::held(path, file, nonce, content);
    Ok(lockfile.is_own().then_some(lockfile))
}

/// Puts other content into a file in one write. Tells what it is then, blanks included.
fn overwrite(file: &mut File, mut content: Vec<u8>) -> io::Result<Vec<u8>> {
    let old_length = file.metadata()?.len();
    // Blanks cover what was there; a shorter file would be seen half written.
    content.resize(content.len().max(old_length.min(CONTENT_BYTES_MAX) as usize), b' ');
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&content)?;
    if old_length > content.len() as u64 {
        file.set_len(content.len() as u64)?;
    }
    Ok(content)
}

/// The file that becomes the lockfile when it gets that name.
fn open_private(path: &Path) -> io::Result<File> {
    match platform::open_no_follow(path, true) {
        Ok(file) if file.metadata()?.is_file() => return Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // Whatever it is, it is in a folder that is argus' own.
        _ => fs::remove_file(path)?,
    }
    platform::create_new(path)
}

fn own_content(nonce: &str) -> Vec<u8> {
    let pid = std::process::id();
    let process = own_process(pid);
    let content = Content {
        pid: Some(pid),
        at: Some(jiff::Timestamp::now().to_string()),
        start_time: process.as_ref().map(|process| process.start_time),
        boot_id: process.as_ref().map(|process| process.boot_id.clone()),
        pid_namespace: process.and_then(|process| process.pid_namespace),
        by: Some(SIGNATURE.to_owned()),
        nonce: Some(nonce.to_owned()),
    };
    content.render()
}

/// This process, which stays the same one; only a fork of it is another.
fn own_process(pid: u32) -> Option<Process> {
    static OWN: OnceLock<(u32, Option<Process>)> = OnceLock::new();
    let (known, process) = OWN.get_or_init(|| (pid, ThisMachine.identify(pid)));
    if *known == pid { process.clone() } else { ThisMachine.identify(pid) }
}

fn read_content(file: &mut (impl Read + Seek)) -> io::Result<Content> {
    let mut bytes = Vec::with_capacity(CONTENT_BYTES_USUAL);
    file.seek(SeekFrom::Start(0))?;
    file.take(CONTENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Content::parse(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a writer does that has never seen it before.
    fn acquire(path: &Path, wait: Duration) -> StoreResult<Lockfile> {
        let private = path.with_file_name("private");
        let (mut watch, mut wait) = (Watch::default(), Wait::new(wait));
        Lockfile::acquire(path, &private, StaleAfter::default(), &mut watch, &mut wait)
    }

    #[test]
    fn it_is_complete_when_it_appears_and_gone_when_released() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("registry.json.lock");
        let lockfile = acquire(&path, Duration::ZERO).expect("free");
        assert!(lockfile.is_own());
        let content = Content::parse(&fs::read(&path).expect("there"));
        assert_eq!(content.pid, Some(std::process::id()));
        let inspected = inspect(&path).expect("readable").expect("there");
        assert_eq!(inspected.found.content, content);
        assert!(!inspected.found.seems_stale(StaleAfter::default(), &ThisMachine));
        assert!(inspected.held_for.is_some());
        drop(lockfile);
        assert_eq!(inspect(&path).expect("readable"), None);
        // What is left is the file for the next time, which serves that as well.
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 1);
        let second = acquire(&path, Duration::ZERO).expect("free");
        assert!(second.is_own());
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 2);
    }

    #[test]
    fn a_foreign_lockfile_is_waited_for_and_named() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("registry.json.lock");
        fs::write(&path, format!("{{\"pid\":{}}}", std::process::id())).expect("written");
        let error = acquire(&path, Duration::from_millis(10)).expect_err("held");
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn one_from_the_future_is_watched_over_several_waits() {
        let home = tempfile::tempdir().expect("a folder");
        let (path, private) = (home.path().join("registry.json.lock"), home.path().join("private"));
        let file = File::create(&path).expect("own folder");
        file.set_modified(SystemTime::now() + Duration::from_secs(3600)).expect("own file");
        let stale_after = StaleAfter { unnamed: Duration::from_millis(60), ..Default::default() };
        let mut watch = Watch::default();
        let attempts = (0..).find(|_| {
            let mut wait = Wait::new(Duration::from_millis(25));
            Lockfile::acquire(&path, &private, stale_after, &mut watch, &mut wait).is_ok()
        });
        assert!(attempts > Some(0), "its time is no age");
    }

    #[test]
    fn a_stale_one_is_taken_over_in_place_and_a_stolen_one_is_not_removed() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("registry.json.lock");
        let long = format!("{{\"by\":\"argus\",\"x\":\"{}\"}}", "y".repeat(600));
        fs::write(&path, &long).expect("written");
        let mut open = File::open(&path).expect("there");
        let lockfile = acquire(&path, Duration::ZERO).expect("stale");
        let seen = read_content(&mut open).expect("readable");
        assert_eq!(seen.pid, Some(std::process::id()), "it is the same file");
        assert!(lockfile.is_own());
        drop(open);

        fs::remove_file(&path).expect("stolen");
        fs::write(&path, "").expect("by a thief");
        assert!(!lockfile.is_own());
        drop(lockfile);
        assert!(path.exists());
    }

    /// Seen to fail where only what we wrote counts, and where only the file does.
    #[test]
    fn its_nonce_makes_it_ours_however_it_is_laid_out() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("registry.json.lock");
        let lockfile = acquire(&path, Duration::ZERO).expect("free");
        let text = fs::read_to_string(&path).expect("there");
        fs::write(&path, text.replace(',', ",\n  ")).expect("in place");
        assert!(lockfile.is_own());
        fs::write(&path, text.replace(&lockfile.nonce, "another's")).expect("in place");
        assert!(!lockfile.is_own());
        drop(lockfile);
        assert!(path.exists(), "it is left to the other");
    }

    #[test]
    fn one_that_is_held_for_long_looks_young() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("registry.json.lock");
        let lockfile = acquire(&path, Duration::ZERO).expect("free");
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        lockfile.file.set_modified(long_ago).expect("own file");
        let deadline = Instant::now() + Duration::from_secs(20);
        while fs::metadata(&path).expect("held").modified().expect("a time") == long_ago {
            assert!(Instant::now() < deadline, "nobody refreshes it");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
