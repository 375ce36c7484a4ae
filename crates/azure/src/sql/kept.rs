//! What only a search for credentials looks at (azure-facts C.6 rows 7 to 12). Azure answers with
//! the names and never with the passwords and keys.
//!
//! Paths and fields are those of the REST reference of Azure SQL, 2024-05-01-preview: sync groups,
//! sync members and sync agents, job credentials, vulnerability assessments and alert policies.

use keyless_model::ArmId;

use super::AUDITING;
use crate::capture::{first, from_sql};
use crate::error::ArmError;
use crate::request::Request;

/// The only alert policy, and the only assessment, that a server or a database has.
const ALERTS: &str = "Default";
const ASSESSMENT: &str = "default";

/// The audit of what Microsoft's support does on the server.
///
/// # Errors
/// When the id is of another type.
pub fn support_auditing(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        g.client
            .server_dev_ops_audit_settings_client()
            .get(g.group, g.server, AUDITING, g.subscription)
            .send()
    })
}

/// A database's own auditing.
///
/// # Errors
/// When the id is of another type or the name cannot stand in a path.
pub fn database_auditing(server: &ArmId, database: &str) -> Result<Request, ArmError> {
    from_sql(server, &[database], |g| {
        g.client
            .extended_database_blob_auditing_policies_client()
            .get(g.group, g.server, database, AUDITING, g.subscription)
            .send()
    })
}

/// The server's alert policy.
///
/// # Errors
/// See [`support_auditing`].
pub fn alerts(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        g.client
            .server_security_alert_policies_client()
            .get(g.group, g.server, ALERTS, g.subscription)
            .send()
    })
}

/// A database's own alert policy.
///
/// # Errors
/// See [`database_auditing`].
pub fn database_alerts(server: &ArmId, database: &str) -> Result<Request, ArmError> {
    from_sql(server, &[database], |g| {
        g.client
            .database_security_alert_policies_client()
            .get(g.group, g.server, database, ALERTS, g.subscription)
            .send()
    })
}

/// Where the server's vulnerability assessment keeps its results, in the classic configuration.
///
/// # Errors
/// See [`support_auditing`].
pub fn assessment(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        g.client
            .server_vulnerability_assessments_client()
            .get(g.group, g.server, ASSESSMENT, g.subscription)
            .send()
    })
}

/// The same of a database's own.
///
/// # Errors
/// See [`database_auditing`].
pub fn database_assessment(server: &ArmId, database: &str) -> Result<Request, ArmError> {
    from_sql(server, &[database], |g| {
        g.client
            .database_vulnerability_assessments_client()
            .get(g.group, g.server, database, ASSESSMENT, g.subscription)
            .send()
    })
}

/// The users and passwords that the jobs of an agent log in with.
///
/// # Errors
/// See [`database_auditing`].
pub fn job_credentials(server: &ArmId, agent: &str) -> Result<Request, ArmError> {
    from_sql(server, &[agent], |g| {
        first(
            g.client
                .job_credentials_client()
                .list_by_agent(g.group, g.server, agent, g.subscription)
                .into_stream(),
        )
    })
}

/// The databases that a sync group keeps alike with its own.
///
/// # Errors
/// See [`database_auditing`].
pub fn sync_members(server: &ArmId, database: &str, group: &str) -> Result<Request, ArmError> {
    from_sql(server, &[database, group], |g| {
        first(
            g.client
                .sync_members_client()
                .list_by_sync_group(g.group, g.server, database, group, g.subscription)
                .into_stream(),
        )
    })
}

/// The agents through which servers elsewhere take part in Data Sync, each with a key.
///
/// # Errors
/// See [`support_auditing`].
pub fn sync_agents(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        first(
            g.client
                .sync_agents_client()
                .list_by_server(g.group, g.server, g.subscription)
                .into_stream(),
        )
    })
}
