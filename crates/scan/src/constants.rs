//! The constant strings of a policy expression: literals, and what `+`, `string.Concat`, `Join`,
//! `Format`, interpolation, `StringBuilder`, base64 and local variables make of them.
//!
//! A part that is known only when a call runs stands as [`HOLE`]; a `{{reference}}` stays as it
//! is. So `"Password=" + p` is `Password=` and a hole, and no password. A string that becomes a part
//! of a longer one is told as that one only.

use std::collections::{BTreeMap, BTreeSet};

use crate::calls::call;
use crate::csharp::{Piece, Token, tokens};
use crate::names::sounds_secret;
use crate::shapes::{array, cast, generics};

/// Stands for what is not constant. No policy holds this character for itself.
pub(crate) const HOLE: char = '\u{fffc}';

/// How deep brackets are followed. Deeper ones are read flat.
const MAX_DEPTH: usize = 64;
/// Bounds on what is remembered of variables, so that time stays linear.
const MAX_ASSIGNMENTS: usize = 256;
const MAX_REMEMBERED: usize = 4096;
/// How many strings one operand may be.
const MAX_OPTIONS: usize = 16;
/// Longest name of a variable or field that is looked at.
const MAX_NAME: usize = 64;

/// The strings that an operand may be, by branch; none when only a call decides.
pub(crate) type Value = Vec<String>;

/// What an expression holds.
#[derive(Default)]
pub(crate) struct Constants {
    /// The strings that it gives, where all of one is constant.
    pub values: Vec<String>,
    /// Every string that it builds, those included, and its comments.
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
        values.extend(reader.group(tokens, &mut at, 0).into_iter().flatten());
    }
    values.append(&mut reader.returned);
    reader.keep(values.clone());
    for variable in std::mem::take(&mut reader.variables).into_values() {
        if !variable.used {
            reader.keep(variable.value);
        }
    }
    values.retain(|v| !v.contains(HOLE));
    values.dedup();
    Constants {
        values,
        strings: reader.strings,
    }
}

#[derive(Default)]
pub(crate) struct Reader {
    strings: BTreeSet<String>,
    variables: BTreeMap<String, Variable>,
    assignments: usize,
    /// What `return` gives.
    returned: Value,
    /// The constant in the brackets of the last operand, `x["name"]`.
    index: Option<String>,
}

struct Variable {
    value: Value,
    /// Whether it has become a part of something else.
    used: bool,
}

/// One argument or statement as it is read.
#[derive(Default)]
struct Run {
    /// What has been built so far.
    value: Value,
    /// What the branches of a choice before this one give.
    options: Value,
    /// Other signs than `+` stand in it: it is no string.
    spoiled: bool,
    /// A `+` waits for its right side.
    plus: bool,
    /// Something stands to the left of what comes.
    operand: bool,
    /// The variable that was read last, and the one that is assigned to.
    name: Option<String>,
    target: Option<String>,
    /// It follows a `return`.
    returns: bool,
}

impl Reader {
    /// Reads up to a closing bracket, or the end: the value of each argument.
    fn group(&mut self, tokens: &[Token], at: &mut usize, depth: usize) -> Vec<Value> {
        let mut values = Vec::new();
        let mut run = Run::default();
        while let Some(token) = tokens.get(*at) {
            match token {
                Token::Text(_) | Token::Word(_) | Token::Open(_) => {
                    if !self.skips(tokens, at, &mut run) {
                        match array(&tokens[*at..]) {
                            Some(open) => {
                                *at += open;
                                values.extend(self.inner(tokens, at, depth));
                            }
                            None => self.operand(tokens, at, depth, &mut run),
                        }
                    }
                    continue;
                }
                Token::Close => {
                    *at += 1;
                    break;
                }
                Token::Comma | Token::Semicolon => {
                    values.push(self.end(std::mem::take(&mut run)));
                }
                sign => self.sign(sign, &mut run),
            }
            *at += 1;
        }
        if run.operand || values.is_empty() {
            values.push(self.end(run));
        }
        values
    }

    /// Passes over words that change no value.
    fn skips(&mut self, tokens: &[Token], at: &mut usize, run: &mut Run) -> bool {
        if let Some(length) = cast(&tokens[*at..]) {
            *at += length;
            return true;
        }
        match &tokens[*at] {
            Token::Word(word) if word == "return" => {
                let before = std::mem::take(run);
                let value = self.end(before);
                self.keep(value);
                run.returns = true;
            }
            Token::Word(word) if word == "await" => {}
            Token::Word(word) if word == "new" && array(&tokens[*at..]).is_none() => {}
            _ => return false,
        }
        *at += 1;
        true
    }

    fn sign(&mut self, sign: &Token, run: &mut Run) {
        match sign {
            Token::Plus => {
                run.plus = run.operand;
                run.operand = false;
            }
            Token::Assign => {
                let target = self.index.take().or(run.name.take());
                self.drop(run);
                run.target = target;
            }
            Token::PlusAssign => {
                let target = run.name.take();
                let value = std::mem::take(&mut run.value);
                *run = Run {
                    value,
                    target,
                    plus: true,
                    ..Run::default()
                };
            }
            // What stands before is a condition, or the names of a lambda.
            Token::Question | Token::Arrow => self.drop(run),
            Token::Colon | Token::Coalesce => {
                if !run.spoiled {
                    run.options.append(&mut run.value);
                    run.options.truncate(MAX_OPTIONS);
                }
                self.drop(run);
            }
            Token::Comment(text) => {
                self.strings.insert(text.clone());
            }
            _ => {
                self.drop(run);
                run.spoiled = true;
            }
        }
    }

    /// Notes what was read, and starts anew in the same statement.
    fn drop(&mut self, run: &mut Run) {
        self.keep(std::mem::take(&mut run.value));
        (run.spoiled, run.plus, run.operand) = (false, false, false);
        run.name = None;
    }

    /// Reads an operand and adds it to the run.
    fn operand(&mut self, tokens: &[Token], at: &mut usize, depth: usize, run: &mut Run) {
        if let Token::Word(word) = &tokens[*at] {
            run.name = Some(word.clone());
        }
        let value = self.primary(tokens, at, depth);
        if run.plus {
            join(&mut run.value, value);
        } else {
            run.spoiled |= run.operand;
            self.keep(std::mem::replace(&mut run.value, value));
        }
        run.plus = false;
        run.operand = true;
    }

    /// Notes strings that no longer one has taken in.
    pub(crate) fn keep(&mut self, value: Value) {
        let told = value.into_iter().filter(|s| s.chars().any(|c| c != HOLE));
        self.strings.extend(told);
    }

    /// Notes a credential's name with its value, for whoever looks for such pairs.
    pub(crate) fn pair(&mut self, name: &str, value: &[String]) {
        if name.len() > MAX_NAME {
            return;
        }
        let capitals = name.char_indices().filter(|(_, c)| c.is_uppercase());
        let cuts: Vec<usize> = [0].into_iter().chain(capitals.map(|(i, _)| i)).collect();
        for value in value {
            let quote = if value.contains('"') { "" } else { "\"" };
            for cut in &cuts {
                // `crmPassword` is a password too.
                let name = &name[*cut..];
                self.strings.insert(format!("{name}={quote}{value}{quote}"));
            }
        }
    }

    /// The value of a run that is over.
    fn end(&mut self, mut run: Run) -> Value {
        let mut value = run.options;
        if run.spoiled {
            self.keep(run.value);
        } else {
            if run.plus {
                join(&mut run.value, Vec::new());
            }
            value.append(&mut run.value);
        }
        value.truncate(MAX_OPTIONS);
        match run.target {
            Some(target) => self.assign(target, value),
            None if run.returns => self.returned.extend(value),
            None => return value,
        }
        Vec::new()
    }

    fn assign(&mut self, target: String, value: Value) {
        self.assignments += 1;
        if sounds_secret(&target) {
            self.pair(&target, &value);
        }
        let short = value.iter().all(|v| v.len() <= MAX_REMEMBERED);
        let before = self.variables.remove(&target);
        if value.is_empty() || !short || self.assignments > MAX_ASSIGNMENTS {
            self.keep(value);
            if let Some(before) = before.filter(|b| !b.used) {
                self.keep(before.value);
            }
            return;
        }
        let mut all = before.filter(|b| !b.used).map_or(Vec::new(), |b| b.value);
        all.extend(value);
        all.dedup();
        all.truncate(MAX_OPTIONS);
        let variable = Variable {
            value: all,
            used: false,
        };
        self.variables.insert(target, variable);
    }

    fn read(&mut self, word: &str) -> Value {
        let Some(variable) = self.variables.get_mut(word) else {
            return Vec::new();
        };
        variable.used = true;
        variable.value.clone()
    }

    /// One operand with its members, calls and indexers.
    fn primary(&mut self, tokens: &[Token], at: &mut usize, depth: usize) -> Value {
        self.index = None;
        let mut name = "";
        let mut root = None;
        let mut built = false;
        let mut value = match &tokens[*at] {
            Token::Text(pieces) => {
                *at += 1;
                self.text(pieces, depth)
            }
            Token::Word(word) => {
                (name, root) = (word, Some(word.as_str()));
                *at += 1 + generics(&tokens[*at + 1..]);
                match tokens.get(*at) {
                    Some(Token::Open('(') | Token::Assign) => Vec::new(),
                    _ => self.read(word),
                }
            }
            token => {
                let values = self.inner(tokens, at, depth);
                self.bracket(token, values)
            }
        };
        loop {
            match (tokens.get(*at), tokens.get(*at + 1)) {
                (Some(Token::Dot), Some(Token::Word(word))) => {
                    name = word;
                    *at += 2;
                    *at += generics(&tokens[*at..]);
                    if tokens.get(*at) != Some(&Token::Open('(')) {
                        self.keep(std::mem::take(&mut value));
                    }
                }
                (Some(Token::Open('(')), _) if !name.is_empty() => {
                    let arguments = self.inner(tokens, at, depth);
                    value = match root {
                        // A lambda in a variable.
                        Some(root) if root == name && self.variables.contains_key(root) => {
                            self.read(root)
                        }
                        _ => call(self, name, value, arguments),
                    };
                    built = name.starts_with("Append") && self.builds(root, &value);
                    name = "";
                }
                (Some(token @ Token::Open('[')), _) => {
                    let values = self.inner(tokens, at, depth);
                    self.keep(std::mem::take(&mut value));
                    self.bracket(token, values);
                }
                // What was appended is in the variable.
                _ if built => return Vec::new(),
                _ => return value,
            }
        }
    }

    /// Whether a `StringBuilder` in a variable has taken in what was appended.
    fn builds(&mut self, root: Option<&str>, value: &Value) -> bool {
        let Some(variable) = root.and_then(|r| self.variables.get_mut(r)) else {
            return false;
        };
        if value.iter().any(|v| v.len() > MAX_REMEMBERED) {
            return false;
        }
        variable.value.clone_from(value);
        variable.used = false;
        true
    }

    /// The value of what stood in brackets by itself.
    fn bracket(&mut self, open: &Token, mut values: Vec<Value>) -> Value {
        match (open, values.as_slice()) {
            (Token::Open('('), [_]) => return values.remove(0),
            (Token::Open('['), [one]) => self.index = one.first().cloned(),
            // `{ "name", "value" }` of a dictionary.
            (Token::Open('{'), [name, value]) if name.len() == 1 => {
                let name = name[0].clone();
                self.pair(&name, value);
            }
            _ => {}
        }
        values.into_iter().for_each(|v| self.keep(v));
        Vec::new()
    }

    /// What stands in the bracket that opens at `at`.
    fn inner(&mut self, tokens: &[Token], at: &mut usize, depth: usize) -> Vec<Value> {
        *at += 1;
        if depth == MAX_DEPTH {
            Vec::new()
        } else {
            self.group(tokens, at, depth + 1)
        }
    }

    fn text(&mut self, pieces: &[Piece], depth: usize) -> Value {
        let mut out = vec![String::new()];
        for piece in pieces {
            let value = match piece {
                Piece::Chars(chars) => vec![chars.clone()],
                Piece::Hole(_) if depth == MAX_DEPTH => Vec::new(),
                Piece::Hole(tokens) => {
                    let mut at = 0;
                    let mut values = self.group(tokens, &mut at, depth + 1);
                    match values.len() {
                        1 if at == tokens.len() => values.remove(0),
                        _ => self.bracket(&Token::Other, values),
                    }
                }
            };
            join(&mut out, value);
        }
        out
    }
}

/// Puts what comes behind what is there; what is not known stands as a hole.
pub(crate) fn join(left: &mut Value, right: Value) {
    let hole = || vec![HOLE.to_string()];
    if left.is_empty() {
        *left = hole();
    }
    let right = if right.is_empty() { hole() } else { right };
    if let [one] = right.as_slice() {
        left.iter_mut().for_each(|l| l.push_str(one));
        return;
    }
    let both = left
        .iter()
        .flat_map(|l| right.iter().map(move |r| format!("{l}{r}")));
    *left = both.take(MAX_OPTIONS).collect();
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
        let [one] = read(text).values.try_into().expect(text);
        one
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
            r#"@(string.Join("", new[] { "Pass", "word=x" }))"#,
            r#"@(new StringBuilder("Pass").Append("word").Append('=').Append("x").ToString())"#,
            r#"@{ var b = new StringBuilder(); b.Append("Pass"); b.Append("word=x"); return b.ToString(); }"#,
            r#"@{ string a = "Pass"; a += "word=x"; return a; }"#,
            r#"@("Pa--ssword=x".Replace("--", ""))"#,
            r#"@((string)("Pass" + "word=x"))"#,
            r#"@(context.Variables.GetValueOrDefault<string>("p", "Pass" + "word=x"))"#,
            r#"@{ if (a) { return "Pass" + "word=x"; } return f(); }"#,
            r#"@{ Func<string> f = () => "Pass" + "word=x"; return f(); }"#,
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
            "Basic u:\u{fffc}",
        );
        assert!(read(r#"@("a" + b)"#).values.is_empty());
        assert!(read(r#"@("a" == b)"#).values.is_empty());
    }

    #[test]
    fn a_variable_that_holds_a_constant_is_followed() {
        let text = r#"@{ const string a = "Pass"; var b = a + "word="; return b + "x"; }"#;
        holds(text, "Password=x");
        let changed = r#"@{ var a = "Pass"; a = f(); return a + "word=x"; }"#;
        assert!(!read(changed).strings.contains("Password=x"));
    }

    #[test]
    fn a_choice_gives_each_of_its_branches() {
        let text = r#"@("Bearer " + (context.Api.Id == "a" ? "x" : b ?? "y"))"#;
        assert_eq!(read(text).values, ["Bearer x", "Bearer y"]);
        let text = r#"@{ var p = "x"; if (a) { p = "y"; } return p; }"#;
        assert_eq!(read(text).values, ["x", "y"]);
    }

    #[test]
    fn a_piece_of_a_longer_string_is_not_told_again() {
        for text in [
            r#"@("a" + "b")"#,
            r#"@(string.Concat("a", "b"))"#,
            r#"@{ var x = "a"; return x + "b"; }"#,
            r#"@{ var x = new StringBuilder(); x.Append("a"); x.Append("b"); return x.ToString(); }"#,
        ] {
            let found = read(text).strings;
            assert_eq!(found.into_iter().collect::<Vec<_>>(), ["ab"], "{text}");
        }
    }

    #[test]
    fn a_name_and_its_value_are_told_together() {
        for text in [
            r#"@{ var crmPassword = "w"; return f(crmPassword); }"#,
            r#"@(new JObject { ["password"] = "w" }.ToString())"#,
            r#"@(new Dictionary<string, string> { { "Password", "w" } })"#,
            r#"@{ body["password"] = "w"; }"#,
        ] {
            let found = read(text).strings;
            let told = found
                .iter()
                .any(|s| s.eq_ignore_ascii_case("password=\"w\""));
            assert!(told, "{text}: {found:?}");
        }
    }

    #[test]
    fn no_call_makes_more_than_it_is_given_room_for() {
        let places = "{0}".repeat(50_000);
        let long = "x".repeat(50_000);
        for text in [
            format!("@(string.Format(\"{places}\", \"{long}\"))"),
            format!("@(\"{places}\".Replace(\"{{0}}\", \"{long}\"))"),
            format!("@(string.Join(\"{long}\"{}))", ", \"a\"".repeat(20_000)),
        ] {
            let size: usize = read(&text).strings.iter().map(String::len).sum();
            assert!(size <= 2 * text.len());
        }
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
        for string in ["x", "y", "z", " c", "password=\"w\""] {
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
