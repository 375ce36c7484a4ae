//! `keyless plan`: what would change, and why.

use std::path::Path;

use keyless_engine::load as load_state;
use keyless_live::{Reading, read};
use keyless_model::{Snapshot, State};
use keyless_plan::{Options, Plan, plan};

use crate::args::{Common, Format, PlanArgs};
use crate::failure::Failure;
use crate::{output, project, session};

/// A plan and what it was made from.
pub struct Made {
    pub plan: Plan,
    pub snapshot: Snapshot,
}

pub async fn run(common: &Common, args: &PlanArgs) -> Result<u8, Failure> {
    if let Some(file) = &args.show {
        let plan = read_plan(file)?;
        show(common, &plan);
        return Ok(exit_code(&plan));
    }
    let made = make(common, args.inspect_secrets).await?;
    if let Some(out) = &args.out {
        write_plan(out, &made.plan)?;
    }
    show(common, &made.plan);
    output::note(&format!("{} requests to Azure", made.snapshot.requests));
    if let Some(out) = &args.out
        && !made.plan.steps.is_empty()
    {
        output::note(&format!("next: keyless apply {}", out.display()));
    }
    Ok(exit_code(&made.plan))
}

/// Reads everything and plans.
pub async fn make(common: &Common, inspect_secrets: bool) -> Result<Made, Failure> {
    let project = project::load(common, &[])?;
    let services = session::services(common, session::roots(&project.desired))?;
    let reading = Reading {
        inspect_secrets,
        sessions: false,
    };
    let snapshot = read(&services, reading).await?;
    let (state, store) = state(common).await?;
    let options = Options {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        manifests: project.digest,
        key: store.key_or_new()?,
    };
    let plan = plan(&project.desired, &snapshot, &state, &options);
    Ok(Made { plan, snapshot })
}

/// What keyless remembers of this project.
pub async fn state(common: &Common) -> Result<(State, keyless_live::FileStore), Failure> {
    let store = project::store(common);
    let loaded = load_state(&store).await?;
    Ok((loaded.state, store))
}

pub fn show(common: &Common, plan: &Plan) {
    match common.format {
        Format::Json => output::data(&plan.to_json()),
        Format::Text => output::data(&keyless_report::plan(plan, &output::style(common))),
    }
}

/// 2 with a step that can run, else 3 with rows waiting, else 0.
fn exit_code(plan: &Plan) -> u8 {
    match (plan.steps.is_empty(), plan.waiting.is_empty()) {
        (false, _) => 2,
        (true, false) => 3,
        (true, true) => 0,
    }
}

/// Reads a plan file.
pub fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let place = path.display();
        Failure::new(
            "KL0301",
            format!("the plan {place} cannot be read: {error}; check the path"),
        )
    })?;
    Ok(Plan::from_json(&text)?)
}

fn write_plan(path: &Path, plan: &Plan) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written =
        std::fs::write(&partial, plan.to_json()).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|error| {
        let place = path.display();
        Failure::new(
            "KL0301",
            format!("the plan {place} cannot be written: {error}; check -o"),
        )
    })
}
