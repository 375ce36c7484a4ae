//! One descriptor for each kind.

pub(crate) mod access;
pub(crate) mod gateway;
pub(crate) mod named_value;
pub(crate) mod policy;
pub(crate) mod resolver;
pub(crate) mod sql_database;
pub(crate) mod sql_grant;
pub(crate) mod sql_role;
pub(crate) mod sql_server;
pub(crate) mod sql_user;
