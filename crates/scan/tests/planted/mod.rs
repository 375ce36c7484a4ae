//! Credentials planted into documents, and what looks like one and is none.
//!
//! Nothing here is taken from the scanner: what counts as a credential, and how it may be spelled,
//! is said a second time. Every secret is made up by [`Dice`] and plainly nobody's.

pub mod csharp;
pub mod decoys;
pub mod entities;
pub mod hosts;
pub mod places;
pub mod secrets;
pub mod sql;

/// How a policy document is spelled (azure-facts B.4: `xml` and `rawxml`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    Xml,
    Raw,
}

/// A credential in a piece of policy.
#[derive(Clone, Debug)]
pub struct Plant {
    /// The row of the table that it counts in.
    pub row: &'static str,
    /// How its text is spelled.
    pub form: String,
    pub xml: String,
    /// The credential itself.
    pub secret: String,
    /// The host that it opens, where the text says so.
    pub opens: Option<String>,
}

/// A sequence that looks random and is the same in each run (SplitMix64, public domain).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).expect("31 bits") % sides
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }

    /// So many of these characters.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let chars: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| self.pick(&chars)).collect()
    }
}
