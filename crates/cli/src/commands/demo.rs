//! `keyless demo`: the whole job on the emulator with Contoso's estate, by the real commands.
//!
//! Every line that starts with `$` is a command of this very program, run as a process of its own
//! with its real output; an exit code that is not the expected one ends the demo with a failure.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use keyless_emulator::{Emulator, Options, Seed};
use keyless_report::counted;
use tokio::process::Command;

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::output;

/// Contoso's manifests, its environment and its seed, as they lie in the repository.
const FILES: [(&str, &str); 5] = [
    (
        "manifests/gateway.yaml",
        include_str!("../../../../manifests/contoso/gateway.yaml"),
    ),
    (
        "manifests/servers.yaml",
        include_str!("../../../../manifests/contoso/servers.yaml"),
    ),
    (
        "manifests/access.yaml",
        include_str!("../../../../manifests/contoso/access.yaml"),
    ),
    (
        "manifests/services.yaml",
        include_str!("../../../../manifests/contoso/services.yaml"),
    ),
    (
        "environments/dev.yaml",
        include_str!("../../../../environments/dev.yaml"),
    ),
];
const SEED: &str = include_str!("../../../../manifests/contoso/contoso.seed");

const WEEK: i64 = 7 * 86_400;

pub async fn run(args: &DemoArgs) -> Result<u8, Failure> {
    let (folder, removed) = folder(args)?;
    let outcome = play(&folder).await;
    if removed {
        let _ = std::fs::remove_dir_all(&folder);
    }
    outcome?;
    if !removed {
        output::note(&format!("everything is kept in {}", folder.display()));
    }
    Ok(0)
}

/// Where the demo works, and whether it goes away afterwards.
fn folder(args: &DemoArgs) -> Result<(PathBuf, bool), Failure> {
    let (folder, removed) = match &args.keep {
        Some(folder) => (folder.clone(), false),
        None => {
            let name = format!("keyless-demo-{}", std::process::id());
            (std::env::temp_dir().join(name), true)
        }
    };
    let failed = |error: std::io::Error| {
        let place = folder.display();
        Failure::new(
            "KL0309",
            format!("{place} cannot be used: {error}; name another with --keep"),
        )
    };
    if folder.join("manifests").exists() {
        let message = format!(
            "{} holds manifests already; name an empty folder",
            folder.display()
        );
        return Err(Failure::new("KL0309", message));
    }
    for part in ["manifests", "environments"] {
        std::fs::create_dir_all(folder.join(part)).map_err(failed)?;
    }
    for (name, text) in FILES {
        std::fs::write(folder.join(name), text).map_err(failed)?;
    }
    Ok((std::fs::canonicalize(&folder).map_err(failed)?, removed))
}

async fn play(folder: &Path) -> Result<(), Failure> {
    let failed = |error: String| Failure::new("KL0309", format!("the emulator: {error}"));
    let seed = Seed::parse(SEED).map_err(|e| failed(e.to_string()))?;
    let options = Options {
        seed,
        dir: folder.join("emulator"),
        https_port: 0,
        sql_port: 0,
    };
    let emulator = Emulator::start(options)
        .await
        .map_err(|e| failed(e.to_string()))?;
    let stage = Stage::new(folder, &emulator)?;
    let told = story(&stage).await;
    emulator.stop().await;
    told
}

async fn story(stage: &Stage<'_>) -> Result<(), Failure> {
    say("Contoso's 18 APIs reach databases and services with passwords and keys. Where are they?");
    stage.keyless(&["scan"], 2).await?;

    say("Sixteen Access documents say what is wanted instead. What would change?");
    stage
        .keyless(&["plan", "--brief", "-o", "plan.json"], 2)
        .await?;

    say("One of them in full: a key in a header, in the current revision and in a draft.");
    let shipping = "apim:contoso/access:shipping";
    stage
        .keyless(&["plan", "--show", "plan.json", "--target", shipping], 2)
        .await?;

    say("Apply goes as far as it can, while callers call every API without a pause.");
    stage.keyless(&["apply", "plan.json"], 3).await?;

    say("The billing server has an Entra administrator now, so its databases can be read.");
    stage
        .keyless(&["plan", "--brief", "-o", "plan.json"], 2)
        .await?;
    stage.keyless(&["apply", "plan.json"], 3).await?;

    say("Where no request can prove the new path, or no undo is left, a person decides.");
    stage.approve_and_apply(3).await?;

    say(
        "Seven days pass. What only a person can know, apply asks for; then the old logins are \
         closed, reversibly.",
    );
    stage.emulator.advance(WEEK + 60);
    stage.keyless(&["apply", "plan.json"], 3).await?;
    stage.approve_and_apply(3).await?;

    say("Seven more days pass, the second soaks end as quietly, and the rest is for good.");
    stage.emulator.advance(WEEK + 60);
    stage.keyless(&["apply", "plan.json"], 3).await?;
    stage.approve_and_apply(3).await?;

    say("One question is left: whether anybody still comes in through the open firewall rule.");
    stage.approve_and_apply(3).await?;

    say("What is left is the partner, whose service takes no tokens; its key is in Key Vault now.");
    stage.keyless(&["plan"], 3).await?;
    stage.keyless(&["scan"], 2).await?;

    say("Somebody makes the gateway a db_owner by hand. The nightly drift notices.");
    let script = "ALTER ROLE db_owner ADD MEMBER [contoso-apim]";
    let changed = stage
        .emulator
        .sql()
        .run_script("contoso-orders-sql", "orders", script);
    changed.map_err(|e| Failure::new("KL0204", format!("the change by hand failed: {e}")))?;
    stage.keyless(&["drift"], 2).await
}

/// Where the commands run, and the emulator whose callers call all the while.
struct Stage<'a> {
    program: PathBuf,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    emulator: &'a Emulator,
}

impl<'a> Stage<'a> {
    fn new(folder: &Path, emulator: &'a Emulator) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::new(
                "KL0306",
                format!("this program cannot find itself: {error}"),
            )
        })?;
        let mut environment = emulator.environment();
        let cloud_file = emulator.cloud_file().display().to_string();
        environment.push(("KEYLESS_CLOUD".into(), cloud_file));
        environment.push(("KEYLESS_ENV".into(), "dev".into()));
        Ok(Self {
            program,
            folder: folder.to_owned(),
            environment,
            emulator,
        })
    }

    async fn approve_and_apply(&self, expected: i32) -> Result<(), Failure> {
        self.keyless(&["approve", "plan.json", "--all", "--by", "demo"], 0)
            .await?;
        self.keyless(&["apply", "plan.json", "--allow-irreversible"], expected)
            .await
    }

    /// Runs `keyless` with these arguments and its own output. Every API must go on answering.
    async fn keyless(&self, arguments: &[&str], expected: i32) -> Result<(), Failure> {
        output::data(&format!("$ keyless {}", arguments.join(" ")));
        let mut command = self.command(arguments);
        let (status, traffic) = self.emulator.call_all_while(command.status()).await;
        let status =
            status.map_err(|e| Failure::new("KL0306", format!("keyless does not start: {e}")))?;
        if let Some(call) = traffic.failed.first() {
            let message = format!("a call failed: {}: {}", call.name, call.reason);
            return Err(Failure::new("KL0305", message));
        }
        output::data(&format!(
            "# callers: {}, none failed\n",
            counted(traffic.calls, "call", "calls")
        ));
        match status.code() {
            Some(code) if code == expected => Ok(()),
            code => {
                let code = code.map_or("a signal".to_owned(), |c| c.to_string());
                let message = format!(
                    "keyless {} ended with {code} instead of {expected}; please report this",
                    arguments.join(" ")
                );
                Err(Failure::new("KL0305", message))
            }
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("AZURE_")
                || name.starts_with("KEYLESS_")
                || name.starts_with("IDENTITY_")
            {
                command.env_remove(name.as_ref());
            }
        }
        command.envs(self.environment.iter().map(|(n, v)| (n, v)));
        command
    }
}

fn say(text: &str) {
    output::data(&format!("# {text}"));
}
