//! `argus man`: the manual page.

use argus_client::{Code, Error, Result};
use clap::CommandFactory;

use crate::args::{Cli, Man};
use crate::output::Output;

/// What clap does not know about.
const EXTRA: &str = r#".SH FILES
.TP
.I ~/.argus/registry.json
The registry: plain JSON, which any program may read.
.TP
.I ~/.argus/registry.json.d/
Locks, socket and log of its daemon.
.TP
.I ~/.argus/config.yaml
Settings. Everything has a default.
.SH ENVIRONMENT
.TP
.B ARGUS_REGISTRY_PATH
The registry's file.
.TP
.B ARGUS_HOME
The folder that holds registry.json.
.TP
.B ARGUS_DAEMON
0 works on the file and starts no daemon; require fails rather than do so.
.TP
.B ARGUS_CONFIG
The settings, where they are not beside registry.json.
.TP
.B ARGUSD
The daemon's executable, where it does not stand beside argus.
.TP
.B NO_COLOR
Print no colours.
.SH EXIT STATUS
0 done, 1 other, 2 usage, 3 outcome unknown, 4 not found, 5 conflict, 6 locked or busy,
7 corrupt or too new, 8 permission, 9 unreachable, 10 timeout,
11 doctor found something.
"#;

pub(crate) fn run(arguments: &Man, output: Output) -> Result<()> {
    let mut command = Cli::command();
    command.build();
    let page = match &arguments.verb {
        None => command,
        Some(verb) => command
            .find_subcommand(verb)
            .filter(|found| !found.is_hide_set())
            .cloned()
            .map(|found| found.name(format!("argus-{verb}")).bin_name(format!("argus {verb}")))
            .ok_or_else(|| {
                Error::new(Code::Usage, format!("there is no verb `{verb}`")).hint("argus --help")
            })?,
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut roff)
        .map_err(|error| Error::new(Code::Io, error.to_string()))?;
    let mut text = String::from_utf8_lossy(&roff).into_owned();
    text.push_str(EXTRA);
    output.text(&text)
}
