//! The Noise protocol (the snow library's) with entropy that is passed in, because core draws none.

use alloc::boxed::Box;
use snow::Builder;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver, FallbackResolver};
use snow::types::{Cipher, Dh, Hash, Random};

/// Returns the beginning of a handshake by a pattern that snow knows. `entropy`: 32 secret random
/// bytes for the one key that this end generates; `None` if it generates none.
///
/// # Panics
/// Panics if snow does not know the pattern.
pub(crate) fn builder(pattern: &str, entropy: Option<[u8; 32]>) -> Builder<'static> {
    let resolver = FallbackResolver::new(Box::new(Given(entropy)), Box::new(DefaultResolver));
    let pattern = pattern.parse().expect("a pattern that snow knows");
    Builder::with_resolver(pattern, Box::new(resolver))
}

/// The entropy that was passed in.
struct Given(Option<[u8; 32]>);

impl CryptoResolver for Given {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(self.0)))
    }
    fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn Dh>> {
        None
    }
    fn resolve_hash(&self, _: &HashChoice) -> Option<Box<dyn Hash>> {
        None
    }
    fn resolve_cipher(&self, _: &CipherChoice) -> Option<Box<dyn Cipher>> {
        None
    }
}

/// Returns its bytes once, so that no two keys are made from them.
struct Once(Option<[u8; 32]>);

impl Random for Once {
    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), snow::Error> {
        match self.0.take() {
            Some(bytes) if bytes.len() == to.len() => {
                to.copy_from_slice(&bytes);
                Ok(())
            }
            _ => Err(snow::Error::Rng),
        }
    }
}
