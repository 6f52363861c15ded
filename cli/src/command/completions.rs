//! `argus completions`: what a shell needs, and what it then asks for.

use std::ffi::OsStr;

use argus_client::method::List;
use argus_client::{Code, Error, Mode, Options, Result, blocking};
use argus_config::Loader;
use argus_store::Paths;
use clap_complete::CompletionCandidate;
use clap_complete::env::Shells;

use crate::args::{Completions, Shell};
use crate::output::Output;

/// The variable by which a shell asks this program to complete a line.
pub(crate) const VARIABLE: &str = "COMPLETE";

pub(crate) fn run(arguments: &Completions, output: Output) -> Result<()> {
    let name = match arguments.shell {
        Shell::Bash => "bash",
        Shell::Elvish => "elvish",
        Shell::Fish => "fish",
        Shell::Powershell => "powershell",
        Shell::Zsh => "zsh",
    };
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells
        .completer(name)
        .ok_or_else(|| Error::new(Code::Usage, format!("there are no completions for {name}")))?;
    shell
        .write_registration(VARIABLE, "argus", "argus", "argus", &mut script)
        .map_err(|error| Error::new(Code::Io, error.to_string()))?;
    output.text(&String::from_utf8_lossy(&script))
}

/// The ids in the registry that begin as `current` does. Whatever is wrong, nothing is printed.
pub(crate) fn complete_ids(current: &OsStr) -> Vec<CompletionCandidate> {
    let listing = || {
        let options = Options { mode: Mode::Direct, ..Options::from_env()? };
        blocking::Client::new(options)?.list(List::default())
    };
    let Ok(listing) = listing() else { return Vec::new() };
    let current = current.to_string_lossy();
    listing
        .records
        .into_iter()
        .filter(|listed| listed.id.starts_with(&*current) && needs_no_quotes(&listed.id))
        .map(|listed| CompletionCandidate::new(listed.id))
        .collect()
}

/// A shell puts what it is given into the line as it is, and would run what stands in `$(…)`.
fn needs_no_quotes(id: &str) -> bool {
    id.chars().all(|c| c.is_alphanumeric() || "._:/@+-".contains(c)) && !id.starts_with('-')
}

/// The collections that there are.
pub(crate) fn complete_collections() -> Vec<CompletionCandidate> {
    let settings = argus_store::locate_registry(None).and_then(|registry| {
        let registry = Paths::new(&registry)?;
        let path = argus_config::locate(registry.registry());
        Ok(Loader::new(path, registry.registry().to_owned()).current().clone())
    });
    settings.unwrap_or_default().collections.names().map(CompletionCandidate::new).collect()
}
