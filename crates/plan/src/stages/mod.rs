//! The stages of planning, one file for each idea. Every stage reads the input and the draft's
//! world, and adds steps or waiting rows; none looks at a clock or at what apply will do.

pub(crate) mod access;
pub(crate) mod arm;
pub(crate) mod callers;
pub(crate) mod claims;
pub(crate) mod demand;
pub(crate) mod disable;
pub(crate) mod exclusive;
pub(crate) mod firewall;
pub(crate) mod grant;
pub(crate) mod http;
pub(crate) mod identify;
pub(crate) mod literals;
pub(crate) mod live_sources;
pub(crate) mod lock;
pub(crate) mod named_values;
pub(crate) mod network;
pub(crate) mod observe;
pub(crate) mod prove;
pub(crate) mod prune;
pub(crate) mod rbac;
pub(crate) mod replaced;
pub(crate) mod resources;
pub(crate) mod retire;
pub(crate) mod rights;
pub(crate) mod show;
pub(crate) mod shut;
pub(crate) mod sources;
pub(crate) mod switch;
pub(crate) mod tier;
pub(crate) mod touched;
pub(crate) mod unread;
