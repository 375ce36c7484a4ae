//! The gateway's client: one connection for each call, over real TDS to the emulated SQL.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel, Query, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use super::connection::Connection;
use super::expression::text_of;
use super::resolver::ResolverError;
use crate::estate::Estate;

const TIMEOUT: Duration = Duration::from_secs(30);

/// How the gateway shows who it is. No `Debug`: both kinds are secret.
pub enum Credential {
    Password { user: String, password: String },
    Token(String),
}

/// A statement's parameter.
pub struct Parameter {
    /// Without `@`.
    pub name: String,
    /// `int`, `nvarchar`, … in lower case; empty for text.
    pub sql_type: String,
    pub value: Value,
}

/// Runs a statement and returns the rows of its last result.
pub async fn query(
    estate: &Estate,
    connection: &Connection,
    credential: Credential,
    statement: &str,
    parameters: &[Parameter],
) -> Result<Vec<Map<String, Value>>, ResolverError> {
    let network = || ResolverError::Network(connection.host.clone());
    if !connection.host.ends_with(".database.localhost") {
        return Err(network());
    }
    let run = async {
        let config = config(estate, connection, credential);
        let mut client = connect(config, estate.ports.sql)
            .await
            .map_err(|error| failed(error, &connection.host))?;
        let mut query = Query::new(positional(statement, parameters));
        for parameter in parameters {
            bind(&mut query, parameter);
        }
        let results = query
            .query(&mut client)
            .await
            .map_err(|error| failed(error, &connection.host))?
            .into_results()
            .await
            .map_err(|error| failed(error, &connection.host))?;
        Ok(results
            .last()
            .map(|rows| rows.iter().map(object).collect())
            .unwrap_or_default())
    };
    tokio::time::timeout(TIMEOUT, run)
        .await
        .unwrap_or_else(|_| Err(network()))
}

/// Opens a connection, by way of one redirect if the server's policy wants it.
async fn connect(mut config: Config, port: u16) -> Result<Client<Compat<TcpStream>>, Error> {
    match open(config.clone(), port).await {
        Err(Error::Routing { host, port }) => {
            config.host(host);
            config.port(port);
            open(config, port).await
        }
        opened => opened,
    }
}

async fn open(config: Config, port: u16) -> Result<Client<Compat<TcpStream>>, Error> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    Client::connect(config, stream.compat_write()).await
}

fn config(estate: &Estate, connection: &Connection, credential: Credential) -> Config {
    let mut config = Config::new();
    config.host(&connection.host);
    config.port(estate.ports.sql);
    if let Some(database) = &connection.database {
        config.database(database);
    }
    config.application_name(
        connection
            .application
            .as_deref()
            .unwrap_or("Azure API Management"),
    );
    config.encryption(EncryptionLevel::Required);
    config.trust_cert_ca_bundle(estate.ca_pem.as_bytes().to_vec());
    config.authentication(match credential {
        Credential::Password { user, password } => AuthMethod::sql_server(user, password),
        Credential::Token(token) => AuthMethod::aad_token(token),
    });
    config
}

/// The server's own words are safe to pass on; others are reduced to the host.
fn failed(error: Error, host: &str) -> ResolverError {
    match error {
        Error::Server(token) => ResolverError::Sql {
            number: token.code(),
            message: token.message().to_owned(),
        },
        _ => ResolverError::Network(host.to_owned()),
    }
}

/// Parameters are bound by position: `@id` becomes `@P1`, outside of strings, quoted names and
/// comments.
fn positional(statement: &str, parameters: &[Parameter]) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let skip = match first {
            '\'' => closed(rest, "'"),
            '"' => closed(rest, "\""),
            '[' => closed(rest, "]"),
            '-' if rest.starts_with("--") => closed(rest, "\n"),
            '/' if rest.starts_with("/*") => closed(rest, "*/"),
            '@' => {
                let end = rest[1..]
                    .find(|c: char| !(c.is_alphanumeric() || "_#$@".contains(c)))
                    .map_or(rest.len(), |end| end + 1);
                let name = &rest[1..end];
                let at = parameters
                    .iter()
                    .position(|p| p.name.eq_ignore_ascii_case(name));
                if let Some(at) = at {
                    out.push_str(&format!("@P{}", at + 1));
                    rest = &rest[end..];
                    continue;
                }
                end
            }
            other => other.len_utf8(),
        };
        out.push_str(&rest[..skip]);
        rest = &rest[skip..];
    }
    out
}

/// The length of a text up to and with its closing mark; a doubled mark closes and opens again.
fn closed(text: &str, mark: &str) -> usize {
    let from = if mark == "*/" { 2 } else { 1 };
    text[from..]
        .find(mark)
        .map_or(text.len(), |at| from + at + mark.len())
}

fn bind<'a>(query: &mut Query<'a>, parameter: &'a Parameter) {
    let text = || text_of(&parameter.value);
    let is_null = parameter.value.is_null();
    let base = parameter.sql_type.split('(').next().unwrap_or_default();
    match base {
        "tinyint" | "smallint" | "int" => match text().trim().parse::<i32>() {
            Ok(number) if !is_null => query.bind(number),
            _ => query.bind(Option::<i32>::None),
        },
        "bigint" => match text().trim().parse::<i64>() {
            Ok(number) if !is_null => query.bind(number),
            _ => query.bind(Option::<i64>::None),
        },
        "bit" => match text().trim().to_lowercase().as_str() {
            "true" | "1" => query.bind(true),
            "false" | "0" => query.bind(false),
            _ => query.bind(Option::<bool>::None),
        },
        "float" | "real" => match text().trim().parse::<f64>() {
            Ok(number) if !is_null => query.bind(number),
            _ => query.bind(Option::<f64>::None),
        },
        _ if is_null => query.bind(Option::<String>::None),
        _ => query.bind(text()),
    }
}

fn object(row: &Row) -> Map<String, Value> {
    row.cells()
        .map(|(column, data)| (column.name().to_owned(), json_of(data)))
        .collect()
}

fn json_of(data: &ColumnData<'static>) -> Value {
    match data {
        ColumnData::U8(value) => json!(value),
        ColumnData::I16(value) => json!(value),
        ColumnData::I32(value) => json!(value),
        ColumnData::I64(value) => json!(value),
        ColumnData::F32(value) => json!(value),
        ColumnData::F64(value) => json!(value),
        ColumnData::Bit(value) => json!(value),
        ColumnData::String(value) => json!(value.as_deref()),
        ColumnData::Guid(value) => json!(value.map(|guid| guid.to_string())),
        ColumnData::Binary(value) => json!(value.as_deref().map(hex)),
        ColumnData::Numeric(value) => json!(value.map(|number| number.to_string())),
        // The emulated SQL has dates as texts.
        _ => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("0x{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_outside_of_strings_and_comments() {
        let parameter = |name: &str| Parameter {
            name: name.into(),
            sql_type: "int".into(),
            value: json!(1),
        };
        let statement = "select '@id', [@id], @ID, @idx, @n -- @id\n, @@version /* @n */";
        let expected = "select '@id', [@id], @P1, @idx, @P2 -- @id\n, @@version /* @n */";
        assert_eq!(
            positional(statement, &[parameter("id"), parameter("n")]),
            expected
        );
    }
}
