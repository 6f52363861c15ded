//! The promises of argus, kept by real processes. Each test has a home of its own, waits on
//! conditions with a deadline, and leaves nothing behind.

mod cli;
mod codes;
mod collections;
mod compare_and_set;
mod concurrency;
mod config;
mod damage;
mod directory;
mod doctor;
mod document;
mod edit;
mod events;
mod fallback;
mod files;
mod history;
mod lifecycle;
mod limits;
mod locks;
mod mirror;
mod old_faults;
mod paths;
mod platform;
mod platforms;
mod presence;
mod protocols;
mod resolving;
mod run;
mod spawning;
mod storm;
mod strangers;
mod takeover;
mod tasks;
mod typed;
mod waiting;
mod watcher;
