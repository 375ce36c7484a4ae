//! What the journal means for the state: one total function, so that a lost state is made again by
//! folding the journal from its beginning.

use keyless_model::{Sample, State};
use keyless_plan::{Mark, learn, unlearn};

use crate::record::{MarkAt, Record, SoakLook, What};

/// How many looks at the sessions of one Access the state keeps; the journal keeps all of them.
pub const MAX_SAMPLES: usize = 50;

/// Folds one record.
pub fn fold(state: &mut State, record: &Record) {
    match record.what {
        What::Done | What::Already => {
            for note in &record.notes {
                learn(state, note, record.at);
            }
        }
        What::Undone => {
            for note in &record.notes {
                unlearn(state, note, record.at);
            }
        }
        What::Started
        | What::Failed
        | What::Unknown
        | What::Undoing
        | What::UndoFailed
        | What::Waits
        | What::Approved => {}
    }
    if let Some(look) = &record.soak {
        soak(state, look);
    }
    state.journal = record.seq;
}

fn soak(state: &mut State, look: &SoakLook) {
    let access = state.accesses.entry(look.access.clone()).or_default();
    match look.mark {
        Some(MarkAt {
            mark: Mark::Switched,
            at,
        }) => access.switched_at = Some(at),
        Some(MarkAt {
            mark: Mark::Disabled,
            at,
        }) => access.disabled_at = Some(at),
        None => {}
    }
    if let Some(sample) = &look.sample {
        keep(&mut access.samples, sample);
    }
}

fn keep(samples: &mut Vec<Sample>, sample: &Sample) {
    samples.push(sample.clone());
    let over = samples.len().saturating_sub(MAX_SAMPLES);
    samples.drain(..over);
}

#[cfg(test)]
mod tests {
    use keyless_model::{Address, Replaced, Timestamp};
    use keyless_plan::Note;

    use super::*;

    fn record(seq: u64, what: What, notes: Vec<Note>) -> Record {
        Record {
            seq,
            at: Timestamp::from_unix(seq as i64),
            notes,
            ..Record::new("s", what)
        }
    }

    fn folded(records: &[Record]) -> State {
        let mut state = State::empty();
        records.iter().for_each(|r| fold(&mut state, r));
        state
    }

    fn made(address: &Address) -> Note {
        Note::Applied {
            address: address.clone(),
            made: true,
            sent: None,
        }
    }

    #[test]
    fn what_keyless_made_stays_made_when_it_is_changed_later() {
        let address = Address::gateway("g").child("namedValue", "n");
        let changed = Note::Applied {
            address: address.clone(),
            made: false,
            sent: None,
        };
        let state = folded(&[
            record(1, What::Done, vec![made(&address)]),
            record(2, What::Done, vec![changed]),
        ]);
        assert!(state.made(&address));
        assert_eq!(state.applied[&address].at, Some(Timestamp::from_unix(2)));
        assert_eq!(state.journal, 2);
    }

    #[test]
    fn a_forgotten_thing_is_parked_no_longer() {
        let address = Address::gateway("g").child("namedValue", "n");
        let parked = Note::Parked {
            access: "a".into(),
            address: address.clone(),
        };
        let gone = Note::Forgotten {
            address: address.clone(),
        };
        let state = folded(&[
            record(1, What::Done, vec![made(&address), parked]),
            record(2, What::Done, vec![gone]),
        ]);
        assert!(state.applied.is_empty() && state.accesses["a"].parked.is_empty());
    }

    #[test]
    fn a_second_switch_begins_the_soak_anew_and_its_undo_takes_the_mark_away() {
        let a = || "a".to_owned();
        let item = Replaced::SqlLogin("orders_app".into());
        let notes = vec![
            Note::Switched { access: a() },
            Note::Replaces {
                access: a(),
                item: item.clone(),
            },
        ];
        let mut records = vec![
            record(1, What::Done, notes.clone()),
            record(2, What::Done, vec![Note::Confirmed { access: a() }]),
            record(3, What::Done, notes.clone()),
        ];
        let state = folded(&records);
        assert_eq!(
            state.accesses["a"].switched_at,
            Some(Timestamp::from_unix(3))
        );
        assert_eq!(state.accesses["a"].confirmed_at, None);
        records.push(record(4, What::Undone, notes));
        let state = folded(&records);
        assert_eq!(state.accesses["a"].switched_at, None);
        assert!(state.accesses["a"].replaces.contains(&item));
    }

    #[test]
    fn only_results_teach_and_samples_are_bounded() {
        let silent = [
            What::Started,
            What::Failed,
            What::Unknown,
            What::Undoing,
            What::Waits,
            What::Approved,
        ];
        for what in silent {
            let notes = vec![Note::Retired { access: "a".into() }];
            assert!(
                folded(&[record(1, what, notes)]).accesses.is_empty(),
                "{what:?}"
            );
        }
        let looks: Vec<Record> = (1..=60)
            .map(|seq| {
                let sample = Sample {
                    at: Timestamp::from_unix(seq),
                    seen: vec![],
                };
                let look = SoakLook {
                    access: "a".into(),
                    mark: None,
                    sample: Some(sample),
                };
                Record {
                    soak: Some(look),
                    ..record(seq as u64, What::Waits, vec![])
                }
            })
            .collect();
        let samples = &folded(&looks).accesses["a"].samples;
        assert_eq!(samples.len(), MAX_SAMPLES);
        assert_eq!(samples[0].at, Timestamp::from_unix(11));
    }
}
