//! `login.localhost`: the token endpoint for applications, and the discovery documents that clients
//! ask for first. A wrong secret, an unknown tenant and a foreign assertion are refused with
//! Entra's own codes.

use serde_json::json;

use crate::assertion;
use crate::directory::{Principal, PrincipalKind};
use crate::estate::Estate;
use crate::federation;
use crate::http::{Request, Response};
use crate::ids;

/// Seconds that a token is valid.
pub const LIFETIME: i64 = 3_600;

/// The resources that tokens are given for, without a trailing slash.
const RESOURCES: [&str; 6] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://database.windows.net",
    "https://graph.microsoft.com",
    "https://api.loganalytics.azure.com",
    "https://vault.azure.net",
];

/// Why no token is given: status, OAuth error, AADSTS number, sentence.
pub struct Refusal(u16, &'static str, u32, String);

/// Answers a request to the authority.
pub fn answer(estate: &Estate, request: &Request) -> Response {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (request.verb.as_str(), path.as_slice()) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => match token(estate, tenant, request) {
            Ok(response) => response,
            Err(refusal) => refused(estate, request, refusal),
        },
        ("GET", ["common", "discovery", "instance"]) => instance(estate),
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"])
        | ("GET", [tenant, ".well-known", "openid-configuration"]) => configuration(estate, tenant),
        ("GET", [_, "discovery", "v2.0", "keys"]) => Response::json(200, &json!({"keys": []})),
        _ => Response::text(404, "Not an endpoint of this authority."),
    }
}

/// The audience of a scope or resource, if tokens for it exist: Azure's own services, what the HTTP
/// services behind the gateway ask for, and applications of the tenant by client id,
/// `api://{client id}` or `api://{display name}`.
pub fn resource(estate: &Estate, wanted: &str) -> Option<String> {
    let wanted = wanted.trim_end_matches('/');
    let is_meant = |known: &str| known.trim_end_matches('/').eq_ignore_ascii_case(wanted);
    if let Some(known) = RESOURCES.into_iter().find(|known| is_meant(known)) {
        return Some(known.to_owned());
    }
    // As in every cloud, the endpoints are resources themselves.
    for own in [estate.arm_url(), estate.graph_url()] {
        if is_meant(&own) {
            return Some(own);
        }
    }
    let services = estate.services();
    let mut audiences = services.iter().filter_map(|one| one.audience.as_deref());
    if let Some(audience) = audiences.find(|audience| is_meant(audience)) {
        return Some(audience.trim_end_matches('/').to_owned());
    }
    let name = wanted.strip_prefix("api://");
    let mut found = estate.directory.by_display_name(name.unwrap_or_default());
    found.extend(estate.directory.by_client_id(name.unwrap_or(wanted)));
    let is_application = |one: &Principal| one.kind == PrincipalKind::Application;
    found.iter().any(is_application).then(|| wanted.to_owned())
}

fn token(estate: &Estate, tenant: &str, request: &Request) -> Result<Response, Refusal> {
    known_tenant(estate, tenant)?;
    let field = |name: &str| {
        request.form(name).ok_or_else(|| {
            let what = format!("The request body must contain the following parameter: '{name}'.");
            Refusal(400, "invalid_request", 900_144, what)
        })
    };
    if field("grant_type")? != "client_credentials" {
        let what = "The app requested an unsupported grant type.".to_owned();
        return Err(Refusal(400, "unsupported_grant_type", 70_003, what));
    }
    let client_id = field("client_id")?;
    let scope = field("scope")?;
    let application = estate
        .directory
        .by_client_id(&client_id)
        .filter(|principal| may_ask(principal, request))
        .ok_or_else(|| {
            let what = format!(
                "Application with identifier '{client_id}' was not found in the directory \
                 '{tenant}'."
            );
            Refusal(400, "unauthorized_client", 700_016, what)
        })?;
    authenticate(estate, tenant, request, &application)?;

    let Some(resource) = scope.strip_suffix("/.default") else {
        let what = format!(
            "The provided value for the input parameter 'scope' ({scope}) is not \
             valid. Client credential flows must have a scope value with /.default suffixed to \
             the resource identifier."
        );
        return Err(Refusal(400, "invalid_scope", 1_002_012, what));
    };
    let audience = self::resource(estate, resource).ok_or_else(|| {
        let what = format!("The resource principal named {resource} was not found in the tenant.");
        Refusal(400, "invalid_resource", 500_011, what)
    })?;
    let token = estate.directory.issue(&application, &audience, LIFETIME);
    let body = json!({
        "token_type": "Bearer",
        "expires_in": LIFETIME - 1,
        "ext_expires_in": LIFETIME - 1,
        "access_token": token,
    });
    Ok(Response::json(200, &body).with("Cache-Control", "no-store, no-cache"))
}

/// An application may ask; a managed identity only with the token of an issuer that it trusts.
fn may_ask(principal: &Principal, request: &Request) -> bool {
    match principal.kind {
        PrincipalKind::Application => true,
        PrincipalKind::ManagedIdentity => request.form("client_assertion").is_some(),
        PrincipalKind::User | PrincipalKind::Group => false,
    }
}

fn known_tenant(estate: &Estate, tenant: &str) -> Result<(), Refusal> {
    if tenant.eq_ignore_ascii_case(estate.directory.tenant()) {
        return Ok(());
    }
    let what = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct \
         tenant ID and are signing into the correct cloud."
    );
    Err(Refusal(400, "invalid_request", 90_002, what))
}

fn authenticate(
    estate: &Estate,
    tenant: &str,
    request: &Request,
    application: &Principal,
) -> Result<(), Refusal> {
    if let Some(secret) = request.form("client_secret") {
        if application.secret.as_deref() == Some(secret.as_str()) {
            return Ok(());
        }
        let what = "Invalid client secret provided. Ensure the secret being sent in the request \
                    is the client secret value, not the client secret ID."
            .to_owned();
        return Err(Refusal(401, "invalid_client", 7_000_215, what));
    }
    let Some(jwt) = request.form("client_assertion") else {
        let what = "The request body must contain the following parameter: 'client_assertion' or \
                    'client_secret'."
            .to_owned();
        return Err(Refusal(401, "invalid_client", 7_000_218, what));
    };
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    if request.form("client_assertion_type").as_deref() != Some(kind) {
        let what = "The request has an unsupported client assertion type.".to_owned();
        return Err(Refusal(400, "invalid_request", 50_027, what));
    }
    if application.kind == PrincipalKind::ManagedIdentity {
        let client_id = application.client_id.as_deref().unwrap_or_default();
        return federation::verify(estate, client_id, &jwt).map_err(|refused| {
            Refusal(401, "invalid_client", refused.number(), refused.to_string())
        });
    }
    // The client stamps the assertion by the machine's time, which nobody can move.
    let now = estate.clock.machine();
    assertion::verify(&jwt, application, &estate.login_url(), tenant, now)
        .map_err(|refused| Refusal(401, "invalid_client", refused.number(), refused.to_string()))
}

fn refused(estate: &Estate, request: &Request, refusal: Refusal) -> Response {
    let Refusal(status, error, number, sentence) = refusal;
    let (trace, time) = (ids::guid(), estate.clock.iso().replace('T', " "));
    let correlation = request
        .header("client-request-id")
        .or_else(|| request.header("x-ms-client-request-id"))
        .map_or_else(ids::guid, str::to_owned);
    let body = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{number}: {sentence} Trace ID: {trace} Correlation ID: {correlation} \
             Timestamp: {time}"
        ),
        "error_codes": [number],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("{}/error?code={number}", estate.login_url()),
    });
    Response::json(status, &body)
}

fn instance(estate: &Estate) -> Response {
    let host = format!("login.localhost:{}", estate.ports.https);
    let tenant = estate.directory.tenant();
    Response::json(
        200,
        &json!({
            "tenant_discovery_endpoint":
                format!("https://{host}/{tenant}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [
                {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
            ],
        }),
    )
}

fn configuration(estate: &Estate, tenant: &str) -> Response {
    if let Err(Refusal(status, error, number, sentence)) = known_tenant(estate, tenant) {
        let body =
            json!({"error": error, "error_description": format!("AADSTS{number}: {sentence}")});
        return Response::json(status, &body);
    }
    let base = format!("{}/{}", estate.login_url(), estate.directory.tenant());
    Response::json(
        200,
        &json!({
            "issuer": format!("{base}/v2.0"),
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "token_endpoint_auth_methods_supported":
                ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code", "id_token", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
        }),
    )
}
