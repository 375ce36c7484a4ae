//! The rules for what a SQL server admits and keeps besides logins: firewall rules, auditing by
//! key, old TLS, application roles and stored credentials (azure-facts C.6).

use keyless_model::sql::{Catalogue, PrincipalKind};
use keyless_model::{Address, Entity, Live, Severity, Snapshot};

use crate::finding::Finding;

/// Everything of that kind on the servers of a snapshot.
pub(crate) fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    let mut out = Vec::new();
    for (address, entity) in snapshot.entities.iter().filter(|(a, _)| !a.is_gateway()) {
        match address.last().0 {
            "sql" => out.extend(tls(address, entity)),
            "firewallRule" => {
                let end = |name: &str| entity.text(&format!("/properties/{name}IpAddress"));
                let (start, end) = (end("start"), end("end"));
                out.extend(rule(
                    snapshot,
                    address,
                    start.unwrap_or(""),
                    end.unwrap_or(""),
                ));
            }
            "auditing" | "supportAuditing" => out.extend(auditing(address, entity)),
            _ => {}
        }
    }
    for (address, live) in &snapshot.databases {
        if let Live::Present(catalogue) = live {
            out.extend(database(snapshot, address, catalogue));
        }
    }
    out
}

/// More addresses than a company's own network usually has.
const MANY: u64 = 256;
/// More than any one network has.
const VERY_MANY: u64 = 65_536;

/// A rule is known by its values and not by its name (azure-facts C.2). Where the public network is
/// off it admits nobody, until somebody turns it on.
fn rule(snapshot: &Snapshot, address: &Address, start: &str, end: &str) -> Option<Finding> {
    let (start, end) = (number(start)?, number(end)?);
    let all_of_azure = (start, end) == (0, 0);
    let count = (end + 1).saturating_sub(start);
    let (code, severity, what) = if all_of_azure {
        let what = "this rule admits every service in Azure, those of other customers included";
        ("KL0418", Severity::High, what.to_owned())
    } else if count > MANY {
        let severity = match count {
            VERY_MANY.. => Severity::High,
            _ => Severity::Warning,
        };
        (
            "KL0419",
            severity,
            format!("this rule admits {count} addresses"),
        )
    } else {
        return None;
    };
    Some(Finding {
        severity: if public_network_is_off(snapshot, &address.root()) {
            Severity::Info
        } else {
            severity
        },
        replacement: "a private endpoint, or the outbound addresses of the gateway and of whoever \
                      else needs it; then delete this rule"
            .into(),
        ..Finding::new(code, address, what)
    })
}

/// A dotted quad as a number.
fn number(text: &str) -> Option<u64> {
    let parts: Vec<u8> = text
        .trim()
        .split('.')
        .map(|p| p.parse().ok())
        .collect::<Option<_>>()?;
    let quad: [u8; 4] = parts.try_into().ok()?;
    Some(u32::from_be_bytes(quad).into())
}

fn public_network_is_off(snapshot: &Snapshot, server: &Address) -> bool {
    let entity = snapshot.entities.get(server);
    let access = entity.and_then(|e| e.text("/properties/publicNetworkAccess"));
    access.is_some_and(|a| a.eq_ignore_ascii_case("disabled"))
}

/// Azure SQL REST, `servers`: `minimalTlsVersion` is `None` or a version.
fn tls(address: &Address, entity: &Entity) -> Option<Finding> {
    const POINTER: &str = "/properties/minimalTlsVersion";
    let least = entity.text(POINTER)?;
    if !["None", "1.0", "1.1"]
        .iter()
        .any(|v| least.eq_ignore_ascii_case(v))
    {
        return None;
    }
    Some(Finding {
        place: POINTER.into(),
        severity: Severity::Warning,
        replacement: "`minimalTlsVersion: \"1.2\"` in the SqlServer document".into(),
        ..Finding::new(
            "KL0421",
            address,
            "passwords and tokens may travel over TLS older than 1.2".into(),
        )
    })
}

/// Azure SQL REST, extended auditing settings of servers and databases, and DevOps auditing
/// settings, which have the same fields. The key itself is never read back.
fn auditing(address: &Address, entity: &Entity) -> Option<Finding> {
    const POINTER: &str = "/properties/storageEndpoint";
    let enabled = entity
        .text("/properties/state")
        .is_some_and(|s| s.eq_ignore_ascii_case("enabled"));
    let storage = entity.text(POINTER).is_some_and(|e| !e.trim().is_empty());
    let by_identity = entity.flag("/properties/isManagedIdentityInUse") == Some(true);
    (enabled && storage && !by_identity).then(|| Finding {
        place: POINTER.into(),
        severity: Severity::Warning,
        replacement: "the server's identity with the role Storage Blob Data Contributor, and \
                      `isManagedIdentityInUse`; or Log Analytics as the target"
            .into(),
        ..Finding::new(
            "KL0420",
            address,
            "the audit is written to storage with an account key".into(),
        )
    })
}

fn database(snapshot: &Snapshot, address: &Address, catalogue: &Catalogue) -> Vec<Finding> {
    let mut out = Vec::new();
    for one in &catalogue.firewall_rules {
        let address = address.child("firewallRule", &one.name);
        out.extend(rule(snapshot, &address, &one.start, &one.end));
    }
    let roles = catalogue.principals.iter();
    for role in roles.filter(|p| p.kind == PrincipalKind::ApplicationRole) {
        out.push(Finding {
            severity: Severity::Warning,
            replacement: "an Access whose role has the same rights; then drop it".into(),
            ..Finding::new(
                "KL0422",
                &address.child("role", &role.name),
                "an application enters this role with a password".into(),
            )
        });
    }
    for (name, identity) in &catalogue.scoped_credentials {
        if identity.trim().eq_ignore_ascii_case("managed identity") {
            continue;
        }
        out.push(Finding {
            severity: Severity::Warning,
            replacement: "a credential with IDENTITY = 'Managed Identity', to which the external \
                          data sources refer; then drop this one"
                .into(),
            ..Finding::new(
                "KL0423",
                &address.child("scopedCredential", name),
                "the database keeps a secret for another service".into(),
            )
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyless_model::sql::{Authentication, FirewallRule, Principal};
    use serde_json::{Value, json};

    fn put(snapshot: &mut Snapshot, address: Address, properties: Value) {
        let entity = Entity {
            id: String::new(),
            etag: None,
            body: json!({ "properties": properties }),
        };
        snapshot.entities.insert(address, entity);
    }

    fn told(snapshot: &Snapshot) -> Vec<String> {
        let found = findings(snapshot);
        let told = |f: &Finding| format!("{} {} {}", f.rule, f.address, f.severity.word());
        found.iter().map(told).collect()
    }

    fn with_rules(server: Value, rules: &[(&str, &str, &str)]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        put(&mut snapshot, Address::server("s"), server);
        for (name, start, end) in rules {
            let address = Address::server("s").child("firewallRule", name);
            put(
                &mut snapshot,
                address,
                json!({ "startIpAddress": start, "endIpAddress": end }),
            );
        }
        snapshot
    }

    #[test]
    fn rules_are_known_by_their_values() {
        let rules = [
            ("a-office", "20.1.2.0", "20.1.2.255"),
            ("b-renamed", "0.0.0.0", "0.0.0.0"),
            ("c-campus", "20.1.0.0", "20.1.3.255"),
            ("d-everybody", "0.0.0.0", "255.255.255.255"),
            ("e-reversed", "20.2.0.0", "20.1.0.0"),
            ("f-broken", "x", ""),
        ];
        let snapshot = with_rules(json!({}), &rules);
        assert_eq!(
            told(&snapshot),
            [
                "KL0418 sql:s/firewallRule:b-renamed high",
                "KL0419 sql:s/firewallRule:c-campus warning",
                "KL0419 sql:s/firewallRule:d-everybody high",
            ]
        );
    }

    #[test]
    fn a_rule_behind_a_closed_public_network_is_worth_a_note() {
        let closed = json!({ "publicNetworkAccess": "Disabled" });
        let snapshot = with_rules(closed, &[("a", "0.0.0.0", "0.0.0.0")]);
        assert_eq!(told(&snapshot), ["KL0418 sql:s/firewallRule:a info"]);
    }

    #[test]
    fn what_a_database_keeps_is_found() {
        let mut snapshot = Snapshot::default();
        let mut catalogue = Catalogue::default();
        catalogue.firewall_rules.push(FirewallRule {
            name: "azure".into(),
            start: "0.0.0.0".into(),
            end: "0.0.0.0".into(),
        });
        catalogue.principals.push(Principal {
            name: "payroll".into(),
            kind: PrincipalKind::ApplicationRole,
            sid: None,
            authentication: Authentication::None,
            fixed: false,
        });
        for (name, identity) in [
            ("blob", "SHARED ACCESS SIGNATURE"),
            ("mi", "Managed Identity"),
        ] {
            let entry = (name.to_owned(), identity.to_owned());
            catalogue.scoped_credentials.extend([entry]);
        }
        let database = Address::database("s", "d");
        snapshot
            .databases
            .insert(database, Live::Present(catalogue));
        assert_eq!(
            told(&snapshot),
            [
                "KL0418 sql:s/db:d/firewallRule:azure high",
                "KL0422 sql:s/db:d/role:payroll warning",
                "KL0423 sql:s/db:d/scopedCredential:blob warning",
            ]
        );
    }

    #[test]
    fn auditing_by_key_and_old_tls_are_found() {
        let audit = |properties: Value| {
            let mut snapshot = Snapshot::default();
            put(
                &mut snapshot,
                Address::server("s").part("auditing"),
                properties,
            );
            told(&snapshot)
        };
        let storage = "https://a.blob.core.windows.net";
        let by_key = audit(json!({ "state": "Enabled", "storageEndpoint": storage }));
        assert_eq!(by_key, ["KL0420 sql:s/auditing warning"]);
        for clean in [
            json!({ "state": "Enabled", "isAzureMonitorTargetEnabled": true, "storageEndpoint": "" }),
            json!({ "state": "Disabled", "storageEndpoint": storage }),
            json!({ "state": "Enabled", "storageEndpoint": storage, "isManagedIdentityInUse": true }),
        ] {
            assert_eq!(audit(clean), Vec::<String>::new());
        }
        for (version, count) in [("None", 1), ("1.0", 1), ("1.1", 1), ("1.2", 0), ("1.3", 0)] {
            let server = json!({ "minimalTlsVersion": version });
            assert_eq!(told(&with_rules(server, &[])).len(), count, "{version}");
        }
    }
}
