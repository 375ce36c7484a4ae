//! `keyless approve`: a person opens a gate. It is kept in the journal, for this plan only.

use std::time::{SystemTime, UNIX_EPOCH};

use keyless_engine::{EngineError, Record, approve, load};
use keyless_live::FileStore;
use keyless_manifest::near;
use keyless_model::Timestamp;
use keyless_plan::Plan;
use keyless_report::counted;
use serde_json::json;

use crate::args::{ApproveArgs, Common, Format};
use crate::asked::{Asked, Standing, asked, finished, list};
use crate::commands::plan::named_plan;
use crate::failure::Failure;
use crate::{again, output, project};

pub async fn run(common: &Common, args: &ApproveArgs) -> Result<u8, Failure> {
    let store = project::store(common)?;
    let records = load(&store).await?.records;
    let (plan, file, named) = meant(common, args, &store, &records)?;
    let asking = asked(&plan, &records);
    let lists = again::command(common, "approve", &file);
    let applies = again::command(common, "apply", &file);
    let next = (!finished(&plan, &records)).then_some(applies);
    if named.is_empty() && !args.all {
        show(common, &plan, &asking, &lists, next.as_deref());
        return Ok(0);
    }
    let gates: Vec<String> = if args.all {
        asking.into_iter().map(|gate| gate.step).collect()
    } else {
        for gate in &named {
            known(&plan, &asking, gate, &lists)?;
        }
        named
    };
    let Some(by) = args.by.as_deref().filter(|by| !by.trim().is_empty()) else {
        let message = "the journal keeps who approves; say it with --by NAME";
        return Err(Failure::new("KL0307", message));
    };
    if store.key()?.is_none_or(|key| key.id() != plan.inputs.key) {
        let message = "the plan was made with another fingerprint key; approve it where apply runs";
        return Err(Failure::new("KL0303", message));
    }
    record(common, args, &plan, &store, gates, by).await?;
    tell_next(next.as_deref());
    Ok(0)
}

/// The plan, where it is kept, and the gates that are named. A first argument that is no file and
/// has an address behind a slash is a gate, of the plan that was applied last.
fn meant(
    common: &Common,
    args: &ApproveArgs,
    store: &FileStore,
    records: &[Record],
) -> Result<(Plan, String, Vec<String>), Failure> {
    let gate = args.plan.as_ref().filter(|first| !first.exists());
    let gate = gate.and_then(|first| first.to_str());
    let gate = gate.filter(|text| text.split_once('/').is_some_and(|(_, at)| at.contains(':')));
    match (&args.plan, gate) {
        (Some(file), None) => Ok((
            named_plan(common, file)?,
            again::path(file),
            args.gates.clone(),
        )),
        (None, _) => {
            let (plan, file) = applied_last(store, records, "name a plan file")?;
            Ok((plan, file, Vec::new()))
        }
        (Some(_), Some(_)) if args.all => {
            let message = "--all opens every gate that asks; name gates or say --all, not both";
            Err(Failure::new("KL0309", message))
        }
        (Some(_), Some(gate)) => {
            let rest = format!("PLAN {}", again::word(gate));
            let write = again::command(common, "approve", &rest);
            let (plan, file) = applied_last(store, records, &format!("write `{write}`"))?;
            let all = std::iter::once(gate.to_owned()).chain(args.gates.clone());
            Ok((plan, file, all.collect()))
        }
    }
}

/// The plan that the journal speaks of last, and where it is kept.
fn applied_last(
    store: &FileStore,
    records: &[Record],
    instead: &str,
) -> Result<(Plan, String), Failure> {
    let id = records.last().map(|r| r.plan.as_str());
    let kept = id.map(|id| store.plan(id)).transpose()?.flatten();
    let Some(plan) = kept else {
        let message = format!("no plan was applied here yet, so none asks; {instead}");
        return Err(Failure::new("KL0309", message));
    };
    let file = plan.short_id().to_owned();
    Ok((plan, file))
}

/// Where the plan has steps left, how it goes on.
fn tell_next(applies: Option<&str>) {
    output::note(&match applies {
        Some(applies) => format!("next: {applies}"),
        None => "every step of this plan is done".to_owned(),
    });
}

/// Writes the approvals, and tells them.
async fn record(
    common: &Common,
    args: &ApproveArgs,
    plan: &Plan,
    store: &FileStore,
    gates: Vec<String>,
    by: &str,
) -> Result<(), Failure> {
    let now = now();
    let (mut approved, mut left) = (Vec::new(), 0);
    for gate in gates {
        match approve(store, plan, &gate, by, now).await {
            // With --all, a gate that asks nobody now is left alone.
            Err(EngineError::NotAsked { .. }) if args.all => left += 1,
            outcome => {
                outcome?;
                output::note(&format!("approved by {by}: {gate}"));
                approved.push(gate);
            }
        }
    }
    if common.format == Format::Json {
        output::json(&json!({
            "format": "keyless.approve/1",
            "plan": plan.id,
            "approved": approved,
            "by": by,
        }));
    }
    if approved.is_empty() {
        output::note("no gate of this plan asks a person now");
    } else if left > 0 {
        let left = counted(left, "other gate asks", "other gates ask");
        output::note(&format!("{left} nobody now"));
    }
    Ok(())
}

fn now() -> Timestamp {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    Timestamp::from_unix(i64::try_from(now).unwrap_or(0))
}

/// The gates and how each stands.
fn show(common: &Common, plan: &Plan, asking: &[Asked], lists: &str, applies: Option<&str>) {
    if common.format == Format::Json {
        output::json(&json!({
            "format": "keyless.approve/1",
            "plan": plan.id,
            "asking": asking.iter().map(Asked::json).collect::<Vec<_>>(),
        }));
    } else if asking.is_empty() {
        output::note("no gate of this plan asks a person");
    } else {
        output::text(&list(asking));
        match asking.iter().any(|a| a.standing == Standing::Waits) {
            true => output::note(&format!("next: {lists} GATE… --by NAME")),
            false => tell_next(applies),
        }
    }
}

/// A gate that the plan does not have gets the names of near ones.
fn known(plan: &Plan, asking: &[Asked], gate: &str, lists: &str) -> Result<(), Failure> {
    if plan.step(gate).is_some() {
        return Ok(());
    }
    let all = || asking.iter().map(|a| a.step.as_str());
    let mut meant: Vec<&str> = all().filter(|step| step.contains(gate)).collect();
    if meant.is_empty() {
        meant = near(gate, all());
    }
    let help = match meant.is_empty() {
        true => format!("`{lists}` lists those that ask a person"),
        false => format!("near it: {}; `{lists}` lists all", meant.join(", ")),
    };
    Err(Failure::new(
        "KL0307",
        format!("the plan has no gate “{gate}”; {help}"),
    ))
}
