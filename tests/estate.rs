//! One estate of a scenario: an emulator with its seed, a project folder with manifests, and the
//! program run in it. Everything that the program prints is kept and searched for secrets.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Mutex;

use keyless_emulator::{Emulator, Options, Seed};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::canaries;

pub struct Estate {
    pub emulator: Emulator,
    folder: TempDir,
    secrets: Vec<String>,
    /// What `--env` says.
    environment: Option<&'static str>,
    printed: Mutex<Vec<(String, Vec<u8>)>>,
}

/// What the program said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Asserts the exit code, and shows what was said if it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.out, self.err
        );
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let found = self.out.contains(text) || self.err.contains(text);
        assert!(
            found,
            "“{text}” is not in\n--- stdout\n{}\n--- stderr\n{}",
            self.out, self.err
        );
        self
    }
}

impl Estate {
    /// An emulator with this seed, and these manifests (name and text).
    pub async fn start(seed: &str, manifests: &[(&str, &str)], secrets: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, text) in manifests {
            write(&folder.path().join("manifests").join(name), text);
        }
        let options = Options {
            seed: Seed::parse(seed).unwrap(),
            dir: folder.path().join("emulator"),
            https_port: 0,
            sql_port: 0,
        };
        let emulator = Emulator::start(options).await.unwrap();
        let secrets = secrets.iter().map(|s| (*s).to_owned()).collect();
        Self {
            emulator,
            folder,
            secrets,
            environment: None,
            printed: Mutex::default(),
        }
    }

    /// The same, where the seed itself shows which secrets are planted.
    async fn planted(seed: &str, manifests: &[(&str, &str)]) -> Self {
        let secrets = planted(seed);
        assert!(secrets.len() > 5, "{secrets:?}");
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        Self::start(seed, manifests, &secrets).await
    }

    /// The direct path alone: three GraphQL APIs of Contoso in front of SQL.
    pub async fn direct() -> Self {
        Self::direct_with(include_str!("direct/direct.seed")).await
    }

    /// The same manifests with another seed.
    pub async fn direct_with(seed: &str) -> Self {
        let manifests = [
            ("gateway.yaml", include_str!("direct/gateway.yaml")),
            ("servers.yaml", include_str!("direct/servers.yaml")),
            ("access.yaml", include_str!("direct/access.yaml")),
        ];
        Self::planted(seed, &manifests).await
    }

    /// Contoso whole, as `keyless demo` has it.
    pub async fn contoso() -> Self {
        let manifests = [
            (
                "gateway.yaml",
                include_str!("../manifests/contoso/gateway.yaml"),
            ),
            (
                "servers.yaml",
                include_str!("../manifests/contoso/servers.yaml"),
            ),
            (
                "access.yaml",
                include_str!("../manifests/contoso/access.yaml"),
            ),
            (
                "services.yaml",
                include_str!("../manifests/contoso/services.yaml"),
            ),
        ];
        let seed = include_str!("../manifests/contoso/contoso.seed");
        let mut estate = Self::planted(seed, &manifests).await;
        estate.write(
            "environments/dev.yaml",
            include_str!("../environments/dev.yaml"),
        );
        estate.environment = Some("dev");
        estate
    }

    /// The same estate as a newcomer finds it, with no manifests.
    pub fn without_manifests(mut self) -> Self {
        for folder in ["manifests", "environments"] {
            let _ = std::fs::remove_dir_all(self.path().join(folder));
        }
        self.environment = None;
        self
    }

    /// Does `work` while every call of the seed's traffic is made over and over. None may fail.
    pub async fn under_traffic<T>(&self, work: impl Future<Output = T>) -> T {
        let (done, traffic) = self.emulator.call_all_while(work).await;
        assert!(
            traffic.calls > 0 && traffic.failed.is_empty(),
            "{traffic:#?}"
        );
        done
    }

    /// Asserts that nobody ever got a token of the gateway's identities but whom it opens.
    #[track_caller]
    pub fn sent_tokens_to_targets_alone(&self) {
        let strays = self.emulator.strays();
        assert!(strays.is_empty(), "{strays:#?}");
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        write(&self.path().join(name), text);
    }

    pub fn cloud(&self) -> String {
        self.emulator.cloud_file().display().to_string()
    }

    pub fn ca(&self) -> String {
        self.emulator
            .cloud_file()
            .with_file_name("ca.pem")
            .display()
            .to_string()
    }

    pub fn variable(&self, name: &str) -> Option<String> {
        let mut all = self.emulator.environment().into_iter();
        all.find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Runs the program as the seed's operator.
    pub async fn keyless(&self, arguments: &[&str]) -> Said {
        let variables = self.emulator.environment();
        self.keyless_with(arguments, &variables).await
    }

    /// Plans, and applies it up to where it waits.
    pub async fn plan_and_apply(&self) -> Said {
        self.keyless(&["plan", "-o", "plan.json"]).await.exits(2);
        self.keyless(&["apply", "plan.json"]).await.exits(3)
    }

    /// Runs the program with these variables and no other of Azure's.
    pub async fn keyless_with(&self, arguments: &[&str], variables: &[(String, String)]) -> Said {
        let output = self.command(arguments, variables).output().await.unwrap();
        self.heard(arguments, output)
    }

    /// Starts the program and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments, &self.emulator.environment())
            .spawn()
            .unwrap()
    }

    fn command(&self, arguments: &[&str], variables: &[(String, String)]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("KEYLESS_CLOUD", self.cloud())
            .envs(self.environment.map(|name| ("KEYLESS_ENV", name)))
            .envs(variables.iter().map(|(n, v)| (n, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Keeps what a spawned program said, to be searched as well.
    pub fn keep(&self, name: &str, said: &str) {
        let mut printed = self.printed.lock().unwrap();
        printed.push((name.to_owned(), said.as_bytes().to_vec()));
    }

    fn heard(&self, arguments: &[&str], output: Output) -> Said {
        let name = arguments.join(" ");
        let mut printed = self.printed.lock().unwrap();
        printed.push((format!("stdout of {name}"), output.stdout.clone()));
        printed.push((format!("stderr of {name}"), output.stderr.clone()));
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts that no planted secret is in anything that the program printed or wrote.
    #[track_caller]
    pub fn keeps_secrets(&self) {
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        for (name, text) in self.printed.lock().unwrap().iter() {
            found.extend(canaries::found(name, text, secrets.iter().copied()));
        }
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // What the test itself wrote is not the program's.
            if path.is_dir() && (name == "manifests" || name == "emulator") {
                continue;
            }
            if path.is_dir() {
                found.extend(canaries::in_folder(&path, &secrets));
            } else {
                let text = std::fs::read(&path).unwrap();
                found.extend(canaries::found(&name, &text, secrets.iter().copied()));
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }

    /// Asserts that no planted secret is in a text that the program wrote among the manifests.
    #[track_caller]
    pub fn has_no_secret(&self, name: &str, text: &str) {
        let secrets = self.secrets.iter().map(String::as_str);
        let found = canaries::found(name, text.as_bytes(), secrets);
        assert!(found.is_empty(), "{found:#?}");
    }

    /// Requests to the resource manager since the last reset, by path.
    pub fn requests(&self) -> Vec<(String, String, u64)> {
        let all = self.emulator.requests().into_iter();
        all.filter(|r| r.host == "management.localhost")
            .map(|r| (r.verb, r.path, r.count))
            .collect()
    }
}

/// The built program.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_keyless"))
}

/// Every planted secret of a seed: the words that begin with `planted-`, and what stands encoded.
fn planted(seed: &str) -> Vec<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let words = seed.split(word).filter(|w| w.starts_with("planted-"));
    let encoded = seed.split(|c: char| !(c.is_ascii_alphanumeric() || c == '='));
    let encoded = encoded.filter(|w| w.len() > 20 && w.ends_with("=="));
    let mut out: Vec<String> = words.chain(encoded).map(str::to_owned).collect();
    out.sort();
    out.dedup();
    out
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
