//! PRELOGIN: versions, whether to encrypt, whether a token will come.

use std::collections::BTreeMap;

const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;
const THREAD: u8 = 3;
const MARS: u8 = 4;
const FEDAUTH_REQUIRED: u8 = 6;
const NONCE: u8 = 7;
const END: u8 = 0xFF;

const NOT_SUPPORTED: u8 = 2;
const ON: u8 = 1;
const REQUIRED: u8 = 3;

/// What the client said that matters.
pub struct Prelogin {
    encryption: u8,
    fedauth: Option<u8>,
    nonce: bool,
}

impl Prelogin {
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut options: BTreeMap<u8, &[u8]> = BTreeMap::new();
        for entry in body.chunks(5) {
            if entry[0] == END {
                break;
            }
            let [token, offset_high, offset_low, length_high, length_low] = *entry else {
                return None;
            };
            let offset = usize::from(u16::from_be_bytes([offset_high, offset_low]));
            let length = usize::from(u16::from_be_bytes([length_high, length_low]));
            options.insert(token, body.get(offset..offset + length)?);
        }
        let first = |token: u8| options.get(&token).and_then(|value| value.first()).copied();
        Some(Self {
            encryption: first(ENCRYPTION).unwrap_or(NOT_SUPPORTED),
            fedauth: first(FEDAUTH_REQUIRED),
            nonce: options.contains_key(&NONCE),
        })
    }

    /// The service speaks to nobody who cannot encrypt.
    pub fn can_encrypt(&self) -> bool {
        self.encryption != NOT_SUPPORTED
    }

    /// The answer. Encryption is on from the login to the end, whatever was asked for.
    pub fn answer(&self, nonce: [u8; 32]) -> Vec<u8> {
        let encryption = match self.encryption {
            ON | REQUIRED => ON,
            _ => REQUIRED,
        };
        let mut options: Vec<(u8, Vec<u8>)> = vec![
            (VERSION, vec![12, 0, 0x07, 0xD0, 0, 0]),
            (ENCRYPTION, vec![encryption]),
            (INSTANCE, vec![0]),
            (THREAD, Vec::new()),
            (MARS, vec![0]),
        ];
        if let Some(fedauth) = self.fedauth {
            options.push((FEDAUTH_REQUIRED, vec![fedauth]));
        }
        if self.nonce {
            options.push((NONCE, nonce.to_vec()));
        }
        let mut offset = options.len() * 5 + 1;
        let mut head = Vec::new();
        let mut data = Vec::new();
        for (token, value) in options {
            head.push(token);
            head.extend_from_slice(&(offset as u16).to_be_bytes());
            head.extend_from_slice(&(value.len() as u16).to_be_bytes());
            offset += value.len();
            data.extend_from_slice(&value);
        }
        head.push(END);
        head.extend_from_slice(&data);
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_can_be_read_back() {
        let client = Prelogin {
            encryption: 0,
            fedauth: Some(1),
            nonce: false,
        };
        let answer = Prelogin::parse(&client.answer([0; 32])).unwrap();
        assert_eq!((answer.encryption, answer.fedauth), (REQUIRED, Some(1)));
    }

    #[test]
    fn an_offset_past_the_end_is_refused() {
        assert!(Prelogin::parse(&[0, 0, 200, 0, 6, END]).is_none());
    }
}
