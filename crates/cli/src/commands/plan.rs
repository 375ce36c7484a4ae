//! `keyless plan`: what would change, and why.

use std::path::Path;

use keyless_engine::load as load_state;
use keyless_live::Reading;
use keyless_model::{Address, Desired, Snapshot, State};
use keyless_plan::{NoSuchTarget, Options, Phase, Plan, Selection, plan, select, unchanged};

use crate::args::{Common, Format, PartArgs, PlanArgs};
use crate::failure::Failure;
use crate::{again, output, project, session};

/// A plan and what it was made from.
pub struct Made {
    pub plan: Plan,
    pub desired: Desired,
    pub snapshot: Snapshot,
    /// How many documents ask for nothing; of a part of the plan none are counted.
    pub unchanged: usize,
}

pub async fn run(common: &Common, args: &PlanArgs) -> Result<u8, Failure> {
    if let Some(file) = &args.show {
        let plan = chosen(named_plan(common, file)?, &selection(&args.part)?, &[])?;
        show(common, &plan, 0, args.brief);
        return Ok(exit_code(&plan));
    }
    if let Some(out) = &args.out {
        project::takes_plan(common, out)?;
    }
    let made = make(common, args.inspect_secrets, &args.part).await?;
    if let Some(out) = &args.out {
        write_plan(out, &made.plan)?;
    }
    show(common, &made.plan, made.unchanged, args.brief);
    output::requests(made.snapshot.requests);
    if let Some(out) = &args.out
        && !made.plan.steps.is_empty()
    {
        let apply = again::command(common, "apply", &again::path(out));
        output::note(&format!("next: {apply}"));
    }
    Ok(exit_code(&made.plan))
}

/// Reads everything and plans.
pub async fn make(
    common: &Common,
    inspect_secrets: bool,
    part: &PartArgs,
) -> Result<Made, Failure> {
    let selection = selection(part)?;
    let project = project::load(common, &[])?;
    let services = session::services(common, session::roots(&project.desired))?;
    let reading = Reading {
        inspect_secrets,
        ..Reading::of(&project.desired)
    };
    let snapshot = session::read(common, &services, reading).await?;
    let (state, store) = state(common).await?;
    let options = Options {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        manifests: project.digest,
        key: store.key_or_new()?,
    };
    let whole = plan(&project.desired, &snapshot, &state, &options);
    let unchanged = match selection == Selection::default() {
        true => unchanged(&project.desired, &whole),
        false => 0,
    };
    let mut declared = project.desired.addresses();
    declared.extend(project.desired.database_addresses());
    Ok(Made {
        plan: chosen(whole, &selection, &declared)?,
        desired: project.desired,
        snapshot,
        unchanged,
    })
}

fn chosen(plan: Plan, selection: &Selection, declared: &[Address]) -> Result<Plan, Failure> {
    match *selection == Selection::default() {
        true => Ok(plan),
        false => select(&plan, selection, declared).map_err(no_target),
    }
}

/// What `--target` and `--only-phase` choose.
fn selection(part: &PartArgs) -> Result<Selection, Failure> {
    let mut out = Selection::default();
    for text in &part.targets {
        let target = text.parse::<Address>();
        out.targets
            .push(target.map_err(|why| Failure::new("KL0104", format!("--target: {why}")))?);
    }
    let wanted = |phase: &Phase| part.phases.iter().any(|p| p == phase.word());
    out.phases = Phase::ALL.into_iter().filter(wanted).collect();
    Ok(out)
}

fn no_target(error: NoSuchTarget) -> Failure {
    let near: Vec<String> = error.near.iter().map(Address::to_string).collect();
    let help = match near.is_empty() {
        true => "the plan is empty: there is nothing to do".to_owned(),
        false => format!("near it: {}; keyless plan shows all", near.join(", ")),
    };
    Failure::new("KL0308", format!("--target: {error}; {help}"))
}

/// What keyless remembers of this project.
pub async fn state(common: &Common) -> Result<(State, keyless_live::FileStore), Failure> {
    let store = project::store(common)?;
    let loaded = load_state(&store).await?;
    Ok((loaded.state, store))
}

pub fn show(common: &Common, plan: &Plan, unchanged: usize, brief: bool) {
    match common.format {
        Format::Json => output::data(&plan.to_json()),
        Format::Markdown => output::data(&keyless_report::markdown(plan, unchanged)),
        Format::Text | Format::Sarif => {
            let lay_out = if brief && !plan.is_empty() {
                keyless_report::brief
            } else {
                keyless_report::plan
            };
            output::data(&lay_out(plan, unchanged, &output::style(common)));
        }
    }
}

/// 2 with a step or a gate that can run, else 3 with rows waiting, else 0.
pub fn exit_code(plan: &Plan) -> u8 {
    match (plan.steps.is_empty(), plan.waiting.is_empty()) {
        (false, _) => 2,
        (true, false) => 3,
        (true, true) => 0,
    }
}

/// The plan that an argument names: a file, or one that the state keeps, by how its id begins.
pub fn named_plan(common: &Common, name: &Path) -> Result<Plan, Failure> {
    let is_id = |text: &&str| text.len() >= 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let Some(start) = name.to_str().filter(is_id).filter(|_| !name.exists()) else {
        return read_plan(name);
    };
    let store = project::store(common)?;
    let plan = match store.plans_beginning(start)?.as_slice() {
        [id] => store.plan(id)?,
        _ => None,
    };
    plan.ok_or_else(|| {
        let message = format!(
            "“{start}” is no file, and not one plan that was applied here has an id that begins \
             so; `{}` lists the runs",
            again::command(common, "rollback", "")
        );
        Failure::new("KL0301", message)
    })
}

/// Reads a plan file.
fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let place = path.display();
        Failure::new(
            "KL0301",
            format!("the plan {place} cannot be read: {error}; check the path"),
        )
    })?;
    Ok(Plan::from_json(&text)?)
}

pub fn write_plan(path: &Path, plan: &Plan) -> Result<(), Failure> {
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
