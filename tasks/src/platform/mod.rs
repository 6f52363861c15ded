//! What differs between operating systems, behind types that promise the same.

#[cfg(windows)]
mod changes;
mod checked;
#[cfg(target_os = "linux")]
mod inotify;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod macos;
#[cfg(all(unix, any(not(target_os = "linux"), test)))]
mod recursive;
mod stamp;
#[cfg(unix)]
mod stamp_unix;
#[cfg(windows)]
mod stamp_windows;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(windows)]
pub(crate) use changes::Watch;
#[cfg(target_os = "linux")]
pub(crate) use inotify::Watch;
#[cfg(target_os = "linux")]
pub(crate) use linux::Handle;
#[cfg(target_os = "linux")]
use linux::{identity, modified_at};
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use macos::Handle;
#[cfg(all(unix, not(target_os = "linux")))]
use macos::{identity, modified_at};
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use recursive::Watch;
pub(crate) use stamp::Stamp;
#[cfg(unix)]
pub(crate) use stamp_unix::Identity;
#[cfg(windows)]
pub(crate) use stamp_windows::Identity;
#[cfg(unix)]
pub(crate) use unix::entries;
#[cfg(windows)]
pub(crate) use windows::{Handle, entries};
