//! Links and pipes in the place of records, which only Unix has for everyone.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{Set, WAIT, expected, home, set};

/// A mode is no change of what is in a file.
#[test]
fn what_is_shown_of_a_file_whose_mode_was_changed_is_what_stands_beside_it() {
    let home = home();
    let mut file = home.file();
    set(&mut file, true, &[("a", Some("1"))]);
    set(&mut file, true, &[("gone", Some("1"))]);
    set(&mut file, false, &[("gone", None)]);
    drop(file);
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(home.paths.registry(), mode).expect("own file");
    assert_eq!(home.found(), expected(&[("a", "1")]));
    set(&mut home.file(), true, &[("b", Some("1"))]);
    assert_eq!(home.shown(), expected(&[("a", "1"), ("b", "1")]));
}

/// Seen to fail with each of them as the reason to refuse all others.
#[test]
fn what_is_no_file_is_no_record_and_no_reason_to_refuse_the_others() {
    let home = home();
    let mut file = home.file();
    set(&mut file, true, &[("a", Some("1")), ("linked", Some("1"))]);
    let elsewhere = home.folder.path().join("elsewhere.json");
    fs::rename(home.record_file("linked.json"), &elsewhere).expect("renamed");
    symlink(&elsewhere, home.record_file("linked.json")).expect("linked");
    symlink("loop.json", home.record_file("loop.json")).expect("linked");
    symlink("nowhere", home.record_file("dangling.json")).expect("linked");
    symlink("/dev/zero", home.record_file("endless.json")).expect("linked");
    fs::create_dir(home.record_file("folder.json")).expect("made");
    let made = std::process::Command::new("mkfifo").arg(home.record_file("fifo.json")).status();
    assert!(made.expect("mkfifo is installed").success());
    assert_eq!(home.found(), expected(&[("a", "1"), ("linked", "1")]));

    // It is the link that is replaced, and not what it leads to.
    set(&mut file, true, &[("linked", Some("2")), ("fifo", Some("2")), ("loop", Some("2"))]);
    assert_eq!(fs::read_to_string(elsewhere).expect("there"), "1\n");
    let now = expected(&[("a", "1"), ("fifo", "2"), ("linked", "2"), ("loop", "2")]);
    assert_eq!((home.found(), home.shown()), (now.clone(), now));
    // That one cannot be written is told, and nothing is changed by it.
    let mut change = Set { records: &[("folder", Some("2"))], is_shown: true };
    let error = file.update(WAIT, &mut change).expect_err("a folder is in its place");
    assert_eq!(error.code(), argus_proto::Code::Io, "{error}");
    assert_eq!(home.found(), home.shown());
}
