//! `keyless emulator`: a small Azure on loopback, until it is interrupted.

use keyless_emulator::{Emulator, Options, Seed};
use keyless_model::ArmId;

use crate::args::EmulatorArgs;
use crate::failure::Failure;
use crate::{again, output};

pub async fn run(args: &EmulatorArgs) -> Result<u8, Failure> {
    let failed = |error: String| Failure::new("KL0309", error);
    let seed = Seed::load(&args.seed).map_err(|e| failed(e.to_string()))?;
    let services = services(&seed);
    let options = Options {
        seed,
        dir: args.dir.clone(),
        https_port: args.https_port,
        sql_port: args.sql_port,
    };
    let emulator = Emulator::start(options)
        .await
        .map_err(|e| failed(e.to_string()))?;
    // For another terminal, in whatever folder.
    let cloud = emulator.cloud_file();
    let cloud = std::fs::canonicalize(cloud).unwrap_or_else(|_| cloud.to_owned());
    let mut lines = vec![format!(
        "export KEYLESS_CLOUD={}",
        again::word(&cloud.to_string_lossy())
    )];
    lines.extend(
        emulator
            .environment()
            .into_iter()
            .map(|(name, value)| format!("export {name}={}", again::word(&value))),
    );
    output::data(&lines.join("\n"));
    if !services.is_empty() {
        let flags = services.join("\n  ");
        output::note(&format!(
            "scan and init find what it holds with:\n  {flags}"
        ));
    }
    output::note(&format!(
        "time moves with: curl -d '{{\"seconds\": 604800}}' {}/_emulator/advance",
        emulator.control_url()
    ));
    output::note("running; set the above in another terminal, end with Ctrl-C");
    let _ = tokio::signal::ctrl_c().await;
    emulator.stop().await;
    Ok(0)
}

/// What `scan` and `init` are given: a flag for each gateway and server of the seed.
fn services(seed: &Seed) -> Vec<String> {
    let flag = |id: &str| {
        let kind = ArmId::parse(id).ok()?.kind;
        let is = |wanted: &str| kind.eq_ignore_ascii_case(wanted);
        if is("Microsoft.ApiManagement/service") {
            Some(format!("--gateway {id}"))
        } else {
            is("Microsoft.Sql/servers").then(|| format!("--server {id}"))
        }
    };
    seed.resources.iter().filter_map(|r| flag(&r.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gateway_and_server_is_told_as_a_flag_and_nothing_in_them() {
        let seed = include_str!("../../../../manifests/contoso/contoso.seed");
        let flags = services(&Seed::parse(seed).unwrap());
        let gateway = "--gateway /subscriptions/0c0ffee0-0000-4000-8000-000000000001/resourceGroups/\
                       contoso-rg/providers/Microsoft.ApiManagement/service/contoso-apim";
        assert_eq!(flags.len(), 3, "{flags:?}");
        assert_eq!(flags[0], gateway);
        assert!(flags[1].starts_with("--server ") && flags[2].starts_with("--server "));
    }
}
