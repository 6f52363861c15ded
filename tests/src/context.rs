//! A home directory of a test's own, and the programs run in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use argus_client::{Mode, Options, blocking};
use argus_store::Paths;
use tempfile::TempDir;

use crate::OWNER;
use crate::executables::{executables, helper};
use crate::platform::{cannot_be_run_yet, ended, find, has_listener, kill, memory_folder};
use crate::rpc::Rpc;
use crate::wait::{DEADLINE, until};

/// A home directory. When it is dropped its daemons are killed and the folder is removed.
#[derive(Debug)]
pub struct TestContext {
    home: TempDir,
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// The `data` of a successful `--json` call.
    pub fn data(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{self:?}");
        self.json()["data"].clone()
    }

    /// The `error` of a failed `--json` call.
    pub fn error(&self) -> serde_json::Value {
        assert_ne!(self.code, 0, "{self:?}");
        self.json()["error"].clone()
    }

    fn json(&self) -> serde_json::Value {
        let lines: Vec<&str> = self.stdout.lines().collect();
        assert_eq!(lines.len(), 1, "one line of JSON: {self:?}");
        serde_json::from_str(lines[0]).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Default for TestContext {
    fn default() -> Self {
        Self::new()
    }
}

impl TestContext {
    /// An empty home.
    pub fn new() -> Self {
        TestContext::within(&std::env::temp_dir())
    }

    /// An empty home in memory: for thousands of changes whose races matter, and not the disk.
    pub fn in_memory() -> Self {
        TestContext::within(&memory_folder())
    }

    /// An empty home in a folder.
    pub fn within(root: &Path) -> Self {
        executables();
        // Canonical, so that the paths that programs print are the ones that tests expect.
        let root = dunce::canonicalize(root).expect("there is a folder for it");
        let home = tempfile::Builder::new().prefix("argus-test-").tempdir_in(root);
        TestContext { home: home.expect("a folder can be made") }
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The registry's file.
    pub fn registry(&self) -> PathBuf {
        self.home().join("registry.json")
    }

    /// Where the files of the registry are.
    pub fn paths(&self) -> Paths {
        Paths::new(&self.registry()).expect("a path")
    }

    /// `argus` with arguments, in this home and with nothing of the tester's own environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&executables().argus);
        self.prepare(&mut command);
        command.args(arguments);
        command
    }

    /// Gives a program this home.
    pub fn prepare(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ARGUS") {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.home()).env("USERPROFILE", self.home());
        command.env("ARGUS_HOME", self.home()).env(OWNER, std::process::id().to_string());
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command.current_dir(self.home()).stdin(Stdio::null());
    }

    /// Runs `argus` to its end.
    pub fn argus(&self, arguments: &[&str]) -> Run {
        let output = until("argus can be run", || match self.command(arguments).output() {
            Err(error) if cannot_be_run_yet(&error) => None,
            output => Some(output.expect("argus can be run")),
        });
        output.into()
    }

    /// Runs `argus` to its end, with something on its standard input.
    pub fn argus_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("argus can be run");
        // It may refuse without reading.
        let _ = child.stdin.take().expect("piped").write_all(input);
        child.wait_with_output().expect("it was started here").into()
    }

    /// Options of a client for this home's registry.
    pub fn options(&self, mode: Mode) -> Options {
        Options {
            mode,
            daemon_executable: Some(executables().argusd.clone()),
            ..Options::new(self.registry())
        }
    }

    /// The same for who waits as long as it takes, on however busy a machine: where it is not about time.
    pub fn patient(&self, mode: Mode) -> Options {
        let (lock_wait, request_timeout) = (Some(DEADLINE), 2 * DEADLINE);
        Options { lock_wait, request_timeout, ..self.options(mode) }
    }

    /// A client for this home's registry.
    pub fn client(&self, mode: Mode) -> blocking::Client {
        blocking::Client::new(self.options(mode)).expect("a client needs nothing")
    }

    /// A JSON-RPC connection to the daemon, which must be running.
    pub fn rpc(&self) -> Rpc {
        Rpc::connect(&self.paths().socket())
    }

    /// Whether a daemon can be connected to.
    pub fn is_served(&self) -> bool {
        has_listener(&self.paths().socket())
    }

    /// Starts the daemon and gives its pid.
    pub fn start_daemon(&self) -> u32 {
        let report = self.argus(&["--json", "daemon", "start"]).data();
        u32::try_from(report["pid"].as_u64().expect("a pid")).expect("a pid")
    }

    /// The daemons of this home that are running.
    pub fn daemons(&self) -> Vec<u32> {
        find("argusd", &self.registry().to_string_lossy())
    }

    /// A daemon that has got so far as to serve. One that is killed before counts as one that cannot
    /// be started, and after three of them nobody tries any more for a minute.
    pub fn serving_daemon(&self) -> Option<u32> {
        let endpoint = std::fs::read(self.paths().endpoint()).ok()?;
        let endpoint: serde_json::Value = serde_json::from_slice(&endpoint).ok()?;
        let pid = u32::try_from(endpoint["pid"].as_u64()?).ok()?;
        self.daemons().contains(&pid).then_some(pid)
    }

    /// What the registry's file holds now; it must be whole.
    pub fn document(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.registry()).expect("the file is there");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The ids in the registry's file, sorted.
    pub fn ids(&self) -> Vec<String> {
        let document = self.document();
        let watchers = document["watchers"].as_object().expect("a map");
        let mut ids: Vec<String> = watchers.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// A process that does nothing until it is killed: somebody to announce.
    pub fn bystander(&self) -> Bystander {
        let mut command = Command::new(helper("idler"));
        let child = command.arg("wait").stdin(Stdio::piped()).spawn().expect("it can be run");
        Bystander(child)
    }
}

impl Drop for TestContext {
    fn drop(&mut self) {
        // A daemon that is just being started shows up only after a moment; its folder is gone
        // then, so it ends by itself.
        for pid in find("argusd", &self.home().to_string_lossy()) {
            kill(pid);
            until("a killed daemon ends", || ended(pid).then_some(()));
        }
    }
}

/// A process that does nothing. It is killed when dropped.
#[derive(Debug)]
pub struct Bystander(Child);

impl Bystander {
    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it, and waits until it has.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.kill();
    }
}
