//! Names that are made of others, or of what an object holds.

use sha2::{Digest as _, Sha256};

/// Longest name that fits everywhere: a label's value, a Service, the name of a Job.
const MOST: usize = 63;
/// Hexadecimal digits of a hash in a name: two that meet by chance are not to be expected.
const DIGITS: usize = 10;

/// A name that may be a label (`a-z 0-9 -`, at most 63, a letter first) made of any legal object name. What had
/// to be changed is told apart by a hash.
#[must_use]
pub fn label_name(wanted: &str) -> String {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = wanted.starts_with(|c: char| c.is_ascii_lowercase());
    let ends = wanted.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if wanted.len() <= MOST && begins && ends && wanted.chars().all(legal) {
        return wanted.to_owned();
    }
    let kept: String = wanted
        .chars()
        .map(|c| if legal(c) { c } else { '-' })
        .take(MOST - DIGITS - 1)
        .collect();
    let kept = kept.trim_matches('-');
    let kept = if begins { kept } else { "x" };
    format!("{kept}-{}", hash(wanted))
}

/// The first digits of a text's SHA-256.
pub(super) fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex = digest.iter().map(|byte| format!("{byte:02x}"));
    hex.collect::<String>().chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_is_kept() {
        for name in ["memq-keygen-x7k2p", "a", &"a".repeat(63)] {
            assert_eq!(label_name(name), name);
        }
    }

    #[test]
    fn a_name_that_does_not_fit_is_told_apart_from_its_neighbours() {
        let long = "memq-".to_owned() + &"very-".repeat(20);
        for (one, other) in [
            ("memq-a.b", "memq-a-b"),
            (long.as_str(), &long[..long.len() - 1]),
            ("7up", "8up"),
        ] {
            let (one, other) = (label_name(one), label_name(other));
            assert_ne!(one, other);
            for name in [one, other] {
                assert!(name.len() <= MOST, "{name}");
                assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
                assert!(!name.contains('.'), "{name}");
            }
        }
    }
}
