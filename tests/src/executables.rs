//! `argus` and `argusd`, built once for the test that needs them.

use std::env::consts::EXE_SUFFIX;
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

/// Set where the programs have been built already, and cannot be where the tests run: on another
/// system than they are built on.
const PREBUILT: &str = "TESTS_ARE_PREBUILT";

/// Builds both, in the profile of the running test, if that has not been done.
pub fn executables() -> &'static Executables {
    static BUILT: OnceLock<Executables> = OnceLock::new();
    BUILT.get_or_init(|| {
        let profile = profile();
        let name = |name: &str| profile.join(format!("{name}{EXE_SUFFIX}"));
        let built = Executables { argus: name("argus"), argusd: name("argusd") };
        if std::env::var_os(PREBUILT).is_some() {
            return built;
        }
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
        built
    })
}

/// A program of this crate's own, which cargo builds with the tests.
pub fn helper(name: &str) -> PathBuf {
    profile().join(format!("{name}{EXE_SUFFIX}"))
}

/// target/PROFILE, where the executables are.
fn profile() -> PathBuf {
    // target/PROFILE/deps/this-test, or target/PROFILE/this-helper
    let own = std::env::current_exe().expect("a program knows its own path");
    let folder = own.parent().expect("it is in a folder");
    let is_test = folder.ends_with("deps");
    if is_test { folder.parent().expect("that of the profile") } else { folder }.to_owned()
}
