//! What differs between operating systems, behind types that promise the same.

#[cfg(windows)]
mod changes;
mod checked;
#[cfg(target_os = "linux")]
mod inotify;
#[cfg(all(unix, any(not(target_os = "linux"), test)))]
mod recursive;
mod stamp;
#[cfg(unix)]
mod stamp_unix;
#[cfg(windows)]
mod stamp_windows;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "macos.rs"]
mod system;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(windows)]
pub(crate) use changes::Watch;
#[cfg(target_os = "linux")]
pub(crate) use inotify::Watch;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use recursive::Watch;
pub(crate) use stamp::Stamp;
#[cfg(unix)]
pub(crate) use stamp_unix::Identity;
#[cfg(windows)]
pub(crate) use stamp_windows::Identity;
#[cfg(unix)]
pub(crate) use system::Handle;
#[cfg(unix)]
pub(crate) use unix::entries;
#[cfg(windows)]
pub(crate) use windows::{Handle, entries};
