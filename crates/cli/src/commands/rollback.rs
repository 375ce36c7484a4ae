//! `keyless rollback`: takes back what a run did, up to the point of no return.

use keyless_engine::{Ran, Record, load, ran_since, remains, runs};
use keyless_live::FileStore;
use keyless_manifest::near;
use keyless_plan::{Plan, left_something, rollback, short_id};
use keyless_report::counted;
use serde_json::json;

use crate::args::{Common, Format, RollbackArgs};
use crate::commands::apply::{asked, carry_out};
use crate::commands::plan::{exit_code, show, write_plan};
use crate::failure::Failure;
use crate::{again, output, project};

/// A run, its plan, and how many of its steps stand.
struct Known {
    ran: Ran,
    plan: Plan,
    stands: usize,
}

pub async fn run(common: &Common, args: &RollbackArgs) -> Result<u8, Failure> {
    let store = project::store(common)?;
    let records = load(&store).await?.records;
    let known = known(&store, &records)?;
    let Some(wanted) = &args.run else {
        list(common, &known);
        return Ok(0);
    };
    let plan = made(common, &records, &known, wanted)?;
    if plan.steps.is_empty() {
        return Ok(nothing_left(common, &plan));
    }
    if let Some(out) = &args.out {
        project::takes_plan(common, out)?;
        write_plan(out, &plan)?;
        show(common, &plan, 0, false);
        let apply = again::command(common, "apply", &again::path(out));
        output::note(&format!("next: {apply}"));
        return Ok(exit_code(&plan));
    }
    // With JSON, stdout holds one document: what became of it.
    if common.format != Format::Json {
        show(common, &plan, 0, false);
        stays(&known, &plan);
    }
    if !args.auto_approve && !asked(&plan)? {
        output::note("nothing was changed");
        return Ok(1);
    }
    carry_out(common, &plan, None, false).await
}

/// Steps of the run that left nothing behind which could be taken back, such as an identity or a
/// parked value, are no part of the plan.
fn stays(known: &[Known], plan: &Plan) {
    let of = known
        .iter()
        .find(|k| Some(&k.ran.plan) == plan.inputs.rolls_back.as_ref());
    let steps = of.into_iter().flat_map(|k| &k.plan.steps);
    let quiet = steps.filter(|s| !s.is_gate() && !left_something(s)).count();
    if quiet > 0 {
        let steps = counted(quiet, "step stays", "steps stay");
        output::note(&format!(
            "{steps} as they are: identities and parked values harm nobody"
        ));
    }
}

/// There is no step to take back: what stays is told, and why.
fn nothing_left(common: &Common, plan: &Plan) -> u8 {
    if common.format == Format::Json || !plan.waiting.is_empty() {
        show(common, plan, 0, false);
    }
    output::note("nothing of it is left that can be taken back");
    exit_code(plan)
}

/// The runs of the journal whose plans are kept, the last one first.
fn known(store: &FileStore, records: &[Record]) -> Result<Vec<Known>, Failure> {
    let mut plans = Vec::new();
    for ran in runs(records).into_iter().rev() {
        if let Some(plan) = store.plan(&ran.plan)? {
            plans.push((ran, plan));
        }
    }
    let all: Vec<Plan> = plans.iter().map(|(_, plan)| plan.clone()).collect();
    let mut out = Vec::new();
    for (ran, plan) in plans {
        let stands = remains(&plan, records, &all)?.ours;
        let left = |id: &&String| plan.step(id).is_some_and(left_something);
        let stands = stands.iter().filter(left).count();
        out.push(Known { ran, plan, stands });
    }
    Ok(out)
}

/// The plan that takes the run back.
fn made(
    common: &Common,
    records: &[Record],
    known: &[Known],
    wanted: &str,
) -> Result<Plan, Failure> {
    let plan = found(common, known, wanted)?;
    let all: Vec<Plan> = known.iter().map(|k| k.plan.clone()).collect();
    if plan.inputs.rolls_back.is_some() {
        let message = format!(
            "that run took another one back; `{}` and apply bring it again",
            again::command(common, "plan", "")
        );
        return Err(Failure::new("KL0310", message));
    }
    if let Some(later) = ran_since(plan, records, &all)? {
        let message = stands_on_it(common, records, &all, &later)?;
        return Err(Failure::new("KL0310", message));
    }
    let stands = remains(plan, records, &all)?;
    let state = records.last().map_or(0, |r| r.seq);
    Ok(rollback(plan, &stands, env!("CARGO_PKG_VERSION"), state))
}

/// Why a run cannot be taken back before a later one.
fn stands_on_it(
    common: &Common,
    records: &[Record],
    all: &[Plan],
    later: &str,
) -> Result<String, Failure> {
    let name = short_id(later);
    let Some(plan) = all.iter().find(|p| p.id == later) else {
        return Ok(format!(
            "the run {name} came after it, and its plan is not kept: nobody knows what it stands on"
        ));
    };
    let stands = remains(plan, records, all)?;
    Ok(match rollback(plan, &stands, "", 0).steps.is_empty() {
        false => format!(
            "the run {name} came after it and may stand on it; take that one back first: {}",
            again::command(common, "rollback", name)
        ),
        true => format!(
            "the run {name} came after it and may stand on it, and what is left of that one cannot \
             be taken back; change the manifests instead, then plan and apply"
        ),
    })
}

/// The run whose id begins so.
fn found<'a>(common: &Common, known: &'a [Known], wanted: &str) -> Result<&'a Plan, Failure> {
    let mut fits = known.iter().filter(|k| k.ran.plan.starts_with(wanted));
    match (fits.next(), fits.next()) {
        (Some(one), None) => Ok(&one.plan),
        (Some(_), Some(_)) => {
            let message = format!("more than one run begins with “{wanted}”; give more of its id");
            Err(Failure::new("KL0310", message))
        }
        (None, _) => {
            let ids = known.iter().map(|k| short_id(&k.ran.plan));
            let like = near(wanted, ids);
            let help = match like.is_empty() {
                true => String::new(),
                false => format!("near it: {}; ", like.join(", ")),
            };
            let message = format!(
                "no run is called “{wanted}”; {help}`{}` lists them",
                again::command(common, "rollback", "")
            );
            Err(Failure::new("KL0310", message))
        }
    }
}

fn list(common: &Common, known: &[Known]) {
    if common.format == Format::Json {
        let runs = known.iter().map(|k| {
            json!({
                "run": k.ran.plan, "first": k.ran.first, "last": k.ran.last,
                "stands": k.stands, "rollsBack": k.plan.inputs.rolls_back,
            })
        });
        output::json(&json!({
            "format": "keyless.rollback/1",
            "runs": runs.collect::<Vec<_>>(),
        }));
        return;
    }
    if known.is_empty() {
        output::note("no run is known here");
        return;
    }
    output::text(&known.iter().map(line).collect::<String>());
    output::note(&format!(
        "next: {}",
        again::command(common, "rollback", "RUN")
    ));
}

fn line(known: &Known) -> String {
    let what = match &known.plan.inputs.rolls_back {
        Some(of) => format!("took {} back", short_id(of)),
        None if known.stands == 0 => "nothing of it stands".to_owned(),
        None => format!("{} of it stand", counted(known.stands, "step", "steps")),
    };
    format!(
        "{}  {} to {}  {what}\n",
        short_id(&known.ran.plan),
        known.ran.first,
        known.ran.last
    )
}
