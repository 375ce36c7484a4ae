//! `keyless emulator`: a small Azure on loopback, until it is interrupted.

use keyless_emulator::{Emulator, Options, Seed};

use crate::args::EmulatorArgs;
use crate::failure::Failure;
use crate::output;

pub async fn run(args: &EmulatorArgs) -> Result<u8, Failure> {
    let failed = |error: String| Failure::new("KL0203", error);
    let seed = Seed::load(&args.seed).map_err(|e| failed(e.to_string()))?;
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
    let mut lines = vec![format!("export KEYLESS_CLOUD={}", cloud.display())];
    lines.extend(
        emulator
            .environment()
            .into_iter()
            .map(|(name, value)| format!("export {name}={value}")),
    );
    output::data(&lines.join("\n"));
    output::note(&format!(
        "time moves with: curl -d '{{\"seconds\": 604800}}' {}/_emulator/advance",
        emulator.control_url()
    ));
    output::note("running; set the above in another terminal, end with Ctrl-C");
    let _ = tokio::signal::ctrl_c().await;
    emulator.stop().await;
    Ok(0)
}
