//! What a peer or a file can make argus hold in memory, on the system whose kernel tells.

#[path = "platform/memory.rs"]
mod platform;
