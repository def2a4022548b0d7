//! A file of tokens as text: `ROLE TOKEN` a line.
//!
//! Tokens are kept as their digests and compared in constant time, so neither the server's memory nor how
//! long an answer takes tells one. It knows nothing of files, and its errors never repeat what stands in a line.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::role::Role;

/// Fewest bytes of a token: fewer can be guessed.
pub(super) const MIN_TOKEN_BYTES: usize = 16;
/// Most bytes of a token.
pub(super) const MAX_TOKEN_BYTES: usize = 256;
/// Most tokens: each request is compared with all of them.
pub(super) const MAX_TOKENS: usize = 100;

/// U+FEFF as UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The tokens that are valid, and what each is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tokens(Vec<Known>);

/// One of them.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    role: Role,
    digest: Digested,
}

/// What is kept of a token: enough to know it again, too little to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digested([u8; 32]);

impl Digested {
    /// Of a token.
    pub(super) fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Four words are compared sooner than 32 bytes.
    fn words(self) -> [u64; 4] {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(self.0.chunks_exact(8)) {
            *word = bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        words
    }
}

/// Why a text is no file of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTokens {
    /// Give a line `ROLE TOKEN`.
    #[error("there is no token: give lines `ROLE TOKEN`, where ROLE is read, work or admin")]
    None,
    /// Take some out.
    #[error("line {0}: there are more than {MAX_TOKENS} tokens")]
    TooMany(usize),
    /// Mend the first word.
    #[error("line {0} does not begin with a role: read, work or admin")]
    Role(usize),
    /// Write a token after the role.
    #[error("line {0} has a role and no token")]
    NoToken(usize),
    /// Take away what comes after the token.
    #[error("line {0} has more than a role and a token")]
    More(usize),
    /// Choose a longer or shorter token.
    #[error(
        "line {line}: the token has {bytes} characters: give {MIN_TOKEN_BYTES} to {MAX_TOKEN_BYTES}"
    )]
    Length {
        /// Where.
        line: usize,
        /// How many it has.
        bytes: usize,
    },
    /// Choose a token of other characters.
    #[error("line {0}: the token has characters that are not visible ASCII")]
    Characters(usize),
    /// Take one of the lines away: which role it is good for is not clear.
    #[error("line {line} has the token of line {first} again")]
    Again {
        /// Where.
        line: usize,
        /// Where it stood first.
        first: usize,
    },
}

impl Tokens {
    /// Reads a file's text.
    pub(super) fn parse(text: &[u8]) -> Result<Self, BadTokens> {
        let mut tokens: Vec<Known> = Vec::new();
        let mut lines = Vec::new();
        // Some editors begin a file with it, and show nothing of it.
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        for (at, text) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = at + 1;
            let Some((role, token)) = read_line(line, text)? else {
                continue;
            };
            if tokens.len() == MAX_TOKENS {
                return Err(BadTokens::TooMany(line));
            }
            let digest = Digested::of(token);
            if let Some(at) = tokens.iter().position(|known| known.digest == digest) {
                let first = lines[at];
                return Err(BadTokens::Again { line, first });
            }
            tokens.push(Known { role, digest });
            lines.push(line);
        }
        match tokens.is_empty() {
            true => Err(BadTokens::None),
            false => Ok(Self(tokens)),
        }
    }

    /// The role of a token, if it is one of these. Takes the same time for every token.
    pub(super) fn role_of(&self, token: Digested) -> Option<Role> {
        let asked = token.words();
        let mut found = None;
        for Known { role, digest } in &self.0 {
            let same = digest
                .words()
                .iter()
                .zip(&asked)
                .fold(Choice::from(1), |same, (known, asked)| {
                    same & known.ct_eq(asked)
                });
            // All are looked at, whether one was found or not.
            if bool::from(same) {
                found = Some(*role);
            }
        }
        found
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The role and the token of a line, if it has any.
fn read_line(line: usize, text: &[u8]) -> Result<Option<(Role, &[u8])>, BadTokens> {
    let mut words = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let Some(role) = words.next().filter(|word| !word.starts_with(b"#")) else {
        return Ok(None);
    };
    let role = Role::named(role).ok_or(BadTokens::Role(line))?;
    let token = words.next().ok_or(BadTokens::NoToken(line))?;
    if words.next().is_some() {
        return Err(BadTokens::More(line));
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err(BadTokens::Characters(line));
    }
    let bytes = token.len();
    if !(MIN_TOKEN_BYTES..=MAX_TOKEN_BYTES).contains(&bytes) {
        return Err(BadTokens::Length { line, bytes });
    }
    Ok(Some((role, token)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbb";

    fn parse(text: &str) -> Result<Tokens, BadTokens> {
        Tokens::parse(text.as_bytes())
    }

    fn role(tokens: &Tokens, token: &str) -> Option<Role> {
        tokens.role_of(Digested::of(token.as_bytes()))
    }

    #[test]
    fn each_token_has_the_role_of_its_line() {
        let text = format!("# who\n\n  read\t{A}  \r\n#admin {B}\nadmin {B}");
        let tokens = parse(&text).expect("a file of tokens");
        assert_eq!(tokens.len(), 2);
        assert_eq!(role(&tokens, A), Some(Role::Read));
        assert_eq!(role(&tokens, B), Some(Role::Admin));
        for other in [
            "",
            "a",
            "aaaaaaaaaaaaaaab",
            "aaaaaaaaaaaaaaaaa",
            "read",
            "#admin",
        ] {
            assert_eq!(role(&tokens, other), None, "{other}");
        }
    }

    #[test]
    fn an_invisible_mark_at_the_beginning_is_passed_over_and_elsewhere_is_none() {
        let tokens = parse(&format!("\u{feff}read {A}")).expect("a file of tokens");
        assert_eq!(role(&tokens, A), Some(Role::Read));
        let later = parse(&format!("read {A}\n\u{feff}read {B}"));
        assert_eq!(later, Err(BadTokens::Role(2)));
    }

    #[rstest]
    #[case::empty("", BadTokens::None)]
    #[case::comments("# nobody\n\n", BadTokens::None)]
    #[case::no_role("aaaaaaaaaaaaaaaa", BadTokens::Role(1))]
    #[case::other_way_round("\naaaaaaaaaaaaaaaa read", BadTokens::Role(2))]
    #[case::upper_case("Read aaaaaaaaaaaaaaaa", BadTokens::Role(1))]
    #[case::no_token("read aaaaaaaaaaaaaaaa\nwork", BadTokens::NoToken(2))]
    #[case::comment_after("work aaaaaaaaaaaaaaaa # me", BadTokens::More(1))]
    #[case::two_tokens("work aaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbb", BadTokens::More(1))]
    #[case::short("work aaaaaaaaaaaaaaa", BadTokens::Length { line: 1, bytes: 15 })]
    #[case::accent("work aaaaaaaaaaaaaaaé", BadTokens::Characters(1))]
    #[case::control("work aaaaaaaaaaaaaaa\u{7f}", BadTokens::Characters(1))]
    #[case::again("read aaaaaaaaaaaaaaaa\n#\nadmin aaaaaaaaaaaaaaaa", BadTokens::Again { line: 3, first: 1 })]
    fn what_is_wrong_is_told_by_its_line(#[case] text: &str, #[case] why: BadTokens) {
        let error = parse(text).expect_err("no file of tokens");
        assert_eq!(error, why);
        let said = error.to_string();
        assert!(!said.contains("aaaa"), "it repeats a token: {said}");
    }

    #[test]
    fn the_longest_token_and_the_most_of_them_are_taken_and_one_past_them_is_not() {
        let token = |number: usize, bytes: usize| format!("{number:0bytes$}");
        let longest = format!("work {}", token(0, MAX_TOKEN_BYTES));
        assert!(parse(&longest).is_ok());
        let longer = format!("work {}", token(0, MAX_TOKEN_BYTES + 1));
        let (line, bytes) = (1, MAX_TOKEN_BYTES + 1);
        assert_eq!(parse(&longer), Err(BadTokens::Length { line, bytes }));
        let lines = |count: usize| {
            let lines = (0..count).map(|at| format!("read {}\n", token(at, MIN_TOKEN_BYTES)));
            lines.collect::<String>()
        };
        assert_eq!(
            parse(&lines(MAX_TOKENS)).map(|tokens| tokens.len()),
            Ok(MAX_TOKENS)
        );
        let many = parse(&lines(MAX_TOKENS + 1));
        assert_eq!(many, Err(BadTokens::TooMany(MAX_TOKENS + 1)));
    }

    #[test]
    fn a_role_includes_those_before_it() {
        for (at, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(Role::named(role.as_str().as_bytes()), Some(role));
            for (needed_at, needed) in Role::ALL.into_iter().enumerate() {
                assert_eq!(role.includes(needed), at >= needed_at, "{role} {needed}");
            }
        }
    }

    #[test]
    fn tokens_are_not_shown() {
        let tokens = parse(&format!("read {A}")).expect("a file of tokens");
        assert!(!format!("{tokens:?}").contains("aaaa"));
    }
}
