//! `keyless scan`: what holds a password, with or without manifests.

use std::collections::BTreeMap;

use keyless_live::{Reading, read};
use keyless_model::{Address, ArmId, Live};
use keyless_plan::Root;
use keyless_scan::{Finding, Unsearched};
use serde_json::json;

use crate::args::{Common, Format, ScanArgs};
use crate::failure::Failure;
use crate::{output, project, session};

pub async fn run(common: &Common, args: &ScanArgs) -> Result<u8, Failure> {
    let roots = roots(common, args)?;
    let services = session::services(common, roots)?;
    let reading = Reading {
        inspect_secrets: args.inspect_secrets,
        search: true,
        ..Reading::default()
    };
    let snapshot = read(&services, reading).await?;
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
        Format::Text | Format::Markdown => {
            output::data(&keyless_report::scan(
                &findings,
                &unread,
                &output::style(common),
            ));
            output::note(&format!("{} requests to Azure", snapshot.requests));
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

/// The services named by flags, or else those of the manifests.
fn roots(common: &Common, args: &ScanArgs) -> Result<BTreeMap<Address, Root>, Failure> {
    if args.gateway.is_empty() && args.server.is_empty() {
        let project = project::load(common, &[])?;
        return Ok(session::roots(&project.desired));
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
    Ok(roots)
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
