//! The seed: one YAML file that says what exists when the emulator starts. `docs/emulator-seed.md`
//! describes it for its writers.

use std::net::Ipv4Addr;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::arm;
use crate::directory::{Principal, PrincipalKind};
use crate::gateway::TrafficSeed;
use crate::seed_services::{ServiceSeed, VaultSeed};
use crate::yaml;

/// Why a seed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error("the seed {path} cannot be read; check the path")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("the seed is not the YAML that docs/emulator-seed.md describes, {0}")]
    Yaml(#[from] yaml::YamlError),
    #[error("the seed does not have the fields that docs/emulator-seed.md describes: {0}")]
    Fields(#[from] serde_json::Error),
    #[error("the seed's {what} names the principal `{name}`, which it does not declare")]
    UnknownPrincipal { what: &'static str, name: String },
    #[error("the seed's roles name `{0}`, which is no built-in role that the emulator knows")]
    UnknownRole(String),
    #[error("the seed's resource {id} is refused: {code}: {message}")]
    Resource {
        id: String,
        code: String,
        message: String,
    },
    #[error("the seed's SQL server `{server}` has to stand both under resources and under sql")]
    UnknownServer { server: String },
    #[error("a script of the seed for {server}/{database} failed: {message}")]
    Script {
        server: String,
        database: String,
        message: String,
    },
}

/// The whole seed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// The tenant's id.
    pub tenant: String,
    /// The principal (by name) whose client id and secret the command line logs in with.
    #[serde(default)]
    pub operator: Option<String>,
    /// The managed identity (by name) that the App Service endpoint gives tokens for.
    #[serde(default)]
    pub host_identity: Option<String>,
    #[serde(default)]
    pub settings: Settings,
    #[serde(default)]
    pub principals: Vec<PrincipalSeed>,
    #[serde(default)]
    pub roles: Vec<RoleSeed>,
    #[serde(default)]
    pub resources: Vec<ResourceSeed>,
    #[serde(default)]
    pub sql: Vec<SqlServerSeed>,
    /// The HTTP services behind the gateway.
    #[serde(default)]
    pub services: Vec<ServiceSeed>,
    /// The calls that callers make.
    #[serde(default)]
    pub traffic: Vec<TrafficSeed>,
    #[serde(default)]
    pub vaults: Vec<VaultSeed>,
}

/// How the emulated services behave.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Items on a page of an APIM list when no `$top` is asked for.
    pub page_size: usize,
    /// The most that `$top` can ask for.
    pub max_page_size: usize,
    /// Policies are indented anew and get CRLF when they are stored.
    pub reformat: bool,
    /// Polls that answer "in progress" before a long-running operation ends.
    pub lro_polls: u32,
    /// Seconds sent as `Retry-After` while it runs.
    pub retry_after: u32,
    /// The list of APIs shows non-current revisions as well.
    pub list_revisions: bool,
    /// Seconds after which a role assignment takes effect.
    pub role_propagation: i64,
    /// Role assignments that name a new principal and no type, and are refused before it is known.
    pub directory_lag: u32,
    /// Calls to Resource Manager are counted, and refused with 429 when there are too many.
    pub throttle: Option<Throttle>,
    /// Seconds after which an event of the Activity Log can be read.
    pub activity_lag: i64,
}

/// The token buckets of Resource Manager; what is left out is Azure's own (azure-facts A.5).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Throttle {
    pub reads: Bucket,
    pub writes: Bucket,
    pub deletes: Bucket,
}

/// How many calls a full bucket lets pass at once, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bucket {
    pub burst: u32,
    pub per_second: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        let bucket = |burst, per_second| Bucket { burst, per_second };
        Self {
            reads: bucket(250, 25),
            writes: bucket(200, 10),
            deletes: bucket(200, 10),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 100,
            max_page_size: 1_000,
            reformat: true,
            lro_polls: 1,
            retry_after: 0,
            list_revisions: false,
            role_propagation: 0,
            directory_lag: 1,
            throttle: None,
            activity_lag: 0,
        }
    }
}

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PrincipalKindSeed {
    User,
    Group,
    Application,
    ManagedIdentity,
}

/// One principal of the directory.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrincipalSeed {
    /// The display name; `groups`, `roles`, `operator` and `hostIdentity` refer to it.
    pub name: String,
    pub kind: PrincipalKindSeed,
    pub object_id: String,
    #[serde(default)]
    pub client_id: Option<String>,
    #[serde(default)]
    pub secret: Option<String>,
    /// A PEM certificate; its key signs the client assertions.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Names of groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl std::fmt::Debug for PrincipalSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrincipalSeed")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A role of a principal (a group's counts for its members).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleSeed {
    /// A principal's name in the seed; its object id once loaded.
    pub principal: String,
    /// A built-in role's name, such as `Reader`.
    pub role: String,
    /// An id that the role holds at and below; left out = everywhere.
    #[serde(default)]
    pub scope: Option<String>,
}

/// One ARM entity, put through the same checks as a request.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceSeed {
    pub id: String,
    #[serde(default)]
    pub body: Value,
}

impl std::fmt::Debug for ResourceSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResourceSeed")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a SQL server of `resources` holds beyond ARM.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlServerSeed {
    /// The server's name, without the suffix.
    pub server: String,
    /// The password of the server's own administrator login.
    pub admin_password: String,
    /// The server's identity may look principals up in the directory, as after Directory Readers
    /// was granted to it: `CREATE USER … FROM EXTERNAL PROVIDER` works.
    #[serde(default)]
    pub directory_reader: bool,
    /// Clients reach the server through a private endpoint, so that they still come in when
    /// `publicNetworkAccess` is `Disabled`.
    #[serde(default)]
    pub private_endpoint: bool,
    /// The address in Azure from which everybody reaches the server, so that its firewall rules
    /// count; left out, they refuse nobody.
    #[serde(default)]
    pub client_address: Option<Ipv4Addr>,
    /// In this order; a script of `master` makes the logins that the others' users are for.
    #[serde(default)]
    pub databases: Vec<DatabaseSeed>,
}

impl std::fmt::Debug for SqlServerSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlServerSeed")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// A database and what is in it.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseSeed {
    pub name: String,
    /// T-SQL, batches parted by `GO`, run as the server's administrator.
    #[serde(default)]
    pub script: String,
}

impl std::fmt::Debug for DatabaseSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseSeed")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Seed {
    pub fn load(path: &Path) -> Result<Self, SeedError> {
        let text = std::fs::read_to_string(path).map_err(|source| SeedError::Read {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads a seed and replaces the names of principals in it by what they stand for.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let mut seed: Self = serde_json::from_value(yaml::parse(text)?)?;
        let roles = std::mem::take(&mut seed.roles);
        for mut role in roles {
            if !arm::is_role(&role.role) {
                return Err(SeedError::UnknownRole(role.role));
            }
            role.principal = seed.principal("roles", &role.principal)?.object_id.clone();
            seed.roles.push(role);
        }
        for at in 0..seed.principals.len() {
            for name in seed.principals[at].groups.clone() {
                seed.principal("groups", &name)?;
            }
        }
        Ok(seed)
    }

    /// The principal with this display name.
    pub fn principal(&self, what: &'static str, name: &str) -> Result<&PrincipalSeed, SeedError> {
        self.principals
            .iter()
            .find(|principal| principal.name == name)
            .ok_or_else(|| SeedError::UnknownPrincipal {
                what,
                name: name.to_owned(),
            })
    }

    /// The principals as the directory keeps them.
    pub fn directory_entries(&self) -> Result<Vec<Principal>, SeedError> {
        self.principals
            .iter()
            .map(|seed| {
                let groups = seed
                    .groups
                    .iter()
                    .map(|name| Ok(self.principal("groups", name)?.object_id.clone()))
                    .collect::<Result<_, SeedError>>()?;
                Ok(Principal {
                    object_id: seed.object_id.clone(),
                    client_id: seed.client_id.clone(),
                    display_name: seed.name.clone(),
                    kind: match seed.kind {
                        PrincipalKindSeed::User => PrincipalKind::User,
                        PrincipalKindSeed::Group => PrincipalKind::Group,
                        PrincipalKindSeed::Application => PrincipalKind::Application,
                        PrincipalKindSeed::ManagedIdentity => PrincipalKind::ManagedIdentity,
                    },
                    groups,
                    secret: seed.secret.clone(),
                    certificate: seed.certificate.clone(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_of_an_undeclared_principal_is_refused() {
        let text = "tenant: t\nroles: [{ principal: nobody, role: Reader }]\n";
        assert!(
            Seed::parse(text)
                .unwrap_err()
                .to_string()
                .contains("`nobody`")
        );
    }

    #[test]
    fn an_unknown_role_is_refused() {
        let text = "tenant: t\nprincipals: [{ name: a, kind: group, objectId: o }]\nroles: [{ \
                    principal: a, role: Reeder }]\n";
        assert!(matches!(Seed::parse(text), Err(SeedError::UnknownRole(_))));
        let known = text.replace("Reeder", "SQL Security Manager");
        assert!(Seed::parse(&known).is_ok());
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(matches!(
            Seed::parse("tennant: t\n"),
            Err(SeedError::Fields(_))
        ));
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        let text = "tenant: t\nprincipals: [{ name: a, kind: application, objectId: o, \
                    clientId: c, secret: hunter2 }]\nresources: [{ id: /a, body: { value: hunter2 } \
                    }]\nsql: [{ server: s, adminPassword: hunter2, databases: [{ name: d, script: \
                    hunter2 }] }]";
        assert!(!format!("{:?}", Seed::parse(text).unwrap()).contains("hunter2"));
    }
}
