//! `argus edit` with an editor that every system has. What editors may do besides is told by scripts,
//! in `platform/unix/edit.rs`.

use std::fs;

use argus_tests::{Run, TestContext, helper};
use serde_json::Value;

/// `argus edit a` on the accounts, with the idler as the editor.
fn edit(context: &TestContext, way: &str, told: &str) -> Run {
    let temporary = context.home().join("tmp");
    let mut command = context.command(&[way, "-c", "accounts", "edit", "a"]);
    for name in ["TMPDIR", "TMP", "TEMP"] {
        command.env(name, &temporary);
    }
    let editor = format!("\"{}\" \"{told}\"", helper("idler").display());
    command.env_remove("VISUAL").env("EDITOR", editor);
    command.output().expect("argus can be run").into()
}

fn record(context: &TestContext) -> Value {
    let found = context.argus(&["--direct", "-c", "accounts", "--json", "get", "a"]).data();
    found["record"].clone()
}

#[test]
fn what_an_editor_saves_is_written_and_what_it_leaves_alone_is_not() {
    for way in ["--daemon-only", "--direct"] {
        let context = TestContext::new();
        let temporary = context.home().join("tmp");
        fs::create_dir(&temporary).expect("own folder");
        let put = context.argus(&["-c", "accounts", "put", "a", r#"{"n":1,"word":"Größe"}"#]);
        assert_eq!(put.code, 0, "{put:?}");

        let run = edit(&context, way, "replace 1 2");
        assert_eq!((run.code, run.stdout.trim_end()), (0, "a"), "{way} {run:?}");
        assert_eq!(
            (&record(&context)["n"], &record(&context)["word"]),
            (&2.into(), &"Größe".into())
        );

        let run = edit(&context, way, "exit 0");
        assert!(run.code == 0 && run.stderr.contains("nothing changed"), "{way} {run:?}");
        let run = edit(&context, way, "exit 3");
        assert_eq!(run.code, 1, "{way} {run:?}");
        assert_eq!(record(&context)["n"], 2);
        assert_eq!(fs::read_dir(&temporary).expect("there").count(), 0, "{way}: all is removed");

        // What cannot be written is kept.
        let run = edit(&context, way, "replace { [");
        assert_eq!(run.code, 2, "{way} {run:?}");
        assert!(run.stderr.contains("the text is kept in"), "{way} {run:?}");
        assert_eq!(record(&context)["n"], 2);
        assert_eq!(fs::read_dir(&temporary).expect("there").count(), 1, "{way}");
    }
}
