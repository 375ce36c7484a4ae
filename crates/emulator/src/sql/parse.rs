//! A batch into statements: control flow, queries, transactions, calls.
//!
//! The whole batch is parsed before any of it runs, as on the server.

use super::ast::{Argument, Exec, Name, Parameter, Statement, Tokens};
use super::error::SqlError;
use super::lexer::{Lexed, Token, lex};
use super::parser::{Parser, STARTERS, split};

/// Parses a whole batch.
pub fn parse(source: &str) -> Result<Vec<Statement>, SqlError> {
    let tokens = lex(source)?;
    let mut parser = Parser::new(source, &tokens);
    let mut statements = Vec::new();
    while parser.skip_semicolons() {
        statements.push(parser.statement()?);
    }
    Ok(statements)
}

/// Parses a parameter list as sp_executesql takes it.
pub fn parse_parameters(source: &str) -> Result<Vec<Parameter>, SqlError> {
    let tokens = lex(source)?;
    let mut parser = Parser::new(source, &tokens);
    if parser.peek().is_none() {
        return Ok(Vec::new());
    }
    let parameters = parser.parameters()?;
    match parser.peek() {
        None => Ok(parameters),
        Some(_) => Err(parser.unexpected()),
    }
}

/// Parses a stored procedure's text: its parameters and its body.
pub fn parse_procedure(source: &str) -> Result<(Vec<Parameter>, Vec<Statement>), SqlError> {
    let tokens = lex(source)?;
    let mut parser = Parser::new(source, &tokens);
    parser.procedure_head()?;
    let parameters = parser.procedure_parameters()?;
    let mut body = Vec::new();
    while parser.skip_semicolons() {
        body.push(parser.statement()?);
    }
    Ok((parameters, body))
}

impl Parser<'_> {
    fn rest(&mut self) -> Tokens {
        self.until(|_| false)
    }

    /// A condition: up to the statement that it guards.
    fn condition(&mut self) -> Result<Tokens, SqlError> {
        let start = self.at;
        let tokens = self.until(|token| token.is_word("SELECT") || token.is_word("SET"));
        if self.at == start {
            Err(self.unexpected())
        } else {
            Ok(tokens)
        }
    }

    pub fn skip_semicolons(&mut self) -> bool {
        while self.symbol(";") {}
        self.peek().is_some()
    }

    pub fn statement(&mut self) -> Result<Statement, SqlError> {
        while self.symbol(";") {}
        let Some(token) = self.peek() else {
            return Err(self.unexpected());
        };
        let Some(word) = token.upper() else {
            return if token.is("(") {
                Ok(Statement::Query(self.rest()))
            } else {
                self.call()
            };
        };
        match word.as_str() {
            "SELECT" | "WITH" => Ok(Statement::Query(self.whole())),
            "INSERT" => Ok(Statement::Insert(self.whole())),
            "UPDATE" => Ok(Statement::Update(self.whole())),
            "DELETE" => Ok(Statement::Delete(self.whole())),
            "TRUNCATE" => {
                self.expect("TRUNCATE TABLE")?;
                Ok(Statement::Truncate(self.name()?))
            }
            "SET" => self.set(),
            "DECLARE" => self.declare(),
            "IF" => self.branch(),
            "WHILE" => {
                self.at += 1;
                let condition = self.condition()?;
                Ok(Statement::While {
                    condition,
                    body: Box::new(self.statement()?),
                })
            }
            "BEGIN" => self.begin(),
            "COMMIT" | "ROLLBACK" => {
                self.at += 1;
                let _ = self.words("TRANSACTION") || self.words("TRAN") || self.words("WORK");
                self.transaction_name();
                let commit = word == "COMMIT";
                Ok(if commit {
                    Statement::Commit
                } else {
                    Statement::Rollback
                })
            }
            "PRINT" => {
                self.at += 1;
                Ok(Statement::Print(self.rest()))
            }
            "THROW" => self.throw(),
            "RAISERROR" => {
                self.at += 1;
                let inside = self.parenthesised()?;
                Ok(Statement::RaiseError(split(&inside, ",")))
            }
            "RETURN" => {
                self.at += 1;
                let value = self.until(|token| token.is_word("SELECT"));
                Ok(Statement::Return(
                    Some(value).filter(|tokens| !tokens.is_empty()),
                ))
            }
            "EXEC" | "EXECUTE" => self.exec(),
            "REVERT" => {
                self.at += 1;
                Ok(Statement::Revert)
            }
            "USE" => {
                self.at += 1;
                self.identifier()?;
                Ok(Statement::Use)
            }
            "CREATE" | "ALTER" | "DROP" | "GRANT" | "DENY" | "REVOKE" => self.definition(),
            _ => self.call(),
        }
    }

    /// The statement from its first word, which the scan must not take for a new statement.
    fn whole(&mut self) -> Tokens {
        let start = self.at;
        self.at += 1;
        self.scan(start, |_| false)
    }

    fn set(&mut self) -> Result<Statement, SqlError> {
        self.at += 1;
        if let Some(Token::Variable(name)) = self.peek().map(|token| &token.token) {
            self.at += 1;
            self.expect_symbol("=")?;
            return Ok(Statement::SetVariable(
                name.clone(),
                self.rest_of_expression(),
            ));
        }
        Ok(Statement::SetOption(self.rest_of_expression()))
    }

    /// Up to the end of an expression: a SELECT at this depth is a new statement.
    fn rest_of_expression(&mut self) -> Tokens {
        self.until(|token| token.is_word("SELECT") || token.is_word("SET"))
    }

    fn declare(&mut self) -> Result<Statement, SqlError> {
        self.at += 1;
        let mut variables = Vec::new();
        loop {
            let name = self.variable()?;
            let _ = self.words("AS");
            let ty = self.column_type()?;
            let value = self
                .symbol("=")
                .then(|| self.until(|t| t.is(",") || t.is_word("SELECT") || t.is_word("SET")));
            variables.push((name, ty, value));
            if !self.symbol(",") {
                return Ok(Statement::Declare(variables));
            }
        }
    }

    fn branch(&mut self) -> Result<Statement, SqlError> {
        self.at += 1;
        let condition = self.condition()?;
        let then = Box::new(self.statement()?);
        while self.at_symbol(";") && self.ahead(1).is_some_and(|t| t.is_word("ELSE")) {
            self.at += 1;
        }
        let otherwise = if self.words("ELSE") {
            Some(Box::new(self.statement()?))
        } else {
            None
        };
        Ok(Statement::If {
            condition,
            then,
            otherwise,
        })
    }

    fn begin(&mut self) -> Result<Statement, SqlError> {
        self.at += 1;
        if self.words("TRANSACTION") || self.words("TRAN") {
            self.transaction_name();
            return Ok(Statement::Begin);
        }
        if self.words("TRY") {
            let body = self.block("TRY")?;
            let _ = self.symbol(";");
            self.expect("BEGIN CATCH")?;
            return Ok(Statement::Try {
                body,
                handler: self.block("CATCH")?,
            });
        }
        self.block("").map(Statement::Block)
    }

    /// Statements up to `END`, and the word after it.
    fn block(&mut self, what: &str) -> Result<Vec<Statement>, SqlError> {
        let mut statements = Vec::new();
        loop {
            if !self.skip_semicolons() {
                return Err(self.unexpected());
            }
            if self.words("END") {
                if !what.is_empty() {
                    self.expect(what)?;
                }
                return Ok(statements);
            }
            statements.push(self.statement()?);
        }
    }

    /// A transaction's name or `WITH (DELAYED_DURABILITY …)`: neither means anything here.
    fn transaction_name(&mut self) {
        let named = self.peek().is_some_and(|token| match &token.token {
            Token::Quoted(_) | Token::Variable(_) => true,
            Token::Word(word) => {
                let word = word.to_ascii_uppercase();
                !STARTERS.contains(&word.as_str())
                    && !matches!(word.as_str(), "SELECT" | "SET" | "WITH")
            }
            _ => false,
        });
        self.at += usize::from(named);
    }

    fn throw(&mut self) -> Result<Statement, SqlError> {
        self.at += 1;
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(Statement::Throw(None));
        }
        match <[Tokens; 3]>::try_from(split(&rest, ",")) {
            Ok([number, message, state]) => Ok(Statement::Throw(Some((number, message, state)))),
            Err(_) => Err(self.unexpected()),
        }
    }

    fn exec(&mut self) -> Result<Statement, SqlError> {
        self.at += 1;
        if self.words("AS") {
            if !self.words("USER") {
                return Err(SqlError::unsupported("EXECUTE AS LOGIN"));
            }
            self.expect_symbol("=")?;
            return Ok(Statement::ExecuteAs(self.rest_of_expression()));
        }
        if self.at_symbol("(") {
            return Ok(Statement::ExecText(self.parenthesised()?));
        }
        self.call()
    }

    /// `procedure arguments`, with or without EXEC before it.
    fn call(&mut self) -> Result<Statement, SqlError> {
        if matches!(self.peek().map(|t| &t.token), Some(Token::Variable(_))) {
            self.at += 1;
            self.expect_symbol("=")?;
        }
        let procedure = self.name()?;
        let mut arguments = Vec::new();
        while self.peek().is_some_and(|t| !t.is(";") && !t.is(")")) && !self.starts_other() {
            let name = match (self.peek().map(|t| &t.token), self.ahead(1)) {
                (Some(Token::Variable(name)), Some(next)) if next.is("=") => {
                    self.at += 2;
                    Some(name.clone())
                }
                _ => None,
            };
            let mut value = self.until(|t| t.is(",") || t.is_word("SELECT") || t.is_word("SET"));
            let marked = value
                .last()
                .is_some_and(|t| t.is_word("OUTPUT") || t.is_word("OUT"));
            let output = match value.first().map(|t| t.token.clone()) {
                Some(Token::Variable(variable)) if marked => Some(variable),
                _ => None,
            };
            if marked {
                value.pop();
            }
            if value.is_empty() {
                return Err(self.unexpected());
            }
            arguments.push(Argument {
                name,
                value,
                output,
            });
            if !self.symbol(",") {
                break;
            }
        }
        Ok(Statement::Exec(Exec {
            procedure,
            arguments,
        }))
    }

    fn starts_other(&self) -> bool {
        self.peek().and_then(Lexed::upper).is_some_and(|word| {
            STARTERS.contains(&word.as_str()) || matches!(word.as_str(), "SELECT" | "SET")
        })
    }

    /// `@a int = 1 OUTPUT, …`.
    pub fn parameters(&mut self) -> Result<Vec<Parameter>, SqlError> {
        let mut parameters = Vec::new();
        loop {
            let name = self.variable()?;
            let _ = self.words("AS");
            let ty = self.column_type()?;
            let default = self.symbol("=").then(|| {
                self.until(|t| {
                    t.is(",")
                        || ["AS", "OUTPUT", "OUT", "READONLY"]
                            .iter()
                            .any(|w| t.is_word(w))
                })
            });
            let output = self.words("OUTPUT") || self.words("OUT");
            let _ = self.words("READONLY");
            parameters.push(Parameter {
                name,
                ty,
                default,
                output,
            });
            if !self.symbol(",") {
                return Ok(parameters);
            }
        }
    }

    /// `CREATE [OR ALTER] PROCEDURE name`, up to the parameters.
    pub fn procedure_head(&mut self) -> Result<(Name, bool), SqlError> {
        let replace = !self.words("CREATE");
        if replace {
            self.expect("ALTER")?;
        }
        let replace = self.words("OR ALTER") || replace;
        if !self.words("PROCEDURE") {
            self.expect("PROC")?;
        }
        Ok((self.name()?, replace))
    }

    /// The parameters of a procedure and the AS after them.
    pub fn procedure_parameters(&mut self) -> Result<Vec<Parameter>, SqlError> {
        let open = self.symbol("(");
        let has = matches!(self.peek().map(|t| &t.token), Some(Token::Variable(_)));
        let parameters = if has { self.parameters()? } else { Vec::new() };
        if open {
            self.expect_symbol(")")?;
        }
        while self.peek().is_some_and(|token| !token.is_word("AS")) {
            self.at += 1;
        }
        self.expect("AS")?;
        Ok(parameters)
    }

    /// The text from `start` to the end of the batch, which belongs to a module.
    pub fn module_text(&mut self, start: usize) -> String {
        self.at = self.tokens.len();
        self.source[start..].trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(source: &str) -> usize {
        parse(source).unwrap().len()
    }

    #[test]
    fn statements_need_no_semicolons() {
        assert_eq!(count("select 1 select 2 insert t values (1) select 3"), 4);
        assert_eq!(
            count("insert into t (a) select a from u update t set a = 1 where b = 2"),
            2
        );
        assert_eq!(
            count("with c as (select 1 as x) select x from c union all select 2"),
            1
        );
        assert_eq!(
            count("set nocount on\nset xact_abort on\nselect case when 1=1 then 2 end"),
            3
        );
        assert_eq!(
            count("select 1 from t with (nolock) where a in (select b from c)"),
            1
        );
    }

    #[test]
    fn blocks_branches_and_handlers_nest() {
        let statements = parse(
            "if not exists (select 1 from sys.schemas) begin create role a; create role b end \
             else print 'x'; begin try begin tran; commit end try begin catch rollback; throw; end \
             catch",
        )
        .unwrap();
        assert_eq!(statements.len(), 2);
        assert!(matches!(
            statements[0],
            Statement::If {
                otherwise: Some(_),
                ..
            }
        ));
        assert!(matches!(&statements[1], Statement::Try { body, handler }
            if body.len() == 2 && handler.len() == 2));
    }

    #[test]
    fn arguments_of_a_call_are_taken_apart() {
        let statements =
            parse("exec sp_set_session_context @key = N'a', @value = @v, @read_only = 1").unwrap();
        assert!(matches!(&statements[0], Statement::Exec(exec) if exec.arguments.len() == 3));
    }

    #[test]
    fn nonsense_is_error_102() {
        assert_eq!(parse("select 1; )").unwrap_err().number, 102);
    }
}
