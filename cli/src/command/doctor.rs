//! `argus doctor`: what is wrong, and what to do about it.

use std::process::ExitCode;

use argus_client::Result;

use super::Session;
use crate::args::Doctor;
use crate::doctor::Diagnosis;
use crate::table::terminal_size;

/// The exit code where something is left that somebody should do something about.
const FOUND_SOMETHING: u8 = 11;

pub(crate) async fn run(session: &Session, arguments: Doctor) -> Result<ExitCode> {
    let diagnosis = Diagnosis::make(&session.client, arguments.fix).await?;
    let width = terminal_size().map(|(width, _)| usize::from(width));
    // The findings are what was asked for, and no error.
    session.output.data(&diagnosis, |diagnosis: &Diagnosis| diagnosis.text(width))?;
    Ok(if diagnosis.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}
