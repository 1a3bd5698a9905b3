//! Keeps secrets out of a recording: their bytes become asterisks, as many as there were.

use crate::action::rules;

/// Keys whose values are secret only on the wire: together with the answer to it, a challenge lets
/// the secret be guessed at leisure; the others are in listings of accounts.
const MORE: [&str; 4] = ["Challenge", "Md5Cred", "OauthSecret", "RefreshToken"];
/// No key that is secret is longer.
const LONGEST: usize = 16;

/// Hides the values of secret headers in one direction of a stream that comes in any pieces.
///
/// ```
/// let mut mask = ami_proto::recording::Mask::default();
/// let mut pieces = [*b"Secret: s3", *b"cret\r\nX: 1"];
/// pieces.iter_mut().for_each(|piece| mask.hide(piece));
/// assert_eq!(pieces.concat(), b"Secret: ******\r\nX: 1");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Mask {
    place: Place,
    /// The line's beginning, up to [`LONGEST`] and one more.
    key: Vec<u8>,
}

/// What the next byte of the stream belongs to.
#[derive(Debug, Clone, Copy, Default)]
enum Place {
    #[default]
    Key,
    /// Behind the colon of a secret key, where a space may be.
    Colon,
    Secret,
    Open,
}

impl Mask {
    /// Hides what is secret in the next piece of the stream; its length stays.
    pub fn hide(&mut self, piece: &mut [u8]) {
        for byte in piece {
            self.place = match (self.place, *byte) {
                (_, b'\n') => {
                    self.key.clear();
                    Place::Key
                }
                (Place::Key, b':') if is_secret(&self.key) => Place::Colon,
                (Place::Open, _) | (Place::Key, b':') => Place::Open,
                (Place::Key, _) if self.key.len() > LONGEST => Place::Open,
                (Place::Key, of_key) => {
                    self.key.push(of_key);
                    Place::Key
                }
                (Place::Colon, b' ') | (Place::Secret, b'\r') => Place::Secret,
                (Place::Colon | Place::Secret, _) => {
                    *byte = b'*';
                    Place::Secret
                }
            };
        }
    }
}

fn is_secret(key: &[u8]) -> bool {
    let Ok(key) = std::str::from_utf8(key.trim_ascii()) else { return false };
    rules::is_secret(key) || MORE.iter().any(|secret| key.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_the_stream_is_cut() {
        let text = b"Action: Login\r\nUsername: u\r\nkey: 93b5 00\r\nSecret:x\r\n\r\n\
            Response: Success\r\nChallenge: 1234\r\n\r\nEvent: X\r\nNote: Secret: no\r\n\
            Password: \r\nA very long key that is no secret: y\r\nKey: at the end";
        let expected = b"Action: Login\r\nUsername: u\r\nkey: *******\r\nSecret:*\r\n\r\n\
            Response: Success\r\nChallenge: ****\r\n\r\nEvent: X\r\nNote: Secret: no\r\n\
            Password: \r\nA very long key that is no secret: y\r\nKey: **********";
        for cut in 0..text.len() {
            let mut masked = text.to_vec();
            let mut mask = Mask::default();
            let (head, tail) = masked.split_at_mut(cut);
            mask.hide(head);
            mask.hide(tail);
            assert_eq!(masked, expected, "cut at {cut}");
        }
    }
}
