//! `keyless explain`: what a code means and what to do.

use keyless_manifest::near;
use keyless_model::codes::{CODES, find};

use crate::args::ExplainArgs;
use crate::failure::Failure;
use crate::output;

pub fn run(args: &ExplainArgs) -> Result<u8, Failure> {
    let Some(text) = &args.code else {
        let rows: Vec<String> = CODES
            .iter()
            .map(|c| format!("{}  {}", c.code, c.title))
            .collect();
        output::data(&rows.join("\n"));
        return Ok(0);
    };
    let Some(code) = find(&text.to_uppercase()) else {
        return Err(unknown(text));
    };
    output::paragraphs(&format!("{}: {}\n\n{}", code.code, code.title, code.about));
    Ok(0)
}

/// Names the codes that may be meant: those that begin so, else those that are a slip away.
fn unknown(text: &str) -> Failure {
    let typed = text.to_uppercase();
    let all = || CODES.iter().map(|c| c.code);
    let begin = all().filter(|code| typed.len() > 4 && code.starts_with(&typed));
    let mut meant: Vec<&str> = begin.collect();
    if meant.is_empty() {
        meant = near(&typed, all());
    }
    let help = match meant.is_empty() {
        true => "keyless explain lists all of them".to_owned(),
        false => format!("near it: {}; keyless explain lists all", meant.join(", ")),
    };
    Failure::new("KL0309", format!("there is no code “{text}”; {help}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_code_gets_the_near_ones() {
        let said = |text: &str| unknown(text).message;
        assert!(said("kl049").contains("KL0409"), "{}", said("kl049"));
        assert!(
            said("KL040").contains("KL0401, KL0402"),
            "{}",
            said("KL040")
        );
        assert!(
            said("what").ends_with("lists all of them"),
            "{}",
            said("what")
        );
    }
}
