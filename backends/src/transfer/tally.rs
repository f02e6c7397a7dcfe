//! Counts and digests of things whose order does not matter.

use std::collections::BTreeMap;
use std::fmt;

/// How many things there were, and the sum of their digests modulo 2²⁵⁶: equal for equal multisets, whatever the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    count: u64,
    sum: [u64; 4],
}

impl Tally {
    pub(crate) fn add(&mut self, digest: [u8; 32]) {
        self.count += 1;
        let mut carry = false;
        for (limb, bytes) in self.sum.iter_mut().zip(digest.chunks_exact(8)) {
            let bytes: [u8; 8] = bytes.try_into().expect("chunks of 8 bytes");
            let (sum, first) = limb.overflowing_add(u64::from_le_bytes(bytes));
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first || second;
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to compare by eye; comparisons of the program use all of it.
        write!(f, "{} ({:016x})", self.count, self.sum[3])
    }
}

/// Tallies by what they count.
pub type Tallies = BTreeMap<&'static str, Tally>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(digests: &[[u8; 32]]) -> Tally {
        let mut tally = Tally::default();
        for digest in digests {
            tally.add(*digest);
        }
        tally
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_everything_else_does(mut digests in prop::collection::vec(any::<[u8; 32]>(), 1..20)) {
            let forwards = tally(&digests);
            digests.reverse();
            prop_assert_eq!(forwards, tally(&digests));
            digests[0][7] ^= 1;
            prop_assert_ne!(forwards, tally(&digests));
            digests.push([0; 32]);
            digests[0][7] ^= 1;
            prop_assert_ne!(forwards, tally(&digests));
        }
    }
}
