//! What a written text stands for: named values are put in first, as the gateway does it, then an
//! expression is evaluated.

use serde_json::{Value, json};

use super::error::PolicyError;
use super::expression::{self, is_expression, text_of};
use crate::arm::{Entity, Store, find_named_value};
use crate::estate::Estate;
use crate::rawxml;

/// Evaluates texts of one service's policies.
pub struct Texts<'a> {
    pub estate: &'a Estate,
    /// The key of the service.
    pub service: &'a str,
}

impl Texts<'_> {
    /// The value of a text from a policy.
    pub fn value(&self, written: &str, context: &Value) -> Result<Value, PolicyError> {
        let text = self.filled(written)?;
        if is_expression(&text) {
            return Ok(expression::evaluate(&text, context)?);
        }
        if text.contains("@(") || text.contains("@{") {
            let what = "A text with an expression inside of it".to_owned();
            return Err(PolicyError::NotEmulated(what));
        }
        Ok(Value::String(text.trim().to_owned()))
    }

    pub fn string(&self, written: &str, context: &Value) -> Result<String, PolicyError> {
        self.value(written, context).map(|value| text_of(&value))
    }

    /// A text with its named values, which may be expressions themselves.
    pub fn filled(&self, written: &str) -> Result<String, PolicyError> {
        let mut text = String::with_capacity(written.len());
        let mut rest = written;
        while let Some((name, at, end)) = rawxml::next_reference(rest) {
            text.push_str(&rest[..at]);
            text.push_str(&named_value(&self.estate.store(), self.service, name)?);
            rest = &rest[end..];
        }
        text.push_str(rest);
        Ok(text)
    }
}

/// References go by display names. A Key Vault reference has a value only after its secret was read
/// (azure-facts B.2).
fn named_value(store: &Store, service: &str, name: &str) -> Result<String, PolicyError> {
    let found = find_named_value(store, service, name);
    let found = found.ok_or_else(|| PolicyError::NamedValue(name.to_owned()))?;
    if !is_healthy(found) {
        return Err(PolicyError::VaultValue(name.to_owned()));
    }
    let value = found.property("value").map(str::to_owned);
    value.ok_or_else(|| PolicyError::VaultValue(name.to_owned()))
}

fn is_healthy(named_value: &Entity) -> bool {
    let vault = &named_value.body["properties"]["keyVault"];
    !vault.is_object() || vault["lastStatus"]["code"] == json!("Success")
}
