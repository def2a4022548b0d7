//! The file of tokens, and what becomes of it while the server runs.
//!
//! It is looked at by its content: Kubernetes replaces a Secret by a link to another directory, whose times
//! say nothing. A file that can no longer be used changes nothing: who had a token keeps it, for a slip in
//! an editor should not stop every worker.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{error, info};

use super::role::Role;
use super::tokens::{BadTokens, Tokens};
use telemetry::chain;

/// How often the file is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Shortest time between two looks, however many wrong tokens come.
const LOOK_PACE: Duration = Duration::from_secs(1);
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
    valid: RwLock<Arc<Tokens>>,
    last: Mutex<Look>,
}

/// What was seen when the file was looked at last.
#[derive(Debug)]
struct Look {
    at: Instant,
    /// Of the content; to see that it is another without keeping tokens.
    digest: [u8; 32],
    /// What was wrong, and was logged.
    fault: Option<String>,
}

impl TokensFile {
    /// Reads the file for the first time.
    pub(super) fn open(path: &Path) -> Result<Self, TokensError> {
        let content = read(path)?;
        let tokens = parse(path, &content)?;
        let look = Look {
            at: Instant::now(),
            digest: Sha256::digest(&content).into(),
            fault: None,
        };
        info!(file.path = %path.display(), token.count = tokens.len(), "calls need a token");
        Ok(Self {
            path: path.to_owned(),
            valid: RwLock::new(Arc::new(tokens)),
            last: Mutex::new(look),
        })
    }

    /// The role of a token, if it is valid now.
    pub(super) fn role_of(&self, token: &[u8]) -> Option<Role> {
        let valid = self.valid.read().unwrap_or_else(PoisonError::into_inner);
        let valid = Arc::clone(&valid);
        valid.role_of(token)
    }

    /// Looks whether the file has changed, unless that was done a moment ago.
    pub(super) async fn look(&self) {
        let mut last = self.last.lock().await;
        if last.at.elapsed() < LOOK_PACE {
            return;
        }
        let path = self.path.clone();
        // A disk may take its time.
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        last.at = Instant::now();
        let content = read.unwrap_or_else(|panicked| {
            Err(TokensError::Read {
                path: self.path.clone(),
                source: io::Error::other(panicked),
            })
        });
        let read = content.and_then(|content| {
            let digest = Sha256::digest(&content).into();
            match digest == last.digest {
                true => Ok(None),
                false => parse(&self.path, &content).map(|tokens| Some((digest, tokens))),
            }
        });
        self.take(&mut last, read);
    }

    /// Makes of a look what it says.
    fn take(&self, last: &mut Look, read: Result<Option<([u8; 32], Tokens)>, TokensError>) {
        let path = self.path.display();
        match read {
            Ok(None) => {
                if last.fault.take().is_some() {
                    info!(file.path = %path, "the file of tokens is as it was before");
                }
            }
            Ok(Some((digest, tokens))) => {
                info!(file.path = %path, token.count = tokens.len(), "the file of tokens has changed: these are valid now");
                (last.digest, last.fault) = (digest, None);
                *self.valid.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
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
            fs::write(&path, "read aaaaaaaaaaaaaaaa").expect("written");
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
            (self.file.role_of(OLD), self.file.role_of(NEW))
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
        world.write("admin bbbbbbbbbbbbbbbb").await;
        assert_eq!(world.roles(), (None, Some(Role::Admin)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_turned_bad_changes_nothing_until_it_is_mended() {
        let world = World::begin();
        world.write("admin bbbb").await;
        assert_eq!(world.roles(), (Some(Role::Read), None));
        assert!(world.fault().await.contains("line 1"));
        world.write("read aaaaaaaaaaaaaaaa").await;
        assert_eq!(world.fault().await, "", "as it was before");
        world.write("").await;
        assert!(world.fault().await.contains("no token"));
        world.write("admin bbbbbbbbbbbbbbbb").await;
        assert_eq!(world.fault().await, "");
        assert_eq!(world.roles(), (None, Some(Role::Admin)));
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
        fs::write(path, "admin bbbbbbbbbbbbbbbb").expect("written");
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
