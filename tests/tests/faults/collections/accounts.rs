//! The accounts, beside authmux.
//!
//! Seen to fail with top-level keys that are taken from memory, with a merge that keeps what either side has, with a
//! file whose mode is as its predecessor's, with a style of argus' own, and without the lockfile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Permissions, set_permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::time::Duration;

use argus_tests::Lines;
use serde_json::{Value, json};

use super::{CHANGES_MIN, OldWriter, Scene, WAYS, parse};

/// Accounts that are there in the beginning and that no old program has in memory.
const SEEDS: usize = 40;
/// The first of the old programs is the one that changes what stands beside the accounts.
const ROLES: [&str; 3] = ["settings", "accounts", "accounts"];
const KEYS: [&str; 6] = ["version", "note", "activeAccountName", "api", "accounts", "autoSwitch"];

/// What somebody was told, and what must therefore be so.
#[derive(Default)]
struct Promised {
    present: BTreeSet<String>,
    absent: BTreeSet<String>,
    /// Whose record each of those is that all writers of argus want to be the first to put.
    won: BTreeMap<String, usize>,
    /// What the last settings are.
    settings: Option<Value>,
}

#[test]
fn accounts_are_kept_by_argus_and_by_authmux_at_the_same_time() {
    let scene = Scene::new("accounts", "authmux.js", &first_text());
    // Open to others, as no old program leaves it: the first change closes it.
    set_permissions(scene.file(), Permissions::from_mode(0o644)).expect("own file");
    scene.add(&["--direct"], "first", &json!({ "createdAt": "2026-01-01" }));
    let promised = Mutex::new(Promised::default());
    let counted = Mutex::new(BTreeMap::new());
    let killed = std::thread::scope(|scope| {
        let (scene, promised) = (&scene, &promised);
        let counted = &counted;
        scope.spawn(|| read(scene, promised));
        for (number, way) in WAYS.into_iter().enumerate() {
            scope.spawn(move || {
                let rounds = keep(scene, promised, number, way);
                counted.lock().expect("whole").insert(format!("argus-{number}"), rounds);
            });
        }
        let start = |name: String, at: usize| -> OldWriter {
            let (writer, lines) = scene.old_program(&name, ROLES[at]);
            scope.spawn(move || listen(lines, promised));
            writer
        };
        let writers = (0..ROLES.len()).map(|at| start(format!("old-{at}"), at)).collect();
        let names = std::cell::Cell::new(ROLES.len());
        scene.rage(writers, |at| start(format!("old-{}", names.replace(names.get() + 1)), at))
    });

    // Whoever writes next, and whichever way, changes nothing of that.
    for way in [&["--direct"][..], &[]] {
        scene.add(way, &format!("last-{}", way.len()), &json!({}));
        look(&scene, &promised);
    }
    let document = scene.document();
    let promised = promised.into_inner().expect("whole");
    let settings = [&document["autoSwitch"], &document["activeAccountName"]];
    assert_eq!(json!(settings), promised.settings.expect("they were changed"));
    for (id, number) in &promised.won {
        assert_eq!(document["accounts"][id]["by"], *number, "`{id}` was {number}'s");
    }
    // No change of one key of a record that everyone changes is lost.
    for (name, rounds) in counted.into_inner().expect("whole") {
        assert_eq!(document["accounts"]["shared"]["by"][&name], rounds, "{name}");
    }
    let of_old = promised.present.iter().filter(|id| id.starts_with("old-")).count();
    let counts = [of_old, promised.present.len() - of_old, promised.absent.len()];
    println!("added by old programs, added and removed by argus: {counts:?}");
    assert!(counts.iter().all(|count| *count > CHANGES_MIN), "{counts:?}");
    scene.settle(|name| {
        let is_of = |pid: &u32| name.starts_with(&format!(".accounts.json.{pid}."));
        killed.iter().any(is_of)
    });
}

/// In an order of its own, with something that nobody knows.
fn first_text() -> String {
    let mut accounts = json!({ "shared": { "name": "shared", "by": {} } });
    for number in 0..SEEDS {
        let id = format!("seed-{number}");
        accounts[&id] = json!({ "name": id, "createdAt": "2026-01-01" });
    }
    let document = json!({
        "version": 1, "note": { "big": 1 }, "activeAccountName": "shared", "api": { "usage": true },
        "accounts": accounts,
        "autoSwitch": { "enabled": true, "threshold5hPercent": 10, "thresholdWeeklyPercent": 5 },
    });
    serde_json::to_string_pretty(&document).expect("a value is text") + "\n"
}

/// A writer of argus. Returns how often it has changed the record that everyone changes.
///
/// It removes accounts of its own and those that were there in the beginning. One that an old program has in memory
/// would be revived by its next union: a fault of theirs.
fn keep(scene: &Scene, promised: &Mutex<Promised>, number: usize, way: &[&str]) -> usize {
    let promise = || promised.lock().expect("whole");
    let mut round = 0;
    while !scene.is_over() {
        let id = format!("argus-{number}-{round}");
        scene.add(way, &id, &json!({ "createdAt": "2026-01-01" }));
        promise().present.insert(id.clone());
        let patch = json!({ "email": id }).to_string();
        assert_eq!(scene.argus(way, &["patch", &id, &patch]).code, 0);
        let patch = json!({ "by": { format!("argus-{number}"): round + 1 } }).to_string();
        assert_eq!(scene.argus(way, &["patch", "shared", &patch]).code, 0);

        let wanted = format!("wanted-{round}");
        let run = scene
            .argus(way, &["put", &wanted, &json!({ "by": number }).to_string(), "--if-absent"]);
        match run.code {
            0 => assert_eq!(promise().won.insert(wanted, number), None, "two were the first"),
            code => assert_eq!(code, 5, "{run:?}"),
        }
        if round % 2 == 0 {
            promise().present.remove(&id);
            scene.remove(way, &id);
            promise().absent.insert(id);
        }
        let seed = round * WAYS.len() + number;
        if seed < SEEDS {
            let seed = format!("seed-{seed}");
            scene.remove(way, &seed);
            promise().absent.insert(seed);
        }
        round += 1;
    }
    round
}

/// Notes what an old program says.
fn listen(lines: Lines, promised: &Mutex<Promised>) {
    for line in lines.map(|line| parse(&line)) {
        assert!(line["complaint"].is_null(), "{line}");
        let mut promised = promised.lock().expect("whole");
        if let Some(id) = line["added"].as_str() {
            promised.present.insert(id.to_owned());
        } else {
            promised.settings = Some(line["settings"].clone());
        }
    }
}

fn read(scene: &Scene, promised: &Mutex<Promised>) {
    while !scene.is_over() {
        look(scene, promised);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The file is whole, and as everybody was promised.
fn look(scene: &Scene, promised: &Mutex<Promised>) {
    let before = {
        let promised = promised.lock().expect("whole");
        (promised.present.clone(), promised.absent.clone())
    };
    let mut file = File::open(scene.file()).expect("it is always there");
    let mode = file.metadata().expect("it is open").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "open to others");
    let mut text = String::new();
    file.read_to_string(&mut text).expect("it is text");
    assert!(text.ends_with("}\n"), "without a line break at its end: {text}");
    let document: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let keys: Vec<&String> = document.as_object().expect("an object").keys().collect();
    assert_eq!(keys, KEYS);
    let accounts = document["accounts"].as_object().expect("a map");
    let (present, absent) = before;
    for id in absent {
        assert!(!accounts.contains_key(&id), "`{id}` was removed and is there again");
    }
    let lost: Vec<&String> = present.iter().filter(|id| !accounts.contains_key(*id)).collect();
    let promised = promised.lock().expect("whole");
    // Its removal may have begun meanwhile.
    let lost = lost.into_iter().find(|id| promised.present.contains(*id));
    assert_eq!(lost, None, "it was acknowledged and is lost");
}
