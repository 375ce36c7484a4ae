//! Schemas, tables, views, procedures and functions: who may make them, and what that does.

use super::ast::{Ddl, Name, Procedure, Tokens};
use super::catalogue::{Column, DBO, Object, ObjectType, Securable, same};
use super::database::DbState;
use super::error::SqlError;
use super::rewrite::quote;
use super::row_security::is_bound;
use super::session::Session;
use super::value::ColumnType;

impl Session {
    pub(super) fn ddl(&mut self, db: &mut DbState, ddl: &Ddl) -> Result<(), SqlError> {
        match ddl {
            // What a list drops before the name that fails stays dropped.
            Ddl::DropTable { .. } | Ddl::DropModule { .. } => self.carry_out_ddl(db, ddl),
            _ => db.wholly(|db| self.carry_out_ddl(db, ddl)),
        }
    }

    fn carry_out_ddl(&mut self, db: &mut DbState, ddl: &Ddl) -> Result<(), SqlError> {
        match ddl {
            Ddl::CreateSchema { name, owner } => self.create_schema(db, name, owner.as_deref()),
            Ddl::DropSchema { name, if_exists } => self.drop_schema(db, name, *if_exists),
            Ddl::CreateTable {
                name,
                columns,
                constraints,
            } => self.create_table(db, name, columns, constraints),
            Ddl::AddColumn { table, column } => self.add_column(db, table, column),
            Ddl::DropTable { names, if_exists } => names
                .iter()
                .try_for_each(|name| self.drop_table(db, name, *if_exists)),
            Ddl::CreateIndex {
                unique,
                name,
                table,
                columns,
            } => self.create_index(db, *unique, name, table, columns),
            Ddl::CreateView {
                name,
                query,
                text,
                replace,
            } => self.create_view(db, name, query, text, *replace),
            Ddl::CreateProcedure(procedure) => self.create_procedure(db, procedure),
            Ddl::CreateFunction {
                name,
                text,
                inline,
                replace,
            } => {
                let kind = if *inline {
                    ObjectType::InlineFunction
                } else {
                    ObjectType::ScalarFunction
                };
                self.create_module(db, name, kind, text, *replace)
                    .map(|_| ())
            }
            Ddl::DropModule {
                kind,
                names,
                if_exists,
            } => names
                .iter()
                .try_for_each(|name| self.drop_module(db, kind, name, *if_exists)),
            Ddl::CreatePolicy {
                name,
                predicates,
                enabled,
            } => self.create_policy(db, name, predicates, *enabled),
            Ddl::AlterPolicy {
                name,
                add,
                drop,
                enabled,
            } => self.alter_policy(db, name, add, drop, *enabled),
        }
    }

    fn create_schema(
        &mut self,
        db: &mut DbState,
        name: &str,
        owner: Option<&str>,
    ) -> Result<(), SqlError> {
        if !self.can(db, "CREATE SCHEMA", Securable::Database) {
            return Err(SqlError::create_denied(
                "CREATE SCHEMA",
                &self.database.name,
            ));
        }
        if db.catalogue.schema(name).is_some() {
            return Err(SqlError::object_exists(name));
        }
        let owner = match owner {
            Some(owner) => self.grantee(db, owner)?,
            None => self.subject().id(),
        };
        db.catalogue_mut().add_schema(name, owner);
        Ok(())
    }

    fn drop_schema(
        &mut self,
        db: &mut DbState,
        name: &str,
        if_exists: bool,
    ) -> Result<(), SqlError> {
        let Some(schema) = db.catalogue.schema(name).cloned() else {
            return if if_exists {
                Ok(())
            } else {
                Err(SqlError::cannot("drop", "schema", name))
            };
        };
        let fixed = schema.id <= 4 || schema.id >= 16384;
        if fixed || !self.can(db, "CONTROL", Securable::Schema(schema.id)) {
            return Err(SqlError::cannot("drop", "schema", name));
        }
        if let Some(object) = db
            .catalogue
            .objects
            .values()
            .find(|o| o.schema == schema.id)
        {
            let message = format!(
                "Cannot drop schema '{name}' because it is being referenced by object '{}'.",
                object.name
            );
            return Err(SqlError::new(3729, 16, message));
        }
        let catalogue = db.catalogue_mut();
        catalogue.schemas.remove(&schema.id);
        catalogue
            .permissions
            .retain(|p| p.on != Securable::Schema(schema.id));
        Ok(())
    }

    /// The schema that a new object goes to, when this user may make such an object there.
    pub(super) fn target_schema(
        &self,
        db: &DbState,
        name: &Name,
        permission: &'static str,
    ) -> Result<i32, SqlError> {
        let default = self.default_schema(db);
        let schema = name.schema().unwrap_or(&default);
        let Some(schema) = db.catalogue.schema(schema) else {
            let message = format!(
                "The specified schema name \"{schema}\" either does not exist or you do not have \
                 permission to use it."
            );
            return Err(SqlError::new(2760, 16, message));
        };
        if !self.can(db, permission, Securable::Database) {
            return Err(SqlError::create_denied(permission, &self.database.name));
        }
        if !self.can(db, "ALTER", Securable::Schema(schema.id)) {
            let message = format!(
                "The specified schema name \"{}\" either does not exist or you do not have \
                 permission to use it.",
                schema.name
            );
            return Err(SqlError::new(2760, 16, message));
        }
        Ok(schema.id)
    }

    /// An object by name, as this user's default schema resolves it.
    pub(super) fn find_object<'db>(&self, db: &'db DbState, name: &Name) -> Option<&'db Object> {
        let default = self.default_schema(db);
        let schemas = match name.schema() {
            Some(schema) => vec![schema],
            None => vec![default.as_str(), "dbo"],
        };
        schemas
            .into_iter()
            .filter_map(|schema| db.catalogue.schema(schema))
            .find_map(|schema| db.catalogue.object(schema.id, name.last()))
    }

    pub(super) fn new_object(&self, name: &str, schema: i32, kind: ObjectType, id: i32) -> Object {
        let now = self.server.clock.now();
        Object {
            id,
            name: name.to_owned(),
            schema,
            kind,
            owner: None,
            columns: Vec::new(),
            definition: None,
            predicates: Vec::new(),
            enabled: true,
            created: now,
            modified: now,
        }
    }

    /// The id of an object of this kind that this user may alter.
    pub(super) fn alterable(
        &self,
        db: &DbState,
        name: &Name,
        kind: ObjectType,
    ) -> Result<i32, SqlError> {
        self.find_object(db, name)
            .filter(|object| object.kind == kind)
            .map(|object| object.id)
            .filter(|id| self.can(db, "ALTER", Securable::Object(*id)))
            .ok_or_else(|| {
                let message = format!(
                    "Cannot find the object \"{}\" because it does not exist or you do not have \
                     permissions.",
                    name.dotted()
                );
                SqlError::new(1088, 16, message)
            })
    }

    fn drop_module(
        &mut self,
        db: &mut DbState,
        kind: &'static str,
        name: &Name,
        if_exists: bool,
    ) -> Result<(), SqlError> {
        self.drop_object(db, kind, name, if_exists)
    }

    pub(super) fn drop_object(
        &mut self,
        db: &mut DbState,
        kind: &'static str,
        name: &Name,
        if_exists: bool,
    ) -> Result<(), SqlError> {
        let is_kind = |object: &Object| match object.kind {
            ObjectType::Table => kind == "table",
            ObjectType::View => kind == "view",
            ObjectType::Procedure => kind == "procedure",
            ObjectType::SecurityPolicy => kind == "security policy",
            ObjectType::InlineFunction | ObjectType::ScalarFunction => kind == "function",
        };
        let found = self
            .find_object(db, name)
            .filter(|object| is_kind(object))
            .cloned();
        let Some(object) = found else {
            return if if_exists {
                Ok(())
            } else {
                Err(cannot_drop(kind, name))
            };
        };
        if !self.can(db, "CONTROL", Securable::Object(object.id))
            && !self.can(db, "ALTER", Securable::Schema(object.schema))
        {
            return Err(cannot_drop(kind, name));
        }
        if is_bound(&db.catalogue, &object) {
            return Err(bound("DROP", kind, &object.name));
        }
        let stored = quote(&db.catalogue.storage_name(&object));
        match object.kind {
            ObjectType::Table => self.store(db, &format!("DROP TABLE main.{stored}"))?,
            ObjectType::View => self.store(db, &format!("DROP VIEW {stored}"))?,
            _ => {}
        }
        db.catalogue_mut().drop_object(object.id);
        match object.kind {
            ObjectType::SecurityPolicy => self.enforce_policies(db),
            _ => Ok(()),
        }
    }

    fn create_view(
        &mut self,
        db: &mut DbState,
        name: &Name,
        query: &Tokens,
        text: &str,
        replace: bool,
    ) -> Result<(), SqlError> {
        let (query, named) = self.rewritten(db, |rewriter| rewriter.query(query))?;
        if !named.system.is_empty() {
            return Err(SqlError::unsupported("a view over system views"));
        }
        let existed = self
            .find_object(db, name)
            .map(|object| db.catalogue.storage_name(object));
        let id = self.create_module(db, name, ObjectType::View, text, replace)?;
        let Some(object) = db.catalogue.objects.get(&id) else {
            return Ok(());
        };
        let stored = quote(&db.catalogue.storage_name(object));
        if let Some(existed) = existed {
            self.store(db, &format!("DROP VIEW IF EXISTS {}", quote(&existed)))?;
        }
        // A temporary one, for it has to see the filters of security policies.
        self.store(db, &format!("CREATE TEMP VIEW {stored} AS {}", query.sql))?;
        let probe = db.storage.prepare(&format!("SELECT * FROM {stored}"));
        let columns: Vec<Column> = probe
            .map_err(|error| SqlError::from_sqlite(&error))?
            .columns()
            .enumerate()
            .map(|(at, column)| Column {
                id: at as i32 + 1,
                name: column.name().to_owned(),
                ty: column
                    .decl_type()
                    .and_then(ColumnType::from_declaration)
                    .unwrap_or(ColumnType::Text(None)),
                nullable: true,
                identity: false,
            })
            .collect();
        if let Some(object) = db.catalogue_mut().objects.get_mut(&id) {
            object.columns = columns;
        }
        Ok(())
    }

    fn create_procedure(&mut self, db: &mut DbState, new: &Procedure) -> Result<(), SqlError> {
        self.create_module(db, &new.name, ObjectType::Procedure, &new.text, new.replace)
            .map(|_| ())
    }

    /// Adds a module to the catalogue, or replaces its text, and answers its id.
    fn create_module(
        &mut self,
        db: &mut DbState,
        name: &Name,
        kind: ObjectType,
        text: &str,
        replace: bool,
    ) -> Result<i32, SqlError> {
        let permission = match kind {
            ObjectType::View => "CREATE VIEW",
            ObjectType::Procedure => "CREATE PROCEDURE",
            _ => "CREATE FUNCTION",
        };
        if let Some(object) = self.find_object(db, name) {
            if !replace || object.kind != kind {
                return Err(SqlError::object_exists(name.last()));
            }
            let id = self.alterable(db, name, kind)?;
            if let Some(object) = db.catalogue.objects.get(&id)
                && is_bound(&db.catalogue, object)
            {
                return Err(bound("ALTER", "function", &object.name));
            }
            let now = self.server.clock.now();
            if let Some(object) = db.catalogue_mut().objects.get_mut(&id) {
                object.definition = Some(text.to_owned());
                object.modified = now;
            }
            return Ok(id);
        }
        let schema = self.target_schema(db, name, permission)?;
        let session = &*self;
        Ok(db.catalogue_mut().add_object(|id| {
            let object = session.new_object(name.last(), schema, kind, id);
            Object {
                definition: Some(text.to_owned()),
                ..object
            }
        }))
    }

    /// Adds a security policy to the catalogue.
    pub(super) fn add_policy(
        &mut self,
        db: &mut DbState,
        name: &Name,
        fill: impl FnOnce(&mut Object),
    ) -> Result<(), SqlError> {
        let default = self.default_schema(db);
        let schema = name.schema().unwrap_or(&default);
        let missing = || SqlError::cannot("find", "schema", schema);
        let schema = db
            .catalogue
            .schema(schema)
            .map(|s| s.id)
            .ok_or_else(missing)?;
        if db.catalogue.object(schema, name.last()).is_some() {
            return Err(SqlError::object_exists(name.last()));
        }
        let session = &*self;
        db.catalogue_mut().add_object(|id| {
            let mut object =
                session.new_object(name.last(), schema, ObjectType::SecurityPolicy, id);
            fill(&mut object);
            object
        });
        Ok(())
    }

    pub(super) fn store(&self, db: &DbState, sql: &str) -> Result<(), SqlError> {
        db.storage
            .execute_batch(sql)
            .map_err(|error| SqlError::from_sqlite(&error))
    }

    /// The id of a principal that may own something.
    pub(super) fn grantee(&self, db: &DbState, name: &str) -> Result<i32, SqlError> {
        if same(name, "dbo") {
            return Ok(DBO);
        }
        db.catalogue
            .principal(name)
            .map(|principal| principal.id)
            .ok_or_else(|| SqlError::cannot("find", "user", name))
    }
}

fn bound(verb: &str, kind: &str, name: &str) -> SqlError {
    let message = format!(
        "Cannot {verb} {kind} '{name}' because it is being referenced by a security policy."
    );
    SqlError::new(3729, 16, message)
}

fn cannot_drop(kind: &str, name: &Name) -> SqlError {
    let message = format!(
        "Cannot drop the {kind} '{}', because it does not exist or you do not have permission.",
        name.dotted()
    );
    SqlError::new(3701, 11, message)
}
