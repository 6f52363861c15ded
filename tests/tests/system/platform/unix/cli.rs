//! What is printed of process 1, which is always there; arguments that are no text; a full disk.

use argus_tests::{Run, TestContext};

use crate::cli::{shown, with_watchers};

#[test]
fn ls_is_a_table() {
    let context = TestContext::new();
    insta::assert_snapshot!("ls_empty", shown(&context, &context.argus(&["ls"])));
    with_watchers(&context);
    insta::assert_snapshot!("ls", shown(&context, &context.argus(&["ls"])));
    let run = context.argus(&["ls", "--by-cwd", "shop"]);
    insta::assert_snapshot!("ls_by_cwd", shown(&context, &run));
    insta::assert_snapshot!("prune", shown(&context, &context.argus(&["prune", "--dry-run"])));
}

#[test]
fn errors_say_what_and_what_to_do() {
    let context = TestContext::new();
    with_watchers(&context);
    let rows: [(&str, &[&str]); 14] = [
        ("not_found", &["get", "nobody"]),
        ("bad_id", &["get", "a\nb"]),
        ("missing", &["rm", "shop", "nobody", "nothing"]),
        ("taken", &["announce", "--id", "api"]),
        ("no_daemon", &["daemon", "status"]),
        ("no_verb", &["fly"]),
        ("bad_time", &["prune", "--ttl", "soon"]),
        ("long_time", &["--request-timeout", "18446744073709551615s", "ls"]),
        ("bad_port", &["announce", "--id", "x", "--port", "-1"]),
        ("no_subject", &["get"]),
        ("patched_version", &["patch", "--document", r#"{"version":2}"#]),
        ("patched_records", &["patch", "--document", r#"{"watchers":{}}"#]),
        ("document_conflict", &["patch", "--document", "{}", "--if-match", "0"]),
        ("bad_record", &["announce", "--id", "x", "--data", "{\"chrome\":{\"port\":99999}}"]),
    ];
    for (name, arguments) in rows {
        let arguments = [&["--direct"][..], arguments].concat();
        insta::assert_snapshot!(name, shown(&context, &context.argus(&arguments)));
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let context = TestContext::new();
    let bytes = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    let output = context.command(&["get"]).arg(bytes).output().expect("argus can be run");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_answer_that_cannot_be_printed_is_no_change_that_was_not_made() {
    let context = TestContext::new();
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let run = |arguments: &[&str]| {
        let child = context
            .command(arguments)
            .stdout(full())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("argus can be run");
        Run::from(child.wait_with_output().expect("it was started here"))
    };
    let announced = run(&["announce", "--id", "x"]);
    assert_eq!(announced.code, 3, "{announced:?}");
    assert!(announced.stderr.contains("the change itself was made"), "{announced:?}");
    assert_eq!(context.ids(), ["x"]);
    assert_eq!(run(&["ls"]).code, 1);
}
