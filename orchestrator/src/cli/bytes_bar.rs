//! Progress in bytes, for a person who watches.

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::view;

/// How far a copy has come; shown on a terminal, counted in any case.
pub(super) struct BytesBar(ProgressBar);

impl BytesBar {
    /// Nothing of so many bytes, if that is known.
    pub(super) fn new(of: Option<u64>) -> Self {
        let bar = view::bar(of);
        let style = ProgressStyle::with_template(match of {
            Some(_) => "{bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{bytes}, {bytes_per_sec}",
        });
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self(bar)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.0.inc(bytes as u64);
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.position()
    }

    /// Bytes so far, for people.
    pub(super) fn human(&self) -> String {
        HumanBytes(self.bytes()).to_string()
    }
}

impl Drop for BytesBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
