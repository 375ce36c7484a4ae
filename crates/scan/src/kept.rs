//! The rules for keys and secrets that a gateway keeps and shows to no reader: those of callers, of
//! its own management, of OAuth clients, of certificates (azure-facts B.5 rows 11, 12, 14, 15 and 17
//! to 22). Nobody sees a value here, so nothing has a fingerprint; that one is there is told, and
//! what could stand in its place.

use keyless_model::{Address, Entity, Severity, Snapshot};
use serde_json::Value;

use crate::finding::{Confidence, Finding, Opens};
use crate::url::host;

/// Everything of that kind in every gateway.
pub(crate) fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    let mut out = Vec::new();
    for (address, entity) in snapshot.entities.iter().filter(|(a, _)| a.is_gateway()) {
        match address.last().0 {
            "apim" => {
                out.extend(subscriptions(snapshot, address));
                out.extend(domains(address, entity));
            }
            "tenantAccess" => out.extend(tenant_access(address, entity)),
            "gateway" => out.push(gateway(address)),
            "portalSetting" => out.extend(delegation(address, entity)),
            "certificate" => out.extend(certificate(address, entity)),
            "authorizationServer" => out.extend(authorization_server(address, entity)),
            "openidConnectProvider" => out.push(openid_provider(address, entity)),
            "identityProvider" => out.push(identity_provider(address, entity)),
            "authorizationProvider" => out.push(provider(address, entity)),
            "authorization" => out.push(connection(snapshot, address, entity)),
            _ => {}
        }
    }
    out
}

/// Something that is there and cannot be seen.
fn note(rule: &'static str, address: &Address, what: &str, instead: &str) -> Finding {
    Finding {
        severity: Severity::Info,
        replacement: instead.into(),
        ..Finding::new(rule, address, what.into())
    }
}

/// All subscriptions at once: a gateway has hundreds, and the answer is the same for each.
fn subscriptions(snapshot: &Snapshot, gateway: &Address) -> Option<Finding> {
    let active = |e: &Entity| {
        e.text("/properties/state")
            .is_none_or(|state| state.eq_ignore_ascii_case("active"))
    };
    let found = snapshot.children(gateway, "subscription");
    let found: Vec<&Entity> = found.map(|(_, e)| e).filter(|e| active(e)).collect();
    let wide = found.iter().filter(|e| opens_every_api(e)).count();
    let what = match (found.len(), wide) {
        (0, _) => return None,
        (1, 0) => "one subscription holds two keys".to_owned(),
        (1, _) => "one subscription holds two keys, for every API".to_owned(),
        (n, 0) => format!("{n} subscriptions hold two keys each"),
        (n, wide) => {
            format!("{n} subscriptions hold two keys each, and {wide} of them for every API")
        }
    };
    let instead = "`validate-azure-ad-token` in the policies of the APIs, and \
                   `subscriptionRequired: false` once every caller sends a token";
    Some(note(
        "KL0426",
        &gateway.part("subscriptions"),
        &what,
        instead,
    ))
}

/// Azure REST, subscriptions: `scope` is `/products/{id}`, `/apis/{id}`, or `/apis` for all.
fn opens_every_api(subscription: &Entity) -> bool {
    let scope = subscription.text("/properties/scope").unwrap_or_default();
    let scope = format!("{}/", scope.trim_end_matches('/').to_lowercase());
    !scope.contains("/products/") && (scope.ends_with("/apis/") || !scope.contains("/apis/"))
}

/// Azure REST, tenant access: `access` is the management API of the service's own, `gitAccess` its
/// configuration as a repository.
fn tenant_access(address: &Address, entity: &Entity) -> Option<Finding> {
    const POINTER: &str = "/properties/enabled";
    (entity.flag(POINTER) == Some(true)).then(|| Finding {
        place: POINTER.into(),
        severity: Severity::Warning,
        ..note(
            "KL0427",
            address,
            "two keys open the management of this gateway, past Entra and its roles",
            "`enabled: false`; whoever manages the gateway logs in with Entra",
        )
    })
}

/// Azure docs, "Self-hosted gateway authentication options": with workload identity there is no secret
/// to manage. No answer says which way a gateway logs in.
fn gateway(address: &Address) -> Finding {
    note(
        "KL0428",
        address,
        "this self-hosted gateway has two keys, and whoever holds one reads the whole configuration",
        "Entra authentication of the self-hosted gateway, by workload identity where it runs",
    )
}

/// Azure REST, portal settings: `delegation` has a `validationKey` while it is in use.
fn delegation(address: &Address, entity: &Entity) -> Option<Finding> {
    let on = ["subscriptions", "userRegistration"]
        .iter()
        .any(|part| entity.flag(&format!("/properties/{part}/enabled")) == Some(true));
    let url = entity.text("/properties/url").unwrap_or_default();
    (address.last().1 == "delegation" && on).then(|| Finding {
        opens: host(url).map(Opens::host),
        ..note(
            "KL0431",
            address,
            "a key signs what the developer portal hands over to another site",
            "nothing: Azure has no identity for it; renew the key when somebody who knew it leaves",
        )
    })
}

const FROM_VAULT: &str = "a certificate from Key Vault, which the gateway's identity fetches: nobody \
     carries its file about, and it is renewed there";

fn certificate(address: &Address, entity: &Entity) -> Option<Finding> {
    let from_vault = entity.text("/properties/keyVault/secretIdentifier");
    from_vault.is_none().then(|| {
        let what = "this certificate was uploaded with its private key";
        note("KL0429", address, what, FROM_VAULT)
    })
}

/// Azure REST, the service: `hostnameConfigurations`, whose `certificateSource` is `Custom` for an
/// upload. Older answers leave the source out.
fn domains(address: &Address, entity: &Entity) -> Vec<Finding> {
    let list = entity.body.pointer("/properties/hostnameConfigurations");
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let uploaded = |one: &Value| match one["certificateSource"].as_str() {
        Some(source) => source.eq_ignore_ascii_case("custom"),
        None => one["certificate"].is_object() && !one["keyVaultId"].is_string(),
    };
    let what = |one: &Value| {
        let name = one["hostName"].as_str().unwrap_or("a host name");
        format!("the certificate of {name} was uploaded with its private key")
    };
    let found = list.enumerate().filter(|(_, one)| uploaded(one));
    found
        .map(|(i, one)| Finding {
            place: format!("/properties/hostnameConfigurations/{i}"),
            ..note("KL0429", address, &what(one), FROM_VAULT)
        })
        .collect()
}

/// A client of somebody's with a secret that only `listSecrets` tells, if at all. Whose it is stands
/// as a URL, or, in the `authority` of an identity provider, as a host name alone (Azure REST).
fn client(address: &Address, entity: &Entity, url: &str, what: &str, instead: &str) -> Finding {
    let server = entity.text(url);
    let server = server.and_then(|of| host(of).or_else(|| host(&format!("https://{of}"))));
    let login = entity.text("/properties/clientId").map(str::to_owned);
    Finding {
        opens: server.map(|server| Opens {
            login,
            ..Opens::host(server)
        }),
        confidence: Confidence::Likely,
        ..note("KL0425", address, what, instead)
    }
}

/// Azure REST, authorization servers. The implicit grant has no secret; one that stands in clear is
/// told where it stands.
fn authorization_server(address: &Address, entity: &Entity) -> Option<Finding> {
    let grants = entity.body.pointer("/properties/grantTypes");
    let grants = grants.and_then(Value::as_array).into_iter().flatten();
    let grants: Vec<&str> = grants.filter_map(Value::as_str).collect();
    let has = |name: &str| grants.iter().any(|g| g.eq_ignore_ascii_case(name));
    let in_clear = ["clientSecret", "resourceOwnerPassword"]
        .iter()
        .any(|field| entity.text(&format!("/properties/{field}")).is_some());
    if in_clear || grants.iter().all(|g| g.eq_ignore_ascii_case("implicit")) {
        return None;
    }
    let url = "/properties/tokenEndpoint";
    let instead = "the authorization code grant with PKCE, without a stored secret";
    Some(match has("resourceOwnerPassword") {
        true => Finding {
            severity: Severity::Warning,
            ..client(
                address,
                entity,
                url,
                "this OAuth server logs in with the password of a person, which the gateway keeps",
                instead,
            )
        },
        false => client(
            address,
            entity,
            url,
            "the gateway keeps the secret of a client of this OAuth server",
            instead,
        ),
    })
}

fn openid_provider(address: &Address, entity: &Entity) -> Finding {
    client(
        address,
        entity,
        "/properties/metadataEndpoint",
        "the gateway keeps the secret of a client of this OpenID provider",
        "no secret at all: it is needed to try APIs in the portal and not to check tokens",
    )
}

fn identity_provider(address: &Address, entity: &Entity) -> Finding {
    let instead = "nothing: Azure has no identity for it; renew the secret often";
    client(
        address,
        entity,
        "/properties/authority",
        "the developer portal logs people in with the secret of a client",
        instead,
    )
}

/// Azure REST, authorization providers: `identityProvider` says whose tokens these are, and Entra's
/// a managed identity gets too.
fn of_entra(provider: &Entity) -> bool {
    let name = provider.text("/properties/identityProvider");
    name.is_some_and(|name| name.to_lowercase().starts_with("aad"))
}

fn manager(address: &Address, provider: Option<&Entity>, what: &str) -> Finding {
    let entra = provider.is_some_and(of_entra);
    let instead = match entra {
        true => "`authentication-managed-identity` with the same resource",
        false => "nothing, while the service takes no Entra tokens; renew the secret often",
    };
    Finding {
        severity: match entra {
            true => Severity::Warning,
            false => Severity::Info,
        },
        ..note("KL0425", address, what, instead)
    }
}

fn provider(address: &Address, entity: &Entity) -> Finding {
    let grants = entity.body.pointer("/properties/oauth2/grantTypes");
    let mut parameters = grants
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|g| g.values());
    let resource = |p: &Value| p["resourceUri"].as_str().and_then(host);
    Finding {
        opens: parameters.find_map(resource).map(Opens::host),
        confidence: Confidence::Likely,
        ..manager(
            address,
            Some(entity),
            "the credential manager keeps the secret of a client of this provider",
        )
    }
}

fn connection(snapshot: &Snapshot, address: &Address, entity: &Entity) -> Finding {
    let parent = address.parent();
    let provider = parent.and_then(|parent| snapshot.entities.get(&parent));
    let grant = entity
        .text("/properties/oauth2grantType")
        .unwrap_or_default();
    let what = match grant.eq_ignore_ascii_case("clientcredentials") {
        true => "this connection of the credential manager logs in with a client secret",
        false => "this connection of the credential manager keeps a refresh token",
    };
    manager(address, provider, what)
}
