//! What the state learns from a step, and unlearns when it is taken back.

use keyless_model::{AccessState, Address, Fingerprint, State, Timestamp};

use crate::step::Note;

/// Adds what a finished step teaches; `at` is when it was done.
pub fn learn(state: &mut State, note: &Note, at: Timestamp) {
    match note {
        Note::Applied {
            address,
            made,
            sent,
        } => applied(state, address, *made, sent.clone(), at),
        Note::Forgotten { address } => {
            state.applied.remove(address);
            for access in state.accesses.values_mut() {
                access.parked.remove(address);
            }
        }
        Note::Replaces { access, item } => {
            of(state, access).replaces.insert(item.clone());
        }
        Note::Parked { access, address } => {
            of(state, access).parked.insert(address.clone());
        }
        Note::Told { access, address } => {
            let access = of(state, access);
            access.told.insert(address.clone());
        }
        // A later switch or disabling begins the soak that follows it anew.
        Note::Switched { access } => {
            let access = of(state, access);
            (access.switched_at, access.confirmed_at) = (Some(at), None);
            (access.disabled_at, access.settled_at, access.retired_at) = (None, None, None);
        }
        Note::Confirmed { access } => {
            of(state, access).confirmed_at = Some(at);
        }
        Note::Disabled { access } => {
            let access = of(state, access);
            (access.disabled_at, access.settled_at) = (Some(at), None);
        }
        Note::Settled { access } => {
            of(state, access).settled_at = Some(at);
        }
        Note::Retired { access } => {
            of(state, access).retired_at = Some(at);
        }
        Note::TakenBack { notes } => notes.iter().for_each(|note| unlearn(state, note, at)),
    }
}

fn of<'a>(state: &'a mut State, access: &str) -> &'a mut AccessState {
    state.accesses.entry(access.to_owned()).or_default()
}

fn applied(
    state: &mut State,
    address: &Address,
    made: bool,
    sent: Option<Fingerprint>,
    at: Timestamp,
) {
    let entry = state.applied.entry(address.clone()).or_default();
    entry.made |= made;
    entry.sent = sent;
    entry.read = None;
    entry.at = Some(at);
}

/// Takes what a step taught back; `at` is when the step was taken back. What an Access replaces stays known: the old path is in use again, and is
/// what the Access is there to replace.
pub fn unlearn(state: &mut State, note: &Note, at: Timestamp) {
    match note {
        Note::Applied {
            address,
            made: true,
            ..
        } => {
            state.applied.remove(address);
        }
        Note::Applied {
            address,
            made: false,
            ..
        } => applied(state, address, false, None, at),
        Note::Forgotten { .. }
        | Note::Replaces { .. }
        | Note::Told { .. }
        | Note::TakenBack { .. } => {}
        Note::Parked { access, address } => {
            of(state, access).parked.remove(address);
        }
        Note::Switched { access } => {
            let access = of(state, access);
            (access.switched_at, access.confirmed_at) = (None, None);
        }
        Note::Confirmed { access } => {
            of(state, access).confirmed_at = None;
        }
        Note::Disabled { access } => {
            let access = of(state, access);
            (access.disabled_at, access.settled_at) = (None, None);
        }
        Note::Settled { access } => {
            of(state, access).settled_at = None;
        }
        Note::Retired { access } => {
            of(state, access).retired_at = None;
        }
    }
}
