//! Where a server is: the name for TLS, the address for TCP, and which redirects are followed.

use crate::error::SqlError;

/// A logical server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The fully qualified name, such as `orders-sql.database.windows.net`. The certificate must be
    /// for it. A name that is or ends in `localhost` is this machine (RFC 6761).
    pub host: String,
    pub port: u16,
    /// Certificates to trust beside the system's, in PEM.
    pub ca_pem: Option<String>,
}

impl Endpoint {
    /// The host to open a TCP connection to.
    pub(crate) fn dial(&self) -> &str {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        if host == "localhost" || host.ends_with(".localhost") {
            "127.0.0.1"
        } else {
            &self.host
        }
    }

    /// The endpoint that a redirect names. Azure's gateway answers a login with the node that
    /// holds the database, which lies in the same domain (azure-facts C.2). The token is sent
    /// nowhere else.
    pub(crate) fn redirected(&self, host: &str, port: u16) -> Result<Endpoint, SqlError> {
        let no = |reason: &str| SqlError::Routing {
            place: self.host.clone(),
            target: format!("{host}:{port}"),
            reason: reason.to_owned(),
        };
        // A node may be written as host\instance; the port is given beside it.
        let name = host.split('\\').next().unwrap_or(host);
        if name.eq_ignore_ascii_case(&self.host) && port == self.port {
            return Err(no("that is where it came from"));
        }
        let domain = self.host.split_once('.').map_or("", |(_, domain)| domain);
        let inside = !domain.is_empty()
            && name
                .to_ascii_lowercase()
                .ends_with(&format!(".{}", domain.to_ascii_lowercase()));
        if !inside && !name.eq_ignore_ascii_case(&self.host) {
            return Err(no("a token is not sent outside the server's own domain"));
        }
        Ok(Endpoint {
            host: name.to_owned(),
            port,
            ca_pem: self.ca_pem.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str) -> Endpoint {
        Endpoint {
            host: host.into(),
            port: 1433,
            ca_pem: Some("pem".into()),
        }
    }

    #[test]
    fn only_names_of_this_machine_are_dialled_on_loopback() {
        assert_eq!(endpoint("a.database.localhost").dial(), "127.0.0.1");
        assert_eq!(endpoint("LOCALHOST").dial(), "127.0.0.1");
        for host in [
            "notlocalhost",
            "a.localhost.evil.example",
            "a.database.windows.net",
        ] {
            assert_eq!(endpoint(host).dial(), host);
        }
    }

    #[test]
    fn a_redirect_stays_in_the_domain_and_keeps_the_ca() {
        let at = endpoint("a.database.windows.net");
        let node = at.redirected("n7.tr1.worker.database.windows.net\\inst", 11_003);
        let node = node.unwrap();
        assert_eq!(node.host, "n7.tr1.worker.database.windows.net");
        assert_eq!((node.port, node.ca_pem.as_deref()), (11_003, Some("pem")));
        assert!(at.redirected("a.database.windows.net", 11_000).is_ok());
        for (host, port) in [
            ("a.database.windows.net", 1433),
            ("evil.example", 1433),
            ("database.windows.net.evil.example", 1433),
            ("evildatabase.windows.net", 1433),
        ] {
            assert!(at.redirected(host, port).is_err(), "{host}");
        }
    }
}
