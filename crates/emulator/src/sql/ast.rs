//! Statements after parsing. Queries stay token lists, which `rewrite` turns into the storage's
//! dialect; security statements are taken apart in full.

use super::lexer::Lexed;
use super::value::ColumnType;

pub type Tokens = Vec<Lexed>;

/// A possibly qualified name, outermost part first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub Vec<String>);

impl Name {
    pub fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The schema, when the name has one.
    pub fn schema(&self) -> Option<&str> {
        self.0.len().checked_sub(2).map(|at| self.0[at].as_str())
    }

    pub fn dotted(&self) -> String {
        self.0.join(".")
    }
}

/// A statement and the line that it begins in.
#[derive(Clone, Debug)]
pub struct Located {
    pub line: u32,
    pub statement: Statement,
}

#[derive(Clone, Debug)]
pub enum Statement {
    /// SELECT, with or without CTEs.
    Query(Tokens),
    Insert(Tokens),
    Update(Tokens),
    Delete(Tokens),
    Truncate(Name),
    /// `SET NOCOUNT ON` and the like.
    SetOption(Tokens),
    SetVariable(String, Tokens),
    Declare(Vec<(String, ColumnType, Option<Tokens>)>),
    If {
        condition: Tokens,
        then: Box<Located>,
        otherwise: Option<Box<Located>>,
    },
    While {
        condition: Tokens,
        body: Box<Located>,
    },
    /// Leave the loop, or go to its next turn.
    Break,
    Continue,
    Block(Vec<Located>),
    Try {
        body: Vec<Located>,
        handler: Vec<Located>,
    },
    /// With the name that a ROLLBACK can use.
    Begin(Option<String>),
    Commit,
    Rollback(Option<String>),
    Save(String),
    /// `WAITFOR DELAY`.
    Wait(Tokens),
    Print(Tokens),
    /// Number, message, state; nothing inside a CATCH means "again".
    Throw(Option<(Tokens, Tokens, Tokens)>),
    RaiseError(Vec<Tokens>),
    Return(Option<Tokens>),
    Exec(Exec),
    /// `EXEC ('…')`.
    ExecText(Tokens),
    ExecuteAs(Tokens),
    Revert,
    Use(String),
    Security(Security),
    Ddl(Ddl),
}

/// A call of a procedure.
#[derive(Clone, Debug)]
pub struct Exec {
    pub procedure: Name,
    pub arguments: Vec<Argument>,
}

#[derive(Clone, Debug)]
pub struct Argument {
    pub name: Option<String>,
    pub value: Tokens,
    /// The variable that an OUTPUT argument comes back in.
    pub output: Option<String>,
}

/// How a user or a login proves who it is.
#[derive(Clone, Debug)]
pub enum Source {
    /// Nothing said: the login of the same name.
    Default,
    Login(String),
    Password(String),
    WithoutLogin,
    External {
        object_id: Option<String>,
    },
    Sid {
        sid: Vec<u8>,
        group: bool,
    },
}

#[derive(Clone, Debug)]
pub enum RoleChange {
    Add(String),
    Drop(String),
    Rename(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Grant,
    Deny,
    Revoke,
}

/// `ON` of GRANT, DENY, REVOKE and ALTER AUTHORIZATION.
#[derive(Clone, Debug)]
pub enum On {
    Database(Option<String>),
    Schema(String),
    Object(Name),
    User(String),
    Role(String),
}

#[derive(Clone, Debug)]
pub struct PermissionStatement {
    pub verb: Verb,
    /// `REVOKE GRANT OPTION FOR`.
    pub option_only: bool,
    /// Names, each with its columns.
    pub permissions: Vec<(String, Vec<String>)>,
    pub on: On,
    pub principals: Vec<String>,
    pub with_option: bool,
    pub cascade: bool,
}

#[derive(Clone, Debug, Default)]
pub struct UserOptions {
    pub name: Option<String>,
    pub default_schema: Option<String>,
    pub login: Option<String>,
    pub password: Option<String>,
}

#[derive(Clone, Debug)]
pub enum LoginChange {
    Enable(bool),
    Password(String),
    Name(String),
    /// DEFAULT_DATABASE and other options that change nothing here.
    Other,
}

/// Principals, permissions, schemas' owners, logins.
#[derive(Clone, Debug)]
pub enum Security {
    CreateUser {
        name: String,
        source: Source,
        default_schema: Option<String>,
    },
    AlterUser {
        name: String,
        options: UserOptions,
    },
    DropUser {
        name: String,
        if_exists: bool,
    },
    CreateRole {
        name: String,
        owner: Option<String>,
    },
    AlterRole {
        name: String,
        change: RoleChange,
    },
    DropRole {
        name: String,
        if_exists: bool,
    },
    CreateApplicationRole {
        name: String,
        options: UserOptions,
    },
    AlterApplicationRole {
        name: String,
        options: UserOptions,
    },
    DropApplicationRole {
        name: String,
    },
    Permission(PermissionStatement),
    CreateLogin {
        name: String,
        source: Source,
        sid: Option<Vec<u8>>,
    },
    AlterLogin {
        name: String,
        change: LoginChange,
    },
    DropLogin {
        name: String,
    },
    AlterServerRole {
        name: String,
        change: RoleChange,
    },
    AlterAuthorization {
        on: On,
        to: String,
    },
}

#[derive(Clone, Debug)]
pub struct ColumnDefinition {
    pub name: String,
    pub ty: ColumnType,
    pub identity: bool,
    pub not_null: bool,
    /// NOT NULL, PRIMARY KEY, DEFAULT, REFERENCES, CHECK: rewritten as they stand.
    pub constraints: Tokens,
}

#[derive(Clone, Debug)]
pub struct PredicateDefinition {
    pub block: bool,
    pub function: Tokens,
    pub target: Name,
    pub operation: Option<String>,
}

/// Schemas and objects.
#[derive(Clone, Debug)]
pub enum Ddl {
    CreateSchema {
        name: String,
        owner: Option<String>,
    },
    DropSchema {
        name: String,
        if_exists: bool,
    },
    CreateTable {
        name: Name,
        columns: Vec<ColumnDefinition>,
        constraints: Vec<Tokens>,
    },
    AddColumn {
        table: Name,
        column: ColumnDefinition,
    },
    DropTable {
        names: Vec<Name>,
        if_exists: bool,
    },
    CreateIndex {
        unique: bool,
        name: String,
        table: Name,
        columns: Tokens,
    },
    CreateView {
        name: Name,
        query: Tokens,
        text: String,
        replace: bool,
    },
    CreateProcedure(Procedure),
    CreateFunction {
        name: Name,
        text: String,
        inline: bool,
        replace: bool,
    },
    /// View, procedure, function or security policy.
    DropModule {
        kind: &'static str,
        names: Vec<Name>,
        if_exists: bool,
    },
    CreatePolicy {
        name: Name,
        predicates: Vec<PredicateDefinition>,
        enabled: bool,
    },
    AlterPolicy {
        name: Name,
        add: Vec<PredicateDefinition>,
        drop: Vec<(bool, Name)>,
        enabled: Option<bool>,
    },
}

#[derive(Clone, Debug)]
pub struct Procedure {
    pub name: Name,
    pub text: String,
    pub replace: bool,
}

/// A parameter of a procedure or of a parameter list such as sp_executesql's.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub ty: ColumnType,
    pub default: Option<Tokens>,
    pub output: bool,
}
