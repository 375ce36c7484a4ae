//! Which children of two elements are the same ones.
//!
//! Takes time in proportion to their number and its logarithm, whatever they
//! are.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::canonical::{self, Piece};
use crate::document::Document;
use crate::parse::Node;

/// A number for each element of a document that says what it means.
pub(crate) struct Prints<'a> {
    pub document: &'a Document,
    prints: Vec<Print>,
}

#[derive(Clone, Copy, Default)]
struct Print {
    whole: u64,
    /// Without its own name and attributes.
    inner: u64,
}

impl<'a> Prints<'a> {
    pub fn of(document: &'a Document) -> Prints<'a> {
        let elements = &document.tree.elements;
        let mut prints = vec![Print::default(); elements.len()];
        // Children stand behind their parent.
        for at in (0..elements.len()).rev() {
            prints[at] = print(document, at, &prints);
        }
        Prints { document, prints }
    }

    /// The same for two elements that mean the same.
    pub fn whole(&self, at: usize) -> u64 {
        self.prints[at].whole
    }

    fn children(&self, at: usize) -> Vec<usize> {
        let nodes = self.document.tree.elements[at].nodes.iter();
        let elements = nodes.filter_map(|node| match node {
            Node::Element(at) => Some(*at),
            Node::Text(_) => None,
        });
        elements.collect()
    }

    /// What tells an element from its namesakes.
    fn key(&self, at: usize) -> Option<String> {
        const KEYS: [&str; 4] = ["name", "id", "fragment-id", "variable-name"];
        let element = self.document.element(at);
        let found = KEYS.iter().find_map(|key| element.attribute(key));
        found.map(|attribute| attribute.value)
    }

    fn name(&self, at: usize) -> &'a str {
        self.document.element(at).name()
    }
}

fn print(document: &Document, at: usize, prints: &[Print]) -> Print {
    let mut inner = DefaultHasher::new();
    for piece in canonical::content(document, document.element(at)) {
        match piece {
            Piece::Element(child) => prints[child.at].whole.hash(&mut inner),
            Piece::Text(text) => text.hash(&mut inner),
        }
    }
    let inner = inner.finish();
    let mut whole = DefaultHasher::new();
    canonical::start_tag(document, at).hash(&mut whole);
    inner.hash(&mut whole);
    Print {
        whole: whole.finish(),
        inner,
    }
}

/// An element of the first document and one of the second.
type Pair = (usize, usize);

/// The children of two elements, paired.
pub(crate) struct Pairs {
    /// In the same order in both.
    pub kept: Vec<Pair>,
    /// In another order.
    pub moved: Vec<Pair>,
    pub removed: Vec<usize>,
    pub added: Vec<usize>,
}

/// Pairs the children of `a` and `b`.
pub(crate) fn pair(old: &Prints, a: usize, new: &Prints, b: usize) -> Pairs {
    let (before, after) = (old.children(a), new.children(b));
    let mut left = Left {
        old: (0..before.len()).collect(),
        new: (0..after.len()).collect(),
        pairs: Vec::new(),
    };
    left.pair_by(
        |i| Some(old.whole(before[i])),
        |j| Some(new.whole(after[j])),
    );
    let key =
        |prints: &Prints, at: usize| prints.key(at).map(|key| (prints.name(at).to_owned(), key));
    left.pair_by(|i| key(old, before[i]), |j| key(new, after[j]));
    // What stands between the same neighbours.
    let (mut kept, mut moved) = in_order(std::mem::take(&mut left.pairs));
    let gap = |at: usize, side: fn(&Pair) -> usize| kept.partition_point(|p| side(p) < at);
    let apart = |i: usize, j: usize| {
        let keyed = old.key(before[i]).is_some() && new.key(after[j]).is_some();
        keyed && old.prints[before[i]].inner != new.prints[after[j]].inner
    };
    left.pair_by(
        |i| Some((gap(i, |p| p.0), old.name(before[i]).to_owned())),
        |j| Some((gap(j, |p| p.1), new.name(after[j]).to_owned())),
    );
    let (together, strangers): (Vec<_>, Vec<_>) = std::mem::take(&mut left.pairs)
        .into_iter()
        .partition(|(i, j)| !apart(*i, *j));
    left.old.extend(strangers.iter().map(|(i, _)| *i));
    left.new.extend(strangers.iter().map(|(_, j)| *j));
    kept.extend(together);
    kept.sort_unstable();
    let (kept, more) = in_order(kept);
    moved.extend(more);
    let places = |pairs: Vec<Pair>| {
        let place = |(i, j): Pair| (before[i], after[j]);
        pairs.into_iter().map(place).collect()
    };
    Pairs {
        kept: places(kept),
        moved: places(moved),
        removed: left.old.iter().map(|i| before[*i]).collect(),
        added: left.new.iter().map(|j| after[*j]).collect(),
    }
}

/// Children without a partner, and pairs.
struct Left {
    old: Vec<usize>,
    new: Vec<usize>,
    pairs: Vec<Pair>,
}

impl Left {
    /// Pairs those that give the same answer, in their order.
    fn pair_by<K: Ord>(
        &mut self,
        old: impl Fn(usize) -> Option<K>,
        new: impl Fn(usize) -> Option<K>,
    ) {
        let mut open: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
        for j in &self.new {
            if let Some(key) = new(*j) {
                open.entry(key).or_default().push_back(*j);
            }
        }
        let mut taken = HashMap::new();
        self.old.retain(|i| {
            let found = old(*i).and_then(|key| open.get_mut(&key)?.pop_front());
            if let Some(j) = found {
                taken.insert(j, *i);
            }
            found.is_none()
        });
        self.new.retain(|j| !taken.contains_key(j));
        self.pairs.extend(taken.into_iter().map(|(j, i)| (i, j)));
        self.pairs.sort_unstable();
    }
}

/// The longest run of pairs, sorted by their first, whose second rise too; and
/// the others.
fn in_order(pairs: Vec<Pair>) -> (Vec<Pair>, Vec<Pair>) {
    // For each length of a run, the pair that ends it lowest; for each pair, the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, pair) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < pair.1);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let run = std::iter::successors(ends.last().copied(), |at| before[*at]);
    let mut keeps = vec![false; pairs.len()];
    run.for_each(|at| keeps[at] = true);
    let (mut kept, mut moved) = (Vec::new(), Vec::new());
    for (pair, keep) in pairs.into_iter().zip(keeps) {
        if keep {
            kept.push(pair)
        } else {
            moved.push(pair)
        }
    }
    (kept, moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_pairs_are_moved() {
        let pairs = vec![(0, 3), (1, 0), (2, 1), (3, 2), (4, 4)];
        let (kept, moved) = in_order(pairs);
        assert_eq!(kept, [(1, 0), (2, 1), (3, 2), (4, 4)]);
        assert_eq!(moved, [(0, 3)]);
        assert_eq!(in_order(vec![]), (vec![], vec![]));
    }
}
