//! The rules for passwords and keys that a SQL server keeps for its helpers: alerts and assessments
//! that write to storage, elastic jobs, Data Sync (azure-facts C.6 rows 9 to 12). Azure shows no
//! value of them.

use keyless_model::{Address, Entity, Severity, Snapshot};

use crate::finding::{Confidence, Finding, Opens};
use crate::url::host;

/// Everything of that kind on the servers of a snapshot.
pub(crate) fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    let mut out = Vec::new();
    for (address, entity) in snapshot.entities.iter().filter(|(a, _)| !a.is_gateway()) {
        out.extend(match address.last().0 {
            "alerts" => alerts(address, entity),
            "assessment" => assessment(address, entity),
            "credential" => Some(job(address, entity)),
            "syncGroup" => hub(snapshot, address, entity),
            "syncMember" => member(address, entity),
            "syncAgent" => Some(agent(address)),
            _ => None,
        });
    }
    out
}

fn warning(rule: &'static str, address: &Address, what: &str, instead: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        replacement: instead.into(),
        ..Finding::new(rule, address, what.into())
    }
}

/// A field with something in it.
fn filled<'a>(entity: &'a Entity, pointer: &str) -> Option<&'a str> {
    entity.text(pointer).filter(|text| !text.trim().is_empty())
}

/// Azure SQL REST, security alert policies: what is written to storage needs the account's key.
fn alerts(address: &Address, entity: &Entity) -> Option<Finding> {
    const POINTER: &str = "/properties/storageEndpoint";
    let state = entity.text("/properties/state").unwrap_or_default();
    let endpoint = filled(entity, POINTER)?;
    state.eq_ignore_ascii_case("enabled").then(|| Finding {
        place: POINTER.into(),
        opens: host(endpoint).map(Opens::host),
        ..warning(
            "KL0432",
            address,
            "alerts are written to storage with an account key",
            "alerts without storage: Defender for Cloud shows them",
        )
    })
}

/// Azure SQL REST, vulnerability assessments: only the classic configuration has a container. With
/// the server's identity it may do without a key, which no answer shows.
fn assessment(address: &Address, entity: &Entity) -> Option<Finding> {
    const POINTER: &str = "/properties/storageContainerPath";
    let container = filled(entity, POINTER)?;
    Some(Finding {
        place: POINTER.into(),
        opens: host(container).map(Opens::host),
        confidence: Confidence::Likely,
        ..warning(
            "KL0432",
            address,
            "the vulnerability assessment is written to storage with a key",
            "the express configuration, which has no storage",
        )
    })
}

/// Azure SQL REST, job credentials: `username` is shown. Jobs run on many servers, so what it opens
/// is not known here. Agents take a user-assigned identity instead (Azure SQL REST, job agents:
/// `identity`; Azure PowerShell, `New-AzSqlElasticJobAgent -IdentityType`).
fn job(address: &Address, entity: &Entity) -> Finding {
    const POINTER: &str = "/properties/username";
    let what = match filled(entity, POINTER) {
        Some(user) => format!("elastic jobs log in as {user} with a password"),
        None => "elastic jobs log in with a password".to_owned(),
    };
    Finding {
        place: POINTER.into(),
        ..warning(
            "KL0433",
            address,
            &what,
            "a user-assigned identity on the job agent, as a user of each target database",
        )
    }
}

/// Identities: release notes of Az.Sql 6.5.0, "User Assigned Managed Identity authentication in Data
/// Sync"; the end: azure-docs, "What is SQL Data Sync for Azure?".
const NO_SYNC: &str = "a user-assigned identity on the sync group and its members, or no Data Sync: \
     it ends in September 2027, and Entra-only authentication shuts its passwords out";

fn hub(snapshot: &Snapshot, address: &Address, entity: &Entity) -> Option<Finding> {
    const POINTER: &str = "/properties/hubDatabaseUserName";
    let login = filled(entity, POINTER)?;
    let server = snapshot.entities.get(&address.root());
    let server = server.and_then(|s| s.text("/properties/fullyQualifiedDomainName"));
    Some(sync(
        address,
        POINTER,
        server,
        address.name_of("db"),
        login,
        "this sync group logs in to its hub with a password",
    ))
}

fn member(address: &Address, entity: &Entity) -> Option<Finding> {
    const POINTER: &str = "/properties/userName";
    let login = filled(entity, POINTER)?;
    Some(sync(
        address,
        POINTER,
        filled(entity, "/properties/serverName"),
        filled(entity, "/properties/databaseName"),
        login,
        "Data Sync logs in to this member with a password",
    ))
}

fn sync(
    address: &Address,
    place: &str,
    server: Option<&str>,
    database: Option<&str>,
    login: &str,
    what: &str,
) -> Finding {
    Finding {
        place: place.into(),
        opens: server.map(|server| Opens {
            server: server.to_lowercase(),
            database: database.map(str::to_owned),
            login: Some(login.to_owned()),
        }),
        ..warning("KL0434", address, what, NO_SYNC)
    }
}

fn agent(address: &Address) -> Finding {
    let what = "a server elsewhere takes part in Data Sync with a key of this agent";
    warning("KL0434", address, what, NO_SYNC)
}
