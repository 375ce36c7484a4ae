//! `keyless apply`: carries a plan out, up to the next gate; run again, it goes on.

use std::io::IsTerminal;
use std::path::Path;

use keyless_engine::{Options, Outcome, apply};
use keyless_live::LiveProvider;
use keyless_plan::Plan;
use keyless_report::counted;
use serde_json::json;

use crate::args::{ApplyArgs, Common, Format};
use crate::commands::plan::{make, named_plan, show};
use crate::failure::Failure;
use crate::heartbeat::while_waiting;
use crate::progress::Progress;
use crate::{again, output, project, session, stop};

pub async fn run(common: &Common, args: &ApplyArgs) -> Result<u8, Failure> {
    let plan = match &args.plan {
        Some(file) => {
            let plan = named_plan(common, file)?;
            if let Some(change) = changed_since(common, &plan)? {
                output::note(&format!("note: {change}"));
            }
            plan
        }
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
        output::note(&match plan.waiting.len() {
            0 => "nothing to do".to_owned(),
            n => format!(
                "nothing can run yet: {}",
                counted(n, "row is held up", "rows are held up")
            ),
        });
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
    carry_out(common, &plan, args.plan.as_deref(), args.allow_irreversible).await
}

/// Runs the plan and tells what became of it. Returns the exit code.
pub async fn carry_out(
    common: &Common,
    plan: &Plan,
    file: Option<&Path>,
    allow_irreversible: bool,
) -> Result<u8, Failure> {
    let store = project::store(common)?;
    let services = session::services(common, plan.roots.clone())?;
    let key = check_inputs(plan, &services, &store).await?;
    let provider = LiveProvider::new(services, key, session::environment);
    // A plan that was made just now is kept in the state, where an approval finds it again.
    let file = match file {
        Some(file) => again::path(file),
        None => plan.short_id().to_owned(),
    };
    let options = Options {
        allow_irreversible,
        stop: Some(stop::on_ctrl_c(again::command(common, "apply", &file))),
        ..Options::default()
    };
    let mut progress = Progress::new(common, plan, &file);
    let under_way = progress.under_way();
    let work = async {
        let mut tell = |event| progress.tell(event);
        apply(plan, &provider, &store, &options, &mut tell).await
    };
    let outcome = while_waiting(common, || under_way.told(), work).await?;
    match common.format {
        Format::Text | Format::Markdown | Format::Sarif => {
            output::text(&progress.summary(&outcome, stop::asked()));
        }
        Format::Json => output::json(&json_of(plan, &outcome)),
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

/// What is not any more as it was when the plan was made, as far as the manifests tell. The plan is
/// applied all the same: it is what somebody looked at.
fn changed_since(common: &Common, plan: &Plan) -> Result<Option<String>, Failure> {
    // What takes a run back asks for nothing that manifests say.
    if plan.inputs.rolls_back.is_some() {
        return Ok(None);
    }
    let shows = again::command(common, "plan", "");
    Ok(match project::try_load(common, &[]) {
        Ok(Ok(project)) if project.digest == plan.inputs.manifests => None,
        Ok(Ok(_)) => Some(format!(
            "the manifests have changed since this plan was made; the plan is what is applied, and \
             `{shows}` shows what they ask for now"
        )),
        Ok(Err(_)) => Some(format!(
            "the manifests, as this environment has them now, are not valid (`{}`); the plan is \
             what is applied",
            again::command(common, "validate", "")
        )),
        // An environment that does not exist has been shown. Without manifests there is nothing
        // to compare: a plan may be applied elsewhere.
        Err(failure) if failure.told => return Err(failure),
        Err(_) => None,
    })
}

/// Asks before a plan that was just made; without a terminal nobody can answer.
pub fn asked(plan: &Plan) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        let instead = match plan.inputs.rolls_back {
            Some(_) => "keep its plan with -o FILE and apply that, or give --auto-approve",
            None => "give a plan file, or --auto-approve",
        };
        let message = format!("there is no terminal to ask on; {instead}");
        return Err(Failure::new("KL0307", message));
    }
    let size = keyless_report::size(plan);
    output::question(&format!("\nCarry out {size}? Only “yes” does:"));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && answer.trim() == "yes")
}
