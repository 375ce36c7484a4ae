//! Masks what looks like a credential in texts that others wrote: answers of a service, of the
//! authority, of the Azure CLI.
//!
//! Invariant: it may mask too much and never too little. Our own texts hold no credential.

/// Keys whose value runs to `;` or the end of the line: values of connection strings may hold
/// spaces and quotes.
const LONG: &[&str] = &[
    "password",
    "pwd",
    "accountkey",
    "sharedaccesskey",
    "sharedaccesssignature",
    "account key",
];
/// Keys whose value ends at white space or a delimiter.
const SHORT: &[&str] = &[
    "sig",
    "code",
    "client_secret",
    "client_assertion",
    "access_token",
    "refresh_token",
    "secret",
    "subscription-key",
    "x-functions-key",
];
const MASK: &str = "***";

/// `text` with everything that looks like a credential masked.
pub fn redact(text: &str) -> String {
    let keyed: Vec<String> = text.lines().map(mask_keys).collect();
    mask_runs(&mask_bearer(&keyed.join("\n")))
}

/// [`redact`], and the given texts masked wherever they stand.
pub(crate) fn redact_known(text: &str, known: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in known.iter().filter(|s| s.len() >= 4) {
        text = text.replace(secret, MASK);
    }
    redact(&text)
}

/// Masks the values of `key=value` and `"key": "value"`.
fn mask_keys(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::new();
    let mut at = 0;
    while let Some((start, end)) = next_value(&lower, at) {
        out.push_str(&line[at..start]);
        out.push_str(MASK);
        at = end;
    }
    out.push_str(&line[at..]);
    out
}

/// The byte range of the next value after `from` that belongs to a known key.
fn next_value(lower: &str, from: usize) -> Option<(usize, usize)> {
    let keys = LONG
        .iter()
        .map(|k| (*k, true))
        .chain(SHORT.iter().map(|k| (*k, false)));
    keys.flat_map(|(key, long)| {
        lower[from..]
            .match_indices(key)
            .filter_map(move |(i, _)| value_of(lower, from + i, key.len(), long))
    })
    .min_by_key(|(start, end)| (*start, usize::MAX - *end))
}

/// The value of a key that stands at `at`, if an `=` or `:` follows and the key starts a word.
fn value_of(lower: &str, at: usize, length: usize, long: bool) -> Option<(usize, usize)> {
    let starts_word = lower[..at]
        .chars()
        .next_back()
        .is_none_or(|c| !c.is_alphanumeric());
    let rest = &lower[at + length..];
    let gap = rest.len() - rest.trim_start_matches([' ', '"', '\'', '\\']).len();
    let sign = rest[gap..]
        .chars()
        .next()
        .filter(|c| matches!(c, '=' | ':'))?;
    let after = &rest[gap + 1..];
    let lead = after.len() - after.trim_start().len();
    let start = at + length + gap + 1 + lead;
    let value = &lower[start..];
    if !starts_word || value.is_empty() || value.starts_with(MASK) {
        return None;
    }
    // In JSON the closing quote ends the value; in a connection string only `;` does.
    let quoted = sign == ':' && value.starts_with('"');
    let end = match (quoted, long) {
        (true, _) => value[1..].find('"').map(|i| i + 2),
        (false, true) => value.find([';', '&', '\r']),
        (false, false) => value.find([';', '&', ' ', '"', '\'', ',', '<', '\r', '\t', ')']),
    };
    let end = end.unwrap_or(value.len());
    (end > 0).then_some((start, start + end))
}

/// Masks what follows `Bearer` or `Basic`, unless it is a plain short word.
fn mask_bearer(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let word = |t: &str| {
        let lower = t.to_ascii_lowercase();
        let found = ["bearer ", "basic "]
            .iter()
            .filter_map(|w| Some((lower.find(w)?, w.len())));
        found.min()
    };
    while let Some((at, length)) = word(rest) {
        let (head, tail) = rest.split_at(at + length);
        out.push_str(head);
        let end = tail
            .find([' ', '"', '\'', ',', '\n', '\r'])
            .unwrap_or(tail.len());
        let token = end >= 16 || tail[..end].contains(|c: char| c.is_ascii_digit());
        out.push_str(if token { MASK } else { &tail[..end] });
        rest = &tail[end..];
    }
    out.push_str(rest);
    out
}

/// Masks long base64: storage keys, tokens, signatures.
fn mask_runs(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || "+/=_-.%".contains(c);
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(part) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        out.push_str(&mask_run(&rest[..end]));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

fn mask_run(run: &str) -> String {
    if !is_path(run) {
        return if looks_random(run) {
            MASK.to_owned()
        } else {
            run.to_owned()
        };
    }
    let parts = run
        .split('/')
        .map(|p| if looks_random(p) { MASK } else { p });
    parts.collect::<Vec<_>>().join("/")
}

/// A resource id or URL path, which is long and harmless.
fn is_path(run: &str) -> bool {
    run.contains("subscriptions/") || run.contains("providers/") || run.starts_with("//")
}

/// Long, and of all three classes of characters, which names and GUIDs are not.
fn looks_random(run: &str) -> bool {
    run.len() >= 40
        && run.contains(|c: char| c.is_ascii_uppercase())
        && run.contains(|c: char| c.is_ascii_lowercase())
        && run.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "Zm9vYmFyYmF6cXV4/2Nvcm91c2VsMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6QUJDREVGRw==";

    #[test]
    fn passwords_of_connection_strings_are_masked_whole() {
        let text = "bad: Server=s;User ID=app;Password=hun ter\"2;Encrypt=True";
        assert_eq!(
            redact(text),
            "bad: Server=s;User ID=app;Password=***;Encrypt=True"
        );
        assert!(!redact("pwd = hunter2 is wrong").contains("hunter2"));
    }

    #[test]
    fn keys_signatures_and_tokens_are_masked() {
        for secret in [
            "AccountKey=c2VjcmV0;x",
            "https://h/p?sv=1&sig=c2VjcmV0%3D&x=1",
            "Authorization: Bearer c2VjcmV0c2VjcmV0c2VjcmV0",
            "{\"client_secret\": \"c2VjcmV0\"}",
            "\"password\":\"c2VjcmV0\",\"user\":\"a\"",
            "client_secret=c2VjcmV0&grant_type=x",
        ] {
            assert!(!redact(secret).contains("c2VjcmV0"), "{}", redact(secret));
        }
        assert_eq!(
            redact(&format!("the key {KEY} is bad")),
            "the key *** is bad"
        );
        assert!(redact("{\"password\":\"x\",\"user\":\"a\"}").contains("\"user\":\"a\""));
    }

    #[test]
    fn what_is_no_credential_stays() {
        for text in [
            "the lock on /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/Rg1/\
             providers/Microsoft.Sql/servers/orders-sql",
            "correlation 6f1c3f4e-0000-4111-8222-0123456789ab",
            "Error in element 'set-header' on line 4, column 6",
            "a bearer token is missing",
            "Passwords are off",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn a_known_text_is_masked_wherever_it_stands() {
        assert_eq!(
            redact_known("value 'tiger-7' is bad", &["tiger-7"]),
            "value '***' is bad"
        );
    }

    #[test]
    fn odd_texts_do_no_harm() {
        for text in [
            "",
            "=",
            "password",
            "password=",
            "pwd=é;ü",
            "sig==",
            "Bearer ",
            "é\u{130}pwd=x",
        ] {
            let _ = redact(text);
        }
    }
}
