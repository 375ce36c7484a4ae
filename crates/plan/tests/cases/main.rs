//! What the planner does, one idea a test; what must never happen to a caller is apart, in
//! `safety.rs`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod declared;
#[path = "../estate/mod.rs"]
mod estate;
mod grants;
mod logins;
mod named_values;
mod seen;
mod servers;
mod sources;
mod tiers;
mod unread;

use std::collections::BTreeSet;

use estate::look::{has_row, ids, in_phase, rows, step};
use estate::world::run_some;
use estate::{Estate, at, policy, rule, schema, with_password, without};
use keyless_model::sql::{PermissionState, Securable, Statement};
use keyless_model::{
    Address, Applied, Live, NamedValue, Replaced, Replaces, Resolver, Role, Span, SqlRole,
};
use keyless_plan::{Class, Finding, Gate, Note, Op, Phase, Step, Undo};
use serde_json::json;

const SECRET: &str = "Wq7-canary-0001";

fn statements(step: &Step) -> Vec<String> {
    match &step.op {
        Op::Sql { statements, .. } => statements.iter().map(Statement::text).collect(),
        _ => panic!("{} runs no statements", step.id),
    }
}

fn literal() -> String {
    with_password("sql", "orders", "orders_app", SECRET)
}

/// One resolver that connects with the login `orders_app`, and an Access for it.
fn with_text(connection: &str) -> Estate {
    let mut e = Estate::small();
    e.login("sql", "orders_app", SECRET);
    e.user_of("sql", "orders", "orders_app", "app user");
    e.resolver("contoso", "orders", "q", &policy(connection, false));
    e.access("read", "contoso", &["orders"], "sql", "orders");
    e
}

fn with_literal() -> Estate {
    with_text(&literal())
}
