//! One stream of a program: its lines told one by one, its beginning and its end kept, its last line
//! remembered. Bounded whatever the program does.

/// Kept of the beginning of a stream, in bytes of text: where the cause of a failure often stands.
const HEAD: usize = 4 * 1024;
/// Kept of the end of a stream, in bytes of text.
const TAIL: usize = 60 * 1024;
/// Longest line that is remembered; the rest of a longer one is dropped. One byte more than a result
/// may have, so that a line too long for one is seen to be.
const MAX_LINE: usize = crate::verdict::MAX_RESULT_BYTES + 1;

/// What a program said on one stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    head: Vec<u8>,
    /// Between [`TAIL`] and twice as much, so that it is cut rarely.
    tail: Vec<u8>,
    dropped: u64,
    line: Vec<u8>,
    last_line: Vec<u8>,
}

impl Stream {
    /// Takes in what was read; each line that ends in it goes to `log`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut log: impl FnMut(&str)) {
        self.keep(bytes);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = MAX_LINE - self.line.len().min(MAX_LINE);
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.end_line(&mut log);
            }
        }
    }

    /// The stream ended: what stands there without a line end is a line too.
    pub(crate) fn finish(&mut self, mut log: impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.end_line(&mut log);
        }
    }

    fn end_line(&mut self, log: &mut impl FnMut(&str)) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        log(&String::from_utf8_lossy(line));
        if !line.trim_ascii().is_empty() {
            self.last_line = line.to_vec();
        }
        self.line.clear();
    }

    fn keep(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * TAIL {
            self.cut_tail();
        }
    }

    fn cut_tail(&mut self) {
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
    }

    /// The last line that is not empty.
    pub(crate) fn last_line(&self) -> Option<&[u8]> {
        (!self.last_line.is_empty()).then_some(&self.last_line[..])
    }

    /// The beginning and the end as text, and between them how much is missing.
    pub(crate) fn kept(&mut self) -> String {
        self.cut_tail();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (mut head, tail) = if self.dropped == 0 {
            // Nothing is missing between the two, and a character may stand across.
            let mut head = text(&[&self.head[..], &self.tail].concat());
            let tail = head.split_off(head.floor_char_boundary(HEAD));
            (head, tail)
        } else {
            (text(&self.head), text(&self.tail))
        };
        // What is no text grows when it is made some.
        let head_ends = head.floor_char_boundary(HEAD);
        let tail_begins = tail.ceil_char_boundary(tail.len().saturating_sub(TAIL));
        let grown = head.len() - head_ends + tail_begins;
        let left_out = self.dropped + grown as u64;
        head.truncate(head_ends);
        if left_out > 0 {
            head.push_str(&format!("\n[{left_out} bytes left out]\n"));
        }
        head.push_str(&tail[tail_begins..]);
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> (Stream, Vec<String>) {
        let (mut stream, mut lines) = (Stream::default(), Vec::new());
        for chunk in chunks {
            stream.push(chunk, |line| lines.push(line.to_owned()));
        }
        stream.finish(|line| lines.push(line.to_owned()));
        (stream, lines)
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let (stream, lines) = lines_of(&[b"on", b"e\ntw", b"o\r\n\n", b"three"]);
        assert_eq!(lines, ["one", "two", "", "three"]);
        assert_eq!(stream.last_line(), Some(&b"three"[..]));
    }

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        assert_eq!(
            lines_of(&[b"result\n\n  \n"]).0.last_line(),
            Some(&b"result"[..])
        );
        assert_eq!(lines_of(&[b"\n\n"]).0.last_line(), None);
        assert_eq!(lines_of(&[]).0.last_line(), None);
    }

    #[test]
    fn the_beginning_and_the_end_are_kept_and_the_gap_is_named() {
        let (mut all, _) = lines_of(&[&[b'a'; HEAD], &[b'b'; TAIL]]);
        assert_eq!(all.kept().len(), HEAD + TAIL);
        let (mut more, _) = lines_of(&[&[b'a'; HEAD], b"x", &[b'b'; TAIL]]);
        let kept = more.kept();
        assert!(
            kept.contains("a\n[1 bytes left out]\nb"),
            "{}",
            &kept[HEAD - 9..HEAD + 40]
        );

        let mut long = Stream::default();
        for _ in 0..1_000 {
            long.push(&[b'z'; 1_000], |_| {});
        }
        assert!(long.tail.len() <= 2 * TAIL);
        assert!(
            long.kept()
                .contains(&format!("[{} bytes left out]", 1_000_000 - HEAD - TAIL))
        );
    }

    #[test]
    fn bytes_that_are_no_text_take_no_more_room_than_text() {
        let (mut some, _) = lines_of(&[&[0xff; 30_000], b"last words"]);
        let (mut many, _) = lines_of(&[&[0xff; 300_000], b"last words"]);
        for stream in [&mut some, &mut many] {
            let kept = stream.kept();
            assert!(kept.len() <= HEAD + TAIL + 40, "{}", kept.len());
            assert!(kept.ends_with("\u{fffd}last words"));
            assert!(kept.contains("bytes left out]"));
        }
        let (mut across, _) = lines_of(&[&[b'a'; HEAD - 1], "\u{e9}b".as_bytes()]);
        assert!(across.kept().ends_with("a\u{e9}b"));
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_than_its_share() {
        let (stream, lines) = lines_of(&[&[b'a'; MAX_LINE], b"b", b"c\n", b"next\n"]);
        assert_eq!((lines[0].len(), lines[1].as_str()), (MAX_LINE, "next"));
        assert_eq!(stream.last_line(), Some(&b"next"[..]));
    }
}
