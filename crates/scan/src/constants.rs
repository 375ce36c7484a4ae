//! The constant strings of a policy expression: literals, and what `+`, `string.Concat`, `Join`,
//! `Format`, interpolation, base64 and local variables make of them.
//!
//! A part that is known only when a call runs stands as [`HOLE`]; a `{{reference}}` stays as it
//! is. So `"Password=" + p` is `Password=` and a hole, and no password.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::csharp::{Piece, Token, tokens};
use crate::source::names;

/// Stands for what is not constant. No policy holds this character for itself.
pub(crate) const HOLE: char = '\u{fffc}';

/// How deep brackets are followed. Deeper ones are read flat.
const MAX_DEPTH: usize = 64;
/// Bounds on what is remembered of variables, so that time stays linear.
const MAX_ASSIGNMENTS: usize = 256;
const MAX_REMEMBERED: usize = 4096;

/// What an expression holds.
#[derive(Default)]
pub(crate) struct Constants {
    /// Its value, when all of it is one string.
    pub whole: Option<String>,
    /// Every string that it builds, the parts of a longer one included, and its comments.
    pub strings: BTreeSet<String>,
}

/// A text that may hold expressions.
pub(crate) enum Part<'a> {
    Literal(&'a str),
    Expression(Constants),
}

/// Cuts a text into what stands in it and its expressions.
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = text[at..].find('@') {
        let sign = at + found;
        at = sign + 1;
        if !text[at..].starts_with(['(', '{']) || text[at..].starts_with("{{") {
            continue;
        }
        let (read, end) = tokens(&text[at..]);
        let Some(end) = end else { break };
        if start < sign {
            out.push(Part::Literal(&text[start..sign]));
        }
        out.push(Part::Expression(fold(&read)));
        at += end;
        start = at;
    }
    if start < text.len() {
        out.push(Part::Literal(&text[start..]));
    }
    out
}

fn fold(tokens: &[Token]) -> Constants {
    let mut reader = Reader::default();
    let mut at = 0;
    let mut values = Vec::new();
    while at < tokens.len() {
        values.extend(reader.group(tokens, &mut at, 0));
    }
    let [whole] = values.as_mut_slice() else {
        return Constants {
            whole: None,
            strings: reader.strings,
        };
    };
    let whole = whole.take().filter(|w| !w.contains(HOLE));
    Constants {
        whole,
        strings: reader.strings,
    }
}

#[derive(Default)]
struct Reader {
    strings: BTreeSet<String>,
    variables: BTreeMap<String, String>,
    assignments: usize,
}

/// One argument or statement as it is read.
#[derive(Default)]
struct Run {
    /// The string built so far, if one is.
    text: Option<String>,
    /// Nothing but one concatenation has been read.
    mixed: bool,
    /// A `+` waits for its right side.
    plus: bool,
    /// Something stands to the left of what comes.
    operand: bool,
    /// The variable that was read last, and the one that is assigned to.
    name: Option<String>,
    target: Option<String>,
}

impl Reader {
    /// Reads up to a closing bracket, or the end: the value of each argument.
    fn group(&mut self, tokens: &[Token], at: &mut usize, depth: usize) -> Vec<Option<String>> {
        let mut values = Vec::new();
        let mut run = Run::default();
        while let Some(token) = tokens.get(*at) {
            match token {
                Token::Text(_) | Token::Word(_) | Token::Open(_) => {
                    if let Token::Word(word) = token {
                        if matches!(word.as_str(), "new" | "await") {
                            *at += 1;
                            continue;
                        }
                        run.name = Some(word.clone());
                    }
                    let value = self.primary(tokens, at, depth);
                    self.operand(&mut run, value);
                    continue;
                }
                Token::Plus => {
                    if run.operand {
                        run.text.get_or_insert_with(|| HOLE.to_string());
                        run.plus = true;
                    }
                    run.operand = false;
                }
                Token::Assign => {
                    let target = run.name.take();
                    self.keep(&mut run);
                    run = Run {
                        target,
                        ..Run::default()
                    };
                }
                Token::Comment(text) => {
                    self.strings.insert(text.clone());
                }
                Token::Close => {
                    *at += 1;
                    break;
                }
                Token::Comma | Token::Semicolon => {
                    values.push(self.end(&mut run));
                    run = Run::default();
                }
                Token::Dot | Token::Other => {
                    self.keep(&mut run);
                    run = Run {
                        mixed: true,
                        target: run.target.take(),
                        ..Run::default()
                    };
                }
            }
            *at += 1;
        }
        if run.operand || values.is_empty() {
            values.push(self.end(&mut run));
        }
        values
    }

    /// Adds what was read to the run, or starts another one.
    fn operand(&mut self, run: &mut Run, value: Option<String>) {
        if run.plus {
            let text = run.text.get_or_insert_default();
            text.push_str(&value.unwrap_or_else(|| HOLE.to_string()));
        } else {
            let first = !run.operand && run.text.is_none();
            self.keep(run);
            run.mixed |= !first;
            run.text = value;
        }
        run.plus = false;
        run.operand = true;
    }

    /// Notes the string of a run.
    fn keep(&mut self, run: &mut Run) {
        if let Some(text) = run.text.take()
            && text.chars().any(|c| c != HOLE)
        {
            self.strings.insert(text);
        }
    }

    /// The value of a run that is over.
    fn end(&mut self, run: &mut Run) -> Option<String> {
        let value = run.text.clone().filter(|_| !run.mixed);
        self.keep(run);
        if let Some(target) = run.target.take() {
            self.assignments += 1;
            match &value {
                Some(v) if v.len() <= MAX_REMEMBERED && self.assignments <= MAX_ASSIGNMENTS => {
                    self.variables.insert(target, v.clone());
                }
                _ => {
                    self.variables.remove(&target);
                }
            }
        }
        value
    }

    /// One operand with its members, calls and indexers.
    fn primary(&mut self, tokens: &[Token], at: &mut usize, depth: usize) -> Option<String> {
        let mut name = "";
        let mut value = match &tokens[*at] {
            Token::Text(pieces) => Some(self.text(pieces, depth)),
            Token::Word(word) => {
                name = word;
                let alone = !matches!(
                    tokens.get(*at + 1),
                    Some(Token::Dot | Token::Open('(' | '['))
                );
                if alone {
                    self.variables.get(word).cloned()
                } else {
                    None
                }
            }
            _ => {
                let values = self.inner(tokens, at, depth);
                *at -= 1;
                match values.as_slice() {
                    [one] => one.clone(),
                    _ => None,
                }
            }
        };
        *at += 1;
        loop {
            match (tokens.get(*at), tokens.get(*at + 1)) {
                (Some(Token::Dot), Some(Token::Word(word))) => {
                    name = word;
                    *at += 2;
                }
                (Some(Token::Open('(')), _) if !name.is_empty() => {
                    let arguments = self.inner(tokens, at, depth);
                    value = self.call(name, value, &arguments);
                }
                (Some(Token::Open('[')), _) => {
                    self.inner(tokens, at, depth);
                    value = None;
                }
                _ => return value,
            }
        }
    }

    /// What stands in the bracket that opens at `at`.
    fn inner(&mut self, tokens: &[Token], at: &mut usize, depth: usize) -> Vec<Option<String>> {
        *at += 1;
        if depth == MAX_DEPTH {
            Vec::new()
        } else {
            self.group(tokens, at, depth + 1)
        }
    }

    fn text(&mut self, pieces: &[Piece], depth: usize) -> String {
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Chars(chars) => out.push_str(chars),
                Piece::Hole(_) if depth == MAX_DEPTH => out.push(HOLE),
                Piece::Hole(tokens) => {
                    let mut at = 0;
                    let values = self.group(tokens, &mut at, depth + 1);
                    match values.as_slice() {
                        [Some(value)] if at == tokens.len() => out.push_str(value),
                        _ => out.push(HOLE),
                    }
                }
            }
        }
        out
    }

    /// The value of a call. A call of any other method on a constant, `"x".Trim()`, leaves it.
    fn call(
        &mut self,
        name: &str,
        on: Option<String>,
        arguments: &[Option<String>],
    ) -> Option<String> {
        let or_hole = |a: &Option<String>| a.clone().unwrap_or_else(|| HOLE.to_string());
        let first = arguments.first().cloned().flatten();
        match name {
            "Concat" => Some(arguments.iter().map(or_hole).collect()),
            "Join" => {
                let rest: Vec<String> = arguments.iter().skip(1).map(or_hole).collect();
                Some(rest.join(&first?))
            }
            "Format" => {
                let mut text = first?;
                for (i, argument) in arguments.iter().skip(1).enumerate().take(16) {
                    text = text.replace(&format!("{{{i}}}"), &or_hole(argument));
                }
                Some(text)
            }
            // A credential is what it was before it was escaped.
            "GetBytes" | "GetString" | "EscapeDataString" | "UrlEncode" => first,
            "ToBase64String" => {
                let text = first?;
                if !names(&text).is_empty() {
                    // Read as the parts of a login by whoever looks for one.
                    self.strings.insert(format!("Basic {text}"));
                    return None;
                }
                (!text.contains(HOLE)).then(|| STANDARD.encode(text))
            }
            "FromBase64String" => String::from_utf8(STANDARD.decode(first?).ok()?).ok(),
            "JProperty" | "KeyValuePair" | "Add" => {
                if let [Some(key), Some(value)] = arguments {
                    self.strings.insert(format!("{key}={value}"));
                }
                None
            }
            _ => on,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Constants {
        match parts(text).pop() {
            Some(Part::Expression(constants)) => constants,
            _ => panic!("no expression: {text}"),
        }
    }

    fn whole(text: &str) -> String {
        read(text).whole.expect(text)
    }

    fn holds(text: &str, string: &str) {
        let strings = read(text).strings;
        assert!(strings.contains(string), "{text}: {strings:?}");
    }

    #[test]
    fn joined_pieces_become_one_string() {
        for text in [
            r#"@("Pass" + "word=" + "x")"#,
            r#"@("Pass" + ("wo" + "rd=") + 'x')"#,
            r#"@(string.Concat("Pass", "word=", "x"))"#,
            r#"@(String.Join("word", "Pass", "=x"))"#,
            r#"@(string.Format("{0}word={1}", "Pass", "x"))"#,
            r#"@($"Pass{"wo" + "rd"}=x")"#,
            r#"@("Password=x".Trim())"#,
            r#"@($"Password={Uri.EscapeDataString("x")}")"#,
            r#"@("Password=" + System.Net.WebUtility.UrlEncode("x"))"#,
            r#"@(Encoding.UTF8.GetString(Convert.FromBase64String("UGFzc3dvcmQ9eA==")))"#,
        ] {
            assert_eq!(whole(text), "Password=x", "{text}");
        }
    }

    #[test]
    fn what_a_call_decides_is_a_hole() {
        holds(
            r#"@("Password=" + p.Value("x") + ";")"#,
            "Password=\u{fffc};",
        );
        holds(r#"@(a + "b")"#, "\u{fffc}b");
        holds(r#"@($"Bearer {token}")"#, "Bearer \u{fffc}");
        holds(
            r#"@("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("u:" + p)))"#,
            "u:\u{fffc}",
        );
        assert!(read(r#"@("a" + b)"#).whole.is_none());
        assert!(read(r#"@(c ? "a" : "b")"#).whole.is_none());
    }

    #[test]
    fn a_variable_that_holds_a_constant_is_followed() {
        let text = r#"@{ const string a = "Pass"; var b = a + "word="; return b + "x"; }"#;
        holds(text, "Password=x");
        let changed = r#"@{ var a = "Pass"; a = f(); return a + "word=x"; }"#;
        assert!(!read(changed).strings.contains("Password=x"));
    }

    #[test]
    fn a_basic_login_is_put_together() {
        let text = r#"@("Basic " + Convert.ToBase64String(Encoding.ASCII.GetBytes("user:pass")))"#;
        assert_eq!(whole(text), "Basic dXNlcjpwYXNz");
        let text = text.replace("user:pass", "{{u}}:{{p}}");
        holds(&text, "Basic {{u}}:{{p}}");
    }

    #[test]
    fn strings_in_branches_arguments_and_properties_are_all_found() {
        let text = r#"@{ if (a == "x") { return f("y", "z"); } // c
            return new JObject(new JProperty("password", "w")).ToString(); }"#;
        for string in ["x", "y", "z", " c", "password=w"] {
            holds(text, string);
        }
    }

    #[test]
    fn a_text_is_cut_into_literals_and_expressions() {
        let found = parts("a@b @(\"x\") c @{return \"y\";}d@(open");
        let kinds: Vec<bool> = found
            .iter()
            .map(|p| matches!(p, Part::Literal(_)))
            .collect();
        assert_eq!(kinds, [true, false, true, false, true]);
    }

    #[test]
    fn deep_brackets_end_and_are_quick() {
        for text in [
            format!("@({}", "(".repeat(200_000)),
            format!("@({}{})", "(".repeat(100_000), ")".repeat(100_000)),
            format!("@({}\"x\"{})", "a(".repeat(50_000), ")".repeat(50_000)),
            "@(".repeat(100_000),
            "$\"{".repeat(50_000),
        ] {
            parts(&text);
        }
    }
}
