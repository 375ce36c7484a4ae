//! Connection strings of SQL clients: what they lead to, and what in them is a credential.
//!
//! Reads the `key=value;` form of ADO.NET, with the synonyms and the quoting of
//! `SqlConnection.ConnectionString` (Microsoft docs), and the braces of ODBC. Invariant: nothing
//! but [`ConnectionString::password`] gives a password out, and that one as a [`Secret`].

use std::fmt;
use std::ops::Range;

use keyless_model::Secret;

/// A connection string, read. Its text may hold a password, so `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    text: String,
    pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, Eq)]
struct Pair {
    key: Key,
    value: String,
    /// Whether the value stood in quotes or braces.
    quoted: bool,
    /// From the end of the pair before to the end of this one, its `;` included.
    range: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Server,
    Database,
    User,
    Password,
    /// `Integrated Security` or `Trusted_Connection`.
    Trusted,
    Authentication,
    Other,
}

/// Longest key that a client knows, with room; longer is prose and no key.
const MAX_KEY: usize = 64;

impl ConnectionString {
    /// Reads a connection string. `None` when the text is not one: every part must be
    /// `key=value`, and there must be a server and at least one other key.
    pub fn parse(text: &str) -> Option<Self> {
        let mut pairs = Vec::new();
        let mut at = 0;
        while !text[at..].trim().is_empty() {
            let start = at;
            let body = text[at..].find(|c: char| !c.is_whitespace() && c != ';');
            let Some(body) = body else { break };
            let (key, value_at) = read_key(text, at + body)?;
            let (value, quoted, end) = read_value(text, value_at)?;
            pairs.push(Pair {
                key,
                value,
                quoted,
                range: start..end,
            });
            at = end;
        }
        let server = pairs
            .iter()
            .any(|p| p.key == Key::Server && !p.value.is_empty());
        (server && pairs.len() > 1).then(|| Self {
            text: text.to_owned(),
            pairs,
        })
    }

    /// The host, in lower case, without protocol, port and instance.
    pub fn server(&self) -> Option<String> {
        let value = self.value(Key::Server)?;
        let host = match value.split_once(':') {
            Some((protocol, rest)) if is_protocol(protocol) => rest,
            _ => value,
        };
        let host = host.trim_start_matches("\\\\");
        let host = host.split([',', '\\', ':']).next().unwrap_or(host);
        let host = host.trim().trim_end_matches('.');
        (!host.is_empty()).then(|| host.to_lowercase())
    }

    pub fn database(&self) -> Option<String> {
        self.value(Key::Database).map(str::to_owned)
    }

    /// The user, without the `@server` that older clients append.
    pub fn user(&self) -> Option<String> {
        let user = self.value(Key::User)?;
        let Some((name, suffix)) = user.rsplit_once('@') else {
            return Some(user.to_owned());
        };
        let host = self.server().unwrap_or_default();
        let label = host.split('.').next().unwrap_or_default();
        let is_server = !name.is_empty()
            && (suffix.eq_ignore_ascii_case(&host) || suffix.eq_ignore_ascii_case(label));
        Some(if is_server { name } else { user }.to_owned())
    }

    /// Whether a password that is not empty stands in it, be it a literal or a `{{reference}}`.
    pub fn has_password(&self) -> bool {
        self.value(Key::Password).is_some()
    }

    pub fn password(&self) -> Option<Secret> {
        self.value(Key::Password).map(Secret::new)
    }

    /// Whether it says itself that Entra authenticates without a password:
    /// `Authentication=Active Directory Managed Identity` and its like.
    pub fn uses_identity(&self) -> bool {
        let word = self
            .value(Key::Authentication)
            .map(folded)
            .unwrap_or_default();
        word.starts_with("activedirectory")
            && !matches!(
                word.as_str(),
                "activedirectorypassword" | "activedirectoryserviceprincipal"
            )
    }

    /// The text without the pairs that say who logs in: user, password, integrated security and
    /// authentication. `sql-data-source` gives the identity's token itself, and the client refuses
    /// a token next to any of these. Every other byte is kept.
    pub fn without_credentials(&self) -> String {
        let mut out = String::new();
        let mut at = 0;
        for pair in &self.pairs {
            if matches!(
                pair.key,
                Key::User | Key::Password | Key::Trusted | Key::Authentication
            ) {
                out.push_str(&self.text[at..pair.range.start]);
                at = pair.range.end;
            }
        }
        out.push_str(&self.text[at..]);
        out
    }

    /// The text with each password replaced by what `mark` makes of it.
    pub fn masked(&self, mark: impl Fn(&Secret) -> String) -> String {
        let mut out = String::new();
        let mut at = 0;
        for pair in self.pairs.iter().filter(|p| p.key == Key::Password) {
            let whole = &self.text[pair.range.clone()];
            let value = whole.find('=').map_or(whole.len(), |n| n + 1);
            out.push_str(&self.text[at..pair.range.start + value]);
            out.push_str(&mark(&Secret::new(pair.value.clone())));
            if whole.ends_with(';') {
                out.push(';');
            }
            at = pair.range.end;
        }
        out.push_str(&self.text[at..]);
        out
    }

    /// The last value of a key, as ADO.NET has it; an empty one is none.
    fn value(&self, key: Key) -> Option<&str> {
        let last = self.pairs.iter().rev().find(|p| p.key == key)?;
        let value = if last.quoted {
            &last.value
        } else {
            last.value.trim()
        };
        (!value.is_empty()).then_some(value)
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionString(…)")
    }
}

/// The key at `at`, and where its value starts.
fn read_key(text: &str, at: usize) -> Option<(Key, usize)> {
    let equals = at + text[at..].find(['=', ';'])?;
    if text[equals..].starts_with(';') {
        return None;
    }
    let name = text[at..equals].trim();
    let is_key = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
    let sound = !name.is_empty() && name.len() <= MAX_KEY && name.chars().all(is_key);
    sound.then(|| (key(name), equals + 1))
}

/// Synonyms as the Microsoft docs list them for `SqlConnection.ConnectionString` and for ODBC.
fn key(name: &str) -> Key {
    match folded(name).as_str() {
        "server" | "datasource" | "address" | "addr" | "networkaddress" => Key::Server,
        "database" | "initialcatalog" | "databasename" => Key::Database,
        "userid" | "uid" | "user" | "username" => Key::User,
        "password" | "pwd" => Key::Password,
        "integratedsecurity" | "trustedconnection" => Key::Trusted,
        "authentication" => Key::Authentication,
        _ => Key::Other,
    }
}

/// Lower case, without blanks and underscores.
fn folded(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && *c != '_')
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_protocol(word: &str) -> bool {
    ["tcp", "np", "lpc", "admin"]
        .iter()
        .any(|p| word.trim().eq_ignore_ascii_case(p))
}

/// The value at `at`, whether it was quoted, and where its pair ends.
fn read_value(text: &str, at: usize) -> Option<(String, bool, usize)> {
    let open = at + gap(&text[at..]);
    match text[open..].chars().next() {
        Some(quote @ ('"' | '\'')) => read_quoted(text, open, quote),
        // `{{name}}` is a named value's place and no braced value. To ADO.NET a brace is a
        // character as any other, so one that does not close is that.
        Some('{') if !text[open..].starts_with("{{") => {
            read_quoted(text, open, '}').or_else(|| Some(read_plain(text, at)))
        }
        _ => Some(read_plain(text, at)),
    }
}

fn read_plain(text: &str, at: usize) -> (String, bool, usize) {
    let end = text[at..].find(';').map_or(text.len(), |n| at + n);
    (
        text[at..end].trim().to_owned(),
        false,
        (end + 1).min(text.len()),
    )
}

/// A value between the quote or brace at `open` and `close`; the latter stands twice for itself.
fn read_quoted(text: &str, open: usize, close: char) -> Option<(String, bool, usize)> {
    let mut value = String::new();
    let mut chars = text[open + 1..].char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        if c != close {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == close) {
            value.push(close);
            chars.next();
        } else {
            let after = open + 1 + i + 1;
            let end = after + gap(&text[after..]);
            return match text[end..].chars().next() {
                Some(';') => Some((value, true, end + 1)),
                None => Some((value, true, end)),
                Some(_) => None,
            };
        }
    }
    None
}

/// Length of the white space at the start.
fn gap(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ConnectionString {
        ConnectionString::parse(text).expect(text)
    }

    fn password(text: &str) -> String {
        read(text).password().expect(text).expose().to_owned()
    }

    #[test]
    fn it_tells_server_database_and_user() {
        let c = read(
            "Server=tcp:Orders-SQL.database.windows.net,1433;Initial Catalog=orders;\
             User ID=orders_app@orders-sql;Password=\"a;b\";Encrypt=True;",
        );
        assert_eq!(
            c.server().as_deref(),
            Some("orders-sql.database.windows.net")
        );
        assert_eq!(c.database().as_deref(), Some("orders"));
        assert_eq!(c.user().as_deref(), Some("orders_app"));
        assert_eq!(c.password().unwrap().expose(), "a;b");
        assert!(!c.uses_identity());
    }

    #[test]
    fn synonyms_in_any_case_and_spacing_are_the_same_key() {
        for server in [
            "Server",
            "DATA SOURCE",
            "Addr",
            "address",
            "Network Address",
            "datasource",
        ] {
            for user in ["User ID", "uid", "USER", "UserId"] {
                for pass in ["Password", "pwd", " PWD "] {
                    let c = read(&format!("{server}= s.x ; {user} = u;{pass} = p p ;"));
                    assert_eq!(c.server().as_deref(), Some("s.x"));
                    assert_eq!(c.user().as_deref(), Some("u"));
                    assert_eq!(c.password().unwrap().expose(), "p p");
                }
            }
        }
    }

    #[test]
    fn quotes_and_braces_hold_any_character() {
        assert_eq!(password(r#"Server=s;Pwd="a""b';c""#), "a\"b';c");
        assert_eq!(password("Server=s;Pwd='a''b;\"c' ;x=1"), "a'b;\"c");
        assert_eq!(
            password("Driver={ODBC Driver 18};Server=s;PWD={a;b}}c}"),
            "a;b}c"
        );
        assert_eq!(password("Server=s;Pwd=a=b'c\""), "a=b'c\"");
        assert_eq!(password("Server=s;Pwd= {{orders-pw}} ;"), "{{orders-pw}}");
        assert_eq!(password("Server=s;Pwd={ab;x=1"), "{ab");
    }

    #[test]
    fn hosts_lose_protocol_port_and_instance() {
        for host in [
            "h",
            "tcp:h",
            "tcp:h,1433",
            "H\\SQLEXPRESS",
            "h,1",
            "np:\\\\h\\pipe",
            "h.",
        ] {
            assert_eq!(
                read(&format!("Server={host};a=b")).server().as_deref(),
                Some("h")
            );
        }
    }

    #[test]
    fn only_a_suffix_that_names_the_server_is_cut_off() {
        let user = |u: &str| read(&format!("Server=s.db.net;Uid={u}")).user().unwrap();
        assert_eq!(user("a@s"), "a");
        assert_eq!(user("a@S.db.net"), "a");
        assert_eq!(user("a@contoso.com"), "a@contoso.com");
    }

    #[test]
    fn the_last_of_two_values_counts() {
        assert_eq!(password("Server=s;Pwd=a;Password=b"), "b");
        assert!(!read("Server=s;Pwd=a;Password=").has_password());
    }

    #[test]
    fn without_credentials_keeps_every_other_byte() {
        let text = "\n  User Id = u;\n  Server = \"tcp:s\" ; ;Pwd='a;b' ;Trusted_Connection=no;\
                    Authentication=Sql Password;\tInitial Catalog=d\t;Integrated Security=SSPI";
        let clean = read(text).without_credentials();
        assert_eq!(clean, "\n  Server = \"tcp:s\" ;\tInitial Catalog=d\t;");
        assert_eq!(read(&clean).without_credentials(), clean);
    }

    #[test]
    fn entra_without_a_password_is_an_identity() {
        let by = |a: &str| read(&format!("Server=s;Authentication={a}")).uses_identity();
        assert!(by("Active Directory Managed Identity") && by("ActiveDirectoryMSI"));
        assert!(!by("Active Directory Password") && !by("SqlPassword"));
    }

    #[test]
    fn other_texts_are_no_connection_strings() {
        for text in [
            "",
            "Server=s",
            "hello",
            "Server=s;hello",
            "{{orders-db}}",
            "a=b;c=d",
            "Server=s;Pwd=\"open",
            "Server=s;Pwd=\"a\"b",
            "<a server=\"x\"/>;b=c",
            "Server=;b=c",
        ] {
            assert!(ConnectionString::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?}", read("Server=s;Pwd=hunter2")),
            "ConnectionString(…)"
        );
    }
}
