//! Headers that few requests have.
//!
//! A name that is not one of HTTP's own is hashed byte by byte, and one that is a mere string is parsed before:
//! that costs two to seven times as much as one pass over the few headers of a request.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The values of a header, in their order.
pub(super) fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &HeaderValue> {
    let named = headers.iter().filter(move |(has, _)| **has == name);
    named.map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: HeaderName = HeaderName::from_static("memq-rare");

    #[test]
    fn each_value_is_found_and_of_no_other_header() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("memq-rare", "1"), ("memq-other", "2"), ("memq-rare", "3")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(values(&headers, NAME).collect::<Vec<_>>(), ["1", "3"]);
        headers.remove(NAME);
        assert_eq!(values(&headers, NAME).count(), 0);
    }
}
