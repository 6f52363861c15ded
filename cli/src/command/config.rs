//! `argus config`: what `config.yaml` says, and what is wrong with it. Asks no daemon.

use std::path::Path;

use argus_client::{Code, Error, Result};
use argus_config::Config;
use argus_store::Paths;
use serde::Serialize;
use serde_json::Value;

use crate::args::{self, Global};
use crate::output::Output;

/// A file that is right, or not there.
#[derive(Debug, Serialize)]
struct Checked {
    path: String,
    exists: bool,
}

pub(crate) fn run(global: &Global, verb: args::Config, output: Output) -> Result<()> {
    if verb == args::Config::Schema {
        return schema(output);
    }
    let registry = argus_store::locate_registry(global.registry.as_deref())?;
    let registry = Paths::new(&registry)?.registry().to_owned();
    let path = argus_config::locate(&registry);
    match verb {
        args::Config::Path => {
            let data =
                serde_json::json!({ "path": path.to_string_lossy(), "exists": path.exists() });
            output.data(&data, |_| path.to_string_lossy().into_owned())
        }
        args::Config::Show => {
            let config = read(&path, &registry, output)?;
            if output.json {
                let config: Value = config.to_json();
                let data = serde_json::json!({ "path": path.to_string_lossy(), "config": config });
                return output.data(&data, |_| String::new());
            }
            output.text(&config.to_yaml())
        }
        args::Config::Check => {
            read(&path, &registry, output)?;
            let checked =
                Checked { path: path.to_string_lossy().into_owned(), exists: path.exists() };
            output.data(&checked, text)
        }
        args::Config::Schema => schema(output),
    }
}

fn schema(output: Output) -> Result<()> {
    if !output.json {
        return output.text(argus_config::JSON_SCHEMA);
    }
    let schema: Value = serde_json::from_str(argus_config::JSON_SCHEMA)
        .map_err(|error| Error::new(Code::Protocol, error.to_string()))?;
    output.data(&schema, |_| String::new())
}

/// Each problem is told on a line of its own, as compilers do, for editors that follow such lines.
fn read(path: &Path, registry: &Path, output: Output) -> Result<Config> {
    Config::read(path, registry).map_err(|wrong| {
        let count = wrong.problems.len();
        if output.json || count == 1 {
            return wrong.into();
        }
        for line in wrong.to_string().lines() {
            output.problem(line);
        }
        let message = format!("{} has {count} mistakes", path.display());
        Error { message, ..wrong.into() }
    })
}

fn text(checked: &Checked) -> String {
    match checked.exists {
        true => format!("{}: nothing is wrong with it", checked.path),
        false => format!("{} is not there: everything has its default", checked.path),
    }
}
