use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::*;

#[path = "platform/walk_tests.rs"]
mod platform;

fn write(home: &Path, relative: &str, content: &str) {
    let path = home.join(relative);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, content).expect("written");
}

fn walked(home: &Path) -> Survey {
    let patterns = ["*.tmp", ".git/**", "ignored"].map(str::to_owned);
    let (ignore, _) = Ignore::new(&patterns);
    let root = Root::open(home).expect("opened");
    survey(&root, &ignore, "", &mut Alone, &AtomicBool::new(false)).expect("not stopped")
}

fn found(survey: &Survey) -> Vec<(&str, Vec<&str>)> {
    survey
        .tasks
        .iter()
        .map(|(task, files)| (task.as_str(), files.stamps.keys().map(String::as_str).collect()))
        .collect()
}

#[test]
fn a_file_belongs_to_the_nearest_task_and_what_is_ignored_to_none() {
    let home = tempfile::tempdir().expect("a folder");
    for relative in [
        "a/metadata.json",
        "a/main.js",
        "a/lib/x.js",
        "a/lib/x.tmp",
        "a/ignored/x.js",
        "a/inner/metadata.json",
        "a/inner/main.js",
        "plain/x.js",
        ".git/x/metadata.json",
        "ignored/metadata.json",
    ] {
        write(home.path(), relative, "");
    }
    let survey = walked(home.path());
    let expected = [
        ("a", vec!["lib/x.js", "main.js", "metadata.json"]),
        ("a/inner", vec!["main.js", "metadata.json"]),
    ];
    assert_eq!(found(&survey), expected);
    assert!(survey.problems.is_empty(), "{:?}", survey.problems);
    assert!(!survey.folders.contains(".git"));
}

#[test]
fn beyond_a_bound_there_is_an_error_at_that_place_only() {
    let home = tempfile::tempdir().expect("a folder");
    write(home.path(), "a/metadata.json", "");
    write(home.path(), "a/main.js", &"x".repeat(SCRIPT_BYTES_MAX as usize + 1));
    write(home.path(), "b/metadata.json", "");
    (0..TASK_FILES_MAX).for_each(|at| write(home.path(), &format!("b/{at}"), ""));
    let deep = "d/".repeat(DEPTH_MAX + 5) + "metadata.json";
    write(home.path(), &deep, "");
    write(home.path(), "ok/metadata.json", "");
    let survey = walked(home.path());
    assert_eq!(survey.tasks.keys().collect::<Vec<_>>(), ["a", "b", "ok"]);
    assert_eq!(survey.tasks["a"].problems[0].field, "script");
    assert_eq!(survey.tasks["b"].problems.len(), 1);
    assert!(survey.tasks["ok"].problems.is_empty());
    assert_eq!(survey.problems.len(), 3, "{:?}", survey.problems);
    assert!(survey.is_unknown(&("d/".repeat(DEPTH_MAX + 3) + "d")));
}
