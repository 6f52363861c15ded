//! Modes, links, pipes with a name, and inodes, which only Unix has.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Arc;

use argus_proto::Code;
use argus_proto::collection::{Collection, WATCHERS};
use argus_proto::document::Document;
use argus_store::lockfile::StaleAfter;
use argus_store::{Committed, RegistryFile, Transaction};

use super::{Touch, WAIT, file, home, text};

#[test]
fn the_mode_of_the_file_is_kept() {
    let home = home();
    let mut file = file(&home);
    let mode = || fs::metadata(home.paths.registry()).expect("there").permissions().mode();
    file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
    assert_eq!(mode() & 0o777, 0o600);
    fs::set_permissions(home.paths.registry(), fs::Permissions::from_mode(0o640)).expect("own");
    file.update(WAIT, &mut Touch { now: 6, wanted: true }).expect("free");
    assert_eq!(mode() & 0o777, 0o640);
}

#[test]
fn a_file_that_is_open_further_than_its_collection_allows_is_closed_at_the_next_write() {
    let with = |mode| Arc::new(Collection { mode, ..Collection::clone(&WATCHERS) });
    let (secret, shared, any) = (with(Some(0o600)), with(Some(0o640)), with(None));
    let rows = [
        // the collection, the mode before, the mode after
        (&secret, None, 0o600),
        (&secret, Some(0o644), 0o600),
        (&secret, Some(0o4777), 0o600),
        (&secret, Some(0o400), 0o400),
        (&shared, None, 0o640),
        (&shared, Some(0o664), 0o640),
        (&shared, Some(0o604), 0o600),
        (&any, None, 0o600),
        (&any, Some(0o664), 0o664),
    ];
    for (collection, before, after) in rows {
        let home = home();
        if let Some(before) = before {
            let path = home.paths.registry();
            fs::write(path, Document::empty(collection).render()).expect("own folder");
            fs::set_permissions(path, fs::Permissions::from_mode(before)).expect("own");
        }
        let (paths, collection) = (home.paths.clone(), collection.clone());
        let mut file = RegistryFile::new(paths, collection, StaleAfter::default());
        file.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
        let meta = fs::metadata(home.paths.registry()).expect("there");
        assert_eq!(meta.permissions().mode() & 0o7777, after, "{:o} {before:?}", after);
    }
}

#[test]
fn a_folder_that_is_a_link_is_refused() {
    let home = home();
    fs::create_dir(home.folder.path().join("elsewhere")).expect("a folder");
    std::os::unix::fs::symlink(home.folder.path().join("elsewhere"), home.paths.folder())
        .expect("a link");
    let error = file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("link");
    assert_eq!(error.code(), Code::Permission);
    assert!(!home.paths.registry().exists());
}

#[test]
fn a_fifo_in_the_place_of_the_file_makes_nobody_wait() {
    let home = home();
    fs::create_dir_all(home.paths.folder()).expect("own");
    let made = std::process::Command::new("mkfifo").arg(home.paths.registry()).status();
    assert!(made.expect("mkfifo is installed").success());
    assert_eq!(file(&home).read().expect_err("no file").code(), Code::Io);
    let error = file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect_err("no file");
    assert_eq!(error.code(), Code::Io);
}

/// The last question is asked behind the last look: who writes in that moment is found out by what the
/// rename has taken away. Seen to fail with a rename that replaces instead.
#[test]
fn what_somebody_writes_in_the_very_last_moment_is_put_back_and_merged() {
    struct LastMoment<'a> {
        touch: Touch,
        meddle: &'a dyn Fn(),
        times: u32,
    }
    impl Transaction for LastMoment<'_> {
        fn apply(&mut self, document: &Document) -> Option<Document> {
            self.touch.apply(document)
        }
        fn is_wanted(&mut self) -> bool {
            if self.times > 0 {
                self.times -= 1;
                (self.meddle)();
            }
            true
        }
    }
    for in_place in [false, true] {
        let home = home();
        file(&home).update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
        let meddle = || {
            let text = r#"{"version":1,"updatedAt":1,"x":1,"watchers":{}}"#;
            let theirs = home.folder.path().join("theirs");
            let target = if in_place { home.paths.registry() } else { &theirs };
            fs::write(target, text).expect("own folder");
            if !in_place {
                fs::rename(theirs, home.paths.registry()).expect("own folder");
            }
        };
        let touch = Touch { now: 6, wanted: true };
        let mut change = LastMoment { touch, meddle: &meddle, times: 1 };
        assert_eq!(file(&home).update(WAIT, &mut change).expect("free"), Committed::Written);
        assert!(text(&home).contains("\"x\":1"), "{}", text(&home));
        assert!(text(&home).contains("\"updatedAt\":6"), "{}", text(&home));
    }
}

#[test]
fn the_last_good_copy_is_never_another_name_of_the_file() {
    let home = home();
    let mut writer = file(&home);
    writer.update(WAIT, &mut Touch { now: 5, wanted: true }).expect("free");
    for (now, wanted) in [(6, true), (7, false), (7, true)] {
        writer.update(WAIT, &mut Touch { now, wanted }).expect("free");
        let inode = |path: &std::path::Path| fs::metadata(path).expect("there").ino();
        assert_ne!(inode(home.paths.registry()), inode(&home.paths.last_good()));
    }
}

/// Seen to fail, on a file system that gives a freed inode away at once (ext4), without the last seen
/// file kept open.
#[test]
fn no_later_file_is_given_the_inode_of_the_one_that_was_last_seen() {
    let home = home();
    let mut file = file(&home);
    let inode = || fs::metadata(home.paths.registry()).expect("it is there").ino();
    for time in 0..100 {
        let replace = || {
            let temp = home.folder.path().join("temp");
            let text = format!("{{\"version\":1,\"updatedAt\":{time},\"watchers\":{{}}}}");
            fs::write(&temp, text).expect("own folder");
            fs::rename(&temp, home.paths.registry()).expect("own folder");
        };
        replace();
        file.reload().expect("a registry");
        let seen = inode();
        // The first of them lets go of the inode, the second could be given it.
        replace();
        replace();
        assert_ne!(inode(), seen);
    }
    // The same for a file that was written and not read.
    file.update(WAIT, &mut Touch { now: 1_000, wanted: true }).expect("written");
    let seen = inode();
    for _ in 0..2 {
        let temp = home.folder.path().join("temp");
        fs::write(&temp, text(&home)).expect("own folder");
        fs::rename(&temp, home.paths.registry()).expect("own folder");
    }
    assert_ne!(inode(), seen);
}
