//! The few arguments of `argusd`. People use `argus daemon`; this is what that calls.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::daemon::VERSION;

const HELP: &str = "\
argusd: the one process that changes an argus registry

Usage: argusd [--registry PATH] [--idle-timeout TIME] [--replace] [--detached]

  --registry PATH  the registry to serve [default: $ARGUS_REGISTRY_PATH,
                   $ARGUS_HOME/registry.json or ~/.argus/registry.json]
  --idle-timeout TIME
                   end after so long without a connection, as in 30s or 2h
                   [default: 10m]
  --replace        take over from the daemon that serves, if it is an older one
  --detached       leave the caller's session, and report on standard output
                   when clients can connect; `argus` starts it so
  --version        print the version
  --help           print this

Without --detached it stays in the foreground and logs to standard error.
";

/// How `argusd` was called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) registry: Option<PathBuf>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) detached: bool,
    pub(crate) replace: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Run(Options),
    Print(String),
}

/// Reads the arguments behind the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, String> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(Parsed::Print(HELP.to_owned())),
            Some("--version" | "-V") => return Ok(Parsed::Print(format!("argusd {VERSION}\n"))),
            Some("--detached") => options.detached = true,
            Some("--replace") => options.replace = true,
            Some("--registry") => {
                let path = arguments.next().ok_or("--registry needs a path")?;
                options.registry = Some(path.into());
            }
            Some("--idle-timeout") => {
                let time = arguments.next().ok_or("--idle-timeout needs a time")?;
                let time = humantime::parse_duration(&time.to_string_lossy()).map_err(|_| {
                    format!("--idle-timeout {} is no time; as in 30s or 2h", time.display())
                })?;
                options.idle_timeout = Some(time);
            }
            _ => return Err(format!("unknown argument {argument:?}")),
        }
    }
    Ok(Parsed::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Parsed, String> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn arguments_are_few_and_checked() {
        let run = |registry: Option<&str>, detached| {
            let registry = registry.map(PathBuf::from);
            Ok(Parsed::Run(Options { registry, detached, ..Options::default() }))
        };
        assert_eq!(parsed(&[]), run(None, false));
        assert_eq!(parsed(&["--detached", "--registry", "/x y"]), run(Some("/x y"), true));
        assert_eq!(parsed(&["--version"]), Ok(Parsed::Print(format!("argusd {VERSION}\n"))));
        let Ok(Parsed::Run(options)) = parsed(&["--idle-timeout", "90s"]) else {
            panic!("refused")
        };
        assert_eq!(options.idle_timeout, Some(Duration::from_secs(90)));
        assert!(parsed(&["--idle-timeout", "soon"]).is_err());
        assert!(parsed(&["--registry"]).is_err());
        assert!(parsed(&["serve"]).is_err());
    }
}
