//! `argus doctor` where it takes another user, a disk of its own, or a file system that takes no
//! changes to see what is wrong. Needs root, `setpriv` and `mount`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use argus_tests::{Run, TestContext, until};
use serde_json::Value;

use crate::mounts::SmallDisk;
use crate::users::{OTHER, OtherUser};

/// The codes of what was found, and all of it.
fn examined(run: &Run) -> (Vec<String>, Vec<Value>) {
    let answer: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"));
    let findings = answer["data"]["findings"].as_array().expect("findings").clone();
    let codes = findings.iter().map(|found| found["code"].as_str().expect("text").to_owned());
    (codes.collect(), findings)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("root may");
}

const DOCTOR: [&str; 2] = ["--json", "doctor"];
const FIX: [&str; 3] = ["--json", "doctor", "--fix"];

#[test]
fn another_users_folder_and_daemon_are_told_and_left_alone() {
    let context = TestContext::new();
    let other = OtherUser::new(&context);
    assert_eq!(other.argus(&["announce", "--id", "his", "--pid", "1"]).code, 0);
    let registry = other.registry().to_string_lossy().into_owned();
    for arguments in [&DOCTOR[..], &FIX] {
        let run = context.argus(&[&["--registry", &registry], arguments].concat());
        let (codes, findings) = examined(&run);
        assert_eq!((run.code, &codes[..]), (11, &["other-user".to_owned()][..]), "{run:?}");
        let message = findings[0]["message"].as_str().expect("text");
        assert!(message.contains(&format!("belongs to user {OTHER}")), "{message}");
    }
    let socket = argus_store::Paths::new(&other.registry()).expect("a path").socket();
    assert_eq!(other.argus(&["daemon", "stop"]).code, 0);
    until("his daemon has ended", || (!socket.exists()).then_some(()));
}

/// His daemon in a folder that was given to somebody else meanwhile.
#[test]
fn a_socket_of_another_user_in_ones_own_folder_is_told() {
    let context = TestContext::new();
    let other = OtherUser::new(&context);
    assert_eq!(other.argus(&["daemon", "start"]).code, 0);
    let paths = argus_store::Paths::new(&other.registry()).expect("a path");
    chown(paths.folder(), Some(0), Some(0)).expect("root may");
    let registry = other.registry().to_string_lossy().into_owned();
    let (codes, findings) =
        examined(&context.argus(&["--registry", &registry, "--json", "doctor"]));
    assert_eq!(codes, ["other-user"]);
    let message = findings[0]["message"].as_str().expect("text");
    assert!(message.contains(&format!("argusd.sock belongs to user {OTHER}, not to you")));
    chown(paths.folder(), Some(OTHER), Some(OTHER)).expect("root may");
    assert_eq!(other.argus(&["daemon", "stop"]).code, 0);
    until("his daemon has ended", || (!paths.socket().exists()).then_some(()));
}

#[test]
fn what_is_closed_to_its_own_user_is_told_once_and_stays_closed() {
    let context = TestContext::new();
    let other = OtherUser::new(&context);
    assert_eq!(other.argus(&["announce", "--id", "his", "--pid", "1"]).code, 0);
    let paths = argus_store::Paths::new(&other.registry()).expect("a path");
    let rows = [
        (paths.socket(), 0o000, 0o600, "daemon-permission"),
        (paths.registry().to_owned(), 0o000, 0o600, "registry-unreadable"),
        (paths.folder(), 0o500, 0o700, "folder-unusable"),
        (paths.folder(), 0o000, 0o700, "folder-unusable"),
        (paths.parent().to_owned(), 0o500, 0o700, "folder-unusable"),
        (paths.parent().to_owned(), 0o000, 0o700, "folder-unusable"),
    ];
    for (path, closed, open, code) in rows {
        mode(&path, closed);
        for arguments in [&DOCTOR[..], &FIX] {
            let run = other.argus(arguments);
            let (codes, _) = examined(&run);
            assert_eq!((run.code, codes), (11, vec![code.to_owned()]), "{path:?} {run:?}");
            let now = path.metadata().expect("root may").permissions().mode() & 0o777;
            assert_eq!(now, closed, "{path:?}");
        }
        mode(&path, open);
        // What the daemon has met meanwhile it tells until it has looked again.
        until("nothing is wrong any more", || {
            examined(&other.argus(&DOCTOR)).0.is_empty().then_some(())
        });
    }
    assert_eq!(other.argus(&["daemon", "stop"]).code, 0);
    until("his daemon has ended", || (!paths.socket().exists()).then_some(()));
}

#[test]
fn a_disk_that_is_nearly_full_or_takes_no_changes_is_told() {
    let disk = SmallDisk::new(512);
    let context = TestContext::within(&disk.path());
    context.argus(&["--direct", "announce", "--id", "x", "--pid", "1"]);
    let doctor = || examined(&context.argus(&["--direct", "--json", "doctor"])).0;
    assert_eq!(doctor(), ["disk-nearly-full"]);

    disk.remount("size=16m");
    assert_eq!(doctor(), [""; 0]);

    disk.remount("ro");
    let (codes, findings) = examined(&context.argus(&["--direct", "--json", "doctor"]));
    assert_eq!(codes, ["folder-unusable"]);
    assert!(findings[0]["message"].as_str().expect("text").contains("read-only"));
    disk.remount("rw");
}
