//! Fuzzing of everything that reads what a client sends: no bytes make it panic, and it takes no more
//! memory than they are long.

use bolero::check;

use super::super::input::Reader;
use super::super::login7::{Login, late_token};
use super::super::packet::{self, BATCH, Message, RPC, TRANSACTION};
use super::super::prelogin::Prelogin;
use super::super::request::Request;
use crate::sql::fuzz::iterations;

fn parse(kind: u8, body: Vec<u8>) -> Option<Request> {
    Request::parse(&Message {
        kind,
        reset: false,
        body,
    })
}

#[test]
fn packets() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    check!()
        .with_iterations(iterations(10_000))
        .for_each(|input: &[u8]| {
            let mut wire = input;
            while let Ok(Some(message)) = runtime.block_on(packet::read(&mut wire)) {
                assert!(message.body.len() <= input.len());
                let _ = Request::parse(&message);
            }
        });
}

#[test]
fn prelogins_and_logins() {
    check!()
        .with_iterations(iterations(10_000))
        .for_each(|input: &[u8]| {
            if let Some(asked) = Prelogin::parse(input) {
                assert!(Prelogin::parse(&asked.answer([0; 32])).is_some());
            }
            let _ = late_token(input);
            let _ = Login::parse(input);
            // Long enough for its offsets, which then point anywhere.
            let mut padded = input.to_vec();
            padded.resize(input.len().max(160), 0x11);
            padded[27] |= 0x10;
            let _ = Login::parse(&padded);
        });
}

#[test]
fn requests() {
    check!()
        .with_iterations(iterations(10_000))
        .for_each(|input: &[u8]| {
            for kind in [BATCH, RPC, TRANSACTION] {
                // As it is, and with headers that are right.
                let _ = parse(kind, input.to_vec());
                let _ = parse(kind, [&[4, 0, 0, 0], input].concat());
            }
            // One call with one parameter, whatever its type.
            let call = [4, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 0, 0, 0];
            let _ = parse(RPC, [&call, input].concat());
        });
}

#[test]
fn parameters() {
    const TYPES: [u8; 33] = [
        0x1F, 0x30, 0x32, 0x34, 0x38, 0x7F, 0x3B, 0x3E, 0x3C, 0x7A, 0x3D, 0x3A, 0x26, 0x68, 0x6D,
        0x6E, 0x6F, 0x24, 0x6A, 0x6C, 0x28, 0x29, 0x2A, 0x2B, 0xE7, 0xEF, 0xA7, 0xAF, 0xA5, 0x63,
        0x22, 0x62, 0xF1,
    ];
    check!()
        .with_iterations(iterations(10_000))
        .for_each(|input: &[u8]| {
            for ty in TYPES {
                let bytes = [&[ty], input].concat();
                let _ = Reader::new(&bytes).typed();
                // Lengths that are small are likelier to be right.
                let small: Vec<u8> = [ty]
                    .into_iter()
                    .chain(input.iter().map(|b| b % 12))
                    .collect();
                let _ = Reader::new(&small).typed();
            }
        });
}
