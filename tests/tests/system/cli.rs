//! What people read and type: tables, errors, help, completions, the manual page.

use argus_tests::{Run, TestContext};

/// What a terminal would show, without what differs between two runs.
pub(crate) fn shown(context: &TestContext, run: &Run) -> String {
    let mut text =
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", run.code, run.stdout, run.stderr);
    text = text.replace(&context.home().to_string_lossy().into_owned(), "HOME");
    text
}

/// A registry whose table is the same on every day: the ages are of the first of January 1970.
pub(crate) fn with_watchers(context: &TestContext) {
    // A process that is always there, on Unix.
    let pid = 1;
    let text = format!(
        r#"{{"version":1,"updatedAt":1,"watchers":{{
        "shop":{{"id":"shop","host":"127.0.0.1","port":3000,"pid":{pid},"cwd":"/home/me/shop","startedAt":99999999999999,"updatedAt":99999999999999}},
        "api":{{"id":"api","host":"::1","port":8080,"pid":{pid},"cwd":"/home/me/a\u001b[31mpi","startedAt":99999999999999,"updatedAt":99999999999999}},
        "none":{{"id":"none","host":"localhost","port":0,"pid":{pid},"startedAt":99999999999999,"updatedAt":99999999999999}},
        "gone":{{"id":"gone","host":"localhost","port":1,"pid":2147483647,"startedAt":99999999999999,"updatedAt":99999999999999}},
        "bad":{{"id":"bad","host":"localhost","port":"x"}}}}}}"#
    );
    std::fs::write(context.registry(), text).expect("own folder");
}

#[test]
fn help_is_complete() {
    let context = TestContext::new();
    insta::assert_snapshot!("help", shown(&context, &context.argus(&["--help"])));
    insta::assert_snapshot!("help_edit", shown(&context, &context.argus(&["edit", "-h"])));
    insta::assert_snapshot!("help_announce", shown(&context, &context.argus(&["announce", "-h"])));
}

#[test]
fn with_json_there_is_one_line_whatever_happens() {
    let context = TestContext::new();
    for arguments in [
        &["ls"][..],
        &["announce", "--id", "a"],
        &["heartbeat", "a"],
        &["get", "a"],
        &["resolve", "a"],
        &["prune"],
        &["status"],
        &["doctor"],
        &["daemon", "status"],
        &["rm", "a"],
        &["daemon", "logs"],
        &["daemon", "stop"],
    ] {
        let run = context.argus(&[&["--json"], arguments].concat());
        run.data();
        assert_eq!(run.stderr, "", "{arguments:?}");
    }
    let mistakes = [
        (&["fly"][..], "unrecognized subcommand 'fly'"),
        (&["get"], "<ID|--document>"),
        (&["daemon"], "a verb is missing"),
        (&["get", "a"], "no record `a`"),
        (&["announce", "--id", ""], "it is empty"),
    ];
    for (arguments, expected) in mistakes {
        let run = context.argus(&[&["--json"], arguments].concat());
        assert!(run.error()["code"].as_str().expect("a code").starts_with("E_"), "{run:?}");
        assert!(run.error()["message"].as_str().expect("text").contains(expected), "{run:?}");
        assert_eq!(run.stderr, "", "{arguments:?}");
    }
}

#[test]
fn data_can_come_from_standard_input() {
    let context = TestContext::new();
    let run = context.argus_with_input(
        &["announce", "--id", "x", "--data", "-"],
        br#"{"port":1,"source":"cdp","more":[1.0]}"#,
    );
    assert_eq!(run.code, 0, "{run:?}");
    let run = context.argus(&["get", "x"]);
    assert!(run.stdout.contains("\"more\": [\n    1.0\n  ]"), "{run:?}");
    let run = context.argus_with_input(&["announce", "--id", "x", "--data", "-"], b"\xff");
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn announced_is_the_calling_process_unless_told() {
    let context = TestContext::new();
    context.argus(&["announce", "--id", "caller"]);
    let other = context.bystander();
    context.argus(&["announce", "--id", "told", "--pid", &other.pid().to_string()]);
    let watchers = context.document()["watchers"].clone();
    assert_eq!(watchers["caller"]["pid"], std::process::id());
    assert_eq!(watchers["told"]["pid"], other.pid());
}

#[test]
fn a_shell_completes_ids_and_verbs() {
    let context = TestContext::new();
    with_watchers(&context);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = context.argus(&["completions", shell]);
        assert!(run.code == 0 && run.stdout.contains("argus"), "{run:?}");
    }
    let complete = |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        let mut command = context.command(&["--"]);
        command.args(words).env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index);
        command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_IFS", "\n");
        let run = Run::from(command.output().expect("argus can be run"));
        run.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["argus", "get", "s"]), ["shop"]);
    // A shell would run what stands in this one.
    context.argus(&["--direct", "announce", "--id", "s$(touch owned)"]);
    assert_eq!(complete(&["argus", "get", "s"]), ["shop"]);
    assert_eq!(complete(&["argus", "announce", "--uni"]), ["--unique"]);
    assert!(context.daemons().is_empty(), "completing starts nothing");
}

#[test]
fn the_manual_page_can_be_printed() {
    let context = TestContext::new();
    let run = context.argus(&["man"]);
    assert!(run.code == 0 && run.stdout.contains(".TH argus 1"), "{run:?}");
    let run = context.argus(&["man", "announce"]);
    assert!(run.code == 0 && run.stdout.contains("argus announce"), "{run:?}");
    assert_eq!(context.argus(&["man", "fly"]).code, 2);
}
