//! Files that others have open, and that nobody can replace meanwhile.

use argus_client::{Code, Mode, announcement};
use argus_tests::{TestContext, open_as_others_do};

/// A commit waits for a while, and no longer: those behind it have deadlines.
#[test]
fn a_registry_that_is_held_open_for_too_long_is_told_and_nothing_changes() {
    for mode in [Mode::DaemonOnly, Mode::Direct] {
        let context = TestContext::new();
        context.argus(&["announce", "--id", "before"]);
        let client = context.client(mode);
        let before = context.document();
        let held = open_as_others_do(&context.registry());
        let error = client.announce(announcement("x").build()).expect_err("it cannot be replaced");
        assert_eq!(error.code, Code::Locked, "{mode:?}: {error:?}");
        let path = context.registry().display().to_string();
        assert!(error.message.contains(&path), "{mode:?}: {error}");
        assert_eq!(client.get("x").expect_err("nobody").code, Code::NotFound, "{mode:?}");
        assert_eq!(context.document(), before, "{mode:?}");
        drop(held);
        client.announce(announcement("x").build()).expect("free again");
        assert_eq!(context.ids(), ["before", "x"], "{mode:?}");
        let unfinished = std::fs::read_dir(context.registry().parent().expect("a folder"));
        let unfinished = unfinished.expect("own folder").filter(|entry| {
            let name = entry.as_ref().expect("an entry").file_name();
            !["registry.json", "registry.json.d"].map(Into::into).contains(&name)
        });
        assert_eq!(unfinished.count(), 0, "{mode:?}: something was left behind");
    }
}
