//! Definitions of schemas, tables, indexes, modules and security policies.

use super::ast::{ColumnDefinition, Ddl, PredicateDefinition, Procedure, Tokens};
use super::error::SqlError;
use super::lexer::{Lexed, Token};
use super::parser::{Parser, split};

impl Parser<'_> {
    /// Everything that CREATE, ALTER and DROP can begin besides security.
    pub fn ddl(&mut self) -> Result<Ddl, SqlError> {
        let start = self.peek().map_or(0, |token| token.start);
        if self.words("CREATE SCHEMA") {
            return self.create_schema();
        }
        if self.words("DROP SCHEMA") {
            let if_exists = self.words("IF EXISTS");
            return Ok(Ddl::DropSchema {
                name: self.identifier()?,
                if_exists,
            });
        }
        if self.words("CREATE TABLE") {
            return self.create_table();
        }
        if self.words("ALTER TABLE") {
            return self.alter_table();
        }
        if self.words("DROP TABLE") {
            let if_exists = self.words("IF EXISTS");
            return Ok(Ddl::DropTable {
                names: self.names()?,
                if_exists,
            });
        }
        if self.words("CREATE SECURITY POLICY") {
            return self.create_policy();
        }
        if self.words("ALTER SECURITY POLICY") {
            return self.alter_policy();
        }
        if self.words("DROP SECURITY POLICY") {
            return self.drop_module("security policy");
        }
        for kind in ["VIEW", "PROCEDURE", "PROC", "FUNCTION"] {
            if self.words(&format!("DROP {kind}")) {
                return self.drop_module(match kind {
                    "VIEW" => "view",
                    "FUNCTION" => "function",
                    _ => "procedure",
                });
            }
        }
        if let Some(index) = self.create_index()? {
            return Ok(index);
        }
        self.module(start)
    }

    fn create_schema(&mut self) -> Result<Ddl, SqlError> {
        if let Some(owner) = self.authorization()? {
            return Ok(Ddl::CreateSchema {
                name: owner.clone(),
                owner: Some(owner),
            });
        }
        let name = self.identifier()?;
        Ok(Ddl::CreateSchema {
            name,
            owner: self.authorization()?,
        })
    }

    fn drop_module(&mut self, kind: &'static str) -> Result<Ddl, SqlError> {
        let if_exists = self.words("IF EXISTS");
        Ok(Ddl::DropModule {
            kind,
            names: self.names()?,
            if_exists,
        })
    }

    fn create_table(&mut self) -> Result<Ddl, SqlError> {
        let name = self.name()?;
        let inside = self.parenthesised()?;
        // `ON [PRIMARY]`, `WITH (…)`, `TEXTIMAGE_ON …`: where it is stored is nobody's concern.
        self.until(|_| false);
        let (mut columns, mut constraints) = (Vec::new(), Vec::new());
        for item in split(&inside, ",") {
            let first = item.first().and_then(Lexed::upper).unwrap_or_default();
            match first.as_str() {
                "CONSTRAINT" | "PRIMARY" | "UNIQUE" | "FOREIGN" | "CHECK" => constraints.push(item),
                "INDEX" | "PERIOD" => {}
                _ => columns.push(self.column(&item)?),
            }
        }
        Ok(Ddl::CreateTable {
            name,
            columns,
            constraints,
        })
    }

    fn column(&self, tokens: &[Lexed]) -> Result<ColumnDefinition, SqlError> {
        let mut parser = Parser::new(self.source, tokens);
        let name = parser.identifier()?;
        let ty = parser.column_type()?;
        let (mut identity, mut not_null) = (false, false);
        let mut constraints = Tokens::new();
        while let Some(token) = parser.peek() {
            if parser.words("IDENTITY") {
                identity = true;
                if parser.at_symbol("(") {
                    parser.parenthesised()?;
                }
                continue;
            }
            if parser.words("COLLATE") || parser.words("MASKED WITH") {
                if parser.at_symbol("(") {
                    drop(parser.parenthesised()?)
                } else {
                    parser.advance();
                }
                continue;
            }
            not_null |= parser.at_word("NOT") || parser.at_word("PRIMARY");
            constraints.push(token.clone());
            parser.advance();
        }
        Ok(ColumnDefinition {
            name,
            ty,
            identity,
            not_null,
            constraints,
        })
    }

    fn alter_table(&mut self) -> Result<Ddl, SqlError> {
        let table = self.name()?;
        if !self.words("ADD") {
            return Err(SqlError::unsupported("ALTER TABLE"));
        }
        if self.at_word("CONSTRAINT") {
            return Err(SqlError::unsupported("ALTER TABLE ADD CONSTRAINT"));
        }
        let tokens = self.until(|_| false);
        Ok(Ddl::AddColumn {
            table,
            column: self.column(&tokens)?,
        })
    }

    fn create_index(&mut self) -> Result<Option<Ddl>, SqlError> {
        let mut unique = false;
        let forms = [
            "",
            "UNIQUE ",
            "CLUSTERED ",
            "NONCLUSTERED ",
            "UNIQUE CLUSTERED ",
            "UNIQUE NONCLUSTERED ",
        ];
        let found = forms.iter().any(|form| {
            unique = form.starts_with("UNIQUE");
            self.words(&format!("CREATE {form}INDEX"))
        });
        if !found {
            return Ok(None);
        }
        let name = self.identifier()?;
        self.expect("ON")?;
        let table = self.name()?;
        let columns = self.parenthesised()?;
        self.until(|_| false);
        Ok(Some(Ddl::CreateIndex {
            unique,
            name,
            table,
            columns,
        }))
    }

    /// `CREATE [OR ALTER] VIEW | PROCEDURE | FUNCTION`; the rest of the batch is its body.
    fn module(&mut self, start: usize) -> Result<Ddl, SqlError> {
        let is = |parser: &Self, kind: &str| parser.module_kind().is_some_and(|k| k == kind);
        if is(self, "PROCEDURE") || is(self, "PROC") {
            let (name, replace) = self.procedure_head()?;
            // Parsed now so that a mistake shows when the procedure is created.
            let text = self.module_text(start);
            super::parse::parse_procedure(&text)?;
            return Ok(Ddl::CreateProcedure(Procedure {
                name,
                text,
                replace,
            }));
        }
        if is(self, "VIEW") {
            let replace = self.create_or_alter()?;
            self.expect("VIEW")?;
            let name = self.name()?;
            while self.peek().is_some_and(|token| !token.is_word("AS")) {
                self.advance();
            }
            self.expect("AS")?;
            let mut query = Tokens::new();
            while let Some(token) = self.advance() {
                query.push(token.clone());
            }
            while query.last().is_some_and(|token| token.is(";")) {
                query.pop();
            }
            let text = self.module_text(start);
            return Ok(Ddl::CreateView {
                name,
                query,
                text,
                replace,
            });
        }
        if is(self, "FUNCTION") {
            let replace = self.create_or_alter()?;
            self.expect("FUNCTION")?;
            let name = self.name()?;
            self.parenthesised()?;
            self.expect("RETURNS")?;
            let inline = self.at_word("TABLE");
            return Ok(Ddl::CreateFunction {
                name,
                text: self.module_text(start),
                inline,
                replace,
            });
        }
        Err(self.unexpected())
    }

    fn create_or_alter(&mut self) -> Result<bool, SqlError> {
        if self.words("CREATE OR ALTER") {
            return Ok(true);
        }
        if self.words("CREATE") {
            return Ok(false);
        }
        self.expect("ALTER")?;
        Ok(true)
    }

    fn create_policy(&mut self) -> Result<Ddl, SqlError> {
        let name = self.name()?;
        let mut predicates = Vec::new();
        while self.words("ADD") {
            predicates.push(self.predicate()?);
            let _ = self.symbol(",");
        }
        let enabled = self.policy_state()?.unwrap_or(true);
        if self.words("NOT FOR REPLICATION") || !predicates.is_empty() {
            return Ok(Ddl::CreatePolicy {
                name,
                predicates,
                enabled,
            });
        }
        Err(self.unexpected())
    }

    fn alter_policy(&mut self) -> Result<Ddl, SqlError> {
        let name = self.name()?;
        let (mut add, mut drop) = (Vec::new(), Vec::new());
        loop {
            if self.words("ADD") {
                add.push(self.predicate()?);
            } else if self.words("DROP") {
                let block = self.words("BLOCK");
                if !block {
                    self.expect("FILTER")?;
                }
                self.expect("PREDICATE")?;
                self.expect("ON")?;
                drop.push((block, self.name()?));
            } else {
                break;
            }
            let _ = self.symbol(",");
        }
        let enabled = self.policy_state()?;
        Ok(Ddl::AlterPolicy {
            name,
            add,
            drop,
            enabled,
        })
    }

    fn predicate(&mut self) -> Result<PredicateDefinition, SqlError> {
        let block = self.words("BLOCK");
        if !block {
            let _ = self.words("FILTER");
        }
        self.expect("PREDICATE")?;
        let function = self.until(|token| token.is_word("ON"));
        self.expect("ON")?;
        let target = self.name()?;
        let operation = [
            "AFTER INSERT",
            "AFTER UPDATE",
            "BEFORE UPDATE",
            "BEFORE DELETE",
        ]
        .iter()
        .find(|words| self.words(words))
        .map(|words| (*words).to_owned());
        Ok(PredicateDefinition {
            block,
            function,
            target,
            operation,
        })
    }

    /// `WITH (STATE = ON | OFF, SCHEMABINDING = …)`.
    fn policy_state(&mut self) -> Result<Option<bool>, SqlError> {
        if !self.words("WITH") {
            return Ok(None);
        }
        let mut state = None;
        for option in split(&self.parenthesised()?, ",") {
            let value = option.last().is_some_and(|token| token.is_word("ON"));
            if option.first().is_some_and(|token| token.is_word("STATE")) {
                state = Some(value);
            }
        }
        Ok(state)
    }

    /// Whether the token after the next is this symbol.
    pub fn followed_by(&self, symbol: &str) -> bool {
        self.ahead(1).is_some_and(|token| token.is(symbol))
    }

    /// The word that names the kind of module in `CREATE [OR ALTER] kind`.
    fn module_kind(&self) -> Option<String> {
        let second = self.ahead(1)?;
        let kind = if second.is_word("OR") {
            self.ahead(3)?
        } else {
            second
        };
        kind.upper()
    }
}

/// The tokens as text again, for definitions that the catalogue shows.
pub fn to_text(tokens: &[Lexed]) -> String {
    let mut text = String::new();
    for token in tokens {
        let written = match &token.token {
            Token::Word(word) | Token::Number(word) => word.clone(),
            Token::Quoted(name) => format!("[{}]", name.replace(']', "]]")),
            Token::Text(value) => format!("N'{}'", value.replace('\'', "''")),
            Token::Binary(bytes) => format!("0x{}", super::value::hex(bytes)),
            Token::Variable(name) => format!("@{name}"),
            Token::Global(name) => format!("@@{name}"),
            Token::Symbol(symbol) => (*symbol).to_owned(),
        };
        let tight = matches!(written.as_str(), "." | "(" | ")" | ",") || text.ends_with(['.', '(']);
        // A point and a number would become one number.
        let point = (written == "." && text.ends_with(|c: char| c.is_ascii_digit()))
            || (text.ends_with('.') && written.starts_with(|c: char| c.is_ascii_digit()));
        if !text.is_empty() && (!tight || point) {
            text.push(' ');
        }
        text.push_str(&written);
    }
    text
}

/// The predicate of a security policy as sys.security_predicates shows it.
pub fn predicate_text(function: &[Lexed]) -> String {
    format!("({})", to_text(function))
}
