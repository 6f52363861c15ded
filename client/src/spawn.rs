//! Starting a daemon: once, whoever else is trying at the same time.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use argus_presence::clock;
use argus_proto::error::{Code, Error, Result};
use argus_proto::limits::SPAWN_TIMEOUT;
use argus_store::kernel_lock::{self, SPAWN_LOCK};
use argus_store::{Folder, KernelLock, Paths, Wait};
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::connection::Connection;
use crate::handshake::Failure;
use crate::platform::{DAEMON_FILE_NAME, Started};

/// After so many failures within [`FAILURES_WINDOW`], nobody tries until the window has passed.
const FAILURES_MAX: usize = 3;
const FAILURES_WINDOW: Duration = Duration::from_secs(60);

/// Connects to the daemon that somebody else is starting, or starts it.
pub(crate) async fn connect_or_spawn(
    paths: &Paths,
    name: &str,
    executable: Option<&Path>,
) -> Result<Connection> {
    let deadline = Instant::now() + SPAWN_TIMEOUT;
    let folder = Folder::create(paths)?;
    let socket = paths.socket();
    let mut wait = Wait::new(SPAWN_TIMEOUT);
    let mut spawn_lock = loop {
        if let Some(lock) = KernelLock::try_acquire(&folder, SPAWN_LOCK)? {
            break lock;
        }
        sleep(wait.next_pause()).await;
        match Connection::open(&socket, name).await {
            Ok(connection) => return Ok(connection),
            Err(Failure::Absent(_)) if Instant::now() < deadline => {}
            Err(Failure::Absent(_)) => {
                return Err(Error::new(
                    Code::Unreachable,
                    "another process has been starting argusd for too long",
                ));
            }
            Err(Failure::Unusable(error)) => return Err(error),
        }
    };
    // The one before us may have started it while we waited for the lock.
    match Connection::open(&socket, name).await {
        Ok(connection) => return Ok(connection),
        Err(Failure::Unusable(error)) => return Err(error),
        Err(Failure::Absent(_)) => {}
    }
    spawn(paths, name, executable, &[], &mut spawn_lock, deadline).await
}

/// Starts a daemon in the place of an older one that serves, which hands over to it. The spawn
/// lock is held until it has: whoever else finds nobody there for a moment waits for that.
pub(crate) async fn replace(
    paths: &Paths,
    name: &str,
    executable: Option<&Path>,
) -> Result<Connection> {
    let deadline = Instant::now() + SPAWN_TIMEOUT;
    let folder = Folder::open_as_it_is(paths.folder())?;
    let Some(mut spawn_lock) = KernelLock::try_acquire(&folder, SPAWN_LOCK)? else {
        return Err(Error::new(Code::Busy, "another process is starting or replacing argusd"));
    };
    spawn(paths, name, executable, &["--replace"], &mut spawn_lock, deadline).await
}

/// Starts a daemon and connects to it, unless that has failed too often of late.
async fn spawn(
    paths: &Paths,
    name: &str,
    executable: Option<&Path>,
    arguments: &[&str],
    spawn_lock: &mut KernelLock,
    deadline: Instant,
) -> Result<Connection> {
    let mut failures = Failures::parse(&spawn_lock.note());
    failures.check(paths)?;
    match start(paths, executable, arguments, deadline).await {
        Ok(()) => {
            failures.clear(spawn_lock);
            Connection::open(&paths.socket(), name).await.map_err(|failure| match failure {
                Failure::Absent(_) => {
                    Error::new(Code::Unreachable, "argusd ended as soon as it ran")
                }
                Failure::Unusable(error) => error,
            })
        }
        Err(error) => {
            failures.add(spawn_lock);
            Err(error)
        }
    }
}

/// Runs the daemon's executable and waits for its report.
async fn start(
    paths: &Paths,
    executable: Option<&Path>,
    arguments: &[&str],
    deadline: Instant,
) -> Result<()> {
    let executable = executable.map_or_else(daemon_executable, |path| Ok(path.to_owned()))?;
    let config = std::env::var_os("ARGUS_CONFIG").filter(|config| !config.is_empty());
    // It is started in another folder.
    let absolute = |config: OsString| std::path::absolute(&config).map_or(config, OsString::from);
    let variables: Vec<_> =
        config.map(|config| ("ARGUS_CONFIG".into(), absolute(config))).into_iter().collect();
    let mut arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    arguments.extend(["--detached".into(), "--registry".into(), paths.registry().into()]);
    let mut started = Started::start(&executable, &arguments, &variables).map_err(|error| {
        Error::new(Code::Unreachable, format!("cannot start {}: {error}", executable.display()))
    })?;
    let (reply, report) = oneshot::channel();
    // A thread, not a task: a pipe is read blocking, and so is a process waited for.
    std::thread::Builder::new()
        .name("argus-spawn".into())
        .spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(started.report()).read_line(&mut line);
            let _ = reply.send(line);
            started.finish();
        })
        .map_err(|error| Error::new(Code::Io, format!("cannot start a thread: {error}")))?;
    let line = timeout_at(deadline, report).await.map_err(|_| {
        Error::new(Code::Timeout, format!("argusd was not ready after {SPAWN_TIMEOUT:?}"))
    })?;
    read_report(&line.unwrap_or_default(), paths)
}

fn read_report(line: &str, paths: &Paths) -> Result<()> {
    #[derive(Deserialize)]
    struct Report {
        ok: bool,
        error: Option<ReportedError>,
    }
    #[derive(Deserialize)]
    struct ReportedError {
        code: String,
        message: String,
    }

    match serde_json::from_str(line) {
        Ok(Report { ok: true, .. }) => Ok(()),
        // One that serves already is what was wanted.
        Ok(Report { error: Some(error), .. }) if error.code == Code::Busy.name() => Ok(()),
        Ok(Report { error: Some(error), .. }) => {
            Err(Error::new(Code::Unreachable, format!("argusd could not start: {}", error.message))
                .hint("argus daemon run"))
        }
        _ => Err(Error::new(Code::Unreachable, "argusd ended before it was ready")
            .hint(format!("see its log: tail {}", paths.log().display()))),
    }
}

/// The daemon's executable: beside this one, else `ARGUSD`, else on the PATH.
///
/// # Errors
/// `E_UNREACHABLE` where there is none.
pub fn daemon_executable() -> Result<PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join(DAEMON_FILE_NAME)))
        .filter(|path| path.is_file());
    if let Some(path) = beside {
        return Ok(path);
    }
    if let Some(path) = std::env::var_os("ARGUSD").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    on_path(std::env::var_os("PATH")).ok_or_else(|| {
        Error::new(
            Code::Unreachable,
            format!("there is no {DAEMON_FILE_NAME} beside this program, and none on the PATH"),
        )
        .hint("install it, or set ARGUSD to its path")
    })
}

fn on_path(path: Option<OsString>) -> Option<PathBuf> {
    std::env::split_paths(&path?)
        // A relative entry would mean another program in each folder.
        .filter(|folder| folder.is_absolute())
        .map(|folder: PathBuf| Path::join(&folder, DAEMON_FILE_NAME))
        .find(|path| path.is_file())
}

/// For how long no daemon is started, since that has failed too often of late; `None` where one is
/// started as soon as somebody needs it. Only looks.
pub(crate) fn rest(paths: &Paths) -> Option<Duration> {
    let failures = Failures::parse(&kernel_lock::read_note(paths, SPAWN_LOCK));
    let now = clock::wall_ms();
    let last = failures.0.last().filter(|_| failures.is_time_to_rest(now))?;
    Some(FAILURES_WINDOW.saturating_sub(Duration::from_millis(now.saturating_sub(*last))))
}

/// When daemons could not be started of late; noted in the spawn lock, so that every process
/// knows.
struct Failures(Vec<u64>);

impl Failures {
    fn parse(note: &str) -> Self {
        let now = clock::wall_ms();
        let noted: Vec<u64> = serde_json::from_str(note).unwrap_or_default();
        // A time in the future is from before somebody set the clock. The first of three can be
        // a window older than the last, and the last a window old.
        let remembered = 2 * FAILURES_WINDOW.as_millis() as u64;
        Failures(noted.into_iter().filter(|at| *at <= now && now - *at < remembered).collect())
    }

    fn check(&self, paths: &Paths) -> Result<()> {
        if !self.is_time_to_rest(clock::wall_ms()) {
            return Ok(());
        }
        Err(Error::new(
            Code::Unreachable,
            format!(
                "argusd could not be started {FAILURES_MAX} times within {} s; it is not tried again for a while",
                FAILURES_WINDOW.as_secs()
            ),
        )
        .hint(format!("see why: argus --registry {} daemon run", paths.registry().display())))
    }

    /// Whether the last failures came within a window, and the last of them less than one ago.
    fn is_time_to_rest(&self, now: u64) -> bool {
        let window = FAILURES_WINDOW.as_millis() as u64;
        let Some(first) = self.0.len().checked_sub(FAILURES_MAX) else { return false };
        let (first, last) = (self.0[first], self.0[self.0.len() - 1]);
        last.saturating_sub(first) < window && now.saturating_sub(last) < window
    }

    fn add(&mut self, lock: &mut KernelLock) {
        self.0.push(clock::wall_ms());
        self.write(lock);
    }

    fn clear(&mut self, lock: &mut KernelLock) {
        if !self.0.is_empty() {
            self.0.clear();
            self.write(lock);
        }
    }

    fn write(&self, lock: &mut KernelLock) {
        // Advice only: without it the next one tries once more.
        let _ = lock.set_note(&serde_json::json!(self.0).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_within_a_minute_are_followed_by_a_minute_of_rest() {
        let rows: [(&[u64], u64, bool); 6] = [
            (&[], 0, false),
            (&[0, 1_000], 2_000, false),
            (&[0, 1_000, 59_000], 60_000, true),
            (&[0, 1_000, 59_000], 118_999, true),
            (&[0, 1_000, 59_000], 119_000, false),
            (&[0, 1_000, 61_000], 62_000, false),
        ];
        for (failures, now, rests) in rows {
            let failures = Failures(failures.to_vec());
            assert_eq!(failures.is_time_to_rest(now), rests, "{:?} {now}", failures.0);
        }
    }
}
