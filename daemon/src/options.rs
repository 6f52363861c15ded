//! The few arguments of `argusd`. People use `argus daemon`; this is what that calls.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::daemon::VERSION;

const HELP: &str = "\
argusd: the one process that changes an argus registry

Usage: argusd [--registry PATH] [--detached]

  --registry PATH  the registry to serve [default: $ARGUS_REGISTRY_PATH,
                   $ARGUS_HOME/registry.json or ~/.argus/registry.json]
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
    pub(crate) detached: bool,
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
            Some("--registry") => {
                let path = arguments.next().ok_or("--registry needs a path")?;
                options.registry = Some(path.into());
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
            Ok(Parsed::Run(Options { registry: registry.map(PathBuf::from), detached }))
        };
        assert_eq!(parsed(&[]), run(None, false));
        assert_eq!(parsed(&["--detached", "--registry", "/x y"]), run(Some("/x y"), true));
        assert_eq!(parsed(&["--version"]), Ok(Parsed::Print(format!("argusd {VERSION}\n"))));
        assert!(parsed(&["--registry"]).is_err());
        assert!(parsed(&["serve"]).is_err());
    }
}
