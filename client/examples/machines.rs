//! The machines of the registry that the environment names, as values of a type of this program's own.
//!
//! `cargo run -p argus-client --features schema --example machines`

use argus_client::{Code, blocking};
use serde::{Deserialize, Serialize};

/// What this program knows of a machine. A record may hold more, which every change keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Machine {
    r#type: String,
    #[serde(default)]
    host: String,
}

fn main() -> argus_client::Result<()> {
    let client = blocking::Client::from_env()?;
    let machines = client.collection::<Machine>("machines");

    let example = Machine { r#type: "ssh".to_owned(), host: "example.lan".to_owned() };
    match machines.add("example", &example) {
        Ok(_) => println!("added `example`"),
        Err(error) if error.code == Code::Conflict => println!("`example` is there already"),
        Err(error) => return Err(error),
    }
    machines.update("example", |machine| machine.host = "example.home".to_owned())?;

    let listing = machines.list()?;
    for machine in &listing.entries {
        println!("{} ({}) {}", machine.id, machine.value.r#type, machine.value.host);
    }
    for invalid in &listing.invalid {
        eprintln!("{}", invalid.error);
    }

    machines.remove("example").map(drop)
}
