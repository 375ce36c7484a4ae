//! Requests for Azure SQL servers (azure-facts C.1). Nothing in `Microsoft.Sql` takes an ETag.
//!
//! `PUT {sql}/firewallRules` replaces the whole set and is not offered.

mod kept;

use azure_mgmt_sql::package_preview_2024_05::models;
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::{first, from_sql};
use crate::error::ArmError;
use crate::request::Request;

pub use kept::{
    alerts, assessment, database_alerts, database_assessment, database_auditing, job_credentials,
    support_auditing, sync_agents, sync_members,
};

/// The only administrator and the only Entra-only setting that a server has.
const ADMINISTRATOR: &str = "ActiveDirectory";
const ENTRA_ONLY: &str = "Default";
const AUDITING: &str = "default";

/// Reads the server with its Entra administrator expanded.
///
/// # Errors
/// As every request here: when the id is of another type or a name cannot stand in a path.
pub fn server(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        g.client
            .servers_client()
            .get(g.group, g.server, g.subscription)
            .expand("administrators/activedirectory")
            .send()
    })
}

/// Changes the server; long-running.
///
/// # Errors
/// See [`server`].
pub fn patch_server(server: &ArmId, body: Value) -> Result<Request, ArmError> {
    let request = from_sql(server, &[], |g| {
        let none = models::ServerUpdate::default();
        g.client
            .servers_client()
            .update(g.group, g.server, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}

/// All databases, `master` included.
///
/// # Errors
/// See [`server`].
pub fn databases(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        first(
            g.client
                .databases_client()
                .list_by_server(g.group, g.server, g.subscription)
                .into_stream(),
        )
    })
}

/// One database.
///
/// # Errors
/// See [`server`].
pub fn database(server: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_sql(server, &[name], |g| {
        g.client
            .databases_client()
            .get(g.group, g.server, name, g.subscription)
            .send()
    })
}

/// The Entra administrator; 404 when there is none.
///
/// # Errors
/// See [`server`].
pub fn administrator(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        g.client
            .server_azure_ad_administrators_client()
            .get(g.group, g.server, ADMINISTRATOR, g.subscription)
            .send()
    })
}

/// Sets the Entra administrator; long-running.
///
/// # Errors
/// See [`server`].
pub fn put_administrator(server: &ArmId, body: Value) -> Result<Request, ArmError> {
    let request = from_sql(server, &[], |g| {
        let none = models::ServerAzureAdAdministrator::default();
        g.client
            .server_azure_ad_administrators_client()
            .create_or_update(g.group, g.server, ADMINISTRATOR, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}

/// Removes the Entra administrator; long-running. Every Entra login stops working.
///
/// # Errors
/// See [`server`].
pub fn delete_administrator(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        g.client
            .server_azure_ad_administrators_client()
            .delete(g.group, g.server, ADMINISTRATOR, g.subscription)
            .send()
    })
}

/// Whether only Entra logins are allowed.
///
/// # Errors
/// See [`server`].
pub fn entra_only(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        g.client
            .server_azure_ad_only_authentications_client()
            .get(g.group, g.server, ENTRA_ONLY, g.subscription)
            .send()
    })
}

/// Sets `properties.azureADOnlyAuthentication`; long-running.
///
/// # Errors
/// See [`server`].
pub fn put_entra_only(server: &ArmId, body: Value) -> Result<Request, ArmError> {
    let request = from_sql(server, &[], |g| {
        let none = models::ServerAzureAdOnlyAuthentication::default();
        g.client
            .server_azure_ad_only_authentications_client()
            .create_or_update(g.group, g.server, ENTRA_ONLY, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}

/// The server's auditing.
///
/// # Errors
/// See [`server`].
pub fn auditing(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        g.client
            .extended_server_blob_auditing_policies_client()
            .get(g.group, g.server, AUDITING, g.subscription)
            .send()
    })
}

/// Sets the server's auditing; long-running.
///
/// # Errors
/// See [`server`].
pub fn put_auditing(server: &ArmId, body: Value) -> Result<Request, ArmError> {
    let request = from_sql(server, &[], |g| {
        let none = models::ExtendedServerBlobAuditingPolicy::default();
        g.client
            .extended_server_blob_auditing_policies_client()
            .create_or_update(g.group, g.server, AUDITING, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}

/// All firewall rules.
///
/// # Errors
/// See [`server`].
pub fn firewall_rules(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        first(
            g.client
                .firewall_rules_client()
                .list_by_server(g.group, g.server, g.subscription)
                .into_stream(),
        )
    })
}

/// One firewall rule.
///
/// # Errors
/// See [`server`].
pub fn firewall_rule(server: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_sql(server, &[name], |g| {
        g.client
            .firewall_rules_client()
            .get(g.group, g.server, name, g.subscription)
            .send()
    })
}

/// Creates or replaces one firewall rule.
///
/// # Errors
/// See [`server`].
pub fn put_firewall_rule(server: &ArmId, name: &str, body: Value) -> Result<Request, ArmError> {
    let request = from_sql(server, &[name], |g| {
        let none = models::FirewallRule::default();
        g.client
            .firewall_rules_client()
            .create_or_update(g.group, g.server, name, none, g.subscription)
            .send()
    })?;
    Ok(request.carrying(body))
}

/// Deletes one firewall rule.
///
/// # Errors
/// See [`server`].
pub fn delete_firewall_rule(server: &ArmId, name: &str) -> Result<Request, ArmError> {
    from_sql(server, &[name], |g| {
        g.client
            .firewall_rules_client()
            .delete(g.group, g.server, name, g.subscription)
            .send()
    })
}

/// The failover groups that the server is a member of, as the primary or not.
///
/// # Errors
/// See [`server`].
pub fn failover_groups(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        first(
            g.client
                .failover_groups_client()
                .list_by_server(g.group, g.server, g.subscription)
                .into_stream(),
        )
    })
}

/// The elastic job agents: they may log in with passwords, so Entra-only waits for none of them.
///
/// # Errors
/// See [`server`].
pub fn job_agents(server: &ArmId) -> Result<Request, ArmError> {
    from_sql(server, &[], |g| {
        first(
            g.client
                .job_agents_client()
                .list_by_server(g.group, g.server, g.subscription)
                .into_stream(),
        )
    })
}

/// The sync groups of a database (SQL Data Sync): they log in with passwords.
///
/// # Errors
/// See [`server`].
pub fn sync_groups(server: &ArmId, database: &str) -> Result<Request, ArmError> {
    from_sql(server, &[database], |g| {
        first(
            g.client
                .sync_groups_client()
                .list_by_database(g.group, g.server, database, g.subscription)
                .into_stream(),
        )
    })
}

#[cfg(test)]
mod tests {
    use keyless_model::ArmId;
    use serde_json::json;

    use super::*;
    use crate::request::Verb;

    const SERVER: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/\
                          providers/Microsoft.Sql/servers/orders-sql";

    fn seen(request: Result<Request, ArmError>) -> (Verb, String) {
        let request = request.unwrap();
        assert!(
            request
                .query
                .contains(&("api-version".to_owned(), "2023-08-01".to_owned()))
        );
        assert_eq!(
            request
                .query
                .iter()
                .filter(|(k, _)| k == "api-version")
                .count(),
            1
        );
        (
            request.verb,
            request.path.strip_prefix(SERVER).unwrap().to_owned(),
        )
    }

    fn want(verb: Verb, rest: &str) -> (Verb, String) {
        (verb, rest.to_owned())
    }

    #[test]
    fn every_request_goes_to_the_documented_path() {
        let id = ArmId::parse(SERVER).unwrap();
        let get = |rest| want(Verb::Get, rest);
        assert_eq!(seen(server(&id)), get(""));
        assert_eq!(seen(databases(&id)), get("/databases"));
        assert_eq!(seen(database(&id, "orders")), get("/databases/orders"));
        assert_eq!(
            seen(administrator(&id)),
            get("/administrators/ActiveDirectory")
        );
        assert_eq!(
            seen(entra_only(&id)),
            get("/azureADOnlyAuthentications/Default")
        );
        assert_eq!(
            seen(auditing(&id)),
            get("/extendedAuditingSettings/default")
        );
        assert_eq!(seen(firewall_rules(&id)), get("/firewallRules"));
        assert_eq!(seen(firewall_rule(&id, "r")), get("/firewallRules/r"));
        assert_eq!(seen(failover_groups(&id)), get("/failoverGroups"));
        assert_eq!(seen(job_agents(&id)), get("/jobAgents"));
        assert_eq!(
            seen(sync_groups(&id, "orders")),
            get("/databases/orders/syncGroups")
        );
        let put = |rest| want(Verb::Put, rest);
        let body = || json!({});
        assert_eq!(seen(patch_server(&id, body())), want(Verb::Patch, ""));
        assert_eq!(
            seen(put_administrator(&id, body())),
            put("/administrators/ActiveDirectory")
        );
        assert_eq!(
            seen(put_entra_only(&id, body())),
            put("/azureADOnlyAuthentications/Default")
        );
        assert_eq!(
            seen(put_auditing(&id, body())),
            put("/extendedAuditingSettings/default")
        );
        assert_eq!(
            seen(put_firewall_rule(&id, "r", body())),
            put("/firewallRules/r")
        );
        assert_eq!(
            seen(delete_firewall_rule(&id, "r")),
            want(Verb::Delete, "/firewallRules/r")
        );
    }

    #[test]
    fn what_only_a_search_looks_at_is_read_by_get() {
        let id = ArmId::parse(SERVER).unwrap();
        for (request, path) in [
            (support_auditing(&id), "/devOpsAuditingSettings/default"),
            (
                database_auditing(&id, "orders"),
                "/databases/orders/extendedAuditingSettings/default",
            ),
            (alerts(&id), "/securityAlertPolicies/Default"),
            (
                database_alerts(&id, "orders"),
                "/databases/orders/securityAlertPolicies/Default",
            ),
            (assessment(&id), "/vulnerabilityAssessments/default"),
            (
                database_assessment(&id, "orders"),
                "/databases/orders/vulnerabilityAssessments/default",
            ),
            (
                job_credentials(&id, "nightly"),
                "/jobAgents/nightly/credentials",
            ),
            (
                sync_members(&id, "orders", "shops"),
                "/databases/orders/syncGroups/shops/syncMembers",
            ),
            (sync_agents(&id), "/syncAgents"),
        ] {
            assert_eq!(seen(request), want(Verb::Get, path));
        }
    }

    #[test]
    fn the_server_is_read_with_its_administrator() {
        let request = server(&ArmId::parse(SERVER).unwrap()).unwrap();
        let expand = (
            "$expand".to_owned(),
            "administrators/activedirectory".to_owned(),
        );
        assert!(request.query.contains(&expand));
    }
}
