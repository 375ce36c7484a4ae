//! Tests of the whole program: every one drives the `keyless` binary or the emulator over sockets.
