//! First manifests as text: YAML documents with comments that say what was seen, what is a guess
//! and what comes next.
//!
//! Invariant: every value is a name, an id or a host; no credential can be in here, for a
//! [`Proposal`] has none.

use keyless_model::{Address, Live, Replaced, Role};
use keyless_plan::{Database, Example, Left, Proposal, ProposedAccess, ProposedServer, Reached};

use crate::style::{Style, counted};

/// How wide the lines of a manifest are.
const WIDTH: usize = 96;

/// How many places and databases are listed by name.
const MANY: usize = 6;

/// The text of a manifest with all documents of a proposal.
pub fn manifests(proposal: &Proposal) -> String {
    let mut page = Page(String::new());
    page.comment(
        0,
        "First manifests, made by `keyless init` of what is live. They change nothing by \
         themselves: correct what you know better, then `keyless plan` shows what would be done. \
         A field that is left out is left alone. `keyless schema --markdown` describes every field.",
    );
    if !proposal.accesses.is_empty() {
        page.line("#");
        page.comment(
            0,
            "In an Access, `prove` tries the new path with a request before the switch; without it \
             a person approves the switch. Put in what the API needs, and never a mutation. \
             `retire` says when the old credential goes; without it, it stays. Take the `#` away \
             where they are right.",
        );
    }
    for (i, (address, id)) in proposal.gateways.iter().enumerate() {
        if i > 0 {
            page.line("---");
        }
        page.head("Gateway", address.root_name());
        page.line(&format!("  id: {}", scalar(&id.to_string())));
    }
    for server in &proposal.servers {
        page.server(server);
    }
    for access in &proposal.accesses {
        page.access(access);
    }
    let left = unwritten(proposal);
    if !left.is_empty() {
        page.line("");
        page.comment(0, "Found, and in no document above:");
        for one in left {
            page.comment(0, &format!("- {}", one.place));
            page.prose("#   ", &format!("{}; {}.", one.why, one.next));
        }
    }
    page.0
}

/// What was found and is in no document, for people to read on their terminal.
pub fn left(rows: &[Left], style: &Style) -> String {
    let mut out = String::new();
    for one in rows {
        out.push_str(&style.wrapped(0, &format!("not written: {}", one.place)));
        out.push_str(&style.wrapped(2, &one.why));
        out.push_str(&style.wrapped(2, &format!("next: {}", one.next)));
    }
    out
}

/// `1 gateway, 2 servers, 3 databases, 4 Accesses`, without those of which there are none.
pub fn written(proposal: &Proposal) -> String {
    let databases = proposal.servers.iter().map(|s| s.databases.len()).sum();
    let counts = [
        (proposal.gateways.len(), "gateway", "gateways"),
        (proposal.servers.len(), "server", "servers"),
        (databases, "database", "databases"),
        (proposal.accesses.len(), "Access", "Accesses"),
    ];
    let some = counts.into_iter().filter(|(n, ..)| *n > 0);
    let some: Vec<String> = some.map(|(n, one, many)| counted(n, one, many)).collect();
    some.join(", ")
}

/// What was found and is in no document. Servers without an id come first: the answer to those is
/// one flag.
pub fn unwritten(proposal: &Proposal) -> Vec<Left> {
    let hosts = proposal.hosts.iter().map(|(host, databases)| {
        let names: Vec<&str> = databases.iter().map(String::as_str).collect();
        Left {
            place: format!("SQL server {host}"),
            why: format!(
                "a password opens {} there, and no --server says which resource it is",
                some(&names)
            ),
            // On a line of its own, so that it can be copied from a narrow terminal.
            next: "run init again with --server ID; the IDs are listed by\n\
                   `az sql server list --query [].id -o tsv`"
                .into(),
        }
    });
    hosts.chain(proposal.left.iter().cloned()).collect()
}

struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn comment(&mut self, indent: usize, text: &str) {
        self.prose(&format!("{}# ", " ".repeat(indent)), text);
    }

    /// A text in lines that fit, each after `before`.
    fn prose(&mut self, before: &str, text: &str) {
        // Names of a service may hold anything; a comment ends with its line.
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let room = Style {
            color: false,
            width: WIDTH - before.len(),
        };
        for line in room.wrapped(0, &text).lines() {
            self.line(&format!("{before}{line}"));
        }
    }

    fn head(&mut self, kind: &str, name: &str) {
        self.line("apiVersion: keyless.dev/v1alpha1");
        self.line(&format!("kind: {kind}"));
        self.line(&format!("metadata: {{ name: {} }}", scalar(name)));
        self.line("spec:");
    }

    fn server(&mut self, server: &ProposedServer) {
        self.line("---");
        self.head("SqlServer", server.address.root_name());
        self.line(&format!("  id: {}", scalar(&server.id.to_string())));
        match &server.admin {
            Live::Present(()) => {}
            Live::Absent => {
                self.comment(
                    2,
                    "It has no Entra administrator, and without one no database of it can be read \
                     or changed. Name a group that holds the identity that runs keyless, and take \
                     the `#` away; `az ad group show --group NAME --query id` prints its sid.",
                );
                self.line(
                    "  # entraAdmin: { login: NAME, sid: 00000000-0000-0000-0000-000000000000, \
                     principalType: Group }",
                );
            }
            Live::Unreadable(why) => self.comment(
                2,
                &format!("Whether it has an Entra administrator could not be read: {why}"),
            ),
        }
        self.comment(
            2,
            "Passwords are refused at the end, when nothing uses one any more:",
        );
        self.line("  # entraOnly: true");
        for (document, name) in &server.databases {
            self.line("---");
            self.head("SqlDatabase", document);
            self.line(&format!("  server: {}", scalar(server.address.root_name())));
            if document != name {
                self.line(&format!("  name: {}", scalar(name)));
            }
        }
    }

    fn access(&mut self, access: &ProposedAccess) {
        self.line("---");
        let apis: Vec<&str> = access.apis.iter().map(String::as_str).collect();
        let what = match &access.to {
            Reached::Database(d) => format!("a password to the database {}", d.name),
            Reached::Service(url) => format!("a key or a password to {url}"),
        };
        let who = some(&apis);
        self.comment(0, &format!("API {who}: {what}. It stands in:"));
        self.places(access);
        self.head("Access", &access.name);
        self.line("  from:");
        self.line(&format!(
            "    gateway: {}",
            scalar(access.gateway.root_name())
        ));
        self.apis(&apis);
        match &access.to {
            Reached::Database(database) => self.database(database),
            Reached::Service(url) => self.service(url, &access.name),
        }
        self.prove(access);
        self.retire(&access.to);
    }

    fn places(&mut self, access: &ProposedAccess) {
        let inside = format!("{}/", access.gateway);
        let shown = |place: &Address| {
            let text = place.as_str();
            text.strip_prefix(&inside).unwrap_or(text).to_owned()
        };
        for place in access.places.iter().take(MANY) {
            self.comment(0, &format!("- {}", shown(place)));
        }
        let more = access.places.len().saturating_sub(MANY);
        if more > 0 {
            self.comment(
                0,
                &format!("- and {}", counted(more, "other place", "other places")),
            );
        }
    }

    fn apis(&mut self, names: &[&str]) {
        match names {
            [one] => self.line(&format!("    apis: [{{ name: {} }}]", scalar(one))),
            several => {
                self.line("    apis:");
                for name in several {
                    self.line(&format!("      - name: {}", scalar(name)));
                }
            }
        }
    }

    fn database(&mut self, database: &Database) {
        let (server, name) = (scalar(database.server.root_name()), scalar(&database.name));
        self.line(&format!("  to: {{ server: {server}, database: {name} }}"));
        self.rights(database);
        if let Some(replaces) = &database.replaces {
            self.comment(
                2,
                "A plan does not read secret named values, so what becomes needless is named here.",
            );
            let entries: Vec<String> = replaces.iter().map(entry).collect();
            self.line(&format!("  replaces: [{}]", entries.join(", ")));
        }
        for user in &database.unplaced {
            self.comment(
                2,
                &format!(
                    "{user} logs in there. Whether it is a login of the server or a user of the \
                     database could not be read: add sqlLogin or sqlUser to `replaces`."
                ),
            );
        }
    }

    fn rights(&mut self, database: &Database) {
        let rights = &database.rights;
        let (role, seen) = match rights.role {
            Role::Reader => ("reader", "only read"),
            Role::Writer => ("writer", "write"),
            Role::Executor => ("executor", "call procedures and do nothing else"),
            Role::Custom => ("custom", "call procedures besides what they read or write"),
        };
        let why = match rights.unclear {
            false => format!("The statements of its resolvers {seen}."),
            true => format!(
                "A guess: as far as it can be read, SQL of its resolvers {seen}; some is put \
                 together elsewhere."
            ),
        };
        let why = format!("{why} Check it: the identity can do this and no more.");
        self.comment(2, &why);
        self.line(&format!("  role: {role}"));
        let schemas: Vec<String> = rights.schemas.iter().map(|s| scalar(s)).collect();
        if rights.role != Role::Custom {
            return self.line(&format!("  schemas: [{}]", schemas.join(", ")));
        }
        self.line("  grants:");
        for schema in &rights.schemas {
            let on = scalar(&format!("SCHEMA::{schema}"));
            for permission in &rights.permissions {
                self.line(&format!("    - {{ permission: {permission}, on: {on} }}"));
            }
        }
    }

    fn service(&mut self, url: &str, name: &str) {
        self.line("  to:");
        self.line(&format!("    url: {}", scalar(url)));
        let audience = scalar(&format!("api://{name}"));
        self.line(&format!(
            "    audience: {audience}   # a guess: set it to that of its app registration"
        ));
        self.comment(
            4,
            "Add `token` once the service takes Entra tokens of this audience: before that nothing \
             is switched.",
        );
        self.line("    accepts: [key]");
    }

    fn prove(&mut self, access: &ProposedAccess) {
        let Some(example) = &access.example else {
            return self.comment(2, "Nothing was found that `prove` could try.");
        };
        if access.apis.len() > 1 {
            let each = format!(
                "The request goes to each of the APIs, and this one is of {}. Where none fits them \
                 all, write an Access for each.",
                example.api
            );
            self.comment(2, &each);
        }
        let auth = match example.needs_key {
            true => ", auth: { subscription: ID }",
            false => "",
        };
        let request = request(example);
        self.line(&format!(
            "  # prove: {{ canary: revision, request: {request}{auth} }}"
        ));
    }

    fn retire(&mut self, to: &Reached) {
        self.line(match to {
            Reached::Database(_) => "  # retire: { after: 7d, evidence: [sessions] }",
            Reached::Service(_) => "  # retire: { after: 7d }",
        });
    }
}

fn entry(replaced: &Replaced) -> String {
    let (key, name) = match replaced {
        Replaced::NamedValue(name) => ("namedValue", name),
        Replaced::Backend(name) => ("backend", name),
        Replaced::SqlLogin(name) => ("sqlLogin", name),
        Replaced::SqlUser(name) => ("sqlUser", name),
    };
    format!("{{ {key}: {} }}", scalar(name))
}

fn request(example: &Example) -> String {
    let path = scalar(&example.path);
    match &example.query {
        Some(query) => {
            let body = scalar(&format!("{{\"query\":\"{query}\"}}"));
            format!("{{ path: {path}, body: {body} }}")
        }
        None => format!("{{ method: {}, path: {path} }}", example.method),
    }
}

/// `a, b and 3 more`.
fn some(names: &[&str]) -> String {
    let shown = names.iter().take(MANY).copied();
    let shown: Vec<&str> = shown.collect();
    match names.len().saturating_sub(MANY) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A scalar of YAML, quoted where it could be read as something else or end its place in a flow.
fn scalar(text: &str) -> String {
    let first = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_./:;=".contains(c);
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_word = word.iter().any(|w| w.eq_ignore_ascii_case(text));
    if first && text.chars().all(fits) && !text.ends_with(':') && !is_word {
        return text.to_owned();
    }
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_quoted_where_they_must_be() {
        for (text, wanted) in [
            ("orders", "orders"),
            ("https://a.net:8443", "https://a.net:8443"),
            ("/parcels/{id}", "'/parcels/{id}'"),
            ("it's", "'it''s'"),
            ("007", "'007'"),
            ("No", "'No'"),
            ("a, b", "'a, b'"),
            ("a #b", "'a #b'"),
            ("a:", "'a:'"),
            ("", "''"),
            ("a\nb", "'a b'"),
        ] {
            assert_eq!(scalar(text), wanted);
        }
    }

    #[test]
    fn comments_stay_comments() {
        let mut page = Page(String::new());
        page.comment(2, &format!("a\nkind: Gateway {}", "word ".repeat(40)));
        assert!(page.0.lines().count() > 1);
        assert!(
            page.0
                .lines()
                .all(|l| l.starts_with("  # ") && l.len() <= WIDTH)
        );
    }
}
