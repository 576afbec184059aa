//! Sealing of secrets, and what is derived from the master key (design.md section 9).
//!
//! A sealed secret is `v1.<key id>.<nonce>.<ciphertext>` (base64url without padding), by XChaCha20-Poly1305 with the
//! connection's id and the field's name as associated data: a row copied to another connection or field does not open.
//! Several master keys may stand side by side: the first seals, all open, so a key is changed without a stop.

use std::fmt;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::{Hmac, Mac};
use secrecy::{
    ExposeSecret, SecretBox, SecretString,
    zeroize::{Zeroize, Zeroizing},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::fault::{Code, Fault};

/// Bytes of a master key. Less is refused: the cipher takes exactly this.
const KEY_BYTES: usize = 32;
/// Bytes of XChaCha20's nonce: long enough to be drawn at random for ever.
const NONCE_BYTES: usize = 24;
/// First part of a sealed text; a new form gets a new one.
const VERSION: &str = "v1";
/// What every API key begins with, so that secret scanners know one.
pub const API_KEY_PREFIX: &str = "ts_";

/// One master key with what is derived from it.
struct Master {
    id: String,
    key: SecretBox<[u8; KEY_BYTES]>,
    api_keys: SecretBox<[u8; KEY_BYTES]>,
    lookups: SecretBox<[u8; KEY_BYTES]>,
}

impl Master {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self {
            id: hex(&Sha256::digest(bytes)).chars().take(8).collect(),
            key: SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| key.copy_from_slice(bytes)),
            api_keys: derive(bytes, b"tradesync api keys v1"),
            lookups: derive(bytes, b"tradesync lookups v1"),
        }
    }
}

/// Seals and opens the secrets of connections, and hashes API keys.
pub struct Sealer {
    first: Master,
    others: Vec<Master>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sealer").field("keys", &self.all().map(|key| key.id.as_str()).collect::<Vec<_>>()).finish()
    }
}

impl Sealer {
    /// Reads `TRADESYNC_MASTER_KEY`: one or several keys of 32 bytes in base64, comma-separated; the first seals.
    pub fn from_text(text: &SecretString) -> Result<Self, Fault> {
        let wrong = |detail: String| Fault::new(Code::ConfigInvalid, format!("TRADESYNC_MASTER_KEY: {detail}"));
        let mut masters = Vec::new();
        for (place, part) in text.expose_secret().split(',').map(str::trim).enumerate() {
            let place = place.saturating_add(1);
            if part.is_empty() {
                return Err(wrong(format!("key {place} is empty; make one with: tradesync seal-key new")));
            }
            let bytes = Zeroizing::new(
                STANDARD
                    .decode(part)
                    .or_else(|_| STANDARD_NO_PAD.decode(part))
                    .or_else(|_| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')))
                    .map_err(|_| wrong(format!("key {place} is not base64; make one with: tradesync seal-key new")))?,
            );
            let sized: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| {
                wrong(format!("key {place} has {} bytes, it needs {KEY_BYTES}; make one with: tradesync seal-key new", bytes.len()))
            })?);
            let master = Master::new(&sized);
            if masters.iter().any(|other: &Master| other.id == master.id) {
                return Err(wrong(format!("key {place} stands twice")));
            }
            masters.push(master);
        }
        let mut masters = masters.into_iter();
        let first = masters.next().ok_or_else(|| wrong("no key".to_owned()))?;
        Ok(Self { first, others: masters.collect() })
    }

    fn all(&self) -> impl Iterator<Item = &Master> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Seals `secret` for one field of one connection.
    pub fn seal(&self, connection: &str, field: &str, secret: &SecretString) -> Result<String, Fault> {
        let mut nonce = [0_u8; NONCE_BYTES];
        rand::fill(&mut nonce);
        let aad = associated(connection, field);
        let sealed = cipher(&self.first)?
            .encrypt(&XNonce::from(nonce), Payload { msg: secret.expose_secret().as_bytes(), aad: &aad })
            .map_err(|_| Fault::internal("a secret could not be sealed"))?;
        Ok(format!("{VERSION}.{}.{}.{}", self.first.id, URL_SAFE_NO_PAD.encode(nonce), URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Opens what [`Sealer::seal`] gave, under any of the keys.
    pub fn open(&self, connection: &str, field: &str, sealed: &str) -> Result<SecretString, Fault> {
        let wrong = |what: &str| {
            Fault::new(Code::ConfigInvalid, format!("the secret `{field}` of connection {connection} cannot be opened: {what}"))
        };
        let mut parts = sealed.split('.');
        let (Some(VERSION), Some(id), Some(nonce), Some(text), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("it is of a form we do not know"));
        };
        let master = self
            .all()
            .find(|master| master.id == id)
            .ok_or_else(|| wrong(&format!("its key `{id}` does not stand in TRADESYNC_MASTER_KEY; put it back, or set the secret anew")))?;
        let nonce: [u8; NONCE_BYTES] =
            URL_SAFE_NO_PAD.decode(nonce).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| wrong("its nonce is damaged"))?;
        let text = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong("its text is damaged"))?;
        let aad = associated(connection, field);
        let mut plain = Zeroizing::new(
            cipher(master)?
                .decrypt(&XNonce::from(nonce), Payload { msg: &text, aad: &aad })
                .map_err(|_| wrong("it was changed, or belongs to another connection or field; set the secret anew"))?,
        );
        match String::from_utf8(std::mem::take(&mut *plain)) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(wrong("it is no text; set the secret anew"))
            }
        }
    }

    /// Whether `sealed` stands under an older key and had better be sealed anew.
    pub fn is_stale(&self, sealed: &str) -> bool {
        sealed.split('.').nth(1) != Some(self.first.id.as_str())
    }

    /// The hash under which a new API key is stored.
    pub fn hash_api_key(&self, key: &SecretString) -> String {
        mac(&self.first.api_keys, key.expose_secret().as_bytes())
    }

    /// The hashes under which an API key may be stored: keys made under an older master key stay valid.
    pub fn api_key_hashes(&self, key: &SecretString) -> Vec<String> {
        self.all().map(|master| mac(&master.api_keys, key.expose_secret().as_bytes())).collect()
    }

    /// Signatures of a text under every master key, that of the first one first: for links that we hand out.
    pub fn signatures(&self, text: &SecretString) -> Vec<String> {
        self.all().map(|master| mac(&master.lookups, text.expose_secret().as_bytes())).collect()
    }

    /// A hash for finding a token (such as a hook's) without storing it in the clear.
    pub fn lookup_hash(&self, token: &SecretString) -> String {
        mac(&self.first.lookups, token.expose_secret().as_bytes())
    }
}

/// A fresh API key: `ts_` and 32 random bytes. Shown once, stored only as its hash.
pub fn fresh_api_key() -> SecretString {
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    rand::fill(bytes.as_mut_slice());
    SecretString::from(format!("{API_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes)))
}

/// A fresh master key in base64, for `tradesync seal-key new`.
pub fn fresh_master_key() -> SecretString {
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    rand::fill(bytes.as_mut_slice());
    SecretString::from(STANDARD.encode(*bytes))
}

/// Whether two secrets are equal, in a time that tells nothing about where they differ or how long they are.
pub fn same(left: &SecretString, right: &SecretString) -> bool {
    let digest = |secret: &SecretString| Sha256::digest(secret.expose_secret().as_bytes());
    bool::from(digest(left).as_slice().ct_eq(digest(right).as_slice()))
}

/// SHA-256 in hex over parts that cannot run into each other: each is preceded by its length.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn associated(connection: &str, field: &str) -> Vec<u8> {
    format!("tradesync secret {VERSION}\0{connection}\0{field}").into_bytes()
}

fn cipher(master: &Master) -> Result<XChaCha20Poly1305, Fault> {
    XChaCha20Poly1305::new_from_slice(master.key.expose_secret()).map_err(|_| Fault::internal("a master key has a wrong length"))
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; KEY_BYTES] {
    // HMAC takes keys of any length; the empty answer cannot happen and would match no stored hash.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; KEY_BYTES], |mut mac| {
        mac.update(text);
        mac.finalize().into_bytes().into()
    })
}

fn derive(master: &[u8; KEY_BYTES], label: &[u8]) -> SecretBox<[u8; KEY_BYTES]> {
    SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| *key = hmac_sha256(master, label))
}

fn mac(key: &SecretBox<[u8; KEY_BYTES]>, text: &[u8]) -> String {
    hex(&hmac_sha256(key.expose_secret(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(keys: &[&SecretString]) -> Sealer {
        let text = keys.iter().map(|key| key.expose_secret()).collect::<Vec<_>>().join(", ");
        Sealer::from_text(&SecretString::from(text)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_own_field_only() {
        let sealer = sealer(&[&fresh_master_key()]);
        let sealed = sealer.seal("c1", "secret", &SecretString::from("пароль 🔑")).unwrap();
        assert!(sealed.starts_with("v1.") && sealed.split('.').count() == 4 && !sealed.contains('='));
        assert_eq!(sealer.open("c1", "secret", &sealed).unwrap().expose_secret(), "пароль 🔑");
        assert!(sealer.open("c2", "secret", &sealed).is_err());
        assert!(sealer.open("c1", "username", &sealed).is_err());
        assert_ne!(sealed, sealer.seal("c1", "secret", &SecretString::from("пароль 🔑")).unwrap());
    }

    #[test]
    fn a_damaged_secret_never_opens_and_never_panics() {
        let sealer = sealer(&[&fresh_master_key()]);
        let sealed = sealer.seal("c", "f", &SecretString::from("value")).unwrap();
        for end in 0..sealed.len() {
            assert!(sealer.open("c", "f", &sealed[..end]).is_err());
        }
        for text in ["", "....", "v1.a.b.c", "v2.0.0.0", "v1...", "💥"] {
            assert!(sealer.open("c", "f", text).is_err());
        }
    }

    #[test]
    fn keys_change_without_a_stop() {
        let (old, new) = (fresh_master_key(), fresh_master_key());
        let before = sealer(&[&old]);
        let sealed = before.seal("c", "f", &SecretString::from("value")).unwrap();
        let both = sealer(&[&new, &old]);
        assert_eq!(both.open("c", "f", &sealed).unwrap().expose_secret(), "value");
        assert!(both.is_stale(&sealed) && !before.is_stale(&sealed));
        let key = fresh_api_key();
        assert!(both.api_key_hashes(&key).contains(&before.hash_api_key(&key)));
        let gone = sealer(&[&new]).open("c", "f", &sealed).unwrap_err();
        assert!(gone.detail.contains("TRADESYNC_MASTER_KEY"), "{gone}");
    }

    #[test]
    fn a_wrong_master_key_says_what_is_wrong_and_does_not_show_it() {
        for (text, says) in [("", "empty"), ("not base64!", "not base64"), ("c2hvcnQ=", "5 bytes")] {
            let fault = Sealer::from_text(&SecretString::from(text)).unwrap_err();
            assert!(fault.detail.contains(says) && fault.detail.contains("seal-key new"), "{fault}");
        }
        let key = fresh_master_key();
        let twice = SecretString::from(format!("{0},{0}", key.expose_secret()));
        let fault = Sealer::from_text(&twice).unwrap_err();
        assert!(fault.detail.contains("twice") && !fault.detail.contains(key.expose_secret()));
        assert!(!format!("{:?}", sealer(&[&key])).contains(key.expose_secret()));
    }

    #[test]
    fn api_keys_are_long_and_compared_whole() {
        let key = fresh_api_key();
        assert!(key.expose_secret().starts_with(API_KEY_PREFIX) && key.expose_secret().len() == 46);
        assert!(same(&key, &key.clone()) && !same(&key, &fresh_api_key()));
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
    }
}
