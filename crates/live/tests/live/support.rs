//! The estate of `harbour.yaml`, emulated for one test, and steps on it.

use std::collections::BTreeMap;

use keyless_azure::{Answer, Arm, ArmError, Cloud, Request, Tokens, Verb};
use keyless_emulator::{Emulator, Options, Seed};
use keyless_live::{LiveProvider, Reading, Services, read};
use keyless_model::{Address, ArmId, FingerprintKey, Snapshot};
use keyless_plan::{Op, Phase, Root, Step, Undo};
use serde_json::Value;
use tempfile::TempDir;

const GROUP: &str = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg";

/// A secret in the environment of who applies.
pub const CALLER_KEY: &str = "planted-caller-key-8";

pub struct Harbour {
    pub emulator: Emulator,
    pub services: Services,
    pub provider: LiveProvider,
    _folder: TempDir,
}

pub fn service() -> String {
    format!("{GROUP}/providers/Microsoft.ApiManagement/service/harbour")
}

pub fn vault() -> String {
    format!("{GROUP}/providers/Microsoft.KeyVault/vaults/harbour-kv")
}

pub fn identity() -> String {
    format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pilot")
}

fn server() -> String {
    format!("{GROUP}/providers/Microsoft.Sql/servers/harbour-sql")
}

fn environment(name: &str) -> Option<String> {
    (name == "CALLER_KEY").then(|| CALLER_KEY.to_owned())
}

fn seed(settings: &str) -> String {
    let seed = include_str!("harbour.yaml");
    seed.replace("pageSize: 2", &format!("pageSize: 2{settings}"))
}

pub fn key() -> FingerprintKey {
    FingerprintKey::new([7; 32])
}

impl Harbour {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// With these settings of the emulator beside those of the seed.
    pub async fn start_with(settings: &str) -> Self {
        Self::start_from(&seed(settings)).await
    }

    /// With these resources beside those of the seed.
    pub async fn start_beside(resources: &str) -> Self {
        let seed = seed("").replace("\nsql:\n", &format!("\n{resources}sql:\n"));
        assert!(seed.contains(resources));
        Self::start_from(&seed).await
    }

    async fn start_from(seed: &str) -> Self {
        let seed = seed
            .replace("{svc}", &service())
            .replace("{sql}", &server())
            .replace("{identity}", &identity())
            .replace("{vault}", &vault());
        let folder = TempDir::new().unwrap();
        let options = Options {
            seed: Seed::parse(&seed).unwrap(),
            dir: folder.path().to_owned(),
            https_port: 0,
            sql_port: 0,
        };
        let emulator = Emulator::start(options).await.unwrap();
        let cloud = Cloud::load(emulator.cloud_file()).unwrap();
        let variables: BTreeMap<String, String> = emulator.environment().into_iter().collect();
        let tokens = Tokens::from_environment(&cloud, &|name| variables.get(name).cloned());
        let roots = [
            (Address::gateway("g"), service()),
            (Address::server("s"), server()),
            (Address::identity("pilot"), identity()),
        ];
        let root = |id: &str| Root {
            id: ArmId::parse(id).unwrap(),
            host: None,
        };
        let roots = roots.iter().map(|(a, id)| (a.clone(), root(id))).collect();
        let services = Services::new(Arm::new(cloud, tokens.unwrap()), roots);
        let provider = LiveProvider::new(services.clone(), key(), environment);
        Self {
            emulator,
            services,
            provider,
            _folder: folder,
        }
    }

    pub async fn read(&self, reading: Reading) -> Snapshot {
        read(&self.services, reading).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Option<Value> {
        let request = request(Verb::Get, path, None);
        let answer = self.services.arm.find(request).await.unwrap();
        answer.map(|a| a.body)
    }

    pub async fn list(&self, path: &str) -> Vec<Value> {
        let request = request(Verb::Get, path, None);
        self.services.arm.list(request).await.unwrap()
    }

    /// A write that somebody else makes.
    pub async fn write(&self, verb: Verb, path: &str, body: Value) -> Result<Answer, ArmError> {
        self.services
            .arm
            .send(request(verb, path, Some(body)))
            .await
    }

    /// How often a request whose path ends so was made.
    pub fn count(&self, verb: &str, end: &str) -> u64 {
        let requests = self.emulator.requests();
        let same = requests
            .iter()
            .filter(|r| r.verb == verb && r.path.to_lowercase().ends_with(&end.to_lowercase()));
        same.map(|r| r.count).sum()
    }
}

fn request(verb: Verb, path: &str, body: Option<Value>) -> Request {
    let version = if path.contains("Microsoft.ApiManagement") {
        "2024-06-01-preview"
    } else {
        "2022-04-01"
    };
    Request {
        verb,
        path: path.to_owned(),
        query: vec![("api-version".into(), version.into())],
        if_match: verb.writes().then(|| "*".to_owned()),
        body,
    }
}

pub fn at(address: &str) -> Address {
    address.parse().unwrap()
}

/// A step that nothing but its operation and its undo matters of.
pub fn step(address: &str, op: Op, undo: Undo) -> Step {
    Step {
        id: format!("switch/{address}"),
        phase: Phase::Switch,
        address: at(address),
        access: None,
        reason: String::new(),
        op,
        needs: std::collections::BTreeSet::new(),
        undo,
        notes: vec![],
        shown: vec![],
    }
}

pub fn for_ever() -> Undo {
    Undo::Nothing { why: String::new() }
}
