//! ADO.NET connection strings: what a resolver's policy says about server, database and login.

use std::collections::BTreeMap;

/// What a connection string says. It holds a password: no `Debug`.
#[derive(Clone, Default)]
pub struct Connection {
    pub host: String,
    pub database: Option<String>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub application: Option<String>,
}

/// Why a connection string cannot be used. Never the string itself.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    #[error("Format of the initialization string does not conform to specification.")]
    Format,
    #[error("Keyword not supported: '{0}'.")]
    Keyword(String),
    #[error("The connection string names no server.")]
    NoServer,
}

/// Parses `key=value;…`; values may be quoted.
pub fn parse(text: &str) -> Result<Connection, ConnectionError> {
    let mut connection = Connection::default();
    for (key, value) in pairs(text)? {
        let compact: String = key.chars().filter(|c| !c.is_whitespace()).collect();
        match compact.as_str() {
            "server" | "datasource" | "address" | "addr" | "networkaddress" => {
                connection.host = host(&value);
            }
            "database" | "initialcatalog" => connection.database = Some(value),
            "userid" | "uid" | "user" => connection.user = Some(value),
            "password" | "pwd" => connection.password = Some(value),
            "applicationname" | "app" => connection.application = Some(value),
            "encrypt"
            | "trustservercertificate"
            | "connecttimeout"
            | "connectiontimeout"
            | "timeout"
            | "persistsecurityinfo"
            | "multipleactiveresultsets"
            | "pooling"
            | "minpoolsize"
            | "maxpoolsize"
            | "connectretrycount"
            | "connectretryinterval"
            | "integratedsecurity"
            | "trusted_connection"
            | "authentication"
            | "commandtimeout"
            | "applicationintent"
            | "multisubnetfailover"
            | "packetsize"
            | "workstationid"
            | "hostnameincertificate"
            | "columnencryptionsetting" => {}
            _ => return Err(ConnectionError::Keyword(key)),
        }
    }
    if connection.host.is_empty() {
        Err(ConnectionError::NoServer)
    } else {
        Ok(connection)
    }
}

/// `tcp:orders.database.localhost,1433` → the host alone.
fn host(server: &str) -> String {
    let server = server.trim();
    let server = server.strip_prefix("tcp:").unwrap_or(server);
    server
        .split([',', '\\'])
        .next()
        .unwrap_or_default()
        .trim()
        .to_lowercase()
}

/// The pairs, keys in lower case; of a repeated key the last one counts.
fn pairs(text: &str) -> Result<BTreeMap<String, String>, ConnectionError> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start_matches([';', ' ', '\t', '\r', '\n']);
    while !rest.is_empty() {
        let (key, tail) = rest.split_once('=').ok_or(ConnectionError::Format)?;
        let (value, tail) = value(tail.trim_start())?;
        found.insert(key.trim().to_lowercase(), value);
        rest = tail.trim_start_matches([';', ' ', '\t', '\r', '\n']);
    }
    Ok(found)
}

fn value(text: &str) -> Result<(String, &str), ConnectionError> {
    let Some(quote) = text.chars().next().filter(|c| *c == '"' || *c == '\'') else {
        let end = text.find(';').unwrap_or(text.len());
        return Ok((text[..end].trim().to_owned(), &text[end..]));
    };
    let (mut out, mut rest) = (String::new(), &text[1..]);
    loop {
        let at = rest.find(quote).ok_or(ConnectionError::Format)?;
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix(quote) {
            Some(tail) => {
                out.push(quote);
                rest = tail;
            }
            None => break,
        }
    }
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with(';') {
        Ok((out, rest))
    } else {
        Err(ConnectionError::Format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_azure_string_is_understood() {
        let text = "Server=tcp:Orders-Sql.database.localhost,1433;Initial Catalog=orders;Persist \
                    Security Info=False;User ID=app;Password=\"p;\"\"=q\";Encrypt=True;";
        let connection = parse(text).unwrap();
        assert_eq!(connection.host, "orders-sql.database.localhost");
        assert_eq!(connection.database.as_deref(), Some("orders"));
        assert_eq!(connection.user.as_deref(), Some("app"));
        assert_eq!(connection.password.as_deref(), Some("p;\"=q"));
    }

    #[test]
    fn a_broken_string_is_refused_without_being_told() {
        assert_eq!(
            parse("Server=a;hunter2").err(),
            Some(ConnectionError::Format)
        );
        assert_eq!(parse("Database=a").err(), Some(ConnectionError::NoServer));
        assert_eq!(
            parse("Server=a;Pasword=x").err(),
            Some(ConnectionError::Keyword("pasword".into()))
        );
    }
}
