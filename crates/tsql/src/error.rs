//! What can go wrong with a session, each in one sentence with the next step.
//!
//! No variant holds a token, and none can: the words come from the server's answer, from the
//! statement (which holds no secret) and from the name of the place.

use std::time::Duration;

use keyless_model::sql::StatementError;

use crate::numbers::{is_transient, next_step};

/// Why a session could not be opened, or did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    #[error(
        "cannot reach {place}: {reason}; check the name, the network and the server's firewall"
    )]
    Unreachable { place: String, reason: String },
    #[error("no secure connection to {place}: {reason}; check the server's name and the CA")]
    Tls { place: String, reason: String },
    #[error(
        "{place} did not answer within {} s ({doing}); check the network, or try again",
        .after.as_secs_f64()
    )]
    TimedOut {
        place: String,
        doing: String,
        after: Duration,
    },
    /// The connection ended in the middle of a call.
    #[error("{place} was lost ({doing}): {reason}; connect again")]
    Lost {
        place: String,
        doing: String,
        reason: String,
    },
    /// An earlier call timed out, was given up or lost the connection.
    #[error("the session with {place} is over after an earlier failure; connect again")]
    Over { place: String },
    #[error(
        "{place} sends the login elsewhere, last to “{target}”: {reason}; check the server's name"
    )]
    Routing {
        place: String,
        target: String,
        reason: String,
    },
    /// The server said no. Boxed to keep results small.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The server said "not now" (azure-facts C.7), until the deadline.
    #[error("{0}")]
    Transient(Box<Refusal>),
    #[error("{place} answered something else than it was asked ({doing}): {reason}")]
    Answer {
        place: String,
        doing: String,
        reason: String,
    },
    #[error(
        "{place}: “{user}” may not see all of the database's security; run GRANT VIEW SECURITY \
         DEFINITION TO the user there, or GRANT VIEW DEFINITION if that is not enough ({what})"
    )]
    CannotSeeDefinitions {
        place: String,
        user: String,
        /// What was hidden.
        what: String,
    },
    #[error(
        "{place}: “{user}” may not see the server's logins; add its login to the server role \
         ##MS_SecurityDefinitionReader##"
    )]
    CannotSeeLogins { place: String, user: String },
    #[error(
        "{place}: “{user}” may not see the sessions of others; run GRANT VIEW DATABASE STATE TO \
         the user there"
    )]
    CannotSeeSessions { place: String, user: String },
    #[error(
        "{place}: “{user}” may not see the database-scoped credentials; that takes CONTROL on the \
         database"
    )]
    CannotSeeCredentials { place: String, user: String },
    /// Nothing was sent.
    #[error("nothing was sent to {place}: {reason}")]
    Statement {
        place: String,
        reason: StatementError,
    },
    /// Nothing was sent: a statement that this session cannot or must not run.
    #[error("nothing was sent to {place}: {reason} in “{statement}”")]
    Unfit {
        place: String,
        statement: String,
        reason: &'static str,
    },
    /// The connection broke while the change was being made final: it may be done or not.
    #[error("{place} may or may not have run {doing}: {reason}; read the database again")]
    OutcomeUnknown {
        place: String,
        doing: String,
        reason: String,
    },
}

/// An error that the server itself reported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} refused ({doing}) with {number}, state {state}: {message}; {}", next_step(*.number))]
pub struct Refusal {
    pub number: u32,
    pub state: u8,
    /// Severity: from 20 on the server closes the connection.
    pub class: u8,
    /// Without its final full stop.
    pub message: String,
    /// `host/database`
    pub place: String,
    /// What was being done: a statement, or a few words.
    pub doing: String,
}

impl SqlError {
    /// The server's number, if it was the server that refused.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Refused(refusal) | Self::Transient(refusal) => Some(refusal.number),
            _ => None,
        }
    }

    /// Whether the same call on a new session may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Transient(_) | Self::TimedOut { .. } | Self::Lost { .. }
        )
    }

    /// Whether a change may have been made although the call failed.
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. })
    }

    /// An error of the server, sorted by its number.
    pub(crate) fn refused(error: &tiberius::error::TokenError, place: &str, doing: &str) -> Self {
        let refusal = Box::new(Refusal {
            number: error.code(),
            state: error.state(),
            class: error.class(),
            message: error.message().trim_end().trim_end_matches('.').to_owned(),
            place: place.to_owned(),
            doing: doing.to_owned(),
        });
        if is_transient(refusal.number) {
            Self::Transient(refusal)
        } else {
            Self::Refused(refusal)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(number: u32) -> Refusal {
        Refusal {
            number,
            state: 1,
            class: 16,
            message: "Cannot find the user 'x'".into(),
            place: "orders-sql.database.windows.net/orders".into(),
            doing: "DROP USER [x]".into(),
        }
    }

    #[test]
    fn a_refusal_says_where_what_and_what_next() {
        assert_eq!(
            SqlError::Refused(Box::new(refusal(15151))).to_string(),
            "orders-sql.database.windows.net/orders refused (DROP USER [x]) with 15151, state 1: \
             Cannot find the user 'x'; check that the name exists and that this identity may \
             change it"
        );
    }

    #[test]
    fn only_the_server_gives_numbers() {
        let transient = SqlError::Transient(Box::new(refusal(40613)));
        assert_eq!(transient.number(), Some(40613));
        assert!(transient.is_transient());
        let over = SqlError::Over { place: "x".into() };
        assert_eq!(over.number(), None);
        assert!(!over.is_transient());
    }
}
