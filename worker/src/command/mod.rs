//! A command as a handler: started anew for each item.
//!
//! `once` runs it for one item, `files` are those of that item. What a handler sees and how it answers
//! is laid down in docs/handlers.md; leases and wires are not known here.

mod files;
mod once;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use self::files::Folder;
use crate::child::{NotRunnable, Program};

/// The whole argument that stands for the item.
const PLACEHOLDER: &str = "{}";

/// A command that is started for each item.
#[derive(Debug)]
pub(crate) struct PerItem {
    program: Program,
    /// Exit codes that mean that the item can never work.
    dead_on: Vec<i32>,
    files: Folder,
}

impl PerItem {
    /// Makes what the command needs of its surroundings.
    pub(crate) fn new(program: Program, dead_on: Vec<i32>) -> Result<Self, NotRunnable> {
        Ok(Self {
            program,
            dead_on,
            files: Folder::make()?,
        })
    }

    /// The arguments for an item. The item is put only where it is a whole argument: inside another
    /// one it could change what that one means.
    fn arguments_for<'a>(&'a self, body: &'a [u8]) -> impl Iterator<Item = &'a OsStr> {
        let arguments = self.program.arguments();
        arguments.map(move |argument| match argument == PLACEHOLDER {
            true => OsStr::from_bytes(body),
            false => argument,
        })
    }

    /// An argument that has the placeholder inside and will be passed as it is.
    pub(crate) fn misplaced(&self) -> Option<&OsStr> {
        self.program.arguments().find(|argument| {
            let mut pairs = argument.as_bytes().windows(2);
            *argument != PLACEHOLDER && pairs.any(|pair| pair == PLACEHOLDER.as_bytes())
        })
    }

    /// Whether the item goes into the arguments.
    fn takes_item_as_argument(&self) -> bool {
        let mut arguments = self.program.arguments();
        arguments.any(|argument| argument == PLACEHOLDER)
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::testing::lease;
    use crate::verdict::Verdict;

    fn command(words: &[&str]) -> PerItem {
        let words: Vec<_> = words.iter().map(Into::into).collect();
        let program = Program::find(&words, Vec::new()).expect("a shell");
        PerItem::new(program, vec![65]).expect("a folder")
    }

    #[tokio::test]
    async fn a_command_finds_what_is_known_of_its_item() {
        let script = r#"echo "$MEMQ_ITEM_ID $MEMQ_ATTEMPT $MEMQ_PRIORITY $MEMQ_ITEM_KEY $MEMQ_ITEM_GROUP $TRACEPARENT $TRACESTATE""#;
        let never = std::future::pending();
        let kill = CancellationToken::new();
        let command = command(&["sh", "-c", script]);
        let verdict = command.handle(&lease("1"), never, &kill).await;
        let Verdict::Ack { result, .. } = verdict else {
            panic!("{verdict:?}")
        };
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 a=1";
        let expected = format!("0123456789abcdef0123456789abcdef 3 -5 user/42 customer a {trace}");
        assert_eq!(result, Some(expected));
    }

    #[test]
    fn the_item_is_put_only_where_it_is_a_whole_argument() {
        let full = command(&["sh", "-c", "echo {}", "{}", "x{}"]);
        let arguments: Vec<_> = full.arguments_for(b"; rm -rf /").collect();
        assert_eq!(arguments, ["-c", "echo {}", "; rm -rf /", "x{}"]);
        assert!(full.takes_item_as_argument());
        assert_eq!(full.misplaced(), Some(OsStr::new("echo {}")));
        assert!(!command(&["sh", "-c", "echo {}"]).takes_item_as_argument());
    }
}
