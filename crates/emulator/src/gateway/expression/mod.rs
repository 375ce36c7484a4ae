//! Policy expressions: `@(…)` and `@{…}`, as much of their C# as policies of this kind use. Names,
//! members, methods and statements that are not emulated are refused by name, never guessed, and
//! only when they are reached: a branch that is not taken may hold anything that parses.

mod eval;
mod lexer;
mod methods;
mod parse;

pub use methods::jwt;

use serde_json::{Map, Value};

use eval::Scope;

/// The one field of a body in the context; `As<T>()` reads it.
pub const BODY: &str = "Text of the body";

/// Why an expression has no value. It never tells a literal, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Expression evaluation failed. {0}")]
pub struct ExpressionError(String);

fn fail<T>(what: impl Into<String>) -> Result<T, ExpressionError> {
    Err(ExpressionError(what.into()))
}

/// Whether a text is an expression as a whole.
pub fn is_expression(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("@(") || text.starts_with("@{")
}

/// Evaluates an expression with `context` as a tree of values.
pub fn evaluate(text: &str, context: &Value) -> Result<Value, ExpressionError> {
    let text = text.trim();
    let mut scope = Scope {
        context,
        locals: Map::new(),
    };
    let between = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(inner) = between("@(", ")") {
        return scope.value(&parse::expression(inner)?);
    }
    let Some(inner) = between("@{", "}") else {
        return fail("A text beside an expression is not emulated.");
    };
    match scope.run(&parse::block(inner)?)? {
        Some(value) => Ok(value),
        None => fail("The statements return no value."),
    }
}

/// A value as text: nothing for null, no quotes for strings.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> Result<Value, ExpressionError> {
        let context = json!({"GraphQL": {"Arguments": {"id": 7, "name": "a\"b"}},
            "RequestId": "r", "Request": {"Headers": {"X-Id": ["h", "i"]}, "Body": null},
            "Variables": {"n": 2, "answer": {"StatusCode": 200, "Body": {BODY: "{\"t\":\"x\"}"}}},
            "Product": null});
        evaluate(text, &context)
    }

    #[test]
    fn arguments_casts_and_methods_have_their_values() {
        let id = "context.GraphQL.Arguments[\"id\"]";
        for (text, expected) in [
            (format!("@({id})"), json!(7)),
            (format!("@({id}.ToString())"), json!("7")),
            (format!("@((string){id})"), json!("7")),
            (format!("@((int){id} + 1)"), json!(8)),
            (
                format!("@(((string){id}) + \"-\" + context.RequestId)"),
                json!("7-r"),
            ),
            ("@(Convert.ToInt32(\"12\"))".into(), json!(12)),
            ("@($\"{context.RequestId}/{1 + 1}\")".into(), json!("r/2")),
            ("@(context.RequestId.ToUpper() == \"R\")".into(), json!(true)),
            (
                "@(\"Basic \" + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(\"a:b\")))"
                    .into(),
                json!("Basic YTpi"),
            ),
        ] {
            assert_eq!(value(&text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn defaults_stand_in_for_what_is_missing() {
        for (text, expected) in [
            ("@(context.GraphQL.Arguments[\"none\"] ?? 5)", json!(5)),
            (
                "@(context.Request.Headers.GetValueOrDefault(\"x-id\", \"\"))",
                json!("h,i"),
            ),
            (
                "@(context.Request.Headers.GetValueOrDefault(\"y\", \"d\"))",
                json!("d"),
            ),
            (
                "@(context.Variables.GetValueOrDefault<int>(\"n\") > 1 ? \"a\" : \"b\")",
                json!("a"),
            ),
            ("@(context.Product?.Name ?? \"none\")", json!("none")),
            (
                "@(context.Product?.Name.ToLower() ?? \"none\")",
                json!("none"),
            ),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_response_in_a_variable_is_read() {
        let body = "((IResponse)context.Variables[\"answer\"]).Body.As<JObject>()";
        assert_eq!(
            value(&format!("@({body}[\"t\"].ToString())")),
            Ok(json!("x"))
        );
        assert_eq!(value(&format!("@((string){body}[\"t\"])")), Ok(json!("x")));
        let status = "@(((IResponse)context.Variables[\"answer\"]).StatusCode == 200)";
        assert_eq!(value(status), Ok(json!(true)));
    }

    #[test]
    fn a_token_and_a_basic_header_are_taken_apart() {
        // {"oid":"o-1","roles":["a","b"]} between a header and a signature that nobody reads.
        let token = "e30.eyJvaWQiOiJvLTEiLCJyb2xlcyI6WyJhIiwiYiJdfQ.x";
        let claims = format!("\"Bearer {token}\".AsJwt()?.Claims");
        assert_eq!(
            value(&format!("@({claims}[\"roles\"].Contains(\"b\"))")),
            Ok(json!(true))
        );
        let oid = format!("@({claims}.GetValueOrDefault(\"oid\", \"\"))");
        assert_eq!(value(&oid), Ok(json!("o-1")));
        assert_eq!(
            value("@(\"none\".AsJwt()?.Subject ?? \"nobody\")"),
            Ok(json!("nobody"))
        );
        assert_eq!(
            value("@(\"Basic YTpi\".AsBasic().Password)"),
            Ok(json!("b"))
        );
    }

    #[test]
    fn statements_declare_choose_and_return() {
        let text = "@{ // the key\n var key = \"k\" + context.RequestId;\n if (key == \"kr\") { \
                    return key; } else { return Unknown.Thing(); } }";
        assert_eq!(value(text), Ok(json!("kr")));
        assert_eq!(
            value("@{ return new JObject(new JProperty(\"a\", 1)).ToString(); }"),
            Ok(json!("{\"a\":1}"))
        );
    }

    #[test]
    fn what_is_not_emulated_is_refused() {
        for text in [
            "@{ foreach (var x in y) { } return 1; }",
            "@(1",
            "@(new HMACSHA256(key))",
            "@(context.RequestId.Normalize())",
            "@(context.Nothing)",
            "@(context.Product.Name)",
            "@(context.Variables[\"none\"])",
            "prefix @(1)",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
