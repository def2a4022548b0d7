//! Lease tokens: which queue, which item, which lease.
//!
//! 24 bytes in URL-safe base64: the queue's incarnation, the item's place, the lease's fence. The
//! incarnation is drawn anew whenever a queue is made, so a token of a deleted queue names nothing in
//! its successor; the fence is 64 random bits, so no token can be guessed from another.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use queue_api::LeaseToken;
use queue_core::{Fence, Seq};

/// What a lease token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) incarnation: u64,
    pub(crate) seq: Seq,
    pub(crate) fence: Fence,
}

impl Token {
    pub(crate) fn encode(self) -> LeaseToken {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.seq.0.to_be_bytes());
        bytes[16..].copy_from_slice(&self.fence.0.to_be_bytes());
        let text = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        text.parse()
            .expect("32 characters of URL-safe base64 are a token")
    }

    /// `None` for a text that this server never issued.
    pub(crate) fn decode(text: &LeaseToken) -> Option<Self> {
        let mut bytes = [0; 24];
        let len = BASE64_URL_SAFE_NO_PAD
            .decode_slice(text.as_str(), &mut bytes)
            .ok()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(word)
        };
        (len == 24).then(|| Self {
            incarnation: word(0),
            seq: Seq(word(8)),
            fence: Fence(word(16)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_what_it_was_made_of() {
        let token = Token {
            incarnation: u64::MAX - 1,
            seq: Seq(7),
            fence: Fence(0x0123_4567_89ab_cdef),
        };
        assert_eq!(Token::decode(&token.encode()), Some(token));
        assert_eq!(token.encode().as_str().len(), 32);
    }

    #[test]
    fn a_text_of_another_length_names_nothing() {
        for text in [
            "a",
            "abc_DEF-123",
            &"A".repeat(31),
            &"A".repeat(33),
            &"A".repeat(64),
        ] {
            assert_eq!(
                Token::decode(&text.parse().expect("a token's grammar")),
                None,
                "{text}"
            );
        }
    }
}
