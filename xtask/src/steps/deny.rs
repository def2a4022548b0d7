//! Licences, banned crates and sources: cargo-deny, in one version for everyone.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{cargo, say, step, target_folder};

/// The version that deny.toml is written for. A newer one may know more and refuse more, so that
/// it changes when this line does and not on a day of its own.
const VERSION: &str = "0.20.2";

/// Installs cargo-deny under the target folder if it is not there, and runs it.
pub(super) fn check() -> Result<()> {
    let tools = target_folder()?.join("tools");
    let program = tools.join("bin/cargo-deny");
    if installed(&program).as_deref() != Some(VERSION) {
        say(format_args!(
            "==> cargo-deny {VERSION} is not in {}: building it",
            tools.display()
        ));
        let mut install = cargo(&["install", "--quiet", "--locked", "--debug", "--force"]);
        install
            .args(["--version", VERSION, "cargo-deny", "--root"])
            .arg(&tools);
        // It runs for a second: quick to build matters, and so does its size on disk.
        install.env("CARGO_PROFILE_DEV_DEBUG", "0");
        step("install cargo-deny", &mut install)?;
    }
    let mut deny = Command::new(&program);
    deny.args([
        "--log-level",
        "error",
        "--locked",
        "check",
        "--hide-inclusion-graph",
    ]);
    step(
        "licences, bans and sources",
        deny.args(["licenses", "bans", "sources"]),
    )
}

/// The version of the program at this path, if it is one that runs.
fn installed(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix("cargo-deny ").map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_is_not_there_has_no_version() {
        assert_eq!(
            installed(Path::new("target/no-such-folder/cargo-deny")),
            None
        );
    }
}
