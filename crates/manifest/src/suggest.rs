//! “Did you mean …?”

/// The candidate that is a slip away from what was written, if one is.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    near(word, candidates).first().copied()
}

/// How many names are offered.
const OFFERED: usize = 5;

/// The candidates that are a slip away from what was written, nearest first.
pub fn near<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if word.len() > 128 {
        return Vec::new();
    }
    let far = (word.chars().count() / 3).clamp(1, 3);
    let mut found: Vec<(usize, &str)> = candidates
        .map(|c| (distance(&word.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(d, _)| *d <= far)
        .collect();
    found.sort_by_key(|(d, _)| *d);
    found.into_iter().map(|(_, c)| c).take(OFFERED).collect()
}

/// How many letters must be put in, left out, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_another_word_is_not() {
        let words = ["after", "disabledFor", "evidence", "drop"];
        let near = |w: &str| nearest(w, words.into_iter());
        assert_eq!(near("aftre"), Some("after"));
        assert_eq!(near("disabledfor"), Some("disabledFor"));
        assert_eq!(near("evidnce"), Some("evidence"));
        assert_eq!(near("owner"), None);
        assert_eq!(near(""), None);
        assert_eq!(
            super::near("cat", ["bat", "dog", "cat"].into_iter()),
            ["cat", "bat"]
        );
    }
}
