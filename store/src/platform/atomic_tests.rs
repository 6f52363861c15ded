//! A file that is exchanged for another in one step, which only Linux can.
#![cfg(target_os = "linux")]

use super::*;

/// As who renames does that knows nothing of argus.
fn replaced_by(path: &Path, content: &str) {
    let theirs = path.with_extension("theirs");
    fs::write(&theirs, content).expect("own folder");
    fs::rename(theirs, path).expect("own folder");
}

#[test]
fn what_is_undone_leaves_what_others_wrote_last() {
    for newer in [None, Some("newer")] {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("file");
        replaced_by(&path, "theirs");
        let prepared = prepare(&path, |out| out.write_all(b"ours"), None, None).expect("writable");
        let exchanged = prepared.exchange().expect("done").expect("Linux can");
        assert_eq!(fs::read(&path).expect("there"), b"ours");
        if let Some(newer) = newer {
            replaced_by(&path, newer);
        }
        exchanged.undo().expect("done");
        let left = fs::read_to_string(&path).expect("there");
        assert_eq!(left, newer.unwrap_or("theirs"));
        assert_eq!(fs::read_dir(home.path()).expect("there").count(), 1);
    }
}

#[test]
fn what_is_undone_comes_back_where_others_have_removed_it() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("file");
    replaced_by(&path, "theirs");
    let prepared = prepare(&path, |out| out.write_all(b"ours"), None, None).expect("writable");
    let exchanged = prepared.exchange().expect("done").expect("Linux can");
    fs::remove_file(&path).expect("there");
    exchanged.undo().expect("done");
    assert_eq!(fs::read(&path).expect("there"), b"theirs");
}
