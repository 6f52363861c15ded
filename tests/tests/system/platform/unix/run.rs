//! Signals and terminals before a command, and the process in which it waits for its name.

use std::process::{Command, Stdio};

use argus_client::method::Subscribe;
use argus_client::{Mode, Reason};
use argus_tests::{
    Stopped, Terminal, TestContext, ended, executables, kill, signal_process, until,
};
use rustix::process::Signal;

use crate::run::{Running, record};

/// Runs a script that first says that it runs.
fn running(context: &TestContext, script: &str) -> Running {
    let script = format!("echo $$; {script}");
    Running::of(argus_with_signals(context, &["run", "--id", "app", "--", "sh", "-c", &script]))
}

/// `argus` as a terminal starts it: with no signal ignored, as INT and QUIT are for what a script
/// runs in the background. A shell could not trap them then.
fn argus_with_signals(context: &TestContext, arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    context.prepare(&mut command);
    command.arg("--default-signal=INT,QUIT,HUP").arg(&executables().argus).args(arguments);
    command
}

fn exit_code(running: &mut Running) -> Option<i32> {
    until("it ends", || running.child.try_wait().expect("own child")).code()
}

#[test]
fn who_is_killed_leaves_the_record_with_the_command_and_it_goes_with_that() {
    let context = TestContext::new();
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    let mut events = client.subscribe(Subscribe::default());
    events.next_event().expect("what is there");
    let mut running = running(&context, "exec sleep 600");

    running.child.kill().expect("own child");
    running.child.wait().expect("own child");
    assert!(!ended(running.pid));
    assert_eq!(record(&context, "app")["pid"], running.pid);
    assert_eq!(events.next_event().expect("an event").reason, Some(Reason::Announced));

    kill(running.pid);
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
        let mut running = running(&context, &script);
        assert_eq!(running.line(), "ready");
        signal_process(running.child.id(), signal);
        assert_eq!(running.line(), name);
        assert_eq!(exit_code(&mut running), Some(5));
    }
    let mut running = running(&context, "exec sleep 600");
    kill(running.pid);
    assert_eq!(exit_code(&mut running), Some(128 + 9));
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
