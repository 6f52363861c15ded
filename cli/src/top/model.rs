//! All that `argus top` knows, and what each input makes of it. Pure: no clock, no disk, no
//! terminal.

use argus_client::method::{Listing, Removed, Warning};
use argus_client::{Code, Error, Event, Overview, Result, Route, State};
use ratatui::crossterm::event::{
    Event as TerminalEvent, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};
use ratatui::layout::Size;

use super::layout::{Areas, is_too_small, is_wide};
use super::log::Log;
use super::rows::Rows;
use super::{details, header};
use crate::output::printable;

/// How long it is told what became of something.
const NOTICE_MS: u64 = 8_000;

/// What the model is told.
pub(super) enum Input {
    /// A key, or anything else that the terminal says.
    Terminal(TerminalEvent),
    /// How large the terminal is.
    Size(Size),
    /// Time has passed.
    Tick,
    Event(Box<Event>),
    /// The records, which way they were fetched, and what happened on it.
    Listing {
        listing: Result<Listing>,
        route: Route,
        notices: Vec<Warning>,
    },
    Status(Result<Overview>),
    /// What became of [`Action::Remove`].
    Removed {
        id: String,
        result: Result<Removed>,
    },
}

/// What the model asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    /// Nothing can be shown, now or later.
    Fail(Error),
    /// To remove the record, if it is still the one that was shown.
    Remove {
        id: String,
        etag: String,
    },
}

/// What keys are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Browsing,
    /// Typing a filter.
    Filtering,
    /// Whether to remove this record, as it was when it was asked.
    Asking(Question),
    Help,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) id: String,
    pub(super) pid: Option<u32>,
    pub(super) state: Option<State>,
    etag: String,
}

/// What is told for a while.
pub(super) struct Notice {
    pub(super) text: String,
    pub(super) is_error: bool,
    at: u64,
}

pub(super) struct Model {
    pub(super) registry: String,
    pub(super) has_colours: bool,
    /// Milliseconds since the epoch.
    pub(super) now: u64,
    pub(super) size: Size,
    pub(super) mode: Mode,
    pub(super) rows: Rows,
    pub(super) log: Log,
    pub(super) status: Option<Result<Overview>>,
    pub(super) route: Option<Route>,
    /// What is wrong with the file, as the last listing said.
    pub(super) warnings: Vec<Warning>,
    /// When the records were fetched last, and why they could not be since.
    pub(super) listed_at: Option<u64>,
    pub(super) unlisted: Option<Error>,
    pub(super) details_top: usize,
    /// What somebody has chosen, where that is not what the size suggests.
    wants_details: Option<bool>,
    notice: Option<Notice>,
    /// A removal is under way; whoever wants to quit is told first what became of it.
    is_removing: bool,
    is_quitting: bool,
}

impl Model {
    pub(super) fn new(registry: &str, has_colours: bool) -> Self {
        Model {
            registry: registry.to_owned(),
            has_colours,
            now: 0,
            size: Size::ZERO,
            mode: Mode::Browsing,
            rows: Rows::default(),
            log: Log::default(),
            status: None,
            route: None,
            warnings: Vec::new(),
            listed_at: None,
            unlisted: None,
            details_top: 0,
            wants_details: None,
            notice: None,
            is_removing: false,
            is_quitting: false,
        }
    }

    /// Takes an input in, at a time in milliseconds since the epoch.
    pub(super) fn update(&mut self, input: Input, now: u64) -> Option<Action> {
        self.now = now;
        let action = match input {
            Input::Terminal(TerminalEvent::Key(key)) if key.kind != KeyEventKind::Release => {
                self.key(key)
            }
            Input::Terminal(_) | Input::Tick => None,
            Input::Size(size) => {
                self.size = size;
                None
            }
            Input::Event(event) => {
                self.log.event(&event, now);
                None
            }
            Input::Listing { listing, route, notices } => self.listing(listing, route, &notices),
            Input::Status(status) => {
                self.status = Some(status);
                None
            }
            Input::Removed { id, result } => self.removed(&id, result),
        };
        self.fit();
        action
    }

    pub(super) fn areas(&self) -> Areas {
        let header = u16::try_from(header::lines(self).len()).unwrap_or(u16::MAX);
        Areas::new(self.size, header, self.shows_details())
    }

    pub(super) fn notice(&self) -> Option<&Notice> {
        let is_new = |notice: &&Notice| self.now.abs_diff(notice.at) < NOTICE_MS;
        self.notice.as_ref().filter(|notice| self.is_removing || is_new(notice))
    }

    /// The selected record, as lines that fit where it is shown.
    pub(super) fn details(&self) -> Vec<String> {
        let width = usize::from(self.areas().details.width);
        self.rows.selected().map(|row| details::lines(row, width)).unwrap_or_default()
    }

    fn shows_details(&self) -> bool {
        self.wants_details.unwrap_or(is_wide(self.size))
    }

    fn listing(
        &mut self,
        listing: Result<Listing>,
        route: Route,
        notices: &[Warning],
    ) -> Option<Action> {
        self.route = Some(route);
        for notice in notices {
            self.log.warning(notice, self.now);
        }
        match listing {
            Ok(listing) => {
                self.rows.replace(listing.records);
                self.warnings = listing.warnings;
                self.listed_at = Some(self.now);
                self.unlisted = None;
                None
            }
            // Whoever asks again gets the same answer.
            Err(error) if error.code == Code::Usage => Some(Action::Fail(error)),
            Err(error) => {
                self.unlisted = Some(error);
                None
            }
        }
    }

    fn removed(&mut self, id: &str, result: Result<Removed>) -> Option<Action> {
        self.is_removing = false;
        let id = printable(id);
        match result {
            Ok(Removed { removed: true }) => self.tell(format!("removed `{id}`"), false),
            Ok(Removed { removed: false }) => {
                self.tell(format!("`{id}` was gone already"), false);
            }
            Err(error) => {
                self.is_quitting = false;
                self.tell(format!("{} ({})", printable(&error.message), error.code), true);
            }
        }
        self.is_quitting.then_some(Action::Quit)
    }

    fn key(&mut self, key: KeyEvent) -> Option<Action> {
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return self.chord(key);
        }
        // Nobody answers a question that he does not see.
        if is_too_small(self.size) {
            return if key.code == KeyCode::Char('q') { self.quit() } else { None };
        }
        match self.mode.clone() {
            Mode::Browsing => self.browse(key.code),
            Mode::Filtering => {
                self.type_filter(key.code);
                None
            }
            Mode::Asking(question) => self.answer(key.code, question),
            Mode::Help => {
                self.mode = Mode::Browsing;
                None
            }
        }
    }

    /// A key together with another one: never what the key alone is for.
    fn chord(&mut self, key: KeyEvent) -> Option<Action> {
        match (key.modifiers, key.code) {
            (KeyModifiers::CONTROL, KeyCode::Char('c')) => return Some(Action::Quit),
            (KeyModifiers::CONTROL, KeyCode::Char('u')) if self.mode == Mode::Filtering => {
                self.rows.set_filter("");
            }
            _ => {}
        }
        None
    }

    fn browse(&mut self, key: KeyCode) -> Option<Action> {
        match key {
            KeyCode::Char('q') => return self.quit(),
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filtering,
            KeyCode::Esc => self.rows.set_filter(""),
            KeyCode::Char('s') => self.rows.sort_by_next_column(),
            KeyCode::Char('r') => self.rows.reverse(),
            KeyCode::Enter => {
                let wants = !self.shows_details();
                self.wants_details = (wants != is_wide(self.size)).then_some(wants);
            }
            KeyCode::Char('J') => self.details_top += 1,
            KeyCode::Char('K') => self.details_top = self.details_top.saturating_sub(1),
            KeyCode::Char('d') | KeyCode::Delete => self.ask(),
            KeyCode::Char('j') => self.select(1),
            KeyCode::Char('k') => self.select(-1),
            KeyCode::Char('g') => self.select(isize::MIN),
            KeyCode::Char('G') => self.select(isize::MAX),
            key => self.move_selection(key),
        }
        None
    }

    /// Keys that are no letters: they do the same while a filter is typed.
    fn move_selection(&mut self, key: KeyCode) {
        let page = isize::try_from(self.areas().rows()).unwrap_or(isize::MAX).max(1);
        match key {
            KeyCode::Down => self.select(1),
            KeyCode::Up => self.select(-1),
            KeyCode::PageDown => self.select(page),
            KeyCode::PageUp => self.select(-page),
            KeyCode::Home => self.select(isize::MIN),
            KeyCode::End => self.select(isize::MAX),
            _ => {}
        }
    }

    fn select(&mut self, rows: isize) {
        self.rows.move_by(rows);
        self.details_top = 0;
    }

    fn type_filter(&mut self, key: KeyCode) {
        let mut filter = self.rows.filter().to_owned();
        match key {
            KeyCode::Enter => self.mode = Mode::Browsing,
            KeyCode::Esc => {
                self.mode = Mode::Browsing;
                filter.clear();
            }
            KeyCode::Char(character) => filter.push(character),
            KeyCode::Backspace => drop(filter.pop()),
            key => self.move_selection(key),
        }
        self.rows.set_filter(&filter);
    }

    fn ask(&mut self) {
        if self.is_removing {
            return;
        }
        let Some(row) = self.rows.selected() else { return };
        self.mode = Mode::Asking(Question {
            id: row.listed.id.clone(),
            pid: row.pid(),
            state: row.listed.state,
            etag: row.listed.etag.clone(),
        });
    }

    fn answer(&mut self, key: KeyCode, question: Question) -> Option<Action> {
        match key {
            KeyCode::Char('y' | 'Y') => {
                self.mode = Mode::Browsing;
                self.is_removing = true;
                self.tell(format!("removing `{}` …", printable(&question.id)), false);
                Some(Action::Remove { id: question.id, etag: question.etag })
            }
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => {
                self.mode = Mode::Browsing;
                None
            }
            // A slip of the finger is no answer.
            _ => None,
        }
    }

    fn quit(&mut self) -> Option<Action> {
        self.is_quitting = self.is_removing;
        (!self.is_removing).then_some(Action::Quit)
    }

    fn tell(&mut self, text: String, is_error: bool) {
        self.notice = Some(Notice { text, is_error, at: self.now });
    }

    /// Scrolls so far that what is selected is seen, and no further than there is something.
    fn fit(&mut self) {
        let areas = self.areas();
        self.rows.fit(areas.rows());
        if self.details_top > 0 {
            let last = self.details().len().saturating_sub(areas.details_lines());
            self.details_top = self.details_top.min(last);
        }
    }
}
