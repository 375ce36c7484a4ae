//! `keyless schema`: what manifests may hold, for editors and for people.

use crate::args::SchemaArgs;
use crate::failure::Failure;
use crate::output;

pub fn run(args: &SchemaArgs) -> Result<u8, Failure> {
    if args.markdown {
        output::data(&keyless_manifest::reference());
    } else {
        output::json(&keyless_manifest::schema());
    }
    Ok(0)
}
