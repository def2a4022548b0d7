//! The `Idempotency-Key` of an enqueue, and what makes two requests the same.
//!
//! It does not know which keys were used before.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use queue_api::IDEMPOTENCY_KEY;
use queue_api::limits::MAX_IDEMPOTENCY_KEY_BYTES;
use queue_core::Options;
use sha2::{Digest, Sha256};

use crate::http::error::ApiError;
use crate::http::rare;

/// The header that carries it.
const NAME: HeaderName = HeaderName::from_static(IDEMPOTENCY_KEY);

/// Stands before all that is digested. It must change when what follows is put together differently: a
/// request that is repeated over the change is then another one, and not by chance the same.
const VERSION: &[u8] = b"memq enqueue 1\0";

/// The key of a request.
#[derive(Debug)]
pub(super) struct Key(pub(super) Box<str>);

impl Key {
    /// The key that the headers name, if they do.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let mut values = rare::values(headers, NAME);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let key = value.to_str().ok().filter(|key| {
            (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_graphic())
        });
        match (key, values.next()) {
            (Some(key), None) => Ok(Some(Self(key.into()))),
            _ => Err(ApiError::bad_request(format!(
                "Idempotency-Key is not one text of 1 to {MAX_IDEMPOTENCY_KEY_BYTES} visible ASCII characters"
            ))),
        }
    }
}

/// How the body of a request becomes items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is one.
    Raw,
    /// Each text line is one.
    Lines,
    /// Each line of JSON is one.
    Ndjson,
}

/// What tells a request from another with the same key: all that decides which items enter, and
/// whether the queue is sealed behind them. Not the lease that it runs under, which is another one
/// when a worker repeats what an earlier attempt of its item did, nor whether ids are wanted; nor the trace,
/// in which a repeat is another span.
///
/// A digest is compared with one other, that of the request which had the key first, however many keys
/// there are: of 2^64 mistakes one goes unnoticed. It is a cut SHA-256 because it is kept on disk and must
/// come out the same from every later version; who uses keys pays for it, a millisecond for a mebibyte
/// where the processor knows no SHA.
pub(super) fn digest(mode: Mode, seal: bool, options: Option<&Options>, body: &[u8]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(VERSION);
    let mode = match mode {
        Mode::Raw => 0,
        Mode::Lines => 1,
        Mode::Ndjson => 2,
    };
    hash.update([mode, u8::from(seal)]);
    let nothing = Options::default();
    let Options {
        priority,
        group,
        key,
        delay,
        ttl,
        trace: _,
    } = options.unwrap_or(&nothing);
    hash.update(priority.to_be_bytes());
    for text in [group, key] {
        // No option is empty: an absent one is told from all that are given.
        let text = text.as_deref().unwrap_or_default();
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    // A ttl is never 0.
    for span in [*delay, ttl.unwrap_or(Duration::ZERO)] {
        hash.update((span.as_millis() as u64).to_be_bytes());
    }
    hash.update(body);
    let digest = hash.finalize();
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn key(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).expect("a value of a header");
            headers.append(IDEMPOTENCY_KEY, value);
        }
        let key = Key::of(&headers).map_err(|error| error.detail().to_owned())?;
        Ok(key.map(|Key(key)| (*key).to_owned()))
    }

    #[test]
    fn a_key_is_one_text_of_visible_characters() {
        assert_eq!(key(&[]), Ok(None));
        let longest = "k".repeat(MAX_IDEMPOTENCY_KEY_BYTES);
        for good in ["1", "\"quoted\"", "~!", &longest] {
            assert_eq!(key(&[good.as_bytes()]), Ok(Some(good.into())));
        }
        let longer = longest.clone() + "k";
        for bad in [&b""[..], b"a b", b"\t", b"\xc3\xa9", longer.as_bytes()] {
            assert!(key(&[bad]).is_err(), "{bad:?}");
        }
        assert!(key(&[b"a", b"a"]).is_err());
    }

    #[test]
    fn a_request_has_the_digest_it_had_in_every_version() {
        assert_eq!(digest(Mode::Raw, false, None, b"a"), 0x82c1_70ef_fb49_dabd);
        let options = Options {
            priority: -2,
            group: Some("g".into()),
            key: Some("k".into()),
            delay: Duration::from_secs(1),
            ttl: Some(Duration::from_secs(2)),
            trace: Some("which is no part of it".into()),
        };
        assert_eq!(
            digest(Mode::Ndjson, true, Some(&options), b"{}\n"),
            0x1a41_6842_5280_bc19
        );
    }

    #[test]
    fn whatever_tells_requests_apart_is_in_the_digest() {
        let nothing = Options::default;
        let group = |name: &str| Options {
            group: Some(name.into()),
            ..nothing()
        };
        let key = |name: &str| Options {
            key: Some(name.into()),
            ..nothing()
        };
        let span = Duration::from_millis(1);
        let all = [
            digest(Mode::Raw, false, None, b"a"),
            digest(Mode::Lines, false, None, b"a"),
            digest(Mode::Ndjson, false, None, b"a"),
            digest(Mode::Raw, true, None, b"a"),
            digest(Mode::Raw, false, None, b"b"),
            digest(Mode::Raw, false, None, b""),
            digest(Mode::Raw, false, Some(&group("x")), b"a"),
            digest(Mode::Raw, false, Some(&key("x")), b"a"),
            digest(Mode::Raw, false, Some(&key("xx")), b"a"),
            digest(
                Mode::Raw,
                false,
                Some(&Options {
                    priority: 1,
                    ..nothing()
                }),
                b"a",
            ),
            digest(
                Mode::Raw,
                false,
                Some(&Options {
                    delay: span,
                    ..nothing()
                }),
                b"a",
            ),
            digest(
                Mode::Raw,
                false,
                Some(&Options {
                    ttl: Some(span),
                    ..nothing()
                }),
                b"a",
            ),
        ];
        let different: std::collections::HashSet<u64> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(digest(Mode::Raw, false, Some(&nothing()), b"a"), all[0]);
    }
}
