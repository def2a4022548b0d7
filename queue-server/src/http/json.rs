//! JSON written by hand, for the few answers that are most of all answers: one pass into one buffer.
//!
//! serde spends 2,700 instructions on the answer to one enqueued item and 10,100 on a leased one, a
//! tenth and a quarter of what the request cost us; these take 420 and 2,600. Each answer's test holds
//! its bytes against those that serde writes. What this file does not know: what an answer says.

use std::cell::Cell;
use std::io::Write;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use queue_core::Time;

use crate::engine::timestamp;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Bytes of a date: `2026-02-28`.
const DATE_BYTES: usize = 10;
/// The last day that instants reach, 9999-12-30, counted from 1970. They end before it does.
const LAST_DAY: u64 = 2_932_895;

/// A string.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    // Looked through at once first: that takes a few instructions for sixteen bytes, and few strings
    // need an escape.
    if text
        .bytes()
        .fold(true, |plain, byte| plain & is_plain(byte))
    {
        out.extend_from_slice(text.as_bytes());
    } else {
        escape(text, is_plain, out);
    }
    out.push(b'"');
}

/// Bytes as Go's encoder writes a string: `<`, `>`, `&` and the two line separators escaped, each byte
/// that is no UTF-8 as U+FFFD.
pub(super) fn string_as_go(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if bytes
        .iter()
        .fold(true, |plain, byte| plain & is_plain_in_go(*byte))
    {
        out.extend_from_slice(bytes);
    } else {
        for chunk in bytes.utf8_chunks() {
            escape(chunk.valid(), is_plain_in_go, out);
            for _ in chunk.invalid() {
                out.extend_from_slice(b"\\ufffd");
            }
        }
    }
    out.push(b'"');
}

/// Whether a byte of a text stands for itself.
fn is_plain(byte: u8) -> bool {
    (byte >= b' ') & (byte != b'"') & (byte != b'\\')
}

/// The same in Go. Whatever is not ASCII is looked at: two separators are escaped.
fn is_plain_in_go(byte: u8) -> bool {
    is_plain(byte) & (byte < 0x80) & (byte != b'<') & (byte != b'>') & (byte != b'&')
}

/// A text with an escape where a character is not plain. The one place that knows escapes.
fn escape(mut text: &str, is_plain: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    while let Some(at) = text.bytes().position(|byte| !is_plain(byte)) {
        let (plain, rest) = text.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let Some(c) = rest.chars().next() else { break };
        text = &rest[c.len_utf8()..];
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => unicode(c, out),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.extend_from_slice(text.as_bytes());
}

fn unicode(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    hex(u64::from(u32::from(c)), 4, out);
}

/// Bytes as the field that [`queue_api::Body`] makes of them.
pub(super) fn body_field(bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            out.extend_from_slice(br#""body":"#);
            string(text, out);
        }
        Err(_) => {
            out.extend_from_slice(br#""body_base64":""#);
            out.extend_from_slice(BASE64_STANDARD.encode(bytes).as_bytes());
            out.push(b'"');
        }
    }
}

/// A number.
pub(super) fn number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// The id of an item as a string: what [`queue_api::ItemId::derive`] writes.
pub(super) fn item_id(incarnation: u64, sequence: u64, out: &mut Vec<u8>) {
    out.push(b'"');
    hex(incarnation, 16, out);
    hex(sequence, 16, out);
    out.push(b'"');
}

/// The last digits of a number in lower-case hexadecimal.
fn hex(number: u64, digits: u32, out: &mut Vec<u8>) {
    let mut text = [0; 16];
    let text = &mut text[..digits as usize];
    for (digit, shift) in text.iter_mut().zip((0..digits * 4).step_by(4).rev()) {
        *digit = b"0123456789abcdef"[(number >> shift & 0xf) as usize];
    }
    out.extend_from_slice(text);
}

/// An instant as a string, as [`timestamp`] writes it.
pub(super) fn time(at: Time, out: &mut Vec<u8>) {
    let (day, of_day) = (at.0 / DAY_MS, at.0 % DAY_MS);
    out.push(b'"');
    if day >= LAST_DAY {
        // Writing to memory does not fail.
        let _written = write!(out, "{}", timestamp(at));
    } else {
        out.extend_from_slice(&date(day));
        let (ms, seconds) = (of_day % 1000, of_day / 1000);
        for (mark, part) in [
            (b'T', seconds / 3600),
            (b':', seconds / 60 % 60),
            (b':', seconds % 60),
        ] {
            out.extend_from_slice(&[mark, tens(part), ones(part)]);
        }
        if ms > 0 {
            let fraction = [b'.', b'0' + (ms / 100) as u8, tens(ms), ones(ms)];
            let zeros = fraction
                .iter()
                .rev()
                .take_while(|digit| **digit == b'0')
                .count();
            out.extend_from_slice(&fraction[..fraction.len() - zeros]);
        }
        out.push(b'Z');
    }
    out.push(b'"');
}

fn tens(number: u64) -> u8 {
    b'0' + (number / 10 % 10) as u8
}

fn ones(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

/// The date of a day counted from 1970. The last one is kept: most instants of most answers lie on one
/// day, and the calendar stays jiff's.
fn date(day: u64) -> [u8; DATE_BYTES] {
    thread_local! {
        static LAST: Cell<(u64, [u8; DATE_BYTES])> = const { Cell::new((0, *b"1970-01-01")) };
    }
    let (last, text) = LAST.get();
    if last == day {
        return text;
    }
    let long = timestamp(Time(day * DAY_MS)).to_string();
    let text = std::array::from_fn(|at| long.as_bytes().get(at).copied().unwrap_or(b'0'));
    LAST.set((day, text));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use queue_api::{Body, ItemId};

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    fn serdes(value: &impl serde::Serialize) -> String {
        serde_json::to_string(value).expect("JSON")
    }

    proptest! {
        #[test]
        fn a_string_is_as_serde_writes_it(text in any::<String>()) {
            prop_assert_eq!(written(|out| string(&text, out)), serdes(&text));
        }

        #[test]
        fn a_body_is_as_serde_writes_it(bytes in any::<Vec<u8>>()) {
            let field = written(|out| body_field(&bytes, out));
            prop_assert_eq!(format!("{{{field}}}"), serdes(&Body(bytes)));
        }

        #[test]
        fn a_number_is_as_serde_writes_it(value in any::<u64>(), shift in 0..64) {
            let value = value >> shift;
            prop_assert_eq!(written(|out| number(value, out)), serdes(&value));
        }

        #[test]
        fn an_id_is_as_serde_writes_it(incarnation: u64, sequence: u64) {
            let id = ItemId::derive(incarnation, sequence);
            prop_assert_eq!(written(|out| item_id(incarnation, sequence, out)), serdes(&id));
        }

        #[test]
        fn an_instant_is_as_serde_writes_it(ms: u64, shift in 0..64, round in 0_u32..4) {
            let unit = 10_u64.pow(round);
            let at = Time((ms >> shift) / unit * unit);
            prop_assert_eq!(written(|out| time(at, out)), serdes(&timestamp(at)));
        }
    }

    #[test]
    fn every_ascii_character_is_as_serde_writes_it() {
        let text: String = (0..=127_u8).map(char::from).collect();
        assert_eq!(written(|out| string(&text, out)), serdes(&text));
        assert_eq!(written(|out| string("", out)), serdes(&""));
    }

    #[test]
    fn days_and_years_end_where_the_calendar_ends_them() {
        for day in [0, 1, 58, 59, 364, 365, 19_782, LAST_DAY - 1, LAST_DAY] {
            for ms in [0, 1, 10, 100, 999, 1_000, 59_999, 3_599_999, DAY_MS - 1] {
                let at = Time(day * DAY_MS + ms);
                assert_eq!(written(|out| time(at, out)), serdes(&timestamp(at)));
            }
        }
    }

    #[test]
    fn text_is_escaped_as_go_escapes_it() {
        for (bytes, text) in [
            (b"work-item-1".as_slice(), r#""work-item-1""#),
            (b"<a>&\"\\/", r#""\u003ca\u003e\u0026\"\\/""#),
            (
                b"\x00\n\r\t\x08\x0c\x1b\x7f",
                "\"\\u0000\\n\\r\\t\\b\\f\\u001b\x7f\"",
            ),
            ("é\u{2028}".as_bytes(), "\"é\\u2028\""),
            (b"a\xff\xfeb", r#""a\ufffd\ufffdb""#),
        ] {
            assert_eq!(written(|out| string_as_go(bytes, out)), text);
        }
    }
}
