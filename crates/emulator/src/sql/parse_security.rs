//! Security statements by recursive descent: users, roles, logins, permissions, ownership.

use super::ast::{
    LoginChange, On, PermissionStatement, RoleChange, Security, Source, Statement, UserOptions,
    Verb,
};
use super::error::SqlError;
use super::parser::Parser;

impl Parser<'_> {
    /// A statement that begins with CREATE, ALTER, DROP, GRANT, DENY or REVOKE.
    pub fn definition(&mut self) -> Result<Statement, SqlError> {
        if let Some(security) = self.security()? {
            return Ok(Statement::Security(security));
        }
        self.ddl().map(Statement::Ddl)
    }

    fn security(&mut self) -> Result<Option<Security>, SqlError> {
        Ok(Some(if self.words("CREATE USER") {
            self.create_user()?
        } else if self.words("ALTER USER") {
            Security::AlterUser {
                name: self.identifier()?,
                options: self.user_options()?,
            }
        } else if self.words("DROP USER") {
            let if_exists = self.words("IF EXISTS");
            Security::DropUser {
                name: self.identifier()?,
                if_exists,
            }
        } else if self.words("CREATE ROLE") {
            let name = self.identifier()?;
            Security::CreateRole {
                name,
                owner: self.authorization()?,
            }
        } else if self.words("ALTER ROLE") {
            Security::AlterRole {
                name: self.identifier()?,
                change: self.role_change()?,
            }
        } else if self.words("DROP ROLE") {
            let if_exists = self.words("IF EXISTS");
            Security::DropRole {
                name: self.identifier()?,
                if_exists,
            }
        } else if self.words("CREATE APPLICATION ROLE") {
            Security::CreateApplicationRole {
                name: self.identifier()?,
                options: self.user_options()?,
            }
        } else if self.words("ALTER APPLICATION ROLE") {
            Security::AlterApplicationRole {
                name: self.identifier()?,
                options: self.user_options()?,
            }
        } else if self.words("DROP APPLICATION ROLE") {
            Security::DropApplicationRole {
                name: self.identifier()?,
            }
        } else if self.words("ALTER SERVER ROLE") {
            Security::AlterServerRole {
                name: self.identifier()?,
                change: self.role_change()?,
            }
        } else if self.words("CREATE LOGIN") {
            self.create_login()?
        } else if self.words("ALTER LOGIN") {
            self.alter_login()?
        } else if self.words("DROP LOGIN") {
            Security::DropLogin {
                name: self.identifier()?,
            }
        } else if self.words("ALTER AUTHORIZATION") {
            self.expect("ON")?;
            let on = self.on()?;
            self.expect("TO")?;
            Security::AlterAuthorization {
                on,
                to: self.identifier()?,
            }
        } else if self.words("GRANT") {
            self.permission(Verb::Grant)?
        } else if self.words("DENY") {
            self.permission(Verb::Deny)?
        } else if self.words("REVOKE") {
            self.permission(Verb::Revoke)?
        } else {
            return Ok(None);
        }))
    }

    /// `AUTHORIZATION x`, when it is there.
    pub fn authorization(&mut self) -> Result<Option<String>, SqlError> {
        if self.words("AUTHORIZATION") {
            self.identifier().map(Some)
        } else {
            Ok(None)
        }
    }

    fn create_user(&mut self) -> Result<Security, SqlError> {
        let name = self.identifier()?;
        let mut source = Source::Default;
        let mut default_schema = None;
        if self.words("FOR LOGIN") || self.words("FROM LOGIN") {
            source = Source::Login(self.identifier()?);
        } else if self.words("WITHOUT LOGIN") {
            source = Source::WithoutLogin;
        } else if self.words("FROM EXTERNAL PROVIDER") {
            source = Source::External { object_id: None };
        }
        if self.words("WITH") {
            let (mut sid, mut group) = (None, None);
            loop {
                if self.option("DEFAULT_SCHEMA")? {
                    default_schema = Some(self.identifier()?);
                } else if self.option("PASSWORD")? {
                    source = Source::Password(self.text()?);
                } else if self.option("SID")? {
                    sid = Some(self.binary()?);
                } else if self.option("TYPE")? {
                    group = Some(self.external_type()?);
                } else if self.option("OBJECT_ID")? {
                    source = Source::External {
                        object_id: Some(self.text()?),
                    };
                } else if self.option("DEFAULT_LANGUAGE")?
                    || self.option("ALLOW_ENCRYPTED_VALUE_MODIFICATIONS")?
                {
                    self.advance();
                } else {
                    return Err(self.unexpected());
                }
                if !self.symbol(",") {
                    break;
                }
            }
            match (sid, group) {
                (Some(sid), Some(group)) => source = Source::Sid { sid, group },
                // A SID without a type belongs to a password user, whose SID is ours to choose.
                (Some(_), None) if matches!(source, Source::Password(_)) => {}
                (None, None) => {}
                _ => return Err(self.unexpected()),
            }
        }
        Ok(Security::CreateUser {
            name,
            source,
            default_schema,
        })
    }

    /// `E` or `X`.
    fn external_type(&mut self) -> Result<bool, SqlError> {
        match self.identifier()?.to_ascii_uppercase().as_str() {
            "E" => Ok(false),
            "X" => Ok(true),
            _ => Err(self.unexpected()),
        }
    }

    /// `NAME =`, when it comes next.
    fn option(&mut self, name: &str) -> Result<bool, SqlError> {
        if !self.words(name) {
            return Ok(false);
        }
        self.expect_symbol("=")?;
        Ok(true)
    }

    fn user_options(&mut self) -> Result<UserOptions, SqlError> {
        self.expect("WITH")?;
        let mut options = UserOptions::default();
        loop {
            if self.option("NAME")? {
                options.name = Some(self.identifier()?);
            } else if self.option("DEFAULT_SCHEMA")? {
                options.default_schema = Some(self.identifier()?);
            } else if self.option("LOGIN")? {
                options.login = Some(self.identifier()?);
            } else if self.option("PASSWORD")? {
                options.password = Some(self.text()?);
                if self.option("OLD_PASSWORD")? {
                    self.text()?;
                }
            } else {
                return Err(self.unexpected());
            }
            if !self.symbol(",") {
                return Ok(options);
            }
        }
    }

    fn role_change(&mut self) -> Result<RoleChange, SqlError> {
        if self.words("ADD MEMBER") {
            return self.identifier().map(RoleChange::Add);
        }
        if self.words("DROP MEMBER") {
            return self.identifier().map(RoleChange::Drop);
        }
        self.expect("WITH NAME")?;
        self.expect_symbol("=")?;
        self.identifier().map(RoleChange::Rename)
    }

    fn create_login(&mut self) -> Result<Security, SqlError> {
        let name = self.identifier()?;
        let mut source = Source::Default;
        let mut sid = None;
        if self.words("FROM EXTERNAL PROVIDER") {
            source = Source::External { object_id: None };
        }
        let external = matches!(source, Source::External { .. });
        if self.words("WITH") {
            let mut group = false;
            loop {
                if self.option("PASSWORD")? {
                    source = Source::Password(self.text()?);
                } else if self.option("SID")? {
                    sid = Some(self.binary()?);
                } else if self.option("TYPE")? {
                    group = self.external_type()?;
                } else if self.option("OBJECT_ID")? {
                    source = Source::External {
                        object_id: Some(self.text()?),
                    };
                } else if self.option("DEFAULT_DATABASE")? || self.option("DEFAULT_LANGUAGE")? {
                    self.advance();
                } else {
                    return Err(self.unexpected());
                }
                if !self.symbol(",") {
                    break;
                }
            }
            if let (true, Some(sid)) = (external, &sid) {
                source = Source::Sid {
                    sid: sid.clone(),
                    group,
                };
            }
        }
        if matches!(source, Source::Default) {
            return Err(self.unexpected());
        }
        Ok(Security::CreateLogin { name, source, sid })
    }

    fn alter_login(&mut self) -> Result<Security, SqlError> {
        let name = self.identifier()?;
        let change = if self.words("ENABLE") {
            LoginChange::Enable(true)
        } else if self.words("DISABLE") {
            LoginChange::Enable(false)
        } else {
            self.expect("WITH")?;
            if self.option("PASSWORD")? {
                let password = self.text()?;
                if self.option("OLD_PASSWORD")? {
                    self.text()?;
                }
                LoginChange::Password(password)
            } else if self.option("NAME")? {
                LoginChange::Name(self.identifier()?)
            } else if self.option("DEFAULT_DATABASE")? || self.option("DEFAULT_LANGUAGE")? {
                self.advance();
                LoginChange::Other
            } else {
                return Err(self.unexpected());
            }
        };
        Ok(Security::AlterLogin { name, change })
    }

    fn permission(&mut self, verb: Verb) -> Result<Security, SqlError> {
        let option_only = verb == Verb::Revoke && self.words("GRANT OPTION FOR");
        let mut permissions = Vec::new();
        loop {
            permissions.push(self.permission_name()?);
            if !self.symbol(",") {
                break;
            }
        }
        let on = if self.words("ON") {
            let on = self.on()?;
            // The columns may stand behind the object as well.
            let columns = self.column_list()?;
            for (_, of_permission) in &mut permissions {
                of_permission.extend(columns.iter().cloned());
            }
            on
        } else {
            On::Database(None)
        };
        if !(self.words("TO") || (verb == Verb::Revoke && self.words("FROM"))) {
            return Err(self.unexpected());
        }
        let mut principals = vec![self.identifier()?];
        while self.symbol(",") {
            principals.push(self.identifier()?);
        }
        let with_option = verb == Verb::Grant && self.words("WITH GRANT OPTION");
        let cascade = verb != Verb::Grant && self.words("CASCADE");
        if self.words("AS") {
            self.identifier()?;
        }
        Ok(Security::Permission(PermissionStatement {
            verb,
            option_only,
            permissions,
            on,
            principals,
            with_option,
            cascade,
        }))
    }

    /// Words up to `,`, `(`, ON, TO or FROM, and columns in parentheses.
    fn permission_name(&mut self) -> Result<(String, Vec<String>), SqlError> {
        let mut words = Vec::new();
        while !["ON", "TO", "FROM"].iter().any(|word| self.at_word(word)) {
            match self.peek().and_then(|token| token.upper()) {
                Some(word) => {
                    self.advance();
                    words.push(word);
                }
                None => break,
            }
        }
        if words.is_empty() {
            return Err(self.unexpected());
        }
        let columns = self.column_list()?;
        let name = match words.join(" ").as_str() {
            "EXEC" => "EXECUTE".to_owned(),
            "ALL PRIVILEGES" => "ALL".to_owned(),
            name => name.to_owned(),
        };
        Ok((name, columns))
    }

    /// Columns in parentheses, when there are any.
    fn column_list(&mut self) -> Result<Vec<String>, SqlError> {
        let mut columns = Vec::new();
        if self.symbol("(") {
            columns.push(self.identifier()?);
            while self.symbol(",") {
                columns.push(self.identifier()?);
            }
            self.expect_symbol(")")?;
        }
        Ok(columns)
    }

    fn on(&mut self) -> Result<On, SqlError> {
        for class in ["DATABASE", "SCHEMA", "OBJECT", "USER", "ROLE"] {
            let prefixed = self.at_word(class) && self.followed_by("::");
            if !prefixed {
                continue;
            }
            self.advance();
            self.advance();
            return Ok(match class {
                "DATABASE" => On::Database(Some(self.identifier()?)),
                "SCHEMA" => On::Schema(self.identifier()?),
                "USER" => On::User(self.identifier()?),
                "ROLE" => On::Role(self.identifier()?),
                _ => On::Object(self.name()?),
            });
        }
        self.name().map(On::Object)
    }
}
