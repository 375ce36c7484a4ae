//! `keyless drift`: what has changed since, read-only to the bone.

use keyless_live::Reading;
use keyless_plan::{Class, Finding, drift};
use serde_json::json;

use crate::args::{Common, DriftArgs, Format};
use crate::commands::plan::state;
use crate::failure::Failure;
use crate::{output, project, session};

pub async fn run(common: &Common, args: &DriftArgs) -> Result<u8, Failure> {
    let project = project::load(common, &[])?;
    let services = session::services(common, session::roots(&project.desired))?;
    let reading = Reading {
        inspect_secrets: args.inspect_secrets,
        ..Reading::of(&project.desired)
    };
    let snapshot = session::read(common, &services, reading).await?;
    let (state, store) = state(common).await?;
    // Without a key nothing was planned here yet; a passing one is enough to compare, and drift
    // writes nothing.
    let key = store
        .key()?
        .unwrap_or_else(|| keyless_model::FingerprintKey::new([0; 32]));
    let findings = drift(&project.desired, &snapshot, &state, &key);
    match common.format {
        Format::Json => output::json(&json!({
            "format": "keyless.drift/1",
            "at": snapshot.now,
            "findings": findings,
            "requests": snapshot.requests,
        })),
        Format::Text | Format::Markdown | Format::Sarif => {
            output::data(&keyless_report::drift(
                &findings,
                snapshot.now,
                &output::style(common),
            ));
            output::requests(snapshot.requests);
        }
    }
    Ok(exit_code(&findings))
}

/// 2 with a finding drifted, unmanaged or missing, else 3 with something unreadable, else 0.
fn exit_code(findings: &[Finding]) -> u8 {
    let any = |classes: &[Class]| findings.iter().any(|f| classes.contains(&f.class));
    if any(&[Class::Drifted, Class::Unmanaged, Class::Missing]) {
        2
    } else if any(&[Class::Unreadable]) {
        3
    } else {
        0
    }
}
