//! Unix: modes and links.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::super::{TestContext, flush};

/// Whether only its owner may use a file.
pub(in super::super) fn is_private(path: &Path) -> bool {
    mode(path) == 0o600
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn a_link_is_followed_and_the_file_behind_it_set_aside() {
    let test = TestContext::new();
    let behind = test.home.path().join("elsewhere.db");
    fs::write(&behind, b"no database".repeat(100)).expect("own folder");
    symlink(&behind, test.path()).expect("own folder");
    test.registry.put("watchers", "a", "1");
    let database = test.start();
    flush(&database).expect("a new one");
    assert_eq!(test.quarantined().len(), 1);
    assert!(test.path().symlink_metadata().expect("there").is_symlink());
    assert_eq!(mode(&behind), 0o600);
    assert_eq!(test.what(), ["watchers/a added put"]);
    database.stop();
    let history = crate::history::History::open(&test.path()).expect("ours").expect("there");
    assert!(history.last("watchers", "a").expect("ours").is_some());
}

/// SQLite gives a journal the mode that the file had when it was made; one that a read-only file left
/// would keep the database from being written for ever.
#[test]
fn a_file_that_was_opened_to_others_is_closed_and_its_journal_with_it() {
    let test = TestContext::new();
    let database = test.start();
    flush(&database).expect("writable");
    // Somebody else has it open, so that the journal stays.
    let other = test.other();
    other.execute_batch("BEGIN; SELECT count(*) FROM changes").expect("readable");
    database.stop();
    let journal = test.home.path().join("argus.db-wal");
    for (path, mode) in [(test.path(), 0o666), (journal.clone(), 0o444)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("own file");
    }
    let database = test.start();
    flush(&database).expect("writable");
    assert_eq!((mode(&test.path()), mode(&journal)), (0o600, 0o600));
    drop(other);
    database.stop();
}
