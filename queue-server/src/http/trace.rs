//! The trace that a request belongs to, from its headers.

use axum::http::{HeaderMap, HeaderName};
use queue_api::Trace;

use super::rare;

pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static(queue_api::TRACEPARENT);
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static(queue_api::TRACESTATE);

/// The trace that the headers name, if they name one as they should.
pub(super) fn of(headers: &HeaderMap) -> Option<Trace> {
    let mut parents = rare::values(headers, TRACEPARENT);
    // Two would be two traces.
    let (Some(parent), None) = (parents.next(), parents.next()) else {
        return None;
    };
    let states = rare::values(headers, TRACESTATE);
    let states: Option<Vec<&str>> = states.map(|value| value.to_str().ok()).collect();
    let state = states.map(|states| states.join(","));
    Trace::new(parent.to_str().ok()?, state.as_deref())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(headers: &[(HeaderName, &'static str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_static(value));
        }
        of(&map).map(|trace| trace.text().to_string())
    }

    #[test]
    fn a_trace_has_one_parent_and_any_number_of_states() {
        let (parent, state) = ((TRACEPARENT, PARENT), |text| (TRACESTATE, text));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[state("a=1")]), None);
        assert_eq!(read(std::slice::from_ref(&parent)).as_deref(), Some(PARENT));
        let both = read(&[parent.clone(), state("a=1"), state("b=2")]);
        assert_eq!(both, Some(format!("{PARENT} a=1,b=2")));
        let odd = read(&[parent.clone(), state("a=1"), state("no state")]);
        assert_eq!(odd.as_deref(), Some(PARENT));
        assert_eq!(read(&[parent.clone(), parent]), None);
    }
}
