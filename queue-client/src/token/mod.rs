//! The token that a server asks for: where it comes from, read again when it was refused, never shown.
//!
//! Which role a token has is the server's business; a client learns it from refusals alone.

#[cfg(feature = "clap")]
mod flag;

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::time::Instant;

#[cfg(feature = "clap")]
pub use flag::TokenArg;

/// The variable that names the file of the token where no flag does.
pub const TOKEN_FILE_VARIABLE: &str = "MEMQ_TOKEN_FILE";
/// The variable that holds the token itself where no file is named.
pub const TOKEN_VARIABLE: &str = "MEMQ_TOKEN";
/// Longest token in bytes: beyond what any server takes in a header.
const MAX_BYTES: usize = 8 * 1024;
/// How long a file's token may be refused that was let in before, or was changed: a kubelet puts a changed
/// Secret into one pod a minute or so later than into another.
const GRACE: Duration = Duration::from_secs(120);

/// A token, shared by the clients that it was given to.
///
/// One that came from a file is read again after it was refused, so that tokens can be changed while
/// programs run. Where it was let in before, or the file has changed, the server or the file may be late:
/// such a refusal is waited out for two minutes at most.
#[derive(Clone)]
pub struct Token(Arc<Inner>);

struct Inner {
    from: TokenFrom,
    state: Mutex<State>,
}

struct State {
    /// The header that carries it; marked as sensitive.
    header: HeaderValue,
    /// A server let it in once, or its file has changed: a refusal may pass.
    vouched: bool,
    /// Since when it is refused, if that is waited out.
    refused_since: Option<Instant>,
    /// It was said that the file is no good.
    told: bool,
}

/// Where a client's token came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFrom {
    /// There is none.
    Nowhere,
    /// It was given as it is, under this name for people.
    Text(&'static str),
    /// The first line of a file.
    File(PathBuf),
}

/// A token that cannot be used. Its message says what is wrong and shows nothing of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadToken {
    /// The file cannot be read.
    #[error("cannot read the token file `{path}`", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is there is no token.
    #[error("there is no token in {from}: {rule}")]
    Malformed {
        /// Where it was looked for.
        from: TokenFrom,
        /// What it should be.
        rule: &'static str,
    },
}

impl Token {
    /// A token as it is; `name` says where it came from, for people.
    pub fn from_text(text: &str, name: &'static str) -> Result<Self, BadToken> {
        let from = TokenFrom::Text(name);
        let header = bearer(text).map_err(|rule| BadToken::Malformed {
            from: from.clone(),
            rule,
        })?;
        Ok(Self::new(from, header))
    }

    /// The token that is the first line of a file.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, BadToken> {
        let path = path.into();
        let header = read(&path)?;
        Ok(Self::new(TokenFrom::File(path), header))
    }

    fn new(from: TokenFrom, mut header: HeaderValue) -> Self {
        header.set_sensitive(true);
        Self(Arc::new(Inner {
            from,
            state: Mutex::new(State {
                header,
                vouched: false,
                refused_since: None,
                told: false,
            }),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> &TokenFrom {
        &self.0.from
    }

    /// The value of `Authorization` as it is now, marked as sensitive: for clients that speak HTTP themselves.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.state().header.clone()
    }

    /// A server let this in.
    pub(crate) fn accepted(&self, shown: &HeaderValue) {
        let mut state = self.state();
        // What was let in before it was changed says nothing of what it is now.
        if state.header == shown {
            (state.vouched, state.refused_since, state.told) = (true, None, false);
        }
    }

    /// A server knew this one, before it refused it.
    pub(crate) fn was_known(&self) {
        self.state().vouched = true;
    }

    /// Whether the refusal of just now may pass, so that it is worth asking again within this time.
    pub(crate) fn may_pass(&self, patience: Duration) -> bool {
        let TokenFrom::File(_) = self.0.from else {
            return false;
        };
        let now = Instant::now();
        let mut state = self.state();
        if !state.vouched {
            return false;
        }
        let since = state.refused_since.unwrap_or_else(|| {
            let within = GRACE.min(patience).as_secs();
            tracing::warn!(
                "the server refuses the token of {}; asking again for up to {within} s, for tokens may be changing",
                self.0.from
            );
            now
        });
        state.refused_since = Some(since);
        now - since < GRACE
    }

    /// The token after this one was refused, if there is another by now.
    pub(crate) async fn newer(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        let known = self.header();
        if known != refused {
            return Some(known);
        }
        let TokenFrom::File(path) = &self.0.from else {
            return None;
        };
        let path = path.clone();
        let read = tokio::task::spawn_blocking(move || read_again(&path)).await;
        let mut header = match read.ok()? {
            Ok(header) => header,
            Err(error) => {
                let error = crate::error::Chain(&error);
                if !std::mem::replace(&mut self.state().told, true) {
                    tracing::warn!(error.message = %error, "the server refuses the token that was read before");
                }
                return None;
            }
        };
        if header == refused {
            return None;
        }
        header.set_sensitive(true);
        let mut state = self.state();
        state.header.clone_from(&header);
        (state.vouched, state.told) = (true, false);
        tracing::info!("going on with the new token of {}", self.0.from);
        Some(header)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.0.from).finish()
    }
}

impl fmt::Display for TokenFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("nowhere"),
            Self::Text(name) => f.write_str(name),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

/// The first reading may be of a pipe, which gives a token once: another would wait for a writer without end.
fn read_again(path: &Path) -> Result<HeaderValue, BadToken> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(BadToken::Unreadable {
            path: path.to_owned(),
            source: io::Error::other("it is no file, and cannot be read again"),
        }),
        _ => read(path),
    }
}

fn read(path: &Path) -> Result<HeaderValue, BadToken> {
    let unreadable = |source| BadToken::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let most = MAX_BYTES as u64 + 2;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let line = bytes.split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default().trim_ascii();
    // Whatever is no UTF-8 is not visible ASCII either, and is told so.
    let text = std::str::from_utf8(line).unwrap_or("\u{fffd}");
    bearer(text).map_err(|rule| BadToken::Malformed {
        from: TokenFrom::File(path.to_owned()),
        rule,
    })
}

fn bearer(text: &str) -> Result<HeaderValue, &'static str> {
    if text.is_empty() {
        return Err("the first line is empty");
    }
    if text.len() > MAX_BYTES {
        return Err("the first line is longer than any token");
    }
    if text.contains([' ', '\t']) {
        return Err("the first line has a space, and is to be the token alone");
    }
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    visible
        .then(|| HeaderValue::from_str(&format!("Bearer {text}")).ok())
        .flatten()
        .ok_or("a token is made of visible ASCII characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "not-for-the-eyes-of-logs";

    #[test]
    fn a_token_is_never_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        std::fs::write(&path, TOKEN).expect("it can be written");
        let address = format!("http://x:{TOKEN}@127.0.0.1:1");
        assert!(!format!("{:?}", crate::Client::builder(&address)).contains(TOKEN));
        let client = crate::Client::builder("http://127.0.0.1:1")
            .token(Some(Token::from_file(&path).expect("a token")));
        let shown = format!("{client:?} {:?}", client.clone().build().expect("a client"));
        assert!(!shown.contains(TOKEN), "{shown}");
        let token = Token::from_text(TOKEN, TOKEN_VARIABLE).expect("a token");
        assert_eq!(format!("{token:?}"), r#"Token(Text("MEMQ_TOKEN"))"#);
        assert!(token.header().is_sensitive());
        let two = Token::from_text(&format!("{TOKEN} {TOKEN}"), TOKEN_VARIABLE);
        let error = two.expect_err("two words").to_string();
        assert!(!error.contains(TOKEN), "{error}");
    }

    #[test]
    fn the_first_line_of_a_file_is_the_token_and_nothing_else_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        let read = |text: &[u8]| {
            std::fs::write(&path, text).expect("it can be written");
            Token::from_file(&path).map(|token| token.header())
        };
        for text in ["abc", "abc\n", "abc\r\nanything else\n", "  abc \n"] {
            let header = read(text.as_bytes()).expect(text);
            assert_eq!(header, "Bearer abc", "{text:?}");
        }
        for (text, rule) in [
            (&b""[..], "empty"),
            (b"\nabc", "empty"),
            (b"admin abc\n", "the token alone"),
            (b"a\x01b", "visible ASCII"),
            ("ab\u{e9}".as_bytes(), "visible ASCII"),
            (b"\xff\xfe", "visible ASCII"),
            (&[b'x'; MAX_BYTES + 1], "longer than any"),
        ] {
            let error = read(text).expect_err(rule).to_string();
            let file = format!("there is no token in the file `{}`: ", path.display());
            assert!(error.starts_with(&file) && error.contains(rule), "{error}");
        }
        let missing = Token::from_file(dir.path().join("none")).expect_err("no file");
        assert!(matches!(missing, BadToken::Unreadable { .. }), "{missing}");
    }

    #[tokio::test]
    async fn a_refused_token_is_looked_for_again_where_it_came_from() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        std::fs::write(&path, "one").expect("it can be written");
        let token = Token::from_file(&path).expect("a token");
        let one = token.header();
        assert_eq!(token.newer(&one).await, None, "it is the same still");
        std::fs::write(&path, "two").expect("it can be written");
        assert_eq!(token.newer(&one).await.expect("another"), "Bearer two");
        std::fs::remove_file(&path).expect("it can be removed");
        assert_eq!(
            token.newer(&one).await.expect("another"),
            "Bearer two",
            "whoever was refused with the old one learns what others have read"
        );
        assert_eq!(token.newer(&token.header()).await, None, "it is gone");
        assert_eq!(token.header(), "Bearer two");
        assert!(token.header().is_sensitive());
        let fixed = Token::from_text("one", TOKEN_VARIABLE).expect("a token");
        assert_eq!(fixed.newer(&fixed.header()).await, None);
    }

    #[tokio::test]
    async fn a_pipe_is_read_once_and_not_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("a program").success());
        let writer = {
            let path = path.clone();
            std::thread::spawn(move || std::fs::write(path, TOKEN))
        };
        let token = Token::from_file(&path).expect("a token");
        writer.join().expect("no panic").expect("it can be written");
        let shown = token.header();
        let newer = tokio::time::timeout(Duration::from_secs(10), token.newer(&shown)).await;
        // Whoever waits there goes on, and the test can end.
        let _nobody_waits = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path);
        assert_eq!(newer.expect("no wait"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_may_pass_for_two_minutes_where_the_token_was_good_or_has_changed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        std::fs::write(&path, "one").expect("it can be written");
        let token = Token::from_file(&path).expect("a token");
        let may_pass = || token.may_pass(Duration::MAX);
        assert!(!may_pass(), "it may never have been one");
        token.accepted(&token.header());
        assert!(may_pass());
        tokio::time::advance(GRACE - Duration::from_millis(1)).await;
        assert!(may_pass());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!may_pass(), "it was waited out");
        token.accepted(&token.header());
        assert!(may_pass(), "another refusal is waited out anew");

        let token = Token::from_file(&path).expect("a token");
        let one = token.header();
        std::fs::write(&path, "two").expect("it can be written");
        token.newer(&one).await.expect("another");
        assert!(token.may_pass(Duration::MAX), "somebody changes tokens");
        tokio::time::advance(GRACE).await;
        token.accepted(&one);
        assert!(
            !token.may_pass(Duration::MAX),
            "an answer from before says nothing"
        );
        let fixed = Token::from_text("one", TOKEN_VARIABLE).expect("a token");
        fixed.accepted(&fixed.header());
        assert!(!fixed.may_pass(Duration::MAX), "it can never change");
    }
}
