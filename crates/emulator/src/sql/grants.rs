//! GRANT, DENY and REVOKE.

use super::ast::{On, PermissionStatement, Verb};
use super::catalogue::{Permission, Securable, State, same};
use super::database::DbState;
use super::error::SqlError;
use super::permissions::{self, Kind, may_grant};
use super::session::Session;

impl Session {
    pub(super) fn permission(
        &mut self,
        db: &mut DbState,
        statement: &PermissionStatement,
    ) -> Result<(), SqlError> {
        let on = self.securable(db, &statement.on)?;
        let mut targets: Vec<(&'static Kind, Securable)> = Vec::new();
        for (name, columns) in &statement.permissions {
            targets.extend(self.targets(db, name, columns, on)?);
        }
        let mut grantees = Vec::new();
        for name in &statement.principals {
            let id = self.grantee(db, name)?;
            if (1..=4).contains(&id) || id == self.subject().id() {
                let message = "Cannot grant, deny, or revoke permissions to sa, dbo, entity owner, \
                               information_schema, sys, or yourself.";
                return Err(SqlError::new(4624, 16, message));
            }
            if db.catalogue.principals.get(&id).is_some_and(|p| p.fixed) {
                let message = "Cannot grant, deny or revoke permissions to or from special roles.";
                return Err(SqlError::new(4617, 16, message));
            }
            grantees.push(id);
        }
        for (kind, on) in &targets {
            if !may_grant(&db.catalogue, &self.subject(), kind.name, *on) {
                return Err(refused(db, &statement.on, *on));
            }
        }
        let grantor = self.grantor(db, on);
        for (kind, on) in targets {
            for grantee in &grantees {
                change(db, statement, kind, on, *grantee, grantor)?;
            }
        }
        Ok(())
    }

    /// What a permission is granted by: the owner of the securable, for those who act for it.
    fn grantor(&self, db: &DbState, on: Securable) -> i32 {
        let subject = self.subject();
        let catalogue = &db.catalogue;
        if !permissions::allowed(catalogue, &subject, "CONTROL", on) {
            return subject.id();
        }
        match on {
            Securable::Schema(id) => catalogue.schemas.get(&id).map_or(1, |schema| schema.owner),
            Securable::Object(id) | Securable::Column(id, _) => catalogue
                .objects
                .get(&id)
                .map_or(1, |object| catalogue.owner_of(object)),
            Securable::Database | Securable::Principal(_) => 1,
        }
    }

    pub(super) fn securable(&self, db: &DbState, on: &On) -> Result<Securable, SqlError> {
        match on {
            On::Database(None) => Ok(Securable::Database),
            On::Database(Some(name)) if same(name, &self.database.name) => Ok(Securable::Database),
            On::Database(Some(name)) => Err(SqlError::cannot("find", "database", name)),
            On::Schema(name) => db
                .catalogue
                .schema(name)
                .map(|schema| Securable::Schema(schema.id))
                .ok_or_else(|| SqlError::cannot("find", "schema", name)),
            On::Object(name) => self
                .find_object(db, name)
                .map(|object| Securable::Object(object.id))
                .ok_or_else(|| SqlError::cannot("find", "object", name.last())),
            On::User(name) | On::Role(name) => db
                .catalogue
                .principal(name)
                .filter(|p| p.is_role() == matches!(on, On::Role(_)))
                .map(|p| Securable::Principal(p.id))
                .ok_or_else(|| {
                    let kind = if matches!(on, On::Role(_)) {
                        "role"
                    } else {
                        "user"
                    };
                    SqlError::cannot("find", kind, name)
                }),
        }
    }

    /// The permissions that a name and its columns mean on a securable.
    fn targets(
        &self,
        db: &DbState,
        name: &str,
        columns: &[String],
        on: Securable,
    ) -> Result<Vec<(&'static Kind, Securable)>, SqlError> {
        let incompatible = || {
            let message =
                format!("Granted or revoked privilege {name} is not compatible with object.");
            SqlError::new(4606, 16, message)
        };
        if name == "ALL" {
            let names = ["SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES"];
            return match on {
                Securable::Object(_) => Ok(names
                    .iter()
                    .filter_map(|name| permissions::kind(name))
                    .map(|kind| (kind, on))
                    .collect()),
                _ => Err(incompatible()),
            };
        }
        let kind = permissions::kind(name).ok_or_else(|| SqlError::syntax(name))?;
        if columns.is_empty() {
            return if kind.exists_on(on) {
                Ok(vec![(kind, on)])
            } else {
                Err(incompatible())
            };
        }
        let Securable::Object(id) = on else {
            return Err(incompatible());
        };
        let Some(object) = db.catalogue.objects.get(&id) else {
            return Err(incompatible());
        };
        let mut found = Vec::new();
        for column in columns {
            let known = object.columns.iter().find(|c| same(&c.name, column));
            let known = known.ok_or_else(|| {
                SqlError::new(1911, 16, format!("Column name '{column}' does not exist."))
            })?;
            let on = Securable::Column(id, known.id);
            if !kind.exists_on(on) {
                return Err(incompatible());
            }
            found.push((kind, on));
        }
        Ok(found)
    }
}

/// 15151 where the securable has a name, 4613 on the database.
fn refused(db: &DbState, named: &On, on: Securable) -> SqlError {
    match on {
        Securable::Schema(id) => SqlError::cannot("find", "schema", db.catalogue.schema_name(id)),
        Securable::Object(_) | Securable::Column(..) => match named {
            On::Object(name) => SqlError::cannot("find", "object", name.last()),
            _ => SqlError::no_permission(),
        },
        Securable::Principal(id) => {
            let name = db
                .catalogue
                .principals
                .get(&id)
                .map_or("", |p| p.name.as_str());
            SqlError::cannot("find", "user", name)
        }
        Securable::Database => SqlError::new(4613, 16, "Grantor does not have GRANT permission."),
    }
}

fn change(
    db: &mut DbState,
    statement: &PermissionStatement,
    kind: &'static Kind,
    on: Securable,
    grantee: i32,
    grantor: i32,
) -> Result<(), SqlError> {
    let catalogue = db.catalogue_mut();
    let at = catalogue
        .permissions
        .iter()
        .position(|p| p.on == on && p.name == kind.name && p.grantee == grantee);
    let with_option =
        at.is_some_and(|at| catalogue.permissions[at].state == State::GrantWithOption);
    if statement.verb != Verb::Grant && with_option && !statement.cascade {
        let message = "To revoke or deny grantable privileges, specify the CASCADE option.";
        return Err(SqlError::new(4611, 16, message));
    }
    if statement.verb != Verb::Grant && statement.cascade {
        // What the grantee passed on goes with it.
        catalogue
            .permissions
            .retain(|p| !(p.on == on && p.name == kind.name && p.grantor == grantee));
    }
    let at = catalogue
        .permissions
        .iter()
        .position(|p| p.on == on && p.name == kind.name && p.grantee == grantee);
    let state = match statement.verb {
        Verb::Grant if statement.with_option => State::GrantWithOption,
        Verb::Grant => State::Grant,
        Verb::Deny => State::Deny,
        Verb::Revoke => {
            match at {
                Some(at) if statement.option_only && with_option => {
                    catalogue.permissions[at].state = State::Grant;
                }
                Some(at) if !statement.option_only => {
                    catalogue.permissions.remove(at);
                }
                _ => {}
            }
            return Ok(());
        }
    };
    match at {
        Some(at) => {
            // A plain GRANT leaves an option that is there.
            let keeps = state == State::Grant && with_option;
            if !keeps {
                catalogue.permissions[at].state = state;
            }
            catalogue.permissions[at].grantor = grantor;
        }
        None => catalogue.permissions.push(Permission {
            on,
            name: kind.name,
            grantee,
            grantor,
            state,
        }),
    }
    Ok(())
}
