//! Policies at every scope (azure-facts B.4), read and written as `rawxml`.

use azure_mgmt_apimanagement::package_preview_2023_09::models::PolicyContract;
use keyless_model::ArmId;
use serde_json::Value;

use crate::capture::{first, from_apim};
use crate::error::ArmError;
use crate::request::Request;

/// The only policy id that a scope has.
const ID: &str = "policy";
/// The format that keeps expressions as they were written.
pub(super) const RAW: &str = "rawxml";

/// The thing that a policy belongs to. An API may carry `;rev=n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAt<'a> {
    Service,
    Product(&'a str),
    Api(&'a str),
    Operation { api: &'a str, operation: &'a str },
    Resolver { api: &'a str, resolver: &'a str },
}

impl<'a> PolicyAt<'a> {
    fn names(self) -> Vec<&'a str> {
        match self {
            Self::Service => vec![],
            Self::Product(name) | Self::Api(name) => vec![name],
            Self::Operation { api, operation } => vec![api, operation],
            Self::Resolver { api, resolver } => vec![api, resolver],
        }
    }
}

/// The index of every policy of the service: places, not texts.
///
/// # Errors
/// When the id is of another type.
pub fn all_policies(service: &ArmId) -> Result<Request, ArmError> {
    from_apim(service, &[], |g| {
        first(
            g.client
                .all_policies_client()
                .list_by_service(g.group, g.service, g.subscription)
                .into_stream(),
        )
    })
}

/// Reads a policy as `rawxml`, with its ETag. A scope without a policy answers 404.
///
/// # Errors
/// When the id is of another type or a name cannot stand in a path.
pub fn policy(service: &ArmId, at: PolicyAt<'_>) -> Result<Request, ArmError> {
    let names = at.names();
    match at {
        PolicyAt::Service => from_apim(service, &names, |g| {
            let policies = g.client.policy_client();
            policies
                .get(g.group, g.service, ID, g.subscription)
                .format(RAW)
                .send()
        }),
        PolicyAt::Product(product) => from_apim(service, &names, |g| {
            let policies = g.client.product_policy_client();
            policies
                .get(g.group, g.service, product, ID, g.subscription)
                .format(RAW)
                .send()
        }),
        PolicyAt::Api(api) => from_apim(service, &names, |g| {
            let policies = g.client.api_policy_client();
            policies
                .get(g.group, g.service, api, ID, g.subscription)
                .format(RAW)
                .send()
        }),
        PolicyAt::Operation { api, operation } => from_apim(service, &names, |g| {
            let policies = g.client.api_operation_policy_client();
            policies
                .get(g.group, g.service, api, operation, ID, g.subscription)
                .format(RAW)
                .send()
        }),
        PolicyAt::Resolver { api, resolver } => from_apim(service, &names, |g| {
            let policies = g.client.graph_ql_api_resolver_policy_client();
            policies
                .get(g.group, g.service, api, resolver, ID, g.subscription)
                .format(RAW)
                .send()
        }),
    }
}

/// Creates or replaces a policy; `body` is `{"properties":{"format":"rawxml","value":…}}`.
///
/// # Errors
/// See [`policy`].
pub fn put_policy(
    service: &ArmId,
    at: PolicyAt<'_>,
    body: Value,
    if_match: Option<&str>,
) -> Result<Request, ArmError> {
    let names = at.names();
    let none = PolicyContract::default();
    let request = match at {
        PolicyAt::Service => from_apim(service, &names, |g| {
            let policies = g.client.policy_client();
            policies
                .create_or_update(g.group, g.service, ID, none, g.subscription)
                .send()
        }),
        PolicyAt::Product(product) => from_apim(service, &names, |g| {
            let policies = g.client.product_policy_client();
            policies
                .create_or_update(g.group, g.service, product, ID, none, g.subscription)
                .send()
        }),
        PolicyAt::Api(api) => from_apim(service, &names, |g| {
            let policies = g.client.api_policy_client();
            policies
                .create_or_update(g.group, g.service, api, ID, none, g.subscription)
                .send()
        }),
        PolicyAt::Operation { api, operation } => from_apim(service, &names, |g| {
            let policies = g.client.api_operation_policy_client();
            policies
                .create_or_update(g.group, g.service, api, operation, ID, none, g.subscription)
                .send()
        }),
        PolicyAt::Resolver { api, resolver } => from_apim(service, &names, |g| {
            let policies = g.client.graph_ql_api_resolver_policy_client();
            policies
                .create_or_update(g.group, g.service, api, resolver, ID, none, g.subscription)
                .send()
        }),
    }?;
    Ok(request.carrying(body).matching(if_match))
}

/// Deletes a policy; the scope then inherits.
///
/// # Errors
/// See [`policy`].
pub fn delete_policy(
    service: &ArmId,
    at: PolicyAt<'_>,
    if_match: &str,
) -> Result<Request, ArmError> {
    let names = at.names();
    match at {
        PolicyAt::Service => from_apim(service, &names, |g| {
            let policies = g.client.policy_client();
            policies
                .delete(g.group, g.service, ID, if_match, g.subscription)
                .send()
        }),
        PolicyAt::Product(product) => from_apim(service, &names, |g| {
            let policies = g.client.product_policy_client();
            policies
                .delete(g.group, g.service, product, ID, if_match, g.subscription)
                .send()
        }),
        PolicyAt::Api(api) => from_apim(service, &names, |g| {
            let policies = g.client.api_policy_client();
            policies
                .delete(g.group, g.service, api, ID, if_match, g.subscription)
                .send()
        }),
        PolicyAt::Operation { api, operation } => from_apim(service, &names, |g| {
            let policies = g.client.api_operation_policy_client();
            policies
                .delete(
                    g.group,
                    g.service,
                    api,
                    operation,
                    ID,
                    if_match,
                    g.subscription,
                )
                .send()
        }),
        PolicyAt::Resolver { api, resolver } => from_apim(service, &names, |g| {
            let policies = g.client.graph_ql_api_resolver_policy_client();
            policies
                .delete(
                    g.group,
                    g.service,
                    api,
                    resolver,
                    ID,
                    if_match,
                    g.subscription,
                )
                .send()
        }),
    }
}
