//! Errors as the server sends them: number, class (severity), state and text.
//!
//! Numbers and texts follow the service's own message list (azure-facts C.7 names those that the
//! move to managed identities meets), because clients decide by number.

/// One error message of the emulated server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Msg {number}, Level {class}, State {state}: {message}")]
pub struct SqlError {
    pub number: i32,
    pub class: u8,
    pub state: u8,
    pub message: String,
    /// Where in its batch or procedure, counted from 1; 0 while nobody has said.
    pub line: u32,
    pub procedure: Option<String>,
}

impl SqlError {
    pub fn new(number: i32, class: u8, message: impl Into<String>) -> Self {
        Self {
            number,
            class,
            state: 1,
            message: message.into(),
            line: 0,
            procedure: None,
        }
    }

    /// Says where it happened, unless that is known.
    pub fn at(mut self, line: u32, procedure: Option<&str>) -> Self {
        if self.line == 0 {
            self.line = line;
            self.procedure = procedure.map(str::to_owned);
        }
        self
    }

    /// 191, for what would need more room on the stack than there is.
    pub fn too_deep() -> Self {
        let message = "Some part of your SQL statement is nested too deeply. Rewrite the query or \
                       break it up into smaller queries.";
        Self::new(191, 15, message)
    }

    /// 701, for what would need more memory than an emulator should take.
    pub fn out_of_memory() -> Self {
        Self::new(
            701,
            17,
            "There is insufficient system memory to run this query.",
        )
    }

    /// 8134.
    pub fn divided_by_zero() -> Self {
        Self::new(8134, 16, "Divide by zero error encountered.")
    }

    /// Whether the rest of the batch is skipped even with XACT_ABORT off. Other errors end their
    /// statement only, and the batch goes on: the reason why scripts need XACT_ABORT or TRY.
    pub fn ends_batch(&self) -> bool {
        matches!(
            self.number,
            102 | 105 | 137 | 156 | 207 | 208 | 245 | 1222 | 2812 | 40508..=40530
        ) || self.number >= 50_000
            || self.class >= 17
    }

    pub fn syntax(near: &str) -> Self {
        Self::new(102, 15, format!("Incorrect syntax near '{near}'."))
    }

    pub fn unsupported(what: &str) -> Self {
        Self::new(
            40514,
            16,
            format!("'{what}' is not supported in this version of SQL Server."),
        )
    }

    pub fn no_permission() -> Self {
        Self::new(
            15247,
            16,
            "User does not have permission to perform this action.",
        )
    }

    /// 15151, the service's one answer to both "is not there" and "is not yours".
    pub fn cannot(verb: &str, kind: &str, name: &str) -> Self {
        Self::new(
            15151,
            16,
            format!(
                "Cannot {verb} the {kind} '{name}', because it does not exist or you do not have \
                 permission."
            ),
        )
    }

    pub fn principal_exists(name: &str) -> Self {
        Self::new(
            15023,
            16,
            format!("User, group, or role '{name}' already exists in the current database."),
        )
    }

    pub fn invalid_object(name: &str) -> Self {
        Self::new(208, 16, format!("Invalid object name '{name}'."))
    }

    pub fn object_exists(name: &str) -> Self {
        Self::new(
            2714,
            16,
            format!("There is already an object named '{name}' in the database."),
        )
    }

    pub fn create_denied(what: &str, database: &str) -> Self {
        Self::new(
            262,
            14,
            format!("{what} permission denied in database '{database}'."),
        )
    }

    pub fn denied(permission: &str, object: &str, database: &str, schema: &str) -> Self {
        Self::new(
            229,
            14,
            format!(
                "The {permission} permission was denied on the object '{object}', database \
                 '{database}', schema '{schema}'."
            ),
        )
    }

    pub fn login_failed(login: &str) -> Self {
        Self::new(18456, 14, format!("Login failed for user '{login}'."))
    }

    /// 47073, before the login is looked at (azure-facts C.7).
    pub fn public_access_denied() -> Self {
        Self::new(
            47073,
            14,
            "An instance-specific error occurred while establishing a connection to SQL Server. \
             Connection was denied since Deny Public Network Access is set to Yes. To connect to \
             this server, use its private endpoint from inside your virtual network.",
        )
    }

    /// 40615, likewise.
    pub fn address_not_allowed(server: &str, address: std::net::Ipv4Addr) -> Self {
        let message = format!(
            "Cannot open server '{server}' requested by the login. Client with IP address \
             '{address}' is not allowed to access the server."
        );
        Self::new(40615, 14, message)
    }

    /// 4060, sent before the 18456 of the same refusal.
    pub fn cannot_open(database: &str) -> Self {
        Self::new(
            4060,
            11,
            format!(
                "Cannot open database \"{database}\" requested by the login. The login failed."
            ),
        )
    }

    /// Reads back what `Display` wrote: an error of one of our functions comes through the storage
    /// as text.
    fn from_display(text: &str) -> Option<Self> {
        let (number, rest) = text.strip_prefix("Msg ")?.split_once(", Level ")?;
        let (class, rest) = rest.split_once(", State ")?;
        let (state, message) = rest.split_once(": ")?;
        Some(Self {
            number: number.parse().ok()?,
            class: class.parse().ok()?,
            state: state.parse().ok()?,
            message: message.to_owned(),
            line: 0,
            procedure: None,
        })
    }

    /// What the storage said, as the server would have said it.
    pub fn from_sqlite(error: &rusqlite::Error) -> Self {
        let text = match error {
            rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
            rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
            other => other.to_string(),
        };
        if let Some(own) = Self::from_display(&text) {
            return own;
        }
        if text == "interrupted" {
            return Self::new(
                8649,
                17,
                "The query has been canceled because it does not end.",
            );
        }
        let after = |prefix: &str| text.strip_prefix(prefix).map(str::trim).map(str::to_owned);
        let last = |path: String| path.rsplit('.').next().unwrap_or_default().to_owned();
        if let Some(column) = after("no such column:") {
            // A quoted name comes with advice that is the storage's own.
            let column = column.split(" - should this be").next().unwrap_or_default();
            let column = last(column.trim_matches('"').to_owned());
            return Self::new(207, 16, format!("Invalid column name '{column}'."));
        }
        if let Some(column) = after("ambiguous column name:") {
            return Self::new(
                209,
                16,
                format!("Ambiguous column name '{}'.", last(column)),
            );
        }
        if let Some(table) = after("no such table:") {
            return Self::invalid_object(&table);
        }
        if let Some(function) = after("no such function:") {
            return Self::new(
                195,
                15,
                format!("'{function}' is not a recognized built-in function name."),
            );
        }
        if let Some(column) = after("NOT NULL constraint failed:") {
            return Self::new(
                515,
                16,
                format!(
                    "Cannot insert the value NULL into column '{}'; column does not allow nulls.",
                    last(column)
                ),
            );
        }
        if let Some(column) = after("duplicate column name:") {
            let message = format!(
                "Column names in each table must be unique. Column name '{column}' is specified \
                 more than once."
            );
            return Self::new(2705, 16, message);
        }
        if text == "incomplete input" {
            return Self::syntax("the end of the statement");
        }
        if text.contains("UNIQUE constraint failed") {
            return Self::new(
                2627,
                14,
                "Violation of PRIMARY KEY or UNIQUE KEY constraint. Cannot insert duplicate key.",
            );
        }
        if text.contains("constraint failed") {
            return Self::new(547, 16, "The statement conflicted with a constraint.");
        }
        if let Some((near, _)) = text.strip_prefix("near \"").and_then(|t| t.split_once('"')) {
            return Self::syntax(near);
        }
        Self::new(50000, 16, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_storage_become_the_services() {
        let from = |text: &str| {
            let code = rusqlite::ffi::Error::new(1);
            let error = rusqlite::Error::SqliteFailure(code, Some(text.to_owned()));
            SqlError::from_sqlite(&error)
        };
        let hint = "no such column: \"nope\" - should this be a string literal in single-quotes?";
        assert_eq!(from(hint).message, "Invalid column name 'nope'.");
        let plain = from("no such column: o.nope");
        assert_eq!(plain.message, "Invalid column name 'nope'.");
        assert_eq!(from("duplicate column name: Id").number, 2705);
        assert_eq!(from("incomplete input").number, 102);
    }

    #[test]
    fn an_error_comes_back_from_its_own_text() {
        let error = SqlError::denied("SELECT", "Orders", "orders", "dbo");
        assert_eq!(SqlError::from_display(&error.to_string()), Some(error));
        assert_eq!(SqlError::from_display("Msg x"), None);
    }
}
