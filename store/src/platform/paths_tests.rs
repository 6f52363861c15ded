//! Links, and sockets that are files.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Paths;

#[test]
fn a_socket_stands_in_the_folder_of_its_registry() {
    let short = Paths::new(Path::new("/nowhere/registry.json")).expect("a path");
    assert_eq!(short.socket(), Path::new("/nowhere/registry.json.d/argusd.sock"));
}

#[test]
fn every_spelling_of_a_path_is_the_same_registry() {
    let root = tempfile::tempdir().expect("a folder");
    let root = fs::canonicalize(root.path()).expect("it exists");
    fs::create_dir(root.join("real")).expect("a folder");
    symlink(root.join("real"), root.join("link")).expect("a link");
    let plain = Paths::new(&root.join("real/registry.json")).expect("a path");
    for spelling in ["link/registry.json", "real/../link/./registry.json"] {
        assert_eq!(Paths::new(&root.join(spelling)).expect("a path"), plain, "{spelling}");
    }
    symlink("real/registry.json", root.join("file")).expect("a link");
    assert_eq!(Paths::new(&root.join("file")).expect("a path"), plain);
    symlink("file", root.join("second")).expect("a link");
    assert_eq!(Paths::new(&root.join("second")).expect("a path"), plain);
    fs::write(plain.registry(), "{}").expect("written");
    assert_eq!(Paths::new(&root.join("file")).expect("a path"), plain);

    let absent = Paths::new(&root.join("link/a/b/registry.json")).expect("a path");
    assert_eq!(absent.registry(), root.join("real/a/b/registry.json"));
    assert_eq!(absent.folder(), root.join("real/a/b/registry.json.d"));
    assert!(Paths::new(Path::new("/")).is_err());
}
