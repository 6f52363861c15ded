//! Links out of a source.

use std::fs;
use std::os::unix::fs::symlink;

use argus_tests::{TestContext, until};

use crate::tasks::{source, task, until_ids, write_task};

#[test]
fn nothing_outside_the_source_is_read_and_a_name_belongs_to_one() {
    let context = TestContext::new();
    let (folder, elsewhere) = (context.home().join("tasks"), context.home().join("elsewhere"));
    write_task(&elsewhere, "stolen");
    write_task(&folder.join("a"), "twin");
    write_task(&folder.join("b"), "twin");
    write_task(&folder.join("linked"), "linked");
    fs::remove_file(folder.join("linked/main.js")).expect("own file");
    symlink(elsewhere.join("main.js"), folder.join("linked/main.js")).expect("own folder");
    symlink(&elsewhere, folder.join("out")).expect("own folder");
    let run = context.argus(&["sources", "add", &folder.to_string_lossy()]);
    assert_eq!(run.code, 0, "{run:?}");
    until_ids(&context, &["tasks/linked", "tasks/twin"]);
    let linked = task(&context, "tasks/linked");
    assert_eq!(linked["errors"][0]["code"], "SYMLINK_ESCAPES", "{linked}");
    assert_eq!(task(&context, "tasks/twin")["path"], folder.join("a").to_string_lossy().as_ref());
    let codes = || {
        let source = source(&context, "tasks");
        let errors = source["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["code"].as_str().expect("a code").to_owned()).collect()
    };
    until("both are told", || {
        let codes: Vec<String> = codes();
        let has = |code: &str| codes.iter().any(|other| other == code);
        (has("SYMLINK_ESCAPES") && has("DUPLICATE_NAME")).then_some(())
    });
    fs::remove_dir_all(folder.join("a")).expect("own folder");
    until("the other has the name", || {
        (task(&context, "tasks/twin")["path"] == folder.join("b").to_string_lossy().as_ref())
            .then_some(())
    });
}
