//! One resolver run: its policy is read as it stands in the store now, named values are put in,
//! expressions are evaluated, and the data source is asked: a statement over TDS, or an HTTP request.

use serde_json::{Map, Value, json};

use super::backend;
use super::builder::Builder;
use super::connection::{self, Connection, ConnectionError};
use super::context::{self, Call};
use super::database::{self, Credential, Parameter};
use super::draft::Draft;
use super::effective::included;
use super::element::Element;
use super::error::PolicyError;
use super::expression::text_of;
use super::identity;
use super::text::Texts;
use super::upstream;

const SQL_RESOURCE: &str = "https://database.windows.net";

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
    #[error("{0}")]
    Policy(#[from] PolicyError),
    #[error("{0}")]
    Connection(#[from] ConnectionError),
    #[error(
        "Cannot set the AccessToken property if 'UserID', 'UID', 'Password', or 'PWD' has been \
         specified in connection string."
    )]
    TokenAndPassword,
    #[error("A network-related or instance-specific error occurred while connecting to {0}.")]
    Network(String),
    #[error("SQL error {number}: {message}")]
    Sql { number: u32, message: String },
    #[error("The HTTP data source answered {status}: {message}")]
    Http { status: u16, message: String },
}

/// Runs the resolver of `path` (`Query/order`): a row or object, a list of them, or null.
pub async fn run(
    call: &Call<'_>,
    path: &str,
    arguments: &Map<String, Value>,
) -> Result<Value, ResolverError> {
    let source = read(call, path)?;
    let mut context = call.tree();
    context["GraphQL"] = json!({"Arguments": arguments, "Parent": null});
    let texts = Texts {
        estate: call.estate,
        service: &call.route.service,
    };
    let builder = Builder {
        texts: &texts,
        context: &context,
        matched: &call.route.matched,
    };
    match source.name.as_str() {
        "sql-data-source" => sql(call, &builder, &source).await,
        "http-data-source" => http(call, &builder, &source),
        other => Err(ResolverError::DataSource(other.to_owned())),
    }
}

/// The resolver's policy, with the fragments that it includes.
fn read(call: &Call<'_>, path: &str) -> Result<Element, ResolverError> {
    let store = call.estate.store();
    let resolver = store
        .list(&format!("{}/resolvers", call.route.api))
        .into_iter()
        .find(|resolver| resolver.property("path") == Some(path))
        .ok_or_else(|| ResolverError::NoResolver(path.to_owned()))?;
    let policy = store
        .get(&format!("{}/policies/policy", resolver.key()))
        .and_then(|policy| policy.property("value"))
        .ok_or(ResolverError::NoPolicy)?;
    let mut source = Element::parse(policy).map_err(PolicyError::from)?;
    source.children = included(&store, &call.route.service, source.children)?;
    Ok(source)
}

async fn sql(
    call: &Call<'_>,
    builder: &Builder<'_>,
    source: &Element,
) -> Result<Value, ResolverError> {
    let find = |of: &Element, name: &'static str| {
        let found = of.find(name).cloned();
        found.ok_or(ResolverError::Missing(name))
    };
    let string = find(source, "connection-string")?;
    let request = find(source, "request")?;
    let statement = builder.string(&find(&request, "sql-statement")?.text)?;
    let mut parameters = Vec::new();
    if let Some(all) = request.find("parameters") {
        for element in all.all("parameter") {
            parameters.push(parameter(builder, element)?);
        }
    }
    let connection = connection::parse(&builder.string(&string.text)?)?;
    let use_identity = builder.attribute(&string, "use-managed-identity")?;
    let credential = credential(call, &connection, use_identity.as_deref() == Some("true"))?;
    let rows = database::query(
        call.estate,
        &connection,
        credential,
        &statement,
        &parameters,
    );
    let rows = rows.await?;
    let single = builder.attribute(&request, "single-result")?.as_deref() == Some("true");
    let mut rows = rows.into_iter().map(Value::Object);
    Ok(if single {
        rows.next().unwrap_or_default()
    } else {
        rows.collect()
    })
}

fn parameter(builder: &Builder<'_>, element: &Element) -> Result<Parameter, ResolverError> {
    let name = builder.required(element, "name")?;
    let sql_type = builder.attribute(element, "sql-type")?;
    Ok(Parameter {
        name: name.trim_start_matches('@').to_owned(),
        sql_type: sql_type.unwrap_or_default().to_lowercase(),
        value: builder.value(&element.text)?,
    })
}

fn credential(
    call: &Call<'_>,
    connection: &Connection,
    use_identity: bool,
) -> Result<Credential, ResolverError> {
    if !use_identity {
        return Ok(Credential::Password {
            user: connection.user.clone().unwrap_or_default(),
            password: connection.password.clone().unwrap_or_default(),
        });
    }
    if connection.user.is_some() || connection.password.is_some() {
        return Err(ResolverError::TokenAndPassword);
    }
    let token = identity::token(call.estate, &call.route.service, None, SQL_RESOURCE)?;
    Ok(Credential::Token(token))
}

/// The request of `http-request`, and what `http-response` makes of the answer.
fn http(call: &Call<'_>, builder: &Builder<'_>, source: &Element) -> Result<Value, ResolverError> {
    let request = source.child("http-request");
    let request = request.ok_or(ResolverError::Missing("http-request"))?;
    let mut draft = Draft::new();
    for element in &request.children {
        builder.apply(&mut draft, element)?;
    }
    let answer = upstream::send(call.estate, &backend::wire(builder.texts, &draft)?)?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    if !(200..300).contains(&answer.status) {
        return Err(ResolverError::Http {
            status: answer.status,
            message: text,
        });
    }
    let mut context = builder.context.clone();
    context["Response"] = context::response(&answer);
    let own = source.child("http-response");
    let text = match own.and_then(|own| own.child("set-body")) {
        None => text,
        Some(body) => text_of(&builder.texts.value(&body.text, &context)?),
    };
    serde_json::from_str(&text).map_err(|_| ResolverError::Http {
        status: answer.status,
        message: "the body is not JSON".into(),
    })
}
