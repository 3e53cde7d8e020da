//! Nothing of one backend's identity reaches a client: no serial of a container, no address and no
//! name of a machine behind the fronts. What clients see is the virtual container.

/// Bytes that no reply may contain.
#[derive(Debug)]
struct Secret {
    what: String,
    bytes: Vec<u8>,
    /// They are searched at multiples of this offset.
    step: usize,
}

/// Everything that no reply may contain.
#[derive(Debug, Default)]
pub struct Identity {
    secrets: Vec<Secret>,
}

impl Identity {
    /// Registers bytes that only a backend has.
    pub fn keeps(&mut self, what: String, bytes: Vec<u8>) {
        self.secrets.push(Secret { what, bytes, step: 1 });
    }

    /// Registers a number that only a backend has. No structure has numbers at odd offsets, where
    /// three random bytes of an alias and the zero after them would equal a serial too often.
    pub fn keeps_number(&mut self, what: String, number: u32) {
        self.secrets.push(Secret { what, bytes: number.to_le_bytes().to_vec(), step: 2 });
    }

    /// Checks a reply to a client.
    ///
    /// # Errors
    /// It holds something of a backend.
    pub fn told(&self, reply: &[u8]) -> Result<(), String> {
        for Secret { what, bytes, step } in &self.secrets {
            let mut places = reply.windows(bytes.len()).enumerate().step_by(*step);
            if let Some((at, _)) = places.find(|(_, window)| window == bytes) {
                let around = &reply[at.saturating_sub(8)..reply.len().min(at + bytes.len() + 8)];
                return Err(format!(
                    "a client is told {what}, at byte {at} of a reply of {}: {around:02x?}",
                    reply.len()
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_reply_with_a_serial_in_it_is_found() {
        let mut identity = Identity::default();
        identity.keeps_number("a serial".to_owned(), 1_234_567);
        identity.keeps("a name".to_owned(), b"backend-2".to_vec());
        assert_eq!(identity.told(&[0; 64]), Ok(()));
        for (before, found) in [(8, true), (9, false), (10, true)] {
            let reply = [vec![7; before], 1_234_567_u32.to_le_bytes().to_vec()].concat();
            assert_eq!(identity.told(&reply).is_err(), found, "at {before}");
        }
        assert!(identity.told(b"served by backend-2 today").is_err());
        assert_eq!(identity.told(b"backend-"), Ok(()));
    }
}
