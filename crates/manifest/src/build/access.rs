//! An Access document to the model.

use std::collections::BTreeSet;

use keyless_model::{
    Access, ApiChoice, Auth, Callers, Canary, Claim, Evidence, Expected, GrantSpec, HttpAccess,
    Identity, ProbeRequest, Prove, Replaced, Replaces, Retire, Role, Seconds, Selection,
    parse_duration,
};

use super::{flag, string, texts};
use crate::document::Document;
use crate::node::{Node, Value};
use crate::scalar::Meaning;

pub(super) fn access(document: &Document<'_>) -> Option<Access> {
    let spec = document.spec;
    let (from, to) = (spec.get("from")?, spec.get("to")?);
    let role = match document.text("role")? {
        "reader" => Role::Reader,
        "writer" => Role::Writer,
        "executor" => Role::Executor,
        "custom" => Role::Custom,
        _ => return None,
    };
    let schemas = match (spec.get("schemas"), role) {
        (Some(node), _) => texts(node)?,
        (None, Role::Custom) => Vec::new(),
        (None, _) => vec!["dbo".to_owned()],
    };
    let grants = spec.get("grants").map_or(&[][..], Node::items);
    Some(Access {
        span: document.span(),
        name: document.name.to_owned(),
        gateway: string(from, "gateway")?,
        apis: apis(from.get("apis")?)?,
        server: string(to, "server")?,
        database: string(to, "database")?,
        role,
        schemas,
        grants: grants.iter().map(grant).collect::<Option<_>>()?,
        replaces: replaces(spec.get("replaces"))?,
        prove: prove(spec.get("prove"))?,
        retire: match spec.get("retire") {
            Some(node) => Some(retire(node, &[Evidence::Audit, Evidence::Sessions])?),
            None => None,
        },
    })
}

/// Whether the target is an HTTP service.
pub(super) fn is_http(document: &Document<'_>) -> bool {
    document
        .spec
        .get("to")
        .is_some_and(|to| to.get("url").is_some())
}

pub(super) fn http(document: &Document<'_>) -> Option<HttpAccess> {
    let spec = document.spec;
    let (from, to) = (spec.get("from")?, spec.get("to")?);
    let accepts: BTreeSet<String> = to.get("accepts").map_or(Some(BTreeSet::new()), texts)?;
    Some(HttpAccess {
        span: document.span(),
        name: document.name.to_owned(),
        gateway: string(from, "gateway")?,
        apis: apis(from.get("apis")?)?,
        identity: match spec.get("identity").map(|i| string(i, "user")) {
            Some(Some(user)) => Identity::User(user),
            _ => Identity::System,
        },
        url: string(to, "url")?,
        audience: string(to, "audience")?,
        accepts_token: accepts.contains("token"),
        accepts_key: accepts.contains("key"),
        replaces: replaces(spec.get("replaces"))?,
        prove: prove(spec.get("prove"))?,
        retire: match spec.get("retire") {
            Some(node) => Some(retire(node, &[Evidence::Approval])?),
            None => None,
        },
    })
}

/// The callers that an Access demands, if it does.
pub(crate) fn callers(document: &Document<'_>) -> Option<Callers> {
    let (from, callers) = (document.spec.get("from")?, document.spec.get("callers")?);
    let names = apis(from.get("apis")?)?;
    let claims = callers.get("claims").map_or(&[][..], Node::items);
    Some(Callers {
        gateway: string(from, "gateway")?,
        apis: names.map(|all| all.into_iter().map(|api| api.name).collect()),
        tenant: string(callers, "tenant").map(|t| t.to_lowercase()),
        audiences: texts(callers.get("audiences")?)?,
        client_ids: callers.get("clientIds").map_or(Some(Vec::new()), texts)?,
        claims: claims.iter().map(claim).collect::<Option<_>>()?,
    })
}

fn claim(node: &Node) -> Option<Claim> {
    Some(Claim {
        name: string(node, "name")?,
        values: texts(node.get("values")?)?,
        any: node.get("match").and_then(Node::text) == Some("any"),
    })
}

/// `Some(None)` is every API.
fn apis(node: &Node) -> Option<Option<Vec<ApiChoice>>> {
    if node.text() == Some("*") {
        return Some(None);
    }
    node.items()
        .iter()
        .map(api)
        .collect::<Option<Vec<_>>>()
        .map(Some)
}

fn api(node: &Node) -> Option<ApiChoice> {
    let (resolvers, operations) = (node.get("resolvers"), node.get("operations"));
    // Both left out means all of both; one left out means none of it.
    let left_out = match (resolvers, operations) {
        (None, None) => Selection::All,
        _ => Selection::Named(BTreeSet::new()),
    };
    let choose = |node: Option<&Node>| node.map_or_else(|| Some(left_out.clone()), selection);
    Some(ApiChoice {
        name: string(node, "name")?,
        resolvers: choose(resolvers)?,
        operations: choose(operations)?,
    })
}

fn selection(node: &Node) -> Option<Selection> {
    match (&node.value, node.text()) {
        (Value::List(_), _) => texts(node).map(Selection::Named),
        (_, Some("*")) => Some(Selection::All),
        _ => None,
    }
}

fn grant(node: &Node) -> Option<GrantSpec> {
    Some(GrantSpec {
        permission: string(node, "permission")?.to_uppercase(),
        on: string(node, "on")?.parse().ok()?,
        columns: node.get("columns").map_or(Some(Vec::new()), texts)?,
        deny: string(node, "state").as_deref() == Some("deny"),
    })
}

fn replaces(node: Option<&Node>) -> Option<Replaces> {
    match node {
        Some(node) if matches!(node.value, Value::List(_)) => node
            .items()
            .iter()
            .map(replaced)
            .collect::<Option<_>>()
            .map(Replaces::Listed),
        Some(node) => (node.text() == Some("derive")).then_some(Replaces::Derive),
        None => Some(Replaces::Derive),
    }
}

fn replaced(node: &Node) -> Option<Replaced> {
    string(node, "namedValue")
        .map(Replaced::NamedValue)
        .or_else(|| string(node, "backend").map(Replaced::Backend))
        .or_else(|| string(node, "sqlLogin").map(Replaced::SqlLogin))
        .or_else(|| string(node, "sqlUser").map(Replaced::SqlUser))
}

fn prove(node: Option<&Node>) -> Option<Prove> {
    let Some(node) = node else {
        return Some(Prove {
            canary: Canary::None,
            request: None,
            auth: None,
        });
    };
    let canary = match node.get("canary").and_then(Node::text) {
        Some("revision") => Canary::Revision,
        Some("url") => Canary::Url,
        Some("none") | None => Canary::None,
        Some(_) => return None,
    };
    let auth = match node.get("auth") {
        Some(node) => Some(auth(node)?),
        None => None,
    };
    let request = node.get("request").map(request);
    Some(Prove {
        canary,
        request: match request {
            Some(request) => Some(request?),
            None => None,
        },
        auth,
    })
}

fn auth(node: &Node) -> Option<Auth> {
    if let Some(name) = string(node, "subscription") {
        return Some(Auth::Subscription { name });
    }
    if let Some(audience) = string(node, "audience") {
        return Some(Auth::Audience { audience });
    }
    Some(Auth::Header {
        name: string(node, "header")?,
        env: string(node, "env")?,
    })
}

fn request(node: &Node) -> Option<ProbeRequest> {
    let expect = node.get("expect");
    let status = match expect.and_then(|e| e.get("status")) {
        Some(status) => match status.scalar()?.meaning() {
            Meaning::Number(number) => u16::try_from(number.as_u64()?).ok()?,
            _ => return None,
        },
        None => 200,
    };
    Some(ProbeRequest {
        method: string(node, "method").unwrap_or_else(|| "POST".to_owned()),
        path: string(node, "path").unwrap_or_default(),
        url: string(node, "url"),
        body: string(node, "body"),
        expect: Expected {
            status,
            no_graphql_errors: expect.is_none_or(|e| flag(e, "noGraphqlErrors", true)),
        },
    })
}

/// `default` is the evidence where the document names none.
fn retire(node: &Node, default: &[Evidence]) -> Option<Retire> {
    let after = duration(node.get("after")?)?;
    let evidence = |item: &Node| match item.text()? {
        "audit" => Some(Evidence::Audit),
        "sessions" => Some(Evidence::Sessions),
        "approval" => Some(Evidence::Approval),
        _ => None,
    };
    Some(Retire {
        after,
        disabled_for: node.get("disabledFor").map_or(Some(after), duration)?,
        evidence: match node.get("evidence") {
            Some(node) => node.items().iter().map(evidence).collect::<Option<_>>()?,
            None => default.iter().copied().collect(),
        },
        drop: flag(node, "drop", true),
    })
}

fn duration(node: &Node) -> Option<Seconds> {
    parse_duration(node.text()?)
}
