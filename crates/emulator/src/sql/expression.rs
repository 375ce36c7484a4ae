//! Expressions in the storage's dialect.
//!
//! What differs: `+` joins strings, names may have a schema before the table, CAST and CONVERT know
//! T-SQL's types, some functions have other names, and text compares without case.

use super::error::SqlError;
use super::lexer::{Lexed, Token};
use super::parser::{Parser, split};
use super::rewrite::{Rewriter, quote};
use super::value::{ColumnType, hex};

/// An expression's text, and its type where the text alone tells.
pub struct Expression {
    pub text: String,
    pub ty: Option<ColumnType>,
}

/// A part of an expression: an operand, or what stands between operands.
struct Piece {
    text: String,
    /// For operands: the type, if known, and whether it is text.
    operand: Option<(Option<ColumnType>, bool)>,
}

impl Piece {
    fn other(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            operand: None,
        }
    }

    fn operand(text: String, ty: Option<ColumnType>) -> Self {
        Self {
            text,
            operand: Some((ty, ty.is_some_and(ColumnType::is_text))),
        }
    }
}

/// Reserved words that can stand inside an expression.
const KEYWORDS: &[&str] = &[
    "ALL", "AND", "ANY", "AS", "ASC", "BETWEEN", "BY", "CASE", "DEFAULT", "DESC", "DISTINCT",
    "ELSE", "END", "ESCAPE", "EXISTS", "FROM", "IN", "IS", "LIKE", "NOT", "NULL", "ON", "OR",
    "ORDER", "OVER", "SOME", "THEN", "VALUES", "WHEN",
];

/// Words that are keywords only inside `OVER (…)`.
const WINDOW: &[&str] = &[
    "CURRENT",
    "FOLLOWING",
    "PARTITION",
    "PRECEDING",
    "RANGE",
    "ROW",
    "ROWS",
    "UNBOUNDED",
];

const TEXT_FUNCTIONS: &[&str] = &[
    "app_name",
    "char",
    "col_name",
    "concat",
    "concat_ws",
    "db_name",
    "error_message",
    "error_procedure",
    "host_name",
    "json_value",
    "lower",
    "ltrim",
    "nchar",
    "object_name",
    "object_schema_name",
    "original_login",
    "quotename",
    "replace",
    "replicate",
    "reverse",
    "rtrim",
    "schema_name",
    "string_agg",
    "substring",
    "suser_name",
    "suser_sname",
    "trim",
    "tsql_left",
    "tsql_right",
    "type_name",
    "upper",
    "user_name",
];

const INT_FUNCTIONS: &[&str] = &[
    "charindex",
    "count",
    "database_principal_id",
    "datalength",
    "datediff",
    "day",
    "db_id",
    "error_line",
    "error_number",
    "error_severity",
    "error_state",
    "has_dbaccess",
    "has_perms_by_name",
    "is_member",
    "is_rolemember",
    "is_srvrolemember",
    "len",
    "month",
    "object_id",
    "schema_id",
    "unicode",
    "user_id",
    "xact_state",
    "year",
];

fn function_type(name: &str) -> Option<ColumnType> {
    match name {
        _ if TEXT_FUNCTIONS.contains(&name) => Some(ColumnType::Text(Some(4000))),
        _ if INT_FUNCTIONS.contains(&name) => Some(ColumnType::Int),
        "count_big" | "row_number" | "rank" | "dense_rank" => Some(ColumnType::BigInt),
        "getdate" | "getutcdate" | "dateadd" => Some(ColumnType::DateTime),
        "sysutcdatetime" | "sysdatetime" => Some(ColumnType::DateTime2(7)),
        "sysdatetimeoffset" => Some(ColumnType::DateTimeOffset(7)),
        "newid" => Some(ColumnType::Guid),
        "suser_sid" => Some(ColumnType::Binary(Some(85))),
        "scope_identity" => Some(ColumnType::Decimal {
            precision: 38,
            scale: 0,
        }),
        _ => None,
    }
}

/// How deep CASE may lie in CASE, on the service as well.
const MOST_CASES: u32 = 10;

impl Rewriter<'_> {
    /// A list of expressions separated by commas.
    pub fn expressions(&mut self, tokens: &[Lexed]) -> Result<String, SqlError> {
        let parts = split(tokens, ",");
        let parts: Result<Vec<String>, SqlError> = parts
            .iter()
            .map(|part| self.expression(part).map(|e| e.text))
            .collect();
        Ok(parts?.join(", "))
    }

    pub fn expression(&mut self, tokens: &[Lexed]) -> Result<Expression, SqlError> {
        self.deeper(|rewriter| rewriter.whole_expression(tokens))
    }

    fn whole_expression(&mut self, tokens: &[Lexed]) -> Result<Expression, SqlError> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            at += self.piece(&tokens[at..], &mut pieces)?;
        }
        join_strings(&mut pieces);
        guard_divisors(&mut pieces);
        let textual = pieces.iter().any(|piece| piece.text == "||");
        let ty = match pieces.as_slice() {
            [one] => one.operand.and_then(|(ty, _)| ty),
            _ if textual => Some(ColumnType::Text(None)),
            // A sign before a number.
            [sign, one] if sign.text == "-" => one.operand.and_then(|(ty, _)| ty),
            _ => None,
        };
        let texts: Vec<String> = pieces.into_iter().map(|piece| piece.text).collect();
        Ok(Expression {
            text: texts.join(" "),
            ty,
        })
    }

    /// Turns what comes next into a piece and answers how many tokens that took.
    fn piece(&mut self, tokens: &[Lexed], pieces: &mut Vec<Piece>) -> Result<usize, SqlError> {
        match &tokens[0].token {
            Token::Text(text) => {
                let literal = format!("'{}'", text.replace('\'', "''"));
                pieces.push(Piece::operand(literal, Some(ColumnType::Text(Some(4000)))));
                Ok(1)
            }
            Token::Binary(bytes) => {
                let ty = ColumnType::Binary(Some(8000));
                pieces.push(Piece::operand(format!("x'{}'", hex(bytes)), Some(ty)));
                Ok(1)
            }
            Token::Number(number) => {
                let ty = match number.parse::<i64>() {
                    Ok(n) if i32::try_from(n).is_ok() => ColumnType::Int,
                    Ok(_) => ColumnType::BigInt,
                    Err(_) => ColumnType::Float,
                };
                pieces.push(Piece::operand(number.clone(), Some(ty)));
                Ok(1)
            }
            Token::Variable(name) => {
                let ty = self.variable(name)?;
                pieces.push(Piece::operand(format!("@{name}"), Some(ty)));
                Ok(1)
            }
            Token::Global(name) => {
                let (text, ty) = self.global(name)?;
                pieces.push(Piece::operand(text, Some(ty)));
                Ok(1)
            }
            Token::Symbol("(") => self.group(tokens, pieces),
            Token::Symbol(symbol) => {
                let symbol = match *symbol {
                    "!<" => ">=",
                    "!>" => "<=",
                    symbol => symbol,
                };
                pieces.push(Piece::other(symbol));
                Ok(1)
            }
            Token::Word(word) => self.word(word, tokens, pieces),
            Token::Quoted(_) => self.name_chain(tokens, pieces),
        }
    }

    fn group(&mut self, tokens: &[Lexed], pieces: &mut Vec<Piece>) -> Result<usize, SqlError> {
        let length = group_length(tokens)?;
        let inside = &tokens[1..length - 1];
        let first = inside.first();
        if first.is_some_and(|t| t.is_word("SELECT") || t.is_word("WITH")) {
            let query = self.query(inside)?;
            let ty = query.items.first().and_then(|item| item.ty);
            pieces.push(Piece::operand(format!("({})", query.sql), ty));
            return Ok(length);
        }
        let window = pieces.last().is_some_and(|piece| piece.text == "OVER");
        let before = std::mem::replace(&mut self.in_window, window);
        let parts = split(inside, ",");
        let (mut texts, mut ty) = (Vec::new(), None);
        for part in &parts {
            let expression = self.expression(part)?;
            ty = expression.ty;
            texts.push(expression.text);
        }
        self.in_window = before;
        let ty = ty.filter(|_| parts.len() == 1);
        pieces.push(Piece::operand(format!("({})", texts.join(", ")), ty));
        Ok(length)
    }

    fn word(
        &mut self,
        word: &str,
        tokens: &[Lexed],
        pieces: &mut Vec<Piece>,
    ) -> Result<usize, SqlError> {
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            "CASE" => return self.case(tokens, pieces),
            "COLLATE" => {
                let name = tokens.get(1).and_then(Lexed::name).unwrap_or_default();
                let folded = name.to_uppercase().contains("_CI_")
                    || name.eq_ignore_ascii_case("DATABASE_DEFAULT")
                    || name.eq_ignore_ascii_case("CATALOG_DEFAULT");
                let collation = if folded { "TSQL" } else { "BINARY" };
                if let Some(last) = pieces.last_mut() {
                    last.text = format!("{} COLLATE {collation}", last.text);
                }
                return Ok(2);
            }
            "CURRENT_USER" | "SESSION_USER" | "USER" => {
                return Ok(niladic(pieces, "user_name() COLLATE TSQL"));
            }
            "SYSTEM_USER" => return Ok(niladic(pieces, "suser_sname() COLLATE TSQL")),
            "CURRENT_TIMESTAMP" => {
                pieces.push(Piece::operand(
                    "getdate()".into(),
                    Some(ColumnType::DateTime),
                ));
                return Ok(1);
            }
            "NULL" => {
                pieces.push(Piece::operand("NULL".into(), None));
                return Ok(1);
            }
            _ => {}
        }
        let keyword = KEYWORDS.contains(&upper.as_str())
            || (self.in_window && WINDOW.contains(&upper.as_str()));
        if keyword {
            pieces.push(Piece::other(upper));
            return Ok(1);
        }
        if tokens.get(1).is_some_and(|token| token.is("(")) {
            return self.function(word, tokens, pieces);
        }
        self.name_chain(tokens, pieces)
    }

    fn case(&mut self, tokens: &[Lexed], pieces: &mut Vec<Piece>) -> Result<usize, SqlError> {
        let (mut depth, mut length) = (0, 0);
        for token in tokens {
            length += 1;
            depth += i32::from(token.is_word("CASE")) - i32::from(token.is_word("END"));
            if depth == 0 {
                break;
            }
        }
        if depth != 0 {
            return Err(SqlError::syntax("CASE"));
        }
        if self.cases >= MOST_CASES {
            let message = "Case expressions may only be nested to level 10.";
            return Err(SqlError::new(125, 15, message));
        }
        self.cases += 1;
        let inside = &tokens[1..length - 1];
        let piece = self.case_of(inside);
        self.cases -= 1;
        pieces.push(piece?);
        Ok(length)
    }

    fn case_of(&mut self, inside: &[Lexed]) -> Result<Piece, SqlError> {
        let inner = self.expression(inside)?;
        // The type is that of the first branch that has one.
        let mut ty = None;
        let mut from = 0;
        while let Some(at) = inside[from..].iter().position(|t| t.is_word("THEN")) {
            let start = from + at + 1;
            let stop = |t: &Lexed| ["WHEN", "ELSE"].iter().any(|word| t.is_word(word));
            let end = inside[start..]
                .iter()
                .position(stop)
                .map_or(inside.len(), |n| start + n);
            if ty.is_none() {
                ty = self.expression(&inside[start..end])?.ty;
            }
            from = end;
        }
        if ty.is_none()
            && let Some(at) = inside.iter().rposition(|t| t.is_word("ELSE"))
        {
            ty = self.expression(&inside[at + 1..])?.ty;
        }
        Ok(Piece::operand(format!("CASE {} END", inner.text), ty))
    }

    /// `column`, `table.column`, `schema.table.column`, `table.*`, or `schema.function(…)`.
    fn name_chain(&mut self, tokens: &[Lexed], pieces: &mut Vec<Piece>) -> Result<usize, SqlError> {
        let mut parts = vec![tokens[0].name().unwrap_or_default().to_owned()];
        let mut length = 1;
        while tokens.get(length).is_some_and(|token| token.is(".")) {
            match tokens.get(length + 1) {
                Some(token) if token.is("*") => parts.push("*".into()),
                Some(token) => match token.name() {
                    Some(name) => parts.push(name.to_owned()),
                    None => return Err(SqlError::syntax(".")),
                },
                None => return Err(SqlError::syntax(".")),
            }
            length += 2;
        }
        if tokens.get(length).is_some_and(|token| token.is("(")) {
            let name = parts.last().cloned().unwrap_or_default();
            let taken = self.function(&name, &tokens[length - 1..], pieces)?;
            return Ok(length - 1 + taken);
        }
        let textual = parts.last().is_some_and(|name| self.is_text_column(name));
        let kept = &parts[parts.len().saturating_sub(2)..];
        let text: Vec<String> = kept
            .iter()
            .map(|p| if p == "*" { p.clone() } else { quote(p) })
            .collect();
        pieces.push(Piece {
            text: text.join("."),
            operand: Some((None, textual)),
        });
        Ok(length)
    }

    fn function(
        &mut self,
        name: &str,
        tokens: &[Lexed],
        pieces: &mut Vec<Piece>,
    ) -> Result<usize, SqlError> {
        let name = name.to_ascii_lowercase();
        let length = 1 + group_length(&tokens[1..])?;
        let inside = &tokens[2..length - 1];
        if let Some(piece) = self.conversion(&name, inside)? {
            pieces.push(piece);
            return Ok(length);
        }
        if name == "string_agg" {
            return self.string_agg(tokens, length, pieces);
        }
        let args = split(inside, ",");
        let name = match name.as_str() {
            "isnull" => "ifnull",
            "left" => "tsql_left",
            "right" => "tsql_right",
            "suser_name" => "suser_sname",
            "datediff_big" => "datediff",
            "json_value" => "json_extract",
            other => other,
        };
        let (mut texts, mut types) = (Vec::new(), Vec::new());
        let unit = ["dateadd", "datediff", "datepart"].contains(&name);
        for (at, arg) in args.iter().enumerate() {
            if unit && at == 0 {
                let word = arg.first().and_then(Lexed::name).unwrap_or_default();
                texts.push(format!("'{word}'"));
                continue;
            }
            let expression = self.expression(arg)?;
            texts.push(expression.text);
            types.push(expression.ty.or_else(|| self.column_hint(arg)));
        }
        let first = types.iter().flatten().next().copied();
        let ty = function_type(name).or(match name {
            "ifnull" | "coalesce" | "nullif" | "min" | "max" | "abs" | "sum" | "round" | "lag"
            | "lead" => first,
            "iif" => types.get(1).copied().flatten(),
            _ => None,
        });
        let unbounded = matches!(
            types.first(),
            Some(Some(ColumnType::Text(None) | ColumnType::VarChar(None)))
        );
        let called = match name {
            "count_big" => "count",
            "replicate" if unbounded => "replicate_max",
            name => name,
        };
        let mut text = format!("{called}({})", texts.join(", "));
        if TEXT_FUNCTIONS.contains(&name) {
            text.push_str(" COLLATE TSQL");
        }
        let windowed = tokens
            .get(length)
            .is_some_and(|token| token.is_word("OVER"));
        let whole = first.filter(|ty| ty.is_integer() && name == "avg" && !windowed);
        if whole.is_some() {
            // The mean of whole numbers is one.
            text = format!("CAST({text} AS INTEGER)");
        }
        let ty = ty.or(whole);
        pieces.push(Piece::operand(text, ty));
        Ok(length)
    }

    /// The type of an argument that is nothing but a column.
    fn column_hint(&self, arg: &[Lexed]) -> Option<ColumnType> {
        let plain = arg
            .iter()
            .all(|token| token.name().is_some() || token.is("."));
        let name = arg.last().filter(|_| plain).and_then(Lexed::name)?;
        self.column_type(name)
    }

    /// CAST, CONVERT and their TRY_ forms.
    fn conversion(&mut self, name: &str, inside: &[Lexed]) -> Result<Option<Piece>, SqlError> {
        let function = match name {
            "cast" | "convert" => "tsql_cast",
            "try_cast" | "try_convert" => "tsql_try_cast",
            _ => return Ok(None),
        };
        let (value, ty, style) = if name.ends_with("cast") {
            let at = inside.iter().rposition(|token| token.is_word("AS"));
            let at = at.ok_or_else(|| SqlError::syntax(")"))?;
            (inside[..at].to_vec(), inside[at + 1..].to_vec(), None)
        } else {
            let mut parts = split(inside, ",").into_iter();
            let ty = parts.next().unwrap_or_default();
            (parts.next().unwrap_or_default(), ty, parts.next())
        };
        let ty = Parser::new("", &ty).column_type()?;
        let value = self.expression(&value)?.text;
        let style = match style {
            Some(style) => self.expression(&style)?.text,
            None => "0".to_owned(),
        };
        let mut text = format!("{function}({value}, '{}', {style})", ty.declaration());
        if ty.needs_collation() {
            text.push_str(" COLLATE TSQL");
        }
        Ok(Some(Piece::operand(text, Some(ty))))
    }

    /// `STRING_AGG(x, ',') WITHIN GROUP (ORDER BY y)`.
    fn string_agg(
        &mut self,
        tokens: &[Lexed],
        length: usize,
        pieces: &mut Vec<Piece>,
    ) -> Result<usize, SqlError> {
        let args = self.expressions(&tokens[2..length - 1])?;
        let (mut order, mut length) = (String::new(), length);
        let words = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is_word(word));
        if words(length, "WITHIN") && words(length + 1, "GROUP") {
            let group = group_length(&tokens[length + 2..])?;
            order = self
                .expression(&tokens[length + 3..length + 1 + group])?
                .text;
            length += 2 + group;
        }
        let text = format!("group_concat({args} {order}) COLLATE TSQL");
        pieces.push(Piece::operand(text, Some(ColumnType::Text(None))));
        Ok(length)
    }
}

fn niladic(pieces: &mut Vec<Piece>, call: &str) -> usize {
    pieces.push(Piece::operand(
        call.to_owned(),
        Some(ColumnType::Text(Some(128))),
    ));
    1
}

/// The tokens of a parenthesis with everything in it.
pub fn group_length(tokens: &[Lexed]) -> Result<usize, SqlError> {
    if !tokens.first().is_some_and(|token| token.is("(")) {
        return Err(SqlError::syntax("("));
    }
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        if depth == 0 {
            return Ok(at + 1);
        }
    }
    Err(SqlError::syntax("("))
}

/// The storage answers NULL for a division by zero; the service ends the statement with 8134.
fn guard_divisors(pieces: &mut [Piece]) {
    for at in 0..pieces.len() {
        let divides = pieces[at].operand.is_none() && matches!(pieces[at].text.as_str(), "/" | "%");
        let divisor = pieces[at..]
            .iter_mut()
            .find(|piece| piece.operand.is_some());
        if let Some(piece) = divisor.filter(|_| divides) {
            piece.text = format!("tsql_divisor({})", piece.text);
        }
    }
}

/// Turns `+` into `||` in every chain in which one operand is text.
fn join_strings(pieces: &mut [Piece]) {
    let mut at = 0;
    while at < pieces.len() {
        if pieces[at].operand.is_none() {
            at += 1;
            continue;
        }
        let mut end = at;
        while end + 2 < pieces.len()
            && pieces[end + 1].text == "+"
            && pieces[end + 2].operand.is_some()
        {
            end += 2;
        }
        let textual = pieces[at..=end]
            .iter()
            .any(|p| p.operand.is_some_and(|(_, text)| text));
        if textual {
            for piece in pieces[at..=end].iter_mut().filter(|p| p.operand.is_none()) {
                piece.text = "||".to_owned();
            }
        }
        at = end + 1;
    }
}
