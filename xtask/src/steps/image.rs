//! `cargo xtask image`: the container image as one archive, with no registry and no daemon.
//!
//! Owns what is in the image and how large it may be. How layers and archives are written is `layer`'s
//! and `archive`'s; the Dockerfile builds the same image from a stock Rust image, and a test keeps the two
//! alike.

mod archive;
mod binary;
mod layer;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_spec::distribution::Reference;

use self::archive::{Archive, Image};
use self::binary::Binary;
use self::layer::{Entry, Layer};
use super::{say, target_folder};

/// Most bytes of all layers, compressed: what a node pulls before its first pod starts.
const MAX_COMPRESSED: u64 = 30_000_000;
/// Whom the programs run as. A number, so that a kubelet can see that it is not root.
const UID: u64 = 65532;
/// The one program.
const PROGRAM: &str = "memq";
/// Where it lies. Not in the root: a volume mounted at /memq, to install it to, would find a file there.
const PROGRAM_PATH: &str = "bin/memq";
/// Where programs look for the certificates they trust.
const CA_BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
/// The port of the server.
const PORT: &str = "8080/tcp";
/// What the image sets, unless a pod says otherwise.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("MEMQ_LISTEN", "0.0.0.0:8080"),
    ("MEMQ_STORAGE", "auto"),
    ("MEMQ_DATA_DIR", "/data"),
];
/// What the image says of itself, beside its version.
const LABELS: [(&str, &str); 3] = [
    ("org.opencontainers.image.title", "memq"),
    (
        "org.opencontainers.image.description",
        "A work queue for batch work: server, worker, controller and command line",
    ),
    ("org.opencontainers.image.licenses", "Apache-2.0"),
];
/// The label of the version.
const VERSION_LABEL: &str = "org.opencontainers.image.version";

/// What to make of what, and where to put it.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// File of the archive [default: image/memq-VERSION.tar below the target folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Name of the image [default: memq:VERSION]
    #[arg(long, value_name = "NAME:TAG")]
    name: Option<Reference>,
    /// A static memq for Linux, built elsewhere, instead of building one
    #[arg(long, value_name = "FILE")]
    base_binary: Option<PathBuf>,
}

/// Builds the static program, unless it is given, and writes the archive.
///
/// # Errors
///
/// A program that could not run in an image without libraries, an image over its size, a file that
/// cannot be written.
pub fn run(args: Args) -> Result<()> {
    let Args {
        out,
        name,
        base_binary,
    } = args;
    let version = env!("CARGO_PKG_VERSION");
    let name = match name {
        Some(name) => name,
        None => format!("{PROGRAM}:{version}").parse()?,
    };
    let out = match out {
        Some(out) => out,
        None => target_folder()?.join(format!("image/{PROGRAM}-{version}.tar")),
    };
    let program = match base_binary {
        Some(path) => path,
        None => binary::build(PROGRAM)?,
    };
    let binary = Binary::read(&program)?;
    let archive = pack(&binary, &name, version)?;
    let compressed = archive.compressed;
    ensure!(
        compressed <= MAX_COMPRESSED,
        "the image takes {compressed} bytes compressed: {MAX_COMPRESSED} are allowed"
    );
    write(&out, &archive.bytes).with_context(|| format!("cannot write `{}`", out.display()))?;
    let megabytes = compressed as f64 / 1e6;
    say(format_args!(
        "{}\n  digest      {}\n  platform    linux/{}\n  compressed  {megabytes:.1} MB\n  archive     {}",
        archive.name,
        archive.digest,
        binary.architecture,
        out.display()
    ));
    Ok(())
}

/// Builds the image under this name, and gives the file of its archive.
///
/// # Errors
///
/// As [`run`]'s, and a name that is none.
pub(super) fn make(name: &str) -> Result<PathBuf> {
    let out = target_folder()?.join("image/e2e.tar");
    run(Args {
        out: Some(out.clone()),
        name: Some(name.parse()?),
        base_binary: None,
    })?;
    Ok(out)
}

/// The archive of the image around a program.
fn pack(binary: &Binary, name: &Reference, version: &str) -> Result<Archive> {
    // What seldom changes comes first, so that a node that has it does not get it again.
    let surroundings = Layer::of(vec![
        Entry::file(CA_BUNDLE, 0o644, ca_bundle().into_bytes()),
        // Without it the C library asks for names in an order of its own.
        Entry::file("etc/nsswitch.conf", 0o644, b"hosts: files dns\n".to_vec()),
        // A new volume of Docker's takes the owner of what it is mounted over.
        Entry::folder("data", 0o755).owned_by(UID),
        Entry::folder("tmp", 0o1777),
    ])?;
    let programs = Layer::of(vec![
        Entry::file(PROGRAM_PATH, 0o755, binary.bytes.clone()),
        // Under this name it takes kuard's command line.
        Entry::link("kuard", PROGRAM_PATH),
    ])?;
    let labels = LABELS.into_iter().chain([(VERSION_LABEL, version)]);
    Image {
        name,
        architecture: binary.architecture.clone(),
        user: format!("{UID}:{UID}"),
        entrypoint: vec![format!("/{PROGRAM_PATH}")],
        command: vec!["server".into()],
        port: PORT,
        environment: ENVIRONMENT
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        labels: labels
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        layers: &[surroundings, programs],
    }
    .archive()
}

/// The certificates that Mozilla trusts, from a crate: those of the machine that builds would make the
/// image depend on it, and there may be none.
fn ca_bundle() -> String {
    let mut text = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let base64 = STANDARD.encode(certificate);
        // Base 64 is ASCII: any number of bytes is that many characters.
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            text.push_str(line);
            text.push('\n');
            rest = more;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// Writes a file that is there whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    // It is no secret, and a daemon of another user may read it.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(readable)?;
    file.persist(path)?;
    Ok(())
}
