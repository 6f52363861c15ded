//! Links, which only Unix has for everyone.
#![cfg(unix)]

use std::os::unix::fs::symlink;

use super::Folder;

#[test]
fn a_link_to_the_file_of_another_is_that_file() {
    let folder = Folder::new();
    symlink("registry.json", folder.folder.path().join("link.json")).expect("link");
    let error = folder.parse("collections: {jobs: {file: link.json}}").expect_err("a link");
    assert!(error.to_string().contains("as `watchers` is"), "{error}");
}
