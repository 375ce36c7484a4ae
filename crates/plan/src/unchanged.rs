//! What a plan leaves as it is: counted, so that a report can be quiet about it.

use keyless_model::{Address, Desired};

use crate::file::Plan;

/// How many documents ask for nothing that the plan would change or holds up.
pub fn unchanged(desired: &Desired, plan: &Plan) -> usize {
    let steps = plan.steps.iter().map(|s| (&s.address, s.access.as_deref()));
    let rows = plan
        .waiting
        .iter()
        .map(|w| (&w.address, w.access.as_deref()));
    let touched: Vec<(&Address, Option<&str>)> = steps.chain(rows).collect();
    let untouched = |document: &&Address| {
        !touched
            .iter()
            .any(|(address, access)| touches(document, address, *access))
    };
    desired.addresses().iter().filter(untouched).count()
}

/// Whether what stands at `address`, for this Access or for none, is a matter of the document at
/// `document`.
fn touches(document: &Address, address: &Address, access: Option<&str>) -> bool {
    let part = address.parent().as_ref() == Some(document) && address.last().1.is_empty();
    match document.last() {
        ("access", name) => access == Some(name),
        // Its administrator, lock, auditing and doors are parts of it; what lies inside has
        // documents of its own.
        ("sql" | "resolver", _) => address == document || part,
        ("db", _) => access.is_none() && address.within(document),
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
            access,
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
