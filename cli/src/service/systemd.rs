//! systemd's user units: a socket, and the service that it starts.

use std::path::Path;

use super::{File, Names, Service, words};

pub(super) fn service(names: &Names<'_>, folder: &Path) -> Service {
    let name = names.service;
    let file =
        |suffix: &str, text: String| File { path: folder.join(format!("{name}.{suffix}")), text };
    Service {
        files: vec![file("socket", socket(names)), file("service", daemon(names))],
        read: vec![words("systemctl --user daemon-reload")],
        install: vec![words(&format!("systemctl --user enable --now {name}.socket"))],
        before_removal: vec![words(&format!(
            "systemctl --user disable --now {name}.socket {name}.service"
        ))],
        after_removal: vec![words("systemctl --user daemon-reload")],
    }
}

fn socket(names: &Names<'_>) -> String {
    let (registry, socket) = (escaped(names.registry), escaped(names.socket));
    format!(
        "\
# Written by argus daemon install.
[Unit]
Description=Socket of argus, the local registry ({registry})

[Socket]
ListenStream={socket}
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target
"
    )
}

fn daemon(names: &Names<'_>) -> String {
    let (daemon, registry) = (quoted(names.daemon), quoted(names.registry).replace('$', "$$"));
    let described = escaped(names.registry);
    // It ends by itself when nobody has been connected for long; the socket stays.
    format!(
        "\
# Written by argus daemon install.
[Unit]
Description=argus, the local registry ({described})

[Service]
Type=notify
ExecStart={daemon} --registry {registry}
TimeoutStopSec=5
"
    )
}

/// In any value `%` begins a specifier.
fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word of a command line. Behind the first one `$` begins a variable as well.
fn quoted(text: &str) -> String {
    let text = escaped(text).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_unit_is_escaped() {
        assert_eq!(quoted("/a b/\"c\"\\$d%"), r#""/a b/\"c\"\\$d%%""#);
        assert_eq!(escaped("/100%"), "/100%%");
    }
}
