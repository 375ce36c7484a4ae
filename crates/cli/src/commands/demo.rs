//! `keyless demo`: the whole job on the emulator with Contoso's estate, by the real commands.
//!
//! Every line that starts with `$` is a command of this very program, run as a process of its own
//! with its real output; an exit code that is not the expected one ends the demo with a failure.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use keyless_azure::{Arm, Cloud, Probe, Tokens};
use keyless_emulator::{Emulator, Options, Seed};
use keyless_model::Secret;
use tokio::process::Command;

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::output;

/// Contoso's manifests and seed, as they lie in manifests/contoso.
const FILES: [(&str, &str); 3] = [
    (
        "gateway.yaml",
        include_str!("../../../../manifests/contoso/gateway.yaml"),
    ),
    (
        "servers.yaml",
        include_str!("../../../../manifests/contoso/servers.yaml"),
    ),
    (
        "access.yaml",
        include_str!("../../../../manifests/contoso/access.yaml"),
    ),
];
const SEED: &str = include_str!("../../../../manifests/contoso/contoso.seed");

const SERVICE: &str = "contoso-apim";
const WEEK: i64 = 7 * 86_400;

/// One call for each API, as its callers make it.
const CALLS: [(&str, &str); 3] = [
    ("orders", r#"{"query":"{ order(id: 1) { id status } }"}"#),
    (
        "customers",
        r#"{"query":"{ customer(id: 1) { id name } }"}"#,
    ),
    ("billing", r#"{"query":"{ invoice(id: 1) { id total } }"}"#),
];

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
            "KL0306",
            format!("{place} cannot be used: {error}; name another with --keep"),
        )
    };
    if folder.join("manifests").exists() {
        let message = format!(
            "{} holds manifests already; name an empty folder",
            folder.display()
        );
        return Err(Failure::new("KL0306", message));
    }
    std::fs::create_dir_all(folder.join("manifests")).map_err(failed)?;
    for (name, text) in FILES {
        std::fs::write(folder.join("manifests").join(name), text).map_err(failed)?;
    }
    Ok((std::fs::canonicalize(&folder).map_err(failed)?, removed))
}

async fn play(folder: &Path) -> Result<(), Failure> {
    let failed = |error: String| Failure::new("KL0203", format!("the emulator: {error}"));
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
    let told = story(&stage, &emulator).await;
    emulator.stop().await;
    told
}

async fn story(stage: &Stage, emulator: &Emulator) -> Result<(), Failure> {
    say("Contoso's APIs reach their databases with passwords. Where are they?");
    stage.keyless(&["scan"], 2).await?;
    stage.callers().await?;

    say("Three Access documents say what is wanted instead. What would change?");
    stage.keyless(&["plan", "-o", "plan.json"], 2).await?;

    say(
        "Apply goes as far as it can: two APIs are proven on a canary and switched, then it parks.",
    );
    stage.keyless(&["apply", "plan.json"], 3).await?;
    stage.callers().await?;

    say("The billing server has an Entra administrator now, so its database can be read.");
    stage.keyless(&["plan", "-o", "plan.json"], 2).await?;

    stage.keyless(&["apply", "plan.json"], 3).await?;

    say("Nothing is declared that would prove the billing API, so a person approves its switch.");
    let gate = "prove/apim:contoso/access:billing-read";
    stage
        .keyless(&["approve", "plan.json", gate, "--by", "demo"], 0)
        .await?;
    stage.keyless(&["apply", "plan.json"], 3).await?;
    stage.callers().await?;

    say("Seven days pass. Nobody used the old credentials, so apply closes them: reversibly.");
    emulator.advance(WEEK + 60);
    stage.keyless(&["apply", "plan.json"], 3).await?;
    stage.callers().await?;

    say("Seven more days pass, and the second soak ends as quietly.");
    emulator.advance(WEEK + 60);
    stage.keyless(&["apply", "plan.json"], 3).await?;

    say("Somebody confirms that Entra alone may open the servers, and the rest is for good.");
    stage
        .keyless(&["approve", "plan.json", "--all", "--by", "demo"], 0)
        .await?;
    stage
        .keyless(&["apply", "plan.json", "--allow-irreversible"], 0)
        .await?;
    stage.callers().await?;

    say(
        "Nothing is left to do. Only the servers' own administrator logins are left to find, which \
         no server takes any more.",
    );
    stage.keyless(&["plan"], 0).await?;
    stage.keyless(&["scan"], 2).await?;

    say("Somebody makes the gateway a db_owner by hand. The nightly drift notices.");
    let script = "ALTER ROLE db_owner ADD MEMBER [contoso-apim]";
    let changed = emulator
        .sql()
        .run_script("contoso-orders-sql", "orders", script);
    changed.map_err(|e| Failure::new("KL0204", format!("the change by hand failed: {e}")))?;
    stage.keyless(&["drift"], 2).await
}

/// Where the commands run, and the gateway as callers reach it.
struct Stage {
    program: PathBuf,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    arm: Arm,
    gateway: String,
}

impl Stage {
    fn new(folder: &Path, emulator: &Emulator) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::new(
                "KL0306",
                format!("this program cannot find itself: {error}"),
            )
        })?;
        let mut environment = emulator.environment();
        let cloud_file = emulator.cloud_file().display().to_string();
        environment.push(("KEYLESS_CLOUD".into(), cloud_file.clone()));
        let cloud = Cloud::named(&cloud_file)?;
        let variable = |name: &str| {
            environment
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.clone())
        };
        let tokens = Tokens::from_environment(&cloud, &variable)?;
        let gateway = cloud.gateway_url(SERVICE);
        let arm = Arm::new(cloud, tokens);
        Ok(Self {
            program,
            folder: folder.to_owned(),
            environment,
            arm,
            gateway,
        })
    }

    /// Runs `keyless` with these arguments and its own output.
    async fn keyless(&self, arguments: &[&str], expected: i32) -> Result<(), Failure> {
        output::data(&format!("$ keyless {}", arguments.join(" ")));
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
        let status = command.status().await;
        let status =
            status.map_err(|e| Failure::new("KL0306", format!("keyless does not start: {e}")))?;
        output::data("");
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

    /// Calls each API as its callers do; all of them must answer.
    async fn callers(&self) -> Result<(), Failure> {
        let mut answers = Vec::new();
        for (path, body) in CALLS {
            let probe = Probe {
                url: format!("{}{path}", self.gateway),
                method: "POST".into(),
                headers: vec![("Content-Type".into(), Secret::new("application/json"))],
                body: Some(body.to_owned()),
            };
            let answer = self.arm.probe(&probe).await?;
            if answer.status != 200 || answer.body.contains("\"errors\"") {
                let message = format!("a call of {path} failed: {}", answer.excerpt());
                return Err(Failure::new("KL0305", message));
            }
            answers.push(format!("{path} {}", answer.status));
        }
        output::data(&format!("# callers: {}\n", answers.join(", ")));
        Ok(())
    }
}

fn say(text: &str) {
    output::data(&format!("# {text}"));
}
