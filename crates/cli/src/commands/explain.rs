//! `keyless explain`: what a code means and what to do.

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
        let message = format!("there is no code “{text}”; keyless explain lists all of them");
        return Err(Failure::new("KL0309", message));
    };
    output::data(&format!("{}: {}\n\n{}", code.code, code.title, code.about));
    Ok(0)
}
