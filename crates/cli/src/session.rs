//! One run against Azure: the cloud, who logs in, and the services of the manifests.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyless_azure::{Arm, Cause, Cloud, Tokens, Waiting};
use keyless_live::{Reading, Services};
use keyless_model::{Address, Desired, Snapshot};
use keyless_plan::Root;

use crate::args::{Common, Format};
use crate::failure::Failure;
use crate::heartbeat::while_waiting;
use crate::output;

/// Reads an environment variable; an empty one is none.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The services with these roots, as whoever is logged in.
pub fn services(common: &Common, roots: BTreeMap<Address, Root>) -> Result<Services, Failure> {
    let cloud = Cloud::named(&common.cloud)?;
    let tokens = Tokens::from_environment(&cloud, &environment)?;
    let mut arm = Arm::new(cloud, tokens);
    if common.format == Format::Text {
        let told = |waiting: Waiting| {
            let wrong = matches!(
                waiting.cause,
                Cause::Answered { .. } | Cause::Unanswered { .. }
            );
            output::waiting(&waiting.to_string(), wrong, waiting.wait);
        };
        arm = arm.telling(Arc::new(told));
    }
    Ok(Services::new(arm, roots))
}

/// Reads everything, with a word now and then.
pub async fn read(
    common: &Common,
    services: &Services,
    reading: Reading,
) -> Result<Snapshot, Failure> {
    let what = || "reading Azure".to_owned();
    let read = keyless_live::read(services, reading);
    Ok(while_waiting(common, what, read).await?)
}

/// The roots that manifests declare.
pub fn roots(desired: &Desired) -> BTreeMap<Address, Root> {
    let gateways = desired
        .gateways
        .iter()
        .map(|(name, g)| (Address::gateway(name), g.id.clone()));
    let servers = desired
        .servers
        .iter()
        .map(|(name, s)| (Address::server(name), s.id.clone()));
    let identities = desired
        .identities
        .iter()
        .map(|(name, i)| (Address::identity(name), i.id.clone()));
    gateways
        .chain(servers)
        .chain(identities)
        .map(|(address, id)| (address, Root { id, host: None }))
        .collect()
}
