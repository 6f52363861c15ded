//! `argus top`: the terminal, and the loop that joins keys, news and time.
//!
//! 1. All that is shown is in the [`Model`]; it is pure, and so is drawing it.
//! 2. The loop waits for nothing but the next input. Calls run beside it, in `sources`.
//! 3. However it ends, but for SIGKILL, the terminal is as it was.

mod columns;
mod details;
mod header;
mod layout;
mod log;
mod model;
mod rows;
mod sources;
#[cfg(test)]
mod tests;
mod view;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use argus_client::{Client, Code, Error, Result};
use argus_presence::clock;
use ratatui::DefaultTerminal;
use tokio::time::{MissedTickBehavior, interval};

use crate::platform::Ending;
use crate::table::colours;
use model::{Action, Input, Model};
use sources::Sources;

/// How often the screen is drawn anew although nothing has happened: it shows ages.
const REDRAW_EVERY: Duration = Duration::from_secs(1);
/// How many inputs that wait already are taken before the screen is drawn once for all of them.
const INPUTS_PER_PICTURE: usize = 256;

/// Shows the registry until somebody wants no more of it.
pub(crate) async fn run(client: &Client) -> Result<ExitCode> {
    // Before the screen: a signal between the two is not to leave it behind.
    let mut ending = Ending::new().map_err(|error| failed("hear signals", &error))?;
    let mut screen = Screen::enter().map_err(|error| failed("use the terminal", &error))?;
    let mut sources = Sources::start(client).map_err(|error| failed("read keys", &error))?;
    let mut model = Model::new(&client.paths().registry().to_string_lossy(), colours());
    let mut tick = interval(REDRAW_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        screen.show(&mut model)?;
        let mut next = tokio::select! {
            code = ending.asked() => return Ok(ExitCode::from(code)),
            input = sources.next() => Some(input?),
            _ = tick.tick() => Some(Input::Tick),
        };
        for _ in 0..INPUTS_PER_PICTURE {
            let Some(input) = next else { break };
            match model.update(input, clock::wall_ms()) {
                None => {}
                Some(Action::Remove { id, etag }) => sources.remove(id, etag),
                Some(Action::Quit) => return Ok(ExitCode::SUCCESS),
                Some(Action::Fail(error)) => return Err(error),
            }
            next = sources.next_at_once();
        }
    }
}

/// The terminal's other screen, without cursor and echo. What was there before comes back when
/// this is dropped; on a panic ratatui's hook brings it back before the message is printed.
struct Screen(DefaultTerminal);

impl Screen {
    fn enter() -> io::Result<Self> {
        ratatui::try_init().map(Screen).inspect_err(|_| drop(ratatui::try_restore()))
    }

    /// Draws the model, at the size that the terminal has now.
    fn show(&mut self, model: &mut Model) -> Result<()> {
        let size = self.0.autoresize().and_then(|()| self.0.size());
        let size = size.map_err(|error| failed("use the terminal", &error))?;
        model.update(Input::Size(size), clock::wall_ms());
        let drawn = self.0.draw(|frame| view::draw(model, frame));
        drawn.map(drop).map_err(|error| failed("draw", &error))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone away needs nothing.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

fn failed(what: &str, error: &io::Error) -> Error {
    Error::new(Code::Io, format!("`argus top` cannot {what}: {error}"))
}
