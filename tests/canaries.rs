//! Planted secrets must be in nothing that keyless writes, in whatever spelling.

use std::fs;
use std::path::Path;

/// Every spelling of a secret that could slip through.
pub fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let mut out = vec![bytes.to_vec()];
    out.push(secret.encode_utf16().flat_map(u16::to_le_bytes).collect());
    out.push(
        secret
            .bytes()
            .flat_map(|b| format!("%{b:02X}").into_bytes())
            .collect(),
    );
    out.push(url(secret).into_bytes());
    let xml = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;");
    out.push(xml.into_bytes());
    let json = serde_json::to_string(secret).unwrap();
    out.push(json.trim_matches('"').as_bytes().to_vec());
    out.extend((0..3).map(|offset| base64_middle(bytes, offset)));
    out
}

fn url(secret: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    secret
        .bytes()
        .map(|b| {
            if keep(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = char::from(ALPHABET[(bits >> shift & 63) as usize]);
            out.push(if at <= group.len() { letter } else { '=' });
        }
    }
    out
}

/// The characters of a base64 text that the secret alone decides, when it starts `offset` bytes
/// into a group of three.
fn base64_middle(secret: &[u8], offset: usize) -> Vec<u8> {
    let whole = &secret[(3 - offset) % 3..];
    base64(&whole[..whole.len() / 3 * 3]).into_bytes()
}

/// Where a secret was found: the name of the text and the secret's first letters.
pub fn found<'a>(
    name: &str,
    text: &[u8],
    secrets: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let mut out = Vec::new();
    for secret in secrets {
        for spelling in spellings(secret) {
            if text.windows(spelling.len()).any(|w| w == spelling) {
                out.push(format!("{name} holds {}…", &secret[..8.min(secret.len())]));
            }
        }
    }
    out
}

/// Searches every file below `folder` that keyless wrote.
pub fn in_folder(folder: &Path, secrets: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return out;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(in_folder(&path, secrets));
        } else {
            let text = fs::read(&path).unwrap();
            out.extend(found(
                &path.display().to_string(),
                &text,
                secrets.iter().copied(),
            ));
        }
    }
    out
}

#[test]
fn every_spelling_is_recognised() {
    let secret = "planted-& \"x\"-7f3a9c";
    for (offset, head) in ["", "a", "ab"].into_iter().enumerate() {
        let whole = format!("{head}{secret}tail");
        let text = base64(whole.as_bytes());
        assert_eq!(found("x", text.as_bytes(), [secret]).len(), 1, "{offset}");
    }
    assert_eq!(
        found("x", b"plain planted-& \"x\"-7f3a9c", [secret]).len(),
        1
    );
    assert!(found("x", b"nothing here", [secret]).is_empty());
}
