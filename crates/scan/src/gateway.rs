//! The rules for entities of a gateway other than policies and named values: backends, the URLs of
//! APIs, loggers, caches, OAuth servers (azure-facts B.5). Descriptions and logs have files of their
//! own.

use keyless_model::{Address, Entity, FingerprintKey, Severity, Snapshot};
use serde_json::Value;

use crate::backend::{BackendCredential, BackendKind, backend_credentials, token};
use crate::certificate::in_backend;
use crate::credentials::find;
use crate::finding::{Confidence, Finding, Opens, USE_IDENTITY};
use crate::looks;
use crate::names::{is_key_parameter, sounds_secret};
use crate::policy::{Role, Use};
use crate::source::names;
use crate::url::{host, url_credentials};
use crate::{described, logged};

/// What the entities hold: literal credentials, and named values that stand for others.
#[derive(Default)]
pub(crate) struct Held {
    pub findings: Vec<Finding>,
    pub uses: Vec<(Address, Use)>,
}

/// Looks through every entity of every gateway.
pub(crate) fn held(snapshot: &Snapshot, key: &FingerprintKey) -> Held {
    let mut out = Held::default();
    for (address, entity) in snapshot.entities.iter().filter(|(a, _)| a.is_gateway()) {
        let mut one = One {
            address,
            entity,
            key,
            out: &mut out,
        };
        match address.last().0 {
            "backend" => {
                one.backend();
                one.add(in_backend(address, entity));
            }
            "api" => one.service_url(),
            "logger" => one.logger(),
            "cache" => one.cache(),
            "operation" => one.add(described::in_operation(address, entity, key)),
            "schema" => one.add(described::in_schema(address, entity, key)),
            "documentation" => one.add(described::in_page(address, entity, key)),
            "diagnostic" => one.add(logged::findings(address, entity)),
            "authorizationServer" => one.authorization_server(),
            _ => {}
        }
    }
    out
}

struct One<'a> {
    address: &'a Address,
    entity: &'a Entity,
    key: &'a FingerprintKey,
    out: &'a mut Held,
}

impl One<'_> {
    fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.out.findings.extend(findings);
    }

    fn backend(&mut self) {
        let opens = self.entity.text("/properties/url").and_then(opens);
        for credential in backend_credentials(&self.entity.body) {
            let confidence = credential.confidence;
            for name in &credential.references {
                self.used(name, confidence, &credential.pointer);
            }
            if credential.literal {
                let finding = self.in_backend(&credential);
                self.out.findings.push(Finding {
                    opens: opens
                        .clone()
                        .filter(|_| credential.kind != BackendKind::Proxy),
                    ..finding
                });
            }
        }
    }

    fn in_backend(&self, credential: &BackendCredential) -> Finding {
        let (rule, what) = match &credential.kind {
            BackendKind::Header { .. } => ("KL0411", "this backend sends a key in a header"),
            BackendKind::Query { .. } => ("KL0411", "this backend sends a key in the query"),
            BackendKind::Authorization => ("KL0411", "this backend sends a literal authorization"),
            BackendKind::Proxy => ("KL0411", "this backend holds the password of its proxy"),
            BackendKind::Url { .. } => ("KL0412", "the URL of this backend holds a credential"),
        };
        let replacement = match &credential.kind {
            BackendKind::Proxy => "a named value that refers to Key Vault",
            _ => USE_IDENTITY,
        };
        let what = match credential.confidence {
            Confidence::Possible => "the credentials of this backend hold a literal value",
            _ => what,
        };
        Finding {
            place: credential.pointer.clone(),
            confidence: credential.confidence,
            severity: match credential.confidence {
                Confidence::Possible => Severity::Warning,
                _ => Severity::High,
            },
            replacement: replacement.into(),
            fingerprint: Some(self.key.of(&secret_of(credential))),
            ..Finding::new(rule, self.address, what.into())
        }
    }

    /// Azure REST, APIs: `serviceUrl`.
    fn service_url(&mut self) {
        const POINTER: &str = "/properties/serviceUrl";
        let Some(url) = self.entity.text(POINTER) else {
            return;
        };
        let Some(found) = url_credentials(url) else {
            return;
        };
        for name in &found.references {
            self.used(name, Confidence::Likely, POINTER);
        }
        if !found.secrets.is_empty() {
            self.out.findings.push(Finding {
                place: POINTER.into(),
                opens: opens(url),
                replacement: USE_IDENTITY.into(),
                fingerprint: found.secrets.first().map(|s| self.key.of(s.expose())),
                ..Finding::new(
                    "KL0412",
                    self.address,
                    "the URL behind this API holds a credential".into(),
                )
            });
        }
    }

    /// Loggers show their credentials as references (azure-facts B.5 rows 8 and 9). An Application
    /// Insights key lets only send telemetry, and with an identity its connection string is none.
    fn logger(&mut self) {
        let event_hub = "/properties/credentials/connectionString";
        let is_event_hub = self.entity.text("/properties/loggerType") == Some("azureEventHub");
        let by_identity = self
            .entity
            .text("/properties/credentials/identityClientId")
            .is_some_and(|id| !id.trim().is_empty());
        let insights = ["/properties/credentials/instrumentationKey", event_hub];
        let (pointers, severity, what): (&[&str], _, _) = match is_event_hub {
            true => (
                &[event_hub],
                Severity::High,
                "this logger sends to an event hub with a shared access key",
            ),
            false if by_identity => return,
            false => (
                &insights,
                Severity::Warning,
                "this logger sends to Application Insights with a key",
            ),
        };
        let replacement = match is_event_hub {
            true => {
                "`endpointAddress` and `identityClientId`, with the role Azure Event Hubs Data \
                 Sender on the identity"
            }
            false => {
                "`identityClientId` next to the connection string, with the role Monitoring \
                 Metrics Publisher on the identity"
            }
        };
        let first = pointers.iter().find(|p| self.entity.text(p).is_some());
        if let Some(pointer) = first {
            self.literal_or_reference("KL0414", pointer, severity, what, replacement);
        }
    }

    fn cache(&mut self) {
        let what = "this cache is reached with a key";
        let replacement = "a named value that refers to Key Vault";
        let pointer = "/properties/connectionString";
        self.literal_or_reference("KL0415", pointer, Severity::Warning, what, replacement);
    }

    /// A field that holds a credential, be it by reference.
    fn literal_or_reference(
        &mut self,
        rule: &'static str,
        pointer: &str,
        severity: Severity,
        what: &str,
        replacement: &str,
    ) {
        let Some(text) = self.entity.text(pointer) else {
            return;
        };
        let through = names(text).into_iter().next();
        let literal = looks::has_literal(text);
        if through.is_none() && !literal {
            return;
        }
        self.out.findings.push(Finding {
            place: pointer.to_owned(),
            severity,
            replacement: replacement.to_owned(),
            fingerprint: (literal && through.is_none()).then(|| self.key.of(text)),
            through,
            ..Finding::new(rule, self.address, what.to_owned())
        });
    }

    /// Azure REST, authorization servers: what is not hidden behind `listSecrets` (azure-facts B.5
    /// row 20).
    fn authorization_server(&mut self) {
        let rule = "KL0417";
        let what = "this authorization server holds a credential in clear";
        let instead = "the authorization code grant with PKCE, without a stored secret";
        for field in ["clientSecret", "resourceOwnerPassword"] {
            let pointer = format!("/properties/{field}");
            self.literal_or_reference(rule, &pointer, Severity::High, what, instead);
        }
        let parameters = self.entity.body.pointer("/properties/tokenBodyParameters");
        let parameters = parameters.and_then(Value::as_array).into_iter().flatten();
        let secret: Vec<String> = parameters
            .enumerate()
            .filter(|(_, p)| {
                let field = |name: &str| p[name].as_str().unwrap_or_default();
                let value = field("value");
                is_key_parameter(field("name")) && value.len() >= 3 && !looks::is_stand_in(value)
                    || sounds_secret(field("name")) && looks::is_random(value)
                    || !find(value).is_empty()
            })
            .map(|(i, _)| format!("/properties/tokenBodyParameters/{i}/value"))
            .collect();
        for pointer in secret {
            self.literal_or_reference(rule, &pointer, Severity::High, what, instead);
        }
    }

    fn used(&mut self, name: &str, confidence: Confidence, place: &str) {
        let used = Use {
            name: name.to_owned(),
            role: Role::Key(confidence),
            place: place.to_owned(),
            line: None,
        };
        self.out.uses.push((self.address.clone(), used));
    }
}

/// The credential itself, without the scheme or the URL that it stands in.
fn secret_of(credential: &BackendCredential) -> String {
    let text = credential.text.expose();
    match &credential.kind {
        BackendKind::Url { .. } => url_credentials(text)
            .and_then(|found| found.secrets.into_iter().next())
            .map_or(text.to_owned(), |s| s.expose().to_owned()),
        BackendKind::Header { name } => token(name, text).to_owned(),
        _ => text.to_owned(),
    }
}

fn opens(url: &str) -> Option<Opens> {
    host(url).map(Opens::host)
}
