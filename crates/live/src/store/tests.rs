//! The store on a real folder.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use futures::FutureExt;
use keyless_engine::{What, load};
use keyless_model::Timestamp;
use keyless_plan::{FORMAT, Inputs};
use tempfile::TempDir;

use super::files::put_if_absent;
use super::*;

fn store() -> (TempDir, FileStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::at(folder.path().join(".keyless"));
    (folder, store)
}

/// No call of this store waits for anything.
fn now<T>(call: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
    call.now_or_never().unwrap()
}

fn record(seq: u64) -> Record {
    Record {
        seq,
        at: Timestamp::from_unix(1_700_000_000),
        plan: "0a".into(),
        step: "switch/apim:g/policy".into(),
        what: What::Failed,
        notes: vec![],
        evidence: None,
        message: Some("é\n“no”".into()),
        approver: None,
        asks: false,
        soak: None,
    }
}

fn plan() -> Plan {
    let mut plan = Plan {
        format: FORMAT.into(),
        id: String::new(),
        tool: "0.1.0".into(),
        inputs: Inputs::default(),
        roots: BTreeMap::new(),
        steps: vec![],
        waiting: vec![],
    };
    let mut value = serde_json::to_value(&plan).unwrap();
    value.as_object_mut().unwrap().remove("id");
    let sum = digest(&SHA256, value.to_string().as_bytes());
    plan.id = sum.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    plan
}

#[test]
fn an_empty_place_is_empty_and_reading_writes_nothing() {
    let (folder, store) = store();
    let loaded = now(load(&store)).unwrap();
    assert_eq!(
        loaded,
        Loaded {
            state: State::empty(),
            ..Loaded::default()
        }
    );
    assert!(store.key().unwrap().is_none());
    assert!(store.plan("0a").unwrap().is_none());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_was_appended_and_saved_is_there_for_the_next_process() {
    let (_folder, store) = store();
    now(store.append(&record(1))).unwrap();
    let state = State {
        journal: 1,
        ..State::empty()
    };
    now(store.save(&state)).unwrap();
    now(store.append(&record(2))).unwrap();
    let next = FileStore::at(&store.folder);
    let loaded = now(next.load()).unwrap();
    assert_eq!(
        loaded,
        Loaded {
            state,
            records: vec![record(1), record(2)],
            torn: false
        }
    );
    assert_eq!(now(load(&next)).unwrap().state.journal, 2);
    assert_eq!(
        fs::read_to_string(store.folder.join(".gitignore")).unwrap(),
        "*\n"
    );
}

#[test]
fn an_append_torn_at_any_byte_is_cut_off_by_the_next_one() {
    let (_folder, store) = store();
    (1..=2).for_each(|seq| now(store.append(&record(seq))).unwrap());
    let path = store.folder.join("journal.jsonl");
    let whole = fs::read(&path).unwrap();
    let line = whole.len() / 2;
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let loaded = now(store.load()).unwrap();
        assert_eq!(
            (loaded.records.len(), loaded.torn),
            (cut / line, cut % line != 0),
            "{cut}"
        );
        assert_eq!(fs::read(&path).unwrap().len(), cut, "reading cuts nothing");
        let next = loaded.records.len() as u64 + 1;
        now(store.append(&record(next))).unwrap();
        let loaded = now(store.load()).unwrap();
        assert_eq!(
            (loaded.records.len() as u64, loaded.torn),
            (next, false),
            "{cut}"
        );
    }
}

#[test]
fn damage_is_an_error_with_a_place_and_a_next_step() {
    let (_folder, store) = store();
    now(store.append(&record(1))).unwrap();
    fs::write(store.folder.join("journal.jsonl"), "{}\n").unwrap();
    let error = now(store.load()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("line 1 of the journal is damaged"),
        "{error}"
    );
    fs::write(store.folder.join("journal.jsonl"), "").unwrap();
    fs::write(
        store.folder.join("state.json"),
        "{\"format\":\"keyless.state/1\"",
    )
    .unwrap();
    let error = now(store.load()).unwrap_err();
    assert!(
        error.to_string().contains("state.json is damaged"),
        "{error}"
    );
    fs::write(store.folder.join("key"), "short").unwrap();
    assert_eq!(store.key().unwrap_err().code(), "KL0306");
}

#[test]
fn the_lease_belongs_to_one_and_is_free_when_its_process_ends() {
    let (_folder, store) = store();
    let other = FileStore::at(&store.folder);
    now(store.take_lease()).unwrap();
    let error = now(other.take_lease()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    now(other.release_lease()).unwrap();
    assert!(now(other.take_lease()).is_err());
    now(store.release_lease()).unwrap();
    now(other.take_lease()).unwrap();
    drop(other);
    now(store.take_lease()).unwrap();
}

#[test]
fn the_key_is_made_once_and_only_its_owner_reads_it() {
    let (_folder, store) = store();
    let key = store.key_or_new().unwrap();
    assert_eq!(store.key_or_new().unwrap().id(), key.id());
    assert_ne!(self::store().1.key_or_new().unwrap().id(), key.id());
    let path = store.folder.join("key");
    assert_eq!(fs::read(&path).unwrap().len(), 65);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    put_if_absent(&path, b"another").unwrap();
    assert_eq!(store.key().unwrap().unwrap().id(), key.id());
}

#[test]
fn the_key_of_a_state_is_not_silently_replaced() {
    let (_folder, store) = store();
    let key = store.key_or_new().unwrap();
    now(store.append(&record(1))).unwrap();
    fs::remove_file(store.base.join("key")).unwrap();
    let other = FileStore::of_environment(&store.base, "dev").unwrap();
    for one in [&store, &other] {
        let error = one.key_or_new().unwrap_err();
        assert_eq!(error.code(), "KL0306");
        assert!(
            error.to_string().contains("keyless state rebuild"),
            "{error}"
        );
    }
    assert_ne!(store.new_key().unwrap().id(), key.id());
    store.key_or_new().unwrap();
}

#[test]
fn environments_share_the_key_and_nothing_else() {
    let (_folder, store) = store();
    let dev = FileStore::of_environment(&store.base, "dev").unwrap();
    assert_eq!(
        dev.key_or_new().unwrap().id(),
        store.key_or_new().unwrap().id()
    );
    now(dev.append(&record(1))).unwrap();
    assert_eq!(now(dev.load()).unwrap().records.len(), 1);
    assert!(now(store.load()).unwrap().records.is_empty());
    assert!(dev.folder.join("journal.jsonl").exists());
    assert!(!dev.folder.join("key").exists());
    now(dev.take_lease()).unwrap();
    now(store.take_lease()).unwrap();
    for name in ["", "..", "a/b", "plans", "key"] {
        assert!(
            FileStore::of_environment(&store.base, name).is_err(),
            "{name}"
        );
    }
}

#[test]
fn an_applied_plan_is_kept_under_its_id_and_an_id_is_no_path() {
    let (_folder, store) = store();
    let plan = plan();
    now(store.keep_plan(&plan)).unwrap();
    now(store.keep_plan(&plan)).unwrap();
    assert_eq!(store.plan(&plan.id).unwrap(), Some(plan.clone()));
    assert!(store.plan("../state").is_err());
    let path = store.folder.join("plans").join(format!("{}.json", plan.id));
    fs::write(&path, plan.to_json().replace("0.1.0", "0.1.1")).unwrap();
    assert_eq!(store.plan(&plan.id).unwrap_err().code(), "KL0306");
}
