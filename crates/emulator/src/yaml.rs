//! YAML to JSON values, as much as a seed needs: mappings, sequences, scalars of the core schema.
//! Anchors, aliases and tags are refused, duplicate keys too.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

const DEPTH: usize = 64;

/// Where and why a text is not a seed's YAML.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct YamlError {
    pub line: usize,
    pub column: usize,
    pub what: String,
}

fn refuse(span: Span, what: impl Into<String>) -> YamlError {
    YamlError {
        line: span.start.line(),
        column: span.start.col() + 1,
        what: what.into(),
    }
}

/// Reads the one document of `text`; an empty text is `null`.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    let mut events = Events(Parser::new_from_str(text));
    let mut document = None;
    loop {
        let (event, span) = events.next()?;
        match event {
            Event::StreamEnd => return Ok(document.unwrap_or(Value::Null)),
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if document.is_some() => return Err(refuse(span, "a seed is one YAML document")),
            other => document = Some(events.value(other, span, 0)?),
        }
    }
}

struct Events<'a>(Parser<'a, saphyr_parser::StrInput<'a>>);

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        match self.0.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(YamlError {
                line: error.marker().line(),
                column: error.marker().col() + 1,
                what: error.info().to_owned(),
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn value(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Value, YamlError> {
        if depth > DEPTH {
            return Err(refuse(span, "nested too deeply"));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if anchor != 0 || tag.is_some() {
                    return Err(refuse(span, "anchors and tags are not used in a seed"));
                }
                let plain = style == ScalarStyle::Plain;
                Ok(if plain {
                    scalar(&text)
                } else {
                    Value::String(text.into_owned())
                })
            }
            Event::SequenceStart(0, None) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                        (event, span) => items.push(self.value(event, span, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(0, None) => self.mapping(depth),
            _ => Err(refuse(
                span,
                "anchors, aliases and tags are not used in a seed",
            )),
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut map = Map::new();
        loop {
            let (event, at) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Object(map)),
                Event::Scalar(text, _, 0, None) => text.into_owned(),
                _ => return Err(refuse(at, "a key is a plain scalar")),
            };
            let (event, span) = self.next()?;
            let value = self.value(event, span, depth + 1)?;
            if map.contains_key(&key) {
                return Err(refuse(at, format!("the key `{key}` is here twice")));
            }
            map.insert(key, value);
        }
    }
}

/// A plain scalar by the core schema, without octal and hexadecimal numbers.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']);
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit())
        && !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
    if numeric {
        if let Ok(number) = text.parse::<i64>() {
            return Value::Number(number.into());
        }
        if let Some(number) = text.parse::<f64>().ok().and_then(Number::from_f64) {
            return Value::Number(number);
        }
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn blocks_lists_and_scalars_become_json() {
        let text = "a: 1\nb: [x, true, ~, '01', 01, 1.5]\nc: |\n  line\n  two\nd: {e: 1-2-3}\n";
        let expected = json!({"a": 1, "b": ["x", true, null, "01", "01", 1.5],
            "c": "line\ntwo\n", "d": {"e": "1-2-3"}});
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn a_duplicate_key_is_refused_where_it_stands() {
        let error = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!((error.line, error.column), (3, 1));
    }

    #[test]
    fn an_alias_is_refused() {
        assert!(parse("a: &x [1]\nb: *x\n").is_err());
    }
}
