//! `hello`: who is there, and which protocol both speak.
//!
//! `hello`, `status` and `shutdown` travel as JSON in both encodings, so that they work between
//! any two versions: unknown fields are ignored there.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

/// The protocols that this program speaks, from and to.
pub const PROTOCOLS: [u32; 2] = [1, 1];

/// What a daemon can do beyond the methods of protocol 1.
pub const CAPABILITIES: [&str; 3] = ["handover", "history", "sources"];

/// A client introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Hello {
    /// Its name.
    #[serde(default)]
    pub client: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// The protocols that it speaks, from and to.
    #[serde(default = "first_protocol")]
    pub protocol: [u32; 2],
}

fn first_protocol() -> [u32; 2] {
    [1, 1]
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Welcome {
    /// Its name.
    pub server: String,
    /// Its version.
    pub version: String,
    /// The protocol to go on with: the newest that both speak.
    pub protocol: u32,
    /// What it can do beyond the methods of that protocol.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Tells this life of the daemon from every other.
    pub instance: String,
    /// Its process.
    pub pid: u32,
    /// The canonical path of the registry that it serves.
    pub registry: String,
}

/// The newest protocol that both sides speak.
pub fn negotiate(client: &Hello, own_version: &str, own: [u32; 2]) -> Result<u32> {
    let newest = client.protocol[1].min(own[1]);
    if newest >= client.protocol[0].max(own[0]) {
        return Ok(newest);
    }
    Err(Error::new(
        Code::Protocol,
        format!(
            "{} {} speaks protocol {} to {}, argusd {own_version} speaks {} to {}",
            client.client, client.version, client.protocol[0], client.protocol[1], own[0], own[1],
        ),
    )
    .hint("argus daemon restart")
    .details(serde_json::json!({
        "clientVersion": client.version, "clientProtocol": client.protocol,
        "daemonVersion": own_version, "daemonProtocol": own,
    })))
}

/// The version of the daemon that refused a [`negotiate`], as the error tells it.
pub fn refusing_version(error: &Error) -> Option<String> {
    let details = error.details.as_ref().filter(|_| error.code == Code::Protocol)?.to_value();
    Some(details.get("daemonVersion")?.as_str()?.to_owned())
}

/// Whether a version is strictly newer than another. What is no version is newer than nothing.
pub fn is_newer(version: &str, than: &str) -> bool {
    let [version, than] = [version, than].map(|text| semver::Version::parse(text).ok());
    version.zip(than).is_some_and(|(version, than)| version.cmp_precedence(&than).is_gt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_strictly_newer_version_is_newer() {
        let rows = [
            ("0.2.0", "0.1.9", true),
            ("0.10.0", "0.9.0", true),
            ("1.0.0", "1.0.0-rc.1", true),
            ("0.1.0", "0.1.0", false),
            ("0.1.0+build2", "0.1.0+build1", false),
            ("0.1.0", "0.2.0", false),
            ("", "0.1.0", false),
            ("newest", "0.1.0", false),
            ("0.1.0", "", false),
        ];
        for (version, than, newer) in rows {
            assert_eq!(is_newer(version, than), newer, "{version} {than}");
        }
    }

    #[test]
    fn the_newest_common_protocol_is_chosen_or_both_versions_are_named() {
        let rows = [
            ([1, 1], [1, 1], Some(1)),
            ([1, 3], [2, 2], Some(2)),
            ([1, 3], [2, 5], Some(3)),
            ([2, 3], [1, 1], None),
            ([1, 1], [2, 3], None),
            ([3, 1], [1, 3], None),
        ];
        for (theirs, own, expected) in rows {
            let hello = Hello { client: "argus".into(), version: "9.1".into(), protocol: theirs };
            match negotiate(&hello, "0.1", own) {
                Ok(protocol) => assert_eq!(Some(protocol), expected, "{theirs:?} {own:?}"),
                Err(error) => {
                    assert_eq!(expected, None, "{theirs:?} {own:?}");
                    assert_eq!(error.code, Code::Protocol);
                    assert!(error.message.contains("9.1") && error.message.contains("0.1"));
                    assert_eq!(refusing_version(&error).as_deref(), Some("0.1"));
                }
            }
        }
    }
}
