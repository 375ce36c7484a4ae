//! The stages of planning, one file for each idea. Every stage reads the input and the draft's
//! world, and adds steps or waiting rows; none looks at a clock or at what apply will do.

pub(crate) mod access;
pub(crate) mod claims;
pub(crate) mod disable;
pub(crate) mod exclusive;
pub(crate) mod grant;
pub(crate) mod identify;
pub(crate) mod literals;
pub(crate) mod live_sources;
pub(crate) mod lock;
pub(crate) mod prove;
pub(crate) mod replaced;
pub(crate) mod resources;
pub(crate) mod retire;
pub(crate) mod rights;
pub(crate) mod show;
pub(crate) mod sources;
pub(crate) mod switch;
