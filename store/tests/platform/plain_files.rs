//! Modes and links, which only Unix has for everyone.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use argus_store::atomic::{self, Mode};
use argus_store::{Lock, LockOptions, update};

use super::{names_in, try_lock};

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn a_file_is_its_owners_unless_it_was_opened_or_is_told_otherwise() {
    let home = tempfile::tempdir().expect("a folder");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("own folder");
    let file = home.path().join("file");
    let rows = [
        (Mode::Kept, 0o600),
        (Mode::Set(0o644), 0o644),
        (Mode::Kept, 0o644),
        (Mode::Set(0o600), 0o600),
    ];
    for (mode, expected) in rows {
        atomic::replace(&file, b"alone", mode).expect("own folder");
        assert_eq!(mode_of(&file), expected, "{mode:?}");
        update(&file, mode, |_| Some(b"under the lock".to_vec())).expect("free");
        assert_eq!(mode_of(&file), expected, "{mode:?}");
    }
    assert_eq!(mode_of(home.path()), 0o755);
    assert_eq!(mode_of(&home.path().join("file.d")), 0o700);
}

#[test]
fn a_link_is_followed_and_stays() {
    let home = tempfile::tempdir().expect("a folder");
    let (real, link) = (home.path().join("real"), home.path().join("link"));
    fs::create_dir(&real).expect("own folder");
    symlink("real/file", &link).expect("own folder");
    for content in ["alone", "under the lock"] {
        if content == "alone" {
            atomic::replace(&link, content.as_bytes(), Mode::Kept).expect("own folder");
        } else {
            update(&link, Mode::Kept, |_| Some(content.into())).expect("free");
        }
        assert!(link.symlink_metadata().expect("there").is_symlink());
        assert_eq!(fs::read_to_string(real.join("file")).expect("written"), content);
    }
    assert_eq!(names_in(&real), ["file", "file.d"], "the locks are those of the file");
    let lock = Lock::acquire(&link, LockOptions::default()).expect("free");
    try_lock(&real.join("file")).expect_err("they are the same");
    assert!(lock.is_own());
}
