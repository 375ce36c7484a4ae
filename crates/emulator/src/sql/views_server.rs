//! The system views that show the server: logins in `master`, databases, sessions, firewall rules.

use rusqlite::types::Value;

use super::firewall::Firewall;
use super::server::{ADMIN, Login, LoginType, SERVER_ROLES, ServerState};
use super::value::ColumnType;
use super::views::{View, ViewEnv, blob, date, int, text};

const NAME: ColumnType = ColumnType::Text(Some(128));
const DESCRIPTION: ColumnType = ColumnType::Text(Some(60));
const SID: ColumnType = ColumnType::Binary(Some(85));
const INT: ColumnType = ColumnType::Int;
const BIT: ColumnType = ColumnType::Bit;
const DATE: ColumnType = ColumnType::DateTime;

/// The view of this name; logins and server firewall rules exist in `master` only.
pub fn view(env: &ViewEnv<'_>, name: &str) -> Option<View> {
    Some(match name {
        "databases" => databases(env),
        "dm_exec_sessions" => sessions(env),
        "database_firewall_rules" => firewall_rules(&env.catalogue.firewall),
        _ if !env.is_master() => return None,
        "sql_logins" => sql_logins(env),
        "server_principals" => server_principals(env),
        "server_role_members" => server_role_members(env),
        "firewall_rules" => firewall_rules(&env.server.lock().firewall),
        _ => return None,
    })
}

/// The id of a database: 1 for `master`, from 5 for the others.
pub fn database_id(names: &[String], name: &str) -> i64 {
    let at = names
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))
        .unwrap_or(0);
    if at == 0 { 1 } else { at as i64 + 4 }
}

fn sees_logins(env: &ViewEnv<'_>) -> bool {
    env.is_server_admin || env.subject.security_reader || env.subject.is_dbo()
}

fn login_type(login: &Login) -> (&'static str, &'static str) {
    match login.kind {
        LoginType::Sql => ("S", "SQL_LOGIN"),
        LoginType::External => ("E", "EXTERNAL_LOGIN"),
        LoginType::ExternalGroup => ("X", "EXTERNAL_GROUP"),
    }
}

fn login_columns() -> Vec<(&'static str, ColumnType)> {
    vec![
        ("name", NAME),
        ("principal_id", INT),
        ("sid", SID),
        ("type", ColumnType::Char(1)),
        ("type_desc", DESCRIPTION),
        ("is_disabled", BIT),
        ("create_date", DATE),
        ("modify_date", DATE),
        ("default_database_name", NAME),
        ("default_language_name", NAME),
    ]
}

fn login_row(login: &Login) -> Vec<Value> {
    let (code, description) = login_type(login);
    vec![
        text(&login.name),
        int(login.id),
        blob(Some(&login.sid)),
        text(code),
        text(description),
        int(login.disabled),
        date(login.created),
        date(login.modified),
        text("master"),
        text("us_english"),
    ]
}

fn visible<'a>(env: &ViewEnv<'_>, state: &'a ServerState) -> Vec<&'a Login> {
    let all = sees_logins(env);
    let own = state
        .sessions
        .get(&env.session)
        .map(|session| session.sid.clone());
    state
        .logins
        .values()
        .filter(|l| all || own.as_deref() == Some(l.sid.as_slice()))
        .collect()
}

fn sql_logins(env: &ViewEnv<'_>) -> View {
    let state = env.server.lock();
    let logins = visible(env, &state)
        .into_iter()
        .filter(|login| login.kind == LoginType::Sql);
    let rows = logins.map(|login| {
        let mut row = login_row(login);
        row.extend([int(true), int(false), Value::Null]);
        row
    });
    let mut columns = login_columns();
    columns.extend([
        ("is_policy_checked", BIT),
        ("is_expiration_checked", BIT),
        ("password_hash", ColumnType::Binary(Some(256))),
    ]);
    View {
        rows: rows.collect(),
        columns,
    }
}

fn server_principals(env: &ViewEnv<'_>) -> View {
    let state = env.server.lock();
    let mut rows: Vec<Vec<Value>> = visible(env, &state).into_iter().map(login_row).collect();
    let created = state.logins.get(&ADMIN).map_or(0, |admin| admin.created);
    for (id, name) in SERVER_ROLES {
        rows.push(vec![
            text(name),
            int(*id),
            blob(Some(&id.to_le_bytes())),
            text("R"),
            text("SERVER_ROLE"),
            int(false),
            date(created),
            date(created),
            Value::Null,
            Value::Null,
        ]);
    }
    View {
        columns: login_columns(),
        rows,
    }
}

fn server_role_members(env: &ViewEnv<'_>) -> View {
    let state = env.server.lock();
    let shown: Vec<i32> = visible(env, &state)
        .into_iter()
        .map(|login| login.id)
        .collect();
    let rows = state
        .role_members
        .iter()
        .filter(|(_, member)| shown.contains(member));
    View {
        columns: vec![("role_principal_id", INT), ("member_principal_id", INT)],
        rows: rows
            .map(|(role, member)| vec![int(*role), int(*member)])
            .collect(),
    }
}

/// In `master` every database, elsewhere this one and `master`.
fn databases(env: &ViewEnv<'_>) -> View {
    let created = env
        .server
        .lock()
        .logins
        .get(&ADMIN)
        .map_or(0, |admin| admin.created);
    let names = env.server.database_names();
    let rows = names.iter().filter_map(|name| {
        let shown = env.is_master() || name == "master" || name == env.database;
        shown.then(|| {
            vec![
                text(name),
                int(database_id(&names, name)),
                date(created),
                int(0),
                text("ONLINE"),
                int(false),
                int(false),
                text("SQL_Latin1_General_CP1_CI_AS"),
                int(170),
            ]
        })
    });
    View {
        columns: vec![
            ("name", NAME),
            ("database_id", INT),
            ("create_date", DATE),
            ("state", ColumnType::TinyInt),
            ("state_desc", DESCRIPTION),
            ("is_read_only", BIT),
            ("is_cdc_enabled", BIT),
            ("collation_name", NAME),
            ("compatibility_level", ColumnType::TinyInt),
        ],
        rows: rows.collect(),
    }
}

/// The sessions in this database; another's only with VIEW DATABASE STATE.
fn sessions(env: &ViewEnv<'_>) -> View {
    let all = env.can("VIEW DATABASE STATE") || env.is_server_admin;
    let names = env.server.database_names();
    let state = env.server.lock();
    let rows = state.sessions.iter().filter_map(|(id, session)| {
        let own = *id == env.session;
        let here = session.database.eq_ignore_ascii_case(env.database) || env.is_master();
        (own || (all && here)).then(|| {
            vec![
                int(*id),
                date(session.login_time),
                text(&session.login),
                text(&session.login),
                text(&session.host),
                text(&session.program),
                text(if own { "running" } else { "sleeping" }),
                int(true),
                int(database_id(&names, &session.database)),
                blob(Some(&session.sid)),
                blob(Some(&session.sid)),
                date(session.login_time),
                date(session.login_time),
            ]
        })
    });
    View {
        columns: vec![
            ("session_id", ColumnType::SmallInt),
            ("login_time", DATE),
            ("login_name", NAME),
            ("original_login_name", NAME),
            ("host_name", NAME),
            ("program_name", NAME),
            ("status", ColumnType::Text(Some(30))),
            ("is_user_process", BIT),
            ("database_id", ColumnType::SmallInt),
            ("security_id", SID),
            ("original_security_id", SID),
            ("last_request_start_time", DATE),
            ("last_request_end_time", DATE),
        ],
        rows: rows.collect(),
    }
}

/// Everybody who may connect sees them (sys.firewall_rules in the T-SQL reference).
fn firewall_rules(firewall: &Firewall) -> View {
    let rows = firewall.rules().iter().map(|rule| {
        vec![
            int(rule.id),
            text(&rule.name),
            text(&rule.start.to_string()),
            text(&rule.end.to_string()),
            date(rule.created),
            date(rule.modified),
        ]
    });
    View {
        rows: rows.collect(),
        columns: vec![
            ("id", INT),
            ("name", NAME),
            ("start_ip_address", ColumnType::Text(Some(45))),
            ("end_ip_address", ColumnType::Text(Some(45))),
            ("create_date", DATE),
            ("modify_date", DATE),
        ],
    }
}
