//! `keyless graph`: who reaches what, and as whom.

use std::path::Path;

use keyless_plan::{Graph, graph};
use keyless_report::{dot, mermaid, svg};

use crate::args::{Common, GraphArgs, GraphForm, PartArgs};
use crate::commands::plan::make;
use crate::failure::Failure;
use crate::{output, project};

pub async fn run(common: &Common, args: &GraphArgs) -> Result<u8, Failure> {
    let drawn = if args.live {
        let made = make(common, false, &PartArgs::default()).await?;
        graph(&made.desired, Some((&made.snapshot, &made.plan)))
    } else {
        graph(&project::load(common, &[])?.desired, None)
    };
    if drawn.nodes.is_empty() {
        output::note("no Access document: there is nothing to draw");
    }
    let text = text(&drawn, form(args)?);
    match &args.out {
        Some(path) => std::fs::write(path, text).map_err(|error| {
            let place = path.display();
            Failure::new(
                "KL0309",
                format!("{place} cannot be written: {error}; check -o"),
            )
        })?,
        None => output::data(&text),
    }
    Ok(0)
}

fn text(graph: &Graph, form: GraphForm) -> String {
    match form {
        GraphForm::Svg => svg(graph),
        GraphForm::Mermaid => mermaid(graph),
        GraphForm::Dot => dot(graph),
    }
}

/// The form that was asked for, or that the file's ending names.
fn form(args: &GraphArgs) -> Result<GraphForm, Failure> {
    if let Some(form) = args.form {
        return Ok(form);
    }
    let Some(path) = &args.out else {
        return Ok(GraphForm::Mermaid);
    };
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => Ok(GraphForm::Svg),
        Some("mmd" | "mermaid" | "md") => Ok(GraphForm::Mermaid),
        Some("dot" | "gv") => Ok(GraphForm::Dot),
        _ => Err(unknown_ending(path)),
    }
}

fn unknown_ending(path: &Path) -> Failure {
    let message = format!(
        "the ending of {} tells no form; name it .svg, .mmd or .dot, or give --as",
        path.display()
    );
    Failure::new("KL0309", message)
}
