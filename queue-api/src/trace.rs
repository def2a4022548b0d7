//! The trace that an item belongs to: W3C trace context, as `traceparent` and `tracestate` carry it.
//!
//! It does not know what spans are, who records them, or where they go. Trace context never makes work
//! fail: what is not well formed counts as absent.

use std::fmt;
use std::sync::Arc;

use crate::limits::{MAX_TRACESTATE_BYTES, MAX_TRACESTATE_MEMBERS};

/// Header and field that name a trace and the span in it that came before.
pub const TRACEPARENT: &str = "traceparent";
/// Header and field with what tracing systems add to it, each for itself.
pub const TRACESTATE: &str = "tracestate";

/// Bytes of `00-` trace id `-` span id `-` flags.
const PARENT_BYTES: usize = 55;
/// Where the trace's id stands in it, and the span's.
const TRACE_ID: std::ops::Range<usize> = 3..35;
const SPAN_ID: std::ops::Range<usize> = 36..52;
/// Longest key of a member of `tracestate`, and longest value.
const MEMBER_BYTES: usize = 256;
/// A longer member is the first to go where there is no room for all.
const LONG_MEMBER_BYTES: usize = 128;

/// A place in a trace. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trace {
    /// The `traceparent`, and behind a space the `tracestate`, if there is one.
    text: Arc<str>,
}

impl Trace {
    /// Where the trace's id stands in a `traceparent`.
    pub(crate) const ID: std::ops::Range<usize> = TRACE_ID;

    /// What the two headers say; `None` where the first is not well formed. A second that is not, or that
    /// has more members than a tracing system must pass on, is left out or cut, as the standard says.
    ///
    /// A header of a later version than 00 is read as far as 00 goes.
    #[must_use]
    pub fn new(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let parent = read_parent(traceparent.trim_matches([' ', '\t']))?;
        let state = tracestate.map(read_state).unwrap_or_default();
        let text = match state.is_empty() {
            true => format!("00{parent}"),
            false => format!("00{parent} {state}"),
        };
        Some(Self { text: text.into() })
    }

    /// From [`Trace::text`].
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            Some((parent, state)) => Self::new(parent, Some(state)),
            None => Self::new(text, None),
        }
    }

    /// All of it in one text, from which [`Trace::from_text`] reads it again.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The value of the header `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> &str {
        &self.text[..PARENT_BYTES]
    }

    /// The value of the header `tracestate`, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.text.get(PARENT_BYTES + 1..)
    }

    /// The trace's id: 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.text[TRACE_ID]
    }

    /// The id of the span that came before: 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        &self.text[SPAN_ID]
    }

    /// The same trace, another place in it: `span_id` is 16 lower-case hexadecimal digits that are not all
    /// zero; `None` of any other.
    #[must_use]
    pub fn at(&self, span_id: &str) -> Option<Self> {
        let flags = &self.text[SPAN_ID.end..PARENT_BYTES];
        let parent = format!("00-{}-{span_id}{flags}", self.trace_id());
        Self::new(&parent, self.tracestate())
    }
}

/// The header `traceparent`.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.traceparent())
    }
}

/// What follows the version of a header that is well formed, as far as version 00 knows it.
fn read_parent(header: &str) -> Option<&str> {
    let version = header.get(..2).filter(|text| is_hex(text))?;
    let rest = header.get(2..PARENT_BYTES)?;
    let ends = match version {
        "ff" => false,
        "00" => header.len() == PARENT_BYTES,
        _ => matches!(header.as_bytes().get(PARENT_BYTES), None | Some(b'-')),
    };
    let mut parts = rest.strip_prefix('-')?.split('-');
    let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id =
        |id: &str, digits| id.len() == digits && is_hex(id) && !id.bytes().all(|b| b == b'0');
    let whole = flags.len() == 2 && is_hex(flags) && parts.next().is_none();
    (ends && whole && is_id(trace, TRACE_ID.len()) && is_id(span, SPAN_ID.len())).then_some(rest)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The members of a `tracestate`, as many as fit; none where one is not well formed.
fn read_state(header: &str) -> String {
    let members = header
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']));
    let mut members: Vec<&str> = members.filter(|member| !member.is_empty()).collect();
    if members.len() > MAX_TRACESTATE_MEMBERS || !members.iter().all(|member| is_member(member)) {
        return String::new();
    }
    loop {
        let state = members.join(",");
        if state.len() <= MAX_TRACESTATE_BYTES {
            return state;
        }
        // What goes first is for the standard to say: the long ones, so that one system leaves the others room,
        // then the last, who wrote longest ago.
        let is_long = |member: &&str| member.len() > LONG_MEMBER_BYTES;
        match members.iter().rposition(is_long) {
            Some(long) => drop(members.remove(long)),
            None => drop(members.pop()),
        }
    }
}

fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else {
        return false;
    };
    let is_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    let begins = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_value = |b: u8| (b' '..=b'~').contains(&b) && b != b'=';
    (1..=MEMBER_BYTES).contains(&key.len())
        && (1..=MEMBER_BYTES).contains(&value.len())
        && key.as_bytes().first().is_some_and(begins)
        && key.bytes().all(is_key)
        && value.bytes().all(is_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(header: &str) -> Option<String> {
        Trace::new(header, None).map(|trace| trace.traceparent().to_owned())
    }

    #[test]
    fn a_header_names_a_trace_and_a_place_in_it() {
        let trace = Trace::new(PARENT, Some("rojo=00f067,congo=t61 x")).expect("a trace");
        assert_eq!(trace.traceparent(), PARENT);
        assert_eq!(trace.tracestate(), Some("rojo=00f067,congo=t61 x"));
        assert_eq!(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.span_id(), "b7ad6b7169203331");
        assert_eq!(Trace::from_text(trace.text()), Some(trace.clone()));
        let next = trace.at("00000000000000aa").expect("a place");
        let expected = "00-0af7651916cd43dd8448eb211c80319c-00000000000000aa-01";
        assert_eq!(next.to_string(), expected);
        assert_eq!(next.tracestate(), trace.tracestate());
        assert_eq!(trace.at("0000000000000000"), None);
    }

    #[test]
    fn a_header_that_is_not_well_formed_counts_as_absent() {
        let zero_trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let zero_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        for bad in [
            "",
            "00",
            "é",
            &PARENT[..54],
            &format!("{PARENT}-"),
            &format!("{PARENT}0"),
            &format!("{PARENT}, {PARENT}"),
            &PARENT.to_uppercase(),
            &PARENT.replacen("00", "ff", 1),
            &PARENT.replacen("00", "0x", 1),
            &PARENT.replace("-01", "-0g"),
            &PARENT.replacen("-b7", "_b7", 1),
            &PARENT.replacen("c-b", "-cb", 1),
            &format!("cc{}.later", &PARENT[2..]),
            zero_trace,
            zero_span,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_this_one_goes() {
        for later in [
            format!("cc{}", &PARENT[2..]),
            format!("cc{}-what-the-future-brings", &PARENT[2..]),
            format!(" {PARENT}\t"),
        ] {
            assert_eq!(read(&later).as_deref(), Some(PARENT), "{later}");
        }
    }

    #[test]
    fn a_state_is_kept_as_far_as_it_is_well_formed_and_fits() {
        let state = |text: &str| {
            let trace = Trace::new(PARENT, Some(text)).expect("a trace");
            trace.tracestate().map(str::to_owned)
        };
        assert_eq!(state("a=1 , b=2,,\tc@d=3"), Some("a=1,b=2,c@d=3".into()));
        for bad in [
            "", " ", "a", "A=1", "a=", "=1", "a=1=2", "a=é", "a=1,b", "-a=1",
        ] {
            assert_eq!(state(bad), None, "{bad}");
        }
        let many = |count| vec!["a=1"; count].join(",");
        assert_eq!(
            state(&many(MAX_TRACESTATE_MEMBERS)),
            Some(many(MAX_TRACESTATE_MEMBERS))
        );
        assert_eq!(state(&many(MAX_TRACESTATE_MEMBERS + 1)), None);
    }

    #[test]
    fn a_state_that_is_too_long_loses_its_long_members_and_then_its_last() {
        let member =
            |key: &str, bytes: usize| format!("{key}={}", "x".repeat(bytes - key.len() - 1));
        let state = |members: &[String]| {
            let trace = Trace::new(PARENT, Some(&members.join(","))).expect("a trace");
            let kept = trace.tracestate().unwrap_or_default();
            let keys = kept
                .split(',')
                .filter_map(|member| Some(member.split_once('=')?.0));
            (kept.len(), keys.collect::<Vec<_>>().join(" "))
        };
        let keys = |keys: &str| keys.to_owned();
        let whole = [member("a", 256), member("b", 255)];
        assert_eq!(state(&whole), (MAX_TRACESTATE_BYTES, keys("a b")));
        let alone = [format!("{}={}", "k".repeat(255), "x".repeat(256))];
        assert_eq!(state(&alone).0, MAX_TRACESTATE_BYTES);
        let over = [format!("{}={}", "k".repeat(256), "x".repeat(256))];
        assert_eq!(state(&over).0, 0);
        let long = [
            member("a", 129),
            member("b", 100),
            member("c", 129),
            member("d", 128),
            member("e", 128),
        ];
        assert_eq!(state(&long), (129 + 100 + 128 + 128 + 3, keys("a b d e")));
        let short = ["a", "b", "c", "d", "e"].map(|key| member(key, 128));
        assert_eq!(state(&short), (3 * 128 + 2, keys("a b c")));
    }
}
