//! Kinds of Microsoft.Sql, and what of them the emulated SQL itself has to know.

pub mod entra;
pub mod firewall;
pub mod kept;
pub mod server;
pub mod setting;

/// The server's name, without suffix, from the key of it or of anything below it.
pub fn server_name(key: &str) -> &str {
    key.split('/').nth(8).unwrap_or_default()
}

/// The key of the server.
pub fn server_key(key: &str) -> String {
    key.split('/').take(9).collect::<Vec<_>>().join("/")
}
