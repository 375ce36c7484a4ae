//! One string, written in C# in many ways.

use super::Dice;
use super::secrets::base64;

/// A way to write a string: its name, and the expression with its `@`.
pub type Form = (&'static str, fn(&mut Dice, &str) -> String);

pub const FORMS: [Form; 31] = [
    ("a literal", |_, s| format!("@({})", quoted(s))),
    ("\\u escapes", |dice, s| format!("@({})", escaped(dice, s))),
    ("a verbatim string", |_, s| format!("@({})", verbatim(s))),
    ("an interpolated string", |_, s| {
        format!("@($\"{}\")", doubled(&inner(s)))
    }),
    ("a raw string", |_, s| {
        let text = if s.starts_with('"') || s.ends_with('"') {
            quoted(s)
        } else {
            format!("\"\"\"{s}\"\"\"")
        };
        format!("@({text})")
    }),
    ("two pieces", |dice, s| {
        let (a, b) = cut(dice, s);
        format!("@({} + {})", quoted(a), quoted(b))
    }),
    ("three pieces", |dice, s| {
        let (a, rest) = cut(dice, s);
        let (b, c) = cut(dice, rest);
        format!("@({} + ({}+{}))", quoted(a), verbatim(b), quoted(c))
    }),
    ("string.Concat", |dice, s| {
        let (a, b) = cut(dice, s);
        format!("@(string.Concat({}, {}))", quoted(a), quoted(b))
    }),
    ("string.Join", |dice, s| {
        let (a, b) = cut(dice, s);
        format!("@(String.Join(\"\", {}, {}))", quoted(a), quoted(b))
    }),
    ("string.Join of an array", |dice, s| {
        let (a, b) = cut(dice, s);
        format!(
            "@(string.Join(string.Empty, new[] {{ {}, {} }}))",
            quoted(a),
            quoted(b)
        )
    }),
    ("string.Format", |dice, s| {
        let (a, b) = cut(dice, s);
        format!(
            "@(string.Format(\"{{0}}{{1}}\", {}, {}))",
            quoted(a),
            quoted(b)
        )
    }),
    ("a hole in an interpolated string", |dice, s| {
        let (a, b) = cut(dice, s);
        format!("@($\"{}{{{}}}\")", doubled(&inner(a)), quoted(b))
    }),
    ("StringBuilder in a chain", |dice, s| {
        let (a, b) = cut(dice, s);
        format!(
            "@(new StringBuilder({}).Append({}).ToString())",
            quoted(a),
            quoted(b)
        )
    }),
    ("StringBuilder in statements", |dice, s| {
        let (a, b) = cut(dice, s);
        format!(
            "@{{ var b = new System.Text.StringBuilder(); b.Append({}); b.Append({}); return b.ToString(); }}",
            quoted(a),
            quoted(b)
        )
    }),
    ("local variables", |dice, s| {
        let (a, b) = cut(dice, s);
        format!(
            "@{{ const string a = {}; var all = a + {}; return all; }}",
            quoted(a),
            quoted(b)
        )
    }),
    ("+=", |dice, s| {
        let (a, b) = cut(dice, s);
        format!(
            "@{{ string all = {}; all += {}; return all; }}",
            quoted(a),
            quoted(b)
        )
    }),
    ("a choice", |_, s| {
        format!(
            "@(context.Deployment.Region == \"West Europe\" ? {} : \"\")",
            quoted(s)
        )
    }),
    ("a fallback", |_, s| {
        format!(
            "@(context.Request.Headers.GetValueOrDefault(\"x-none\", {}))",
            quoted(s)
        )
    }),
    ("a method on it", |_, s| {
        format!("@({}.Trim().ToString())", quoted(s))
    }),
    ("Replace", |dice, s| {
        let (a, b) = cut(dice, s);
        format!("@({}.Replace(\"~~\", \"\"))", quoted(&format!("{a}~~{b}")))
    }),
    ("base64 decoded", |_, s| {
        format!(
            "@(Encoding.UTF8.GetString(Convert.FromBase64String(\"{}\")))",
            base64(s.as_bytes())
        )
    }),
    ("branches", |_, s| {
        format!(
            "@{{ if (context.Api.Id == \"a\") {{ return {}; }} return \"\"; }}",
            quoted(s)
        )
    }),
    ("comments between", |dice, s| {
        let (a, b) = cut(dice, s);
        format!(
            "@{{ /* joined ) */ return {} // first\n + {}; }}",
            quoted(a),
            quoted(b)
        )
    }),
    ("a cast", |dice, s| {
        let (a, b) = cut(dice, s);
        format!("@((string)({} + {}))", quoted(a), quoted(b))
    }),
    ("a verbatim interpolated string", |_, s| {
        format!("@($@\"{}\")", doubled(&s.replace('"', "\"\"")))
    }),
    ("string.Concat of an array", |dice, s| {
        let (a, b) = cut(dice, s);
        let (a, b) = (quoted(a), quoted(b));
        format!("@(string.Concat(new string[] {{ {a}, {b} }}))")
    }),
    ("declared together", |dice, s| {
        let (a, b) = cut(dice, s);
        let (a, b) = (quoted(a), verbatim(b));
        format!("@{{ string a = {a}, b = {b}; return a + b; }}")
    }),
    ("a choice by a call", |_, s| {
        let header = "context.Request.Headers.GetValueOrDefault(\"x-own\", \"\")";
        format!(
            "@(string.IsNullOrEmpty({header}) ? {} : {header})",
            quoted(s)
        )
    }),
    ("calls in calls", |dice, s| {
        let (a, rest) = cut(dice, s);
        let (b, c) = cut(dice, rest);
        let inner = format!("string.Concat({}, {})", quoted(b), quoted(c));
        format!("@(string.Format(\"{{0}}{{1}}\", {}, {inner}))", quoted(a))
    }),
    ("a character between", |_, s| {
        let mut chars = s.chars();
        let first = chars.next().expect("it is not empty");
        match first.is_alphanumeric() {
            true => format!("@('{first}' + {})", quoted(chars.as_str())),
            false => format!("@({})", quoted(s)),
        }
    }),
    ("a lambda", |_, s| {
        format!("@{{ Func<string> f = () => {}; return f(); }}", quoted(s))
    }),
];

/// A cut somewhere in the middle.
fn cut<'a>(dice: &mut Dice, s: &'a str) -> (&'a str, &'a str) {
    let length = s.chars().count();
    let at = 1 + dice.roll(length.saturating_sub(1).max(1));
    let byte = s.char_indices().nth(at).map_or(s.len(), |(i, _)| i);
    s.split_at(byte)
}

fn inner(s: &str) -> String {
    s.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn doubled(s: &str) -> String {
    s.replace('{', "{{").replace('}', "}}")
}

fn quoted(s: &str) -> String {
    format!("\"{}\"", inner(s))
}

fn verbatim(s: &str) -> String {
    format!("@\"{}\"", s.replace('"', "\"\""))
}

fn escaped(dice: &mut Dice, s: &str) -> String {
    let at = dice.roll(s.chars().count());
    let mut out = String::from("\"");
    for (i, c) in s.chars().enumerate() {
        match c {
            c if i == at => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            '"' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out + "\""
}
