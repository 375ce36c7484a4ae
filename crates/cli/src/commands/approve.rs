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
use crate::asked::{Asked, asked, list};
use crate::commands::plan::read_plan;
use crate::failure::Failure;
use crate::{again, output, project};

pub async fn run(common: &Common, args: &ApproveArgs) -> Result<u8, Failure> {
    let store = project::store(common)?;
    let records = load(&store).await?.records;
    let (plan, file) = match &args.plan {
        Some(file) => (read_plan(file)?, again::path(file)),
        None => applied_last(&store, &records)?,
    };
    let asking = asked(&plan, &records);
    let lists = again::command(common, "approve", &file);
    if args.gates.is_empty() && !args.all {
        show(common, &plan, &asking, &lists);
        return Ok(0);
    }
    let gates: Vec<String> = if args.all {
        asking.into_iter().map(|gate| gate.step).collect()
    } else {
        for gate in &args.gates {
            known(&plan, &asking, gate, &lists)?;
        }
        args.gates.clone()
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
    output::note(&format!("next: {}", again::command(common, "apply", &file)));
    Ok(0)
}

/// The plan that the journal speaks of last, and where it is kept.
fn applied_last(store: &FileStore, records: &[Record]) -> Result<(Plan, String), Failure> {
    let id = records.last().map(|r| r.plan.as_str());
    let kept = id.map(|id| store.plan(id)).transpose()?.flatten();
    let Some(plan) = kept else {
        let message = "no plan was applied here yet, so none asks; name a plan file";
        return Err(Failure::new("KL0301", message));
    };
    let file = again::path(&store.plan_path(&plan.id)?);
    Ok((plan, file))
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
    if left > 0 {
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
fn show(common: &Common, plan: &Plan, asking: &[Asked], lists: &str) {
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
        output::note(&format!("next: {lists} GATE… --by NAME"));
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
