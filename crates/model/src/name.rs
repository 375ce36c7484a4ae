//! Names that may become part of an address, a URL path or a T-SQL identifier.

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name must not be empty")]
    Empty,
    #[error("a name may have at most {0} characters")]
    TooLong(usize),
    #[error("a document name starts with a letter or digit and holds only a-z, 0-9 and “-”")]
    Document,
    #[error("the character {0:?} may not stand in a name")]
    Character(char),
    #[error("“{0}” may not stand in a name")]
    Dots(String),
}

/// Checks `metadata.name`: `[a-z0-9][a-z0-9-]{0,62}`.
///
/// # Errors
/// When the name is empty, too long or holds another character.
pub fn check_document_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > 63 {
        return Err(NameError::TooLong(63));
    }
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.starts_with('-') || !name.chars().all(fits) {
        return Err(NameError::Document);
    }
    Ok(())
}

/// Checks a name that Azure or a database gave. The builders of the generated Azure crates put a
/// name into the request path as it stands, so whatever could leave its segment is refused here.
///
/// # Errors
/// When the name is empty, longer than 256 characters, is `.` or `..`, or holds a control
/// character or one of `/ \ ? # % :`.
pub fn check_azure_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.chars().count() > 256 {
        return Err(NameError::TooLong(256));
    }
    if name == "." || name.contains("..") {
        return Err(NameError::Dots(name.to_owned()));
    }
    match name
        .chars()
        .find(|c| c.is_control() || "/\\?#%:".contains(*c))
    {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        for bad in [
            "",
            "..",
            "a/b",
            "a\\b",
            "my nv/../#?x",
            "a?b",
            "a#b",
            "a%2fb",
            "a\nb",
            "a:b",
        ] {
            assert!(check_azure_name(bad).is_err(), "{bad:?}");
        }
        for good in [
            "orders",
            "Orders DB",
            "orders_app",
            "sql-admins",
            "a.b",
            "people;rev=2",
        ] {
            assert!(check_azure_name(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn document_names_are_dns_labels() {
        assert!(check_document_name("orders-read").is_ok());
        for bad in ["", "-a", "Orders", "a_b", &"a".repeat(64)] {
            assert!(check_document_name(bad).is_err(), "{bad:?}");
        }
    }
}
