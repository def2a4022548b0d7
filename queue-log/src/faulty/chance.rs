//! Numbers from a seed (splitmix64).

/// Numbers from a seed: the same from the same one.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of so many, from 0 on.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % n
    }
}
