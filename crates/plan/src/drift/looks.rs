//! What live shows by itself: what could not be read, what no document declares, and what does not
//! work.

use keyless_model::sql::{PrincipalKind, Statement};
use keyless_model::{Address, Live, Severity, Snapshot};

use super::id;
use crate::draft::Input;
use crate::finding::{Class, Finding};
use crate::stages::access::Move;
use crate::stages::exclusive::Undeclared;
use crate::stages::http::access::Http;
use crate::stages::{exclusive, named_values, network, prune, rbac, show};
use crate::step::Shown;

/// What could not be read.
pub(super) fn unreadable(input: Input) -> Vec<Finding> {
    let live = input.live;
    let mut out = Vec::new();
    let mut add = |address: Address, why: &str| {
        out.push(Finding {
            id: id("KL0504", &address, ""),
            class: Class::Unreadable,
            severity: Severity::Warning,
            code: "KL0504",
            address,
            access: None,
            what: format!("it could not be read: {why}"),
            next: "give the identity that runs drift the right to read it (`keyless explain \
                   KL0504`)"
                .into(),
            shown: vec![],
        });
    };
    for (prefix, why) in &live.unreadable {
        let whole = prefix.trim_end_matches([':', '/']);
        let address = whole.parse().or_else(|_| {
            whole
                .rsplit_once('/')
                .map_or(whole, |(head, _)| head)
                .parse()
        });
        if let Ok(address) = address {
            add(address, why);
        }
    }
    for (address, database) in &live.databases {
        if let Live::Unreadable(why) = database {
            add(address.clone(), why);
        }
    }
    for (address, logins) in &live.logins {
        if let Live::Unreadable(why) = logins {
            add(address.part("logins"), why);
        }
    }
    for (name, document) in &input.desired.role_assignments {
        let scope = document.scope.to_lowercase();
        if let Some(Live::Unreadable(why)) = live.assignments.get(&scope) {
            add(Address::role_assignment(name), why);
        }
    }
    out
}

/// What owned scopes hold and no document declares.
pub(super) fn undeclared(input: Input, moves: &[Move], http: &Http) -> Vec<Finding> {
    let mut out = Vec::new();
    for document in input
        .desired
        .databases
        .values()
        .filter(|d| d.owns || d.exclusive)
    {
        let database = Address::database(&document.server, &document.name);
        let Live::Present(catalogue) = input.live.catalogue(&database) else {
            continue;
        };
        let unclear = may_be_replaced(input, moves, &database);
        for found in exclusive::undeclared(input, moves, &database, catalogue) {
            let Undeclared {
                name,
                statements,
                beyond,
            } = found;
            let kind = catalogue.principal(&name).map(|p| p.kind);
            if unclear && kind == Some(PrincipalKind::SqlUser) {
                continue;
            }
            let owner = statements.iter().any(|s| {
                matches!(s, Statement::DropMember { role, .. } if role.eq_ignore_ascii_case("db_owner"))
            });
            let severity = if owner {
                Severity::Critical
            } else {
                Severity::High
            };
            let mut shown = show::statements(&statements);
            shown.extend(beyond.into_iter().map(|text| Shown::Remark { text }));
            out.push(unmanaged(
                database.child("principal", &name),
                severity,
                "no document declares this principal or what it holds",
                shown,
            ));
        }
    }
    for (name, gateway) in &input.desired.gateways {
        for address in prune::unmanaged(input, moves, http, &Address::gateway(name), &gateway.owns)
        {
            let what = "no document declares it, and its scope is owned";
            out.push(unmanaged(address, Severity::Warning, what, vec![]));
        }
    }
    out
}

/// Whether an Access that is not switched yet may turn out to replace users of the database: what
/// it connects with is not known.
fn may_be_replaced(input: Input, moves: &[Move], database: &Address) -> bool {
    let known = |name: &str| moves.iter().any(|m| m.name() == name && m.all_known);
    let switched = |name: &str| {
        input
            .state
            .accesses
            .get(name)
            .is_some_and(|a| a.switched_at.is_some())
    };
    let mut here = input
        .desired
        .accesses
        .values()
        .filter(|a| a.target() == *database);
    here.any(|a| !known(&a.name) && !switched(&a.name))
}

/// Firewall rules that no document declares, in servers that own theirs.
pub(super) fn rules(input: Input) -> Vec<Finding> {
    let servers = input.desired.servers.iter();
    let roots = servers
        .filter(|(_, s)| s.owns_firewall)
        .map(|(name, _)| Address::server(name));
    let rules = roots.flat_map(|root| network::undeclared(input, input.live, &root));
    let finding = |rule: network::Undeclared| match rule.range {
        Some(range) if range.is_all_of_azure() => {
            let what = "no document declares this firewall rule, and it lets all of Azure in, \
                        other customers included";
            unmanaged(rule.address, Severity::High, what, vec![])
        }
        _ => {
            let what = "no document declares this firewall rule, and the server owns its rules";
            unmanaged(rule.address, Severity::Warning, what, vec![])
        }
    };
    rules.map(finding).collect()
}

/// Roles that keyless gave to an identity that is no longer the declared one.
pub(super) fn orphans(input: Input) -> Vec<Finding> {
    let found = rbac::orphans(input, input.live).into_iter();
    let what = "keyless gave this role to an identity that its document no longer means";
    found
        .map(|orphan| Finding {
            id: id("KL0503", &orphan.address, &orphan.id.to_lowercase()),
            ..unmanaged(orphan.address, Severity::High, what, orphan.shown)
        })
        .collect()
}

/// Named values whose secret the service could not read at its last try: they hold the old value, or
/// none.
pub(super) fn unhealthy(live: &Snapshot) -> Vec<Finding> {
    let values = live.entities.iter();
    let values = values.filter(|(a, _)| a.last().0 == "namedValue");
    values
        .filter_map(|(address, entity)| {
            let code = named_values::failure(entity)?;
            Some(Finding {
                id: id("KL0501", address, "keyVault"),
                class: Class::Drifted,
                severity: Severity::High,
                code: "KL0501",
                address: address.clone(),
                access: None,
                what: format!("the service cannot read its secret in Key Vault: {code}"),
                next: "give the gateway's identity the role Key Vault Secrets User on the vault, \
                       and see that the vault's network lets the gateway in"
                    .into(),
                shown: vec![],
            })
        })
        .collect()
}

fn unmanaged(address: Address, severity: Severity, what: &str, shown: Vec<Shown>) -> Finding {
    Finding {
        id: id("KL0503", &address, ""),
        class: Class::Unmanaged,
        severity,
        code: "KL0503",
        address,
        access: None,
        what: what.into(),
        next: "declare it, take it away by hand, or let keyless do so with `exclusive` or `prune`"
            .into(),
        shown,
    }
}
