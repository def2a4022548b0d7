//! What a step runs: a command, a script, a built-in, or what its image does by itself.

use super::cursor::{At, Fields};
use super::fault::Fault;

/// What a step runs; with items, for each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// A program and its arguments; an argument that is `{}` is the item.
    Command(Vec<String>),
    /// The text of a script, run from a file: by `sh`, or by whatever its `#!` line names.
    Script(String),
    /// One of the worker's own.
    Builtin(String),
    /// What the image runs by itself; nothing on one machine.
    Image,
}

/// The worker's own handlers.
const BUILTINS: [&str; 4] = ["keygen", "sleep", "echo", "fail"];
/// Programs that read a text after `-c` as code.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"];

const COMMAND: &str = "a list: the program and its arguments, as [wc, -c, \"{}\"]; \
                       for a line of shell use `script`";

impl Handler {
    pub(crate) fn read(step: &Fields<'_>) -> Result<Self, Fault> {
        let wanted = "give what runs for each item: command: [PROGRAM, ARG…], script: TEXT \
                      or builtin: NAME";
        let (kind, at) = step.one_of(&["command", "script", "builtin"], wanted)?;
        match kind {
            "command" => command(at),
            "script" => {
                let text = at.text("the text of a script")?;
                if text.trim().is_empty() {
                    return Err(at.fault("the script is empty", ""));
                }
                if has_nul(text) {
                    return Err(at.fault("the script holds a NUL byte", ""));
                }
                let mut text = text.to_owned();
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                Ok(Self::Script(text))
            }
            _ => {
                let wanted = BUILTINS.join(", ");
                let name = at.text(&wanted)?;
                if BUILTINS.contains(&name) {
                    Ok(Self::Builtin(name.to_owned()))
                } else {
                    Err(at.fault(
                        format!("there is no built-in handler `{name}`"),
                        format!("give one of {wanted}"),
                    ))
                }
            }
        }
    }
}

fn command(at: &At<'_>) -> Result<Handler, Fault> {
    let list = at.list(COMMAND)?;
    let words = list
        .iter()
        .map(|word| word.text("a text: one argument").map(str::to_owned))
        .collect::<Result<Vec<_>, _>>()?;
    if words.first().is_none_or(String::is_empty) {
        return Err(at.fault("the command is empty", format!("give {COMMAND}")));
    }
    if let Some(index) = words.iter().position(|word| has_nul(word)) {
        return Err(list[index].fault("an argument cannot hold a NUL byte", ""));
    }
    if let Some(index) = code_argument(&words).filter(|index| words[*index].contains("{}")) {
        return Err(list[index].fault(
            "`{}` inside the code of a shell would let an item run commands of its own",
            "write \"$MEMQ_ITEM\" in its place, with the double quotes; or pass {} as an \
             argument of its own after the code and read it as \"$1\"; or use `script`",
        ));
    }
    Ok(Handler::Command(words))
}

/// The place of the text that a shell would run as code, if the command is a shell's.
fn code_argument(words: &[String]) -> Option<usize> {
    let shell = words.iter().position(|word| {
        let program = word.rsplit('/').next().unwrap_or(word);
        SHELLS.contains(&program)
    })?;
    let is_c = |word: &String| {
        word.strip_prefix('-')
            .is_some_and(|flags| !flags.starts_with('-') && flags.contains('c'))
    };
    let option = words[shell + 1..].iter().position(is_c)? + shell + 1;
    (option + 1 < words.len()).then_some(option + 1)
}

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}
