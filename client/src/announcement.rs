//! Building an announcement without writing JSON by hand.

use argus_proto::json::{self, JsonText, Object};
use argus_proto::method::Announce;

/// An announcement in the making.
#[derive(Debug, Clone)]
pub struct Announcement {
    record: Object,
    unique: bool,
    replace: bool,
    vouch: bool,
}

/// Begins an announcement of `id`.
pub fn announcement(id: &str) -> Announcement {
    let mut record = Object::default();
    record.set_string("id", id);
    Announcement { record, unique: false, replace: false, vouch: false }
}

impl Announcement {
    /// Where the process listens; 127.0.0.1 if not told.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.record.set_string("host", host);
        self
    }

    /// The port on which it listens.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.record.set("port", port.to_string());
        self
    }

    /// The process; this one if not told.
    #[must_use]
    pub fn pid(mut self, pid: u32) -> Self {
        self.record.set("pid", pid.to_string());
        self
    }

    /// The folder in which it works.
    #[must_use]
    pub fn cwd(mut self, cwd: &str) -> Self {
        self.record.set_string("cwd", cwd);
        self
    }

    /// Any further field of the record.
    #[must_use]
    pub fn field(mut self, key: &str, value: &serde_json::Value) -> Self {
        self.record.set(key, value.to_string());
        self
    }

    /// Further fields of the record, from the text of a JSON object.
    ///
    /// # Errors
    /// Where the text is not a JSON object.
    pub fn fields(mut self, object: &str) -> Result<Self, json::JsonError> {
        self.record.extend(Object::parse(object)?);
        Ok(self)
    }

    /// Whether a field has been given.
    pub fn has(&self, key: &str) -> bool {
        self.record.get(key).is_some()
    }

    /// Take `id-2`, `id-3` … where another live process has the name.
    #[must_use]
    pub fn unique(mut self, unique: bool) -> Self {
        self.unique = unique;
        self
    }

    /// Take the name even from a live process.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Let the living process count as its heartbeat.
    #[must_use]
    pub fn vouch(mut self, vouch: bool) -> Self {
        self.vouch = vouch;
        self
    }

    /// The finished announcement.
    pub fn build(self) -> Announce {
        Announce {
            unique: self.unique,
            replace: self.replace,
            vouch: self.vouch,
            ..Announce::new(JsonText::from_canonical(self.record.to_text()))
        }
    }
}
