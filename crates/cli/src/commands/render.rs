//! `keyless render`: the manifests as an environment has them, and which file set each value.

use crate::args::{Common, RenderArgs};
use crate::failure::Failure;
use crate::{output, project};

pub fn run(common: &Common, args: &RenderArgs) -> Result<u8, Failure> {
    output::data(&project::render(common, &args.paths)?);
    Ok(0)
}
