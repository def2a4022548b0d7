//! An item's body on the wire: text where it is text, base64 where it is not, bytes in between.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that JSON carries as `"body"` when they are UTF-8 and as `"body_base64"` when they are not.
///
/// Flattened into the shapes that hold it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    /// The text, if the bytes are UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl<T: Into<Vec<u8>>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

#[derive(Serialize)]
struct OutWire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

#[derive(Deserialize)]
struct InWire {
    body: Option<String>,
    body_base64: Option<String>,
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = match self.as_text() {
            Some(text) => OutWire {
                body: Some(text),
                body_base64: None,
            },
            None => OutWire {
                body: None,
                body_base64: Some(BASE64_STANDARD.encode(&self.0)),
            },
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = InWire::deserialize(deserializer)?;
        match (wire.body, wire.body_base64) {
            (Some(text), None) => Ok(Self(text.into_bytes())),
            (None, Some(encoded)) => BASE64_STANDARD
                .decode(encoded)
                .map(Self)
                .map_err(|e| de::Error::custom(format_args!("body_base64 is not base64: {e}"))),
            _ => Err(de::Error::custom(
                "give exactly one of body and body_base64",
            )),
        }
    }
}
