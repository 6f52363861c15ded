//! Being run by a service manager that opens the socket itself, and starts the daemon when the first
//! client connects: systemd, and whoever else speaks its protocol of environment variables.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use super::Socket;

/// The socket that the service manager has opened; `None` where there is none.
///
/// # Errors
/// Where it is not the one at `path`: clients would look for it in vain.
pub(crate) fn lent_socket(path: &Path) -> io::Result<Option<Socket>> {
    let Some(listener) = ListenFd::from_env().take_unix_listener(0)? else { return Ok(None) };
    let address = listener.local_addr()?;
    if address.as_pathname() != Some(path) {
        let message = format!(
            "the service manager passes a socket at {address:?}, and {} is expected; \
             argus daemon install writes units that fit",
            path.display()
        );
        return Err(io::Error::other(message));
    }
    // Its clone is closed where another program is started; the one that was passed is not.
    Ok(Some(OwnedFd::from(listener.try_clone()?)))
}

/// Tells the service manager, if there is one that waits for it.
pub(crate) fn tell_service_manager_ready() {
    if let Err(error) = sd_notify::notify(false, &[NotifyState::Ready]) {
        tracing::warn!("cannot tell the service manager: {error}");
    }
}
