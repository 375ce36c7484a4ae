//! What a plan leaves as it is: counted, so that a report can be quiet about it.

use std::collections::BTreeSet;

use keyless_model::{Address, Desired};

use crate::file::Plan;

/// How many documents ask for nothing that the plan would change or holds up.
pub fn unchanged(desired: &Desired, plan: &Plan) -> usize {
    // A gate of no Access changes nothing by itself: what it stands behind does.
    let steps = plan.steps.iter().map(|s| (s, s.accesses()));
    let steps = steps.filter(|(s, accesses)| !s.is_gate() || !accesses.is_empty());
    let steps = steps.map(|(s, accesses)| (&s.address, accesses));
    let rows = plan.waiting.iter();
    let rows = rows.map(|w| (&w.address, w.access.as_deref().into_iter().collect()));
    let touched: Vec<(&Address, BTreeSet<&str>)> = steps.chain(rows).collect();
    let untouched = |document: &&Address| {
        let mut touched = touched.iter();
        !touched.any(|(address, accesses)| touches(document, address, accesses))
    };
    desired.addresses().iter().filter(untouched).count()
}

/// Whether what stands at `address`, for these Accesses or for none, is a matter of the document at
/// `document`.
fn touches(document: &Address, address: &Address, accesses: &BTreeSet<&str>) -> bool {
    let part = address.parent().as_ref() == Some(document) && address.last().1.is_empty();
    match document.last() {
        ("access", name) => accesses.contains(name),
        // Its administrator, lock, auditing and doors are parts of it; what lies inside has
        // documents of its own.
        ("sql" | "resolver", _) => address == document || part,
        ("db", _) => accesses.is_empty() && address.within(document),
        _ => address == document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(document: &str, address: &str, access: Option<&str>) -> bool {
        touches(
            &document.parse().unwrap(),
            &address.parse().unwrap(),
            &access.into_iter().collect(),
        )
    }

    #[test]
    fn a_document_is_touched_by_a_step_at_its_own_parts_and_not_by_one_inside_others() {
        assert!(touched("sql:s", "sql:s/entraOnly", None));
        assert!(!touched("sql:s", "sql:s/db:d/user:u", Some("a")));
        assert!(touched("sql:s/db:d", "sql:s/db:d/user:u", None));
        assert!(!touched("sql:s/db:d", "sql:s/db:d/user:u", Some("a")));
        let resolver = "apim:g/api:a/resolver:r";
        assert!(touched(
            resolver,
            "apim:g/api:a/resolver:r/policy",
            Some("a")
        ));
        assert!(!touched("apim:g", "apim:g/policy", None));
        assert!(touched("apim:g/access:a", "sql:s/db:d", Some("a")));
    }
}
