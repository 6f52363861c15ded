//! What argus needs of Windows that std does not have, behind safe functions.
//!
//! All that is unsafe is here, a function for each thing that the platform folders of the other
//! crates ask for. Elsewhere this crate is empty.
#![cfg(windows)]

pub mod changes;
pub mod command_lines;
pub mod file;
pub mod handle;
pub mod job;
pub mod pipe;
pub mod process;
pub mod security;
pub mod start;
pub mod terminate;
