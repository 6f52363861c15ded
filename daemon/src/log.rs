//! The daemon's log: a file of bounded size, and standard error when run by hand.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

/// A log longer than this is put aside, in the place of the one put aside before.
const LOG_BYTES_MAX: u64 = 1024 * 1024;

/// Decides how much is logged from now on.
pub(crate) struct LogHandle(reload::Handle<LevelFilter, Registry>);

impl LogHandle {
    pub(crate) fn set_level(&self, level: LevelFilter) {
        // It fails where nobody logs any more.
        let _ = self.0.modify(|now| *now = level);
    }
}

/// Starts logging to `path`, and to standard error if asked.
pub(crate) fn start(path: &Path, to_stderr: bool, level: LevelFilter) -> io::Result<LogHandle> {
    let log = CappedLog::open(path.to_owned(), LOG_BYTES_MAX)?;
    let writer = Writer { log: Mutex::new(log), to_stderr };
    let (filter, handle) = reload::Layer::new(level);
    let lines = fmt::layer().with_writer(writer).with_ansi(false).with_target(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(LogHandle(handle))
}

struct Writer {
    log: Mutex<CappedLog>,
    to_stderr: bool,
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Writer;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.to_stderr {
            let _ = io::stderr().write_all(line);
        }
        // A disk that takes no log is no reason to stop: there is nobody to tell.
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = log.write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct CappedLog {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl CappedLog {
    fn open(path: PathBuf, bytes_max: u64) -> io::Result<Self> {
        let file = append(&path)?;
        let bytes = file.metadata()?.len();
        Ok(CappedLog { path, file, bytes, bytes_max })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes + line.len() as u64 > self.bytes_max && self.bytes > 0 {
            fs::rename(&self.path, self.path.with_extension("log.old"))?;
            self.file = append(&self.path)?;
            self.bytes = 0;
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    crate::platform::private(&mut options);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_never_grows_beyond_its_bound_and_keeps_the_last_lines() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("argusd.log");
        let mut log = CappedLog::open(path.clone(), 100).expect("writable");
        for number in 0..50 {
            log.write(format!("line {number:04}\n").as_bytes()).expect("writable");
        }
        let now = fs::read_to_string(&path).expect("there");
        let before = fs::read_to_string(path.with_extension("log.old")).expect("there");
        assert!(now.len() <= 100 && before.len() <= 100);
        assert!(now.ends_with("line 0049\n"), "{now}");
    }
}
