//! Scenarios: the built program against the emulator, over real sockets, as a user would run it.
#![expect(
    clippy::unwrap_used,
    reason = "a scenario that cannot go on has failed, and says where"
)]

mod arguments;
mod bad_input;
mod caller;
mod callers;
mod canaries;
mod codes;
mod contoso;
mod drift;
mod estate;
mod faults;
mod generated;
mod init;
mod login;
mod policy;
mod rollback;
mod scan;
mod second_estate;
mod stop;
mod whole_job;
