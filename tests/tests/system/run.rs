//! A command that is registered for as long as it runs.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use argus_client::method::Subscribe;
use argus_client::{Mode, Reason};
use argus_tests::{
    Lines, Run, Stopped, Terminal, TestContext, ended, executables, signal_process, until,
};
use rustix::process::Signal;

/// `argus run`, and what its command prints. Both end with it.
struct Running {
    child: Child,
    output: Lines,
    /// The command's process, which it prints first.
    pid: u32,
}

impl Running {
    /// Runs a script that first says that it runs.
    fn start(context: &TestContext, options: &[&str], script: &str) -> Self {
        let script = format!("echo $$; {script}");
        let arguments = [&["run"], options, &["--", "sh", "-c", &script]].concat();
        let mut command = argus_with_signals(context, &arguments);
        // In a group of its own: a terminal that a tester may have is not in front of it.
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("argus can be run");
        let output = Lines::of(child.stdout.take().expect("a pipe"));
        let mut running = Running { child, output, pid: 0 };
        running.pid = running.line().parse().expect("a process id");
        running
    }

    fn line(&mut self) -> String {
        self.output.next().expect("it prints a line")
    }

    fn exit_code(&mut self) -> Option<i32> {
        let status = until("it ends", || self.child.try_wait().expect("own child"));
        status.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !ended(self.pid) {
            signal_process(self.pid, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `argus` as a terminal starts it: with no signal ignored, as INT and QUIT are for what a script
/// runs in the background. A shell could not trap them then.
fn argus_with_signals(context: &TestContext, arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    context.prepare(&mut command);
    command.arg("--default-signal=INT,QUIT,HUP").arg(&executables().argus).args(arguments);
    command
}

fn record(context: &TestContext, id: &str) -> serde_json::Value {
    context.document()["watchers"][id].clone()
}

#[test]
fn a_command_is_there_while_it_runs_and_is_told_as_what() {
    for mode in ["--daemon-only", "--direct"] {
        let context = TestContext::new();
        let script = "echo $ARGUS_ID $ARGUS_PORT $ARGUS_REGISTRY_PATH; read line; exit 7";
        let options = [mode, "--id", "app", "--port", "4321", "--data", r#"{"source":"cdp"}"#];
        let mut command =
            context.command(&[&["run"], &options[..], &["--", "sh", "-c", script]].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("argus can be run");
        let line = Lines::of(child.stdout.take().expect("a pipe")).next();
        assert_eq!(line, Some(format!("app 4321 {}", context.registry().display())));
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
fn who_is_killed_leaves_the_record_with_the_command_and_it_goes_with_that() {
    let context = TestContext::new();
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    let mut events = client.subscribe(Subscribe::default());
    events.next_event().expect("what is there");
    let mut running = Running::start(&context, &["--id", "app"], "exec sleep 600");

    running.child.kill().expect("own child");
    running.child.wait().expect("own child");
    assert!(!ended(running.pid));
    assert_eq!(record(&context, "app")["pid"], running.pid);
    assert_eq!(events.next_event().expect("an event").reason, Some(Reason::Announced));

    signal_process(running.pid, Signal::KILL);
    assert_eq!(events.next_event().expect("an event").reason, Some(Reason::ProcessExited));
    assert_eq!(context.ids(), Vec::<String>::new());
}

#[test]
fn signals_are_passed_on_and_the_exit_code_is_the_commands() {
    let context = TestContext::new();
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::QUIT, "QUIT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
    ] {
        let script =
            format!("trap 'echo {name}; exit 5' {name}; echo ready; while :; do sleep 0.01; done");
        let mut running = Running::start(&context, &["--id", "app"], &script);
        assert_eq!(running.line(), "ready");
        signal_process(running.child.id(), signal);
        assert_eq!(running.line(), name);
        assert_eq!(running.exit_code(), Some(5));
    }
    let mut running = Running::start(&context, &["--id", "app"], "exec sleep 600");
    signal_process(running.pid, Signal::KILL);
    assert_eq!(running.exit_code(), Some(128 + 9));
    assert_eq!(context.ids(), Vec::<String>::new());
}

/// Seen to fail with signals that are passed on whoever sent them, and with none where there is a
/// terminal.
#[test]
fn a_key_reaches_the_command_once_and_so_does_a_signal() {
    let context = TestContext::new();
    let script = "trap 'echo caught' INT; trap 'exit 7' TERM; echo ready; \
                  while :; do sleep 0.01; done";
    let arguments = ["run", "--id", "app", "--", "sh", "-c", script];
    let run = argus_with_signals(&context, &arguments);
    let mut terminal = Terminal::start(run, 80, 24);
    let caught = |terminal: &Terminal, times: usize| {
        until("it is caught", || {
            (terminal.screen().matches("caught").count() == times).then_some(())
        });
    };
    terminal.shows("ready");
    terminal.press("\x03");
    caught(&terminal, 1);
    signal_process(terminal.pid(), Signal::INT);
    caught(&terminal, 2);
    signal_process(terminal.pid(), Signal::TERM);
    assert_eq!(terminal.ends().code(), Some(7));
    caught(&terminal, 2);
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
    let unsuited: Run = run(&["--", "/etc/passwd"]);
    assert_eq!(unsuited.code, 126, "{}", unsuited.stderr);
    let json = run(&["--json", "--", "no-such-command"]);
    assert_eq!((json.code, &json.error()["code"]), (127, &"E_NOT_FOUND".into()));
    assert_eq!(run(&[]).code, 2);
    assert_eq!(run(&["--port", "65536", "--", "true"]).code, 2);
    assert_eq!(context.ids(), Vec::<String>::new());
}

/// Seen to fail with a command that is started before it is announced.
#[test]
fn a_command_does_not_run_without_its_name() {
    let context = TestContext::new();
    let _first = Running::start(&context, &["--id", "app"], "exec sleep 600");
    let second = context.argus(&["run", "--id", "app", "--", "touch", "it-ran"]);
    assert_eq!((second.code, second.stderr.contains("E_CONFLICT")), (5, true), "{}", second.stderr);
    assert!(!context.home().join("it-ran").exists());

    let unique =
        context.argus(&["run", "--id", "app", "--unique", "--", "sh", "-c", "echo $ARGUS_ID"]);
    assert_eq!((unique.code, &*unique.stdout), (0, "app-2\n"));
    assert_eq!(unique.stderr, "running as `app-2`\n");
    assert_eq!(context.ids(), ["app"]);
}

/// Seen to fail with a process that becomes the command also where nobody lets it through.
#[test]
fn a_command_does_not_run_where_its_starter_is_killed_before() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    let stopped = Stopped::new(daemon);
    let mut command =
        context.command(&["--daemon-only", "run", "--id", "app", "--", "touch", "it-ran"]);
    let mut child = command.stderr(Stdio::null()).spawn().expect("argus can be run");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let gate: u32 = until("it starts a process", || {
        std::fs::read_to_string(&children).ok()?.trim().parse().ok()
    });
    child.kill().expect("own child");
    child.wait().expect("own child");
    until("the process ends with it", || ended(gate).then_some(()));
    drop(stopped);
    assert!(!context.home().join("it-ran").exists());
}

#[test]
fn each_is_found_a_port_of_its_own_on_which_it_can_listen() {
    let context = TestContext::new();
    let options = ["--id", "app", "--unique", "--port", "auto"];
    let mut running: Vec<Running> = (0..8)
        .map(|_| Running::start(&context, &options, "echo $ARGUS_PORT; exec sleep 600"))
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
    let argus = &executables().argus;
    let inner = format!("{} run --id inner -- sh -c 'echo $ARGUS_ID-$ARGUS_PORT'", argus.display());
    let outer =
        context.argus(&["run", "--id", "outer", "--port", "1234", "--", "sh", "-c", &inner]);
    assert_eq!((outer.code, &*outer.stdout), (0, "inner-\n"));
}
