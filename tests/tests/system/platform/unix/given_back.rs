//! What a daemon has replaced takes no room for long; Linux tells what a process has open.

use std::fs;

use argus_client::Mode;
use argus_client::announcement;
use argus_tests::{TestContext, until};

/// Files without a name are closed by a thread of their own, beside the commits. Seen to fail with one that takes
/// them and keeps them.
#[test]
fn a_file_that_was_replaced_is_given_back_to_the_disk() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    for number in 0..20 {
        client.announce(announcement(&format!("record-{number}")).build()).expect("announced");
    }
    until("it has nothing open that has no name", || {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
        let files = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let mut texts = files.map(|file| file.to_string_lossy().into_owned());
        let is_kept = |text: &str| {
            text.starts_with(&*context.home().to_string_lossy()) && text.ends_with("(deleted)")
        };
        (!texts.any(|text| is_kept(&text))).then_some(())
    });
}
