//! `argus` and `argusd`, built once for the test that needs them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where the executables are.
#[derive(Debug)]
pub struct Executables {
    /// The command line.
    pub argus: PathBuf,
    /// The daemon.
    pub argusd: PathBuf,
}

/// Builds both, in the profile of the running test, if that has not been done.
pub fn executables() -> &'static Executables {
    static BUILT: OnceLock<Executables> = OnceLock::new();
    BUILT.get_or_init(|| {
        // target/PROFILE/deps/this-test
        let test = std::env::current_exe().expect("a test knows its own path");
        let profile = test.ancestors().nth(2).expect("cargo puts tests two folders deep");
        let target = profile.parent().expect("a profile's folder stands in the target folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "-p", "argus-cli", "-p", "argus-daemon"]);
        cargo.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        cargo.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let status = cargo.status().expect("cargo can be run");
        assert!(status.success(), "argus and argusd cannot be built");
        let name = |name: &str| profile.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        Executables { argus: name("argus"), argusd: name("argusd") }
    })
}
