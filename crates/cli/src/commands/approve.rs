//! `keyless approve`: a person opens a gate. It is kept in the journal, for this plan only.

use std::time::{SystemTime, UNIX_EPOCH};

use keyless_engine::{EngineError, approve};
use keyless_model::Timestamp;
use keyless_plan::{Gate, Op, Plan};
use serde_json::json;

use crate::args::{ApproveArgs, Common, Format};
use crate::commands::plan::read_plan;
use crate::failure::Failure;
use crate::{output, project};

pub async fn run(common: &Common, args: &ApproveArgs) -> Result<u8, Failure> {
    let plan = read_plan(&args.plan)?;
    let asking = asking(&plan);
    if args.gates.is_empty() && !args.all {
        if common.format == Format::Json {
            output::json(&json!({
                "format": "keyless.approve/1",
                "plan": plan.id,
                "asking": asking.iter().map(|(step, question)| json!({
                    "step": step, "question": question,
                })).collect::<Vec<_>>(),
            }));
            return Ok(0);
        }
        for (step, question) in &asking {
            output::data(&format!("{step}\n  {question}"));
        }
        if asking.is_empty() {
            output::note("no gate of this plan asks a person");
        }
        return Ok(0);
    }
    let gates: Vec<String> = if args.all {
        asking.into_iter().map(|(step, _)| step).collect()
    } else {
        args.gates.clone()
    };
    let Some(by) = args.by.as_deref().filter(|by| !by.trim().is_empty()) else {
        let message = "the journal keeps who approves; say it with --by NAME";
        return Err(Failure::new("KL0307", message));
    };
    let store = project::store(common)?;
    if store.key()?.is_none_or(|key| key.id() != plan.inputs.key) {
        let message = "the plan was made with another fingerprint key; approve it where apply runs";
        return Err(Failure::new("KL0303", message));
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let now = Timestamp::from_unix(i64::try_from(now).unwrap_or(0));
    let (mut approved, mut left) = (Vec::new(), 0);
    for gate in gates {
        match approve(&store, &plan, &gate, by, now).await {
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
        output::note(&format!("{left} other gates ask nobody now"));
    }
    output::note(&format!("next: keyless apply {}", args.plan.display()));
    Ok(0)
}

/// The gates that may ask a person, with their questions. A soak asks when its evidence cannot be
/// read, which only apply finds out.
fn asking(plan: &Plan) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for step in &plan.steps {
        match &step.op {
            Op::Gate {
                gate: Gate::Approve { question },
            } => {
                out.push((step.id.clone(), question.clone()));
            }
            Op::Gate {
                gate: Gate::Soak { principals, .. },
            } => {
                let names: Vec<&str> = principals.iter().map(|(_, name)| name.as_str()).collect();
                let who = if names.is_empty() {
                    "the old credential".into()
                } else {
                    names.join(", ")
                };
                let question = format!("Has nobody used {who} for the whole soak?");
                out.push((step.id.clone(), question));
            }
            _ => {}
        }
    }
    out
}
