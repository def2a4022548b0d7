//! An error in words, with all that lies under it.

use std::error::Error;

/// The error and its causes, each after a colon: the field `error.message`.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
