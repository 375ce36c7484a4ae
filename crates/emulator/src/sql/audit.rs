//! Audit records of logins, batches, and changes of principals and permissions (azure-facts C.5 and
//! E.2), written while auditing of the server or of the database asks for their action group.
//!
//! Passwords in statements are replaced before anything is kept. Tokens that are refused leave no
//! record: the service refuses them before a database is reached.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::Sql;
use super::ast::{On, RoleChange, Security, Verb};
use super::catalogue::Catalogue;
use super::lexer::{Lexed, Token, lex};
use super::procedures::{Argument, Call, named};
use super::server::Server;
use super::session::{Reply, Session};
use super::value;
use crate::clock::Clock;

/// How many records a server keeps; the oldest go first.
const KEPT: usize = 50_000;
/// The characters of a statement that a record holds.
const STATEMENT: usize = 4_000;
const MASK: &str = "'******'";

pub const LOGGED_IN: &str = "SUCCESSFUL_DATABASE_AUTHENTICATION_GROUP";
pub const LOGIN_FAILED: &str = "FAILED_DATABASE_AUTHENTICATION_GROUP";
const BATCH: &str = "BATCH_COMPLETED_GROUP";
const USER_DEFINED: &str = "USER_DEFINED_AUDIT_GROUP";

/// One record, under the names of the columns of `AzureDiagnostics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuditRecord {
    #[serde(rename = "event_time_t")]
    pub time: String,
    #[serde(rename = "LogicalServerName_s")]
    pub server: String,
    #[serde(rename = "database_name_s")]
    pub database: String,
    #[serde(rename = "action_name_s")]
    pub action: &'static str,
    #[serde(rename = "succeeded_s")]
    pub succeeded: String,
    #[serde(rename = "server_principal_name_s")]
    pub server_principal: String,
    #[serde(rename = "server_principal_sid_s")]
    pub sid: String,
    #[serde(rename = "database_principal_name_s")]
    pub database_principal: String,
    #[serde(rename = "session_id_d")]
    pub session: i32,
    #[serde(rename = "statement_s")]
    pub statement: String,
    #[serde(rename = "application_name_s")]
    pub application: String,
    #[serde(rename = "client_ip_s")]
    pub address: String,
    #[serde(rename = "affected_rows_d")]
    pub affected: u64,
    #[serde(rename = "response_rows_d")]
    pub response: u64,
    #[serde(rename = "additional_information_s")]
    pub additional: String,
    #[serde(rename = "user_defined_event_id_d")]
    pub user_event: i64,
    #[serde(rename = "user_defined_information_s")]
    pub user_information: String,
}

/// What is audited, and what was.
#[derive(Debug, Default)]
pub struct Audit {
    /// Action groups by database in lower case; the server's own under the empty name.
    groups: BTreeMap<String, BTreeSet<String>>,
    records: VecDeque<AuditRecord>,
}

impl Audit {
    fn wants(&self, database: &str, group: &str) -> bool {
        ["", &database.to_lowercase()]
            .iter()
            .filter_map(|policy| self.groups.get(*policy))
            .any(|groups| groups.contains(group))
    }
}

impl Sql {
    /// Which action groups the audit of a server, or of one of its databases, writes; none = it is
    /// off.
    pub fn set_audit(&self, server: &str, database: Option<&str>, groups: BTreeSet<String>) {
        if let Some(server) = self.server(server) {
            let policy = database.unwrap_or_default().to_lowercase();
            server.lock().audit.groups.insert(policy, groups);
        }
    }

    /// The audit records of a server, the oldest first.
    pub fn audit(&self, server: &str) -> Vec<AuditRecord> {
        self.server(server).map_or_else(Vec::new, |server| {
            server.lock().audit.records.iter().cloned().collect()
        })
    }
}

impl Server {
    /// Writes a record when its group is audited; what every record has is filled in here.
    pub(super) fn record(&self, group: &str, mut record: AuditRecord) {
        let mut state = self.lock();
        if !state.audit.wants(&record.database, group) {
            return;
        }
        record.time = Clock::iso_of(self.clock.now());
        record.server = self.name.clone();
        record.address = state
            .client_address
            .map_or_else(|| "127.0.0.1".to_owned(), |address| address.to_string());
        if state.audit.records.len() == KEPT {
            state.audit.records.pop_front();
        }
        state.audit.records.push_back(record);
    }
}

/// `true` and `false` as the column has them.
pub fn said(yes: bool) -> String {
    if yes { "true" } else { "false" }.to_owned()
}

impl Session {
    /// What a record says of this session.
    fn audited(&self, catalogue: &Catalogue, action: &'static str) -> AuditRecord {
        let user = catalogue.principals.get(&self.subject().id());
        AuditRecord {
            database: self.database.name.clone(),
            action,
            server_principal: self.identity.name.clone(),
            sid: format!("0x{}", value::hex(&self.identity.sid)),
            database_principal: user.map(|user| user.name.clone()).unwrap_or_default(),
            session: self.id,
            application: self.identity.program.clone(),
            ..AuditRecord::default()
        }
    }

    /// A login that has led to this session.
    pub(super) fn audit_login(&self) {
        let catalogue = self.database.lock().catalogue.clone();
        let mut record = self.audited(&catalogue, "DATABASE AUTHENTICATION SUCCEEDED");
        record.succeeded = said(true);
        self.server.record(LOGGED_IN, record);
    }

    /// A request that has been answered with `replies`.
    pub(super) fn audit_request(&self, action: &'static str, text: &str, replies: &[Reply]) {
        if !self.is_audited(BATCH) {
            return;
        }
        let catalogue = self.database.lock().catalogue.clone();
        let mut record = self.audited(&catalogue, action);
        record.statement = masked(text);
        record.succeeded = said(!replies.iter().any(|one| matches!(one, Reply::Error(_))));
        for reply in replies {
            match reply {
                Reply::Rows(set) => record.response += set.rows.len() as u64,
                Reply::Done(Some(rows)) => record.affected += rows,
                Reply::Error(error) if record.additional.is_empty() => {
                    record.additional = format!("error {}", error.number);
                }
                _ => {}
            }
        }
        self.server.record(BATCH, record);
    }

    /// A change of principals or permissions, whether or not it was carried out.
    pub(super) fn audit_change(&self, catalogue: &Catalogue, what: &Security, succeeded: bool) {
        let Some((group, action)) = group_of(what) else {
            return;
        };
        if !self.is_audited(group) {
            return;
        }
        let mut record = self.audited(catalogue, action);
        record.statement = masked(&self.text);
        record.succeeded = said(succeeded);
        self.server.record(group, record);
    }

    /// `sp_audit_write`: an event of the caller's own, which succeeded unless it says otherwise.
    pub(super) fn audit_write(&self, catalogue: &Catalogue, arguments: &[Argument]) {
        let text = |name: &str, at: usize| {
            let argument = named(arguments, name, at);
            argument.map(Argument::text).unwrap_or_default()
        };
        let mut record = self.audited(catalogue, "USER DEFINED AUDIT");
        record.user_event = text("user_defined_event_id", 0).parse().unwrap_or_default();
        record.succeeded = said(text("succeeded", 1) != "0");
        let information = text("user_defined_information", 2);
        record.user_information = information.chars().take(STATEMENT).collect();
        record.statement = masked(&self.text);
        self.server.record(USER_DEFINED, record);
    }

    fn is_audited(&self, group: &str) -> bool {
        self.server.lock().audit.wants(&self.database.name, group)
    }
}

/// The text that a call stands for; values of parameters stay out.
pub fn text_of(call: &Call) -> String {
    let at = match call.procedure.to_lowercase().as_str() {
        "sp_executesql" => 0,
        "sp_prepexec" | "sp_prepare" => 2,
        _ => return format!("EXEC {}", call.procedure),
    };
    call.arguments
        .get(at)
        .map(Argument::text)
        .unwrap_or_default()
}

/// The action group that a statement belongs to, and its action. Logins have none in Azure SQL:
/// they show as batches in `master` only.
fn group_of(what: &Security) -> Option<(&'static str, &'static str)> {
    const PRINCIPAL: &str = "DATABASE_PRINCIPAL_CHANGE_GROUP";
    const MEMBER: &str = "DATABASE_ROLE_MEMBER_CHANGE_GROUP";
    Some(match what {
        Security::CreateUser { .. }
        | Security::CreateRole { .. }
        | Security::CreateApplicationRole { .. } => (PRINCIPAL, "CREATE"),
        Security::AlterUser { .. } | Security::AlterApplicationRole { .. } => (PRINCIPAL, "ALTER"),
        Security::DropUser { .. }
        | Security::DropRole { .. }
        | Security::DropApplicationRole { .. } => (PRINCIPAL, "DROP"),
        Security::AlterRole { change, .. } => match change {
            RoleChange::Add(_) => (MEMBER, "ADD MEMBER"),
            RoleChange::Drop(_) => (MEMBER, "DROP MEMBER"),
            RoleChange::Rename(_) => (PRINCIPAL, "ALTER"),
        },
        Security::Permission(statement) => {
            let group = match &statement.on {
                On::Database(_) => "DATABASE_PERMISSION_CHANGE_GROUP",
                On::Object(_) => "SCHEMA_OBJECT_PERMISSION_CHANGE_GROUP",
                On::Schema(_) | On::User(_) | On::Role(_) => {
                    "DATABASE_OBJECT_PERMISSION_CHANGE_GROUP"
                }
            };
            let action = match statement.verb {
                Verb::Grant => "GRANT",
                Verb::Deny => "DENY",
                Verb::Revoke => "REVOKE",
            };
            (group, action)
        }
        Security::AlterAuthorization { on, .. } => {
            let group = match on {
                On::Database(_) => "DATABASE_OWNERSHIP_CHANGE_GROUP",
                On::Object(_) => "SCHEMA_OBJECT_OWNERSHIP_CHANGE_GROUP",
                On::Schema(_) | On::User(_) | On::Role(_) => {
                    "DATABASE_OBJECT_OWNERSHIP_CHANGE_GROUP"
                }
            };
            (group, "TAKE OWNERSHIP")
        }
        Security::CreateLogin { .. }
        | Security::AlterLogin { .. }
        | Security::DropLogin { .. }
        | Security::AlterServerRole { .. } => return None,
    })
}

/// The statement without its passwords, cut to what a record holds. What cannot be read is left
/// out as a whole when it may hold one.
fn masked(text: &str) -> String {
    let whole = match lex(text) {
        Ok(tokens) => without_secrets(text, &tokens),
        Err(_) if speaks_of_secrets(text) => MASK.to_owned(),
        Err(_) => text.to_owned(),
    };
    whole.chars().take(STATEMENT).collect()
}

fn speaks_of_secrets(text: &str) -> bool {
    let text = text.to_lowercase();
    ["password", "pwd", "secret", "sp_setapprole"]
        .iter()
        .any(|word| text.contains(word))
}

/// Literals go that stand behind such a word, that hold one, or that are handed to sp_setapprole.
fn without_secrets(text: &str, tokens: &[Lexed]) -> String {
    let named = |at: usize| {
        let before = at.checked_sub(2).and_then(|at| tokens.get(at));
        before.is_some_and(|before| match &before.token {
            Token::Word(word) | Token::Variable(word) => speaks_of_secrets(word),
            _ => false,
        })
    };
    let takes_all = tokens.iter().any(|token| token.is_word("sp_setapprole"));
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for (at, token) in tokens.iter().enumerate() {
        let secret = match &token.token {
            Token::Text(inner) => takes_all || named(at) || speaks_of_secrets(inner),
            Token::Binary(_) => named(at),
            _ => false,
        };
        if secret {
            kept.push_str(&text[from..token.start]);
            kept.push_str(MASK);
            from = end_of_literal(text, token.start);
        }
    }
    kept.push_str(&text[from..]);
    kept
}

/// Where the literal ends that begins at `start`.
fn end_of_literal(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let Some(open) = bytes[start..]
        .iter()
        .take(2)
        .position(|byte| *byte == b'\'')
    else {
        let rest = &text[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
        return start + end.unwrap_or(rest.len());
    };
    let mut at = start + open + 1;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\'', Some(b'\'')) => at += 2,
            (b'\'', _) => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::super::login::administrator;
    use super::*;
    use crate::directory::Directory;

    #[test]
    fn no_password_stays_in_a_statement() {
        for (text, kept) in [
            (
                "CREATE USER a WITH PASSWORD = N'plainly''fake', DEFAULT_SCHEMA = dbo",
                "CREATE USER a WITH PASSWORD = '******', DEFAULT_SCHEMA = dbo",
            ),
            (
                "ALTER LOGIN a WITH PASSWORD = 0xABCD HASHED",
                "ALTER LOGIN a WITH PASSWORD = '******' HASHED",
            ),
            (
                "EXEC sp_setapprole 'role', 'plainly-fake'",
                "EXEC sp_setapprole '******', '******'",
            ),
            (
                "EXEC (N'CREATE USER a WITH PASSWORD = ''plainly-fake''')",
                "EXEC ('******')",
            ),
            (
                "SET @password = N'plainly-fake'",
                "SET @password = '******'",
            ),
            ("PRINT 'ä' -- PASSWORD", "PRINT 'ä' -- PASSWORD"),
            ("SELECT 'open, PASSWORD = plainly-fake", MASK),
        ] {
            assert_eq!(masked(text), kept);
        }
    }

    #[test]
    fn an_event_of_ones_own_takes_its_arguments_by_name() {
        let clock = Clock::default();
        let tenant = "11111111-1111-1111-1111-111111111111";
        let sql = Sql::new(Directory::new(tenant, clock.clone(), [7; 32]), clock);
        sql.create_server("s", "admin", "Made-up-1");
        sql.set_audit("s", None, BTreeSet::from([USER_DEFINED.to_owned()]));
        let mut session = administrator(&sql.server("s").unwrap(), "master").unwrap();
        session.run_now("EXEC sp_audit_write @succeeded = 0, @user_defined_event_id = 7");
        session.run_now("EXEC sp_audit_write 8, 1, N'moved'");
        let events: Vec<_> = sql
            .audit("s")
            .into_iter()
            .map(|one| (one.user_event, one.succeeded, one.user_information))
            .collect();
        let (first, second) = (said(false), said(true));
        assert_eq!(
            events,
            [(7, first, String::new()), (8, second, "moved".into())]
        );
    }

    #[test]
    fn a_statement_is_cut() {
        assert_eq!(masked(&"é".repeat(5_000)).chars().count(), STATEMENT);
    }
}
