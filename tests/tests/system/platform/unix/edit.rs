//! `argus edit`: what somebody types is written on top of what he has read, or kept. The editors
//! are scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use argus_tests::{Run, TestContext, until};
use serde_json::{Value, json};

const BOTH_WAYS: [&str; 2] = ["--daemon-only", "--direct"];

/// A home with a folder for temporary files, and an editor.
struct Desk {
    context: TestContext,
}

impl Desk {
    fn new() -> Self {
        let context = TestContext::new();
        fs::create_dir(context.home().join("tmp")).expect("own folder");
        Desk { context }
    }

    /// The script is given the file as its last argument.
    fn editor(&self, script: &str) -> PathBuf {
        let path = self.context.home().join("ed it.sh");
        fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).expect("own folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("own file");
        path
    }

    /// `argus` with an editor, to its end.
    fn argus(&self, arguments: &[&str], script: &str) -> Run {
        let editor = format!("'{}'", self.editor(script).display());
        let mut command = self.context.command(arguments);
        command.env_remove("VISUAL").env("EDITOR", editor);
        command.env("TMPDIR", self.temporary()).env("ARGUS", argus_path());
        command.output().expect("argus can be run").into()
    }

    fn temporary(&self) -> PathBuf {
        self.context.home().join("tmp")
    }

    /// The texts that were kept.
    fn kept(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.temporary()).expect("own folder");
        let files =
            |folder: fs::DirEntry| fs::read_dir(folder.path()).expect("a folder of its own");
        let files = folders.flat_map(|folder| files(folder.expect("readable")));
        files.map(|file| file.expect("readable").path()).collect()
    }

    fn put(&self, collection: &str, id: &str, value: &Value) {
        let run = self.context.argus(&["-c", collection, "put", id, &value.to_string()]);
        assert_eq!(run.code, 0, "{run:?}");
    }

    /// As it stands in the file: a daemon may show it a moment later.
    fn found(&self, collection: &str, id: &str) -> Value {
        self.context.argus(&["--direct", "-c", collection, "--json", "get", id]).data()
    }

    fn record(&self, collection: &str, id: &str) -> Value {
        self.found(collection, id)["record"].clone()
    }
}

fn argus_path() -> &'static Path {
    &argus_tests::executables().argus
}

/// The command that an error's help names, run by a shell as somebody would who types it.
fn typed(desk: &Desk, help: &str) -> Run {
    let command = &help[help.rfind("argus ").expect("a command")..];
    let mut shell = std::process::Command::new("sh");
    desk.context.prepare(&mut shell);
    let script = format!("argus() {{ '{}' \"$@\"; }}; {command}", argus_path().display());
    shell.arg("-c").arg(script).output().expect("there is a shell").into()
}

#[test]
fn a_record_is_edited_as_it_is_read_and_its_file_is_private() {
    for way in BOTH_WAYS {
        let desk = Desk::new();
        desk.context.start_daemon();
        desk.put(
            "accounts",
            "a b/c",
            &json!({ "z": 1, "big": 9_007_199_254_740_993_u64, "a": {} }),
        );
        let script = r#"
            cp "$1" "$HOME/seen"; stat -c '%a' "$1" "$(dirname "$1")" > "$HOME/modes"
            echo "$1" > "$HOME/path"; echo "on the screen"
            sed -i 's/"z": 1/"z": 2.50/' "$1""#;
        let run = desk.argus(&[way, "-c", "accounts", "edit", "a b/c"], script);
        assert_eq!((run.code, &*run.stdout), (0, "a b/c\n"), "{way} {run:?}");
        assert_eq!(run.stderr, "on the screen\n", "{run:?}");
        let home = desk.context.home();
        let seen = fs::read_to_string(home.join("seen")).expect("copied");
        let expected = "{\n  \"z\": 1,\n  \"big\": 9007199254740993,\n  \"a\": {},\n  \"name\": \"a b/c\"\n}\n";
        assert_eq!(seen, expected);
        assert_eq!(fs::read_to_string(home.join("modes")).expect("noted"), "600\n700\n");
        let path = fs::read_to_string(home.join("path")).expect("noted");
        assert!(path.starts_with(&*desk.temporary().to_string_lossy()), "{path}");
        assert!(path.ends_with("/a_b_c.json\n"), "{path}");
        let text = fs::read_to_string(home.join("accounts.json")).expect("there");
        assert!(text.contains("\"z\": 2.50") && text.contains("9007199254740993"), "{text}");
        assert_eq!(fs::read_dir(desk.temporary()).expect("there").count(), 0, "it is removed");

        let script = r#"sed -i 's/2.50/3/' "$1""#;
        let run = desk.argus(&[way, "-c", "accounts", "--json", "edit", "a b/c"], script);
        let etag = desk.found("accounts", "a b/c");
        assert_eq!(run.data(), json!({ "etag": etag["etag"], "created": false }));
    }
}

#[test]
fn what_is_the_same_is_not_written() {
    let desk = Desk::new();
    desk.put("accounts", "a", &json!({ "x": 1, "y": { "b": 1.0, "a": [] } }));
    let file = desk.context.home().join("accounts.json");
    let before = (fs::read(&file).expect("there"), fs::metadata(&file).expect("there").modified());
    let same = r#"printf '{"name":"a","y":{"a":[ ],"\\u0062":1.0},\n\n"x":1}' > "$1""#;
    for script in ["true", "touch \"$1\"", same] {
        let run = desk.argus(&["-c", "accounts", "edit", "a"], script);
        assert_eq!(
            (run.code, &*run.stdout, &*run.stderr),
            (0, "", "nothing changed\n"),
            "{script}"
        );
        let run = desk.argus(&["-c", "accounts", "--json", "edit", "a"], script);
        assert_eq!(run.data()["created"], false);
        let run = desk.argus(&["-c", "accounts", "edit", "--document"], "true");
        assert_eq!((run.code, &*run.stderr), (0, "nothing changed\n"));
    }
    let after = (fs::read(&file).expect("there"), fs::metadata(&file).expect("there").modified());
    assert_eq!((before.0, before.1.expect("a time")), (after.0, after.1.expect("a time")));
    assert_eq!(fs::read_dir(desk.temporary()).expect("there").count(), 0);
}

/// Everything that can go wrong once somebody has typed.
#[test]
fn what_cannot_be_written_is_kept_and_can_be_written_later() {
    let machine = json!({ "type": "ssh", "host": "box.lan", "key_path": "k", "town_path": "/t" });
    let rows = [
        // what, how it exits, what it says
        (
            r#"sed -i 's/"host"/host/' "$1""#,
            2,
            "not valid JSON: key must be a string at line 3 column",
        ),
        (r#"echo '[1]' > "$1""#, 2, "not a JSON object"),
        (r#": > "$1""#, 2, "at line 1 column 0"),
        (r#"printf '\377' > "$1""#, 2, "UTF-8"),
        (r#"sed -i /host/d "$1""#, 2, "\"host\" is a required property"),
        (r#"sed -i 's/"box"/"other"/' "$1""#, 2, "must repeat the record's id"),
        (r#"echo ' ' >> "$1"; exit 3"#, 1, "failed (exit status: 3); nothing was written"),
        (r#"echo ' ' >> "$1"; kill -9 $$"#, 1, "failed (exit status: 137); nothing was written"),
        (
            r#"sed -i s/lan/net/ "$1"; : > "$HOME/machines.json.lock"; sleep 0"#,
            6,
            "machines.json.lock",
        ),
    ];
    for (script, code, said) in rows {
        let desk = Desk::new();
        desk.put("machines", "box", &machine);
        let run = desk.argus(&["-c", "machines", "--direct", "edit", "box"], script);
        let _ = fs::remove_file(desk.context.home().join("machines.json.lock"));
        assert_eq!(run.code, code, "{script}: {run:?}");
        assert!(run.stderr.contains(said), "{script}: {run:?}");
        assert_eq!(desk.record("machines", "box")["host"], "box.lan", "{script}");
        let kept = desk.kept();
        assert_eq!(kept.len(), 1, "{script}: {kept:?}");
        let shown = kept[0].display().to_string();
        assert!(run.stderr.contains(&format!("the text is kept in {shown}")), "{run:?}");
        let etag = desk.found("machines", "box")["etag"].clone();
        let etag = etag.as_str().expect("a hash").to_owned();
        let help = format!("help: argus put -c machines box - --if-match {etag} < {shown}\n");
        assert!(run.stderr.ends_with(&help), "{run:?}");

        // Somebody mends the file, and types what the help says.
        let mended = machine.to_string().replace("box.lan", "mended");
        fs::write(&kept[0], mended).expect("own file");
        let again = typed(&desk, &help);
        assert_eq!(again.code, 0, "{again:?}");
        assert_eq!(desk.record("machines", "box")["host"], "mended");
    }
}

#[test]
fn an_editor_that_fails_without_a_change_leaves_nothing() {
    let desk = Desk::new();
    desk.put("accounts", "a", &json!({}));
    for script in ["exit 1", "kill -9 $$", "rm \"$1\""] {
        let run = desk.argus(&["-c", "accounts", "--json", "edit", "a"], script);
        assert_eq!(run.error()["code"], "E_IO", "{script}: {run:?}");
        assert_eq!(fs::read_dir(desk.temporary()).expect("there").count(), 0, "{script}");
    }
    let mut command = desk.context.command(&["-c", "accounts", "edit", "a"]);
    command.env("VISUAL", "/nowhere/editor").env("TMPDIR", desk.temporary());
    let run = Run::from(command.output().expect("argus can be run"));
    assert!(run.code == 1 && run.stderr.contains("help: name another: VISUAL="), "{run:?}");
    let run = desk.argus(&["-c", "accounts", "edit", "nobody"], "true");
    assert!(
        run.code == 4 && run.stderr.contains("help: argus put -c accounts nobody JSON"),
        "{run:?}"
    );
}

/// Somebody else is quicker.
#[test]
fn a_record_that_others_have_changed_meanwhile_is_not_overwritten() {
    for way in BOTH_WAYS {
        let desk = Desk::new();
        desk.put("accounts", "a", &json!({ "n": 1 }));
        let script = r#"
            "$ARGUS" -c accounts patch a '{"theirs":true}' > "$HOME/noise"
            sed -i 's/"n": 1/"n": 2/' "$1""#;
        let run = desk.argus(&[way, "-c", "accounts", "--json", "edit", "a"], script);
        let error = run.error();
        assert_eq!(error["code"], "E_CONFLICT", "{way} {run:?}");
        assert_eq!(error["details"]["file"], json!(desk.kept()[0]));
        let hint = error["hint"].as_str().expect("a hint");
        assert!(hint.contains("argus get -c accounts a"), "{hint}");
        let record = desk.record("accounts", "a");
        assert_eq!((&record["n"], &record["theirs"]), (&json!(1), &json!(true)));
        assert_eq!(typed(&desk, hint).code, 0, "he has looked at it, and insists");
        assert_eq!(desk.record("accounts", "a"), json!({ "n": 2, "name": "a" }));
        fs::remove_dir_all(desk.temporary())
            .and_then(|()| fs::create_dir(desk.temporary()))
            .expect("own");

        // Gone meanwhile.
        let script = r#""$ARGUS" -c accounts rm a > "$HOME/noise"; sed -i 's/2/3/' "$1""#;
        let run = desk.argus(&[way, "-c", "accounts", "--json", "edit", "a"], script);
        let error = run.error();
        assert_eq!(error["code"], "E_CONFLICT", "{run:?}");
        assert_eq!(typed(&desk, error["hint"].as_str().expect("a hint")).code, 0, "{error}");
        assert_eq!(desk.record("accounts", "a")["n"], 3);
    }
}

/// Seen to fail with a put that takes the time that it is given.
#[test]
fn heartbeats_while_the_editor_is_open_are_no_conflict_and_are_not_undone() {
    for way in BOTH_WAYS {
        let desk = Desk::new();
        let context = &desk.context;
        context.start_daemon();
        let process = context.bystander();
        let pid = process.pid().to_string();
        assert_eq!(
            context.argus(&["announce", "--id", "app", "--pid", &pid, "--port", "1"]).code,
            0
        );
        let vouched = desk.record("watchers", "app")["process"].clone();
        assert_eq!(vouched["vouched"], true);
        let script = r#"
            cp "$1" "$HOME/seen"; sleep 0.05
            "$ARGUS" heartbeat app > "$HOME/noise"
            "$ARGUS" --json get app > "$HOME/beaten"
            sed -i 's/"port": 1,/"port": 2,/; s/"updatedAt": [0-9]*/"updatedAt": 1/' "$1""#;
        let run = desk.argus(&[way, "edit", "app"], script);
        assert_eq!(run.code, 0, "{way} {run:?}");
        let beaten = fs::read_to_string(context.home().join("beaten")).expect("noted");
        let beaten: Value = serde_json::from_str(&beaten).expect("JSON");
        let record = desk.record("watchers", "app");
        assert_eq!(record["port"], 2);
        let time = |record: &Value| record["updatedAt"].as_u64().expect("a time");
        assert!(time(&record) >= time(&beaten["data"]["record"]), "{way}: {record} {beaten}");
        assert_eq!(record["process"], vouched, "{way}: it is vouched for still");
        assert_eq!(desk.found("watchers", "app")["state"], "live");
    }
}

#[test]
fn the_document_is_edited_too_and_others_keys_are_safe() {
    for way in BOTH_WAYS {
        let desk = Desk::new();
        desk.put("accounts", "a", &json!({}));
        let accounts = desk.context.home().join("accounts.json");
        let edit =
            |script: &str| desk.argus(&[way, "-c", "accounts", "edit", "--document"], script);
        let run = edit(
            r#"echo "$1" > "$HOME/path"
            sed -i 's/"enabled": false/"enabled": true/; /"usage"/d; s/"version": 1,/"version": 1, "own": [null],/' "$1""#,
        );
        assert_eq!((run.code, &*run.stdout), (0, "accounts\n"), "{way} {run:?}");
        let path = fs::read_to_string(desk.context.home().join("path")).expect("noted");
        assert!(path.ends_with("/accounts.json\n"), "{path}");
        let document: Value =
            serde_json::from_slice(&fs::read(&accounts).expect("there")).expect("JSON");
        assert_eq!(document["autoSwitch"]["enabled"], true);
        assert_eq!((&document["api"], &document["own"]), (&json!({}), &json!([null])));
        assert_eq!(document["accounts"]["a"]["name"], "a");

        let rows = [
            (r#"sed -i 's/"version": 1/"version": 2/' "$1""#, 2, "`version` of accounts"),
            (r#"sed -i 's/"enabled": true/"enabled": null/' "$1""#, 2, "no key can be set to null"),
            (
                r#"sed -i 's/"version": 1/"version": 1, "accounts": {}/' "$1""#,
                2,
                "holds the records",
            ),
            (
                r#""$ARGUS" -c accounts patch --document '{"theirs":1}' > "$HOME/noise"
                sed -i 's/"enabled": true/"enabled": false/' "$1""#,
                5,
                "argus edit -c accounts --document",
            ),
        ];
        for (kept, (script, code, said)) in rows.into_iter().enumerate() {
            let run = edit(script);
            assert_eq!(run.code, code, "{script}: {run:?}");
            assert!(run.stderr.contains(said), "{script}: {run:?}");
            assert_eq!(desk.kept().len(), kept + 1, "{script}");
        }
        let run = desk.argus(
            &[way, "-c", "machines", "edit", "local"],
            r#"sed -i 's/"town_path": ""/"town_path": "\/t"/' "$1""#,
        );
        assert_eq!(run.code, 0, "a protected record can be patched: {run:?}");
        assert_eq!(desk.record("machines", "local")["town_path"], "/t");
    }
}

/// Ctrl-C in an editor is the editor's.
#[test]
fn an_interrupt_in_the_editor_does_not_end_argus() {
    let desk = Desk::new();
    desk.put("accounts", "a", &json!({ "n": 1 }));
    let script = r#"
        trap '' INT QUIT
        kill -INT 0; kill -QUIT 0
        sed -i 's/1/2/' "$1""#;
    let mut command = desk.context.command(&["-c", "accounts", "edit", "a"]);
    command.env("EDITOR", format!("'{}'", desk.editor(script).display()));
    command.env_remove("VISUAL").env("TMPDIR", desk.temporary()).process_group(0);
    let run = Run::from(command.output().expect("argus can be run"));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(desk.record("accounts", "a")["n"], 2);

    // The editor itself obeys: it was not started deaf.
    let mut command = desk.context.command(&["-c", "accounts", "edit", "a"]);
    let script = r#": > "$HOME/open"; sleep 60"#;
    command.env("EDITOR", format!("'{}'", desk.editor(script).display()));
    command.env_remove("VISUAL").env("TMPDIR", desk.temporary()).process_group(0);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("argus runs");
    until("the editor is open", || desk.context.home().join("open").exists().then_some(()));
    let group = rustix::process::Pid::from_raw(child.id() as i32).expect("a pid");
    rustix::process::kill_process_group(group, rustix::process::Signal::INT).expect("it runs");
    let run = Run::from(child.wait_with_output().expect("own child"));
    assert!(run.code == 1 && run.stderr.contains("exit status: 130"), "{run:?}");
    assert_eq!(fs::read_dir(desk.temporary()).expect("there").count(), 0);
}

#[test]
fn the_editor_is_named_as_a_shell_would_take_it() {
    let desk = Desk::new();
    desk.put("accounts", "a", &json!({ "n": 1 }));
    let editor = desk.editor(r#"[ "$1" = -w ]; sed -i 's/"n": [0-9]*/"n": 2/' "$2""#);
    let run = |visual: &str, editor: &str| {
        let mut command = desk.context.command(&["-c", "accounts", "edit", "a"]);
        command.env("VISUAL", visual).env("EDITOR", editor).env("TMPDIR", desk.temporary());
        Run::from(command.output().expect("argus can be run"))
    };
    let with_argument = format!("'{}' -w", editor.display());
    assert_eq!(run(&with_argument, "false").code, 0, "VISUAL goes before EDITOR");
    assert_eq!(desk.record("accounts", "a")["n"], 2);
    assert_eq!(run("", &with_argument).stderr, "nothing changed\n", "an empty one is none");
    assert_eq!(run("false", &with_argument).code, 1);
}
