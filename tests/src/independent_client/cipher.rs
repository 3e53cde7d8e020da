//! Key agreement and message protection: protocol facts 2.1 to 2.3 (known).

use super::Fault;
use aes::Aes128;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use p224::elliptic_curve::sec1::ToEncodedPoint;
use p224::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};

/// An ephemeral key pair on P-224.
#[derive(Clone)]
pub struct KeyPair(SecretKey);

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

impl KeyPair {
    /// Makes a key pair from the system's entropy.
    ///
    /// # Errors
    /// `/dev/urandom` could not be read.
    pub fn fresh() -> io::Result<Self> {
        let mut entropy = File::open("/dev/urandom")?;
        loop {
            let mut scalar = [0; 28];
            entropy.read_exact(&mut scalar)?;
            // A scalar of zero, or one above the group order, is no private key, so the loop draws
            // again.
            if let Some(pair) = Self::from_scalar(&scalar) {
                return Ok(pair);
            }
        }
    }

    /// Makes a key pair from a private scalar, big endian. Returns `None` if the scalar is zero or
    /// above the group order.
    #[must_use]
    pub fn from_scalar(scalar: &[u8; 28]) -> Option<Self> {
        SecretKey::from_slice(scalar).ok().map(Self)
    }

    /// Returns the public point: 0x04, X, Y.
    #[must_use]
    pub fn point(&self) -> [u8; 57] {
        let point = self.0.public_key().to_encoded_point(false);
        point.as_bytes().try_into().expect("an uncompressed point of P-224 has 57 bytes")
    }

    /// Derives the keys of a connection from this pair and the peer's point.
    ///
    /// # Errors
    /// The point is not on the curve.
    pub fn agree(&self, peer: &[u8]) -> Result<Key, Fault> {
        let peer = PublicKey::from_sec1_bytes(peer)
            .map_err(|_| Fault::Malformed("the server's point is not on the curve"))?;
        let shared = p224::ecdh::diffie_hellman(self.0.to_nonzero_scalar(), peer.as_affine());
        let mut digest = Sha256::new();
        digest.update(shared.raw_secret_bytes());
        digest.update([0, 0, 0, 1]);
        let digest: [u8; 32] = digest.finalize().into();
        let (key, iv) = digest.split_at(16);
        let half = |half: &[u8]| half.try_into().expect("half of 32 bytes");
        Ok(Key { key: half(key), iv: half(iv) })
    }
}

/// AES-128 key and initial vector of one connection, for both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub key: [u8; 16],
    /// The initial vector; the encryption of each message starts with it.
    pub iv: [u8; 16],
}

impl Key {
    /// Returns the ciphertext of `data` with padding, length and check.
    #[must_use]
    pub fn protect(&self, data: &[u8]) -> Vec<u8> {
        self.encrypt(&Self::plain(data))
    }

    /// Returns `data` with padding, length and check, unencrypted, so that a test can spoil a
    /// field.
    #[must_use]
    pub fn plain(data: &[u8]) -> Vec<u8> {
        let total = (data.len() + 24).div_ceil(16) * 16;
        let mut plain = data.to_vec();
        plain.resize(total - 8, 0);
        let length = u32::try_from(data.len()).expect("test data is small");
        plain.extend_from_slice(&length.to_le_bytes());
        Self::seal_check(&mut plain);
        plain
    }

    /// Appends the check over all of `plain`.
    pub fn seal_check(plain: &mut Vec<u8>) {
        let check = crc32fast::hash(plain);
        plain.extend_from_slice(&check.to_le_bytes());
    }

    /// Encrypts whole blocks and swaps the last two blocks.
    #[must_use]
    pub fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let mut cipher = cbc::Encryptor::<Aes128>::new(&self.key.into(), &self.iv.into());
        let mut blocks = plain.to_vec();
        for block in blocks.chunks_exact_mut(16) {
            cipher.encrypt_block_mut(block.into());
        }
        swap_tail(&mut blocks);
        blocks
    }

    /// Returns the data of a protected message.
    ///
    /// # Errors
    /// The ciphertext is not a number of whole blocks, or the length field or the check is wrong.
    pub fn open(&self, cipher: &[u8]) -> Result<Vec<u8>, Fault> {
        if cipher.len() < 32 || cipher.len() % 16 != 0 {
            return Err(Fault::Malformed("ciphertext is not at least two whole blocks"));
        }
        let mut plain = cipher.to_vec();
        swap_tail(&mut plain);
        let mut decryptor = cbc::Decryptor::<Aes128>::new(&self.key.into(), &self.iv.into());
        for block in plain.chunks_exact_mut(16) {
            decryptor.decrypt_block_mut(block.into());
        }
        let word = |at: usize| {
            u32::from_le_bytes(plain[at..at + 4].try_into().expect("four bytes of the tail"))
        };
        let total = plain.len();
        if word(total - 4) != crc32fast::hash(&plain[..total - 4]) {
            return Err(Fault::Malformed("the check of the reply is wrong"));
        }
        let length = word(total - 8) as usize;
        if length > total - 8 {
            return Err(Fault::Malformed("the length of the reply is wrong"));
        }
        plain.truncate(length);
        Ok(plain)
    }
}

/// Swaps the last two blocks; a second swap restores the original order.
fn swap_tail(blocks: &mut [u8]) {
    let total = blocks.len();
    if let Some((front, last)) = blocks.split_at_mut_checked(total.wrapping_sub(16)) {
        let at = front.len() - 16;
        front[at..].swap_with_slice(last);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// The values are those of protocol facts 2.5.
    #[test]
    fn the_documented_vector_comes_out() {
        let scalar = |hex: &str| -> [u8; 28] { hex::decode(hex).unwrap().try_into().unwrap() };
        let client = KeyPair::from_scalar(&scalar(
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c",
        ))
        .unwrap();
        let server = hex::decode(
            "0431cd16fae67464ce88bbf0739ed7813a1c35322a5a77a5b98da257663825df4d4f032d92c22f6b5b04c8\
             40e2b2caf8446f034d47466b0bc9",
        )
        .unwrap();
        assert_eq!(
            hex::encode(client.point()),
            "04627b7c0b3a2fb7a478ac5670e9973194a5fda0bc0791b07506a73ddd99113b3fdea71bbff9921330d9ce\
             980155eebd620c46be927c214543"
        );
        let key = client.agree(&server).unwrap();
        assert_eq!(hex::encode(key.key), "ac6ffe3fa217729d02194188c5ea0f05");
        assert_eq!(hex::encode(key.iv), "4f7e178d62c60fc8149471780a9b51dc");
        let data = hex::decode("2300000010001229").unwrap();
        assert_eq!(
            hex::encode(Key::plain(&data)),
            "230000001000122900000000000000000000000000000000080000004da889a4"
        );
        let cipher = "bc8d3b01be4a7505a2a6c6daaf7cf286ef934eda925d740681a8905dc7673524";
        assert_eq!(hex::encode(key.protect(&data)), cipher);
        let reply = hex::decode("e818b287b001ab1270a23cb0b29388b8042635c7f07d8f74973d35b0c73b033a");
        assert_eq!(hex::encode(key.open(&reply.unwrap()).unwrap()), "0000000010001229");
        assert_eq!(
            hex::encode(key.protect(&hex::decode("21000000100012290b00000010000000").unwrap())),
            "f0442fe9e8b2269e35a14c1c5309b8756e8c265827f9a33b94470d5431dbf606eb8c3b100ae264d370647b\
             cba90a27ed"
        );
    }

    #[test]
    fn a_changed_message_does_not_open() {
        let key = Key { key: [7; 16], iv: [9; 16] };
        let mut cipher = key.protect(b"some data of a call");
        cipher[20] ^= 1;
        assert!(matches!(key.open(&cipher), Err(Fault::Malformed(_))));
    }
}
