//! Lines of a text as items: as they are, or as JSON that says what each item is.

use std::io::{BufRead, Read as _};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use queue_api::Options;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::FeedError;
use super::source::MAX_BODY_BYTES;

/// Lines, ended by LF, one CR before it dropped, empty ones skipped.
#[derive(Debug)]
pub struct LineReader<R> {
    reader: R,
    name: String,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> LineReader<R> {
    /// Reads from here; errors call it by this name.
    pub fn new(reader: R, name: impl Into<String>) -> Self {
        Self {
            reader,
            name: name.into(),
            line: Vec::new(),
            number: 0,
        }
    }

    /// The next line that is not empty, with its number; none at the end.
    pub fn read(&mut self) -> Result<Option<(u64, &[u8])>, FeedError> {
        loop {
            self.line.clear();
            let most = MAX_BODY_BYTES as u64 + 2;
            let read = (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut self.line);
            let length = read.map_err(|source| FeedError::Read {
                name: self.name.clone(),
                source,
            })?;
            if length == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            if self.line.len() > MAX_BODY_BYTES {
                return Err(FeedError::TooLong {
                    name: self.name.clone(),
                    line: self.number,
                });
            }
            if !self.line.is_empty() {
                return Ok(Some((self.number, &self.line)));
            }
        }
    }
}

/// A line of JSON that says what an item is, as the server reads it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    body_base64: Option<String>,
    delay_ms: Option<u64>,
    priority: Option<i16>,
    key: Option<String>,
    group: Option<String>,
    ttl_ms: Option<u64>,
}

/// The body and the options of an item that a line of JSON describes. An error says what is wrong with it.
pub(super) fn described(line: &[u8]) -> Result<(Vec<u8>, Options), String> {
    let written: Written<'_> = serde_json::from_slice(line).map_err(|error| {
        let error = error.to_string();
        // There is but one line, and its number is told already.
        let short = error.replace(" at line 1 column ", " at column ");
        match short.contains("unknown field") {
            true => format!(
                "is refused: {short}; a line that is an item as it stands goes with `lines`, in `memq load` with `--lines`"
            ),
            false => format!("is refused: {short}"),
        }
    })?;
    let body = match (written.body, written.body_base64) {
        (Some(body), None) if body.get().starts_with('"') => {
            let text: String =
                serde_json::from_str(body.get()).map_err(|error| format!("is refused: {error}"))?;
            text.into_bytes()
        }
        (Some(body), None) => body.get().as_bytes().to_vec(),
        (None, Some(text)) => BASE64_STANDARD
            .decode(text)
            .map_err(|error| format!("is refused: its body_base64 is not base64: {error}"))?,
        (None, None) => return Err("is refused: it has neither `body` nor `body_base64`".into()),
        (Some(_), Some(_)) => return Err("is refused: it has both `body` and `body_base64`".into()),
    };
    let Written {
        delay_ms,
        priority,
        key,
        group,
        ttl_ms,
        ..
    } = written;
    Ok((
        body,
        Options {
            delay_ms,
            priority,
            key,
            group,
            ttl_ms,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_items_as_the_server_reads_them() {
        let text = b"a\r\n\n b \r\r\n\r\nlast";
        let mut lines = LineReader::new(text.as_slice(), "text");
        let mut got = Vec::new();
        while let Some((number, line)) = lines.read().expect("lines") {
            got.push((number, String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(
            got,
            [(1, "a".into()), (3, " b \r".into()), (5, "last".into())]
        );
    }

    #[test]
    fn a_line_one_past_the_limit_is_refused_by_its_number() {
        let mut text = b"short\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', MAX_BODY_BYTES));
        text.extend(b"\n");
        let mut lines = LineReader::new(text.as_slice(), "text");
        lines.read().expect("a line");
        assert!(matches!(lines.read(), Ok(Some((2, line))) if line.len() == MAX_BODY_BYTES));
        text.insert(6, b'x');
        let mut lines = LineReader::new(text.as_slice(), "text");
        lines.read().expect("a line");
        assert!(matches!(
            lines.read(),
            Err(FeedError::TooLong { line: 2, .. })
        ));
    }

    #[test]
    fn a_line_of_json_is_a_body_with_options() {
        let read = |line: &str| described(line.as_bytes());
        let (body, options) = read(r#"{"body":"a\n","key":"k","priority":-2}"#).expect("an item");
        assert_eq!(
            (body.as_slice(), options.key.as_deref()),
            (b"a\n".as_slice(), Some("k"))
        );
        assert_eq!(options.priority, Some(-2));
        let (body, _) = read(r#"{"body": {"n": 1,  "x": [1.0]} }"#).expect("an item");
        assert_eq!(body, br#"{"n": 1,  "x": [1.0]}"#, "as it is written");
        assert_eq!(
            read(r#"{"body_base64":"/w=="}"#).expect("an item").0,
            [0xff]
        );
        for (line, said) in [
            (r#"{"id": 1}"#, "goes with `lines`"),
            (r#"{"key":"a"}"#, "neither `body` nor `body_base64`"),
            (r#"{"body":null}"#, "neither"),
            (r#"{"body":"a","body_base64":""}"#, "both"),
            (r#"{"body":"a","priority":40000}"#, "at column"),
            ("nothing", "is refused: "),
        ] {
            let why = read(line).expect_err(line);
            assert!(why.contains(said), "{line}: {why}");
        }
    }
}
