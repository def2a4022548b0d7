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
    /// A program, with its arguments, that is started once and given item after item as lines of JSON.
    Process(Vec<String>),
    /// An address that each item is sent to.
    Http(String),
    /// What the image runs by itself; nothing on one machine.
    Image,
}

/// The worker's own handlers.
pub(super) const BUILTINS: [&str; 4] = ["keygen", "sleep", "echo", "fail"];
/// Programs that read a text after `-c` as code.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"];

const COMMAND: &str = "a list: the program and its arguments, as [wc, -c, \"{}\"]; \
                       for a line of shell use `script`";

/// The fields that say what runs.
const KINDS: [&str; 5] = ["command", "script", "builtin", "process", "http"];
/// What an address looks like.
const ADDRESS: &str = "an address of HTTP: http://127.0.0.1:8000/item";

impl Handler {
    /// The field of a step that says what it runs, if one does.
    pub(crate) fn field<'f, 'a>(
        step: &'f Fields<'a>,
    ) -> Result<Option<(&'a str, &'f At<'a>)>, Fault> {
        step.at_most_one(&KINDS)
    }

    /// Reads what runs, for each item if there are `items`. `image` is whether there is one to run by
    /// itself.
    pub(crate) fn read(step: &Fields<'_>, items: bool, image: bool) -> Result<Self, Fault> {
        match Self::field(step)? {
            Some((kind, at)) => Self::of(kind, at, items),
            None if image && !items => Ok(Self::Image),
            None => {
                let what = if items {
                    "what runs for each item"
                } else {
                    "what to run"
                };
                let image = if items {
                    ""
                } else {
                    ", or an image that runs by itself: image: NAME"
                };
                step.one_of(
                    &KINDS,
                    &format!(
                        "give {what}: command: [PROGRAM, ARG…], script: TEXT, builtin: NAME, \
                         process: [PROGRAM, ARG…] or http: URL{image}"
                    ),
                )
                .and_then(|(kind, at)| Self::of(kind, at, items))
            }
        }
    }

    /// Reads what one field says.
    pub(crate) fn of(kind: &str, at: &At<'_>, items: bool) -> Result<Self, Fault> {
        match kind {
            "command" => command(at, items),
            "script" => script(at),
            "process" => process(at, items),
            "http" => http(at, items),
            _ => builtin(at, items),
        }
    }
}

fn script(at: &At<'_>) -> Result<Handler, Fault> {
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
    Ok(Handler::Script(text))
}

/// Refuses what handles items where there are none.
fn needs_items(at: &At<'_>, items: bool, what: &str) -> Result<(), Fault> {
    match items {
        true => Ok(()),
        false => Err(at.fault(
            format!("{what} handles items, and this step has none"),
            "give `items`, or a command or script in its place",
        )),
    }
}

fn process(at: &At<'_>, items: bool) -> Result<Handler, Fault> {
    needs_items(at, items, "a process that reads lines of JSON")?;
    match command(at, items)? {
        Handler::Command(words) if words.iter().any(|word| word == "{}") => Err(at.fault(
            "a process is given many items, and `{}` is one",
            "read each item from a line of standard input",
        )),
        Handler::Command(words) => Ok(Handler::Process(words)),
        other => Ok(other),
    }
}

fn http(at: &At<'_>, items: bool) -> Result<Handler, Fault> {
    needs_items(at, items, "an address")?;
    let url = at.text(ADDRESS)?;
    let host = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    match host {
        Some(host)
            if !host.is_empty() && !host.starts_with('/') && !url.contains(char::is_whitespace) =>
        {
            Ok(Handler::Http(url.to_owned()))
        }
        _ => Err(at.wrong(ADDRESS)),
    }
}

fn builtin(at: &At<'_>, items: bool) -> Result<Handler, Fault> {
    let wanted = BUILTINS.join(", ");
    let name = at.name(&wanted)?;
    if !BUILTINS.contains(&name) {
        return Err(at.fault(
            format!("there is no built-in handler `{name}`"),
            format!("give one of {wanted}"),
        ));
    }
    if !items {
        return Err(at.fault(
            "a built-in handles items, and this step has none",
            "give `items`, or a command or script in place of the built-in",
        ));
    }
    Ok(Handler::Builtin(name.to_owned()))
}

fn command(at: &At<'_>, items: bool) -> Result<Handler, Fault> {
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
    if let Some(index) = code_argument(&words).filter(|index| items && words[*index].contains("{}"))
    {
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
