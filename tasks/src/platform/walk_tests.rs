//! Links and pipes with a name, which only Unix has for everyone.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn links_are_followed_inside_refused_outside_and_never_in_circles() {
    let outside = tempfile::tempdir().expect("a folder");
    write(outside.path(), "metadata.json", "");
    write(outside.path(), "secret.js", "");
    let home = tempfile::tempdir().expect("a folder");
    write(home.path(), "a/metadata.json", "");
    write(home.path(), "common/x.js", "");
    write(home.path(), "ignored/hidden/metadata.json", "");
    let link = |target: &Path, at: &str| symlink(target, home.path().join(at)).expect("linked");
    link(Path::new("../common/x.js"), "a/relative.js");
    link(&home.path().join("common/x.js"), "a/absolute.js");
    link(Path::new("../common"), "a/folder");
    link(Path::new(".."), "a/circle");
    link(&outside.path().join("secret.js"), "a/secret.js");
    link(Path::new("a"), "again");
    link(outside.path(), "elsewhere");
    link(Path::new("loop"), "loop");
    link(Path::new("ignored/hidden"), "only-way");
    let survey = walked(home.path());
    let a = vec!["absolute.js", "folder/x.js", "metadata.json", "relative.js"];
    assert_eq!(found(&survey), [("a", a), ("only-way", vec!["metadata.json"])]);
    let problems: Vec<_> =
        survey.problems.iter().map(|(at, problem)| (at.as_str(), problem.code)).collect();
    assert_eq!(problems, [("a/secret.js", "SYMLINK_ESCAPES"), ("elsewhere", "SYMLINK_ESCAPES")]);
    assert_eq!(survey.tasks["a"].problems.len(), 1);
    assert!(survey.tasks["a"].is_linked);
    let (ignore, _) = Ignore::new(&[]);
    let (alone, _) = files(&Root::open(home.path()).expect("opened"), &ignore, "a").expect("read");
    assert_eq!(alone, survey.tasks["a"], "a task by itself is what it is among the others");
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let home = tempfile::tempdir().expect("a folder");
    write(home.path(), "a/metadata.json", "");
    let pipe = home.path().join("a/main.js");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is installed").success());
    symlink("main.js", home.path().join("a/link.js")).expect("linked");
    let survey = walked(home.path());
    assert_eq!(survey.problems["a/main.js"].code, "UNREADABLE");
    assert_eq!(survey.tasks["a"].problems.iter().filter(|p| p.field == "script").count(), 1);
    let root = Root::open(home.path()).expect("opened");
    assert!(matches!(root.file("a/main.js"), Err(Refused::NoFile)));
    assert!(matches!(root.file("a/link.js"), Err(Refused::NoFile)));
}

/// One swaps a file of a task for a link that leaves, again and again, while another reads it.
#[test]
fn a_link_that_is_swapped_in_never_leads_out() {
    let outside = tempfile::tempdir().expect("a folder");
    write(outside.path(), "secret.js", "secret");
    let home = tempfile::tempdir().expect("a folder");
    write(home.path(), "real/main.js", "inside");
    fs::create_dir(home.path().join("a")).expect("made");
    symlink(home.path().join("real"), home.path().join("in")).expect("linked");
    symlink(outside.path(), home.path().join("out")).expect("linked");
    write(outside.path(), "main.js", "secret");
    let stop = AtomicBool::new(false);
    let (mut inside, mut refused, mut outside_read) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Exchanged atomically, so that there always is one.
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            while !stop.load(Ordering::Relaxed) {
                let (a, b) = (home.path().join("in"), home.path().join("out"));
                let cwd = rustix::fs::CWD;
                rustix::fs::renameat_with(cwd, a, cwd, b, exchange).expect("swapped");
            }
        });
        let root = Root::open(home.path()).expect("opened");
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            match root.file("in/main.js") {
                Ok((file, _)) => {
                    let text = std::io::read_to_string(file).expect("read");
                    inside += u32::from(text == "inside");
                    outside_read += u32::from(text != "inside");
                }
                Err(_) => refused += 1,
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(outside_read, 0);
    assert!(inside > 0 && refused > 0, "{inside} {refused}");
}
