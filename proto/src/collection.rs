//! What distinguishes one collection from another, as data.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::limits::WATCHER_TTL;
use crate::schema::Schema;
use crate::shell::quoted;

/// The description of a collection: a named map of JSON records in one JSON file.
///
/// Nothing knows a collection by name; everything that differs stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Its name, as in `-c NAME`.
    pub name: String,
    /// Its file, in the folder of the registry; `None` for the registry itself.
    pub file: Option<String>,
    /// The newest file format that is understood.
    pub version: u64,
    /// Whether a file without `version` and without the map is none of this collection; else it is one
    /// that has no records yet, beside whatever another program keeps there.
    pub is_strict: bool,
    /// The key of the map in the file.
    pub records_key: String,
    /// The key of a record that repeats its id, if there is one.
    pub name_key: Option<String>,
    /// Where processes stand behind the records, how long one counts as live after a heartbeat.
    pub ttl: Option<Duration>,
    /// Whether records of the dead and the silent leave by themselves.
    pub auto_prune: bool,
    /// The file's own key that tells when it was last changed, in milliseconds since the epoch.
    pub updated_at_key: Option<String>,
    /// The other keys that a new file has, each with its value as canonical JSON.
    pub top: Vec<(String, String)>,
    /// Records that are always there, each as canonical JSON.
    pub defaults: Vec<(String, String)>,
    /// Ids whose records can be patched, but neither replaced nor removed.
    pub protected: Vec<String>,
    /// What a record has to look like to be written.
    pub schema: Option<Arc<Schema>>,
    /// One level of indentation in a new file; one that is there keeps its own style.
    pub indent: &'static str,
    /// Whether a new file ends with a line break.
    pub final_newline: bool,
    /// What its file may be opened to at most, as permission bits; `None`: whatever it is opened to.
    pub mode: Option<u32>,
    /// How it is kept on the disk.
    pub layout: Layout,
}

/// How a collection is kept on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// As one file.
    #[default]
    File,
    /// As one file a record, with the whole file written behind them for other readers. A change
    /// costs what it changes, however many records there are.
    Directory,
}

/// The watchers' registry, version 1: the default everywhere.
pub static WATCHERS: LazyLock<Arc<Collection>> = LazyLock::new(|| {
    Arc::new(Collection {
        ttl: Some(WATCHER_TTL),
        updated_at_key: Some("updatedAt".to_owned()),
        name_key: Some("id".to_owned()),
        file: None,
        ..Collection::new("watchers")
    })
});

/// The machines on which towns are run: this one, and those reached by SSH.
pub static MACHINES: LazyLock<Arc<Collection>> = LazyLock::new(|| {
    let schema = Schema::built_in(include_str!("schemas/machine.schema.json"));
    let local = r#"{"name":"local","type":"local","host":"","key_path":"","town_path":""}"#;
    Arc::new(Collection {
        name_key: Some("name".to_owned()),
        defaults: vec![("local".to_owned(), local.to_owned())],
        protected: vec!["local".to_owned()],
        schema: Some(Arc::new(schema)),
        mode: Some(0o600),
        ..Collection::new("machines")
    })
});

/// The accounts between which authmux switches.
pub static ACCOUNTS: LazyLock<Arc<Collection>> = LazyLock::new(|| {
    let auto_switch = r#"{"enabled":false,"threshold5hPercent":10,"thresholdWeeklyPercent":5}"#;
    let top = [("autoSwitch", auto_switch), ("api", r#"{"usage":true}"#)];
    Arc::new(Collection {
        name_key: Some("name".to_owned()),
        final_newline: true,
        mode: Some(0o600),
        top: top.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Collection::new("accounts")
    })
});

/// The tasks in the folders that are followed: written by the daemon, as they are on the disk.
pub static TASKS: LazyLock<Arc<Collection>> = LazyLock::new(|| {
    Arc::new(Collection { name_key: Some("id".to_owned()), ..Collection::new("tasks") })
});

/// The folders of tasks that were added or paused by command.
pub static SOURCES: LazyLock<Arc<Collection>> = LazyLock::new(|| {
    let schema = Schema::built_in(include_str!("schemas/source.schema.json"));
    Arc::new(Collection {
        name_key: Some("name".to_owned()),
        schema: Some(Arc::new(schema)),
        ..Collection::new("sources")
    })
});

impl Collection {
    /// A collection with a file of its name, and nothing else that is special.
    pub fn new(name: &str) -> Self {
        Collection {
            name: name.to_owned(),
            file: Some(format!("{name}.json")),
            version: 1,
            is_strict: true,
            records_key: name.to_owned(),
            name_key: None,
            ttl: None,
            auto_prune: true,
            updated_at_key: None,
            top: Vec::new(),
            defaults: Vec::new(),
            protected: Vec::new(),
            schema: None,
            indent: "  ",
            final_newline: false,
            mode: None,
            layout: Layout::File,
        }
    }

    /// Refuses to remove a record that is always there.
    pub(crate) fn check_not_default(&self, id: &str) -> Result<()> {
        if !self.defaults.iter().any(|(default, _)| default == id) {
            return Ok(());
        }
        let message = format!("`{id}` is always there in {}, and cannot be removed", self.name);
        Err(Error::new(Code::Conflict, message)
            .hint(format!("argus put {} JSON", quoted(id)))
            .details(serde_json::json!({ "id": id, "default": true })))
    }

    /// Refuses to replace or remove a record that has to stay.
    pub(crate) fn check_not_protected(&self, id: &str) -> Result<()> {
        if !self.protected.iter().any(|protected| protected == id) {
            return Ok(());
        }
        let message = format!("`{id}` in {} can be neither removed nor replaced", self.name);
        Err(Error::new(Code::Conflict, message)
            .hint(format!("argus patch {} JSON", quoted(id)))
            .details(serde_json::json!({ "id": id, "protected": true })))
    }
}

/// The collections that there are.
#[derive(Debug, Clone)]
pub struct Catalog(Vec<Arc<Collection>>);

impl Catalog {
    /// These, of which the first is meant where no name is given. Names are unique.
    pub fn new(collections: Vec<Arc<Collection>>) -> Self {
        Catalog(collections)
    }

    /// Those that argus brings with it.
    pub fn built_in() -> Self {
        Catalog(vec![
            WATCHERS.clone(),
            MACHINES.clone(),
            ACCOUNTS.clone(),
            TASKS.clone(),
            SOURCES.clone(),
        ])
    }

    /// The collection that a call is about: the one of this name, or without a name the first.
    ///
    /// # Errors
    /// `E_USAGE` where there is none.
    pub fn named(&self, name: Option<&str>) -> Result<&Arc<Collection>> {
        let found = match name {
            None => self.0.first(),
            Some(name) => self.0.iter().find(|collection| collection.name == name),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            let name = name.unwrap_or_default();
            Error::new(Code::Usage, format!("there is no collection `{name}`"))
                .hint(format!("one of: {}", names.join(", ")))
                .details(serde_json::json!({ "collection": name }))
        })
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|collection| collection.name.as_str())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.0.iter()
    }
}
