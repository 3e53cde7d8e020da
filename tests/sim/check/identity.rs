//! Nothing of one backend's identity reaches a client: no serial of a container, no address and no
//! name of a machine behind the fronts. What clients see is the virtual container.

/// What no reply may hold: what it is, and its bytes.
#[derive(Debug, Default)]
pub struct Identity {
    secrets: Vec<(String, Vec<u8>)>,
}

impl Identity {
    /// Something that is a backend's alone.
    pub fn keeps(&mut self, what: String, bytes: Vec<u8>) {
        self.secrets.push((what, bytes));
    }

    /// A client is told this.
    ///
    /// # Errors
    /// It holds something of a backend.
    pub fn told(&self, reply: &[u8]) -> Result<(), String> {
        for (what, bytes) in &self.secrets {
            if let Some(at) = reply.windows(bytes.len()).position(|window| window == bytes) {
                return Err(format!("a client is told {what}, at byte {at} of a reply"));
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
        identity.keeps("a serial".to_owned(), 1_234_567_u32.to_le_bytes().to_vec());
        identity.keeps("a name".to_owned(), b"backend-2".to_vec());
        assert_eq!(identity.told(&[0; 64]), Ok(()));
        assert!(
            identity.told(&[&[7; 9], 1_234_567_u32.to_le_bytes().as_slice()].concat()).is_err()
        );
        assert!(identity.told(b"served by backend-2 today").is_err());
        assert_eq!(identity.told(b"backend-"), Ok(()));
    }
}
