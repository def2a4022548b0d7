//! The token that a request brings along.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What a request says of who sends it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credentials<'a> {
    /// Nothing.
    None,
    /// Something that holds no token.
    Unreadable,
    /// A token, which may be anybody's.
    Token(Cow<'a, [u8]>),
}

impl<'a> Credentials<'a> {
    /// Reads them off a request: `Bearer TOKEN`, or `Basic` with the token as the password and any user.
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return Self::None;
        };
        token(value.as_bytes()).map_or(Self::Unreadable, Self::Token)
    }
}

fn token(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let end = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = (&value[..end], value[end..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(rest.into());
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let mut pair = BASE64_STANDARD.decode(rest).ok()?;
    // A user's name has no colon, a password may.
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair.split_off(colon + 1).into())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    fn token(value: &str) -> Option<String> {
        let value = HeaderValue::from_str(value).expect("a header");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        match Credentials::of(&headers) {
            Credentials::None => panic!("there is a header"),
            Credentials::Unreadable => None,
            Credentials::Token(token) => Some(String::from_utf8_lossy(&token).into_owned()),
        }
    }

    #[rstest]
    #[case::bearer("Bearer abc", "abc")]
    #[case::in_any_case("bEARER abc", "abc")]
    #[case::blanks("Bearer   abc  ", "abc")]
    #[case::curl("Basic OmFiYw==", "abc")]
    #[case::with_a_user("Basic eDphYmM=", "abc")]
    #[case::with_a_colon("basic eDphOmI=", "a:b")]
    #[case::no_password("Basic eDo=", "")]
    fn a_token_comes_as_bearer_or_as_a_password(#[case] value: &str, #[case] is: &str) {
        assert_eq!(token(value).as_deref(), Some(is));
    }

    #[rstest]
    #[case::scheme_alone("Bearer")]
    #[case::token_alone("abc")]
    #[case::another_scheme("Digest abc")]
    #[case::no_base64("Basic ?")]
    #[case::no_colon("Basic YWJj")]
    fn what_holds_no_token_is_told_apart(#[case] value: &str) {
        assert_eq!(token(value), None);
    }

    #[test]
    fn most_requests_say_nothing() {
        assert_eq!(Credentials::of(&HeaderMap::new()), Credentials::None);
    }
}
