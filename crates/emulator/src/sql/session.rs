//! One connection after its login: who it is, its variables and settings, its transaction.
//!
//! A batch is parsed whole, then its statements run one after another and leave replies, in the
//! order in which the wire sends them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value;

use super::application_roles::Assumed;
use super::ast::{Located, Statement};
use super::catalogue::{GUEST, Securable};
use super::database::{Database, DbState};
use super::error::SqlError;
use super::exec::Flow;
use super::parse::parse;
use super::permissions::{Subject, allowed};
use super::query::ResultSet;
use super::rewrite::Variables;
use super::server::Server;
use super::time::Moment;
use super::value::{self, ColumnType};
use crate::directory::PrincipalKind;

/// How long a batch waits for another session's transaction.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// One thing that a batch sends back.
#[derive(Clone, Debug)]
pub enum Reply {
    Rows(ResultSet),
    /// A statement is done, with the number of rows that it touched.
    Done(Option<u64>),
    Info(SqlError),
    Error(SqlError),
    Began,
    Committed,
    RolledBack,
    /// The value of an output parameter.
    Output {
        name: String,
        ty: ColumnType,
        value: Value,
    },
    /// What a procedure returned.
    Status(i32),
}

/// Who a session is on the server.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What SUSER_SNAME() says: a login's name, or `client@tenant` for an application.
    pub name: String,
    pub sid: Vec<u8>,
    pub is_server_admin: bool,
    /// Set for sessions that came with a token.
    pub external: Option<PrincipalKind>,
    pub server_roles: Vec<&'static str>,
    pub host: String,
    pub program: String,
}

/// SET options and what the last statement left.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub nocount: bool,
    pub xact_abort: bool,
    pub implicit_transactions: bool,
    pub rowcount: i64,
    pub error: i32,
    pub identity: Option<i64>,
}

pub struct Session {
    pub(super) server: Arc<Server>,
    pub(super) database: Arc<Database>,
    pub(super) id: i32,
    pub(super) identity: Identity,
    /// The user, and above it those that EXECUTE AS put on.
    pub(super) subjects: Vec<Subject>,
    pub(super) variables: Variables,
    pub(super) settings: Settings,
    pub(super) transactions: u32,
    /// A transaction that an error under XACT_ABORT has left to be rolled back.
    pub(super) doomed: bool,
    pub(super) context: Arc<BTreeMap<String, Value>>,
    pub(super) read_only_keys: Vec<String>,
    pub(super) caught: Vec<SqlError>,
    pub(super) tries: u32,
    /// How often the loops of this batch have turned.
    pub(super) loops: u32,
    /// How deep in procedures, whose owner's rights reach the tables of the same owner.
    pub(super) depth: u32,
    pub(super) alone: bool,
    pub(super) prepared: BTreeMap<i32, (String, String)>,
    pub(super) temporary: Vec<String>,
    /// Those of them that number their rows.
    pub(super) temporary_identities: BTreeSet<String>,
    /// Set while the session is an application role.
    pub(super) assumed: Option<Assumed>,
    /// The name of the transaction, when BEGIN gave it one.
    pub(super) transaction_name: Option<String>,
    /// The line of the statement that runs, and the procedure that it is in.
    pub(super) line: u32,
    pub(super) procedure: Option<String>,
    /// The text of the request that is carried out.
    pub(super) text: String,
    pub(super) replies: Vec<Reply>,
}

impl Session {
    pub(super) fn new(
        server: Arc<Server>,
        database: Arc<Database>,
        id: i32,
        identity: Identity,
        subject: Subject,
    ) -> Self {
        Self {
            server,
            database,
            id,
            identity,
            subjects: vec![subject],
            variables: Variables::new(),
            settings: Settings::default(),
            transactions: 0,
            doomed: false,
            context: Arc::default(),
            read_only_keys: Vec::new(),
            caught: Vec::new(),
            tries: 0,
            loops: 0,
            depth: 0,
            alone: false,
            prepared: BTreeMap::new(),
            temporary: Vec::new(),
            temporary_identities: BTreeSet::new(),
            assumed: None,
            transaction_name: None,
            line: 0,
            procedure: None,
            text: String::new(),
            replies: Vec::new(),
        }
    }

    /// The session id, `@@SPID`.
    pub fn id(&self) -> i32 {
        self.id
    }

    pub fn database(&self) -> &str {
        &self.database.name
    }

    /// Runs a batch when it is this session's turn. Dropped while it waits, what was done before
    /// stays done, as after a client's cancel.
    pub async fn run(&mut self, text: &str) -> Vec<Reply> {
        let replies = self.run_text(text).await;
        self.audit_request("BATCH COMPLETED", text, &replies);
        replies
    }

    async fn run_text(&mut self, text: &str) -> Vec<Reply> {
        self.variables.clear();
        text.clone_into(&mut self.text);
        let statements = match parse(text) {
            Ok(statements) => statements,
            Err(error) => {
                // A mistake in the text is told at once, whoever holds the database.
                self.settings.error = error.number;
                return vec![Reply::Error(error)];
            }
        };
        self.alone = statements.len() == 1;
        let mut replies = Vec::new();
        let mut rest = statements.as_slice();
        loop {
            if let Err(error) = self.wait().await {
                replies.push(Reply::Error(error));
                return replies;
            }
            let waits = |located: &Located| matches!(located.statement, Statement::Wait(_));
            let (now, later) = rest.split_at(rest.iter().position(waits).unwrap_or(rest.len()));
            let mut delay = None;
            replies.extend(self.exclusively(|session, db| {
                if session.batch(db, now)? == Flow::Next {
                    delay = later
                        .first()
                        .map(|wait| session.delay(db, wait).map_err(|e| e.at(wait.line, None)))
                        .transpose()?;
                }
                Ok(())
            }));
            let Some(delay) = delay else { return replies };
            tokio::time::sleep(delay).await;
            replies.push(Reply::Done(None));
            rest = &later[1..];
        }
    }

    /// How long a WAITFOR waits.
    fn delay(&mut self, db: &mut DbState, wait: &Located) -> Result<Duration, SqlError> {
        let Statement::Wait(tokens) = &wait.statement else {
            return Ok(Duration::ZERO);
        };
        let written = value::to_text(&self.evaluate(db, tokens)?, 0);
        let time = Some(written.trim()).filter(|time| time.contains(':'));
        let time = time.and_then(Moment::parse).ok_or_else(|| {
            let message =
                format!("Incorrect time syntax in time string '{written}' used with WAITFOR.");
            SqlError::new(148, 15, message)
        })?;
        Ok(Duration::from_nanos(time.ticks.unsigned_abs() * 100))
    }

    /// Waits until no other session's transaction is open in this database.
    pub(super) async fn wait(&self) -> Result<(), SqlError> {
        let waiting = async {
            loop {
                let turn = self.database.turn.notified();
                tokio::pin!(turn);
                turn.as_mut().enable();
                if self.database.lock().free_for(self.id) {
                    return;
                }
                turn.await;
            }
        };
        tokio::time::timeout(LOCK_TIMEOUT, waiting)
            .await
            .map_err(|_| lock_timeout())
    }

    /// Runs a batch now, or refuses when another session's transaction is open.
    pub fn run_now(&mut self, text: &str) -> Vec<Reply> {
        self.variables.clear();
        self.exclusively(|session, db| {
            let statements = parse(text)?;
            session.alone = statements.len() == 1;
            session.batch(db, &statements).map(|_| ())
        })
    }

    /// Does `work` with the database to itself and answers what it left, errors included.
    pub(super) fn exclusively(
        &mut self,
        work: impl FnOnce(&mut Self, &mut DbState) -> Result<(), SqlError>,
    ) -> Vec<Reply> {
        let database = Arc::clone(&self.database);
        let mut db = database.lock();
        let outcome = if db.dropped {
            Err(SqlError::new(
                40613,
                20,
                format!("Database '{}' is not available.", database.name),
            ))
        } else if db.free_for(self.id) {
            work(self, &mut db)
        } else {
            Err(lock_timeout())
        };
        if let Err(error) = outcome {
            self.settings.error = error.number;
            self.replies.push(Reply::Error(error));
        }
        self.tries = 0;
        self.loops = 0;
        self.depth = 0;
        self.caught.clear();
        if !db.is_owned_by(self.id) {
            database.turn.notify_waiters();
        }
        std::mem::take(&mut self.replies)
    }

    fn batch(&mut self, db: &mut DbState, statements: &[Located]) -> Result<Flow, SqlError> {
        let ended = self.statements(db, statements);
        if let Err(error) = &ended
            && (self.settings.xact_abort || self.doomed || error.class >= 17)
            && self.transactions > 0
        {
            self.roll_back(db)?;
        }
        ended
    }

    /// Puts the connection back to how it was after its login, as a pool asks for.
    pub fn reset(&mut self) -> Vec<Reply> {
        let replies = self.exclusively(|session, db| {
            if session.transactions > 0 {
                session.roll_back(db)?;
            }
            session.drop_temporary(db);
            Ok(())
        });
        self.subjects.truncate(1);
        self.settings = Settings::default();
        self.context = Arc::default();
        self.read_only_keys.clear();
        self.prepared.clear();
        self.temporary_identities.clear();
        replies
    }

    /// Begins, commits or rolls back, as the driver's own requests ask.
    pub async fn transaction(&mut self, request: &TransactionRequest) -> Vec<Reply> {
        let (verb, name) = match request {
            TransactionRequest::Begin(name) => ("BEGIN", name.as_str()),
            TransactionRequest::Commit { .. } => ("COMMIT", ""),
            TransactionRequest::Rollback { to, .. } => ("ROLLBACK", to.as_str()),
            TransactionRequest::Save(name) => ("SAVE", name.as_str()),
        };
        let mut text = format!("{verb} TRANSACTION");
        if !name.is_empty() {
            text.push_str(&format!(" [{}]", name.replace(']', "]]")));
        }
        if request.begins_again() {
            text.push_str("; BEGIN TRANSACTION");
        }
        self.run_text(&text).await
    }

    pub(super) fn subject(&self) -> Subject {
        self.subjects
            .last()
            .cloned()
            .unwrap_or_else(|| Subject::user(GUEST))
    }

    /// Whether the session's user holds the permission.
    pub(super) fn can(&self, db: &DbState, permission: &'static str, on: Securable) -> bool {
        allowed(&db.catalogue, &self.subject(), permission, on)
    }

    pub(super) fn default_schema(&self, db: &DbState) -> String {
        let principal = db.catalogue.principals.get(&self.subject().id());
        principal
            .and_then(|p| p.default_schema.clone())
            .unwrap_or_else(|| "dbo".into())
    }

    pub(super) fn drop_temporary(&mut self, db: &DbState) {
        for name in self.temporary.drain(..) {
            let name = super::rewrite::temporary_name(&name, self.id);
            let drop = format!("DROP TABLE IF EXISTS temp.{}", super::rewrite::quote(&name));
            // A table that is gone already is what is wanted.
            let _ = db.storage.execute_batch(&drop);
        }
    }
}

/// What a transaction manager request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionRequest {
    /// With the name that a rollback can use, when it is not empty.
    Begin(String),
    /// `again` begins the next one at once.
    Commit {
        again: bool,
    },
    /// To a savepoint, when the name is not empty.
    Rollback {
        to: String,
        again: bool,
    },
    Save(String),
}

impl TransactionRequest {
    fn begins_again(&self) -> bool {
        matches!(
            self,
            Self::Commit { again: true } | Self::Rollback { again: true, .. }
        )
    }
}

fn lock_timeout() -> SqlError {
    SqlError::new(1222, 16, "Lock request time out period exceeded.")
}

/// A connection that ends undoes what it has not committed.
impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.reset();
        self.server.close_session(self.id);
    }
}
