//! `keyless state`: what keyless remembers, and making it again from the journal.

use keyless_engine::{StateStore, fold, load};
use keyless_model::State;
use serde_json::json;

use crate::args::{Common, Format, StateAction, StateArgs};
use crate::failure::Failure;
use crate::{output, project};

pub async fn run(common: &Common, args: &StateArgs) -> Result<u8, Failure> {
    let store = project::store(common);
    if let Some(StateAction::Rebuild) = args.action {
        store.take_lease().await?;
        let rebuilt = rebuild(&store).await;
        store.release_lease().await?;
        let records = rebuilt?;
        output::note(&format!("the state was made again from {records} records"));
        return Ok(0);
    }
    let state = load(&store).await?.state;
    match common.format {
        Format::Json => output::json(&json!(state)),
        Format::Text => output::data(&keyless_report::state(&state, &output::style(common))),
    }
    Ok(0)
}

async fn rebuild(store: &dyn StateStore) -> Result<usize, Failure> {
    let records = store.load().await?.records;
    let mut state = State::empty();
    records.iter().for_each(|record| fold(&mut state, record));
    store.save(&state).await?;
    Ok(records.len())
}
