//! argus in another version.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::context::{Run, TestContext};
use crate::executables::executables;
use crate::platform::set_mode;
use crate::wait::until;

/// The same programs with something else where a text stood, in a folder of their own: another
/// version of argus without another build.
#[derive(Debug)]
pub struct Altered(TempDir);

impl Altered {
    /// Both programs, with each text replaced by the other one of the same length.
    pub fn new(replacements: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for program in [&executables().argus, &executables().argusd] {
            let mut bytes = std::fs::read(program).expect("it was built");
            for (text, other) in replacements {
                replace(&mut bytes, text.as_bytes(), other.as_bytes());
            }
            let path = folder.path().join(program.file_name().expect("a file"));
            std::fs::write(&path, bytes).expect("room for it");
            set_mode(&path, 0o755);
            // Whatever another thread starts in this moment has the file open for writing until
            // it is another program, and so long this one cannot be run.
            until("it can be run", || Command::new(&path).arg("--version").output().ok());
        }
        Altered(folder)
    }

    /// Both programs in an older version.
    pub fn older() -> Self {
        let older = Altered::new(&[(env!("CARGO_PKG_VERSION"), OLDER)]);
        let printed = Command::new(older.argusd()).arg("--version").output();
        let printed = printed.expect("it runs").stdout;
        assert_eq!(String::from_utf8_lossy(&printed), format!("argusd {OLDER}\n"));
        older
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The daemon.
    pub fn argusd(&self) -> PathBuf {
        self.program("argusd")
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder().join(format!("{name}{EXE_SUFFIX}"))
    }

    /// Runs this version of `argus` to its end.
    pub fn argus(&self, context: &TestContext, arguments: &[&str]) -> Run {
        let mut command = Command::new(self.program("argus"));
        context.prepare(&mut command);
        command.args(arguments).output().expect("it runs").into()
    }
}

/// A version before this one, of the same length.
pub const OLDER: &str = "0.0.9";

fn replace(bytes: &mut [u8], text: &[u8], other: &[u8]) {
    assert_eq!(text.len(), other.len());
    let found: Vec<usize> = memchr::memmem::find_iter(bytes, text).collect();
    for at in found {
        bytes[at..at + text.len()].copy_from_slice(other);
    }
}
