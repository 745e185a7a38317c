// SPDX-License-Identifier: MPL-2.0
//! How a TURN server is shown who asks: by user name and password (RFC 8489 §9.2), or by an access
//! token that another server has given out (RFC 7635).
use crate::server::{Login, Secret};
use aws_lc_rs::hmac;
use stun_proto::auth::{LongTermClientAuth, LongTermClientValidation};
use stun_proto::types::attribute::{
    AttributeStaticType, AttributeType, ErrorCode, MessageIntegrity, Nonce, Realm, Username,
};
use stun_proto::types::message::{
    IntegrityAlgorithm, LongTermCredentials, Message, MessageClass, MessageWrite, MessageWriteExt,
    MessageWriteVec, StunWriteError,
};

/// RFC 7635 §6.1: the name of the server, in its challenge.
const THIRD_PARTY_AUTHORIZATION: AttributeType = AttributeType::new(0x802e);
/// RFC 7635 §6.2.
const ACCESS_TOKEN: u16 = 0x001b;
/// Attribute header and HMAC-SHA1 (RFC 8489 §14.5).
const INTEGRITY_LEN: usize = 24;
const HEADER: usize = 20;
/// What coturn takes of a key, whose `mac_key` ought to have 160 bits (RFC 7635 §9): the first 128.
const CUT_KEY: usize = 16;
/// Longest server name that is passed on.
const MAX_NAME: usize = 255;

/// What a response is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send the request anew, with what the server asks for.
    Resend,
    /// It is the server's.
    Trusted,
    /// It is not signed, or not with our key.
    Untrusted,
}

#[derive(Debug)]
enum Scheme {
    Password(LongTermClientAuth),
    Token(Token),
}

/// Signs requests and looks at the signatures of responses.
#[derive(Debug)]
pub(super) struct Auth {
    scheme: Scheme,
    authority: Option<String>,
}

impl Auth {
    pub(super) fn new(login: &Login) -> Self {
        let scheme = match &login.secret {
            Secret::Password(password) => {
                let mut auth = LongTermClientAuth::new();
                auth.set_credentials(LongTermCredentials::new(
                    login.username.clone(),
                    password.clone(),
                ));
                auth.add_supported_integrity(IntegrityAlgorithm::Sha256);
                Scheme::Password(auth)
            }
            Secret::Token { token, mac_key } => Scheme::Token(Token {
                key_id: login.username.clone(),
                token: token.clone(),
                mac_key: mac_key.clone(),
                challenge: None,
            }),
        };
        Self {
            scheme,
            authority: None,
        }
    }

    /// The name under which an authorization server knows the TURN server, if that takes tokens.
    pub(super) fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The message as it is sent, signed as far as realm and nonce are known.
    pub(super) fn sign(&mut self, message: MessageWriteVec) -> Result<Vec<u8>, StunWriteError> {
        match &mut self.scheme {
            Scheme::Password(auth) => Ok(auth.sign_outgoing_message(message)?.finish()),
            Scheme::Token(token) => token.sign(message),
        }
    }

    pub(super) fn judge(&mut self, message: &Message<'_>) -> Verdict {
        self.note_authority(message);
        match &mut self.scheme {
            Scheme::Password(auth) => match auth.validate_incoming_message(message) {
                Ok(LongTermClientValidation::ResendRequest(_)) => Verdict::Resend,
                Ok(LongTermClientValidation::Validated(_)) => Verdict::Trusted,
                Err(_) => Verdict::Untrusted,
            },
            Scheme::Token(token) => token.judge(message),
        }
    }

    fn note_authority(&mut self, message: &Message<'_>) {
        let Some(attribute) = message.raw_attribute(THIRD_PARTY_AUTHORIZATION) else {
            return;
        };
        let name = std::str::from_utf8(&attribute.value).ok();
        if let Some(name) = name.filter(|name| (1..=MAX_NAME).contains(&name.len())) {
            self.authority = Some(name.to_owned());
        }
    }
}

/// An access token and the key that it speaks for.
struct Token {
    /// Names the key by which the server opens the token.
    key_id: String,
    token: Vec<u8>,
    mac_key: Vec<u8>,
    challenge: Option<Challenge>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    nonce: String,
}

impl Token {
    fn sign(&self, mut message: MessageWriteVec) -> Result<Vec<u8>, StunWriteError> {
        let Some(challenge) = &self.challenge else {
            return Ok(message.finish());
        };
        message.add_attribute(&Nonce::new(&challenge.nonce)?)?;
        message.add_attribute(&Realm::new(&challenge.realm)?)?;
        message.add_attribute(&Username::new(&self.key_id)?)?;
        let mut bytes = message.finish();
        push(&mut bytes, ACCESS_TOKEN, &self.token);
        set_length(&mut bytes, INTEGRITY_LEN);
        let tag = hmac::sign(&self.key(), &bytes);
        push(&mut bytes, MessageIntegrity::TYPE.value(), tag.as_ref());
        Ok(bytes)
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.mac_key)
    }

    fn judge(&mut self, message: &Message<'_>) -> Verdict {
        let is_signed = self.is_signed(message);
        let code = message.attribute::<ErrorCode>().map(|error| error.code());
        match (message.has_class(MessageClass::Error), code) {
            (true, Ok(code @ ErrorCode::STALE_NONCE)) => self.take_challenge(code, message),
            (true, Ok(code @ ErrorCode::UNAUTHORIZED)) if !is_signed => {
                self.take_challenge(code, message)
            }
            _ if is_signed => Verdict::Trusted,
            _ => Verdict::Untrusted,
        }
    }

    /// A new realm or nonce is worth another try, and so is the key as coturn (4.6 to 4.7) takes it.
    fn take_challenge(&mut self, code: u16, message: &Message<'_>) -> Verdict {
        let (Ok(realm), Ok(nonce)) = (message.attribute::<Realm>(), message.attribute::<Nonce>())
        else {
            return Verdict::Untrusted;
        };
        if code == ErrorCode::UNAUTHORIZED && self.challenge.is_some() {
            if self.mac_key.len() <= CUT_KEY {
                return Verdict::Untrusted;
            }
            self.mac_key.truncate(CUT_KEY);
        }
        self.challenge = Some(Challenge {
            realm: realm.realm().to_owned(),
            nonce: nonce.nonce().to_owned(),
        });
        Verdict::Resend
    }

    fn is_signed(&self, message: &Message<'_>) -> bool {
        let Some((at, tag)) = message.raw_attribute_and_offset(MessageIntegrity::TYPE) else {
            return false;
        };
        let Some(signed) = message.as_bytes().get(..at) else {
            return false;
        };
        let mut signed = signed.to_vec();
        set_length(&mut signed, INTEGRITY_LEN);
        hmac::verify(&self.key(), &signed, &tag.value).is_ok()
    }
}

impl std::fmt::Debug for Token {
    /// Without token and key, which have no business in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("key_id", &self.key_id)
            .field("challenge", &self.challenge)
            .finish_non_exhaustive()
    }
}

/// Appends an attribute, padded (RFC 8489 §14), and writes the new length.
fn push(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // Tokens are below 64 KiB: `Login::with_token` sees to it.
    let len = value.len() as u16;
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&len.to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
    set_length(message, 0);
}

/// Writes the length of a message that `more` bytes will follow.
fn set_length(message: &mut [u8], more: usize) {
    let len = (message.len() + more).saturating_sub(HEADER) as u16;
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stun_proto::types::message::BINDING;

    const KEY: &[u8] = &[0xf5; 20];

    fn auth(mac_key: &[u8]) -> Auth {
        Auth::new(&Login::with_token("kid", &[7; 61], mac_key).unwrap())
    }

    fn request(auth: &mut Auth) -> Vec<u8> {
        auth.sign(Message::builder_request(BINDING, MessageWriteVec::new()))
            .unwrap()
    }

    fn challenge(request: &[u8], code: u16, nonce: &str) -> Vec<u8> {
        let request = Message::from_bytes(request).unwrap();
        let mut reply = Message::builder_error(&request, MessageWriteVec::new());
        reply
            .add_attribute(&ErrorCode::builder(code).build().unwrap())
            .unwrap();
        reply
            .add_attribute(&Realm::new("lab.example").unwrap())
            .unwrap();
        reply.add_attribute(&Nonce::new(nonce).unwrap()).unwrap();
        let mut bytes = reply.finish();
        push(
            &mut bytes,
            THIRD_PARTY_AUTHORIZATION.value(),
            b"turn.lab.example",
        );
        bytes
    }

    fn judge(auth: &mut Auth, bytes: &[u8]) -> Verdict {
        auth.judge(&Message::from_bytes(bytes).unwrap())
    }

    #[test]
    fn a_token_goes_with_the_second_request_and_its_key_signs() {
        let (mut auth, mut stranger) = (auth(KEY), auth(&[1; 20]));
        let first = request(&mut auth);
        assert_eq!(first.len(), HEADER);
        assert_eq!(
            judge(&mut auth, &challenge(&first, 401, "n1")),
            Verdict::Resend
        );
        assert_eq!(auth.authority(), Some("turn.lab.example"));
        let second = request(&mut auth);
        let message = Message::from_bytes(&second).unwrap();
        assert_eq!(message.attribute::<Username>().unwrap().username(), "kid");
        let token = message
            .raw_attribute(AttributeType::new(ACCESS_TOKEN))
            .unwrap();
        assert_eq!(&*token.value, [7; 61]);
        // The signature is the last of it.
        let at = second.len() - INTEGRITY_LEN;
        assert_eq!(
            message
                .raw_attribute_and_offset(MessageIntegrity::TYPE)
                .unwrap()
                .0,
            at
        );
        // The peer has the same key: what it signs is trusted, what another signs is not.
        assert_eq!(judge(&mut auth, &second), Verdict::Trusted);
        assert_eq!(judge(&mut stranger, &second), Verdict::Untrusted);
    }

    #[test]
    fn a_refused_token_is_not_tried_again_but_a_stale_nonce_is() {
        let mut auth = auth(KEY);
        let first = request(&mut auth);
        assert_eq!(
            judge(&mut auth, &challenge(&first, 401, "n1")),
            Verdict::Resend
        );
        assert_eq!(
            judge(&mut auth, &challenge(&first, 438, "n2")),
            Verdict::Resend
        );
        // Once more, with the key cut.
        assert_eq!(
            judge(&mut auth, &challenge(&first, 401, "n2")),
            Verdict::Resend
        );
        assert_eq!(
            judge(&mut auth, &challenge(&first, 401, "n3")),
            Verdict::Untrusted
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?}", auth(KEY));
        assert!(!shown.contains("245") && !shown.contains("7, 7"), "{shown}");
    }
}
