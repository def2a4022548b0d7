//! Writes the description of the API, which is made from the server's routes, or with `--check` says whether
//! it is as they make it. `cargo xtask generate` runs it.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};

/// Where it lies.
const FILE: &str = "docs/openapi.json";

fn main() -> anyhow::Result<()> {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => bail!("there is no option `{other}`; --check is the only one"),
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    let document = queue_server::openapi();
    // A file that is not there yet is as stale as one that says something else.
    let fresh = std::fs::read_to_string(&path).is_ok_and(|kept| kept == document);
    if !check && !fresh {
        std::fs::write(&path, document).with_context(|| format!("cannot write {FILE}"))?;
    }
    ensure!(
        !check || fresh,
        "{FILE} is not as the routes make it; run `cargo xtask generate`"
    );
    Ok(())
}
