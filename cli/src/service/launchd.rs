//! launchd's agent. launchd does lend sockets, but by calls of its own; so the daemon is started at login,
//! and after it has ended for want of clients, by the next client.

use std::path::Path;

use super::{File, Names, Service};

pub(super) fn service(names: &Names<'_>, folder: &Path) -> Service {
    let path = folder.join(format!("{}.plist", label(names)));
    let command = |verb: &[&str]| -> Vec<String> {
        let path = path.to_string_lossy().into_owned();
        verb.iter().map(|word| (*word).to_owned()).chain([path]).collect()
    };
    Service {
        read: Vec::new(),
        install: vec![command(&["launchctl", "load", "-w"])],
        before_removal: vec![command(&["launchctl", "unload", "-w"])],
        after_removal: Vec::new(),
        files: vec![File { text: agent(names), path }],
    }
}

fn label(names: &Names<'_>) -> String {
    format!("dev.argus.{}", names.service)
}

fn agent(names: &Names<'_>) -> String {
    let (label, daemon, registry) = (label(names), escaped(names.daemon), escaped(names.registry));
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by argus daemon install. -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{label}</string>
  <key>ProgramArguments</key>
  <array>
    <string>{daemon}</string>
    <string>--registry</string>
    <string>{registry}</string>
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ProcessType</key>
  <string>Background</string>
</dict>
</plist>
"#
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_whole_whatever_the_path_is() {
        let names = Names {
            service: "argusd",
            daemon: "/opt/a & b/argusd",
            registry: "/home/<me>/registry.json",
            socket: "/home/<me>/registry.json.d/argusd.sock",
        };
        let service = service(&names, Path::new("/home/me/Library/LaunchAgents"));
        let [File { path, text }] = &service.files[..] else { panic!("one file") };
        assert_eq!(path, Path::new("/home/me/Library/LaunchAgents/dev.argus.argusd.plist"));
        assert!(text.contains("<string>/opt/a &amp; b/argusd</string>"), "{text}");
        assert!(text.contains("<string>/home/&lt;me&gt;/registry.json</string>"), "{text}");
        assert_eq!(service.install[0][..3], ["launchctl", "load", "-w"]);
    }
}
