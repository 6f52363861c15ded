//! Looks once more for an order that explains a history which the great storm has kept.
//!
//! Argument: the file that the storm named when it failed.

use std::process::ExitCode;

use argus_tests::{history, linearizable};

fn main() -> ExitCode {
    let path = std::env::args_os().nth(1).expect("usage: explain HISTORY");
    match linearizable::check(history::kept(path.as_ref())) {
        Ok(()) => {
            println!("there is an order that explains it");
            ExitCode::SUCCESS
        }
        Err(violations) => {
            for violation in violations {
                println!("`{}`: {}", violation.id, violation.explanation);
            }
            ExitCode::FAILURE
        }
    }
}
