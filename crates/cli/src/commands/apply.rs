//! `keyless apply`: carries a plan out, up to the next gate; run again, it goes on.

use std::io::{IsTerminal, Write};

use keyless_engine::{Options, Outcome, apply};
use keyless_live::LiveProvider;
use keyless_plan::Plan;
use serde_json::json;

use crate::args::{ApplyArgs, Common, Format};
use crate::commands::plan::{make, read_plan, show};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{output, project, session, stop};

pub async fn run(common: &Common, args: &ApplyArgs) -> Result<u8, Failure> {
    let plan = match &args.plan {
        Some(file) => read_plan(file)?,
        None => {
            let made = make(common, args.inspect_secrets, &args.part).await?;
            // With JSON, stdout holds one document: what became of the plan.
            if common.format == Format::Text {
                show(common, &made.plan, made.unchanged, false);
            }
            made.plan
        }
    };
    if plan.steps.is_empty() {
        output::note("nothing to do");
        if common.format == Format::Json {
            let nothing = Outcome {
                blocked: plan.waiting.len(),
                ..Outcome::default()
            };
            output::json(&json_of(&plan, &nothing));
        }
        return Ok(if plan.waiting.is_empty() { 0 } else { 3 });
    }
    if !args.auto_approve && args.plan.is_none() && !asked(&plan)? {
        output::note("nothing was changed");
        return Ok(1);
    }
    let store = project::store(common)?;
    let services = session::services(common, plan.roots.clone())?;
    let key = check_inputs(&plan, &services, &store).await?;
    let provider = LiveProvider::new(services, key, session::environment);
    let options = Options {
        allow_irreversible: args.allow_irreversible,
        stop: Some(stop::on_ctrl_c()),
        ..Options::default()
    };
    let file = args.plan.as_ref().map(|p| p.display().to_string());
    let mut progress = Progress::new(common, &plan, file);
    let outcome = apply(&plan, &provider, &store, &options, &mut |event| {
        progress.tell(event)
    })
    .await?;
    match common.format {
        Format::Text | Format::Markdown => output::data(&progress.summary(&outcome)),
        Format::Json => output::json(&json_of(&plan, &outcome)),
    }
    Ok(outcome.exit_code())
}

fn json_of(plan: &Plan, outcome: &Outcome) -> serde_json::Value {
    json!({
        "format": "keyless.apply/1",
        "plan": plan.id,
        "done": outcome.done,
        "already": outcome.already,
        "failed": outcome.failed.iter().map(|f| json!({
            "step": f.step, "code": f.code, "message": f.message, "next": f.next,
        })).collect::<Vec<_>>(),
        "undone": outcome.undone,
        "waiting": outcome.waiting.iter().map(|w| json!({
            "step": w.step, "code": w.code, "why": w.why, "until": w.until, "asks": w.asks,
            "next": w.next,
        })).collect::<Vec<_>>(),
        "notStarted": outcome.not_started.iter().map(|n| json!({
            "step": n.step, "because": n.because,
        })).collect::<Vec<_>>(),
        "blocked": outcome.blocked,
    })
}

/// A plan for another tenant, or made under another key, is refused before anything is read.
async fn check_inputs(
    plan: &Plan,
    services: &keyless_live::Services,
    store: &keyless_live::FileStore,
) -> Result<keyless_model::FingerprintKey, Failure> {
    let tenant = services.arm.tokens().tenant().await?;
    if tenant != plan.inputs.tenant {
        let message = format!(
            "the plan is for the tenant {}, and you are logged in to {tenant}; log in there, or \
             plan again",
            plan.inputs.tenant
        );
        return Err(Failure::new("KL0303", message));
    }
    let key = store.key_or_new()?;
    if key.id() != plan.inputs.key {
        let message = "the plan was made with another fingerprint key; run apply where the plan \
                       was made, share .keyless/key, or plan again";
        return Err(Failure::new("KL0303", message));
    }
    // Soaks count by the service's clock, which only an answer tells.
    services.hear_the_clock().await?;
    Ok(key)
}

/// Asks before a plan that was just made; without a terminal nobody can answer.
fn asked(plan: &Plan) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        let message = "there is no terminal to ask on; give a plan file, or --auto-approve";
        return Err(Failure::new("KL0307", message));
    }
    let mut err = std::io::stderr();
    let _ = write!(
        err,
        "\nCarry out these {} steps? Only “yes” does: ",
        plan.steps.len()
    );
    let _ = err.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim() == "yes")
}
