//! Numbers that look random and come from one number alone (splitmix64): an estate that failed can
//! be made again from its number.

pub struct Chance(u64);

impl Chance {
    pub fn of(number: u64) -> Self {
        Self(number)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    /// One of `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True one time in `n`.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn take<T>(&mut self, from: &mut Vec<T>) -> T {
        from.remove(self.below(from.len()))
    }

    pub fn shuffled<T: Clone>(&mut self, from: &[T]) -> Vec<T> {
        let mut rest = from.to_vec();
        let mut out = Vec::new();
        while !rest.is_empty() {
            out.push(self.take(&mut rest));
        }
        out
    }

    pub fn hex(&mut self, digits: usize) -> String {
        let word = format!("{:016x}{:016x}", self.next(), self.next());
        word[..digits].to_owned()
    }

    pub fn guid(&mut self) -> String {
        let h = self.hex(32);
        format!(
            "{}-{}-4{}-8{}-{}",
            &h[..8],
            &h[8..12],
            &h[13..16],
            &h[17..20],
            &h[20..]
        )
    }
}
