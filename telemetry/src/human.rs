//! How the fields of a line are written for people: `name=value`, the value in quotes where it would not be clear
//! without them where it ends, and only there.
//!
//! Which fields there are is for `fields` to say, and how JSON writes them is known elsewhere.

use std::borrow::Cow;
use std::fmt::{self, Debug};

use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::fields::OF_LIBRARIES;

/// Slanted, faint, and as before, for a terminal.
const SLANTED: &str = "\x1b[3m";
const FAINT: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Writes the fields of a line.
pub(crate) fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    debug_fn(write).delimited(" ")
}

fn write(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let name = field.name();
    if name == "message" {
        return write!(writer, "{value:?}");
    }
    // Those are in the line already.
    if OF_LIBRARIES.iter().any(|known| known.name == name) {
        return Ok(());
    }
    let text = format!("{value:?}");
    let text = clear(&text);
    match writer.has_ansi_escapes() {
        true => write!(writer, "{SLANTED}{name}{PLAIN}{FAINT}={PLAIN}{text}"),
        false => write!(writer, "{name}={text}"),
    }
}

/// A value that was written as what it is, or as a literal in quotes: with quotes if it needs them.
fn clear(text: &str) -> Cow<'_, str> {
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    match quoted {
        Some(inner) if is_clear(inner) => inner.into(),
        Some(_) => text.into(),
        None if is_clear(text) => text.into(),
        None => format!("{text:?}").into(),
    }
}

fn is_clear(text: &str) -> bool {
    let unclear = |c: char| c.is_whitespace() || c.is_control() || "\"\\=".contains(c);
    !text.is_empty() && !text.contains(unclear)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a writer").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(ansi: bool, say: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .fmt_fields(fields())
            .with_writer(move || writer.clone())
            .with_ansi(ansi)
            .with_target(false)
            .without_time()
            .finish();
        tracing::subscriber::with_default(log, say);
        let lines = lines.0.lock().expect("lines").clone();
        String::from_utf8(lines).expect("text")
    }

    #[test]
    fn a_field_looks_the_same_however_it_is_passed() {
        let id = "0af7651916cd43dd";
        let line = |say: &dyn Fn()| said(false, say).trim().to_owned();
        let expected = "INFO done trace.id=0af7651916cd43dd item.attempt=1";
        for said in [
            line(&|| tracing::info!(trace.id = id, item.attempt = 1, "done")),
            line(&|| tracing::info!(trace.id = %id, item.attempt = 1, "done")),
            line(&|| tracing::info!(trace.id = Some(id), item.attempt = 1, "done")),
        ] {
            assert_eq!(said, expected);
        }
        let nothing = line(&|| tracing::info!(trace.id = None::<&str>, item.attempt = 1, "done"));
        assert_eq!(nothing, "INFO done item.attempt=1");
    }

    #[test]
    fn what_has_a_blank_or_nothing_in_it_is_in_quotes() {
        let failure = "cannot open \"q\": no such file";
        let expected = r#"INFO failed error.message="cannot open \"q\": no such file" item.id="""#;
        for line in [
            said(false, || {
                tracing::info!(error.message = failure, item.id = "", "failed");
            }),
            said(
                false,
                || tracing::info!(error.message = %failure, item.id = %"", "failed"),
            ),
        ] {
            assert_eq!(line.trim(), expected);
        }
    }

    #[test]
    fn what_the_server_says_of_its_log_is_not_taken_for_a_librarys() {
        let line = said(false, || {
            tracing::info!(log.bytes = 7, log.target = "a library", "compacted");
        });
        assert_eq!(line.trim(), "INFO compacted log.bytes=7");
    }

    #[test]
    fn a_terminal_shows_names_and_values_apart() {
        let line = said(true, || tracing::info!(item.id = "a", "done"));
        assert!(
            line.contains("\x1b[3mitem.id\x1b[0m\x1b[2m=\x1b[0ma"),
            "{line:?}"
        );
    }
}
