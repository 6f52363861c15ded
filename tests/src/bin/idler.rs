//! A program that does as it is told, in the place of a shell, which not every system has.
//!
//! Each argument is one thing to do; where the variable `IDLER` is set, each line of that instead,
//! so that it can stand in for a program that is called with arguments of its own:
//!
//! `pid` prints its pid, `print NAME` a variable, `say TEXT` the text, `note FILE` adds a line with
//! its pid to a file, `wait` reads standard input to its end, `sleep` sleeps for ten minutes,
//! `run PROGRAM...` runs another program with the words that follow, `replace TEXT OTHER` puts
//! another text in the place of one in the file that is its last argument, as an editor, and `exit
//! CODE` ends it.

use std::fs::File;
use std::io::Write;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Longer than any test. Whoever lets it sleep ends it.
const SLEEP: Duration = Duration::from_secs(600);
/// What it ends with where it is told what it does not know.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let told: Vec<String> = match std::env::var("IDLER") {
        Ok(lines) => lines.lines().map(str::to_owned).collect(),
        Err(_) => std::env::args().skip(1).collect(),
    };
    for (at, one) in told.iter().enumerate() {
        let (verb, rest) = one.split_once(' ').unwrap_or((one, ""));
        match verb {
            "pid" => println!("{}", std::process::id()),
            "print" => println!("{}", std::env::var(rest).unwrap_or_default()),
            "say" => println!("{rest}"),
            "note" => note(rest),
            "wait" => drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink())),
            "sleep" => std::thread::sleep(SLEEP),
            "run" => {
                let ended = Command::new(rest).args(&told[at + 1..]).status().expect("it runs");
                return ExitCode::from(ended.code().map_or(MISUSED, |code| code as u8));
            }
            "replace" => {
                let file = std::env::args().next_back().expect("a file");
                let (text, other) = rest.split_once(' ').expect("two texts");
                let edited = std::fs::read_to_string(&file).expect("text").replace(text, other);
                std::fs::write(&file, edited).expect("own file");
                return ExitCode::SUCCESS;
            }
            "exit" => return ExitCode::from(rest.parse::<u8>().expect("a code")),
            _ => return ExitCode::from(MISUSED),
        }
    }
    ExitCode::SUCCESS
}

fn note(path: &str) {
    let mut file = File::options().append(true).create(true).open(path).expect("own folder");
    writeln!(file, "{}", std::process::id()).expect("room for a line");
}
