//! The body of an item: which run made it, and the how manieth it is.

use anyhow::{Result, ensure};

/// Digits of a number: more items than any run has.
const DIGITS: usize = 10;
/// Where the digits begin, behind the run and a dash.
const AT: usize = 9;
/// Fewest bytes of a body that tells its number.
pub const LEAST_BODY: usize = AT + DIGITS;

/// How the bodies of one run look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bodies {
    run: u32,
    bytes: usize,
}

impl Bodies {
    /// Bodies of so many bytes, told apart from other runs' by this number.
    ///
    /// # Errors
    ///
    /// So few bytes do not hold a number.
    pub fn new(run: u32, bytes: usize) -> Result<Self> {
        ensure!(
            bytes >= LEAST_BODY,
            "an item of {bytes} bytes cannot tell its number: give at least {LEAST_BODY}"
        );
        Ok(Self { run, bytes })
    }

    /// Bytes of each.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// The body of item 0: [`Bodies::renumber`] makes another's of it.
    #[must_use]
    pub fn first(self) -> String {
        let filler = "x".repeat(self.bytes - LEAST_BODY);
        format!("{:08x}-{:0DIGITS$}{filler}", self.run, 0)
    }

    /// The body of an item.
    #[must_use]
    pub fn body(self, number: u64) -> String {
        let mut bytes = self.first().into_bytes();
        Self::renumber(&mut bytes, number);
        // Digits for digits: it stays ASCII.
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Makes the body at the start of these bytes that of another item.
    pub fn renumber(body: &mut [u8], number: u64) {
        let mut rest = number;
        for digit in body[AT..AT + DIGITS].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }

    /// The number of an item of this run by its body.
    #[must_use]
    pub fn number(self, body: &str) -> Option<u64> {
        let (run, rest) = body.split_at_checked(AT)?;
        let run = u32::from_str_radix(run.strip_suffix('-')?, 16).ok()?;
        let (digits, filler) = rest.split_at_checked(DIGITS)?;
        let whole = body.len() == self.bytes && filler.bytes().all(|byte| byte == b'x');
        (run == self.run && whole)
            .then(|| digits.parse().ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_its_number() {
        let bodies = Bodies::new(0xabc, 24).expect("long enough");
        assert_eq!(bodies.body(1_234_567), "00000abc-0001234567xxxxx");
        assert_eq!(
            bodies.number(&bodies.body(9_999_999_999)),
            Some(9_999_999_999)
        );
    }

    #[test]
    fn a_body_of_another_run_or_a_damaged_one_has_no_number() {
        let bodies = Bodies::new(7, 24).expect("long enough");
        for strange in [
            Bodies::new(8, 24).expect("long enough").body(1),
            Bodies::new(7, 25).expect("long enough").body(1),
            bodies.body(1).replace('-', "+"),
            bodies.body(1).replace("xx", "xy"),
            bodies.body(1)[..12].into(),
            "ä".repeat(12),
            String::new(),
        ] {
            assert_eq!(bodies.number(&strange), None, "{strange}");
        }
    }

    #[test]
    fn a_body_too_short_for_its_number_is_refused() {
        assert!(Bodies::new(1, LEAST_BODY).is_ok());
        let error = Bodies::new(1, LEAST_BODY - 1).expect_err("too short");
        assert!(error.to_string().contains("at least 19"), "{error}");
    }
}
