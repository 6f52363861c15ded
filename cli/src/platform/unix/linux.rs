//! Linux: the kernel says who sent a signal.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;

/// Where the signals of one kind come from.
pub(super) struct Origin {
    /// How many of them were sent by somebody, and not asked for yet.
    sent: Arc<AtomicUsize>,
}

impl Origin {
    /// Watches from here on.
    pub(super) fn of(signal: Signal) -> io::Result<Self> {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        #[expect(unsafe_code, reason = "all that the handler does is to add to a number")]
        // SAFETY: an atomic may be used in a signal handler.
        unsafe {
            signal_hook_registry::register_sigaction(signal.as_raw(), move |information| {
                // Nobody has sent what comes from the kernel.
                if information.si_code <= libc::SI_USER {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })?;
        }
        Ok(Origin { sent })
    }

    /// Whether somebody sent one of those that came since this was asked before, and not a terminal.
    pub(super) fn is_sender(&self) -> bool {
        self.sent.swap(0, Ordering::Relaxed) > 0
    }
}
