//! A batch into statements: control flow, queries, transactions, calls.
//!
//! The whole batch is parsed before any of it runs, as on the server.

use super::ast::{Argument, Exec, Located, Name, Parameter, Statement, Tokens};
use super::error::SqlError;
use super::lexer::{Lexed, Token, lex};
use super::parser::{Parser, STARTERS, split};

/// Operators that assign, and what they do before.
const COMPOUND: [(&str, &str); 5] = [
    ("+=", "+"),
    ("-=", "-"),
    ("*=", "*"),
    ("/=", "/"),
    ("%=", "%"),
];

/// How deep statements may lie in one another.
const DEEPEST: u32 = 64;

/// Parses a whole batch.
pub fn parse(source: &str) -> Result<Vec<Located>, SqlError> {
    let tokens = lex(source)?;
    let mut parser = Parser::new(source, &tokens);
    let mut statements = Vec::new();
    while parser.skip_semicolons() {
        statements.push(parser.located()?);
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
pub fn parse_procedure(source: &str) -> Result<(Vec<Parameter>, Vec<Located>), SqlError> {
    let tokens = lex(source)?;
    let mut parser = Parser::new(source, &tokens);
    parser.procedure_head()?;
    let parameters = parser.procedure_parameters()?;
    let mut body = Vec::new();
    while parser.skip_semicolons() {
        body.push(parser.located()?);
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

    /// The next statement, with the line that it is in.
    pub fn located(&mut self) -> Result<Located, SqlError> {
        self.skip_semicolons();
        let line = self.peek().map_or(0, |token| token.line);
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(SqlError::too_deep());
        }
        let statement = self.statement().map_err(|error| error.at(line, None))?;
        self.depth -= 1;
        Ok(Located { line, statement })
    }

    fn statement(&mut self) -> Result<Statement, SqlError> {
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
                self.loops += 1;
                let body = Box::new(self.located()?);
                self.loops -= 1;
                Ok(Statement::While { condition, body })
            }
            "BREAK" | "CONTINUE" if self.loops == 0 => {
                let (number, message) = match word.as_str() {
                    "BREAK" => (
                        135,
                        "Cannot use a BREAK statement outside the scope of a WHILE statement.",
                    ),
                    _ => (
                        136,
                        "Cannot use a CONTINUE statement outside the scope of a WHILE statement.",
                    ),
                };
                Err(SqlError::new(number, 15, message))
            }
            "BREAK" => {
                self.at += 1;
                Ok(Statement::Break)
            }
            "CONTINUE" => {
                self.at += 1;
                Ok(Statement::Continue)
            }
            "BEGIN" => self.begin(),
            "COMMIT" | "ROLLBACK" => {
                self.at += 1;
                let _ = self.words("TRANSACTION") || self.words("TRAN") || self.words("WORK");
                let name = self.transaction_name();
                Ok(match word.as_str() {
                    "COMMIT" => Statement::Commit,
                    _ => Statement::Rollback(name),
                })
            }
            "SAVE" => {
                self.at += 1;
                if !self.words("TRANSACTION") {
                    self.expect("TRAN")?;
                }
                let name = self.transaction_name();
                name.map(Statement::Save).ok_or_else(|| self.unexpected())
            }
            "WAITFOR" => {
                self.at += 1;
                self.expect("DELAY")?;
                Ok(Statement::Wait(self.rest_of_expression()))
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
                self.identifier().map(Statement::Use)
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
        if let Some(variable) = self.peek()
            && let Token::Variable(name) = &variable.token
        {
            self.at += 1;
            let operator = COMPOUND
                .iter()
                .find(|(compound, _)| self.at_symbol(compound));
            if operator.is_some() {
                self.at += 1;
            } else {
                self.expect_symbol("=")?;
            }
            let mut value = self.rest_of_expression();
            if let Some((_, operator)) = operator {
                let symbol = |symbol| Lexed {
                    token: Token::Symbol(symbol),
                    ..variable.clone()
                };
                value.splice(..0, [variable.clone(), symbol(operator), symbol("(")]);
                value.push(symbol(")"));
            }
            return Ok(Statement::SetVariable(name.clone(), value));
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
        let then = Box::new(self.located()?);
        while self.at_symbol(";") && self.ahead(1).is_some_and(|t| t.is_word("ELSE")) {
            self.at += 1;
        }
        let otherwise = if self.words("ELSE") {
            Some(Box::new(self.located()?))
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
            return Ok(Statement::Begin(self.transaction_name()));
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
    fn block(&mut self, what: &str) -> Result<Vec<Located>, SqlError> {
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
            statements.push(self.located()?);
        }
    }

    /// A transaction's or savepoint's name. A variable stands for itself, so that the same one
    /// finds it again.
    fn transaction_name(&mut self) -> Option<String> {
        let name = match &self.peek()?.token {
            Token::Quoted(name) => name.clone(),
            Token::Variable(name) => format!("@{name}"),
            Token::Word(word) => {
                let upper = word.to_ascii_uppercase();
                let other = STARTERS.contains(&upper.as_str())
                    || matches!(upper.as_str(), "SELECT" | "SET" | "WITH");
                Some(word).filter(|_| !other)?.clone()
            }
            _ => return None,
        };
        self.at += 1;
        Some(name)
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
            statements[0].statement,
            Statement::If {
                otherwise: Some(_),
                ..
            }
        ));
        assert!(
            matches!(&statements[1].statement, Statement::Try { body, handler }
            if body.len() == 2 && handler.len() == 2)
        );
    }

    #[test]
    fn arguments_of_a_call_are_taken_apart() {
        let statements =
            parse("exec sp_set_session_context @key = N'a', @value = @v, @read_only = 1").unwrap();
        assert!(
            matches!(&statements[0].statement, Statement::Exec(exec) if exec.arguments.len() == 3)
        );
    }

    #[test]
    fn statements_and_mistakes_know_their_line() {
        let statements = parse("select 1\n\nif 1 = 1\n  print 'a'").unwrap();
        assert_eq!(statements[1].line, 3);
        assert!(matches!(&statements[1].statement, Statement::If { then, .. } if then.line == 4));
        assert_eq!(parse("select 1\n)").unwrap_err().line, 2);
        assert_eq!(parse("select 1\nselect 'x").unwrap_err().line, 2);
    }

    #[test]
    fn a_compound_assignment_computes_first() {
        let statements = parse("set @n -= 1 + 2").unwrap();
        let Statement::SetVariable(name, value) = &statements[0].statement else {
            panic!("{statements:?}");
        };
        let text = super::super::parse_ddl::to_text(value);
        assert_eq!((name.as_str(), text.as_str()), ("n", "@n -(1 + 2)"));
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = "if 1 = 1 ".repeat(5_000) + "select 1";
        assert_eq!(parse(&deep).unwrap_err().number, 191);
    }

    #[test]
    fn nonsense_is_error_102() {
        assert_eq!(parse("select 1; )").unwrap_err().number, 102);
        assert_eq!(parse("if 1 = 1 break").unwrap_err().number, 135);
        assert_eq!(
            parse("while 1 = 1 select 1 continue").unwrap_err().number,
            136
        );
    }
}
