//! What a load reads: manifests as texts, and policy files through a function of the caller.

/// The largest manifest that is read, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// The text of one manifest file.
pub struct Source {
    /// The path as the user would write it, relative to the project.
    pub path: String,
    pub text: String,
}

/// Why a policy file has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    Missing,
    /// Over the caller's limit; the size in bytes.
    TooLarge(u64),
    /// Not UTF-8.
    NotText,
    /// Anything else, in the words of the operating system.
    Failed(String),
}

/// Gives the text of a policy file, named relative to the project with `/` between the parts.
pub type Read<'a> = &'a dyn Fn(&str) -> Result<String, ReadError>;
