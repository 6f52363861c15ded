//! `argus`: the command line of an argus registry.

mod args;
mod command;
mod doctor;
mod editor;
mod gate;
mod output;
mod platform;
mod service;
mod table;
mod top;
mod typed;

use std::process::ExitCode;

use argus_client::{Code, Error};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;

use crate::args::Cli;
use crate::command::completions::VARIABLE;
use crate::output::Output;

fn main() -> ExitCode {
    // Before anything else: a shell that asks for completions gets those and nothing more.
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();

    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let (global, output) = (cli.global.clone(), Output { json: cli.global.json });
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return output.error(&Error::new(Code::Io, format!("cannot start: {error}")));
        }
    };
    let result = runtime.block_on(command::run(cli, output));
    // What is still under way, such as a probe of a silent port, must not hold the prompt back.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => output.error(&typed::helpful(error, &global)),
    }
}

/// A command line that cannot be read; help and version come this way as well.
fn refuse(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if !error.use_stderr() || !wants_json {
        let _ = error.print();
        return ExitCode::from(error.exit_code().try_into().unwrap_or(2));
    }
    let text = error.render().to_string();
    // Up to the usage: the first line alone may end with a colon.
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("Usage:")).collect();
    let message = lines.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let message = message.trim_end_matches("For more information, try '--help'.").trim_end();
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a verb is missing",
        _ => message,
    };
    Output { json: true }.error(&Error::new(Code::Usage, message).hint("argus --help"))
}
