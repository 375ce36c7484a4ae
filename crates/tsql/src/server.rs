//! What a session can ask besides the security of its database: logins, who is connected, whether
//! the server takes tokens only, firewall rules, stored credentials.

use std::collections::BTreeMap;

use keyless_model::sql::{FirewallRule, Login};
use keyless_model::{Sid, Timestamp};
use tiberius::Row;

use crate::error::SqlError;
use crate::queries::{
    CAPTURES, ENTRA_ONLY, FIREWALL_RULES, LOGINS, LOGINS_SETS, SCOPED_CREDENTIALS,
    SCOPED_CREDENTIALS_SETS, SESSIONS, SESSIONS_SETS,
};
use crate::rows::{Misread, bytes, is_one, needed, number, text};
use crate::session::Session;

impl Session {
    /// The SQL logins of the server, disabled ones too. The session must be in `master`.
    ///
    /// # Errors
    /// [`SqlError::CannotSeeLogins`] when this user may not see those of others. A server always
    /// has its admin's login (azure-facts C.6), so an empty list is also not seeing.
    pub async fn logins(&mut self) -> Result<Vec<Login>, SqlError> {
        let doing = "reading the server's logins";
        let sets = self.sets(LOGINS, doing, LOGINS_SETS).await?;
        match logins(&sets) {
            Ok(Seen::All(logins)) => Ok(logins),
            Ok(Seen::Hidden { user }) => Err(SqlError::CannotSeeLogins {
                place: self.place.clone(),
                user,
            }),
            Err(Misread(reason)) => Err(self.misread(doing, reason)),
        }
    }

    /// The other user sessions in this database at this moment.
    ///
    /// # Errors
    /// [`SqlError::CannotSeeSessions`] when this user may not see those of others.
    pub async fn sessions(&mut self) -> Result<Vec<keyless_model::Session>, SqlError> {
        let doing = "reading the database's sessions";
        let sets = self.sets(SESSIONS, doing, SESSIONS_SETS).await?;
        match sessions(&sets) {
            Ok(Seen::All(sessions)) => Ok(sessions),
            Ok(Seen::Hidden { user }) => Err(SqlError::CannotSeeSessions {
                place: self.place.clone(),
                user,
            }),
            Err(Misread(reason)) => Err(self.misread(doing, reason)),
        }
    }

    /// The firewall rules of this database. A question of its own: where it is refused, the rest of
    /// the catalogue is as good as before.
    ///
    /// # Errors
    /// When the server refuses or its answer cannot be read.
    pub async fn firewall_rules(&mut self) -> Result<Vec<FirewallRule>, SqlError> {
        let doing = "reading the database's firewall rules";
        let sets = self.sets(FIREWALL_RULES, doing, 1).await?;
        let rules: Result<Vec<FirewallRule>, Misread> =
            sets.iter().flatten().map(firewall_rule).collect();
        let mut rules = rules.map_err(|Misread(reason)| self.misread(doing, reason))?;
        rules.sort();
        Ok(rules)
    }

    /// The database-scoped credentials: name to identity. A question of its own, as
    /// [`Session::firewall_rules`].
    ///
    /// # Errors
    /// [`SqlError::CannotSeeCredentials`] when this user may not see them.
    pub async fn scoped_credentials(&mut self) -> Result<BTreeMap<String, String>, SqlError> {
        let doing = "reading the database-scoped credentials";
        let sets = self
            .sets(SCOPED_CREDENTIALS, doing, SCOPED_CREDENTIALS_SETS)
            .await?;
        match credentials(&sets) {
            Ok(Seen::All(credentials)) => Ok(credentials.into_iter().collect()),
            Ok(Seen::Hidden { user }) => Err(SqlError::CannotSeeCredentials {
                place: self.place.clone(),
                user,
            }),
            Err(Misread(reason)) => Err(self.misread(doing, reason)),
        }
    }

    /// Whether the server refuses passwords and takes Entra tokens only.
    ///
    /// # Errors
    /// [`SqlError::Answer`] when the server does not say.
    pub async fn entra_only(&mut self) -> Result<bool, SqlError> {
        let doing = "asking whether the server takes tokens only";
        self.switch(ENTRA_ONLY, "entra_only", doing).await
    }

    /// Whether change data capture is on in this database.
    ///
    /// # Errors
    /// [`SqlError::Answer`] when the server does not say.
    pub async fn captures_changes(&mut self) -> Result<bool, SqlError> {
        let doing = "asking whether change data capture is on";
        self.switch(CAPTURES, "captures", doing).await
    }

    /// The one number of a query, as yes or no.
    async fn switch(&mut self, query: &str, column: &str, doing: &str) -> Result<bool, SqlError> {
        let sets = self.sets(query, doing, 1).await?;
        let answer = match first(&sets, 0) {
            Ok(row) => number(row, column),
            Err(misread) => Err(misread),
        };
        match answer {
            Ok(Some(value)) => Ok(value == 1),
            Ok(None) => Err(self.misread(doing, "the server does not say".into())),
            Err(Misread(reason)) => Err(self.misread(doing, reason)),
        }
    }
}

/// What a view showed, or that it hides rows from this user.
#[derive(Debug, PartialEq, Eq)]
enum Seen<T> {
    All(Vec<T>),
    Hidden { user: String },
}

fn first(sets: &[Vec<Row>], set: usize) -> Result<&Row, Misread> {
    sets.get(set)
        .and_then(|rows| rows.first())
        .ok_or_else(|| Misread("a row is missing".into()))
}

fn logins(sets: &[Vec<Row>]) -> Result<Seen<Login>, Misread> {
    let reader = first(sets, 0)?;
    let user = needed(reader, "running_as")?.to_owned();
    // In master, dbo is the server's admin or the Entra admin.
    let sees = user == "dbo"
        || is_one(reader, "sees_security")?
        || is_one(reader, "sees_definitions")?
        || is_one(reader, "reads_definitions")?;
    let rows = sets.get(1).map(Vec::as_slice).unwrap_or_default();
    if !sees || rows.is_empty() {
        return Ok(Seen::Hidden { user });
    }
    let login = |row: &Row| {
        Ok(Login {
            name: needed(row, "name")?.to_owned(),
            sid: bytes(row, "sid")?.map(Sid::from_bytes),
            disabled: is_one(row, "is_disabled")?,
        })
    };
    rows.iter()
        .map(login)
        .collect::<Result<_, _>>()
        .map(Seen::All)
}

fn sessions(sets: &[Vec<Row>]) -> Result<Seen<keyless_model::Session>, Misread> {
    let reader = first(sets, 0)?;
    let user = needed(reader, "running_as")?.to_owned();
    let own = number(reader, "own_session")?;
    let rows = sets.get(1).map(Vec::as_slice).unwrap_or_default();
    let mut sees_itself = false;
    let mut others = Vec::new();
    for row in rows {
        if number(row, "session_id")? == own {
            sees_itself = true;
        } else {
            others.push(session(row)?);
        }
    }
    if !is_one(reader, "sees_sessions")? || !sees_itself {
        return Ok(Seen::Hidden { user });
    }
    Ok(Seen::All(others))
}

fn firewall_rule(row: &Row) -> Result<FirewallRule, Misread> {
    Ok(FirewallRule {
        name: needed(row, "name")?.to_owned(),
        start: needed(row, "start_ip")?.to_owned(),
        end: needed(row, "end_ip")?.to_owned(),
    })
}

fn credentials(sets: &[Vec<Row>]) -> Result<Seen<(String, String)>, Misread> {
    let reader = first(sets, 0)?;
    if !is_one(reader, "controls")? {
        let user = needed(reader, "running_as")?.to_owned();
        return Ok(Seen::Hidden { user });
    }
    let rows = sets.get(1).map(Vec::as_slice).unwrap_or_default();
    let credential = |row: &Row| {
        let identity = text(row, "identity_name")?.unwrap_or_default();
        Ok((needed(row, "name")?.to_owned(), identity.to_owned()))
    };
    rows.iter()
        .map(credential)
        .collect::<Result<_, _>>()
        .map(Seen::All)
}

fn session(row: &Row) -> Result<keyless_model::Session, Misread> {
    let login_time = number(row, "login_time")?
        .ok_or_else(|| Misread("the column “login_time” is empty".into()))?;
    Ok(keyless_model::Session {
        original_login: needed(row, "original_login")?.to_owned(),
        login_time: Timestamp::from_unix(login_time),
        program: text(row, "program")?.unwrap_or_default().to_owned(),
        host: text(row, "host")?.unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use tiberius::{ColumnData, ColumnType};

    use super::*;

    fn login_sets(user: &'static str, right: i32, count: usize) -> Vec<Vec<Row>> {
        let int = |n| ColumnData::I32(Some(n));
        let reader = Row::builder()
            .column(
                "running_as",
                ColumnType::NVarchar,
                ColumnData::String(Some(user.into())),
            )
            .column("sees_security", ColumnType::Intn, ColumnData::I32(None))
            .column("sees_definitions", ColumnType::Intn, int(0))
            .column("reads_definitions", ColumnType::Intn, int(right))
            .build();
        let login = || {
            Row::builder()
                .column(
                    "name",
                    ColumnType::NVarchar,
                    ColumnData::String(Some("app".into())),
                )
                .column(
                    "sid",
                    ColumnType::BigVarBin,
                    ColumnData::Binary(Some(vec![1].into())),
                )
                .column("is_disabled", ColumnType::Intn, int(1))
                .build()
        };
        vec![vec![reader], (0..count).map(|_| login()).collect()]
    }

    #[test]
    fn logins_are_listed_only_for_who_may_see_them() {
        let app = Login {
            name: "app".into(),
            sid: Some(Sid::from_bytes(vec![1])),
            disabled: true,
        };
        let all = Ok(Seen::All(vec![app]));
        assert_eq!(logins(&login_sets("dbo", 0, 1)), all);
        assert_eq!(logins(&login_sets("reader", 1, 1)), all);
        for (user, right, count) in [("reader", 0, 1), ("reader", 1, 0), ("dbo", 0, 0)] {
            let seen = logins(&login_sets(user, right, count));
            assert_eq!(seen, Ok(Seen::Hidden { user: user.into() }));
        }
    }

    fn session_sets(right: i32, ids: &[i32]) -> Vec<Vec<Row>> {
        let int = |n| ColumnData::I32(Some(n));
        let text = |t: &'static str| ColumnData::String(Some(t.into()));
        let reader = Row::builder()
            .column("running_as", ColumnType::NVarchar, text("reader"))
            .column("own_session", ColumnType::Intn, int(51))
            .column("sees_sessions", ColumnType::Intn, int(right))
            .build();
        let session = |id: &i32| {
            Row::builder()
                .column("session_id", ColumnType::Intn, int(*id))
                .column("original_login", ColumnType::NVarchar, text("orders_app"))
                .column(
                    "login_time",
                    ColumnType::Int8,
                    ColumnData::I64(Some(784_111_777)),
                )
                .column("program", ColumnType::NVarchar, text("apim"))
                .column("host", ColumnType::NVarchar, ColumnData::String(None))
                .build()
        };
        vec![vec![reader], ids.iter().map(session).collect()]
    }

    #[test]
    fn other_sessions_are_listed_in_utc_and_the_own_one_is_not() {
        let Ok(Seen::All(found)) = sessions(&session_sets(1, &[51, 52])) else {
            panic!("not seen");
        };
        let [other] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(other.login_time.to_string(), "1994-11-06T08:49:37Z");
        assert_eq!((other.program.as_str(), other.host.as_str()), ("apim", ""));
    }

    #[test]
    fn no_right_or_no_sight_of_itself_is_not_an_empty_list() {
        for (right, ids) in [(0, &[51][..]), (1, &[]), (1, &[52])] {
            let seen = sessions(&session_sets(right, ids));
            assert!(matches!(seen, Ok(Seen::Hidden { .. })), "{seen:?}");
        }
    }

    #[test]
    fn credentials_are_listed_only_for_who_controls_the_database() {
        let texts = |columns: &[(&'static str, &'static str)]| {
            let add = |row: tiberius::RowBuilder, (name, value): &(&'static str, &'static str)| {
                let value = ColumnData::String(Some((*value).into()));
                row.column(*name, ColumnType::NVarchar, value)
            };
            columns.iter().fold(Row::builder(), add)
        };
        let sets = |controls: i32| {
            let right = ColumnData::I32(Some(controls));
            let reader = texts(&[("running_as", "reader")]);
            let reader = reader.column("controls", ColumnType::Intn, right).build();
            let one = texts(&[
                ("name", "blob"),
                ("identity_name", "SHARED ACCESS SIGNATURE"),
            ]);
            vec![vec![reader], vec![one.build()]]
        };
        let all = vec![("blob".into(), "SHARED ACCESS SIGNATURE".into())];
        assert_eq!(credentials(&sets(1)), Ok(Seen::All(all)));
        let hidden = Seen::Hidden {
            user: "reader".into(),
        };
        assert_eq!(credentials(&sets(0)), Ok(hidden));
    }
}
