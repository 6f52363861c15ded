//! The benchmark behind the README's figures: every cost beside the least that it could be.
//!
//! `cargo bench -p argus-tests --bench registry` takes two minutes, with `-- --quick` behind it less than one.
//! Words choose parts of it: `announce heartbeat get list commit layout tasks events programs memory`. The files are made in
//! the folder for temporary files; `TMPDIR` puts them on another disk.
//!
//! 1. The load comes from processes of their own, as it does in life: this executable runs itself
//!    again as a [`worker`], or as the [`echo`] that a round trip is measured with.
//! 2. A floor is measured in the same run as what stands beside it, in [`turns`] with it and
//!    on the same file system.
//! 3. Nothing fails because something is slow. An aim is met or it is not, and that is printed.

mod aim;
mod calls;
mod commits;
mod connection;
mod disk;
mod echo;
mod folders;
mod growth;
mod home;
mod layouts;
mod load;
mod machine;
mod memory;
mod plan;
mod programs;
mod samples;
mod seed;
mod subscribers;
mod table;
mod turns;
mod work;
mod worker;

use crate::plan::{Part, Plan};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [worker::ROLE, work] => return worker::run(work),
        [echo::ROLE, socket] => return echo::run(socket.as_ref()),
        _ => {}
    }
    // `cargo test --all-targets` runs this as well, without `--bench`: then it only has to start.
    let Some(plan) = Plan::from_arguments(&arguments) else { return };
    println!("{}\n", machine::describe());
    let loaded = calls::run(&plan);
    if plan.wants(Part::Commit) {
        commits::run(&plan);
    }
    if plan.wants(Part::Layout) {
        layouts::run(&plan);
    }
    if plan.wants(Part::Tasks) {
        folders::run(&plan);
    }
    if plan.wants(Part::Events) {
        subscribers::run(&plan);
    }
    if plan.wants(Part::Programs) {
        programs::run(&plan);
    }
    if plan.wants(Part::Memory) {
        memory::run(loaded);
    }
}
