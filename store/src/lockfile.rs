//! `registry.json.lock`, the lock that programs know which have never heard of argus.
//!
//! Among argus processes the kernel lock decides; this one is taken after it, for the others.
//!
//! 1. It is published complete: written under a private name, then linked to its own.
//! 2. A stale one is taken over in place. Its name never vanishes meanwhile, so nobody can slip in.
//! 3. It is removed only by who can show that it is his: same inode, same nonce.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use argus_presence::{ThisMachine, boot_id, clock};
use argus_proto::process::{Machine, Process, Verdict};
use serde::{Deserialize, Serialize};

use crate::error::{StoreError, StoreResult};
use crate::platform;
use crate::wait::Wait;

/// Content beyond this is no lockfile's.
const CONTENT_BYTES_MAX: u64 = 4096;
/// How `by` reads in ours.
const SIGNATURE: &str = "argus";

/// When a lockfile that is still there counts as left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleAfter {
    /// One that names nobody.
    pub unnamed: Duration,
    /// One that names a living process.
    pub named: Duration,
}

impl Default for StaleAfter {
    fn default() -> Self {
        StaleAfter { unnamed: Duration::from_secs(10), named: Duration::from_secs(30) }
    }
}

/// What stands in a lockfile. Other programs write part of it, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Content {
    pid: Option<u32>,
    at: Option<String>,
    start_time: Option<u64>,
    boot_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid_namespace: Option<u64>,
    by: Option<String>,
    nonce: Option<String>,
}

/// Our lockfile, held. Dropping it releases it.
#[derive(Debug)]
pub struct Lockfile {
    path: PathBuf,
    file: File,
    nonce: String,
}

/// A lockfile of somebody else, as it was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    content: Content,
    /// How old it is by the wall clock; `None` for a time in the future.
    age: Option<Duration>,
    /// How long this process has seen it unchanged.
    watched: Duration,
    /// How long this machine has been up.
    since_boot: Option<Duration>,
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

    /// Whether it is still this one's: nobody has stolen it meanwhile.
    pub fn is_own(&mut self) -> bool {
        platform::is_same_file(&self.file, &self.path)
            && read_content(&mut self.file)
                .is_ok_and(|content| content.nonce.as_deref() == Some(&self.nonce))
    }

    /// Tells others that the holder is still at work.
    pub fn refresh(&self) {
        // Failing to look young is no reason to fail: the check before the rename will tell.
        let _ = self.file.set_modified(SystemTime::now());
    }
}

impl Drop for Lockfile {
    fn drop(&mut self) {
        if self.is_own() {
            // Whoever finds it afterwards sees our signature while holding the kernel lock, and
            // takes it over at once.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Found {
    /// Whether nobody can be holding it any more. Doubt means held.
    fn is_stale(&self, stale_after: StaleAfter, machine: &dyn Machine) -> bool {
        if self.content.by.as_deref() == Some(SIGNATURE) {
            // A living argus process would hold the kernel lock, and we do.
            return true;
        }
        let this_boot = self.content.boot_id.as_deref() == boot_id();
        if let (Some(age), Some(since_boot)) = (self.age, self.since_boot)
            && !this_boot
            && age > since_boot + Duration::from_secs(1)
        {
            return true;
        }
        let age = self.age.unwrap_or(self.watched);
        match self.content.pid {
            None => age > stale_after.unnamed,
            Some(pid) => {
                let process = self.process();
                machine.verdict(pid, process.as_ref()) == Verdict::Dead || age > stale_after.named
            }
        }
    }

    fn process(&self) -> Option<Process> {
        Some(Process {
            boot_id: self.content.boot_id.clone()?,
            start_time: self.content.start_time?,
            pid_namespace: self.content.pid_namespace,
            vouched: None,
        })
    }

    fn holder(&self) -> String {
        match self.content.pid {
            Some(pid) => format!("process {pid}"),
            None => "a program that does not say who it is".to_owned(),
        }
    }
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
        let stamp = platform::Stamp::of(&meta);
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
        })
    }
}

/// Makes the lockfile, complete from its first moment; `None` where somebody has it.
fn publish(path: &Path, private: &Path, nonce: &str) -> StoreResult<Option<Lockfile>> {
    let failed = || StoreError::io("create the lockfile", path);
    // Left by somebody who was killed here. Its content may be that of his lockfile by another
    // name, so it is not written to.
    match fs::remove_file(private) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed()(error)),
        _ => {}
    }
    let mut file = platform::create_new(private).map_err(failed())?;
    let linked = file.write_all(&own_content(nonce)).map(|()| platform::link_new(private, path));
    // Whatever has become of it, and of the disk.
    let _ = fs::remove_file(private);
    let linked = linked.map_err(failed())?;
    let held = |file| Some(Lockfile { path: path.to_owned(), file, nonce: nonce.to_owned() });
    match linked {
        Ok(()) => Ok(held(file)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        // There it is empty for a moment, as every other program's is.
        Err(error) if platform::has_no_links(&error) => match platform::create_new(path) {
            Ok(mut file) => match file.write_all(&own_content(nonce)) {
                Ok(()) => Ok(held(file)),
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
    let mut content = own_content(nonce);
    let old_length = file.metadata().map_err(failed())?.len().min(CONTENT_BYTES_MAX) as usize;
    // Blanks cover what was there; a shorter file would be seen half written.
    content.resize(content.len().max(old_length), b' ');
    file.seek(SeekFrom::Start(0)).map_err(failed())?;
    file.write_all(&content).map_err(failed())?;
    file.set_len(content.len() as u64).map_err(failed())?;
    let mut lockfile = Lockfile { path: path.to_owned(), file, nonce: nonce.to_owned() };
    Ok(lockfile.is_own().then_some(lockfile))
}

fn own_content(nonce: &str) -> Vec<u8> {
    let pid = std::process::id();
    let process = ThisMachine.identify(pid);
    let content = Content {
        pid: Some(pid),
        at: Some(jiff::Timestamp::now().to_string()),
        start_time: process.as_ref().map(|process| process.start_time),
        boot_id: process.as_ref().map(|process| process.boot_id.clone()),
        pid_namespace: process.and_then(|process| process.pid_namespace),
        by: Some(SIGNATURE.to_owned()),
        nonce: Some(nonce.to_owned()),
    };
    serde_json::to_vec(&content).unwrap_or_default()
}

/// Anything but a whole object of ours or alike names nobody.
fn read_content(file: &mut (impl Read + Seek)) -> io::Result<Content> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(CONTENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table(Verdict);

    impl Machine for Table {
        fn identify(&self, _pid: u32) -> Option<Process> {
            None
        }

        fn verdict(&self, _pid: u32, _process: Option<&Process>) -> Verdict {
            self.0
        }
    }

    #[test]
    fn doubt_means_held() {
        let boot = boot_id().expect("this machine tells its boot");
        let named = format!(r#"{{"pid":7,"bootId":"{boot}"}}"#);
        let rows = [
            // content, age, watched, verdict of the process that it names, stale
            ("", Some(9), 9, Verdict::Unknown, false),
            ("", Some(11), 0, Verdict::Unknown, true),
            ("{\"pi", Some(11), 0, Verdict::Unknown, true),
            ("", None, 9, Verdict::Unknown, false),
            ("", None, 11, Verdict::Unknown, true),
            (r#"{"pid":7}"#, Some(11), 0, Verdict::Alive, false),
            (r#"{"pid":7}"#, Some(31), 0, Verdict::Alive, true),
            (r#"{"pid":7}"#, Some(1), 0, Verdict::Dead, true),
            (r#"{"pid":7}"#, Some(1), 0, Verdict::Unknown, false),
            (r#"{"pid":7}"#, None, 31, Verdict::Unknown, true),
            (r#"{"pid":7,"by":"argus"}"#, Some(0), 0, Verdict::Alive, true),
            (r#"{"pid":7,"bootId":"x"}"#, Some(2000), 0, Verdict::Unknown, true),
            (named.as_str(), Some(29), 0, Verdict::Alive, false),
        ];
        for (content, age, watched, verdict, stale) in rows {
            let found = Found {
                content: serde_json::from_str(content).unwrap_or_default(),
                age: age.map(Duration::from_secs),
                watched: Duration::from_secs(watched),
                since_boot: Some(Duration::from_secs(1000)),
            };
            let judged = found.is_stale(StaleAfter::default(), &Table(verdict));
            assert_eq!(judged, stale, "{content} {age:?} {watched} {verdict:?}");
        }
    }

    #[test]
    fn it_is_complete_when_it_appears_and_gone_when_released() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("registry.json.lock");
        let mut wait = Wait::new(Duration::ZERO);
        let private = home.path().join("private");
        let mut lockfile = Lockfile::acquire(
            &path,
            &private,
            StaleAfter::default(),
            &mut Watch::default(),
            &mut wait,
        )
        .expect("free");
        assert!(lockfile.is_own());
        let content: Content =
            serde_json::from_slice(&fs::read(&path).expect("there")).expect("complete");
        assert_eq!(content.pid, Some(std::process::id()));
        drop(lockfile);
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 0);
    }

    #[test]
    fn a_foreign_lockfile_is_waited_for_and_named() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("registry.json.lock");
        fs::write(&path, format!("{{\"pid\":{}}}", std::process::id())).expect("written");
        let mut wait = Wait::new(Duration::from_millis(10));
        let private = home.path().join("private");
        let error = Lockfile::acquire(
            &path,
            &private,
            StaleAfter::default(),
            &mut Watch::default(),
            &mut wait,
        )
        .expect_err("held");
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
        let before = fs::metadata(&path).expect("there");
        let mut wait = Wait::new(Duration::ZERO);
        let private = home.path().join("private");
        let mut lockfile = Lockfile::acquire(
            &path,
            &private,
            StaleAfter::default(),
            &mut Watch::default(),
            &mut wait,
        )
        .expect("stale");
        let after = fs::metadata(&path).expect("there");
        assert_eq!(platform_inode(&before), platform_inode(&after));
        assert!(lockfile.is_own());

        fs::remove_file(&path).expect("stolen");
        fs::write(&path, "").expect("by a thief");
        assert!(!lockfile.is_own());
        drop(lockfile);
        assert!(path.exists());
    }

    fn platform_inode(meta: &fs::Metadata) -> u64 {
        use std::os::unix::fs::MetadataExt;
        meta.ino()
    }
}
