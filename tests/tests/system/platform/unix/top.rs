//! `argus top`, in a terminal.

use argus_tests::{Terminal, TestContext, signal_process};
use rustix::process::Signal;

fn top(context: &TestContext, arguments: &[&str]) -> Terminal {
    let terminal = Terminal::start(context.command(&[arguments, &["top"]].concat()), 80, 24);
    terminal.shows("q quit");
    terminal
}

#[test]
fn what_is_announced_is_seen_and_can_be_removed() {
    for way in [&[][..], &["--direct"]] {
        let context = TestContext::new();
        let somebody = context.bystander();
        let mut terminal = top(&context, way);
        terminal.shows("nobody is registered");
        let pid = somebody.pid().to_string();
        for id in ["other", "shop"] {
            let announce = ["announce", "--id", id, "--port", "3000", "--pid", &pid];
            assert_eq!(context.argus(&[way, &announce].concat()).code, 0);
        }
        terminal.shows("2 records: 2 live");
        terminal.press("jd");
        terminal.shows(&format!("remove `shop` (pid {pid}, live)? y/n"));
        terminal.press("y");
        terminal.shows("removed `shop`");
        terminal.shows("1 record: 1 live");
        assert_eq!(context.ids(), ["other"]);
        terminal.resize(39, 5);
        terminal.shows("this is 39×5");
        terminal.resize(200, 50);
        terminal.shows("\"id\": \"other\"");
        terminal.press("q");
        assert_eq!(terminal.ends().code(), Some(0));
        terminal.is_given_back();
    }
}

#[test]
fn it_goes_on_where_a_daemon_ends() {
    let context = TestContext::new();
    let mut terminal = top(&context, &[]);
    terminal.shows("argusd ");
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    terminal.shows("calls work on the file");
    let announced = context.argus(&["--direct", "announce", "--id", "shop", "--pid", "1"]);
    assert_eq!(announced.code, 0);
    terminal.shows("shop");
    terminal.press("\x03");
    assert_eq!(terminal.ends().code(), Some(0));
    terminal.is_given_back();
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let context = TestContext::new();
        let mut terminal = top(&context, &["--direct"]);
        assert!(!terminal.is_restored(), "it has the whole screen");
        signal_process(terminal.pid(), signal);
        assert_eq!(terminal.ends().code(), Some(code));
        terminal.is_given_back();
    }
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let context = TestContext::new();
    let run = context.argus(&["top"]);
    assert_eq!((run.code, &*run.stdout), (2, ""));
    assert!(run.stderr.contains("E_USAGE") && run.stderr.contains("argus ls --watch"), "{run:?}");
    assert_eq!(context.argus(&["--json", "top"]).error()["code"], "E_USAGE");
    assert!(context.daemons().is_empty(), "nothing was started for it");

    // In a terminal it is told after the screen is given back.
    let mut terminal = Terminal::start(context.command(&["-c", "x", "top"]), 80, 24);
    assert_eq!(terminal.ends().code(), Some(2));
    terminal.shows("there is no collection `x` (E_USAGE)");
    terminal.is_given_back();
}
