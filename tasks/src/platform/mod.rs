//! What differs between operating systems, behind types that promise the same.

mod checked;
#[cfg(target_os = "linux")]
mod inotify;
#[cfg(not(unix))]
mod other;
#[cfg(any(not(target_os = "linux"), test))]
mod recursive;
mod stamp;
#[cfg(not(unix))]
mod stamp_other;
#[cfg(unix)]
mod stamp_unix;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "macos.rs"]
mod system;
#[cfg(unix)]
mod unix;

#[cfg(target_os = "linux")]
pub(crate) use inotify::Watch;
#[cfg(not(unix))]
pub(crate) use other::{Handle, entries};
#[cfg(not(target_os = "linux"))]
pub(crate) use recursive::Watch;
pub(crate) use stamp::Stamp;
#[cfg(not(unix))]
pub(crate) use stamp_other::Identity;
#[cfg(unix)]
pub(crate) use stamp_unix::Identity;
#[cfg(unix)]
pub(crate) use system::Handle;
#[cfg(unix)]
pub(crate) use unix::entries;
