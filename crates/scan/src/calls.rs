//! What a call of C# makes of constant strings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::constants::{HOLE, Reader, Value, join};
use crate::source::names;

/// Longest string that a call may make out of shorter ones; a bound on memory.
const MAX_MADE: usize = 64 * 1024;
/// How many places of a format are looked at.
const MAX_PLACES: usize = 16;

/// Methods that give their string back, as far as a credential is concerned.
const SAME: [&str; 11] = [
    "ToString",
    "Trim",
    "TrimStart",
    "TrimEnd",
    "ToLower",
    "ToLowerInvariant",
    "ToUpper",
    "ToUpperInvariant",
    "Normalize",
    "Clone",
    "Escape",
];

/// The value of `on.name(arguments)`. What it does not take in is noted as it is.
pub(crate) fn call(reader: &mut Reader, name: &str, on: Value, mut arguments: Vec<Value>) -> Value {
    match name {
        "Concat" => arguments.into_iter().fold(vec![String::new()], joined),
        "Append" | "AppendLine" if !on.is_empty() => arguments.into_iter().fold(on, joined),
        "AppendFormat" if !on.is_empty() => match format(&arguments) {
            Some(text) => joined(on, vec![text]),
            None => unknown(reader, on, arguments),
        },
        "StringBuilder" => match arguments.first() {
            Some(first) if !first.is_empty() => arguments.remove(0),
            _ => vec![String::new()],
        },
        "Join" | "Format" | "Replace" => {
            let made = match name {
                "Join" => join_all(&arguments),
                "Format" => format(&arguments),
                _ => replace(&on, &arguments),
            };
            match made {
                Some(made) => vec![made],
                None => unknown(reader, on, arguments),
            }
        }
        // A credential is what it was before it was escaped.
        "GetBytes" | "GetString" | "EscapeDataString" | "EscapeUriString" | "UrlEncode"
            if !arguments.is_empty() =>
        {
            arguments.remove(0)
        }
        "ToBase64String" if !arguments.is_empty() => {
            let text = arguments.remove(0);
            text.into_iter()
                .filter_map(|t| encoded(reader, &t))
                .collect()
        }
        "FromBase64String" if !arguments.is_empty() => {
            arguments.remove(0).iter().filter_map(decoded).collect()
        }
        // The second is what it gives when there is no such header, parameter or variable.
        "GetValueOrDefault" if arguments.len() == 2 => {
            let mut default = arguments.remove(1);
            reader.keep(arguments.remove(0));
            // An empty one says that something else is expected.
            default.retain(|d| !d.is_empty());
            default
        }
        "JProperty" | "KeyValuePair" | "Add" | "SetValue" => {
            if let [key, value] = arguments.as_slice()
                && let [key] = key.as_slice()
            {
                reader.pair(key, value);
            }
            unknown(reader, on, arguments)
        }
        _ if SAME.contains(&name) => on,
        _ => unknown(reader, on, arguments),
    }
}

fn unknown(reader: &mut Reader, on: Value, arguments: Vec<Value>) -> Value {
    reader.keep(on);
    arguments.into_iter().for_each(|a| reader.keep(a));
    Vec::new()
}

fn joined(mut left: Value, right: Value) -> Value {
    join(&mut left, right);
    left
}

/// The string that an argument is, or a hole.
fn or_hole(argument: &Value) -> String {
    match argument.as_slice() {
        [one] => one.clone(),
        _ => HOLE.to_string(),
    }
}

fn join_all(arguments: &[Value]) -> Option<String> {
    let [between] = arguments.first()?.as_slice() else {
        // `string.Empty` is no literal.
        let rest: String = arguments.iter().skip(1).map(or_hole).collect();
        return (arguments.len() > 2).then_some(rest);
    };
    let rest: Vec<String> = arguments.iter().skip(1).map(or_hole).collect();
    (between.len() * rest.len() <= MAX_MADE).then(|| rest.join(between))
}

fn format(arguments: &[Value]) -> Option<String> {
    let [text] = arguments.first()?.as_slice() else {
        return None;
    };
    let mut text = text.clone();
    for (i, argument) in arguments.iter().skip(1).enumerate().take(MAX_PLACES) {
        text = put(&text, &format!("{{{i}}}"), &or_hole(argument))?;
    }
    Some(text)
}

fn replace(on: &Value, arguments: &[Value]) -> Option<String> {
    let ([on], [from, to]) = (on.as_slice(), arguments) else {
        return None;
    };
    let ([from], [to]) = (from.as_slice(), to.as_slice()) else {
        return None;
    };
    let plain = !from.is_empty() && !from.contains(HOLE);
    plain.then(|| put(on, from, to)).flatten()
}

/// The text with each `from` as `to`, unless that grows too long.
fn put(text: &str, from: &str, to: &str) -> Option<String> {
    let grown = text.matches(from).count() * to.len();
    (grown <= MAX_MADE.max(to.len())).then(|| text.replace(from, to))
}

/// Base64 of a text. One that is not constant is told as the parts of a login.
fn encoded(reader: &mut Reader, text: &str) -> Option<String> {
    if names(text).is_empty() && !text.contains(HOLE) {
        return Some(STANDARD.encode(text));
    }
    reader.keep(vec![format!("Basic {text}")]);
    None
}

fn decoded(text: &String) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}
