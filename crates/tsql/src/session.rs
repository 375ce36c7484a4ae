//! A session with one database, and the one way in which text reaches its server.
//!
//! Invariant: the connection is kept only after a call that the server answered to its end. A call
//! that is given up, times out or fails below TDS leaves the session without one, and every later
//! call says [`SqlError::Over`]; the answer of one call can so never be read as that of another.

use std::fmt;
use std::time::Duration;

use tiberius::error::Error;
use tiberius::{Client, Row};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::compat::Compat;

use crate::connect::plain;
use crate::error::SqlError;

pub(crate) type Connection = Client<Compat<TcpStream>>;

/// From this severity on the server closes the connection (Microsoft SQL docs, "Database engine
/// error severities").
const FATAL: u8 = 20;

/// A logged-in session. Calls run one after the other.
pub struct Session {
    connection: Option<Connection>,
    /// `host/database`, for messages.
    pub(crate) place: String,
    database: String,
    deadline: Duration,
}

impl Session {
    pub(crate) fn new(
        connection: Connection,
        place: String,
        database: &str,
        deadline: Duration,
    ) -> Self {
        Self {
            connection: Some(connection),
            place,
            database: database.to_owned(),
            deadline,
        }
    }

    /// The database that the session was opened on.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Whether the session is in `master`, where logins live.
    pub(crate) fn in_master(&self) -> bool {
        self.database.eq_ignore_ascii_case("master")
    }

    /// Drops the connection; the server rolls back what was open on it.
    pub(crate) fn give_up(&mut self) {
        self.connection = None;
    }

    /// Sends one batch and reads its answer to the end: the rows of each result set. `doing` is for
    /// messages.
    pub(crate) async fn batch(
        &mut self,
        text: &str,
        doing: &str,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        let place = self.place.clone();
        let Some(mut connection) = self.connection.take() else {
            return Err(SqlError::Over { place });
        };
        let answer = timeout(self.deadline, ask(&mut connection, text)).await;
        let doing = doing.to_owned();
        match answer {
            Ok(Ok(sets)) => {
                self.connection = Some(connection);
                Ok(sets)
            }
            Ok(Err(Error::Server(error))) => {
                if error.class() < FATAL {
                    self.connection = Some(connection);
                }
                Err(SqlError::refused(&error, &place, &doing))
            }
            Ok(Err(error)) => Err(SqlError::Lost {
                place,
                doing,
                reason: plain(&error),
            }),
            Err(_) => Err(SqlError::TimedOut {
                place,
                doing,
                after: self.deadline,
            }),
        }
    }

    /// As [`Session::batch`], for a batch that must give `count` result sets.
    pub(crate) async fn sets(
        &mut self,
        text: &str,
        doing: &str,
        count: usize,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        let sets = self.batch(text, doing).await?;
        if sets.len() == count {
            return Ok(sets);
        }
        Err(SqlError::Answer {
            place: self.place.clone(),
            doing: doing.to_owned(),
            reason: format!("{} result sets instead of {count}", sets.len()),
        })
    }
}

async fn ask(connection: &mut Connection, text: &str) -> Result<Vec<Vec<Row>>, Error> {
    connection.simple_query(text).await?.into_results().await
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_can_run_on_any_thread() {
        fn sent<T: Send>(_: impl FnOnce(&'static mut Session) -> T) {}
        sent(|session| session.catalogue());
        sent(|session| session.run(&[]));
    }
}
