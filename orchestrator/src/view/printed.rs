//! What is written to standard output and standard error.
//!
//! Much of it was said by others: pods, workers, servers. A terminal obeys escape sequences, whoever wrote them, so what is
//! for people is stripped of them here, in the one place all of it comes through. A reader that went away is no error.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

/// Prints an answer for people.
pub(crate) fn print(text: &str) {
    put(&mut io::stdout(), text);
}

/// A line for whoever watches, on standard error.
pub(crate) fn say(text: &str) {
    put(&mut io::stderr(), text);
}

/// Prints an answer for programs, in one line.
pub(crate) fn print_json(value: &impl Serialize) -> serde_json::Result<()> {
    let text = ascii_controls(&serde_json::to_string(value)?);
    let _gone = writeln!(io::stdout(), "{text}");
    Ok(())
}

/// Text that a terminal only shows: what would command it is replaced, but line ends and tabs.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let commands = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(commands) {
        return text.into();
    }
    // A line end of other systems is one, too.
    let text = text.replace("\r\n", "\n");
    text.replace(commands, "\u{fffd}").into()
}

/// Writes a text for people.
pub(crate) fn put(out: &mut impl Write, text: &str) {
    let _gone = writeln!(out, "{}", plain(text).trim_end());
}

/// The same JSON, with those control characters escaped that JSON allows to stand as they are.
fn ascii_controls(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() {
            // A String takes whatever is written to it.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_commands() {
        for (said, shown) in [
            (
                "plain: ä€, \ttabs\nand lines",
                "plain: ä€, \ttabs\nand lines",
            ),
            ("\x1b]52;c;cm0gLXJm\x07", "\u{fffd}]52;c;cm0gLXJm\u{fffd}"),
            ("10%\r20%\r\ndone\r\n", "10%\u{fffd}20%\ndone\n"),
            (
                "a\u{8}b\u{7f}c\u{9b}2Jd\0",
                "a\u{fffd}b\u{fffd}c\u{fffd}2Jd\u{fffd}",
            ),
        ] {
            assert_eq!(plain(said), shown, "{said:?}");
        }
        let mut out = Vec::new();
        put(&mut out, "\x1b[2Jgone?\n\n");
        assert_eq!(String::from_utf8_lossy(&out), "\u{fffd}[2Jgone?\n");
    }

    #[test]
    fn a_program_gets_what_was_said_without_a_command_on_the_way() {
        let said = "\x1b]52;\u{7f}\u{9b}2J\n";
        let json = ascii_controls(&serde_json::to_string(said).expect("JSON"));
        assert!(!json.contains(char::is_control), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), said);
    }
}
