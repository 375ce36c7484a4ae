//! What a value looks like: a reference, a placeholder, a key made by a machine.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use keyless_model::Live;

use crate::constants::HOLE;
use crate::source::{names, substitute};

/// Words that stand for a value in schemas, examples and documentation.
const STAND_INS: [&str; 17] = [
    "string",
    "null",
    "true",
    "false",
    "none",
    "undefined",
    "redacted",
    "value",
    "password",
    "pwd",
    "secret",
    "token",
    "key",
    "required",
    "optional",
    "example",
    "placeholder",
];

/// Whether a value is literal: not empty, no reference, nothing computed, no placeholder.
pub(crate) fn is_literal(value: &str) -> bool {
    let value = value.trim();
    !value.is_empty()
        && !value.contains(HOLE)
        && !value.starts_with("@(")
        && !value.starts_with("@{")
        && names(value).is_empty()
        && !is_placeholder(value)
}

/// Whether a credential stands in a value itself, be it a part that a reference completes.
pub(crate) fn has_literal(value: &str) -> bool {
    let (rest, _) = substitute(value, |_| Live::Present(String::new()));
    is_literal(&rest)
}

/// A value that is to be replaced by a real one: `<key>`, `{key}`, `$(key)`, `YOUR_KEY`, `****`.
pub(crate) fn is_placeholder(value: &str) -> bool {
    const WRAPS: [(&str, &str); 9] = [
        ("<", ">"),
        ("{", "}"),
        ("[", "]"),
        ("%", "%"),
        ("$(", ")"),
        ("${", "}"),
        ("#{", "}#"),
        ("__", "__"),
        ("%%", "%%"),
    ];
    let value = value.trim();
    // Words only: a real password may stand in brackets too, and to miss one is the worse mistake.
    let words = |inner: &str| {
        inner
            .chars()
            .all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '_' | '.'))
    };
    let wrapped = WRAPS.iter().any(|(open, close)| {
        let inner = value.strip_prefix(open).and_then(|v| v.strip_suffix(close));
        inner.is_some_and(|inner| !inner.is_empty() && words(inner))
    });
    let lower = value.to_ascii_lowercase();
    let yours = ["your-", "your_", "your "]
        .iter()
        .any(|p| lower.starts_with(p));
    let named = words(value) && (yours || lower.contains("placeholder"));
    let first = value.chars().next().unwrap_or('*');
    let row = value.len() > 2
        && matches!(first, '*' | 'x' | 'X' | '.' | '-' | '0' | '•' | '…')
        && value.chars().all(|c| c == first);
    wrapped || named || row
}

/// A word that documentation puts where a value goes.
pub(crate) fn is_stand_in(value: &str) -> bool {
    STAND_INS
        .iter()
        .any(|w| w.eq_ignore_ascii_case(value.trim()))
}

/// A GUID is a name more often than a key.
pub(crate) fn is_guid(value: &str) -> bool {
    let groups: Vec<&str> = value.split('-').collect();
    groups.len() == 5
        && groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12])
        && value.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// A key as machines make them: long, of mixed characters, without words.
pub(crate) fn is_random(value: &str) -> bool {
    let core = value.trim().trim_end_matches('=');
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+/_-~.%".contains(c);
    if core.len() < 20 || !core.chars().all(allowed) || is_guid(core) {
        return false;
    }
    let count = |f: fn(&char) -> bool| core.chars().filter(f).count();
    let digits = count(char::is_ascii_digit);
    let letters = count(char::is_ascii_alphabetic);
    if core.chars().all(|c| c.is_ascii_hexdigit()) {
        return core.len() >= 32 && digits > 3 && letters > 3 && bits(core) > 3.0;
    }
    digits > 1
        && count(char::is_ascii_uppercase) > 1
        && count(char::is_ascii_lowercase) > 1
        && bits(core) > 3.3
        && longest_word(core) < 10
}

/// A password as people make them: one word of letters and digits, and no name of something else.
/// Only where a name says that a password stands there.
pub(crate) fn is_password(value: &str) -> bool {
    let (short, long) = (value.chars().count() < 8, value.len() > 128);
    let is = |f: fn(char) -> bool| value.chars().any(f);
    let mixed = is(char::is_alphabetic) && is(char::is_numeric);
    let other =
        value.contains("://") || value.starts_with("urn:") || is_guid(value) || is_date(value);
    mixed && !short && !long && !other && !is(char::is_whitespace) && is_literal(value)
}

/// A date or an API version, `2024-05-01-preview`.
fn is_date(value: &str) -> bool {
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let mut parts = value.splitn(4, '-');
    let date = parts.by_ref().take(3).map(|p| (p.len(), digits(p)));
    date.eq([(4, true), (2, true), (2, true)])
}

/// Length of the longest row of letters of one case, which a capital may open.
fn longest_word(text: &str) -> usize {
    let (mut longest, mut lower, mut upper) = (0, 0, 0);
    for c in text.chars() {
        match c {
            c if c.is_ascii_lowercase() => {
                lower += 1;
                upper = 0;
            }
            c if c.is_ascii_uppercase() => {
                upper += 1;
                lower = 1;
            }
            _ => (lower, upper) = (0, 0),
        }
        longest = longest.max(lower).max(upper);
    }
    longest
}

/// Shannon entropy in bits a character.
fn bits(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    text.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let total = text.len() as f64;
    let share = |n: &u32| {
        let p = f64::from(*n) / total;
        -p * p.log2()
    };
    counts.iter().filter(|n| **n > 0).map(share).sum()
}

/// What a base64 text says, if that is printable.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let text = text.trim();
    let bytes = STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .or_else(|_| URL_SAFE_NO_PAD.decode(text))
        .ok()?;
    let said = String::from_utf8(bytes).ok()?;
    let printable = |c: char| !c.is_control() || c.is_whitespace();
    (!said.is_empty() && said.chars().all(printable)).then_some(said)
}

/// A signed JSON web token.
pub(crate) fn is_jwt(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, body, signature] = parts.as_slice() else {
        return false;
    };
    let is_json = |part: &str| decoded(part).is_some_and(|json| json.starts_with('{'));
    is_json(header) && is_json(body) && signature.len() >= 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_look_random_and_names_do_not() {
        for key in [
            "3f2504e04f8911d39a0c0305e82c3301",
            "kq8L+2fP0vZr9Xn4tYb7WcJd1mHs6Ge5Ua3Qo/TiEyRxMzNwKpVlBhCjDfSgFk==",
            "abC8Q~3fGh7JkL9mNpQrS2tUvWxYz4.aBcDeF5g",
        ] {
            assert!(is_random(key), "{key}");
        }
        for name in [
            "Ocp-Apim-Subscription-Key",
            "00000000-0000-0000-0000-000000000001",
            "https://contoso.azure-api.net/orders",
            "2024-05-01-preview",
            "Microsoft.ApiManagement/service2024x1",
            "application/vnd.contoso.v2+json",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "short1A",
        ] {
            assert!(!is_random(name), "{name}");
        }
    }

    #[test]
    fn placeholders_and_references_are_not_literal() {
        for value in [
            "",
            " ",
            "{{x}}",
            "Bearer {{x}}",
            "@(x)",
            "<your key>",
            "{api-key}",
            "$(pw)",
            "${pw}",
            "#{pw}#",
            "YOUR_KEY",
            "****",
            "xxxxxxxx",
            "__PW__",
            "pass\u{fffc}",
        ] {
            assert!(!is_literal(value), "{value}");
        }
        for value in ["hunter2", "p@ss{w}", "<x7Qp!9>", "your-Dog-7", "x"] {
            assert!(is_literal(value), "{value}");
        }
    }

    #[test]
    fn passwords_are_mixed_and_nothing_else() {
        for value in ["Winter2024!", "harbour-maple31", "p4ssw0rd/x"] {
            assert!(is_password(value), "{value}");
        }
        for value in [
            "short1!",
            "managed-identity",
            "2024-05-01-preview",
            "https://h/p4ssword",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "two w0rds here",
            "{{password1}}",
        ] {
            assert!(!is_password(value), "{value}");
        }
    }

    #[test]
    fn a_token_is_one_by_its_parts() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlc2lnbmF0dXJl";
        assert!(is_jwt(token));
        assert!(!is_jwt("a.b.c") && !is_jwt("eyJhbGciOiJIUzI1NiJ9"));
    }
}
