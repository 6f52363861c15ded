//! argusd as a service: it is lent its socket, and gives it back.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use argus_tests::{Altered, TestContext, executables, until};
use rustix::io::{FdFlags, fcntl_setfd};

/// The part of systemd: it listens, and starts the daemon when somebody connects.
struct Manager {
    listener: UnixListener,
}

impl Manager {
    fn new(socket: &Path) -> Self {
        let folder = socket.parent().expect("it is in a folder");
        fs::DirBuilder::new().mode(0o700).recursive(true).create(folder).expect("own home");
        let listener = UnixListener::bind(socket).expect("nobody listens there");
        fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).expect("own socket");
        // bash hands it on as number 3.
        fcntl_setfd(&listener, FdFlags::empty()).expect("an open descriptor");
        Manager { listener }
    }

    fn start(&self, context: &TestContext, argusd: &Path) -> Child {
        let mut command = Command::new("bash");
        context.prepare(&mut command);
        let script = format!(
            "exec 3<&{0}; [ {0} -eq 3 ] || exec {0}<&-; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"",
            self.listener.as_raw_fd()
        );
        command.args(["-c", &script, "bash"]).arg(argusd).arg("--registry").arg(context.registry());
        command.stderr(Stdio::null());
        command.spawn().expect("bash is installed")
    }
}

fn wait_for(mut daemon: Child) {
    until("the daemon ends", || daemon.try_wait().expect("own child"));
}

/// Seen to fail with a daemon that removes the socket in the end.
#[test]
fn a_lent_socket_is_served_and_given_back() {
    let context = TestContext::new();
    let manager = Manager::new(&context.paths().socket());
    for round in 1..=2 {
        let daemon = manager.start(&context, &executables().argusd);
        // It is in the queue until the daemon is there.
        let id = format!("app-{round}");
        let announce = ["--daemon-only", "announce", "--id", &id, "--pid", "1"];
        let announced = until("the daemon serves", || {
            let announced = context.argus(&announce);
            (announced.code == 0).then_some(announced)
        });
        assert_eq!(announced.stdout.trim(), id);
        assert_eq!(context.daemons(), [daemon.id()], "no other was started");
        assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
        wait_for(daemon);
        assert!(context.paths().socket().exists(), "it is the manager's");
    }
    assert_eq!(context.ids(), ["app-1", "app-2"]);
}

#[test]
fn a_service_is_not_replaced_by_who_is_newer() {
    let context = TestContext::new();
    let manager = Manager::new(&context.paths().socket());
    let older = Altered::older();
    let daemon = manager.start(&context, &older.argusd());
    until("the daemon serves", || {
        (context.argus(&["--daemon-only", "status"]).code == 0).then_some(())
    });
    let announced = context.argus(&["announce", "--id", "app", "--pid", "1"]);
    assert_eq!((announced.code, &*announced.stderr), (0, ""));
    assert_eq!(context.daemons(), [daemon.id()]);
    assert_eq!(context.ids(), ["app"]);
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    wait_for(daemon);
}

/// Clients would look for it elsewhere.
#[test]
fn a_socket_that_is_not_the_registrys_is_refused() {
    let context = TestContext::new();
    let manager = Manager::new(&context.home().join("other").join("sock"));
    let mut daemon = manager.start(&context, &executables().argusd);
    let status = until("it refuses", || daemon.try_wait().expect("own child"));
    assert_eq!(status.code(), Some(1));
}

fn install(context: &TestContext, arguments: &[&str]) -> argus_tests::Run {
    let mut command = context.command(&[&["daemon"], arguments].concat());
    // So that there is no systemctl, on whatever machine this runs.
    command.env_remove("XDG_CONFIG_HOME").env("PATH", context.home());
    command.output().expect("argus can be run").into()
}

#[test]
fn what_would_be_installed_is_shown_and_nothing_is_done() {
    let context = TestContext::new();
    let shown = install(&context, &["install", "--dry-run"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let home = context.home().to_str().expect("text");
    let service = format!("argusd-{}", context.paths().hash());
    let argusd = executables().argusd.to_str().expect("text");
    let stdout = shown.stdout.replace(&service, "[SERVICE]").replace(argusd, "[ARGUSD]");
    insta::assert_snapshot!(stdout.replace(home, "[HOME]"));
    assert_eq!(fs::read_dir(context.home()).expect("own home").count(), 0);
}

#[test]
fn what_no_service_manager_takes_is_not_left_behind() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    let failed = install(&context, &["install"]);
    assert_eq!(failed.code, 1, "{}", failed.stdout);
    assert!(failed.stderr.contains("systemctl --user daemon-reload"), "{}", failed.stderr);
    let units = context.home().join(".config/systemd/user");
    assert_eq!(fs::read_dir(units).expect("it was made").count(), 0);
    assert_eq!(context.daemons(), [daemon], "it goes on");
    let uninstalled = install(&context, &["uninstall"]);
    assert_eq!((uninstalled.code, &*uninstalled.stdout), (0, "no service was installed\n"));
}
