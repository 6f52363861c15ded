//! Links, modes, and a kernel that watches so many folders and no more.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn a_link_that_leaves_is_refused_and_told() {
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    fs::write(home.folder.path().join("secret"), "1").expect("written");
    let follower = home.follow();
    symlink("../../secret", home.path("a/x.js")).expect("linked");
    home.is("s/a", "status", "invalid");
    synced(&follower).expect("synced");
    let errors = follower.status().errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].code, "SYMLINK_ESCAPES");
    assert_eq!(errors[0].path, home.path("a/x.js").display().to_string());
    fs::remove_file(home.path("a/x.js")).expect("removed");
    home.is("s/a", "status", "valid");
    until("it is not told any more", || follower.status().errors.is_empty());
}

#[test]
fn what_may_not_be_read_is_told_once_and_tried_again() {
    // Root may read everything. As another user it is shown with whole programs, in `tests/faults/users.rs`.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let home = Home::new();
    home.task("a", "a", "1.0.0");
    home.task("b", "b", "1.0.0");
    home.task("closed/c", "c", "1.0.0");
    drop(home.follow());
    let mode = |path: &str, mode| {
        fs::set_permissions(home.path(path), fs::Permissions::from_mode(mode)).expect("set");
    };
    mode("closed", 0);
    mode("a/main.js", 0);
    let follower = home.follow();
    home.is("s/a", "status", "invalid");
    assert!(home.registry.records().contains_key("s/c"), "nothing is known of it");
    until("it is told", || follower.status().errors.len() == 2);
    let errors = follower.status().errors;
    let codes: Vec<_> = errors.iter().map(|error| error.code.as_str()).collect();
    assert_eq!(codes, ["UNREADABLE", "UNREADABLE"], "{errors:?}");
    assert!(follower.status().metrics.failures >= 3);
    mode("closed", 0o700);
    mode("a/main.js", 0o600);
    home.is("s/a", "status", "valid");
}

fn two_watches(root: &Path, tell: crate::watch::Tell) -> Result<Watch, String> {
    Watch::limited(root, tell, 2)
}

#[test]
fn where_the_system_watches_no_more_folders_the_rest_is_polled() {
    is_polled_because(two_watches, "max_user_watches");
}
