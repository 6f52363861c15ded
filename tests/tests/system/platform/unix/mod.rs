//! Unix: signals, terminals, modes, links, sockets that are files, and a shell.

mod cli;
mod doctor;
mod edit;
#[cfg(target_os = "linux")]
mod given_back;
mod half_closed;
mod lifecycle;
mod limits;
#[cfg(target_os = "linux")]
mod owner_lock;
mod paths;
mod run;
mod service;
mod spawning;
mod tasks;
mod top;
