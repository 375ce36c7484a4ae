//! `keyless state`: what keyless remembers, and making it again from the journal.

use keyless_engine::{StateStore, fold, load};
use keyless_live::FileStore;
use keyless_model::State;
use keyless_report::counted;
use serde_json::json;

use crate::args::{Common, Format, StateAction, StateArgs};
use crate::failure::Failure;
use crate::{output, project};

pub async fn run(common: &Common, args: &StateArgs) -> Result<u8, Failure> {
    let store = project::store(common)?;
    if let Some(StateAction::Rebuild) = args.action {
        store.take_lease().await?;
        put_aside(&store).await?;
        if store.key()?.is_none() {
            store.new_key()?;
            output::note("the fingerprint key was lost: a new one was made; plan again");
        }
        let rebuilt = rebuild(&store).await;
        store.release_lease().await?;
        let records = rebuilt?;
        let records = counted(records, "record", "records");
        output::note(&format!("the state was made again from {records}"));
        return Ok(0);
    }
    let state = load(&store).await?.state;
    match common.format {
        Format::Json => output::json(&json!(state)),
        Format::Text | Format::Markdown | Format::Sarif => {
            output::data(&keyless_report::state(&state, &output::style(common)))
        }
    }
    Ok(0)
}

/// A state that cannot be read is kept under another name: the journal makes it anew.
async fn put_aside(store: &FileStore) -> Result<(), Failure> {
    if store.load().await.is_ok() {
        return Ok(());
    }
    let path = store.folder().join("state.json");
    let aside = path.with_extension("json.damaged");
    if path.exists() && std::fs::rename(&path, &aside).is_ok() {
        output::note(&format!(
            "the unreadable state is kept as {}",
            aside.display()
        ));
    }
    Ok(())
}

async fn rebuild(store: &dyn StateStore) -> Result<usize, Failure> {
    let records = store.load().await?.records;
    let mut state = State::empty();
    records.iter().for_each(|record| fold(&mut state, record));
    store.save(&state).await?;
    Ok(records.len())
}
