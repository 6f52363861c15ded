//! One client of a storm: announces, beats and removes, and tells what it was promised.
//!
//! Arguments: the registry, `auto`, `daemon` or `direct`, a name, and how many rounds. It begins
//! when a byte arrives on standard input. In the end it prints a line of JSON: the ids that must
//! be there, those that must not, how often it met `E_LOCKED` and `E_OUTCOME_UNKNOWN` (after both a
//! change may be repeated, and is), and every other error.

use std::io::Read;
use std::time::{Duration, Instant};

use argus_client::method::{Heartbeat, Remove};
use argus_client::{Code, Error, Options, announcement, blocking};
use argus_tests::owner;

/// How long one change may be tried again.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [registry, mode, name, rounds] = &arguments[..] else {
        panic!("usage: storm REGISTRY auto|daemon|direct NAME ROUNDS");
    };
    let mode = argus_tests::mode(mode);
    let rounds: usize = rounds.parse().expect("a number of rounds");
    let options = Options {
        mode,
        daemon_executable: std::env::var_os("STORM_ARGUSD").map(Into::into),
        ..Options::new(registry)
    };
    let client = blocking::Client::new(options).expect("a client needs nothing");
    let mut tally = Tally::default();
    let _ = std::io::stdin().read(&mut [0]);
    for round in 0..rounds {
        weather(&client, &format!("{name}-{round}"), round, &mut tally);
    }
    println!("{}", tally.to_json());
}

/// One round: every record but each third is removed again.
fn weather(client: &blocking::Client, id: &str, round: usize, tally: &mut Tally) {
    let announce = announcement(id).port(1000).pid(owner()).build();
    if tally.patiently(|| client.announce(announce.clone())).is_none() {
        return;
    }
    tally.present.push(id.to_owned());
    let heartbeat = Heartbeat { id: id.to_owned(), pid: None };
    tally.patiently(|| client.heartbeat(heartbeat.clone()));
    if round.is_multiple_of(3) {
        return;
    }
    let remove = Remove { id: id.to_owned(), pid: Some(owner()), if_match: None, flush: false };
    if tally.patiently(|| client.remove(remove.clone())).is_some() {
        tally.present.pop();
        tally.absent.push(id.to_owned());
    }
}

/// What was promised.
#[derive(Default)]
struct Tally {
    present: Vec<String>,
    absent: Vec<String>,
    locked: usize,
    unknown: usize,
    errors: Vec<String>,
}

impl Tally {
    /// Repeats a change for as long as its error says that one may.
    fn patiently<T>(&mut self, mut change: impl FnMut() -> Result<T, Error>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match change() {
                Ok(answer) => return Some(answer),
                Err(error) if error.code == Code::Locked && Instant::now() < deadline => {
                    self.locked += 1;
                }
                Err(error) if error.code == Code::OutcomeUnknown && Instant::now() < deadline => {
                    self.unknown += 1;
                }
                Err(error) => {
                    self.errors.push(format!("{}: {error}", error.code));
                    return None;
                }
            }
        }
    }

    fn to_json(&self) -> String {
        serde_json::json!({
            "present": self.present, "absent": self.absent,
            "locked": self.locked, "unknown": self.unknown, "errors": self.errors,
        })
        .to_string()
    }
}
