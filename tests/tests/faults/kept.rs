//! The collections whose changes the faults strike: in one file, and with a file a record.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use argus_store::Paths;
use argus_tests::{Run, TestContext};
use serde_json::{Value, json};

/// Records by id.
pub(crate) type Records = BTreeMap<String, Value>;

/// A collection, and what is done with it.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) name: &'static str,
    file: &'static str,
    layout: Layout,
    pub(crate) changes: &'static [Change; 3],
}

/// How its records are kept when the first of the changes comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    File,
    Directory,
    /// A file a record from that change on.
    DirectoryAtFirst,
    /// A file a record until that change.
    FileAgain,
    /// A file a record; and somebody who knows only the whole file has written that since.
    DirectoryBehindOthers,
}

/// A change, and whether a registry shows it.
pub(crate) struct Change {
    pub(crate) arguments: &'static [&'static str],
    pub(crate) method: &'static str,
    pub(crate) params: fn() -> Value,
    pub(crate) is_seen: fn(&Records) -> bool,
}

pub(crate) const WATCHERS: Kept = Kept {
    name: "watchers",
    file: "registry.json",
    layout: Layout::File,
    changes: &[
        Change {
            arguments: &["announce", "--id", "new"],
            method: "announce",
            params: || json!({ "record": { "id": "new", "pid": std::process::id() } }),
            is_seen: |records| records.contains_key("new"),
        },
        Change {
            arguments: &["rm", "old"],
            method: "remove",
            params: || json!({ "id": "old" }),
            is_seen: |records| !records.contains_key("old"),
        },
        Change {
            arguments: &["prune"],
            method: "prune",
            params: || json!({}),
            is_seen: |records| !records.contains_key("dead"),
        },
    ],
};

const JOBS: Kept = Kept {
    name: "jobs",
    file: "jobs.json",
    layout: Layout::File,
    changes: &[
        Change {
            arguments: &["rm", "old"],
            method: "remove",
            params: || json!({ "collection": "jobs", "id": "old" }),
            is_seen: |records| !records.contains_key("old"),
        },
        Change {
            arguments: &["put", "changed", r#"{"n":2}"#],
            method: "put",
            params: || json!({ "collection": "jobs", "id": "changed", "value": { "n": 2 } }),
            is_seen: |records| records.get("changed").is_some_and(|record| record["n"] == 2),
        },
        Change {
            arguments: &["put", "New", r#"{"n":1}"#],
            method: "put",
            params: || json!({ "collection": "jobs", "id": "New", "value": { "n": 1 } }),
            is_seen: |records| records.contains_key("New"),
        },
    ],
};

pub(crate) const DIRECTORY: Kept = Kept { layout: Layout::Directory, ..JOBS };

/// One of each kind.
pub(crate) const ALL: [Kept; 5] = [
    WATCHERS,
    DIRECTORY,
    Kept { layout: Layout::DirectoryAtFirst, ..JOBS },
    Kept { layout: Layout::FileAgain, ..JOBS },
    Kept { layout: Layout::DirectoryBehindOthers, ..JOBS },
];

impl Kept {
    /// Fills a home with records that are acknowledged: `kept`, and those that are to be changed.
    pub(crate) fn fill(&self, context: &TestContext) {
        let own = std::process::id().to_string();
        let mut bystander = context.bystander();
        let other = bystander.pid().to_string();
        let watchers = [("first", &own), ("kept", &own), ("old", &own), ("dead", &other)];
        let watchers = watchers.map(|(id, pid)| vec!["announce", "--id", id, "--pid", pid]);
        let jobs = ["first", "kept", "changed", "old"].map(|id| vec!["put", id, r#"{"n":1}"#]);
        let at_first = match self.layout {
            Layout::DirectoryAtFirst => "file",
            _ => self.layout_name(),
        };
        let before = if self.layout == Layout::FileAgain { "directory" } else { at_first };
        set_layout(context, before);
        for arguments in if self.name == "jobs" { jobs } else { watchers } {
            let run = self.direct(context, &arguments);
            assert_eq!(run.code, 0, "{run:?}");
        }
        self.configure(context);
        bystander.kill();
        if self.layout == Layout::DirectoryBehindOthers {
            // What they have written too is to be there, and what is made of it.
            replace_as_others(context, |document| {
                document["jobs"]["theirs"] = json!({ "n": 1 });
                document["jobs"]["old"] = json!({ "n": 3 });
            });
        }
    }

    /// The changes that a fault can strike in a way of their own.
    pub(crate) fn struck(&self) -> &'static [Change] {
        match self.layout {
            Layout::File | Layout::Directory => self.changes,
            _ => &self.changes[..1],
        }
    }

    fn layout_name(&self) -> &'static str {
        match self.layout {
            Layout::File | Layout::FileAgain => "file",
            _ => "directory",
        }
    }

    /// Makes it be kept so in a home.
    pub(crate) fn configure(&self, context: &TestContext) {
        set_layout(context, self.layout_name());
    }

    /// `argus` with arguments, about this collection.
    pub(crate) fn arguments<'a>(&self, way: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
        [way, &["-c", self.name], arguments].concat()
    }

    pub(crate) fn direct(&self, context: &TestContext, arguments: &[&str]) -> Run {
        context.argus(&self.arguments(&["--direct"], arguments))
    }

    /// A change that nobody has asked for before.
    pub(crate) fn next(&self) -> &'static [&'static str] {
        match self.name {
            "jobs" => &["put", "next", "{}"],
            _ => &["announce", "--id", "next"],
        }
    }

    pub(crate) fn path(&self, context: &TestContext) -> PathBuf {
        context.home().join(self.file)
    }

    /// What somebody finds, this way, who has not been here before.
    pub(crate) fn found(&self, context: &TestContext, way: &str) -> Records {
        let data = context.argus(&self.arguments(&[way, "--json"], &["ls"])).data();
        let records = data["records"].as_array().expect("a list").iter();
        let id = |listed: &Value| listed["id"].as_str().expect("an id").to_owned();
        records.map(|listed| (id(listed), listed["record"].clone())).collect()
    }

    /// What the whole file shows, which must be whole.
    pub(crate) fn shown(&self, context: &TestContext) -> Records {
        let text = fs::read_to_string(self.path(context)).expect("it is there");
        let document: Value = serde_json::from_str(&text).expect("it is whole");
        let records = document[self.name].as_object().expect("a map").clone();
        records.into_iter().collect()
    }

    /// Every file is whole, whoever reads it now.
    pub(crate) fn assert_sound(&self, context: &TestContext) {
        self.shown(context);
        let folder = Paths::new(&self.path(context)).expect("a path").records();
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("readable").path();
            let text = fs::read_to_string(&path).expect("readable");
            let record: Result<Value, _> = serde_json::from_str(&text);
            assert!(record.is_ok(), "{}: {text:?}", path.display());
        }
    }

    /// What was promised is there, whichever way one looks, and nothing stands in the way of the next
    /// writer. `acknowledged` of the changes were, and at most the one after them was begun.
    pub(crate) fn assert_recovers(
        &self,
        context: &TestContext,
        acknowledged: usize,
        cause: &dyn std::fmt::Debug,
    ) {
        self.assert_sound(context);
        let found = self.found(context, "--direct");
        let assert_promised = |found: &Records| {
            for change in &self.changes[..acknowledged] {
                assert!((change.is_seen)(found), "{cause:?}: {:?}: {found:?}", change.arguments);
            }
            for change in self.changes.iter().skip(acknowledged + 1) {
                assert!(!(change.is_seen)(found), "{cause:?}: {:?}: {found:?}", change.arguments);
            }
            let is_theirs = self.layout == Layout::DirectoryBehindOthers;
            let kept = ["first", "kept"].into_iter().chain(is_theirs.then_some("theirs"));
            for kept in kept {
                assert!(found.contains_key(kept), "{cause:?}: {kept}: {found:?}");
            }
        };
        assert_promised(&found);
        self.assert_survives_damage(context, cause);

        let number = cause_number(cause);
        let others_come_first = self.name == "jobs" && number.is_multiple_of(3);
        if others_come_first {
            replace_as_others(context, |document| document["jobs"]["later"] = json!({ "n": 1 }));
        }
        // Every other time a daemon is the first to write.
        if number % 2 == 1 {
            context.start_daemon();
            let found = self.found(context, "--direct");
            assert_eq!(self.found(context, "--daemon-only"), found, "{cause:?}");
            assert_eq!(context.argus(&["daemon", "stop"]).code, 0, "{cause:?}");
        }
        let run = self.direct(context, self.next());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{cause:?}: {run:?}");
        let shown = self.shown(context);
        assert_promised(&shown);
        assert_eq!(shown.contains_key("later"), others_come_first, "{cause:?}: {shown:?}");
        assert_eq!(self.found(context, "--direct"), shown, "{cause:?}");
        self.assert_sound(context);
        crate::strace::assert_no_debris(context);
    }

    /// Damage right after the crash costs no more than the last change.
    fn assert_survives_damage(&self, context: &TestContext, cause: &dyn std::fmt::Debug) {
        let path = self.path(context);
        let aside = context.home().join("aside");
        let whole = fs::read(&path).expect("it is there");
        // Where each record has its file, the whole one has a second name, and who writes it in place and
        // back is somebody else who has written it.
        let is_in_place = self.layout == Layout::File;
        if !is_in_place {
            fs::rename(&path, &aside).expect("own file");
        }
        fs::write(&path, "garbage").expect("own file");
        let run = self.direct(context, &["ls"]);
        assert!(run.stdout.contains("first"), "{cause:?}: {run:?}");
        if is_in_place {
            fs::write(&path, whole).expect("own file");
        } else {
            fs::rename(&aside, &path).expect("own file");
        }
    }
}

fn set_layout(context: &TestContext, layout: &str) {
    let config = format!("collections: {{ jobs: {{ layout: {layout} }} }}\n");
    fs::write(context.home().join("config.yaml"), config).expect("own folder");
}

/// Replaces the whole file of the jobs as a program does that knows nothing of argus.
pub(crate) fn replace_as_others(context: &TestContext, change: impl FnOnce(&mut Value)) {
    let path = context.home().join("jobs.json");
    let text = fs::read_to_string(&path).expect("it is there");
    let mut document = serde_json::from_str(&text).expect("it is whole");
    change(&mut document);
    let temp = context.home().join("theirs.tmp");
    fs::write(&temp, document.to_string()).expect("own folder");
    // Where the power goes, what they have not synced is none of argus' business.
    fs::File::open(&temp).and_then(|file| file.sync_all()).expect("own file");
    fs::rename(temp, path).expect("own folder");
}

/// Another one for the next of a row of causes.
fn cause_number(cause: &dyn std::fmt::Debug) -> usize {
    format!("{cause:?}").bytes().map(usize::from).sum()
}
