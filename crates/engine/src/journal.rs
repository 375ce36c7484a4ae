//! The journal as bytes: JSON lines, each closed by a line feed.
//!
//! Invariant: an append returns only after its line feed is on the disk. So a last line without one
//! was never acknowledged: nothing was done on the strength of it, and it may be cut off. Any other
//! damage is an error that says where.

use keyless_model::State;

use crate::error::EngineError;
use crate::fold::fold;
use crate::record::Record;

/// A journal that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    pub records: Vec<Record>,
    /// The bytes that are whole lines; what comes after them is a torn append.
    pub whole: usize,
    /// Whether there was a torn append.
    pub torn: bool,
}

/// Reads a journal.
///
/// # Errors
/// When a whole line is no record, or the numbers of the records have a gap.
pub fn read_journal(bytes: &[u8]) -> Result<Journal, EngineError> {
    let whole = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let mut records: Vec<Record> = Vec::new();
    for line in bytes[..whole].split_inclusive(|b| *b == b'\n') {
        let seq = records.len() as u64 + 1;
        // The error of the parser is left out: it may repeat what the line holds.
        let record: Record = serde_json::from_slice(line)
            .map_err(|_| EngineError::journal(seq, "it is no journal record"))?;
        if record.seq != seq {
            let what = format!(
                "record {seq} is expected there, and it is number {}",
                record.seq
            );
            return Err(EngineError::journal(seq, what));
        }
        records.push(record);
    }
    Ok(Journal {
        records,
        whole,
        torn: whole < bytes.len(),
    })
}

/// The line of a record, with its line feed.
pub fn to_line(record: &Record) -> String {
    // A record is made of strings, numbers and lists: it always has a JSON form.
    let mut line = serde_json::to_string(record).unwrap_or_default();
    line.push('\n');
    line
}

/// Folds into `state` the records that came after it was saved.
pub(crate) fn catch_up(state: &mut State, records: &[Record]) -> Result<(), EngineError> {
    if state.format != State::FORMAT {
        return Err(EngineError::Damaged {
            place: "the state".to_owned(),
            what: format!("it is not of the format “{}”", State::FORMAT),
            next: "use the version of keyless that wrote it".to_owned(),
        });
    }
    let last = records.last().map_or(0, |r| r.seq);
    if state.journal > last {
        let what = format!(
            "it ends there, and the state knows record {}",
            state.journal
        );
        return Err(EngineError::journal(last, what));
    }
    let known = state.journal;
    for record in records.iter().filter(|r| r.seq > known) {
        fold(state, record);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::What;

    fn journal(count: u64) -> String {
        let record = |seq| {
            let record = Record::new("switch/apim:g", What::Failed).saying("é, “quoted”\nand more");
            Record { seq, ..record }
        };
        (1..=count).map(|seq| to_line(&record(seq))).collect()
    }

    #[test]
    fn a_torn_last_line_is_cut_off_at_every_byte() {
        let text = journal(3);
        let line = text.len() / 3;
        for cut in 0..=text.len() {
            let read = read_journal(&text.as_bytes()[..cut]).unwrap();
            assert_eq!(read.records.len(), cut / line, "{cut}");
            assert_eq!(read.whole, cut / line * line, "{cut}");
            assert_eq!(read.torn, cut % line != 0, "{cut}");
        }
    }

    #[test]
    fn other_damage_says_where_and_repeats_nothing() {
        let text = journal(3).replacen("\"seq\":2", "\"seq\":Server=x;Password=hunter2", 1);
        let error = read_journal(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "KL0306");
        assert!(
            error
                .to_string()
                .starts_with("line 2 of the journal is damaged"),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_gap_or_a_missing_end_is_damage() {
        let text = journal(3);
        let gap: String = text.split_inclusive('\n').skip(1).collect();
        assert!(read_journal(gap.as_bytes()).is_err());
        let mut state = State {
            journal: 4,
            ..State::empty()
        };
        let records = read_journal(text.as_bytes()).unwrap().records;
        let error = catch_up(&mut state, &records).unwrap_err();
        assert!(
            error.to_string().contains("the state knows record 4"),
            "{error}"
        );
    }

    #[test]
    fn a_state_of_another_format_is_refused() {
        let mut state = State {
            format: "keyless.state/9".into(),
            ..State::empty()
        };
        assert!(catch_up(&mut state, &[]).is_err());
    }
}
