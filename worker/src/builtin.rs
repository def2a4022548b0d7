//! Handlers that need no program: for examples, tests and trying things out.

use queue_api::parse_duration;

use crate::args::Builtin;
use crate::keygen;
use crate::verdict::{Failure, Verdict, ack_with};

/// Handles one item; stopping it is dropping it.
pub(crate) async fn handle(builtin: Builtin, body: &[u8]) -> Verdict {
    match builtin {
        Builtin::Keygen => match keygen::fingerprint_off_loop().await {
            Ok(fingerprint) => ack_with(fingerprint.as_bytes()),
            Err(error) => Verdict::nack(Failure::new(error.to_string())),
        },
        Builtin::Sleep => match parse_duration(String::from_utf8_lossy(body).trim()) {
            Ok(duration) => {
                tokio::time::sleep(duration).await;
                Verdict::done()
            }
            // No retry makes a duration of it.
            Err(error) => Verdict::Dead(Failure::new(error.to_string())),
        },
        Builtin::Echo => ack_with(body),
        Builtin::Fail => {
            let error = String::from_utf8_lossy(body);
            Verdict::nack(Failure::new(match error.trim() {
                "" => "the item failed, as the built-in `fail` does".into(),
                _ => error.into_owned(),
            }))
        }
    }
}
