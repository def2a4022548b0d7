//! RSA-4096 keys as a workload: each is made, named by its OpenSSH fingerprint and thrown away.
//!
//! Keys come from graviola, which is the fastest there is here; where the processor lacks what
//! graviola's code is made of, it would abort the process, so aws-lc-rs makes them there.

use aws_lc_rs::rsa::{KeySize, PublicKey};
use aws_lc_rs::signature::KeyPair as _;
use ssh_key::public::{KeyData, RsaPublicKey};
use ssh_key::{HashAlg, Mpint};
use tokio::sync::Semaphore;

/// A key could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a key: {0}")]
pub struct KeygenError(String);

/// Makes an RSA-4096 key and returns the fingerprint `ssh-keygen -l` would show for it. Takes the
/// better part of a second of one core.
pub fn fingerprint_of_new_key() -> Result<String, KeygenError> {
    fingerprint(&new_public_key()?)
}

/// Keys in the making never take more threads than there are cores: more would only make each take
/// longer, and starve the task that renews their leases.
static CORES: std::sync::LazyLock<Semaphore> = std::sync::LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
});

/// [`fingerprint_of_new_key`] on a thread of its own.
pub(crate) async fn fingerprint_off_loop() -> Result<String, KeygenError> {
    let stopped = |_| KeygenError("the worker is stopping".into());
    let core = CORES
        .acquire()
        .await
        .map_err(|_| KeygenError("the worker is stopping".into()))?;
    tokio::task::spawn_blocking(move || {
        // Held until the thread is done, though nobody may be waiting any more.
        let _core = core;
        fingerprint_of_new_key()
    })
    .await
    .map_err(stopped)?
}

/// The public half of a new key, in PKCS#1 DER.
fn new_public_key() -> Result<Vec<u8>, KeygenError> {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    if graviola_can_run() {
        return graviola_key();
    }
    aws_lc_key()
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn graviola_key() -> Result<Vec<u8>, KeygenError> {
    use graviola::signing::rsa::{KeySize, SigningKey};
    let failed = |error| KeygenError(format!("{error:?}"));
    let key = SigningKey::generate(KeySize::Rsa4096).map_err(failed)?;
    let mut der = [0; 600];
    Ok(key
        .public_key()
        .to_pkcs1_der(&mut der)
        .map_err(failed)?
        .to_vec())
}

fn aws_lc_key() -> Result<Vec<u8>, KeygenError> {
    let key = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa4096)
        .map_err(|error| KeygenError(error.to_string()))?;
    Ok(key.public_key().as_ref().to_vec())
}

/// Whether the processor has all that graviola asserts at its first call.
#[cfg(target_arch = "x86_64")]
fn graviola_can_run() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("aes")
        && has!("pclmulqdq")
        && has!("bmi1")
        && has!("bmi2")
        && has!("adx")
        && has!("avx")
        && has!("avx2")
}

/// Whether the processor has all that graviola asserts at its first call.
#[cfg(target_arch = "aarch64")]
fn graviola_can_run() -> bool {
    use std::arch::is_aarch64_feature_detected as has;
    has!("neon") && has!("aes") && has!("pmull") && has!("sha2")
}

fn fingerprint(pkcs1_der: &[u8]) -> Result<String, KeygenError> {
    Ok(ssh_public_key(pkcs1_der)?
        .fingerprint(HashAlg::Sha256)
        .to_string())
}

fn ssh_public_key(pkcs1_der: &[u8]) -> Result<ssh_key::PublicKey, KeygenError> {
    let key = PublicKey::from_der(pkcs1_der).map_err(|error| KeygenError(error.to_string()))?;
    let number = |bytes: &[u8]| {
        Mpint::from_positive_bytes(bytes).map_err(|error| KeygenError(error.to_string()))
    };
    let rsa = RsaPublicKey {
        e: number(key.exponent().big_endian_without_leading_zero())?,
        n: number(key.modulus().big_endian_without_leading_zero())?,
    };
    Ok(ssh_key::PublicKey::new(KeyData::Rsa(rsa), ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fingerprint that OpenSSH itself gives, where it is installed.
    fn openssh_fingerprint(line: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), line).expect("write");
        let output = std::process::Command::new("ssh-keygen")
            .arg("-lf")
            .arg(file.path())
            .output()
            .ok()?;
        assert!(
            output.status.success(),
            "ssh-keygen refused {line}: {output:?}"
        );
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(text.starts_with("4096 "), "{text}");
        text.split(' ').nth(1).map(Into::into)
    }

    #[test]
    fn keys_of_both_makers_are_what_openssh_says_they_are() {
        let mut ders = vec![aws_lc_key().expect("aws-lc")];
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        if graviola_can_run() {
            ders.push(graviola_key().expect("graviola"));
        }
        let mut seen = std::collections::HashSet::new();
        for der in ders {
            let ours = fingerprint(&der).expect("a fingerprint");
            let line = ssh_public_key(&der)
                .expect("a key")
                .to_openssh()
                .expect("a line");
            assert!(
                line.starts_with("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAACAQ"),
                "{line}"
            );
            assert!(ours.starts_with("SHA256:") && ours.len() == 50, "{ours}");
            if let Some(theirs) = openssh_fingerprint(&line) {
                assert_eq!(ours, theirs);
            }
            assert!(seen.insert(ours), "two keys are the same");
        }
    }
}
