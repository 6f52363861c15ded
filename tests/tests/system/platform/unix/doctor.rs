//! What `doctor` says of a link.

use argus_tests::TestContext;

use crate::doctor::codes;

#[test]
fn a_link_in_the_place_of_the_folder_is_told_once() {
    let context = TestContext::new();
    std::os::unix::fs::symlink(context.home(), context.paths().folder()).expect("a link");
    assert_eq!(codes(&context, &[]), ["folder-unusable"]);
}
