//! URLs: whether one leads to another, and the credentials in one.
//!
//! Texts come from policies, APIs and backends: `{{named values}}` and expressions may stand in
//! them, and what those leave open is said and not guessed.

use keyless_model::{Live, Secret};

use crate::constants::HOLE;
use crate::credentials::{Hit, Sort};
use crate::finding::{Confidence, Opens};
use crate::looks;
use crate::names::{MIN_KEY, is_key_parameter, sounds_secret};
use crate::source::{names, substitute};

/// Whether a text leads to a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    Yes,
    No,
    /// An expression, a value that was not read, or a URL above the target decides it.
    Unknown,
}

/// Whether a request to `text` goes to `target` or below it. Scheme and host count without case, a
/// default port like none; a path must begin with the target's, segment by segment.
pub fn leads_to(text: &str, target: &str, lookup: impl Fn(&str) -> Live<String>) -> Leads {
    let (text, _) = substitute(text.trim(), lookup);
    let Some(target) = Url::parse(target) else {
        return Leads::Unknown;
    };
    if has_expression(text.split(['/', '?', '#']).next().unwrap_or_default()) {
        return Leads::Unknown;
    }
    let Some(url) = Url::parse(&text) else {
        let open = text.contains("{{") || !text.contains(':') && !text.is_empty();
        return if open { Leads::Unknown } else { Leads::No };
    };
    let is_open = |part: &str| part.contains("{{") || has_expression(part);
    if is_open(&url.scheme) {
        return Leads::Unknown;
    }
    if url.scheme != target.scheme {
        return Leads::No;
    }
    if is_open(&url.host) || is_open(&url.port) {
        return Leads::Unknown;
    }
    if (&url.host, &url.port) != (&target.host, &target.port) {
        return Leads::No;
    }
    below(&url.path, target.path.trim_end_matches('/'))
}

/// Whether a path is the other or below it.
fn below(path: &str, target: &str) -> Leads {
    let open = [path.find("{{"), path.find("@(")];
    let open = open.into_iter().flatten().min();
    let known = &path[..open.unwrap_or(path.len())];
    match known.strip_prefix(target) {
        Some(rest) if target.is_empty() || rest.starts_with('/') => Leads::Yes,
        Some("") if open.is_none() => Leads::Yes,
        Some("") => Leads::Unknown,
        Some(_) => Leads::No,
        // What is known of it may be a beginning of the target.
        None if open.is_some() && target.starts_with(known) => Leads::Unknown,
        None => {
            let rest = target.strip_prefix(known.trim_end_matches('/'));
            let above = open.is_none() && rest.is_some_and(|r| r.starts_with('/'));
            if above { Leads::Unknown } else { Leads::No }
        }
    }
}

/// Whether an expression stands in a text: `@(` or `@{`, and no `@{{`.
pub(crate) fn has_expression(text: &str) -> bool {
    let signs = text.match_indices('@').map(|(at, _)| &text[at + 1..]);
    let mut signs = signs.filter(|rest| !rest.starts_with("{{"));
    signs.any(|rest| rest.starts_with(['(', '{']))
}

/// An absolute URL as far as it is compared.
struct Url {
    scheme: String,
    host: String,
    port: String,
    path: String,
}

impl Url {
    fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let (authority, rest) = split(rest);
        let host = match authority.rsplit_once('@') {
            Some((_, host)) if !has_expression(authority) => host,
            _ => authority,
        };
        let scheme = scheme.to_lowercase();
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (host, ""),
        };
        let default = match scheme.as_str() {
            "https" | "wss" => "443",
            "http" | "ws" => "80",
            _ => "",
        };
        let port = if port.is_empty() { default } else { port };
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        (!host.is_empty()).then(|| Url {
            scheme,
            host: host.trim_end_matches('.').to_lowercase(),
            port: port.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// The host of a URL, in lower case, if the text itself says it.
pub(crate) fn host(text: &str) -> Option<String> {
    let host = Url::parse(text).filter(|_| !has_expression(text))?.host;
    let is_plain = |c: char| c.is_alphanumeric() || ".-_:[]".contains(c);
    host.chars().all(is_plain).then_some(host)
}

/// The authority of what follows `://`, and the rest.
fn split(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// What in a URL is a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlCredential {
    /// The literal ones.
    pub secrets: Vec<Secret>,
    /// Display names of the named values that stand for the others.
    pub references: Vec<String>,
    /// The URL without any of them.
    pub clean: String,
}

/// The credentials of a URL: a login before the host, and query parameters with a credential's name
/// (`?code=` of Functions, `&sig=` of Storage and Logic Apps). An expression is not looked into.
pub fn url_credentials(url: &str) -> Option<UrlCredential> {
    if has_expression(url) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let (authority, rest) = split(rest);
    let mut found = UrlCredential {
        secrets: Vec::new(),
        references: Vec::new(),
        clean: format!("{scheme}://"),
    };
    match authority.rsplit_once('@') {
        Some((login, host)) if found.takes(login_secret(login)) => found.clean.push_str(host),
        _ => found.clean.push_str(authority),
    }
    let (rest, fragment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    found.clean.push_str(path);
    let mut kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !found.takes(parameter_secret(pair)))
        .collect();
    if !found.secrets.is_empty() || !found.references.is_empty() {
        // Beside one credential a short value of such a name is none that may stay.
        kept.retain(|pair| !found.takes(short_secret(pair)));
    }
    if !kept.is_empty() {
        found.clean.push('?');
        found.clean.push_str(&kept.join("&"));
    }
    found.clean.push_str(fragment);
    let any = !found.secrets.is_empty() || !found.references.is_empty();
    any.then_some(found)
}

/// The credentials in a URL or in a path with a query, with the host if it is told: literals, and
/// references that stand for them.
pub(crate) fn in_url(text: &str) -> Vec<Hit> {
    let text = text.trim();
    let found = match text.contains("://") {
        true => url_credentials(text),
        false => url_credentials(&format!("https://{HOLE}/{text}")),
    };
    let Some(found) = found else {
        return Vec::new();
    };
    let opens = host(&found.clean).map(Opens::host);
    let hit = |secret: Secret| Hit {
        sort: Sort::Key(opens.clone()),
        what: "a credential in a URL",
        confidence: Confidence::Certain,
        value: secret,
    };
    let references = found.references.iter();
    let references = references.map(|name| Secret::new(format!("{{{{{name}}}}}")));
    found
        .secrets
        .into_iter()
        .chain(references)
        .map(hit)
        .collect()
}

impl UrlCredential {
    /// Notes a credential; whether there was one.
    fn takes(&mut self, value: Option<&str>) -> bool {
        let Some(value) = value else { return false };
        let references = names(value);
        if references.is_empty() {
            self.secrets.push(Secret::new(value));
        }
        for name in references {
            if !self.references.contains(&name) {
                self.references.push(name);
            }
        }
        true
    }
}

/// The password of `user:password`, or a token that stands alone.
fn login_secret(login: &str) -> Option<&str> {
    match login.split_once(':') {
        Some((_, password)) => {
            let given = looks::is_literal(password) || !names(password).is_empty();
            given.then_some(password)
        }
        None => (looks::is_random(login) || !names(login).is_empty()).then_some(login),
    }
}

fn parameter_secret(pair: &str) -> Option<&str> {
    let (name, value) = pair.split_once('=')?;
    let reference = !names(value).is_empty();
    let literal = looks::is_literal(value) && !looks::is_stand_in(value);
    let is_one = if is_key_parameter(name) {
        reference || literal && value.len() >= MIN_KEY
    } else {
        sounds_secret(name) && looks::is_random(value)
    };
    is_one.then_some(value)
}

/// The literal of a parameter with a credential's name, however short.
fn short_secret(pair: &str) -> Option<&str> {
    let (name, value) = pair.split_once('=')?;
    (is_key_parameter(name) && looks::is_literal(value)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Live<String> {
        match name {
            "host" => Live::Present("Orders.contoso.net".into()),
            "base" => Live::Present("https://orders.contoso.net/api".into()),
            "code" => Live::Present("@(context.Api.Path)".into()),
            _ => Live::Unreadable("secret".into()),
        }
    }

    #[test]
    fn a_short_password_beside_a_key_goes_too() {
        let url = "https://a.example/p?pwd=abc&code=Zq8kLm2fPvr9Xn4t&page=2";
        let found = url_credentials(url).unwrap();
        assert_eq!(found.clean, "https://a.example/p?page=2");
        assert_eq!(found.secrets.len(), 2);
    }

    const TARGET: &str = "https://orders.contoso.net/api";

    #[test]
    fn a_url_leads_to_what_it_begins_with() {
        for (text, leads) in [
            ("https://orders.contoso.net/api", Leads::Yes),
            ("HTTPS://Orders.Contoso.NET:443/api/", Leads::Yes),
            (" https://orders.contoso.net./api?x=1 ", Leads::Yes),
            ("https://u:p@orders.contoso.net/api/v2", Leads::Yes),
            ("https://{{u}}:{{p}}@orders.contoso.net/api", Leads::Yes),
            ("https://{{host}}/api/{{secret}}", Leads::Yes),
            ("https://orders.contoso.net/api/@(x)", Leads::Yes),
            ("{{base}}/v1", Leads::Yes),
            ("https://orders.contoso.net/apis", Leads::No),
            ("https://orders.contoso.net/API", Leads::No),
            ("https://orders.contoso.net/other/{{x}}", Leads::No),
            ("https://orders.contoso.net:8443/api", Leads::No),
            ("http://orders.contoso.net/api", Leads::No),
            ("https://contoso.net/api", Leads::No),
            ("https://orders.contoso.net.evil.net/api", Leads::No),
            ("https://other.net/{{x}}", Leads::No),
            ("fabric:/orders", Leads::No),
            ("", Leads::No),
            ("https://orders.contoso.net", Leads::Unknown),
            ("https://orders.contoso.net/{{x}}", Leads::Unknown),
            ("https://orders.contoso.net/api{{x}}", Leads::Unknown),
            ("https://{{secret}}/api", Leads::Unknown),
            ("{{secret}}", Leads::Unknown),
            ("{{code}}", Leads::Unknown),
            ("@(\"https://other.net\")", Leads::Unknown),
            ("https://@(x)/api", Leads::Unknown),
        ] {
            assert_eq!(leads_to(text, TARGET, lookup), leads, "{text}");
        }
    }

    #[test]
    fn a_target_without_a_path_takes_the_whole_host() {
        let leads = |text| leads_to(text, "https://a.net:443/", lookup);
        assert_eq!(leads("https://a.net"), Leads::Yes);
        assert_eq!(leads("https://a.net/{{x}}"), Leads::Yes);
        assert_eq!(leads("https://a.net:8443"), Leads::No);
        assert_eq!(leads_to("https://a.net", "a.net", lookup), Leads::Unknown);
    }

    fn told(url: &str) -> Option<(Vec<String>, Vec<String>, String)> {
        let found = url_credentials(url)?;
        let secrets = found.secrets.iter().map(|s| s.expose().to_owned());
        Some((secrets.collect(), found.references, found.clean))
    }

    #[test]
    fn credentials_are_taken_out_and_the_rest_stays() {
        for (url, secrets, references, clean) in [
            (
                "https://u:p4ss@h.net/a?b=1#c",
                vec!["p4ss"],
                vec![],
                "https://h.net/a?b=1#c",
            ),
            (
                "https://f.net/api?a=1&Code=abcdefgh&b=2",
                vec!["abcdefgh"],
                vec![],
                "https://f.net/api?a=1&b=2",
            ),
            (
                "https://f.net?sig={{sas}}&code={{sas}}",
                vec![],
                vec!["sas"],
                "https://f.net",
            ),
            ("https://u:{{pw}}@h", vec![], vec!["pw"], "https://h"),
        ] {
            let own = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<_>>();
            let wanted = (own(secrets), own(references), clean.to_owned());
            assert_eq!(told(url), Some(wanted), "{url}");
        }
    }

    #[test]
    fn a_url_without_a_credential_has_none() {
        for url in [
            "https://h.net/a?b=1",
            "https://h.net/a:b@c",
            "https://user@h.net",
            "https://h.net?code=DE",
            "https://h.net?code=<your code>",
            "https://h.net?code={code}",
            "https://h.net?page_token=2",
            "@(\"https://h.net?code=\" + x)",
            "h.net?code=abcdefgh",
            "",
        ] {
            assert_eq!(told(url), None, "{url}");
        }
    }

    #[test]
    fn a_host_is_told_only_if_the_text_says_it() {
        assert_eq!(host("https://u:p@H.net:8443/x").as_deref(), Some("h.net"));
        for text in [
            "https://{{x}}.net",
            "@(\"https://h.net\")",
            "https://a b",
            "h.net",
            "",
        ] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn debug_shows_no_credential() {
        let found = url_credentials("https://u:hunter22@h?code=hunter22").unwrap();
        assert!(!format!("{found:?}").contains("hunter22"));
    }
}
