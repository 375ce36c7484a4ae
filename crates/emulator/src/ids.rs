//! Fresh identifiers: random GUIDs and keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `N` random bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    // The system's generator does not fail on the platforms that we run on.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes
}

/// A random (version 4) GUID in lower case.
pub fn guid() -> String {
    let mut b = random::<16>();
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// The header value for the `serial`-th version of an entity, quotes included.
pub fn etag(serial: u64) -> String {
    format!("\"{}\"", STANDARD.encode(serial.to_be_bytes()))
}
