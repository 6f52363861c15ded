//! One daemon is started, whoever else is starting it, and it holds on to nothing of theirs.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use argus_tests::{
    TestContext, at_once, copy_program, ended, executables, helper, kill, let_children_inherit,
};

#[test]
fn announcements_at_once_start_exactly_one_daemon() {
    for _ in 0..at_once(20) {
        let context = TestContext::new();
        let calls: Vec<_> = (0..at_once(50))
            .map(|number| {
                let id = format!("app-{number}");
                context
                    .command(&["announce", "--id", &id, "--pid", &std::process::id().to_string()])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("argus can be run")
            })
            .collect();
        for call in calls {
            let output = call.wait_with_output().expect("it was started here");
            assert!(output.status.success(), "{output:?}");
            assert!(output.stderr.is_empty(), "nobody had to do without the daemon: {output:?}");
        }
        assert_eq!(context.daemons().len(), 1);
        assert_eq!(context.ids().len(), at_once(50));
        let log = fs::read_to_string(context.paths().log()).expect("a log");
        assert_eq!(log.matches("serving").count(), 1, "{log}");
    }
}

#[test]
fn the_daemon_keeps_no_descriptor_of_its_caller_open() {
    let context = TestContext::new();
    let (mut reading, writing) = std::io::pipe().expect("a pipe");
    let_children_inherit(&writing);
    let run = context.argus(&["announce", "--id", "x"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(context.daemons().len(), 1);
    drop(writing);
    let mut rest = Vec::new();
    reading.read_to_end(&mut rest).expect("the end comes, since nobody holds the other end");
}

#[test]
fn reading_starts_no_daemon_and_writes_nothing() {
    let context = TestContext::new();
    for arguments in [
        &["ls"][..],
        &["get", "x"],
        &["resolve"],
        &["status"],
        &["doctor"],
        &["daemon", "status"],
        &["daemon", "stop"],
    ] {
        context.argus(arguments);
    }
    assert!(context.daemons().is_empty());
    assert_eq!(fs::read_dir(context.home()).expect("a folder").count(), 0);
}

/// `argus` without `argusd` beside it, so that `ARGUSD` counts.
fn lonely_argus(context: &TestContext) -> Command {
    let folder = context.home().join("bin");
    let argus = folder.join(executables().argus.file_name().expect("a file"));
    if !argus.exists() {
        fs::create_dir_all(&folder).expect("own folder");
        copy_program(&executables().argus, &argus);
    }
    let mut command = Command::new(argus);
    context.prepare(&mut command);
    command
}

/// A process that is killed when the test ends.
struct Killed(u32);

impl Drop for Killed {
    fn drop(&mut self) {
        kill(self.0);
    }
}

/// Seen to fail with a daemon that is killed when its time to start is over.
#[test]
fn a_daemon_that_hangs_while_it_starts_is_worked_around_and_not_killed() {
    let context = TestContext::new();
    let noted = context.home().join("pid");
    let output = lonely_argus(&context)
        .env("ARGUSD", helper("idler"))
        .env("IDLER", format!("note {}\nsleep", noted.display()))
        .args(["announce", "--id", "x"])
        .output()
        .expect("argus can be run");
    let started = fs::read_to_string(noted).expect("it was started");
    let started = Killed(started.trim().parse().expect("a pid"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("was not ready after 3s"), "{stderr}");
    assert!(stderr.contains("went to the file instead"), "{stderr}");
    assert_eq!(context.ids(), ["x"]);
    assert!(!ended(started.0), "it may be slow only");
}

#[test]
fn after_three_failed_starts_nobody_tries_for_a_while_and_all_calls_are_served() {
    let context = TestContext::new();
    let tries = context.home().join("tries");
    for number in 0..5 {
        let output = lonely_argus(&context)
            .env("ARGUSD", helper("idler"))
            .env("IDLER", format!("note {}\nexit 1", tries.display()))
            .args(["announce", "--id", &format!("app-{number}")])
            .output()
            .expect("argus can be run");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        assert!(stderr.contains("went to the file instead"), "{stderr}");
    }
    let tried = fs::read_to_string(&tries).expect("it was tried").lines().count();
    assert_eq!(tried, 3);
    assert_eq!(context.ids().len(), 5);
}

#[test]
fn without_an_executable_the_work_is_done_on_the_file() {
    let context = TestContext::new();
    let output = lonely_argus(&context)
        .env("PATH", context.home())
        .args(["announce", "--id", "x"])
        .output()
        .expect("argus can be run");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    let absent = format!("no argusd{} beside this program", std::env::consts::EXE_SUFFIX);
    assert!(stderr.contains(&absent), "{stderr}");
    assert_eq!(context.ids(), ["x"]);
}
