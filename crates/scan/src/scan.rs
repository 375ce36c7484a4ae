//! The scan: every rule over a whole snapshot.

use std::collections::BTreeMap;

use keyless_model::{Address, FingerprintKey, Live, Snapshot};
use keyless_policy::Document;

use crate::credentials::Sort;
use crate::finding::{Confidence, Finding, USE_ACCESS};
use crate::named_value::{Known, judge};
use crate::opened::Opened;
use crate::policy::{Role, Spot, Use, search};
use crate::{certificate, exposure, gateway, kept, kept_sql, server};

/// Something that the scan could not look into. While there is one, no result is clean.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsearched {
    /// An address, or the prefix of those that could not be read.
    pub address: String,
    pub why: String,
}

/// Each named value by gateway and display name, with the places that use it as a credential.
type Uses = BTreeMap<(Address, String), Vec<(Address, Use)>>;

/// Every credential of a snapshot, the most severe first, then by address and place.
pub fn scan(snapshot: &Snapshot, key: &FingerprintKey) -> Vec<Finding> {
    let mut uses = Uses::new();
    let mut out = in_policies(snapshot, key, &mut uses);
    let held = gateway::held(snapshot, key);
    out.extend(held.findings);
    for (address, one) in held.uses {
        note(&mut uses, address, one);
    }
    out.extend(in_named_values(snapshot, key, &uses));
    out.extend(server::findings(snapshot));
    out.extend(exposure::findings(snapshot));
    out.extend(kept::findings(snapshot));
    out.extend(kept_sql::findings(snapshot));
    out.sort_by(|a, b| {
        let order = |f: &Finding| (std::cmp::Reverse(f.severity), f.address.clone());
        let place = |f: &Finding| (f.place.clone(), f.rule, f.line, f.fingerprint.clone());
        order(a)
            .cmp(&order(b))
            .then_with(|| place(a).cmp(&place(b)))
    });
    let mut turns: BTreeMap<String, usize> = BTreeMap::new();
    let identified = |finding: Finding| {
        let turn = turns.entry(finding.said()).or_default();
        *turn += 1;
        finding.identified(*turn - 1)
    };
    out.into_iter().map(identified).collect()
}

fn note(uses: &mut Uses, address: Address, one: Use) {
    let of = (address.root(), one.name.clone());
    uses.entry(of).or_default().push((address, one));
}

fn in_policies(snapshot: &Snapshot, key: &FingerprintKey, uses: &mut Uses) -> Vec<Finding> {
    let mut out = Vec::new();
    for (address, text) in policies(snapshot) {
        let Ok(document) = Document::parse(text) else {
            continue;
        };
        let gateway = address.root();
        let lookup = |name: &str| value(snapshot, &gateway, name);
        let found = search(&document, &lookup);
        let certificates = text.contains("authentication-certificate");
        if !found.spots.is_empty() || certificates {
            let opened = Opened::by(snapshot, address, &document, &lookup);
            out.extend(certificate::in_policy(address, &document, &opened));
            let finding = |s: &Spot| in_policy(address, s, &opened, key);
            out.extend(found.spots.iter().map(finding));
        }
        for one in found.uses {
            note(uses, address.clone(), one);
        }
    }
    out
}

fn in_named_values(snapshot: &Snapshot, key: &FingerprintKey, uses: &Uses) -> Vec<Finding> {
    let mut out = Vec::new();
    for ((gateway, name), users) in uses {
        if snapshot.named_value(gateway, name).is_none() {
            out.extend(not_listed(snapshot, gateway, name, users));
        }
    }
    let listed = snapshot
        .entities
        .iter()
        .filter(|(a, _)| a.last().0 == "namedValue");
    for (address, entity) in listed {
        let name = entity.text("/properties/displayName").unwrap_or_default();
        let of = (address.root(), name.to_owned());
        let uses = uses.get(&of).map(Vec::as_slice).unwrap_or_default();
        let known = Known {
            address,
            entity,
            uses,
        };
        out.extend(judge(&known, key));
    }
    out
}

/// What [`scan`] says nothing about: what was not read, and policies that do not parse.
pub fn unsearched(snapshot: &Snapshot) -> Vec<Unsearched> {
    let told = |(address, why): (&String, &String)| Unsearched {
        address: address.clone(),
        why: why.clone(),
    };
    let mut out: Vec<Unsearched> = snapshot.unreadable.iter().map(told).collect();
    let not_read = |address: &Address, why: &str| Unsearched {
        address: address.to_string(),
        why: why.to_owned(),
    };
    for (address, text) in policies(snapshot) {
        if let Err(error) = Document::parse(text) {
            out.push(not_read(address, &error.to_string()));
        }
    }
    let workspaces = snapshot
        .entities
        .keys()
        .filter(|a| a.last().0 == "workspace");
    for workspace in workspaces {
        let covered = |u: &Unsearched| u.address.starts_with(workspace.as_str());
        if !out.iter().any(covered) {
            let why = "the APIs, policies and named values of a workspace are not read";
            out.push(not_read(workspace, why));
        }
    }
    for (address, live) in &snapshot.logins {
        if let Live::Unreadable(why) = live {
            out.push(not_read(&address.part("logins"), why));
        }
    }
    for (address, live) in &snapshot.databases {
        if let Live::Unreadable(why) = live {
            out.push(not_read(address, why));
        }
    }
    out
}

/// Each policy document and fragment, at whatever scope.
fn policies(snapshot: &Snapshot) -> impl Iterator<Item = (&Address, &str)> {
    let is_policy = |a: &Address| matches!(a.last().0, "policy" | "policyFragment");
    snapshot
        .entities
        .iter()
        .filter(move |(a, _)| is_policy(a))
        .filter_map(|(a, e)| Some((a, e.text("/properties/value")?)))
}

/// The value of the named value that policies call `{{name}}`.
fn value(snapshot: &Snapshot, gateway: &Address, name: &str) -> Live<String> {
    match snapshot.named_value(gateway, name) {
        Some((_, entity)) => match entity.text("/properties/value") {
            Some(value) => Live::Present(value.to_owned()),
            None => Live::Unreadable("its value is secret".into()),
        },
        None => match snapshot.get(&gateway.child("namedValue", name)) {
            Live::Unreadable(why) => Live::Unreadable(why),
            _ => Live::Absent,
        },
    }
}

fn in_policy(address: &Address, spot: &Spot, opened: &Opened, key: &FingerprintKey) -> Finding {
    Finding {
        place: spot.place.clone(),
        line: Some(spot.line),
        opens: match &spot.hit.sort {
            Sort::Sql(opens) => opens.clone(),
            Sort::Key(opens) => opens.clone().or_else(|| opened.at(&spot.place)),
        },
        confidence: spot.hit.confidence,
        severity: spot.severity,
        replacement: spot.replacement.to_owned(),
        fingerprint: Some(key.of(spot.hit.value.expose())),
        ..Finding::new(spot.rule, address, spot.what.clone())
    }
}

/// A connection string behind a named value that the reader may not even list.
fn not_listed<'a>(
    snapshot: &'a Snapshot,
    gateway: &'a Address,
    name: &'a str,
    users: &'a [(Address, Use)],
) -> impl Iterator<Item = Finding> + 'a {
    let unreadable = matches!(value(snapshot, gateway, name), Live::Unreadable(_));
    let sql = users
        .iter()
        .filter(move |(_, u)| unreadable && !matches!(u.role, Role::Key(_)));
    sql.map(move |(address, used)| Finding {
        place: used.place.clone(),
        line: used.line,
        through: Some(name.to_owned()),
        opens: match &used.role {
            Role::SqlPassword(opens) => opens.clone(),
            _ => None,
        },
        confidence: match &used.role {
            Role::ConnectionString { identity: true } => Confidence::Possible,
            _ => Confidence::Likely,
        },
        replacement: USE_ACCESS.into(),
        ..Finding::new(
            "KL0404",
            address,
            "a named value that could not be read stands for a connection string or its password"
                .into(),
        )
    })
}
