//! One resolver run: its policy is read as it stands in the store now, named values are put in,
//! expressions are evaluated, and the statement runs over TDS.

use hyper::HeaderMap;
use roxmltree::Node;
use serde_json::{Map, Value, json};

use super::connection::{self, Connection, ConnectionError};
use super::database::{self, Credential, Parameter};
use super::expression::{self, ExpressionError, text_of};
use super::route::Route;
use crate::arm::{Kind, Store};
use crate::estate::Estate;
use crate::{entra, rawxml};

const SQL_RESOURCE: &str = "https://database.windows.net";

/// Which resolver is asked, and with what.
pub struct Call<'a> {
    pub route: &'a Route,
    /// `Query/order`.
    pub path: String,
    pub arguments: &'a Map<String, Value>,
    pub headers: &'a HeaderMap,
    pub request_id: &'a str,
}

/// The rows of the last statement.
pub struct Outcome {
    pub rows: Vec<Map<String, Value>>,
    /// The policy says that there is at most one.
    pub single: bool,
}

/// Why a field has no value. None of these holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    #[error("No resolver is configured for {0}.")]
    NoResolver(String),
    #[error("The resolver has no policy.")]
    NoPolicy,
    #[error("The resolver's data source '{0}' is not emulated.")]
    DataSource(String),
    #[error("The resolver's policy has no '{0}'.")]
    Missing(&'static str),
    #[error("The resolver's policy cannot be read. {0}")]
    Policy(#[from] rawxml::RawXmlError),
    #[error("Cannot find a property '{0}'.")]
    NamedValue(String),
    #[error("{0}")]
    Expression(#[from] ExpressionError),
    #[error("{0}")]
    Connection(#[from] ConnectionError),
    #[error("The service has no system-assigned managed identity.")]
    NoIdentity,
    #[error(
        "Cannot set the AccessToken property if 'UserID', 'UID', 'Password', or 'PWD' has been \
         specified in connection string."
    )]
    TokenAndPassword,
    #[error("A network-related or instance-specific error occurred while connecting to {0}.")]
    Network(String),
    #[error("SQL error {number}: {message}")]
    Sql { number: u32, message: String },
}

/// What the policy asks for, everything evaluated.
struct Source {
    connection: Connection,
    use_identity: bool,
    statement: String,
    parameters: Vec<Parameter>,
    single: bool,
}

/// Runs the resolver of `call`.
pub async fn run(estate: &Estate, call: &Call<'_>) -> Result<Outcome, ResolverError> {
    let source = {
        let store = estate.store();
        read(&store, call)?
    };
    let credential = credential(estate, call.route, &source)?;
    let rows = database::query(
        estate,
        &source.connection,
        credential,
        &source.statement,
        &source.parameters,
    )
    .await?;
    Ok(Outcome {
        rows,
        single: source.single,
    })
}

fn credential(
    estate: &Estate,
    route: &Route,
    source: &Source,
) -> Result<Credential, ResolverError> {
    let connection = &source.connection;
    if !source.use_identity {
        return Ok(Credential::Password {
            user: connection.user.clone().unwrap_or_default(),
            password: connection.password.clone().unwrap_or_default(),
        });
    }
    if connection.user.is_some() || connection.password.is_some() {
        return Err(ResolverError::TokenAndPassword);
    }
    let object_id = estate
        .store()
        .get(&route.service)
        .and_then(|service| {
            service.body["identity"]["principalId"]
                .as_str()
                .map(str::to_owned)
        })
        .ok_or(ResolverError::NoIdentity)?;
    let identity = estate
        .directory
        .by_object_id(&object_id)
        .ok_or(ResolverError::NoIdentity)?;
    Ok(Credential::Token(estate.directory.issue(
        &identity,
        SQL_RESOURCE,
        entra::LIFETIME,
    )))
}

fn read(store: &Store, call: &Call<'_>) -> Result<Source, ResolverError> {
    let resolver = store
        .list(&format!("{}/resolvers", call.route.api))
        .into_iter()
        .find(|resolver| resolver.property("path") == Some(call.path.as_str()))
        .ok_or_else(|| ResolverError::NoResolver(call.path.clone()))?;
    let policy = store
        .get(&format!("{}/policies/policy", resolver.key()))
        .and_then(|policy| policy.property("value"))
        .ok_or(ResolverError::NoPolicy)?;
    let masked = rawxml::mask(policy)?;
    let document = rawxml::parse(&masked)?;
    let root = document.root_element();
    if !root.has_tag_name("sql-data-source") {
        return Err(ResolverError::DataSource(root.tag_name().name().to_owned()));
    }
    let text = Text {
        store,
        policy,
        masked: &masked,
        service: &call.route.service,
        context: context(call),
    };
    let string =
        find(root, "connection-string").ok_or(ResolverError::Missing("connection-string"))?;
    let request = find(root, "request").ok_or(ResolverError::Missing("request"))?;
    let statement =
        find(request, "sql-statement").ok_or(ResolverError::Missing("sql-statement"))?;
    let parameters = request
        .descendants()
        .filter(|node| node.has_tag_name("parameter"))
        .map(|node| text.parameter(node))
        .collect::<Result<_, _>>()?;
    Ok(Source {
        connection: connection::parse(&text_of(&text.of(string)?))?,
        use_identity: text.attribute(string, "use-managed-identity")? == json!("true"),
        statement: text_of(&text.of(statement)?),
        parameters,
        single: text.attribute(request, "single-result")? == json!("true"),
    })
}

fn find<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.descendants().find(|node| node.has_tag_name(name))
}

/// What `context` holds in this run.
fn context(call: &Call<'_>) -> Value {
    let headers: Map<String, Value> = call
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), json!(value.to_str().ok()?))))
        .collect();
    json!({
        "GraphQL": {"Arguments": call.arguments},
        "RequestId": call.request_id,
        "Request": {"Headers": headers},
        "Deployment": {"ServiceName": call.route.service_name},
        "Api": {"Name": call.route.api.rsplit('/').next()},
    })
}

/// A policy's text with what its references and expressions stand for.
struct Text<'a> {
    store: &'a Store,
    policy: &'a str,
    /// The policy with its expressions filled over: ranges in one hold in the other.
    masked: &'a str,
    service: &'a str,
    context: Value,
}

impl Text<'_> {
    /// The text inside an element.
    fn of(&self, node: Node<'_, '_>) -> Result<Value, ResolverError> {
        let mut written = String::new();
        let mut rest = inner(self.masked, self.policy, node);
        while !rest.is_empty() {
            let (part, tail) = if let Some(comment) = rest.strip_prefix("<!--") {
                (String::new(), after(comment, "-->").1)
            } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
                let (data, tail) = after(data, "]]>");
                (data.to_owned(), tail)
            } else if is_expression(rest) {
                (rest.to_owned(), "")
            } else {
                let end = rest.find('<').filter(|&end| end > 0).unwrap_or(rest.len());
                (rawxml::unescape(&rest[..end]), &rest[end..])
            };
            written.push_str(&part);
            rest = tail;
        }
        self.evaluate(&written)
    }

    fn attribute(&self, node: Node<'_, '_>, name: &str) -> Result<Value, ResolverError> {
        let Some(attribute) = node.attributes().find(|found| found.name() == name) else {
            return Ok(Value::Null);
        };
        let slice = &self.policy[attribute.range_value()];
        if is_expression(slice) {
            self.evaluate(slice)
        } else {
            self.evaluate(&rawxml::unescape(slice))
        }
    }

    fn parameter(&self, node: Node<'_, '_>) -> Result<Parameter, ResolverError> {
        let name = text_of(&self.attribute(node, "name")?);
        Ok(Parameter {
            name: name.trim_start_matches('@').to_owned(),
            sql_type: text_of(&self.attribute(node, "sql-type")?).to_lowercase(),
            value: self.of(node)?,
        })
    }

    /// Puts named values in, then evaluates what is an expression as a whole.
    fn evaluate(&self, written: &str) -> Result<Value, ResolverError> {
        let mut text = String::with_capacity(written.len());
        let mut rest = written;
        while let Some((name, at, end)) = rawxml::next_reference(rest) {
            text.push_str(&rest[..at]);
            text.push_str(&self.named_value(name)?);
            rest = &rest[end..];
        }
        text.push_str(rest);
        if is_expression(&text) {
            return Ok(expression::evaluate(&text, &self.context)?);
        }
        Ok(Value::String(text.trim().to_owned()))
    }

    fn named_value(&self, name: &str) -> Result<String, ResolverError> {
        self.store
            .list(&format!("{}/namedvalues", self.service))
            .into_iter()
            .filter(|entity| entity.kind == Kind::NamedValue)
            .find(|entity| {
                entity
                    .property("displayName")
                    .is_some_and(|own| own.eq_ignore_ascii_case(name))
            })
            .and_then(|entity| entity.property("value"))
            .map(str::to_owned)
            .ok_or_else(|| ResolverError::NamedValue(name.to_owned()))
    }
}

/// The original text between an element's tags.
fn inner<'a>(masked: &str, policy: &'a str, node: Node<'_, '_>) -> &'a str {
    let whole = node.range();
    let mut quote = None;
    let opening = masked[whole.clone()]
        .char_indices()
        .find(|&(_, c)| match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                false
            }
            (Some(open), c) if open == c => {
                quote = None;
                false
            }
            (None, c) => c == '>',
            _ => false,
        });
    let start = whole.start + opening.map_or(0, |(at, _)| at + 1);
    let end = masked[whole.clone()]
        .rfind("</")
        .map_or(whole.end, |at| whole.start + at);
    policy.get(start..end).unwrap_or_default()
}

/// What stands before a mark and what after it.
fn after<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    text.split_once(mark).unwrap_or((text, ""))
}

fn is_expression(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("@(") || text.starts_with("@{")
}
