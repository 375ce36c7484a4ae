//! What a run came to.

use std::collections::BTreeMap;

use keyless_model::Timestamp;
use keyless_plan::Plan;

/// Each step of the plan in exactly one list, in the order of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Done in this run.
    pub done: Vec<String>,
    /// Done before, by this plan or by somebody else.
    pub already: Vec<String>,
    pub failed: Vec<Failure>,
    /// Done and then taken back, because what needed it did not hold.
    pub undone: Vec<String>,
    pub waiting: Vec<Wait>,
    pub not_started: Vec<NotStarted>,
    /// Rows of the plan that are no steps: they ask for another plan.
    pub blocked: usize,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub step: String,
    pub code: &'static str,
    pub message: String,
    pub next: String,
}

/// A step that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    pub step: String,
    /// `KL0304` where a flag is missing.
    pub code: Option<&'static str>,
    pub why: String,
    /// When it is worth looking again, where that is known.
    pub until: Option<Timestamp>,
    /// Whether a person has to approve it.
    pub asks: bool,
    pub next: String,
}

/// A step that did not get its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotStarted {
    pub step: String,
    pub because: String,
}

impl Outcome {
    /// Each list in the order of the plan: lanes end as they end.
    pub(crate) fn in_order_of(mut self, plan: &Plan) -> Self {
        let places: BTreeMap<&str, usize> = plan
            .steps
            .iter()
            .enumerate()
            .map(|(place, step)| (step.id.as_str(), place))
            .collect();
        let place = |id: &str| places.get(id).copied().unwrap_or(usize::MAX);
        self.done.sort_by_key(|id| place(id));
        self.already.sort_by_key(|id| place(id));
        self.undone.sort_by_key(|id| place(id));
        self.failed.sort_by_key(|f| place(&f.step));
        self.waiting.sort_by_key(|w| place(&w.step));
        self.not_started.sort_by_key(|n| place(&n.step));
        self
    }

    /// Whether everything that the plan wanted is so.
    pub fn complete(&self) -> bool {
        self.exit_code() == 0
    }

    /// 1 when something failed, else 3 when something waits or is blocked, else 0.
    pub fn exit_code(&self) -> u8 {
        let held = !self.waiting.is_empty() || !self.not_started.is_empty() || self.blocked > 0;
        match (self.failed.is_empty(), held) {
            (false, _) => 1,
            (true, true) => 3,
            (true, false) => 0,
        }
    }
}
