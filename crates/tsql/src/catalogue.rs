//! The rows of one read of a database's security → [`Catalogue`].
//!
//! Invariant: a catalogue is given only when its reader may see everything that it is made of. What
//! was hidden is [`SqlError::CannotSeeDefinitions`], never an emptier catalogue.

use keyless_model::Sid;
use keyless_model::sql::{
    Authentication, Catalogue, Permission, PermissionState, Principal, PrincipalKind, Securable,
    SecurityPolicy,
};
use tiberius::Row;

use crate::error::SqlError;
use crate::queries::{CATALOGUE, CATALOGUE_SETS};
use crate::rows::{Misread, bytes, is_one, needed, number, text};
use crate::session::Session;

const DOING: &str = "reading the database's security";

/// What `public` holds in every new database, so that Always Encrypted works (Microsoft SQL docs,
/// "Always Encrypted", permissions): no one's grant, and not reported.
const FROM_BIRTH: [&str; 2] = [
    "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION",
    "VIEW ANY COLUMN MASTER KEY DEFINITION",
];

/// Why the rows make no catalogue.
#[derive(Debug, PartialEq, Eq)]
enum Incomplete {
    /// What the reader may not see, in words.
    Hidden(String),
    Misread(Misread),
}

impl From<Misread> for Incomplete {
    fn from(misread: Misread) -> Self {
        Self::Misread(misread)
    }
}

impl Session {
    /// Reads the security of this database in one round trip.
    ///
    /// # Errors
    /// [`SqlError::CannotSeeDefinitions`] when this user may see only a part of it.
    pub async fn catalogue(&mut self) -> Result<Catalogue, SqlError> {
        let sets = self.sets(CATALOGUE, DOING, CATALOGUE_SETS).await?;
        let mut catalogue = Catalogue::default();
        match fill(&mut catalogue, &sets) {
            Ok(()) => Ok(catalogue),
            Err(Incomplete::Hidden(what)) => Err(SqlError::CannotSeeDefinitions {
                place: self.place.clone(),
                user: catalogue.running_as,
                what,
            }),
            Err(Incomplete::Misread(Misread(reason))) => Err(self.misread(DOING, reason)),
        }
    }

    pub(crate) fn misread(&self, doing: &str, reason: String) -> SqlError {
        SqlError::Answer {
            place: self.place.clone(),
            doing: doing.to_owned(),
            reason,
        }
    }
}

/// Fills a catalogue from the sets of [`CATALOGUE`], the reader first, so that it can be named.
fn fill(catalogue: &mut Catalogue, sets: &[Vec<Row>]) -> Result<(), Incomplete> {
    let [
        reader,
        principals,
        memberships,
        permissions,
        schemas,
        policies,
    ] = sets
    else {
        return Err(Misread("a result set is missing".into()).into());
    };
    let reader = reader
        .first()
        .ok_or_else(|| Misread("the server did not say who reads".into()))?;
    catalogue.running_as = needed(reader, "running_as")?.to_owned();
    if !is_one(reader, "sees_security")? && !is_one(reader, "sees_definitions")? {
        return Err(Incomplete::Hidden("principals and permissions".into()));
    }
    for row in principals {
        catalogue.principals.push(principal(row)?);
    }
    for row in memberships {
        let role = needed(row, "role_name")?.to_owned();
        let member = needed(row, "member_name")?.to_owned();
        catalogue.memberships.insert((role, member));
    }
    for row in permissions {
        catalogue.permissions.extend(permission(row)?);
    }
    for row in schemas {
        let schema = needed(row, "schema_name")?.to_owned();
        let owner = text(row, "owner_name")?;
        let owner = owner.ok_or_else(|| hidden(format!("the owner of the schema “{schema}”")))?;
        catalogue.schemas.insert(schema, owner.to_owned());
    }
    for row in policies {
        add_policy(&mut catalogue.policies, row)?;
    }
    Ok(())
}

fn hidden(what: String) -> Incomplete {
    Incomplete::Hidden(what)
}

fn principal(row: &Row) -> Result<Principal, Misread> {
    let kind = PrincipalKind::from_code(needed(row, "type")?);
    // The server gives every role a SID of its own making, which says nothing about anyone.
    let sid = bytes(row, "sid")?.filter(|_| kind != PrincipalKind::Role);
    Ok(Principal {
        name: needed(row, "name")?.to_owned(),
        kind,
        sid: sid.map(Sid::from_bytes),
        authentication: Authentication::from_code(
            number(row, "authentication_type")?.unwrap_or_default(),
        ),
        fixed: is_one(row, "is_fixed_role")?,
    })
}

/// A permission with its names; nothing for a row that no one granted.
fn permission(row: &Row) -> Result<Option<Permission>, Incomplete> {
    let state = match needed(row, "state")?.trim() {
        "G" => PermissionState::Grant,
        "W" => PermissionState::GrantWithGrantOption,
        "D" => PermissionState::Deny,
        // "R": a column taken out of a grant on its table. It gives nothing.
        _ => return Ok(None),
    };
    let permission = needed(row, "permission_name")?.trim().to_uppercase();
    let to = needed(row, "grantee")?.to_owned();
    let from_birth = to == "public"
        && state == PermissionState::Grant
        && FROM_BIRTH.contains(&permission.as_str());
    if from_birth {
        return Ok(None);
    }
    let on = securable(row, &permission)?;
    let is_column = matches!(on, Securable::Object { .. })
        && number(row, "minor_id")?.is_some_and(|minor| minor != 0);
    let column = text(row, "column_name")?.map(str::to_owned);
    if is_column && column.is_none() {
        return Err(hidden(format!("the column that {permission} is about")));
    }
    Ok(Some(Permission {
        permission,
        on,
        column: column.filter(|_| is_column),
        to,
        state,
    }))
}

/// `sys.database_permissions.class`: 0 database, 1 object or column, 3 schema.
fn securable(row: &Row, permission: &str) -> Result<Securable, Incomplete> {
    let major = number(row, "major_id")?.unwrap_or_default();
    let name = |column: &str| -> Result<String, Incomplete> {
        let name = text(row, column)?.map(str::to_owned);
        name.ok_or_else(|| hidden(format!("the name of id {major} that {permission} is on")))
    };
    match number(row, "class")? {
        Some(0) => Ok(Securable::Database),
        Some(1) => Ok(Securable::Object {
            schema: name("object_schema")?,
            name: name("object_name")?,
        }),
        Some(3) => Ok(Securable::Schema(name("schema_name")?)),
        _ => Ok(Securable::Other(format!(
            "{}:{major}",
            needed(row, "class_desc")?
        ))),
    }
}

/// Adds one predicate, and its policy if it is the first; rows come policy by policy.
fn add_policy(policies: &mut Vec<SecurityPolicy>, row: &Row) -> Result<(), Incomplete> {
    let (schema, name) = (needed(row, "schema_name")?, needed(row, "policy_name")?);
    let same = |p: &&mut SecurityPolicy| p.schema == schema && p.name == name;
    let found = policies.iter_mut().rev().find(same);
    let predicate = predicate(row, name)?;
    match found {
        Some(policy) => policy.predicates.extend(predicate),
        None => policies.push(SecurityPolicy {
            schema: schema.to_owned(),
            name: name.to_owned(),
            enabled: is_one(row, "is_enabled")?,
            predicates: predicate.into_iter().collect(),
        }),
    }
    Ok(())
}

/// A predicate as `CREATE SECURITY POLICY` writes it; nothing for a policy without one.
fn predicate(row: &Row, policy: &str) -> Result<Option<String>, Incomplete> {
    if number(row, "predicate_id")?.is_none() {
        return Ok(None);
    }
    let part = |column: &str| -> Result<String, Incomplete> {
        let part = text(row, column)?.map(str::to_owned);
        part.ok_or_else(|| hidden(format!("a predicate of the security policy “{policy}”")))
    };
    let operation = text(row, "operation")?
        .filter(|o| !o.is_empty())
        .map(|o| format!(" {o}"))
        .unwrap_or_default();
    Ok(Some(format!(
        "{} PREDICATE {} ON {}.{}{operation}",
        part("predicate_type")?,
        part("definition")?,
        part("target_schema")?,
        part("target_name")?,
    )))
}

#[cfg(test)]
mod tests {
    use tiberius::{ColumnData, ColumnType};

    use super::*;

    enum Cell {
        T(&'static str),
        N(i32),
        Null,
    }
    use Cell::{N, Null, T};

    fn row(cells: Vec<(&str, Cell)>) -> Row {
        let add = |row: tiberius::RowBuilder, (name, cell): (&str, Cell)| {
            let data = match cell {
                T(text) => ColumnData::String(Some(text.into())),
                N(number) => ColumnData::I32(Some(number)),
                Null => ColumnData::String(None),
            };
            row.column(name, ColumnType::Null, data)
        };
        cells.into_iter().fold(Row::builder(), add).build()
    }

    fn granted(class: i32, state: &'static str, names: [Cell; 4], minor: i32) -> Row {
        let [schema, object_schema, object, column] = names;
        row(vec![
            ("class", N(class)),
            ("class_desc", T("CERTIFICATE")),
            ("major_id", N(7)),
            ("minor_id", N(minor)),
            ("permission_name", T("SELECT")),
            ("state", T(state)),
            ("grantee", T("r")),
            ("schema_name", schema),
            ("object_schema", object_schema),
            ("object_name", object),
            ("column_name", column),
        ])
    }

    fn reader(security: i32, definitions: i32) -> Row {
        row(vec![
            ("running_as", T("me")),
            ("sees_security", N(security)),
            ("sees_definitions", N(definitions)),
        ])
    }

    fn sets(reader: Row) -> Vec<Vec<Row>> {
        let mut sets: Vec<Vec<Row>> = (0..CATALOGUE_SETS).map(|_| vec![]).collect();
        sets[0].push(reader);
        sets
    }

    #[test]
    fn a_reader_without_rights_gets_no_clean_catalogue() {
        let mut catalogue = Catalogue::default();
        let refused = fill(&mut catalogue, &sets(reader(0, 0)));
        assert!(matches!(refused, Err(Incomplete::Hidden(_))));
        assert_eq!(catalogue.running_as, "me");
        for (security, definitions) in [(1, 0), (0, 1)] {
            let seen = fill(
                &mut Catalogue::default(),
                &sets(reader(security, definitions)),
            );
            assert_eq!(seen, Ok(()));
        }
    }

    #[test]
    fn permissions_get_the_names_of_what_they_are_on() {
        let on = |row: Row| permission(&row).unwrap().unwrap();
        let database = on(granted(0, "G", [Null, Null, Null, Null], 0));
        assert_eq!(database.on, Securable::Database);
        let schema = on(granted(3, "W", [T("s"), Null, Null, Null], 0));
        assert_eq!(schema.on.to_string(), "SCHEMA::s");
        assert_eq!(schema.state, PermissionState::GrantWithGrantOption);
        let column = on(granted(1, "D", [Null, T("s"), T("t"), T("c")], 2));
        assert_eq!(column.on.to_string(), "OBJECT::s.t");
        assert_eq!(column.column.as_deref(), Some("c"));
        let other = on(granted(25, "G", [Null, Null, Null, Null], 0));
        assert_eq!(other.on.to_string(), "OTHER::CERTIFICATE:7");
    }

    #[test]
    fn a_name_that_the_reader_may_not_see_is_not_passed_over() {
        for hidden in [
            granted(1, "G", [Null, Null, Null, Null], 0),
            granted(1, "G", [Null, T("s"), T("t"), Null], 2),
            granted(3, "G", [Null, Null, Null, Null], 0),
        ] {
            assert!(matches!(permission(&hidden), Err(Incomplete::Hidden(_))));
        }
    }

    #[test]
    fn what_every_new_database_grants_to_public_is_left_out() {
        let born = |grantee: &'static str| {
            let permission_name = T("VIEW ANY COLUMN MASTER KEY DEFINITION");
            row(vec![
                ("class", N(0)),
                ("major_id", N(0)),
                ("minor_id", N(0)),
                ("permission_name", permission_name),
                ("state", T("G")),
                ("grantee", T(grantee)),
                ("column_name", Null),
            ])
        };
        assert_eq!(permission(&born("public")), Ok(None));
        assert!(permission(&born("somebody")).unwrap().is_some());
    }

    #[test]
    fn predicates_of_one_policy_come_together() {
        let one = |id: i32, operation: Cell| {
            row(vec![
                ("schema_name", T("sec")),
                ("policy_name", T("p")),
                ("is_enabled", N(1)),
                ("predicate_id", N(id)),
                ("predicate_type", T("BLOCK")),
                ("definition", T("([sec].[fn]([Region]))")),
                ("operation", operation),
                ("target_schema", T("dbo")),
                ("target_name", T("Orders")),
            ])
        };
        let mut policies = vec![];
        add_policy(&mut policies, &one(1, Null)).unwrap();
        add_policy(&mut policies, &one(2, T("AFTER INSERT"))).unwrap();
        let [policy] = policies.as_slice() else {
            panic!("{policies:?}");
        };
        assert_eq!(
            policy.predicates,
            [
                "BLOCK PREDICATE ([sec].[fn]([Region])) ON dbo.Orders",
                "BLOCK PREDICATE ([sec].[fn]([Region])) ON dbo.Orders AFTER INSERT",
            ]
        );
    }
}
