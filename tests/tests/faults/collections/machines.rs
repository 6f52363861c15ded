//! The machines, beside a Go program that takes no lock, so that nobody can keep what it writes over. What argus
//! promises is that nothing else is lost: not what the program adds, and of its own changes only such as were made
//! between its reading and its writing.
//!
//! Seen to fail with a merge that keeps what either side has, with a file that is replaced whoever has written it
//! meanwhile, with records that are dropped where they break the schema, without the protection of `local`, and
//! without its default.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use argus_tests::Lines;
use argus_tests::history::now;
use serde_json::{Value, json};

use super::{CHANGES_MIN, OldWriter, Scene, WAYS, parse};

const FIRST: &str = r#"{
  "version": 1,
  "machines": {
    "box": {
      "name": "box",
      "type": "ssh",
      "host": "box.lan"
    }
  }
}"#;

/// One change of the old program, from its reading to its writing.
struct Write {
    /// What it has added, if it came so far as to tell.
    id: Option<String>,
    read: u64,
    wrote: u64,
    is_registry: bool,
    is_held_up: bool,
}

/// One change of argus.
struct Change {
    id: String,
    is_there: bool,
    begun: u64,
    answered: u64,
}

impl Change {
    /// Whether the old program may have taken it back. One that is held up in the middle of writing in place
    /// leaves an empty file, which argus mends with an older one.
    fn is_overwritten_by(&self, write: &Write) -> bool {
        write.wrote >= self.begun && (write.read <= self.answered || write.is_held_up)
    }
}

#[test]
fn machines_are_kept_by_argus_beside_a_program_that_renames_without_a_lock() {
    check("renaming");
}

/// Here, and only here, a reader may find the file half written: by that program.
///
/// It is not killed, since it would leave an empty file, and the machines to the last good one.
#[test]
fn machines_are_kept_by_argus_beside_a_program_that_writes_in_place() {
    check("in-place");
}

fn check(old_way: &'static str) {
    let scene = Scene::new("machines", "machines.js", FIRST);
    let writes = Mutex::new(Vec::new());
    let changes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let (scene, writes, changes) = (&scene, &writes, &changes);
        scope.spawn(|| read(scene, old_way == "renaming"));
        for (number, way) in WAYS.into_iter().enumerate() {
            scope.spawn(move || keep(scene, changes, number, way));
        }
        let start = |name: String| -> OldWriter {
            let (writer, lines) = scene.old_program(&name, old_way);
            scope.spawn(move || listen(lines, writes));
            writer
        };
        let first = start("old".to_owned());
        let names = std::cell::Cell::new(0);
        if old_way == "renaming" {
            let successor = |_| start(format!("old-{}", names.replace(names.get() + 1)));
            scene.rage(vec![first], successor);
        } else {
            scene.rage(Vec::new(), |_| unreachable!("nobody is killed"));
            let mut first = first;
            assert!(first.0.wait().expect("own child").success(), "an old program fails");
        }
    });

    scene.add(&["--direct"], "last", &json!({ "type": "local" }));
    let document = scene.document();
    let machines = document["machines"].as_object().expect("a map");
    assert!(machines.contains_key("local") && machines.contains_key("last"), "{machines:?}");
    assert_eq!(machines["box"], json!({ "name": "box", "type": "ssh", "host": "box.lan" }));
    let (writes, changes) =
        (writes.into_inner().expect("whole"), changes.into_inner().expect("whole"));
    let mut overwritten = 0;
    for change in &changes {
        let Change { id, is_there, .. } = change;
        let is_kept = machines.contains_key(id) == *is_there;
        let may_be_lost = writes.iter().any(|write| change.is_overwritten_by(write));
        overwritten += usize::from(may_be_lost);
        assert!(is_kept || may_be_lost, "`{id}` is there: {}", !is_there);
    }
    println!("{overwritten} of {} changes may be lost", changes.len());
    assert!(overwritten < changes.len(), "no change was without danger");
    // What was there before one was held up may be lost with it.
    let certain = writes.iter().rposition(|write| write.is_held_up).map_or(0, |at| at + 1);
    let is_certain = |write: &&Write| old_way == "renaming" || write.is_registry;
    // Also those that break the rules, which `settle` finds listed.
    let added = writes[certain..].iter().filter(is_certain).filter_map(|write| write.id.as_ref());
    let added: Vec<&String> = added.collect();
    let lost = added.iter().find(|id| !machines.contains_key(**id));
    assert_eq!(lost, None, "the old program had added it");
    assert!(added.len() > CHANGES_MIN && machines.values().any(Value::is_null), "{added:?}");
    let is_held_up = writes.iter().any(|write| write.is_held_up);
    // Its temporary file, of which there is one only; and what it has left half written for long.
    scene.settle(|name| name == "machines.json.tmp" || is_held_up && name == "quarantine");
}

/// A writer of argus, who also asks for what the rules forbid.
fn keep(scene: &Scene, changes: &Mutex<Vec<Change>>, number: usize, way: &[&str]) {
    let note = |id: &str, is_there, begun| {
        let change = Change { id: id.to_owned(), is_there, begun, answered: now() };
        changes.lock().expect("whole").push(change);
    };
    let ssh = json!({ "type": "ssh", "host": "h" });
    let forbidden: [(&[&str], i32, &str); 6] = [
        (&["rm", "local"], 5, "E_CONFLICT"),
        (&["put", "local", r#"{"type":"local"}"#], 5, "E_CONFLICT"),
        (&["put", "bad", "{}"], 2, "E_INVALID"),
        (&["put", "bad", r#"{"type":"tty"}"#], 2, "E_INVALID"),
        (&["put", "bad", r#"{"type":"ssh"}"#], 2, "E_INVALID"),
        (&["patch", "box", r#"{"host":null}"#], 2, "E_INVALID"),
    ];
    let mut round = 0;
    while !scene.is_over() {
        let id = format!("argus-{number}-{round}");
        let begun = now();
        scene.add(way, &id, &ssh);
        if round % 3 == 0 {
            scene.remove(way, &id);
        }
        note(&id, round % 3 != 0, begun);

        let (arguments, exit_code, code) = forbidden[round % forbidden.len()];
        let run = scene.argus(way, arguments);
        assert_eq!((run.code, run.error()["code"].as_str()), (exit_code, Some(code)), "{run:?}");
        let local = scene.argus(way, &["get", "local"]).data();
        assert_eq!(local["record"]["type"], "local", "it is always there");
        round += 1;
    }
}

/// Notes what the old program says: that it begins to read, and what it has written. Who is killed in between may
/// have written something until then.
fn listen(lines: Lines, writes: &Mutex<Vec<Write>>) {
    let mut begun = None;
    let write = |line: &Value, read| {
        let is = |key: &str| line[key] == true;
        let id = line["added"].as_str().map(str::to_owned);
        let (is_registry, is_held_up) = (is("isRegistry"), is("heldUp"));
        let write = Write { id, read, wrote: now(), is_registry, is_held_up };
        writes.lock().expect("whole").push(write);
    };
    for line in lines.map(|line| parse(&line)) {
        match begun.take() {
            Some(read) => write(&line, read),
            None => begun = line["reads"].as_u64(),
        }
    }
    if let Some(read) = begun {
        write(&Value::Null, read);
    }
}

fn read(scene: &Scene, is_whole: bool) {
    while !scene.is_over() {
        let text = fs::read_to_string(scene.file()).expect("it is always there");
        match serde_json::from_str::<Value>(&text) {
            Ok(document) => assert_eq!(document["version"], 1),
            Err(error) => assert!(!is_whole, "{error}: {text}"),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
