//! A command that is registered for as long as it runs.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use argus_tests::{Lines, Run, TestContext, ended, executables, helper, kill, own_group};

/// `argus run`, and what its command prints. Both end with it.
pub(crate) struct Running {
    pub(crate) child: Child,
    output: Lines,
    /// The command's process, which it prints first.
    pub(crate) pid: u32,
}

impl Running {
    /// Has the idler do something, after it has said that it runs.
    fn start(context: &TestContext, options: &[&str], told: &[&str]) -> Self {
        Self::of(idling(context, options, &[&["pid"], told].concat()))
    }

    /// Of `argus run` with a command that prints its pid first.
    pub(crate) fn of(mut command: Command) -> Self {
        own_group(&mut command).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("argus can be run");
        let output = Lines::of(child.stdout.take().expect("a pipe"));
        let mut running = Running { child, output, pid: 0 };
        running.pid = running.line().parse().expect("a process id");
        running
    }

    pub(crate) fn line(&mut self) -> String {
        self.output.next().expect("it prints a line")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !ended(self.pid) {
            kill(self.pid);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `argus run` with the idler, which is told what to do.
fn idling(context: &TestContext, options: &[&str], told: &[&str]) -> Command {
    let mut command = context.command(&[&["run"], options, &["--"]].concat());
    command.arg(helper("idler")).args(told);
    command
}

pub(crate) fn record(context: &TestContext, id: &str) -> serde_json::Value {
    context.document()["watchers"][id].clone()
}

#[test]
fn a_command_is_there_while_it_runs_and_is_told_as_what() {
    for mode in ["--daemon-only", "--direct"] {
        let context = TestContext::new();
        let options = [mode, "--id", "app", "--port", "4321", "--data", r#"{"source":"cdp"}"#];
        let prints = ["print ARGUS_ID", "print ARGUS_PORT", "print ARGUS_REGISTRY_PATH"];
        let told = [&prints[..], &["wait", "exit 7"]].concat();
        let mut command = idling(&context, &options, &told);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("argus can be run");
        let lines: Vec<_> = Lines::of(child.stdout.take().expect("a pipe")).take(3).collect();
        assert_eq!(lines, ["app", "4321", context.registry().to_str().expect("text")]);
        let record = record(&context, "app");
        assert_eq!((&record["port"], &record["source"]), (&4321.into(), &"cdp".into()));
        assert_eq!(record["cwd"], context.home().to_str().expect("text"));
        assert_ne!(record["pid"], child.id(), "it is the command's own");
        drop(child.stdin.take());
        assert_eq!(child.wait().expect("own child").code(), Some(7));
        assert_eq!(context.ids(), Vec::<String>::new(), "{mode}");
    }
}

#[test]
fn what_cannot_be_run_is_told_as_a_shell_would_and_leaves_nothing() {
    let context = TestContext::new();
    let run = |arguments: &[&str]| context.argus(&[&["run", "--id", "app"], arguments].concat());
    let missing = run(&["--", "no-such-command"]);
    assert_eq!((missing.code, &*missing.stdout), (127, ""));
    assert!(
        missing.stderr.starts_with("error: cannot run `no-such-command`"),
        "{}",
        missing.stderr
    );
    let text = context.home().join("text");
    std::fs::write(&text, "no program").expect("own folder");
    let unsuited: Run = run(&["--", &text.to_string_lossy()]);
    assert_eq!(unsuited.code, 126, "{}", unsuited.stderr);
    let json = run(&["--json", "--", "no-such-command"]);
    assert_eq!((json.code, &json.error()["code"]), (127, &"E_NOT_FOUND".into()));
    assert_eq!(run(&[]).code, 2);
    assert_eq!(run(&["--port", "65536", "--", "anything"]).code, 2);
    assert_eq!(context.ids(), Vec::<String>::new());
}

/// Seen to fail with a command that is started before it is announced.
#[test]
fn a_command_does_not_run_without_its_name() {
    let context = TestContext::new();
    let _first = Running::start(&context, &["--id", "app"], &["sleep"]);
    let second = idling(&context, &["--id", "app"], &["note it-ran"]).output();
    let second = Run::from(second.expect("argus can be run"));
    assert_eq!((second.code, second.stderr.contains("E_CONFLICT")), (5, true), "{}", second.stderr);
    assert!(!context.home().join("it-ran").exists());

    let unique = idling(&context, &["--id", "app", "--unique"], &["print ARGUS_ID"]).output();
    let unique = Run::from(unique.expect("argus can be run"));
    assert_eq!((unique.code, unique.stdout.trim_end()), (0, "app-2"));
    assert_eq!(unique.stderr, "running as `app-2`\n");
    assert_eq!(context.ids(), ["app"]);
}

#[test]
fn each_is_found_a_port_of_its_own_on_which_it_can_listen() {
    let context = TestContext::new();
    let options = ["--id", "app", "--unique", "--port", "auto"];
    let mut running: Vec<Running> = (0..8)
        .map(|_| Running::start(&context, &options, &["print ARGUS_PORT", "sleep"]))
        .collect();
    let ports: BTreeSet<u16> =
        running.iter_mut().map(|one| one.line().parse().expect("a port")).collect();
    assert_eq!(ports.len(), running.len(), "{ports:?}");
    let listeners: Vec<TcpListener> = ports
        .iter()
        .map(|port| TcpListener::bind(("127.0.0.1", *port)).expect("nobody else listens there"))
        .collect();
    let document = context.document();
    let registered = document["watchers"].as_object().expect("records").values();
    let registered: BTreeSet<u16> =
        registered.map(|record| record["port"].as_u64().expect("a port") as u16).collect();
    assert_eq!((registered, listeners.len()), (ports, 8));
}

#[test]
fn a_command_within_another_is_not_told_the_others_port() {
    let context = TestContext::new();
    let (argus, idler) = (executables().argus.display(), helper("idler"));
    let run = format!("run {argus}");
    let inner = ["run", "--id", "inner", "--", &idler.to_string_lossy()];
    let told = [&[&*run], &inner[..], &["print ARGUS_ID", "print ARGUS_PORT"]].concat();
    let outer = idling(&context, &["--id", "outer", "--port", "1234"], &told).output();
    let outer = Run::from(outer.expect("argus can be run"));
    assert_eq!((outer.code, outer.stdout.lines().collect()), (0, vec!["inner", ""]));
}
