//! The commands that messages name, with the flags that they need to mean the same project.

use std::path::Path;

use keyless_plan::Plan;

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
            out += &format!(" {flag} {value}");
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
    path.display().to_string()
}

/// A plan that the state keeps: as much of its id as people are shown.
pub fn kept(plan: &Plan) -> String {
    plan.id.get(..12).unwrap_or(&plan.id).to_owned()
}
