//! HTTP services: APIs that send a key come to send a token of an identity instead.
//!
//! Invariant: at every prefix of a plan each call carries a credential that the service takes. It
//! takes keys and tokens both, so a document that sends a key loses it in the same write that
//! makes it send a token; and a backend or URL loses its key once every call that goes there sends
//! a token from its policies.

pub(crate) mod access;
mod asks;
mod block;
mod caller;
pub(crate) mod declared;
mod edit;
mod ends;
mod find;
mod identity;
mod judge;
pub(crate) mod lanes;
mod literals;
mod park;
mod prove;
pub(crate) mod retire;
mod stray;
mod switch;
mod turned;
mod undo;

use crate::draft::{Draft, Input};
use access::Http;
use prove::Tried;

/// From parking to the soak; what is retired comes after everything else of the plan.
pub(crate) fn plan(input: Input, draft: &mut Draft, http: &mut Http) {
    block::missing_roles(input, draft, http);
    park::park(input, draft, http);
    let gates = prove::before(input, draft, http);
    switch::own(input, draft, http);
    prove::after(draft, http, Tried::Own);
    switch::rest(input, draft, http);
    prove::after(draft, http, Tried::Rest);
    prove::join(draft, http, gates);
    retire::confirm(input, draft, http);
}
