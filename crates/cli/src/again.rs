//! The commands that messages name, with the flags that they need to mean the same project.

use std::path::Path;

use crate::args::Common;
use crate::session::environment;

/// `keyless VERB` with the flags of this run that no variable of the environment sets, and what
/// follows them.
pub fn command(common: &Common, verb: &str, rest: &str) -> String {
    let project = common.project.to_string_lossy();
    let flags = [
        ("--project", "KEYLESS_PROJECT", project.as_ref(), "."),
        (
            "--env",
            "KEYLESS_ENV",
            common.environment.as_deref().unwrap_or_default(),
            "",
        ),
        ("--cloud", "KEYLESS_CLOUD", common.cloud.as_str(), "public"),
    ];
    let mut out = format!("keyless {verb}");
    for (flag, variable, value, default) in flags {
        let meant = environment(variable);
        if meant.as_deref().unwrap_or(default) != value {
            out += &format!(" {flag} {}", word(value));
        }
    }
    if !rest.is_empty() {
        out += &format!(" {rest}");
    }
    out
}

/// A path as a person would type it.
pub fn path(path: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    word(&path.to_string_lossy())
}

/// One word of a command as a shell takes it: the address of a revision has a semicolon, a folder
/// may have a space.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./\\:=@%+,".contains(c);
    match text.chars().all(plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(word("plans/a-1.json"), "plans/a-1.json");
        assert_eq!(
            word("lock/apim:g/api:a;rev=2/callers"),
            "'lock/apim:g/api:a;rev=2/callers'"
        );
        assert_eq!(word("o'brien $HOME"), r"'o'\''brien $HOME'");
        assert_eq!(path(Path::new("./my plans/p.json")), "'my plans/p.json'");
    }
}
