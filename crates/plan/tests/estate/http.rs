//! APIs in front of HTTP services: builders, and a small gateway of the tests' own that says what
//! each call would send. It shares nothing with the planner but the reading of XML.

use std::collections::{BTreeMap, BTreeSet};

use keyless_model::{
    Address, ApiChoice, Canary, Expected, HttpAccess, Identity, ProbeRequest, Prove, Replaces,
    Retire, Selection, Span,
};
use keyless_policy::{Document, ElementRef, references};
use serde_json::{Value, json};

use super::{Estate, entity, retire};

pub const AUDIENCE: &str = "api://orders";

/// A service: the key that it takes, and the audience of its tokens.
pub fn url(service: &str) -> String {
    format!("https://{service}.contoso.net/api")
}

/// A policy with these elements in `inbound`, behind what comes from outside.
pub fn inbound(elements: &str) -> String {
    sections(elements, "")
}

pub fn sections(inbound: &str, backend: &str) -> String {
    format!(
        "<policies>\n  <inbound>\n    <base />\n    {inbound}\n  </inbound>\n  <backend>\n    <base />\n    \
         {backend}\n  </backend>\n  <outbound>\n    <base />\n  </outbound>\n  <on-error>\n    <base />\n  \
         </on-error>\n</policies>"
    )
}

pub fn key_header(value: &str) -> String {
    format!(
        "<set-header name=\"x-functions-key\" exists-action=\"override\"><value>{value}</value>\
         </set-header>"
    )
}

pub fn token(audience: &str) -> String {
    format!("<authentication-managed-identity resource=\"{audience}\" />")
}

impl Estate {
    /// A gateway with an identity and nothing else.
    pub fn web() -> Self {
        let mut out = Self::new();
        out.gateway("g", Some(1));
        out
    }

    /// An API, or with `;rev=n` in its name a revision, with its policy if it has one.
    pub fn http_api(&mut self, api: &str, service_url: &str, policy: Option<&str>) -> Address {
        let address = Address::gateway("g").child("api", api);
        let body = json!({
            "path": api.split(';').next(), "serviceUrl": service_url,
            "isCurrent": !api.contains(";rev="),
        });
        self.truth.entities.insert(address.clone(), entity(body));
        if let Some(text) = policy {
            self.text_at(address.part("policy"), text);
        }
        address
    }

    pub fn text_at(&mut self, address: Address, text: &str) -> Address {
        let body = json!({ "format": "rawxml", "value": text });
        self.truth.entities.insert(address.clone(), entity(body));
        address
    }

    pub fn operation(&mut self, api: &str, operation: &str, policy: Option<&str>) -> Address {
        let address = Address::gateway("g")
            .child("api", api)
            .child("operation", operation);
        let body = json!({ "method": "GET", "urlTemplate": operation });
        self.truth.entities.insert(address.clone(), entity(body));
        if let Some(text) = policy {
            self.text_at(address.part("policy"), text);
        }
        address
    }

    pub fn fragment(&mut self, id: &str, elements: &str) -> Address {
        let address = Address::gateway("g").child("policyFragment", id);
        self.text_at(address, &format!("<fragment>\n  {elements}\n</fragment>"))
    }

    pub fn product(&mut self, id: &str, apis: &[&str], policy: Option<&str>) {
        let address = Address::gateway("g").child("product", id);
        self.truth
            .entities
            .insert(address.clone(), entity(json!({})));
        for api in apis {
            let member = address.child("api", api);
            self.truth.entities.insert(member, entity(json!({})));
        }
        if let Some(text) = policy {
            self.text_at(address.part("policy"), text);
        }
    }

    pub fn backend(&mut self, id: &str, url: &str, credentials: Value) -> Address {
        let address = Address::gateway("g").child("backend", id);
        let body = json!({ "url": url, "protocol": "http", "credentials": credentials });
        self.truth.entities.insert(address.clone(), entity(body));
        address
    }

    /// An Access for these APIs, or for all, to the service at `to`.
    pub fn http_access(&mut self, name: &str, apis: &[&str], to: &str) -> &mut HttpAccess {
        let choice = |name: &&str| ApiChoice {
            name: (*name).to_owned(),
            resolvers: Selection::All,
            operations: Selection::All,
        };
        let access = HttpAccess {
            span: Span::default(),
            name: name.into(),
            gateway: "g".into(),
            apis: (!apis.is_empty()).then(|| apis.iter().map(choice).collect()),
            identity: Identity::System,
            url: to.into(),
            audience: AUDIENCE.into(),
            accepts_token: true,
            accepts_key: true,
            replaces: Replaces::Derive,
            prove: Prove {
                canary: Canary::None,
                request: None,
                auth: None,
            },
            retire: Some(retire(true)),
        };
        self.desired.http_accesses.insert(name.into(), access);
        self.desired.http_accesses.get_mut(name).unwrap()
    }

    pub fn retire_of(&mut self, access: &str) -> &mut Option<Retire> {
        &mut self.desired.http_accesses.get_mut(access).unwrap().retire
    }

    pub fn text(&self, address: &Address) -> &str {
        self.truth.policy_text(address).unwrap()
    }
}

/// A request to try.
pub fn request() -> ProbeRequest {
    ProbeRequest {
        method: "GET".into(),
        path: "/health".into(),
        url: None,
        body: None,
        expect: Expected {
            status: 200,
            no_graphql_errors: false,
        },
    }
}

/// One way to call: an API revision, an operation, a product, and whether conditions hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub api: String,
    pub operation: Option<String>,
    pub product: Option<String>,
    pub holds: bool,
}

/// A request that the gateway makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub url: String,
    /// Headers and query parameters, by name.
    pub fields: BTreeMap<String, String>,
    /// The audience and the client id of the token, which is the `Authorization` then.
    pub token: Option<(String, String)>,
}

/// Every call that can be made on the gateway.
pub fn calls(e: &Estate) -> Vec<Call> {
    let g = Address::gateway("g");
    let mut out = Vec::new();
    for (address, _) in e.truth.children(&g, "api") {
        let api = address.last().1.to_owned();
        let name = api.split(';').next().unwrap_or_default().to_owned();
        let operations = e.truth.children(address, "operation");
        let mut operations: Vec<Option<String>> = operations
            .map(|(a, _)| Some(a.last().1.to_owned()))
            .collect();
        if operations.is_empty() {
            operations.push(None);
        }
        let products = e.truth.children(&g, "product");
        let products =
            products.filter(|(p, _)| e.truth.entities.contains_key(&p.child("api", &name)));
        let mut products: Vec<Option<String>> =
            products.map(|(a, _)| Some(a.last().1.to_owned())).collect();
        products.push(None);
        for operation in &operations {
            for product in &products {
                for holds in [true, false] {
                    out.push(Call {
                        api: api.clone(),
                        operation: operation.clone(),
                        product: product.clone(),
                        holds,
                    });
                }
            }
        }
    }
    out
}

/// The requests that a call leads to: those of `send-request`, and last the call itself.
///
/// # Errors
/// When the gateway would answer 500, for something that a document refers to is not there.
pub fn sends(e: &Estate, call: &Call) -> Result<Vec<Request>, String> {
    let g = Address::gateway("g");
    let api = g.child("api", &call.api);
    let own = call.operation.as_ref().map(|o| api.child("operation", o));
    let product = call.product.as_ref().map(|p| g.child("product", p));
    let scopes = own
        .into_iter()
        .chain([api.clone()])
        .chain(product)
        .chain([g]);
    let scopes: Vec<Address> = scopes.map(|s| s.part("policy")).collect();
    let url = e.truth.entities[&api]
        .text("/properties/serviceUrl")
        .unwrap_or_default();
    let mut run = Run {
        e,
        holds: call.holds,
        call: Request {
            url: value(e, url)?,
            ..Request::default()
        },
        backend: None,
        others: Vec::new(),
    };
    run.section(&scopes, "inbound")?;
    run.section(&scopes, "backend")?;
    run.done()
}

struct Run<'a> {
    e: &'a Estate,
    holds: bool,
    call: Request,
    backend: Option<String>,
    others: Vec<Request>,
}

impl Run<'_> {
    /// Runs a section of the innermost document; `<base />` runs that of the next one out.
    fn section(&mut self, scopes: &[Address], name: &str) -> Result<(), String> {
        let Some((first, outer)) = scopes.split_first() else {
            return Ok(());
        };
        let Some(text) = self.e.truth.policy_text(first) else {
            return self.section(outer, name);
        };
        let document = Document::parse(text).map_err(|e| e.to_string())?;
        let sections = document.root().children();
        for section in sections.into_iter().filter(|s| s.name() == name) {
            self.elements(section, Some((outer, name)))?;
        }
        Ok(())
    }

    fn elements(
        &mut self,
        around: ElementRef,
        base: Option<(&[Address], &str)>,
    ) -> Result<(), String> {
        for element in around.children() {
            match element.name() {
                "base" => {
                    let (outer, name) = base.ok_or("<base /> where there is none")?;
                    self.section(outer, name)?;
                }
                "include-fragment" => {
                    let id = self.attribute(element, "fragment-id")?;
                    let address = Address::gateway("g").child("policyFragment", &id);
                    let text = self.e.truth.policy_text(&address).ok_or("no fragment")?;
                    let document = Document::parse(text).map_err(|e| e.to_string())?;
                    self.elements(document.root(), None)?;
                }
                "choose" => {
                    let wanted = if self.holds { "when" } else { "otherwise" };
                    let branches = element.children();
                    let taken = branches.into_iter().find(|b| b.name() == wanted);
                    if let Some(taken) = taken {
                        self.elements(taken, base)?;
                    }
                }
                "set-backend-service" => {
                    let id = self.attribute(element, "backend-id")?;
                    self.backend = (!id.is_empty()).then_some(id);
                    if self.backend.is_none() {
                        self.call.url = self.attribute(element, "base-url")?;
                    }
                }
                "send-request" => self.request(element)?,
                _ => {
                    let mut call = std::mem::take(&mut self.call);
                    self.credential(element, &mut call)?;
                    self.call = call;
                }
            }
        }
        Ok(())
    }

    fn request(&mut self, element: ElementRef) -> Result<(), String> {
        let mut request = Request::default();
        for child in element.children() {
            match child.name() {
                "set-url" => request.url = value(self.e, &child.text().unwrap_or_default())?,
                _ => self.credential(child, &mut request)?,
            }
        }
        self.others.push(request);
        Ok(())
    }

    fn credential(&self, element: ElementRef, to: &mut Request) -> Result<(), String> {
        let text = || {
            let children = element.children();
            let found = children.first().and_then(|c| c.text());
            value(self.e, &found.unwrap_or_default())
        };
        match element.name() {
            "set-header" | "set-query-parameter" => {
                let name = self.attribute(element, "name")?.to_lowercase();
                if name == "authorization" {
                    to.token = None;
                }
                to.fields.insert(name, text()?);
            }
            "authentication-basic" => {
                let user = self.attribute(element, "username")?;
                let password = self.attribute(element, "password")?;
                to.token = None;
                to.fields
                    .insert("authorization".into(), format!("{user}:{password}"));
            }
            "authentication-managed-identity" => {
                let resource = self.attribute(element, "resource")?;
                to.fields.remove("authorization");
                to.token = Some((resource, self.attribute(element, "client-id")?));
            }
            _ => {}
        }
        Ok(())
    }

    fn attribute(&self, element: ElementRef, name: &str) -> Result<String, String> {
        value(
            self.e,
            &element.attribute(name).map(|a| a.value).unwrap_or_default(),
        )
    }

    /// Puts in what the backend adds.
    fn done(mut self) -> Result<Vec<Request>, String> {
        if let Some(id) = &self.backend {
            let address = Address::gateway("g").child("backend", id);
            let body = &self
                .e
                .truth
                .entities
                .get(&address)
                .ok_or("no backend")?
                .body;
            let text = |v: &Value| value(self.e, v.as_str().unwrap_or_default());
            self.call.url = text(&body["properties"]["url"])?;
            let credentials = &body["properties"]["credentials"];
            for word in ["header", "query"] {
                for (name, values) in credentials[word].as_object().into_iter().flatten() {
                    let first = text(&values[0])?;
                    self.call.fields.insert(name.to_lowercase(), first);
                }
            }
            if let Some(parameter) = credentials["authorization"]["parameter"].as_str() {
                // Which one wins is not known, so it is sent along.
                let sent = value(self.e, parameter)?;
                self.call
                    .fields
                    .insert("backend-authorization".into(), sent);
            }
        }
        self.others.push(self.call);
        Ok(self.others)
    }
}

/// A text with the values of named values in it.
fn value(e: &Estate, text: &str) -> Result<String, String> {
    let mut whole = text.to_owned();
    for reference in references(text).into_iter().rev() {
        let found = e.truth.named_value(&Address::gateway("g"), &reference.name);
        let (_, entity) = found.ok_or(format!("the named value {} is gone", reference.name))?;
        let value = entity.text("/properties/value").unwrap_or_default();
        whole.replace_range(reference.range, value);
    }
    Ok(whole)
}

/// Which key and whose tokens each host takes.
#[derive(Clone, Debug, Default)]
pub struct Services(pub BTreeMap<String, Taken>);

#[derive(Clone, Debug)]
pub struct Taken {
    pub key: String,
    /// The audience, and the client id that a policy names; empty for the system-assigned one.
    pub token: (String, String),
}

impl Services {
    pub fn takes(&mut self, service: &str, audience: &str, key: &str) {
        let token = (audience.to_owned(), String::new());
        let taken = Taken {
            key: key.into(),
            token,
        };
        self.0.insert(format!("{service}.contoso.net"), taken);
    }

    /// Why a call gets no answer; none when it gets one. Services that nobody declared take all.
    pub fn refuse(&self, e: &Estate, call: &Call) -> Option<String> {
        let requests = match sends(e, call) {
            Ok(requests) => requests,
            Err(why) => return Some(why),
        };
        requests.iter().find_map(|r| self.refuses(r))
    }

    fn refuses(&self, request: &Request) -> Option<String> {
        let rest = request.url.split("://").nth(1).unwrap_or_default();
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let taken = self.0.get(host)?;
        let by_key = request.fields.values().any(|v| v.contains(&taken.key));
        let by_url = request.url.contains(&taken.key);
        let by_token = request.token.as_ref() == Some(&taken.token);
        (!by_key && !by_url && !by_token).then(|| format!("{host} gets no credential"))
    }

    /// The calls that get an answer now.
    pub fn answered(&self, e: &Estate) -> BTreeSet<Call> {
        let mut all: BTreeSet<Call> = calls(e).into_iter().collect();
        all.retain(|call| self.refuse(e, call).is_none());
        all
    }

    /// Whether a request carries the key of the service that it goes to.
    pub fn sends_its_key(&self, request: &Request) -> bool {
        let host = request.url.split("://").nth(1).unwrap_or_default();
        let taken = self
            .0
            .iter()
            .find(|(name, _)| host.starts_with(name.as_str()));
        taken.is_some_and(|(_, taken)| {
            let mut all = request.fields.values().chain([&request.url]);
            all.any(|v| v.contains(&taken.key))
        })
    }

    /// A call that sends a token to a host that it is not for.
    pub fn astray(&self, e: &Estate) -> Option<Call> {
        let strays = |r: &Request| match &r.token {
            Some((audience, _)) => {
                let mut theirs = self
                    .0
                    .iter()
                    .filter(|(_, taken)| taken.token.0 == *audience);
                !theirs.any(|(host, _)| r.url.starts_with(&format!("https://{host}")))
            }
            None => false,
        };
        let sends_one = |call: &Call| sends(e, call).unwrap_or_default().iter().any(strays);
        calls(e).into_iter().find(sends_one)
    }

    /// The calls that still send a key to a service.
    pub fn with_keys(&self, e: &Estate) -> Vec<Call> {
        let sends_key = |call: &Call| {
            let requests = sends(e, call).unwrap_or_default();
            requests.iter().any(|r| {
                let all = r.fields.values().chain([&r.url]);
                all.into_iter()
                    .any(|v| self.0.values().any(|t| v.contains(&t.key)))
            })
        };
        calls(e).into_iter().filter(sends_key).collect()
    }
}
