//! Security policies: made, changed and shown. `row_security` makes them work.

use super::ast::{Name, PredicateDefinition};
use super::catalogue::{Object, ObjectType, Predicate, Securable};
use super::database::DbState;
use super::error::SqlError;
use super::parse_ddl::predicate_text;
use super::session::Session;

impl Session {
    pub(super) fn create_policy(
        &mut self,
        db: &mut DbState,
        name: &Name,
        predicates: &[PredicateDefinition],
        enabled: bool,
    ) -> Result<(), SqlError> {
        self.may_alter_policies(db)?;
        let predicates = self.predicates(db, predicates, 1)?;
        self.add_policy(db, name, |object| {
            object.predicates = predicates;
            object.enabled = enabled;
        })?;
        self.enforce_policies(db)
    }

    pub(super) fn alter_policy(
        &mut self,
        db: &mut DbState,
        name: &Name,
        add: &[PredicateDefinition],
        drop: &[(bool, Name)],
        enabled: Option<bool>,
    ) -> Result<(), SqlError> {
        self.may_alter_policies(db)?;
        let id = self.alterable(db, name, ObjectType::SecurityPolicy)?;
        let mut dropped = Vec::new();
        for (block, target) in drop {
            dropped.push((*block, self.target(db, target)?));
        }
        let next = db
            .catalogue
            .objects
            .get(&id)
            .map_or(1, |o| o.predicates.len() as i32 + 1);
        let added = self.predicates(db, add, next)?;
        let now = self.server.clock.now();
        if let Some(policy) = db.catalogue_mut().objects.get_mut(&id) {
            policy
                .predicates
                .retain(|p| !dropped.contains(&(p.block, p.target)));
            policy.predicates.extend(added);
            policy.enabled = enabled.unwrap_or(policy.enabled);
            policy.modified = now;
        }
        self.enforce_policies(db)
    }

    fn may_alter_policies(&self, db: &DbState) -> Result<(), SqlError> {
        if self.can(db, "ALTER ANY SECURITY POLICY", Securable::Database) {
            return Ok(());
        }
        Err(SqlError::no_permission())
    }

    fn predicates(
        &self,
        db: &DbState,
        definitions: &[PredicateDefinition],
        first: i32,
    ) -> Result<Vec<Predicate>, SqlError> {
        let mut predicates = Vec::new();
        for (at, definition) in definitions.iter().enumerate() {
            predicates.push(Predicate {
                id: first + at as i32,
                block: definition.block,
                target: self.target(db, &definition.target)?,
                definition: predicate_text(&definition.function),
                operation: definition.operation.clone(),
            });
        }
        Ok(predicates)
    }

    fn target(&self, db: &DbState, name: &Name) -> Result<i32, SqlError> {
        self.find_object(db, name)
            .filter(|object: &&Object| object.kind == ObjectType::Table)
            .map(|object| object.id)
            .ok_or_else(|| {
                let message = format!(
                    "Cannot find the object \"{}\" because it does not exist or you do not have \
                     permissions.",
                    name.dotted()
                );
                SqlError::new(1088, 16, message)
            })
    }
}
