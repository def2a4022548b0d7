//! Content encodings: bodies of requests that come as gzip or zstd.
//!
//! How many bytes may come out of one is told by whoever reads it; that much room must be set aside for it.

use std::io::{self, Read};

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use queue_api::Code;

use super::error::ApiError;

/// Largest window of zstd that is decoded, as a power of two: 8 MiB, the most that RFC 9659 has encoders
/// of HTTP use. A frame may ask for more, and would make the server hold it.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How the bytes of a body are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As they are.
    Identity,
    Gzip,
    Zstd,
}

/// Why a body cannot be decoded.
#[derive(Debug)]
pub(super) enum Undecodable {
    /// More comes out than may.
    TooLarge,
    /// It is not what it says it is, or not whole.
    Broken(io::Error),
}

impl Encoding {
    /// What the head of a request says of its body.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let Some(value) = values.next() else {
            return Ok(Self::Identity);
        };
        let known = |name: &str| {
            value
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(name.as_bytes())
        };
        let encoding = if known("gzip") || known("x-gzip") {
            Self::Gzip
        } else if known("zstd") {
            Self::Zstd
        } else if known("identity") {
            Self::Identity
        } else {
            return Err(refused());
        };
        match values.next() {
            None => Ok(encoding),
            Some(_) => Err(refused()),
        }
    }

    /// For calls whose body is read as it is.
    pub(super) fn check_none(headers: &HeaderMap) -> Result<(), ApiError> {
        match Self::of(headers)? {
            Self::Identity => Ok(()),
            Self::Gzip | Self::Zstd => Err(ApiError::new(
                Code::UnsupportedMediaType,
                "this call takes no Content-Encoding: send the body as it is",
            )),
        }
    }

    /// The bytes that were encoded, if they are at most so many. No more than that is ever held.
    pub(super) fn decode(self, encoded: &[u8], most_bytes: usize) -> Result<Vec<u8>, Undecodable> {
        match self {
            Self::Identity => bounded(encoded, most_bytes),
            Self::Gzip => bounded(flate2::read::MultiGzDecoder::new(encoded), most_bytes),
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(encoded);
                let mut decoder = decoder.map_err(Undecodable::Broken)?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG)
                    .map_err(Undecodable::Broken)?;
                bounded(decoder, most_bytes)
            }
        }
    }
}

fn refused() -> ApiError {
    ApiError::new(
        Code::UnsupportedMediaType,
        "a body may have one Content-Encoding, gzip or zstd, or none",
    )
}

fn bounded(decoded: impl Read, most_bytes: usize) -> Result<Vec<u8>, Undecodable> {
    let mut bytes = Vec::new();
    decoded
        .take(most_bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(Undecodable::Broken)?;
    if bytes.len() > most_bytes {
        return Err(Undecodable::TooLarge);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("a vector takes it");
        encoder.finish().expect("a vector takes it")
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 19).expect("a vector takes it")
    }

    fn of(values: &[&'static str]) -> Result<Encoding, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        Encoding::of(&headers).map_err(|error| error.code())
    }

    #[test]
    fn the_header_names_one_encoding_or_none() {
        let unsupported = Err(Code::UnsupportedMediaType);
        for (values, encoding) in [
            (&[] as &[_], Ok(Encoding::Identity)),
            (&["identity"], Ok(Encoding::Identity)),
            (&["gzip"], Ok(Encoding::Gzip)),
            (&[" GZip"], Ok(Encoding::Gzip)),
            (&["x-gzip"], Ok(Encoding::Gzip)),
            (&["zstd"], Ok(Encoding::Zstd)),
            (&["br"], unsupported),
            (&[""], unsupported),
            (&["gzip, zstd"], unsupported),
            (&["gzip", "gzip"], unsupported),
        ] {
            assert_eq!(of(values), encoding, "{values:?}");
        }
    }

    #[test]
    fn what_was_encoded_comes_out_up_to_the_limit() {
        let text = b"so much and no more".repeat(1_000);
        for (encoding, encoded) in [
            (Encoding::Gzip, gzip(&text)),
            (Encoding::Zstd, zstd(&text)),
            (Encoding::Identity, text.clone()),
        ] {
            let decoded = encoding.decode(&encoded, text.len());
            assert_eq!(decoded.expect("within the limit"), text, "{encoding:?}");
            let refused = encoding.decode(&encoded, text.len() - 1);
            assert!(
                matches!(refused, Err(Undecodable::TooLarge)),
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn several_pieces_that_were_encoded_apart_are_one_body() {
        let pieces = |encode: fn(&[u8]) -> Vec<u8>| [encode(b"one "), encode(b"two")].concat();
        for (encoding, encoded) in [
            (Encoding::Gzip, pieces(gzip)),
            (Encoding::Zstd, pieces(zstd)),
        ] {
            let decoded = encoding.decode(&encoded, 100).expect("whole");
            assert_eq!(decoded, b"one two", "{encoding:?}");
        }
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_broken() {
        let text = b"so much and no more".repeat(1_000);
        for (encoding, encoded) in [(Encoding::Gzip, gzip(&text)), (Encoding::Zstd, zstd(&text))] {
            let garbage = [&encoded, b"and more".as_slice()].concat();
            for broken in [&encoded[..encoded.len() - 1], b"plain text", &garbage] {
                let decoded = encoding.decode(broken, 1 << 20);
                assert!(
                    matches!(decoded, Err(Undecodable::Broken(_))),
                    "{encoding:?}"
                );
            }
        }
    }

    #[test]
    fn a_zstd_frame_that_asks_for_a_large_window_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.window_log(ZSTD_WINDOW_LOG + 1).expect("a window");
        encoder.write_all(b"small").expect("a vector takes it");
        let encoded = encoder.finish().expect("a vector takes it");
        let decoded = Encoding::Zstd.decode(&encoded, 1 << 20);
        assert!(
            matches!(decoded, Err(Undecodable::Broken(_))),
            "{decoded:?}"
        );
    }
}
