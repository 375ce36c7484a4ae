//! One descriptor for each kind.

pub(crate) mod access;
pub(crate) mod api;
pub(crate) mod backend;
pub(crate) mod firewall_rule;
pub(crate) mod gateway;
pub(crate) mod managed_identity;
pub(crate) mod named_value;
pub(crate) mod operation;
pub(crate) mod policy;
pub(crate) mod policy_fragment;
pub(crate) mod product;
pub(crate) mod resolver;
pub(crate) mod role_assignment;
pub(crate) mod sql_database;
pub(crate) mod sql_grant;
pub(crate) mod sql_role;
pub(crate) mod sql_server;
pub(crate) mod sql_user;
