//! Refusals in Azure Resource Manager's own shape.

use serde_json::{Value, json};

use crate::http::Response;

/// A refusal: an HTTP status, a code, a sentence, and for APIM's validation the fields at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmError {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// `(target, message)` of each field.
    pub details: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
}

impl ArmError {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// APIM's answer to a body that it does not accept.
    pub fn validation(target: &str, message: impl Into<String>) -> Self {
        let mut error = Self::new(
            400,
            "ValidationError",
            "One or more fields contain incorrect values:",
        );
        error.details.push((target.into(), message.into()));
        error
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(404, "ResourceNotFound", format!("{what} not found."))
    }

    pub fn precondition() -> Self {
        Self::new(
            412,
            "PreconditionFailed",
            "Resource was modified since last retrieval.",
        )
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The `error` object.
    pub fn object(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if !self.details.is_empty() {
            let details: Vec<Value> = self
                .details
                .iter()
                .map(|(target, message)| {
                    json!({"code": self.code, "target": target, "message": message})
                })
                .collect();
            error["details"] = Value::Array(details);
        }
        error
    }

    pub fn response(&self) -> Response {
        let mut response = Response::json(self.status, &json!({"error": self.object()}));
        response.headers.extend(self.headers.iter().cloned());
        response
    }
}
