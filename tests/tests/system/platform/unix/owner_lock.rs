//! A lock that outlives who held it, for a moment; Linux tells how often it is tried.

use std::mem::MaybeUninit;
use std::os::unix::net::UnixListener;

use argus_store::kernel_lock::OWNER_LOCK;
use argus_store::{Folder, KernelLock};
use argus_tests::{TestContext, until};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

/// The lock of a daemon that was killed is free only when the last of its threads has come back from the
/// disk; what it listened on is there still. Fails where that is taken for somebody who serves.
#[test]
fn a_daemon_waits_for_the_lock_of_one_that_was_killed() {
    let context = TestContext::new();
    let folder = Folder::create(&context.paths()).expect("own folder");
    let lock = KernelLock::try_acquire(&folder, OWNER_LOCK).expect("own").expect("free");
    drop(UnixListener::bind(context.paths().socket()).expect("own folder"));
    let opened = init(CreateFlags::NONBLOCK).expect("inotify");
    add_watch(&opened, context.paths().folder().join(OWNER_LOCK), WatchFlags::OPEN).expect("there");
    let mut start = context.command(&["daemon", "start"]).spawn().expect("argus can be run");
    let (mut buffer, mut attempts) = ([MaybeUninit::uninit(); 1024], 0);
    let mut reader = Reader::new(opened, &mut buffer);
    until("a daemon has tried to take it more than once", || {
        assert!(start.try_wait().expect("own child").is_none(), "it is waited for");
        attempts += usize::from(reader.next().is_ok());
        (attempts > 2).then_some(())
    });
    drop(lock);
    assert!(start.wait().expect("own child").success());
    assert_eq!(context.daemons().len(), 1);
}
