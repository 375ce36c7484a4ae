//! Methods and constructors that expressions may call. What is not here is refused by its name.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::eval::cast;
use super::{BODY, ExpressionError, fail, text_of};
use crate::ids;

/// A member by its name; headers and arguments alike compare without case.
pub fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let mut fields = value.as_object()?.iter();
    fields
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// `String.Empty` and the like.
pub fn constant(path: &str, name: &str, context: &Value) -> Result<Value, ExpressionError> {
    match (path, name) {
        ("string" | "String", "Empty") => Ok(json!("")),
        ("DateTime", "UtcNow" | "Now") => Ok(context["Timestamp"].clone()),
        _ => fail(format!("'{path}.{name}' is not emulated.")),
    }
}

/// A method of a type: `Convert.ToBase64String(…)`.
pub fn of_type(path: &str, name: &str, arguments: &[Value]) -> Result<Value, ExpressionError> {
    let first = arguments.first().cloned().unwrap_or_default();
    let text = text_of(&first);
    match (path, name) {
        ("string" | "String", "IsNullOrEmpty") => Ok(json!(text.is_empty())),
        ("string" | "String", "IsNullOrWhiteSpace") => Ok(json!(text.trim().is_empty())),
        ("string" | "String", "Concat") => Ok(json!(concat(arguments))),
        ("string" | "String", "Format") => format(&text, &arguments[1..]),
        ("string" | "String", "Join") => Ok(json!(join(&text, arguments))),
        ("Convert", "ToInt32") | ("int" | "Int32", "Parse") => cast("int", first),
        ("Convert", "ToInt64") | ("long", "Parse") => cast("long", first),
        ("Convert", "ToBoolean") | ("bool", "Parse") => cast("bool", first),
        ("Convert", "ToString") => Ok(Value::String(text)),
        ("Convert", "ToBase64String") => Ok(json!(STANDARD.encode(bytes(&first)?))),
        ("Convert", "FromBase64String") => match STANDARD.decode(text) {
            Ok(bytes) => Ok(json!(bytes)),
            Err(_) => fail("The input is not a valid Base-64 string."),
        },
        ("Encoding.UTF8" | "Encoding.ASCII" | "Encoding.Default", "GetBytes") => {
            Ok(json!(text.into_bytes()))
        }
        ("Encoding.UTF8" | "Encoding.ASCII" | "Encoding.Default", "GetString") => {
            Ok(json!(String::from_utf8_lossy(&bytes(&first)?)))
        }
        ("Guid", "NewGuid") => Ok(json!(ids::guid())),
        ("JObject" | "JToken" | "JArray", "Parse") => parse(&text),
        ("JsonConvert", "SerializeObject") => Ok(json!(first.to_string())),
        ("Uri", "EscapeDataString") | ("WebUtility", "UrlEncode") => {
            let encoded = url::form_urlencoded::byte_serialize(text.as_bytes());
            Ok(json!(encoded.collect::<String>().replace('+', "%20")))
        }
        _ => fail(format!("'{path}.{name}' is not emulated.")),
    }
}

/// A method of a value.
pub fn of_value(
    value: &Value,
    name: &str,
    generic: Option<&str>,
    arguments: &[Value],
) -> Result<Value, ExpressionError> {
    let first = arguments.first().map(text_of).unwrap_or_default();
    match (value, name) {
        // The context's own objects are no JSON.
        (Value::Object(fields), "ToString")
            if [BODY, "QueryString", "StatusCode"]
                .iter()
                .any(|own| fields.contains_key(*own)) =>
        {
            fail("An object of the context as a text is not emulated.")
        }
        (_, "ToString") if arguments.is_empty() => Ok(json!(text_of(value))),
        (_, "Equals") => Ok(json!(arguments.first() == Some(value))),
        (Value::Object(fields), "As") => match fields.get(BODY) {
            Some(body) => read_body(&text_of(body), generic.unwrap_or("string")),
            None => fail("'As' is emulated for bodies only."),
        },
        (Value::Object(_), "GetValueOrDefault") => Ok(match member(value, &first) {
            Some(found) => joined(found),
            None => arguments.get(1).cloned().unwrap_or_default(),
        }),
        (Value::Object(_), "ContainsKey") => Ok(json!(member(value, &first).is_some())),
        (Value::Object(_), "SelectToken") => {
            let steps = first.trim_start_matches("$.").split('.');
            Ok(steps.fold(value.clone(), |at, step| {
                member(&at, step).cloned().unwrap_or_default()
            }))
        }
        (_, "Value") => {
            let found = match arguments.is_empty() {
                true => Some(value),
                false => member(value, &first),
            };
            let found = found.cloned().unwrap_or_default();
            cast(generic.unwrap_or("object"), found)
        }
        (Value::Array(items), "Contains") => Ok(json!(items.contains(&json!(first)))),
        (Value::Array(items), "Any" | "First" | "FirstOrDefault" | "Last" | "Count")
            if arguments.is_empty() =>
        {
            of_items(items, name)
        }
        (Value::String(text), _) => of_text(text, name, arguments),
        _ => fail(format!("The method '{name}' is not emulated.")),
    }
}

fn of_items(items: &[Value], name: &str) -> Result<Value, ExpressionError> {
    match (name, items.first(), items.last()) {
        ("Any", first, _) => Ok(json!(first.is_some())),
        ("Count", ..) => Ok(json!(items.len())),
        ("FirstOrDefault", first, _) => Ok(first.cloned().unwrap_or_default()),
        ("First", Some(item), _) | ("Last", _, Some(item)) => Ok(item.clone()),
        _ => fail("Sequence contains no elements."),
    }
}

fn of_text(text: &str, name: &str, arguments: &[Value]) -> Result<Value, ExpressionError> {
    let argument = |at: usize| arguments.get(at).map(text_of).unwrap_or_default();
    let (first, second) = (argument(0), argument(1));
    let number = |at: usize| {
        arguments
            .get(at)
            .and_then(Value::as_u64)
            .map(|n| n as usize)
    };
    Ok(match name {
        "ToLower" | "ToLowerInvariant" => json!(text.to_lowercase()),
        "ToUpper" | "ToUpperInvariant" => json!(text.to_uppercase()),
        "Trim" | "TrimStart" | "TrimEnd" => json!(trim(text, name, &first)),
        "Contains" => json!(text.contains(&first)),
        "StartsWith" => json!(text.starts_with(&first)),
        "EndsWith" => json!(text.ends_with(&first)),
        "Replace" => json!(text.replace(&first, &second)),
        "IndexOf" => json!(
            text.find(&first)
                .map_or(-1, |at| text[..at].chars().count() as i64)
        ),
        "AsJwt" => jwt(text).unwrap_or_default(),
        "AsBasic" => basic(text).unwrap_or_default(),
        "Split" if !first.is_empty() => text.split(&first).collect(),
        "Substring" => {
            let from = number(0).unwrap_or(usize::MAX);
            let length = number(1).unwrap_or(usize::MAX);
            if from > text.chars().count() {
                return fail("startIndex cannot be larger than length of string.");
            }
            json!(text.chars().skip(from).take(length).collect::<String>())
        }
        _ => return fail(format!("The method '{name}' is not emulated.")),
    })
}

/// A token taken apart, without looking at its signature: every claim is a list of texts.
pub fn jwt(header: &str) -> Option<Value> {
    let token = after_scheme(header, "bearer").unwrap_or(header);
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let payload: Map<String, Value> = serde_json::from_slice(&payload).ok()?;
    let listed = |value: &Value| match value {
        Value::Array(all) => all.iter().map(text_of).collect::<Value>(),
        one => json!([text_of(one)]),
    };
    let of = |name: &str| payload.get(name).cloned().unwrap_or_default();
    Some(json!({
        "Id": of("jti"),
        "Issuer": of("iss"),
        "Subject": of("sub"),
        "Audiences": payload.get("aud").map(listed),
        "Claims": payload
            .iter()
            .map(|(name, value)| (name.clone(), listed(value)))
            .collect::<Map<_, _>>(),
    }))
}

/// `Basic …` taken apart.
fn basic(header: &str) -> Option<Value> {
    let pair = STANDARD.decode(after_scheme(header, "basic")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some(json!({"UserId": user, "Password": password}))
}

fn after_scheme<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    let (scheme, rest) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim())
}

fn trim<'a>(text: &'a str, name: &str, set: &str) -> &'a str {
    let part = |c: char| {
        if set.is_empty() {
            c.is_whitespace()
        } else {
            set.contains(c)
        }
    };
    let text = if name == "TrimEnd" {
        text
    } else {
        text.trim_start_matches(part)
    };
    if name == "TrimStart" {
        text
    } else {
        text.trim_end_matches(part)
    }
}

/// Newtonsoft's tree types.
pub fn new_object(kind: &str, arguments: Vec<Value>) -> Result<Value, ExpressionError> {
    match (kind, arguments.as_slice()) {
        ("JProperty", [name, value]) => Ok(json!({text_of(name): value})),
        ("JObject", _) => {
            let mut fields = Map::new();
            for mut argument in arguments {
                let own = argument.as_object_mut().map(std::mem::take);
                fields.extend(own.into_iter().flatten());
            }
            Ok(Value::Object(fields))
        }
        ("JArray", _) => Ok(Value::Array(arguments)),
        ("Uri", [address]) => Ok(address.clone()),
        _ => fail(format!("'new {kind}' is not emulated.")),
    }
}

/// A header's values are one text, as the gateway gives them out.
fn joined(value: &Value) -> Value {
    let texts = value.as_array().map(|items| {
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        texts.map(|texts| json!(texts.join(",")))
    });
    texts.flatten().unwrap_or_else(|| value.clone())
}

fn read_body(text: &str, kind: &str) -> Result<Value, ExpressionError> {
    match kind {
        "string" | "String" => Ok(json!(text)),
        "JObject" | "JArray" | "JToken" => parse(text),
        "byte[]" => Ok(json!(text.as_bytes())),
        other => fail(format!("A body as '{other}' is not emulated.")),
    }
}

fn parse(text: &str) -> Result<Value, ExpressionError> {
    serde_json::from_str(text).map_err(|_| ExpressionError("A text is not JSON.".into()))
}

fn bytes(value: &Value) -> Result<Vec<u8>, ExpressionError> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let bytes = items.iter().map(|item| u8::try_from(item.as_u64()?).ok());
    match bytes.collect() {
        Some(bytes) if value.is_array() => Ok(bytes),
        _ => fail("Bytes were expected."),
    }
}

fn concat(arguments: &[Value]) -> String {
    arguments.iter().map(text_of).collect()
}

fn join(separator: &str, arguments: &[Value]) -> String {
    let items = match arguments {
        [_, Value::Array(items)] => items,
        _ => arguments.get(1..).unwrap_or_default(),
    };
    let texts: Vec<String> = items.iter().map(text_of).collect();
    texts.join(separator)
}

/// `{0}` and its like; formats inside the braces are refused.
fn format(pattern: &str, arguments: &[Value]) -> Result<Value, ExpressionError> {
    let mut text = pattern.to_owned();
    for (at, argument) in arguments.iter().enumerate() {
        text = text.replace(&format!("{{{at}}}"), &text_of(argument));
    }
    if text.contains("{0") || text.contains("{1") {
        return fail("A format of this kind is not emulated.");
    }
    Ok(Value::String(text))
}
