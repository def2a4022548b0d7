//! The program of the image: built without a dynamic linker, and looked at before it is packed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use object::elf::{EM_AARCH64, EM_X86_64, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, elf};
use oci_spec::image::Arch;

use super::super::{cargo, find_c_compiler, step, target_folder};

/// A program for Linux that needs no library.
#[derive(Debug)]
pub(super) struct Binary {
    pub(super) architecture: Arch,
    pub(super) bytes: Vec<u8>,
}

impl Binary {
    /// Reads a program. Refuses what could not start in an image that holds nothing else.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)
            .with_context(|| format!("cannot read the program `{}`", path.display()))?;
        let architecture = static_for(&bytes)
            .with_context(|| format!("`{}` cannot be the program of an image", path.display()))?;
        Ok(Self {
            architecture,
            bytes,
        })
    }
}

/// The architecture of a static program.
fn static_for(bytes: &[u8]) -> Result<Arch> {
    let header =
        FileHeader64::<Endianness>::parse(bytes).context("it is no ELF file of 64 bits")?;
    let endian = header.endian()?;
    let kind = header.e_type.get(endian);
    ensure!(
        kind == elf::ET_EXEC || kind == elf::ET_DYN,
        "it is no executable"
    );
    let mut segments = header.program_headers(endian, bytes)?.iter();
    ensure!(
        segments.all(|segment| segment.p_type(endian) != PT_INTERP),
        "it is linked dynamically: build it with RUSTFLAGS='-C target-feature=+crt-static' and --target"
    );
    match header.e_machine(endian) {
        EM_X86_64 => Ok(Arch::Amd64),
        EM_AARCH64 => Ok(Arch::ARM64),
        other => bail!("it is for machine {other}: x86-64 and AArch64 are supported"),
    }
}

/// Builds the program for this machine's architecture and returns its path.
pub(super) fn build(program: &str) -> Result<PathBuf> {
    find_c_compiler()?;
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = release(program, &target);
    step("build the static program", &mut build)?;
    Ok(target_folder()?.join(target).join("release").join(program))
}

fn release(program: &str, target: &str) -> Command {
    let mut build = cargo(&["build", "--release", "--locked", "--bin", program]);
    // Only with a target named do the flags leave procedural macros alone, which cannot be static.
    build.args(["--target", target]);
    build.env("RUSTFLAGS", "-C target-feature=+crt-static");
    // It would count before the other.
    build.env_remove("CARGO_ENCODED_RUSTFLAGS");
    build
}
