//! File systems of a test's own: a disk that can lose its power, and one that can be full.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use argus_tests::until;
use tempfile::TempDir;

/// How large the disk is; its image takes only what is written.
const DISK_BYTES: u64 = 64 * 1024 * 1024;
/// Nothing is written but what is asked for: not after five seconds, and not by a rename.
const LAZY: &str = "loop,commit=600,noauto_da_alloc";
/// Shuts a file system down without writing its journal: EXT4_IOC_SHUTDOWN, flag NOLOGFLUSH.
const SHUTDOWN: &str = "import fcntl, os, struct, sys; \
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// An ext4 in a file, mounted. Dropping it unmounts it, and the loop device goes with that.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    mount: Mount,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let folder = folder();
        let image = folder.path().join("image");
        File::create(&image).and_then(|file| file.set_len(DISK_BYTES)).expect("own folder");
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let mount = Mount::new(folder);
        mount.fill_with(&["-o", LAZY], &image);
        Disk { image, mount }
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.mount.point()
    }

    /// The power goes: from now on nothing reaches the disk, and every program is told EIO.
    pub(crate) fn lose_power(&self) {
        run(Command::new("python3").args(["-I", "-S", "-c", SHUTDOWN]).arg(self.path()));
    }

    /// The power is back: what is seen now is what had reached the disk. Who used the disk before
    /// must have ended.
    pub(crate) fn start_again(&self) {
        self.mount.empty();
        // Every mount namespace that was made meanwhile has a copy of the mount, and as long as one
        // lives the old file system does.
        until("the file system is gone everywhere", || {
            let mut losetup = Command::new("losetup");
            let devices = run(losetup.arg("--associated").arg(&self.image));
            devices.is_empty().then_some(())
        });
        self.mount.fill_with(&["-o", LAZY], &self.image);
    }
}

/// A file system in memory, so small that a test can fill it.
#[derive(Debug)]
pub(crate) struct SmallDisk(Mount);

impl SmallDisk {
    pub(crate) fn new(kilobytes: usize) -> Self {
        let mount = Mount::new(folder());
        let options = format!("size={kilobytes}k");
        mount.fill_with(&["-t", "tmpfs", "-o", &options], Path::new("tmpfs"));
        SmallDisk(mount)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.point()
    }

    /// Mounts it in another way, with all that is in it.
    pub(crate) fn remount(&self, options: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(self.path()));
    }
}

/// A place for a file system. Nothing is mounted there any more once it is dropped.
#[derive(Debug)]
struct Mount(TempDir);

impl Mount {
    fn new(folder: TempDir) -> Self {
        std::fs::create_dir(folder.path().join("mounted")).expect("own folder");
        Mount(folder)
    }

    fn point(&self) -> PathBuf {
        self.0.path().join("mounted")
    }

    fn fill_with(&self, options: &[&str], device: &Path) {
        run(Command::new("mount").args(options).arg(device).arg(self.point()));
    }

    fn empty(&self) {
        // Who was killed is gone a moment later.
        until("nobody uses the file system", || self.unmount(&[]).then_some(()));
    }

    fn unmount(&self, how: &[&str]) -> bool {
        let mut umount = Command::new("umount");
        umount.args(how).arg(self.point()).stderr(Stdio::null());
        umount.status().expect("umount is installed").success()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The test may have failed with programs at work: then it goes when they do.
        if !self.unmount(&[]) {
            self.unmount(&["--lazy"]);
        }
    }
}

fn folder() -> TempDir {
    let name = tempfile::Builder::new().prefix("argus-disk-").tempdir();
    name.expect("a folder can be made")
}

/// What a program that must succeed prints.
fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output.stdout
}
