//! Schemas, tables, views, procedures and functions: who may make them, and what that does.

use super::ast::{ColumnDefinition, Ddl, Name, Procedure, Tokens};
use super::catalogue::{Column, DBO, Object, ObjectType, Securable, same};
use super::database::DbState;
use super::error::SqlError;
use super::expression::group_length;
use super::lexer::Lexed;
use super::rewrite::{Rewriter, chain, quote, temporary_name};
use super::session::Session;
use super::value::ColumnType;

impl Session {
    pub(super) fn ddl(&mut self, db: &mut DbState, ddl: &Ddl) -> Result<(), SqlError> {
        match ddl {
            Ddl::CreateSchema { name, owner } => self.create_schema(db, name, owner.as_deref()),
            Ddl::DropSchema { name, if_exists } => self.drop_schema(db, name, *if_exists),
            Ddl::CreateTable { name, columns, constraints } => {
                self.create_table(db, name, columns, constraints)
            }
            Ddl::AddColumn { table, column } => self.add_column(db, table, column),
            Ddl::DropTable { names, if_exists } => {
                names.iter().try_for_each(|name| self.drop_table(db, name, *if_exists))
            }
            Ddl::CreateIndex { unique, name, table, columns } => {
                self.create_index(db, *unique, name, table, columns)
            }
            Ddl::CreateView { name, query, text, replace } => {
                self.create_view(db, name, query, text, *replace)
            }
            Ddl::CreateProcedure(procedure) => self.create_procedure(db, procedure),
            Ddl::CreateFunction { name, text, inline, replace } => {
                let kind =
                    if *inline { ObjectType::InlineFunction } else { ObjectType::ScalarFunction };
                self.create_module(db, name, kind, text, *replace).map(|_| ())
            }
            Ddl::DropModule { kind, names, if_exists } => {
                names.iter().try_for_each(|name| self.drop_module(db, kind, name, *if_exists))
            }
            Ddl::CreatePolicy { name, predicates, enabled } => {
                self.create_policy(db, name, predicates, *enabled)
            }
            Ddl::AlterPolicy { name, add, drop, enabled } => {
                self.alter_policy(db, name, add, drop, *enabled)
            }
        }
    }

    fn create_schema(
        &mut self,
        db: &mut DbState,
        name: &str,
        owner: Option<&str>,
    ) -> Result<(), SqlError> {
        if !self.can(db, "CREATE SCHEMA", Securable::Database) {
            return Err(SqlError::create_denied("CREATE SCHEMA", &self.database.name));
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
            return if if_exists { Ok(()) } else { Err(SqlError::cannot("drop", "schema", name)) };
        };
        let fixed = schema.id <= 4 || schema.id >= 16384;
        if fixed || !self.can(db, "CONTROL", Securable::Schema(schema.id)) {
            return Err(SqlError::cannot("drop", "schema", name));
        }
        if let Some(object) = db.catalogue.objects.values().find(|o| o.schema == schema.id) {
            let message = format!(
                "Cannot drop schema '{name}' because it is being referenced by object '{}'.",
                object.name
            );
            return Err(SqlError::new(3729, 16, message));
        }
        let catalogue = db.catalogue_mut();
        catalogue.schemas.remove(&schema.id);
        catalogue.permissions.retain(|p| p.on != Securable::Schema(schema.id));
        Ok(())
    }

    /// The schema that a new object goes to, when this user may make such an object there.
    fn target_schema(
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

    fn new_object(&self, name: &str, schema: i32, kind: ObjectType, id: i32) -> Object {
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

    fn create_table(
        &mut self,
        db: &mut DbState,
        name: &Name,
        columns: &[ColumnDefinition],
        constraints: &[Tokens],
    ) -> Result<(), SqlError> {
        let temporary = name.last().starts_with('#');
        let schema = match temporary {
            true => 1,
            false => self.target_schema(db, name, "CREATE TABLE")?,
        };
        if !temporary && db.catalogue.object(schema, name.last()).is_some() {
            return Err(SqlError::object_exists(name.last()));
        }
        let (definition, _) = self.rewritten(db, |rewriter| {
            let mut parts = Vec::new();
            for column in columns {
                parts.push(column_definition(rewriter, column)?);
            }
            for tokens in constraints {
                parts.push(constraint(rewriter, tokens, false)?);
            }
            Ok(parts.join(", "))
        })?;
        if temporary {
            let table = temporary_name(name.last(), self.id);
            self.store(db, &format!("CREATE TEMP TABLE {} ({definition})", quote(&table)))?;
            self.temporary.push(name.last().to_owned());
            return Ok(());
        }
        let table = format!("{}.{}", db.catalogue.schema_name(schema), name.last());
        self.store(db, &format!("CREATE TABLE {} ({definition})", quote(&table)))?;
        let columns = columns.iter().enumerate().map(|(at, column)| catalogue_column(at, column));
        let columns = columns.collect();
        let session = &*self;
        db.catalogue_mut().add_object(|id| {
            let object = session.new_object(name.last(), schema, ObjectType::Table, id);
            Object { columns, ..object }
        });
        Ok(())
    }

    fn add_column(
        &mut self,
        db: &mut DbState,
        table: &Name,
        column: &ColumnDefinition,
    ) -> Result<(), SqlError> {
        let id = self.alterable(db, table, ObjectType::Table)?;
        let (sql, _) = self.rewritten(db, |rewriter| {
            let table = rewriter.table(&table.0)?;
            let column = column_definition(rewriter, column)?;
            Ok(format!("ALTER TABLE {table} ADD COLUMN {column}"))
        })?;
        self.store(db, &sql)?;
        if let Some(object) = db.catalogue_mut().objects.get_mut(&id) {
            let at = object.columns.len();
            object.columns.push(catalogue_column(at, column));
        }
        Ok(())
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

    fn drop_table(&mut self, db: &mut DbState, name: &Name, if_exists: bool) -> Result<(), SqlError> {
        if name.last().starts_with('#') {
            let known = self.temporary.len();
            self.temporary.retain(|table| !same(table, name.last()));
            if self.temporary.len() < known {
                let table = quote(&temporary_name(name.last(), self.id));
                return self.store(db, &format!("DROP TABLE temp.{table}"));
            }
        }
        self.drop_object(db, "table", name, if_exists)
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

    fn drop_object(
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
        let found = self.find_object(db, name).filter(|object| is_kind(object)).cloned();
        let Some(object) = found else {
            return if if_exists { Ok(()) } else { Err(cannot_drop(kind, name)) };
        };
        if !self.can(db, "CONTROL", Securable::Object(object.id))
            && !self.can(db, "ALTER", Securable::Schema(object.schema))
        {
            return Err(cannot_drop(kind, name));
        }
        let bound = db.catalogue.objects.values().any(|policy| {
            policy.predicates.iter().any(|predicate| predicate.target == object.id)
        });
        if bound {
            let message = format!(
                "Cannot DROP {kind} '{}' because it is being referenced by a security policy.",
                object.name
            );
            return Err(SqlError::new(3729, 16, message));
        }
        let stored = quote(&db.catalogue.storage_name(&object));
        match object.kind {
            ObjectType::Table => self.store(db, &format!("DROP TABLE {stored}"))?,
            ObjectType::View => self.store(db, &format!("DROP VIEW {stored}"))?,
            _ => {}
        }
        db.catalogue_mut().drop_object(object.id);
        Ok(())
    }

    fn create_index(
        &mut self,
        db: &mut DbState,
        unique: bool,
        name: &str,
        table: &Name,
        columns: &Tokens,
    ) -> Result<(), SqlError> {
        self.alterable(db, table, ObjectType::Table)?;
        let (sql, _) = self.rewritten(db, |rewriter| {
            let stored = rewriter.table(&table.0)?;
            let index = quote(&format!("{}/{name}", table.dotted()));
            let unique = if unique { "UNIQUE " } else { "" };
            let columns = rewriter.expressions(columns)?;
            Ok(format!("CREATE {unique}INDEX {index} ON {stored} ({columns})"))
        })?;
        self.store(db, &sql)
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
        let existed = self.find_object(db, name).map(|object| db.catalogue.storage_name(object));
        let id = self.create_module(db, name, ObjectType::View, text, replace)?;
        let Some(object) = db.catalogue.objects.get(&id) else { return Ok(()) };
        let stored = quote(&db.catalogue.storage_name(object));
        if let Some(existed) = existed {
            self.store(db, &format!("DROP VIEW IF EXISTS {}", quote(&existed)))?;
        }
        self.store(db, &format!("CREATE VIEW {stored} AS {}", query.sql))?;
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
        self.create_module(db, &new.name, ObjectType::Procedure, &new.text, new.replace).map(|_| ())
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
            Object { definition: Some(text.to_owned()), ..object }
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
        let schema = db.catalogue.schema(schema).map(|s| s.id).ok_or_else(missing)?;
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

    fn store(&self, db: &DbState, sql: &str) -> Result<(), SqlError> {
        db.storage.execute_batch(sql).map_err(|error| SqlError::from_sqlite(&error))
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

fn cannot_drop(kind: &str, name: &Name) -> SqlError {
    let message = format!(
        "Cannot drop the {kind} '{}', because it does not exist or you do not have permission.",
        name.dotted()
    );
    SqlError::new(3701, 11, message)
}

fn catalogue_column(at: usize, column: &ColumnDefinition) -> Column {
    Column {
        id: at as i32 + 1,
        name: column.name.clone(),
        ty: column.ty,
        nullable: !column.not_null && !column.identity,
        identity: column.identity,
    }
}

/// A column for the storage. An identity column must be `INTEGER` there to count by itself.
fn column_definition(
    rewriter: &mut Rewriter<'_>,
    column: &ColumnDefinition,
) -> Result<String, SqlError> {
    let ty = match column.identity {
        true => "INTEGER".to_owned(),
        false => column.ty.declaration(),
    };
    let collation = if column.ty.needs_collation() { " COLLATE TSQL" } else { "" };
    let rest = constraint(rewriter, &column.constraints, column.identity)?;
    Ok(format!("{} {ty}{collation} {rest}", quote(&column.name)))
}

/// A column's or a table's constraints.
fn constraint(
    rewriter: &mut Rewriter<'_>,
    tokens: &[Lexed],
    identity: bool,
) -> Result<String, SqlError> {
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        match rest[0].upper().as_deref() {
            Some("CLUSTERED" | "NONCLUSTERED") => at += 1,
            Some("CONSTRAINT") => {
                let name = rest.get(1).and_then(Lexed::name).unwrap_or_default();
                parts.push(format!("CONSTRAINT {}", quote(name)));
                at += 2;
            }
            Some("WITH") => {
                at += 1 + group_length(&rest[1..])?;
            }
            Some("DEFAULT") => {
                let length = 1 + default_length(&rest[1..])?;
                let value = rewriter.expression(&rest[1..length])?;
                parts.push(format!("DEFAULT ({})", value.text));
                at += length;
            }
            Some("CHECK") => {
                let length = 1 + group_length(&rest[1..])?;
                let value = rewriter.expression(&rest[1..length])?;
                parts.push(format!("CHECK {}", value.text));
                at += length;
            }
            Some("REFERENCES") => {
                let (name, length) = chain(&rest[1..])?;
                parts.push(format!("REFERENCES {}", rewriter.table(&name)?));
                at += 1 + length;
            }
            Some(word) => {
                parts.push(word.to_owned());
                if word == "KEY" && identity {
                    parts.push("AUTOINCREMENT".to_owned());
                }
                at += 1;
            }
            // The columns of a key.
            None if rest[0].is("(") => {
                let length = group_length(rest)?;
                parts.push(format!("({})", rewriter.expressions(&rest[1..length - 1])?));
                at += length;
            }
            None => return Err(SqlError::syntax("CREATE TABLE")),
        }
    }
    Ok(parts.join(" "))
}

/// The tokens of a default: a parenthesis, a literal, a signed number or a call.
fn default_length(tokens: &[Lexed]) -> Result<usize, SqlError> {
    let Some(first) = tokens.first() else { return Err(SqlError::syntax("DEFAULT")) };
    if first.is("(") {
        return group_length(tokens);
    }
    if first.is("-") || first.is("+") {
        return Ok(2.min(tokens.len()));
    }
    if first.name().is_some() && tokens.get(1).is_some_and(|token| token.is("(")) {
        return Ok(1 + group_length(&tokens[1..])?);
    }
    Ok(1)
}
