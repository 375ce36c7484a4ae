//! `keyless scan`: what holds a password, with or without manifests.

use std::collections::BTreeMap;

use keyless_live::Reading;
use keyless_model::{Address, ArmId, Desired, Live};
use keyless_plan::Root;
use keyless_scan::{Finding, Unsearched};
use serde_json::json;

use crate::args::{Common, Format, ScanArgs};
use crate::failure::Failure;
use crate::{again, output, project, session};

pub async fn run(common: &Common, args: &ScanArgs) -> Result<u8, Failure> {
    let (roots, desired) = roots(common, args)?;
    let services = session::services(common, roots)?;
    let reading = Reading {
        inspect_secrets: args.inspect_secrets,
        search: true,
        ..Reading::default()
    };
    let snapshot = session::read(common, &services, reading).await?;
    let key = project::store(common)?.key_or_new()?;
    let findings = keyless_scan::scan(&snapshot, &key);
    let mut unread = keyless_scan::unsearched(&snapshot);
    let absent = services
        .roots
        .keys()
        .filter(|root| snapshot.get(root) == Live::Absent);
    unread.extend(absent.map(|root| Unsearched {
        address: root.to_string(),
        why: "it does not exist; correct its resource id".into(),
    }));
    match common.format {
        Format::Json => output::json(&json!({
            "format": "keyless.scan/1",
            "findings": findings,
            "unsearched": unread,
            "requests": snapshot.requests,
        })),
        Format::Sarif => {
            let desired = desired.as_ref();
            output::json(&keyless_report::scan_sarif(&findings, &unread, desired));
        }
        Format::Markdown => output::data(&keyless_report::scan_markdown(&findings, &unread)),
        Format::Text => {
            let style = output::style(common);
            output::data(&keyless_report::scan(&findings, &unread, &style));
            output::requests(snapshot.requests);
            if findings.iter().any(Finding::counts) {
                output::note(&format!("next: {}", next(common, args)));
            }
        }
    }
    Ok(if findings.iter().any(Finding::counts) {
        2
    } else if !unread.is_empty() {
        3
    } else {
        0
    })
}

/// What leads from findings to a plan: manifests, or the plan that they make.
fn next(common: &Common, args: &ScanArgs) -> String {
    if common.project.join("manifests").exists() {
        let plan = again::command(common, "plan", "-o plan.json");
        return format!("{plan} shows what takes their place");
    }
    let flags = |flag: &'static str, ids: &[String]| -> Vec<String> {
        ids.iter().map(|id| format!("{flag} {id}")).collect()
    };
    let mut flags = [
        flags("--gateway", &args.gateway),
        flags("--server", &args.server),
    ]
    .concat();
    if args.gateway.is_empty() {
        flags.insert(0, "--gateway ID".to_owned());
    }
    let init = again::command(common, "init", &flags.join(" "));
    format!("{init} writes first manifests")
}

/// The services named by flags, or else those of the manifests, with these.
fn roots(
    common: &Common,
    args: &ScanArgs,
) -> Result<(BTreeMap<Address, Root>, Option<Desired>), Failure> {
    if args.gateway.is_empty() && args.server.is_empty() {
        let desired = project::load(common, &[])?.desired;
        return Ok((session::roots(&desired), Some(desired)));
    }
    let mut roots = BTreeMap::new();
    let flags = args
        .gateway
        .iter()
        .map(|id| (id, "Microsoft.ApiManagement/service", true));
    let flags = flags.chain(
        args.server
            .iter()
            .map(|id| (id, "Microsoft.Sql/servers", false)),
    );
    for (text, kind, gateway) in flags {
        let id = id(text, kind)?;
        let address = if gateway {
            Address::gateway(&id.name)
        } else {
            Address::server(&id.name)
        };
        roots.insert(address, Root { id, host: None });
    }
    Ok((roots, None))
}

/// The id of a resource of this kind.
pub(super) fn id(text: &str, kind: &str) -> Result<ArmId, Failure> {
    let id =
        ArmId::parse(text).map_err(|why| Failure::new("KL0104", format!("“{text}” is {why}")))?;
    if !id.kind.eq_ignore_ascii_case(kind) {
        let message = format!("“{text}” is a {}, and a {kind} is expected", id.kind);
        return Err(Failure::new("KL0104", message));
    }
    Ok(id)
}
