//! Servers of one failover group: one Entra administrator and one answer about passwords for all.
//!
//! A database fails over with its users, and neither the administrator nor Entra-only does
//! (azure-facts C.3 and F): so what one document of a group says holds for every server of it.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{Desired, Diagnostic};

use crate::document::Document;
use crate::node::Node;

/// Reports servers of one group that declare different administrators.
pub(crate) fn contradictions(documents: &[Document<'_>], found: &mut Vec<Diagnostic>) {
    let mut servers: BTreeMap<&str, &Document<'_>> = BTreeMap::new();
    for document in documents.iter().filter(|d| d.kind.name == "SqlServer") {
        servers.entry(document.name).or_insert(document);
    }
    let partners = servers.iter().map(|(name, document)| {
        let partners = document.spec.get("partners").map_or(&[][..], Node::items);
        (*name, partners.iter().filter_map(Node::text).collect())
    });
    for group in groups(&partners.collect()) {
        let members = group.iter().filter_map(|name| servers.get(name));
        let mut declaring = members.filter(|d| d.spec.get("entraAdmin").is_some());
        let Some(first) = declaring.next() else {
            continue;
        };
        for other in declaring {
            if let Some((key, at)) = different(first, other) {
                let message = format!(
                    "{} and {} are partners and have different administrators",
                    first.title(),
                    other.title()
                );
                let span = first.span();
                let help = format!(
                    "the other `entraAdmin` is that of {}:{}; leave this one out, and it is the \
                     same",
                    span.file, span.line
                );
                let label = format!("another `{key}`");
                found.push(other.error("KL0113", message, &at, &label).help(help));
            }
        }
    }
}

/// The field in which the administrator of `other` differs, and where it stands.
fn different(
    first: &Document<'_>,
    other: &Document<'_>,
) -> Option<(&'static str, std::ops::Range<usize>)> {
    let admins = (first.spec.get("entraAdmin")?, other.spec.get("entraAdmin")?);
    for (key, default) in [
        ("sid", None),
        ("login", None),
        ("principalType", Some("Group")),
    ] {
        let value = |admin: &Node| {
            let text = admin.get(key).and_then(Node::text).or(default)?;
            Some(text.to_lowercase())
        };
        let (Some(a), Some(b)) = (value(admins.0), value(admins.1)) else {
            continue;
        };
        if a != b {
            let at = admins.1.get(key).unwrap_or(admins.1);
            return Some((key, at.range.clone()));
        }
    }
    None
}

/// Gives every server of a group what one of them declares.
pub(crate) fn inherit(desired: &mut Desired) {
    let partners = desired.servers.iter().map(|(name, server)| {
        let partners = server.partners.iter().map(String::as_str).collect();
        (name.as_str(), partners)
    });
    let groups: Vec<BTreeSet<String>> = groups(&partners.collect())
        .into_iter()
        .map(|group| group.into_iter().map(str::to_owned).collect())
        .collect();
    for group in groups {
        let members = || group.iter().filter_map(|name| desired.servers.get(name));
        let admin = members().find_map(|s| s.entra_admin.clone());
        let only = members().find_map(|s| s.entra_only);
        for name in &group {
            if let Some(server) = desired.servers.get_mut(name) {
                server.entra_admin.clone_from(&admin);
                server.entra_only = only;
            }
        }
    }
}

/// Servers that are partners, in whichever direction and through whichever others.
fn groups<'a>(partners: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<BTreeSet<&'a str>> {
    let mut groups: Vec<BTreeSet<&str>> = Vec::new();
    for (name, partners) in partners {
        let mut group = partners.clone();
        group.insert(name);
        groups.retain(|other| {
            let apart = group.is_disjoint(other);
            if !apart {
                group.extend(other);
            }
            apart
        });
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_of_partners_are_one_group() {
        let partners = [
            ("a", vec!["b"]),
            ("b", vec![]),
            ("c", vec!["d"]),
            ("d", vec!["b"]),
            ("e", vec![]),
        ];
        let partners = partners.map(|(name, with)| (name, with.into_iter().collect()));
        let mut found = groups(&partners.into_iter().collect());
        found.sort();
        assert_eq!(
            found,
            [BTreeSet::from(["a", "b", "c", "d"]), BTreeSet::from(["e"])]
        );
    }
}
