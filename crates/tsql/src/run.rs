//! Running statements: all of them or none, and only ones that were checked before the first is
//! sent.

use std::net::Ipv4Addr;

use keyless_model::sql::{
    FirewallRule, Permission, Securable, SidSource, Statement, StatementError,
};

use crate::error::SqlError;
use crate::session::Session;

/// The longest name of a principal, schema or object, in UTF-16 units (Microsoft SQL docs,
/// `sysname`).
const LONGEST_NAME: usize = 128;

impl Session {
    /// Runs the statements in their order. In a database they are one transaction: after an error
    /// nothing of them remains. In `master`, statements about logins run one by one, and those
    /// before an error remain; so do firewall rules, which are procedure calls.
    ///
    /// # Errors
    /// [`SqlError::Statement`] or [`SqlError::Unfit`] before anything is sent; the server's refusal,
    /// with the statement; [`SqlError::OutcomeUnknown`] when the connection broke so late that the
    /// change may stand: read the database before going on.
    pub async fn run(&mut self, statements: &[Statement]) -> Result<(), SqlError> {
        for statement in statements {
            fit(statement, self.in_master()).map_err(|unfit| self.not_sent(statement, unfit))?;
        }
        if statements.is_empty() {
            return Ok(());
        }
        let (one_by_one, together): (Vec<&Statement>, Vec<&Statement>) = statements
            .iter()
            .partition(|s| self.in_master() || about_firewall(s));
        if !together.is_empty() {
            self.transaction(&together).await?;
        }
        for statement in one_by_one {
            self.finally(&statement.text()).await?;
        }
        Ok(())
    }

    async fn transaction(&mut self, statements: &[&Statement]) -> Result<(), SqlError> {
        self.batch("BEGIN TRANSACTION", "BEGIN TRANSACTION").await?;
        for statement in statements {
            let text = statement.text();
            if let Err(error) = self.batch(&text, &text).await {
                self.roll_back().await;
                return Err(error);
            }
        }
        match self.finally("COMMIT TRANSACTION").await {
            Err(error) if !error.outcome_unknown() => {
                self.roll_back().await;
                Err(error)
            }
            other => other,
        }
    }

    /// A batch whose effect is final: if its answer does not come, its outcome is unknown.
    async fn finally(&mut self, text: &str) -> Result<(), SqlError> {
        let unknown = |place, doing, reason| SqlError::OutcomeUnknown {
            place,
            doing,
            reason,
        };
        match self.batch(text, text).await {
            Ok(_) => Ok(()),
            Err(SqlError::Lost {
                place,
                doing,
                reason,
            }) => Err(unknown(place, doing, reason)),
            Err(SqlError::TimedOut {
                place,
                doing,
                after,
            }) => {
                let reason = format!("no answer within {} s", after.as_secs_f64());
                Err(unknown(place, doing, reason))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the transaction back. Where this fails there is nothing to take back: the server ended
    /// the transaction itself, or rolls it back as the connection closes. So that none stays open,
    /// a session that could not roll back is given up.
    async fn roll_back(&mut self) {
        let rolled = self
            .batch("ROLLBACK TRANSACTION", "ROLLBACK TRANSACTION")
            .await;
        if rolled.is_err() {
            self.give_up();
        }
    }

    fn not_sent(&self, statement: &Statement, unfit: Unfit) -> SqlError {
        let place = self.place.clone();
        match unfit {
            Unfit::Unresolved(reason) => SqlError::Statement { place, reason },
            Unfit::Because(reason) => SqlError::Unfit {
                place,
                statement: statement.text(),
                reason,
            },
        }
    }
}

/// Why a statement is not sent.
#[derive(Debug, PartialEq, Eq)]
enum Unfit {
    Unresolved(StatementError),
    Because(&'static str),
}

/// Whether a statement may be sent on a session that is in `master` or not.
fn fit(statement: &Statement, in_master: bool) -> Result<(), Unfit> {
    if statement.in_master() && !in_master {
        return Err(Unfit::Because("logins are changed in master only"));
    }
    match statement {
        Statement::CreateUser { name, sid, .. } => {
            if let SidSource::ClientIdOf(address) = sid {
                let reason = StatementError::Unresolved(address.clone());
                return Err(Unfit::Unresolved(reason));
            }
            fit_name(name)
        }
        Statement::DropUser { name }
        | Statement::CreateRole { name }
        | Statement::DropRole { name }
        | Statement::DisableLogin { name }
        | Statement::EnableLogin { name }
        | Statement::DropLogin { name } => fit_name(name),
        Statement::AddMember { role, member } | Statement::DropMember { role, member } => {
            fit_name(role)?;
            fit_name(member)
        }
        Statement::Permit { rule } | Statement::Revoke { rule } => fit_rule(rule),
        Statement::SetFirewallRule { rule } => fit_firewall(rule),
        Statement::DropFirewallRule { rule } => fit_name(&rule.name),
    }
}

fn about_firewall(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::SetFirewallRule { .. } | Statement::DropFirewallRule { .. }
    )
}

/// A range of addresses as Azure SQL takes them: two dotted quads, the first not behind the second.
fn fit_firewall(rule: &FirewallRule) -> Result<(), Unfit> {
    fit_name(&rule.name)?;
    let quad = |text: &str| text.parse::<Ipv4Addr>().ok();
    match (quad(&rule.start), quad(&rule.end)) {
        (Some(start), Some(end)) if start <= end => Ok(()),
        _ => Err(Unfit::Because("the addresses are no range of IPv4")),
    }
}

/// A rule that is written out as it is meant. A permission stands in the text unquoted, and a
/// securable without a clause would turn into the whole database.
fn fit_rule(rule: &Permission) -> Result<(), Unfit> {
    if !rule.permission.split(' ').all(plain_word) {
        return Err(Unfit::Because("the permission is not in plain words"));
    }
    match &rule.on {
        Securable::Database => {}
        Securable::Schema(schema) => fit_name(schema)?,
        Securable::Object { schema, name } => {
            fit_name(schema)?;
            fit_name(name)?;
        }
        Securable::Other(_) => {
            return Err(Unfit::Because("keyless does not grant on such a securable"));
        }
    }
    if let Some(column) = &rule.column {
        fit_name(column)?;
    }
    fit_name(&rule.to)
}

/// A word of a permission's name: letters, and none that would begin another clause.
fn plain_word(word: &str) -> bool {
    let letters = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic());
    let clause = ["ON", "TO", "FROM", "AS", "WITH"];
    letters && !clause.iter().any(|c| word.eq_ignore_ascii_case(c))
}

fn fit_name(name: &str) -> Result<(), Unfit> {
    if name.is_empty() {
        return Err(Unfit::Because("a name is empty"));
    }
    if name.encode_utf16().count() > LONGEST_NAME {
        return Err(Unfit::Because("a name is longer than 128 characters"));
    }
    if name.chars().any(char::is_control) {
        return Err(Unfit::Because("a name has a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use keyless_model::sql::PermissionState;
    use keyless_model::{Address, Sid};

    use super::*;

    fn permit(permission: &str, on: Securable) -> Statement {
        Statement::Permit {
            rule: Permission {
                permission: permission.into(),
                on,
                column: None,
                to: "r".into(),
                state: PermissionState::Grant,
            },
        }
    }

    #[test]
    fn a_user_without_a_sid_is_not_sent() {
        let create = |sid| Statement::CreateUser {
            name: "contoso".into(),
            sid,
            group: false,
        };
        let gateway = Address::gateway("contoso");
        let unresolved = fit(&create(SidSource::ClientIdOf(gateway.clone())), false);
        let expected = Unfit::Unresolved(StatementError::Unresolved(gateway));
        assert_eq!(unresolved, Err(expected));
        let sid = Sid::from_guid("00112233-4455-6677-8899-aabbccddeeff").unwrap();
        assert_eq!(fit(&create(SidSource::Known(sid)), false), Ok(()));
    }

    #[test]
    fn a_permission_is_words_and_its_securable_has_a_clause() {
        let database = Securable::Database;
        assert_eq!(
            fit(&permit("VIEW DEFINITION", database.clone()), false),
            Ok(())
        );
        for bad in [
            "",
            "SELECT ",
            "SELECT TO public; --",
            "SELECT ON x",
            "[SELECT]",
        ] {
            assert!(fit(&permit(bad, database.clone()), false).is_err(), "{bad}");
        }
        let other = Securable::Other("CERTIFICATE:7".into());
        assert!(fit(&permit("CONTROL", other), false).is_err());
    }

    #[test]
    fn logins_are_changed_in_master_only() {
        let disable = Statement::DisableLogin { name: "app".into() };
        assert!(fit(&disable, false).is_err());
        assert_eq!(fit(&disable, true), Ok(()));
    }

    #[test]
    fn a_firewall_rule_is_a_range_of_addresses() {
        let set = |start: &str, end: &str| Statement::SetFirewallRule {
            rule: FirewallRule {
                name: "office".into(),
                start: start.into(),
                end: end.into(),
            },
        };
        assert_eq!(fit(&set("10.0.0.4", "10.0.0.4"), false), Ok(()));
        for (start, end) in [
            ("10.0.0.5", "10.0.0.4"),
            ("10.0.0", "10.0.0.4"),
            ("::1", "::2"),
        ] {
            assert!(fit(&set(start, end), false).is_err(), "{start} {end}");
        }
    }

    #[test]
    fn names_that_no_server_holds_are_not_sent() {
        for name in [String::new(), "a\0b".into(), "x".repeat(129)] {
            assert!(fit(&Statement::CreateRole { name }, false).is_err());
        }
        let longest = Statement::CreateRole {
            name: "x".repeat(128),
        };
        assert_eq!(fit(&longest, false), Ok(()));
    }
}
