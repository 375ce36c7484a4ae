//! A request that is being built: what `set-header`, `set-method`, `rewrite-uri` and their like
//! change before it goes out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::PolicyError;

/// Names and values in their order; names compare without case.
pub type Pairs = Vec<(String, String)>;

/// Where a request goes.
#[derive(Clone)]
pub enum Address {
    /// Below a URL: the API's own, or that of `set-backend-service`.
    Below { base: String, path: String },
    /// Below the URL of a backend entity, with its credentials.
    Backend { id: String, path: String },
    /// This URL.
    Whole(String),
}

/// A request that is not sent yet. No `Debug`: headers and bodies hold secrets.
#[derive(Clone)]
pub struct Draft {
    pub method: String,
    pub address: Address,
    pub query: Pairs,
    pub headers: Pairs,
    pub body: Vec<u8>,
}

impl Draft {
    /// A request that a policy makes itself, with nothing in it yet.
    pub fn new() -> Self {
        Self {
            method: "GET".into(),
            address: Address::Whole(String::new()),
            query: Pairs::new(),
            headers: Pairs::new(),
            body: Vec::new(),
        }
    }

    /// The path below the backend's URL.
    pub fn path(&self) -> &str {
        match &self.address {
            Address::Below { path, .. } | Address::Backend { path, .. } => path,
            Address::Whole(_) => "",
        }
    }

    pub fn set_path(&mut self, next: String) {
        match &mut self.address {
            Address::Below { path, .. } | Address::Backend { path, .. } => *path = next,
            Address::Whole(_) => {}
        }
    }

    pub fn authorize(&mut self, value: String) {
        apply(&mut self.headers, "Authorization", "override", vec![value]);
    }

    pub fn authorize_basic(&mut self, user: &str, password: &str) {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        self.authorize(format!("Basic {pair}"));
    }
}

/// The first value of a name.
pub fn value_of<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// `set-header` and `set-query-parameter`: sets values as `exists-action` says.
pub fn set(
    pairs: &mut Pairs,
    name: &str,
    action: &str,
    values: Vec<String>,
) -> Result<(), PolicyError> {
    if !matches!(action, "override" | "skip" | "append" | "delete") {
        let what = format!("The exists-action '{action}'");
        return Err(PolicyError::NotEmulated(what));
    }
    apply(pairs, name, action, values);
    Ok(())
}

fn apply(pairs: &mut Pairs, name: &str, action: &str, values: Vec<String>) {
    if action == "skip" && value_of(pairs, name).is_some() {
        return;
    }
    if matches!(action, "override" | "delete") {
        pairs.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }
    if action != "delete" {
        pairs.extend(values.into_iter().map(|value| (name.to_owned(), value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exists_action_decides_about_what_is_there() {
        let after = |action: &str| {
            let mut pairs = vec![("X-A".to_owned(), "1".to_owned())];
            set(&mut pairs, "x-a", action, vec!["2".into()]).unwrap();
            let values: Vec<String> = pairs.into_iter().map(|(_, value)| value).collect();
            values.join(",")
        };
        let all = ["override", "skip", "append", "delete"].map(after);
        assert_eq!(all, ["2", "1", "1,2", ""]);
        assert!(set(&mut Vec::new(), "a", "replace", Vec::new()).is_err());
    }
}
