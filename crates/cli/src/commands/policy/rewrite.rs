//! The edits that put an identity in the place of the credentials of one document, as far as the
//! document alone says that they are safe.
//!
//! What other documents, named values or the service behind decide is left, with the reason: a plan
//! sees all of them.

use std::collections::{BTreeMap, BTreeSet};

use keyless_policy::{Change, Document, Edit, ElementPath, ElementRef};
use keyless_scan::{
    Confidence, ConnectionString, HttpCredential, HttpKind, Section, SqlSource, http_credentials,
    sql_sources,
};

/// What the user said about the identity.
pub struct Wish<'a> {
    pub audience: Option<&'a str>,
    pub client_id: Option<&'a str>,
    /// Only what is at or inside of one of these; everything if there is none.
    pub at: &'a [ElementPath],
}

/// What is to be done with a document.
#[derive(Default)]
pub struct Rewrite {
    pub edits: Vec<Edit>,
    /// Path and what happens there.
    pub done: Vec<(String, String)>,
    /// Path and why nothing does.
    pub left: Vec<(String, String)>,
    /// What must be so outside of the document.
    pub needs: BTreeSet<String>,
}

pub fn rewrite(document: &Document, wish: &Wish) -> Rewrite {
    let mut out = Rewrite::default();
    let wanted = |path: &str| {
        let inside = |at: &ElementPath| path == at.as_str() || path.starts_with(&format!("{at}/"));
        wish.at.is_empty() || wish.at.iter().any(inside)
    };
    for source in sql_sources(document) {
        if wanted(source.path.as_str()) {
            out.sql(source);
        }
    }
    let mut services: BTreeMap<String, Vec<HttpCredential>> = BTreeMap::new();
    for credential in http_credentials(document) {
        if credential.confidence > Confidence::Possible && wanted(&credential.path) {
            let request = credential.within_send_request.as_ref();
            let request = request.map(|r| r.path.clone()).unwrap_or_default();
            services.entry(request).or_default().push(credential);
        }
    }
    let many = services.len() > 1;
    for (request, credentials) in services {
        out.service(document, wish, &request, credentials, many);
    }
    out
}

impl Rewrite {
    fn leave(&mut self, path: &str, why: impl Into<String>) {
        self.left.push((path.to_owned(), why.into()));
    }

    /// `sql-data-source`: the flag, and the string without user and password (Microsoft docs, the
    /// page of the policy).
    fn sql(&mut self, source: SqlSource) {
        let path = source.path.as_str();
        let Some(parsed) = ConnectionString::parse(&source.text) else {
            if !source.managed_identity {
                self.leave(path, unread(&source));
            }
            return;
        };
        let clean = parsed.without_credentials();
        if source.managed_identity && clean == source.text {
            return;
        }
        let edit = |change| Edit {
            path: source.path.clone(),
            change,
        };
        self.edits.push(edit(Change::SetAttribute {
            name: "use-managed-identity".to_owned(),
            value: "true".to_owned(),
        }));
        self.edits.push(edit(Change::SetText(clean)));
        let what = "the managed identity in the place of user and password";
        self.done.push((path.to_owned(), what.to_owned()));
        let database = parsed
            .database()
            .unwrap_or_else(|| "the database".to_owned());
        let server = parsed.server().unwrap_or_else(|| "its server".to_owned());
        let who = "the system-assigned identity of the gateway needs to be a user";
        self.needs.insert(format!(
            "{who} of {database} on {server}, with the rights of the old one"
        ));
    }

    /// The credentials of one request, or of the call itself when `request` is empty.
    fn service(
        &mut self,
        document: &Document,
        wish: &Wish,
        request: &str,
        credentials: Vec<HttpCredential>,
        many: bool,
    ) {
        let paths: BTreeSet<&str> = credentials.iter().map(|c| c.path.as_str()).collect();
        let other = others(document, request, &paths);
        let mut places: BTreeSet<Option<ElementPath>> = BTreeSet::new();
        let mut rewritten = false;
        for credential in &credentials {
            let path = credential.path.as_str();
            let element = path.parse().ok().and_then(|p| document.find(&p));
            let Some(element) = element else { continue };
            let why = unsafe_because(credential, request).or(other);
            let Some(audience) = wish.audience.filter(|_| why.is_none() && !many) else {
                let unsaid = "say what the token is for: --audience URI, the application id URI of \
                              the service that is called";
                let several = "several services get credentials here: name one at a time, with \
                               --at PATH and --audience URI";
                self.leave(path, why.unwrap_or(if many { several } else { unsaid }));
                continue;
            };
            // The first of each branch asks for the token, the others go.
            let first = places.insert(element.parent().map(|parent| parent.path()));
            let change = match first {
                true => Change::ReplaceElement(token(audience, wish.client_id)),
                false => Change::RemoveElement,
            };
            let what = match first {
                true => format!(
                    "a token of the managed identity in the place of <{}>",
                    element.name()
                ),
                false => format!("<{}> taken out", element.name()),
            };
            let path = element.path();
            self.done.push((path.to_string(), what));
            self.edits.push(Edit { path, change });
            rewritten = true;
        }
        if let Some(audience) = wish.audience.filter(|_| rewritten) {
            let who = match wish.client_id {
                Some(id) => format!("the identity {id} needs to be assigned to the gateway, and"),
                None => "the system-assigned identity of the gateway needs".to_owned(),
            };
            let what = "the rights that the key gave, and the service to take Entra tokens";
            self.needs
                .insert(format!("{who} to have at {audience} {what}"));
        }
    }
}

/// Why a connection string is not rewritten.
fn unread(source: &SqlSource) -> String {
    match source.references.as_slice() {
        [] => "this is no connection string that can be read here; write one with Server and \
               Database"
            .to_owned(),
        names => format!(
            "the connection string, or the part with its server, is in {}: write its Server and \
             Database here, or let keyless plan follow it",
            names
                .iter()
                .map(|n| format!("{{{{{n}}}}}"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// What speaks against a token in the place of one credential.
fn unsafe_because(credential: &HttpCredential, request: &str) -> Option<&'static str> {
    let inside = format!("{}/", credential.path);
    let elsewhere = credential
        .values
        .iter()
        .any(|v| !v.place.path().starts_with(&inside));
    if let HttpKind::ClientSecretBody { .. } = credential.kind {
        Some(
            "a token is fetched with a client secret, in several elements; keyless plan takes out all of them",
        )
    } else if request.is_empty() && credential.section == Section::Fragment {
        Some(
            "where the fragment is included, and so whom it calls, is not in this file; keyless plan knows",
        )
    } else if request.is_empty() && credential.section != Section::Inbound {
        Some("a token can be asked for in inbound only; move the element there, then fix again")
    } else if credential.kind != HttpKind::Basic && elsewhere || !credential.variables.is_empty() {
        Some(
            "it comes through a variable, which other policies may read too; keyless plan looks at all of them",
        )
    } else {
        None
    }
}

/// Whether something else of the same request sets `Authorization`: which of them comes last, and
/// what it is for, is not for this command to say.
fn others(document: &Document, request: &str, paths: &BTreeSet<&str>) -> Option<&'static str> {
    let sets = |element: &ElementRef| match element.name() {
        "set-header" => {
            let name = element.attribute("name");
            name.is_some_and(|a| a.value.eq_ignore_ascii_case("Authorization"))
        }
        "authentication-basic" => true,
        "authentication-managed-identity" => {
            element.attribute("output-token-variable-name").is_none()
        }
        _ => false,
    };
    let around = |element: &ElementRef| {
        let mut all = std::iter::successors(element.parent(), |e| e.parent());
        let found = all.find(|e| {
            matches!(
                e.name(),
                "send-request" | "send-one-way-request" | "http-request" | "return-response"
            )
        });
        found.map(|e| e.path().to_string()).unwrap_or_default()
    };
    // What the caller gets back is no rival of what the service gets.
    let answers = |element: &ElementRef| {
        let path = element.path();
        let section = path.as_str().split('/').nth(2).unwrap_or_default();
        request.is_empty() && matches!(section, "outbound" | "on-error")
    };
    let elements = document.elements().into_iter();
    let mut others = elements.filter(|e| sets(e) && around(e) == request && !answers(e));
    let found = others.any(|e| !paths.contains(e.path().as_str()));
    found.then_some(
        "another element sets Authorization for the same request; decide which one counts",
    )
}

fn token(audience: &str, client_id: Option<&str>) -> String {
    let escaped = |value: &str| {
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        value.replace('"', "&quot;")
    };
    let id = client_id.map(|id| format!(" client-id=\"{}\"", escaped(id)));
    let id = id.unwrap_or_default();
    format!(
        "<authentication-managed-identity resource=\"{}\"{id} />",
        escaped(audience)
    )
}
