//! What differs between operating systems, behind types that promise the same.

mod checked;
#[cfg(target_os = "linux")]
mod inotify;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(any(target_os = "linux", windows)))]
mod other;
#[cfg(any(not(target_os = "linux"), test))]
mod recursive;
mod stamp;
#[cfg(unix)]
mod stamp_unix;
#[cfg(windows)]
mod stamp_windows;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(crate) use inotify::Watch;
#[cfg(target_os = "linux")]
pub(crate) use linux::{Handle, entries};
#[cfg(not(any(target_os = "linux", windows)))]
pub(crate) use other::{Handle, entries};
#[cfg(not(target_os = "linux"))]
pub(crate) use recursive::Watch;
pub(crate) use stamp::Stamp;
#[cfg(unix)]
pub(crate) use stamp_unix::Identity;
#[cfg(windows)]
pub(crate) use stamp_windows::Identity;
#[cfg(windows)]
pub(crate) use windows::{Handle, entries};
