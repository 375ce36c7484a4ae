//! Names for documents.

use std::collections::BTreeSet;

use keyless_model::check_document_name;

/// A name that a document can have (`[a-z0-9][a-z0-9-]{0,62}`), made of Azure's own.
pub fn document_name(text: &str) -> String {
    let fits = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = text.chars().map(fits).collect();
    let words: Vec<&str> = name.split('-').filter(|w| !w.is_empty()).collect();
    let mut name = words.join("-");
    name.truncate(63);
    let name = name.trim_end_matches('-');
    match check_document_name(name) {
        Ok(()) => name.to_owned(),
        Err(_) => "unnamed".to_owned(),
    }
}

/// The names of one kind that are taken.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// The first that is free, or the last with a number.
    pub fn take(&mut self, wanted: &[&str]) -> String {
        let named: Vec<String> = wanted.iter().map(|w| document_name(w)).collect();
        let last = named.last().cloned().unwrap_or_default();
        let last: String = last.chars().take(58).collect();
        let numbered = (2..).map(|n| format!("{}-{n}", last.trim_end_matches('-')));
        let mut all = named.into_iter().chain(numbered);
        let free = all.find(|name| !self.0.contains(name)).unwrap_or(last);
        self.0.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_to_fit() {
        for (text, wanted) in [
            ("Contoso_APIM", "contoso-apim"),
            ("orders db (new)", "orders-db-new"),
            ("--x--", "x"),
            ("Ж", "unnamed"),
        ] {
            assert_eq!(document_name(text), wanted);
        }
        let long = document_name(&"a-".repeat(60));
        assert!(check_document_name(&long).is_ok(), "{long}");
    }

    #[test]
    fn a_taken_name_is_not_given_again() {
        let mut names = Names::default();
        assert_eq!(names.take(&["orders", "sql-orders"]), "orders");
        assert_eq!(names.take(&["orders", "sql-orders"]), "sql-orders");
        assert_eq!(names.take(&["orders", "sql-orders"]), "sql-orders-2");
        let long = "b".repeat(80);
        assert_ne!(names.take(&[&long]), names.take(&[&long]));
    }
}
