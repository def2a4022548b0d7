//! The file of tokens, and what becomes of it while the server runs.
//!
//! It is looked at by its content: Kubernetes replaces a Secret by a link to another directory, whose times
//! say nothing. A file that can no longer be used changes nothing: who had a token keeps it, for a slip in
//! an editor should not stop every worker. Nor does one that is being written: it counts when two readings of
//! it are the same, and where no line feed ends it, so that its last token may be a part of one, when the next
//! look sees it so again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};
use tracing::{error, info};

use super::role::Role;
use super::tokens::{BadTokens, Digested, Tokens};
use telemetry::chain;

/// How often the file is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Shortest time between two looks, however many wrong tokens come.
const LOOK_PACE: Duration = Duration::from_secs(1);
/// Time between the two readings of a changed file that must be the same.
const SETTLE: Duration = Duration::from_millis(100);
/// Largest file that is read, in bytes: the most tokens, the longest, and as much again of comments.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// Name a file that is there and may be read.
    #[error("cannot read the file of tokens `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Mend the line that the cause names.
    #[error("the file of tokens `{}` is not as it should be", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: BadTokens,
    },
}

/// A file of tokens, and those that are valid now.
#[derive(Debug)]
pub(super) struct TokensFile {
    path: PathBuf,
    valid: watch::Sender<Arc<Tokens>>,
    last: Mutex<Look>,
}

/// What was seen when the file was looked at last.
#[derive(Debug)]
struct Look {
    at: Instant,
    /// Of the content; to see that it is another without keeping tokens.
    digest: [u8; 32],
    /// Of a later content that no line feed ends, which may be half written.
    unfinished: Option<[u8; 32]>,
    /// What was wrong, and was logged.
    fault: Option<String>,
}

/// What a look finds.
enum Found {
    /// What is valid already.
    Same,
    /// Something else, which may be half written.
    Unsettled,
    /// Other tokens.
    Changed { digest: [u8; 32], tokens: Tokens },
}

impl TokensFile {
    /// Reads the file for the first time.
    pub(super) fn open(path: &Path) -> Result<Self, TokensError> {
        let content = read(path)?;
        let tokens = parse(path, &content)?;
        let look = Look {
            at: Instant::now(),
            digest: Sha256::digest(&content).into(),
            unfinished: None,
            fault: None,
        };
        info!(file.path = %path.display(), token.count = tokens.len(), "calls need a token");
        Ok(Self {
            path: path.to_owned(),
            valid: watch::Sender::new(Arc::new(tokens)),
            last: Mutex::new(look),
        })
    }

    /// The role of a token, if it is valid now.
    pub(super) fn role_of(&self, token: Digested) -> Option<Role> {
        let valid = Arc::clone(&self.valid.borrow());
        valid.role_of(token)
    }

    /// The tokens that are valid, from now on.
    pub(super) fn valid(&self) -> watch::Receiver<Arc<Tokens>> {
        self.valid.subscribe()
    }

    /// Looks whether the file has changed, unless that was done a moment ago.
    pub(super) async fn look(&self) {
        let mut last = self.last.lock().await;
        if last.at.elapsed() < LOOK_PACE {
            return;
        }
        let found = self.find(&mut last).await;
        last.at = Instant::now();
        self.take(&mut last, found);
    }

    async fn find(&self, last: &mut Look) -> Result<Found, TokensError> {
        let content = self.read().await?;
        let digest: [u8; 32] = Sha256::digest(&content).into();
        if digest == last.digest {
            return Ok(Found::Same);
        }
        if content.ends_with(b"\n") {
            sleep(SETTLE).await;
            if self.read().await? != content {
                return Ok(Found::Unsettled);
            }
        } else if last.unfinished.replace(digest) != Some(digest) {
            return Ok(Found::Unsettled);
        }
        let tokens = parse(&self.path, &content)?;
        Ok(Found::Changed { digest, tokens })
    }

    async fn read(&self) -> Result<Vec<u8>, TokensError> {
        let path = self.path.clone();
        // A disk may take its time.
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        read.unwrap_or_else(|panicked| {
            Err(TokensError::Read {
                path: self.path.clone(),
                source: io::Error::other(panicked),
            })
        })
    }

    /// Makes of a look what it says.
    fn take(&self, last: &mut Look, found: Result<Found, TokensError>) {
        let path = self.path.display();
        match found {
            Ok(Found::Unsettled) => {}
            Ok(Found::Same) => {
                last.unfinished = None;
                if last.fault.take().is_some() {
                    info!(file.path = %path, "the file of tokens is as it was before");
                }
            }
            Ok(Found::Changed { digest, tokens }) => {
                info!(file.path = %path, token.count = tokens.len(), "the file of tokens has changed: these are valid now");
                (last.digest, last.unfinished, last.fault) = (digest, None, None);
                self.valid.send_replace(Arc::new(tokens));
            }
            Err(fault) => {
                let said = chain(&fault);
                if last.fault.as_ref() != Some(&said) {
                    error!(error.message = said, "the tokens from before stay valid");
                    last.fault = Some(said);
                }
            }
        }
    }
}

/// Whether a file can be used as one of tokens.
pub(crate) fn check_file(path: &Path) -> Result<(), TokensError> {
    parse(path, &read(path)?).map(drop)
}

fn read(path: &Path) -> Result<Vec<u8>, TokensError> {
    read_bounded(path).map_err(|source| TokensError::Read {
        path: path.to_owned(),
        source,
    })
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe can be read but once, and may never end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut content = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        let limit = format!("it has more than {MAX_FILE_BYTES} bytes");
        return Err(io::Error::other(limit));
    }
    Ok(content)
}

fn parse(path: &Path, content: &[u8]) -> Result<Tokens, TokensError> {
    Tokens::parse(content).map_err(|source| TokensError::Bad {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    const OLD: &[u8] = b"aaaaaaaaaaaaaaaa";
    const NEW: &[u8] = b"bbbbbbbbbbbbbbbb";

    /// A file that is read, in a time that only tests move.
    struct World {
        directory: TempDir,
        file: TokensFile,
    }

    impl World {
        fn begin() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("tokens");
            fs::write(&path, "read aaaaaaaaaaaaaaaa\n").expect("written");
            let file = TokensFile::open(&path).expect("a file of tokens");
            Self { directory, file }
        }

        async fn write(&self, text: &str) {
            fs::write(self.directory.path().join("tokens"), text).expect("written");
            self.look().await;
        }

        async fn look(&self) {
            tokio::time::advance(LOOK_PACE).await;
            self.file.look().await;
        }

        /// The roles of the old and the new token.
        fn roles(&self) -> (Option<Role>, Option<Role>) {
            let role = |token| self.file.role_of(Digested::of(token));
            (role(OLD), role(NEW))
        }

        async fn fault(&self) -> String {
            self.file
                .last
                .lock()
                .await
                .fault
                .clone()
                .unwrap_or_default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_file_counts_from_the_next_look_on() {
        let world = World::begin();
        assert_eq!(world.roles(), (Some(Role::Read), None));
        world.write("admin bbbbbbbbbbbbbbbb\n").await;
        assert_eq!(world.roles(), (None, Some(Role::Admin)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_turned_bad_changes_nothing_until_it_is_mended() {
        let world = World::begin();
        world.write("admin bbbb\n").await;
        assert_eq!(world.roles(), (Some(Role::Read), None));
        assert!(world.fault().await.contains("line 1"));
        world.write("read aaaaaaaaaaaaaaaa\n").await;
        assert_eq!(world.fault().await, "", "as it was before");
        world.write("# none\n").await;
        assert!(world.fault().await.contains("no token"));
        world.write("admin bbbbbbbbbbbbbbbb\n").await;
        assert_eq!(world.fault().await, "");
        assert_eq!(world.roles(), (None, Some(Role::Admin)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_of_a_token_does_not_count_while_the_file_is_written() {
        let world = World::begin();
        world
            .write("read aaaaaaaaaaaaaaaa\nadmin bbbbbbbbbbbbbbbb")
            .await;
        assert_eq!(world.roles(), (Some(Role::Read), None));
        world
            .write("read aaaaaaaaaaaaaaaa\nadmin bbbbbbbbbbbbbbbbcccc\n")
            .await;
        assert_eq!(world.roles(), (Some(Role::Read), None), "it was a part");
        world.write("admin bbbbbbbbbbbbbbbb").await;
        assert_eq!(world.roles(), (Some(Role::Read), None), "it may be one");
        world.look().await;
        assert_eq!(world.roles(), (None, Some(Role::Admin)), "it is whole");
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_changes_between_two_readings_is_left_for_the_next_look() {
        let world = World::begin();
        tokio::time::advance(LOOK_PACE).await;
        let path = world.directory.path().join("tokens");
        fs::write(&path, "admin bbbbbbbbbbbbbbbb\n").expect("written");
        let written = async {
            sleep(SETTLE / 2).await;
            let whole = "admin bbbbbbbbbbbbbbbb\nread aaaaaaaaaaaaaaaa\n";
            fs::write(&path, whole).expect("written");
        };
        // The time stands still while the file is read, so the first reading is done by then.
        tokio::join!(world.file.look(), written);
        assert_eq!(world.roles(), (Some(Role::Read), None));
        world.look().await;
        assert_eq!(world.roles(), (Some(Role::Read), Some(Role::Admin)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_went_away_changes_nothing() {
        let world = World::begin();
        fs::remove_file(world.directory.path().join("tokens")).expect("it was there");
        world.look().await;
        assert_eq!(world.roles(), (Some(Role::Read), None));
        assert!(world.fault().await.contains("cannot read"));
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_do_not_have_the_file_read_all_the_time() {
        let world = World::begin();
        world.look().await;
        let path = world.directory.path().join("tokens");
        fs::write(path, "admin bbbbbbbbbbbbbbbb\n").expect("written");
        world.file.look().await;
        assert_eq!(
            world.roles(),
            (Some(Role::Read), None),
            "a moment ago it was looked at"
        );
        world.look().await;
        assert_eq!(world.roles(), (None, Some(Role::Admin)));
    }

    #[test]
    fn what_is_no_file_of_tokens_is_refused_by_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tokens");
        let refused = |why: &str| {
            let said = chain(&check_file(&path).expect_err("no file of tokens"));
            assert!(said.contains("tokens`") && said.contains(why), "{said}");
        };
        refused("No such file");
        symlink(directory.path(), &path).expect("a link");
        refused("it is no file");
        fs::remove_file(&path).expect("it was there");
        fs::write(&path, vec![b'#'; MAX_FILE_BYTES as usize + 1]).expect("written");
        refused("more than 65536 bytes");
        fs::write(&path, "read a").expect("written");
        refused("line 1: the token has 1 characters");
        fs::write(&path, "read aaaaaaaaaaaaaaaa").expect("written");
        check_file(&path).expect("a file of tokens");
    }
}
