//! The endpoints of one Azure cloud: built in, or from the file that `--cloud` names.
//!
//! Invariant: every URL is https; only a host under `.localhost` (RFC 6761) may have a port, and
//! such hosts are always this machine. A token goes only to a host that [`Cloud::host_allowed`].

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use crate::http;

/// The port that SQL servers listen on.
const SQL_PORT: u16 = 1433;

/// One cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    pub name: String,
    pub resource_manager: Url,
    /// What a token for the resource manager is for.
    pub resource_manager_audience: String,
    /// Entra's token endpoint, without the tenant.
    pub authority: Url,
    /// A server's host is `<name>.<suffix>`.
    pub sql_suffix: String,
    pub sql_port: u16,
    pub sql_audience: String,
    /// A gateway's host is `<name>.<suffix>`; under `.localhost` with a port.
    pub gateway_suffix: String,
    pub vault_suffix: Option<String>,
    pub log_analytics: Option<Url>,
    pub graph: Option<Url>,
    /// The text of the CA certificates that are trusted instead of the system's.
    pub ca: Option<String>,
}

/// Why a cloud cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    #[error("cannot read the cloud file {path}: {why}; check the path after --cloud")]
    File { path: PathBuf, why: std::io::Error },
    #[error("the cloud file {path} is not valid: {why}; correct it")]
    Syntax {
        path: PathBuf,
        why: serde_json::Error,
    },
    #[error("the cloud file {path}: {field} {why}; correct it")]
    Field {
        path: PathBuf,
        field: &'static str,
        why: String,
    },
    #[error("the CA {path} of the cloud file {why}; {CA_NEXT}")]
    Ca { path: PathBuf, why: String },
    #[error("there is no cloud “{0}”; use public, government, china, or the path of a file")]
    Name(String),
}

const CA_NEXT: &str = "correct `ca` in the cloud file to a PEM file with the CA's certificate, or \
                       start the emulator again: it writes both";

/// The file, as written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    name: String,
    resource_manager: String,
    resource_manager_audience: Option<String>,
    authority: String,
    sql_suffix: String,
    sql_port: Option<u16>,
    sql_audience: Option<String>,
    gateway_suffix: String,
    vault_suffix: Option<String>,
    log_analytics: Option<String>,
    graph: Option<String>,
    ca: Option<PathBuf>,
}

/// The hosts of each built-in cloud, as the Azure SDKs and Terraform's provider have them.
const BUILT_IN: [(&str, &str); 3] = [
    (
        "public",
        r#"{"name":"public","resourceManager":"https://management.azure.com",
        "authority":"https://login.microsoftonline.com","sqlSuffix":"database.windows.net",
        "gatewaySuffix":"azure-api.net","vaultSuffix":"vault.azure.net",
        "logAnalytics":"https://api.loganalytics.azure.com","graph":"https://graph.microsoft.com"}"#,
    ),
    (
        "government",
        r#"{"name":"government","resourceManager":"https://management.usgovcloudapi.net",
        "authority":"https://login.microsoftonline.us","sqlSuffix":"database.usgovcloudapi.net",
        "gatewaySuffix":"azure-api.us","vaultSuffix":"vault.usgovcloudapi.net",
        "logAnalytics":"https://api.loganalytics.us","graph":"https://graph.microsoft.us"}"#,
    ),
    (
        "china",
        r#"{"name":"china","resourceManager":"https://management.chinacloudapi.cn",
        "authority":"https://login.chinacloudapi.cn","sqlSuffix":"database.chinacloudapi.cn",
        "gatewaySuffix":"azure-api.cn","vaultSuffix":"vault.azure.cn",
        "logAnalytics":"https://api.loganalytics.azure.cn",
        "graph":"https://microsoftgraph.chinacloudapi.cn"}"#,
    ),
];

impl Cloud {
    /// The cloud that `--cloud` names: `public`, `government`, `china`, or a file.
    ///
    /// # Errors
    /// When there is no such cloud, or the file cannot be read or is not valid.
    pub fn named(text: &str) -> Result<Self, CloudError> {
        if let Some((name, json)) = BUILT_IN.iter().find(|(name, _)| *name == text) {
            return Self::parse(json, Path::new(name));
        }
        if text.contains(['/', '\\', '.']) {
            return Self::load(Path::new(text));
        }
        Err(CloudError::Name(text.to_owned()))
    }

    /// Reads a cloud file: JSON; `ca` is a path relative to the file.
    ///
    /// # Errors
    /// When a file cannot be read, a field is unknown or missing, or an endpoint is not https.
    pub fn load(path: &Path) -> Result<Self, CloudError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|why| CloudError::File {
                path: path.to_owned(),
                why,
            })
        };
        Self::parse(&read(path)?, path)
    }

    fn parse(json: &str, path: &Path) -> Result<Self, CloudError> {
        let file: File = serde_json::from_str(json).map_err(|why| CloudError::Syntax {
            path: path.to_owned(),
            why,
        })?;
        let bad = |field, why: String| CloudError::Field {
            path: path.to_owned(),
            field,
            why,
        };
        let url = |field, text: &str| endpoint(text).map_err(|why| bad(field, why));
        let suffix = |field, text: &str| host(text).map_err(|why| bad(field, why));
        let resource_manager = url("resourceManager", &file.resource_manager)?;
        let sql_suffix = suffix("sqlSuffix", &file.sql_suffix)?;
        let sql_port = file.sql_port.unwrap_or(SQL_PORT);
        if sql_port != SQL_PORT && !under_localhost(&sql_suffix) {
            return Err(bad(
                "sqlPort",
                "may differ from 1433 only under .localhost".to_owned(),
            ));
        }
        let bare = |text: &str| text.trim_end_matches('/').to_owned();
        Ok(Self {
            name: file.name,
            resource_manager_audience: bare(
                file.resource_manager_audience
                    .as_deref()
                    .unwrap_or(&file.resource_manager),
            ),
            resource_manager,
            authority: url("authority", &file.authority)?,
            sql_audience: bare(&file.sql_audience.unwrap_or(format!("https://{sql_suffix}"))),
            sql_suffix,
            sql_port,
            gateway_suffix: gateway(&file.gateway_suffix).map_err(|w| bad("gatewaySuffix", w))?,
            vault_suffix: file
                .vault_suffix
                .map(|v| suffix("vaultSuffix", &v))
                .transpose()?,
            log_analytics: file
                .log_analytics
                .map(|u| url("logAnalytics", &u))
                .transpose()?,
            graph: file.graph.map(|u| url("graph", &u)).transpose()?,
            ca: file
                .ca
                .map(|ca| authorities(&beside(path, &ca)))
                .transpose()?,
        })
    }

    /// The scope of a token for the resource manager.
    pub fn arm_scope(&self) -> String {
        format!("{}/.default", self.resource_manager_audience)
    }

    /// The scope of a token for Azure SQL.
    pub fn sql_scope(&self) -> String {
        format!("{}/.default", self.sql_audience)
    }

    /// The host name of a SQL server.
    pub fn sql_host(&self, server: &str) -> String {
        format!("{server}.{}", self.sql_suffix)
    }

    /// The default URL of a gateway, with a trailing slash.
    pub fn gateway_url(&self, service: &str) -> String {
        format!("https://{service}.{}/", self.gateway_suffix)
    }

    /// Whether a link in an answer stays with the resource manager: the same scheme and port, the
    /// same host or a host below it (ARM's regional names).
    pub fn host_allowed(&self, url: &Url) -> bool {
        let own = &self.resource_manager;
        let (Some(host), Some(want)) = (url.host_str(), own.host_str()) else {
            return false;
        };
        url.scheme() == own.scheme()
            && url.port_or_known_default() == own.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none()
            && (host == want || host.ends_with(&format!(".{want}")))
    }

    /// Whether every host that gets a token is this machine.
    pub(crate) fn is_local(&self) -> bool {
        let local = |url: &Url| url.host_str().is_some_and(under_localhost);
        local(&self.resource_manager) && local(&self.authority)
    }

    /// Whether the hosts are those of a built-in cloud.
    pub(crate) fn is_built_in(&self) -> bool {
        BUILT_IN.iter().any(|(name, _)| {
            Self::named(name).is_ok_and(|cloud| cloud.resource_manager == self.resource_manager)
        })
    }

    /// A server on loopback that speaks plain HTTP: only tests can make one.
    #[cfg(test)]
    pub(crate) fn plain_http(port: u16) -> Self {
        let mut cloud = Self::named("public").unwrap();
        cloud.resource_manager = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        cloud
    }
}

/// Whether a host is below `localhost`, so that it is this machine by definition.
pub(crate) fn under_localhost(host: &str) -> bool {
    host.to_ascii_lowercase().ends_with(".localhost")
}

fn beside(file: &Path, relative: &Path) -> PathBuf {
    file.parent()
        .map_or_else(|| relative.to_owned(), |dir| dir.join(relative))
}

fn authorities(path: &Path) -> Result<String, CloudError> {
    let unusable = |why: String| CloudError::Ca {
        path: path.to_owned(),
        why,
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| unusable(format!("cannot be read: {error}")))?;
    match http::roots(&text) {
        Ok(roots) if !roots.is_empty() => Ok(text),
        _ => Err(unusable("holds no PEM certificate".to_owned())),
    }
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("is not a URL ({e})"))?;
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" {
        return Err("must be an https URL".to_owned());
    }
    if url.port().is_some() && !under_localhost(host) {
        return Err("may have a port only under .localhost".to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
        return Err("must be a host without path, query or user".to_owned());
    }
    Ok(url)
}

fn host(text: &str) -> Result<String, String> {
    let text = text.trim_start_matches('.');
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if text.is_empty() || !text.chars().all(fits) {
        return Err("must be a host suffix such as database.windows.net".to_owned());
    }
    Ok(text.to_ascii_lowercase())
}

fn gateway(text: &str) -> Result<String, String> {
    let Some((name, port)) = text.split_once(':') else {
        return host(text);
    };
    let name = host(name)?;
    match port.parse::<u16>() {
        Ok(port) if under_localhost(&name) => Ok(format!("{name}:{port}")),
        _ => Err("may have a port only under .localhost".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = r#"{"name":"emulator","resourceManager":"https://management.localhost:4443",
        "resourceManagerAudience":"https://management.azure.com/",
        "authority":"https://login.localhost:4443","sqlSuffix":"database.localhost",
        "sqlPort":14330,"sqlAudience":"https://database.windows.net/",
        "gatewaySuffix":"azure-api.localhost:4443"}"#;

    fn parse(json: &str) -> Result<Cloud, CloudError> {
        Cloud::parse(json, Path::new("cloud.json"))
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_built_in_clouds_are_valid() {
        for (name, _) in BUILT_IN {
            let cloud = Cloud::named(name).unwrap();
            assert_eq!(cloud.name, name);
            assert_eq!(cloud.sql_port, 1433);
            assert!(cloud.is_built_in() && !cloud.is_local());
        }
        let public = Cloud::named("public").unwrap();
        assert_eq!(public.arm_scope(), "https://management.azure.com/.default");
        assert_eq!(public.sql_scope(), "https://database.windows.net/.default");
        assert_eq!(
            public.sql_host("orders-sql"),
            "orders-sql.database.windows.net"
        );
        assert_eq!(
            public.gateway_url("contoso"),
            "https://contoso.azure-api.net/"
        );
    }

    #[test]
    fn names_under_localhost_may_have_ports() {
        let cloud = parse(LOCAL).unwrap();
        assert!(cloud.is_local() && !cloud.is_built_in());
        assert_eq!(cloud.sql_port, 14330);
        assert_eq!(
            cloud.gateway_url("contoso"),
            "https://contoso.azure-api.localhost:4443/"
        );
        assert_eq!(cloud.arm_scope(), "https://management.azure.com/.default");
    }

    #[test]
    fn nothing_else_may_have_a_port_or_plain_http() {
        for (from, to) in [
            (
                "https://management.localhost:4443",
                "https://management.example:4443",
            ),
            (
                "https://management.localhost:4443",
                "http://management.localhost:4443",
            ),
            (
                "https://login.localhost:4443",
                "https://localhost.example:4443",
            ),
            (
                "https://login.localhost:4443",
                "https://login.localhost:4443/tenant",
            ),
            ("database.localhost", "database.example"),
            ("azure-api.localhost:4443", "azure-api.example:4443"),
            ("azure-api.localhost:4443", "azure api"),
        ] {
            assert!(
                matches!(
                    parse(&LOCAL.replace(from, to)),
                    Err(CloudError::Field { .. })
                ),
                "{to}"
            );
        }
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = parse(&LOCAL.replace("sqlPort", "sqlport"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("sqlport"), "{error}");
    }

    #[test]
    fn the_ca_lies_beside_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cloud.json");
        let json = LOCAL.replace("\"name\"", "\"ca\":\"ca.pem\",\"name\"");
        std::fs::write(&file, json).unwrap();
        let said = || Cloud::load(&file).unwrap_err().to_string();
        assert!(
            said().contains("ca.pem of the cloud file cannot be read"),
            "{}",
            said()
        );
        for text in ["hello", "-----BEGIN CERTIFICATE-----\n"] {
            std::fs::write(dir.path().join("ca.pem"), text).unwrap();
            assert!(
                said().contains("holds no PEM certificate; correct `ca`"),
                "{}",
                said()
            );
        }
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(dir.path().join("ca.pem"), pem).unwrap();
        assert!(Cloud::load(&file).unwrap().ca.is_some());
    }

    #[test]
    fn a_token_stays_with_the_resource_manager() {
        let cloud = Cloud::named("public").unwrap();
        assert!(cloud.host_allowed(&url("https://management.azure.com/x?y=1")));
        assert!(cloud.host_allowed(&url("https://westeurope.management.azure.com/x")));
        for bad in [
            "http://management.azure.com/x",
            "https://management.azure.com:8443/x",
            "https://evilmanagement.azure.com/x",
            "https://management.azure.com.evil.example/x",
            "https://u@management.azure.com/x",
            "https://127.0.0.1/x",
        ] {
            assert!(!cloud.host_allowed(&url(bad)), "{bad}");
        }
        assert!(
            !parse(LOCAL)
                .unwrap()
                .host_allowed(&url("https://management.localhost:4444/x"))
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Cloud::named("germany").unwrap_err().to_string();
        assert!(error.contains("public, government, china"), "{error}");
    }
}
