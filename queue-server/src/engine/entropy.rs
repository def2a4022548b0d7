//! Random numbers from the operating system, drawn in batches so that a lease does not pay a system
//! call.

/// A source of random numbers.
#[derive(Debug, Default)]
pub(crate) struct Entropy {
    drawn: Vec<u8>,
}

const BATCH: usize = 64 * size_of::<u64>();

impl Entropy {
    /// The next random number.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: nothing safe can be done without.
    pub(crate) fn draw(&mut self) -> u64 {
        if self.drawn.len() < size_of::<u64>() {
            self.drawn.resize(BATCH, 0);
            getrandom::fill(&mut self.drawn).expect("the operating system gives random numbers");
        }
        let mut word = [0; size_of::<u64>()];
        let rest = self.drawn.len() - word.len();
        word.copy_from_slice(&self.drawn[rest..]);
        self.drawn.truncate(rest);
        u64::from_le_bytes(word)
    }
}
