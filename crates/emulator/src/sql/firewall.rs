//! Firewall rules: of a server, in `master`, and of one database. Clients really come from loopback,
//! so a seed says which address they stand for; without one the rules are only kept and shown.

use std::net::Ipv4Addr;

use super::catalogue::{Securable, same};
use super::database::DbState;
use super::error::SqlError;
use super::procedures::{Argument, named};
use super::session::Session;

/// The most rules that a server or database holds (azure-facts C.2).
const LIMIT: usize = 128;

/// A range of addresses that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallRule {
    pub id: i32,
    pub name: String,
    pub start: Ipv4Addr,
    pub end: Ipv4Addr,
    pub created: i64,
    pub modified: i64,
}

/// The rules of one server or database, in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct Firewall {
    rules: Vec<FirewallRule>,
    last: i32,
}

impl Firewall {
    pub fn rules(&self) -> &[FirewallRule] {
        &self.rules
    }

    /// Whether a rule admits this address in Azure: by its range, or because it admits all of Azure
    /// (azure-facts C.2).
    pub fn admits(&self, address: Ipv4Addr) -> bool {
        self.rules.iter().any(|rule| {
            let all_of_azure = rule.start.is_unspecified() && rule.end.is_unspecified();
            all_of_azure || (rule.start..=rule.end).contains(&address)
        })
    }

    /// Makes a rule or changes the one of this name.
    pub fn set(
        &mut self,
        name: &str,
        start: Ipv4Addr,
        end: Ipv4Addr,
        now: i64,
    ) -> Result<(), SqlError> {
        let refuse = |number: i32, message: &str| Err(SqlError::new(number, 16, message));
        if name.trim().is_empty() {
            return refuse(40618, "The firewall rule name cannot be empty.");
        }
        if name.chars().count() > 128 {
            return refuse(
                40617,
                "The firewall rule name is too long. Maximum length is 128.",
            );
        }
        if start > end {
            return refuse(
                40614,
                "Start IP address of firewall rule cannot exceed End IP address.",
            );
        }
        if let Some(rule) = self.rules.iter_mut().find(|rule| same(&rule.name, name)) {
            (rule.start, rule.end, rule.modified) = (start, end, now);
            return Ok(());
        }
        if self.rules.len() == LIMIT {
            return refuse(
                40611,
                "Windows Azure SQL Database supports a maximum of 128 firewall rules.",
            );
        }
        self.last += 1;
        self.rules.push(FirewallRule {
            id: self.last,
            name: name.to_owned(),
            start,
            end,
            created: now,
            modified: now,
        });
        Ok(())
    }

    /// Takes a rule away; one that is not there is no error.
    pub fn delete(&mut self, name: &str) {
        self.rules.retain(|rule| !same(&rule.name, name));
    }
}

impl Session {
    /// `sp_set_database_firewall_rule` and `sp_delete_database_firewall_rule`: of this database,
    /// for who controls it.
    pub(super) fn database_firewall(
        &mut self,
        db: &mut DbState,
        procedure: &str,
        arguments: &[Argument],
    ) -> Result<(), SqlError> {
        if !self.can(db, "CONTROL", Securable::Database) {
            return Err(SqlError::no_permission());
        }
        self.own(db)?;
        let now = self.server.clock.now();
        let firewall = &mut db.catalogue_mut().firewall;
        change(firewall, procedure, arguments, now)
    }

    /// `sp_set_firewall_rule` and `sp_delete_firewall_rule`: of the server, in `master`, for its
    /// administrators.
    pub(super) fn server_firewall(
        &self,
        procedure: &str,
        arguments: &[Argument],
    ) -> Result<(), SqlError> {
        if !self.database.is_master() {
            let message = format!("Could not find stored procedure '{procedure}'.");
            return Err(SqlError::new(2812, 16, message));
        }
        if !self.acts_as_server_admin() {
            return Err(SqlError::no_permission());
        }
        let now = self.server.clock.now();
        let firewall = &mut self.server.lock().firewall;
        change(firewall, procedure, arguments, now)
    }
}

fn change(
    firewall: &mut Firewall,
    procedure: &str,
    arguments: &[Argument],
    now: i64,
) -> Result<(), SqlError> {
    let name = parameter(procedure, arguments, 0, "name")?;
    if procedure.to_lowercase().contains("sp_delete") {
        firewall.delete(&name);
        return Ok(());
    }
    let address = |at: usize, field: &str| -> Result<Ipv4Addr, SqlError> {
        let text = parameter(procedure, arguments, at, field)?;
        text.parse().map_err(|_| {
            let message = format!(
                "An invalid parameter or option was specified for procedure '{procedure}'."
            );
            SqlError::new(15600, 15, message)
        })
    };
    let start = address(1, "start_ip_address")?;
    let end = address(2, "end_ip_address")?;
    firewall.set(&name, start, end, now)
}

/// A parameter by its name, or by its place where it has none.
fn parameter(
    procedure: &str,
    arguments: &[Argument],
    at: usize,
    name: &str,
) -> Result<String, SqlError> {
    named(arguments, name, at)
        .map(Argument::text)
        .ok_or_else(|| {
            let message = format!(
                "Procedure or function '{procedure}' expects parameter '@{name}', which was not \
                 supplied."
            );
            SqlError::new(201, 16, message)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const HIGH: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

    #[test]
    fn a_rule_of_the_same_name_is_changed_and_keeps_its_id() {
        let mut firewall = Firewall::default();
        firewall.set("Office", LOW, LOW, 1).unwrap();
        firewall.set("office", LOW, HIGH, 2).unwrap();
        let rule = &firewall.rules()[0];
        assert_eq!((firewall.rules().len(), rule.id, rule.end), (1, 1, HIGH));
        assert_eq!((rule.created, rule.modified), (1, 2));
    }

    #[test]
    fn an_address_is_admitted_by_its_range_or_as_one_of_azure() {
        let mut firewall = Firewall::default();
        assert!(!firewall.admits(LOW));
        firewall.set("low", LOW, LOW, 1).unwrap();
        assert!(firewall.admits(LOW) && !firewall.admits(HIGH));
        let zero = Ipv4Addr::UNSPECIFIED;
        firewall.set("azure", zero, zero, 1).unwrap();
        assert!(firewall.admits(HIGH));
    }

    #[test]
    fn a_range_that_runs_backwards_and_a_rule_too_many_are_refused() {
        let mut firewall = Firewall::default();
        assert_eq!(firewall.set("r", HIGH, LOW, 1).unwrap_err().number, 40614);
        for number in 0..LIMIT {
            firewall.set(&format!("r{number}"), LOW, LOW, 1).unwrap();
        }
        assert_eq!(firewall.set("more", LOW, LOW, 1).unwrap_err().number, 40611);
        firewall.delete("r0");
        assert!(firewall.set("more", LOW, LOW, 1).is_ok());
    }
}
