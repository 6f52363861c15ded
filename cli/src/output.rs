//! What is printed: data to standard output, everything else to standard error.

use std::io::Write;
use std::process::ExitCode;

use argus_client::method::Warning;
use argus_client::{Client, Code, Error, Result};
use owo_colors::OwoColorize;
use serde::Serialize;

/// Other programs write records too: nothing in one may move the cursor of a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// How this call prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// One line of JSON instead of text for people.
    pub(crate) json: bool,
}

impl Output {
    /// Prints a result: as JSON, or as the text that `human` makes of it, which may be empty.
    pub(crate) fn data<T: Serialize>(
        self,
        data: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        if self.json {
            let data = serde_json::to_string(data)
                .map_err(|error| Error::new(Code::Protocol, error.to_string()))?;
            return self.text(&format!("{{\"ok\":true,\"data\":{data}}}\n"));
        }
        let mut text = human(data);
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.text(&text)
    }

    /// As [`Output::data`], for the answer to a change. If it cannot be printed the change is made
    /// all the same, and an ordinary error would say that it was not.
    pub(crate) fn change<T: Serialize>(
        self,
        answer: &T,
        human: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        self.data(answer, human).map_err(|error| {
            let message = format!("{}; the change itself was made", error.message);
            Error::new(Code::OutcomeUnknown, message).hint("argus ls")
        })
    }

    /// Prints lines as they are; tells whether anybody still reads.
    pub(crate) fn lines(self, lines: &[String]) -> Result<bool> {
        self.print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())
    }

    /// Prints text as it is.
    pub(crate) fn text(self, text: &str) -> Result<()> {
        self.print(text).map(drop)
    }

    fn print(self, text: &str) -> Result<bool> {
        let mut stdout = anstream::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(true),
            // Whoever read it has seen enough: `argus ls | head -1`.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::new(Code::Io, format!("cannot print: {error}"))),
        }
    }

    /// Prints an error, and gives the exit code for it.
    pub(crate) fn error(self, error: &Error) -> ExitCode {
        if self.json {
            #[derive(Serialize)]
            struct Envelope<'a> {
                ok: bool,
                error: &'a Error,
            }
            if let Ok(line) = serde_json::to_string(&Envelope { ok: false, error }) {
                let _ = self.text(&(line + "\n"));
            }
        } else {
            let message = printable(&error.message);
            anstream::eprintln!("{} {message} ({})", "error:".red().bold(), error.code);
            if let Some(hint) = &error.hint {
                anstream::eprintln!("{} {}", "help:".cyan().bold(), printable(hint));
            }
        }
        ExitCode::from(error.code.exit_code())
    }

    /// Prints one of several things that are wrong, before the error that sums them up.
    pub(crate) fn problem(self, message: &str) {
        anstream::eprintln!("{}", printable(message));
    }

    /// Prints what is wrong although the call succeeded.
    pub(crate) fn warning(self, message: &str) {
        anstream::eprintln!("{} {}", "warning:".yellow().bold(), printable(message));
    }

    /// Prints what is wrong with the file.
    pub(crate) fn warnings(self, warnings: &[Warning]) {
        for warning in warnings {
            self.warning(&warning.message);
        }
    }

    /// Says what happened on the way of a call: a mended file, or a daemon that it had to do
    /// without.
    pub(crate) fn route_warning(self, client: &Client, is_read: bool) {
        self.warnings(&client.take_notices());
        let route = client.route();
        let Some(reason) = route.reason.as_ref().filter(|_| route.is_fallback()) else { return };
        // That no daemon runs is nothing a reader has to know: the file tells the same.
        if !(is_read && reason.code == Code::Unreachable) {
            self.warning(&format!("{}; went to the file instead", reason.message));
        }
    }
}
