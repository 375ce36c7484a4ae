//! What keyless remembers.

use keyless_model::{AccessState, State};

use crate::style::{Style, Tone, counted};

/// Lays the state out: how far each Access is, and what keyless wrote.
pub fn state(state: &State, style: &Style) -> String {
    let mut out = String::new();
    for (name, access) in &state.accesses {
        out.push_str(&format!(
            "{}  {}\n",
            style.paint(Tone::Heading, name),
            stage(access)
        ));
    }
    let made = state.applied.values().filter(|a| a.made).count();
    let changed = state.applied.len() - made;
    let made = counted(made, "thing", "things");
    out.push_str(&format!("{made} made, {changed} changed by keyless\n"));
    for (address, applied) in &state.applied {
        let word = if applied.made { "made   " } else { "changed" };
        let at = applied.at.map(|t| format!("  {t}")).unwrap_or_default();
        out.push_str(&format!("  {word} {address}{at}\n"));
    }
    out
}

/// The furthest point that an Access has come to.
fn stage(access: &AccessState) -> String {
    let points = [
        ("retired", access.retired_at),
        ("settled", access.settled_at),
        ("disabled", access.disabled_at),
        ("confirmed", access.confirmed_at),
        ("switched", access.switched_at),
    ];
    let furthest = points
        .into_iter()
        .find_map(|(word, at)| at.map(|at| format!("{word} {at}")));
    furthest.unwrap_or_else(|| "not switched".to_owned())
}
