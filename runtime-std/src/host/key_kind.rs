//! The kind of key that a file holds. A group key, an issuer's secret key and an issuer's public
//! key are 64 hexadecimal digits each, and each would be accepted as any of them. They are told
//! apart by their names, the files beside them, and the licences that were signed.

use crate::exit::{Failure, Outcome};
use crate::host::files;
use crate::host::licences;
use std::path::{Path, PathBuf};
use tmr_core::base::limits::LICENCE_FILE_MAX;
use tmr_core::licence::Issuer;

/// The name that `issue` gives an issuer's public key.
pub(crate) const PUBLIC: &str = "issuer.pub";
/// The name that the manual gives an issuer's secret key.
const SECRET: &str = "issuer.key";
/// The names that the manual gives a group key.
const GROUP: [&str; 2] = ["group.key", "tmr-group.key"];
/// The path of a group key on a machine of the group.
const GROUP_KEY: &str = "/etc/wibu/CodeMeter/tmr-group.key";
/// The most bytes of a key file that is compared.
const KEY_MAX: usize = 1024;

/// The use of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// Fronts and backends prove it to each other.
    Group,
    /// It signs licences.
    Secret,
    /// It verifies licences of a trusted issuer.
    Public,
}

impl KeyKind {
    /// Returns the kind of key in the file at `path` with the content `text`; `None`: it cannot be
    /// determined. `out`: another folder where the issuer's public key may be.
    fn of(path: &Path, text: &str, out: Option<&Path>) -> Option<Self> {
        let content = |other: &Path| {
            let another = other.canonicalize().ok() != path.canonicalize().ok();
            another.then(|| files::text(other, KEY_MAX).ok()).flatten()
        };
        let is = |other: &Path, key: &str| content(other).is_some_and(|it| it.trim() == key.trim());
        let public = Issuer::parse(text).ok().map(|issuer| issuer.public().to_text());
        let publics = [out.map(|out| out.join(PUBLIC)), Some(files::beside(path, PUBLIC))];
        let publics: Vec<PathBuf> = publics.into_iter().flatten().collect();
        if publics.iter().any(|other| public.as_ref().is_some_and(|key| is(other, key))) {
            return Some(Self::Secret);
        }
        if publics.iter().any(|other| is(other, text)) {
            return Some(Self::Public);
        }
        let groups = GROUP.map(|name| files::beside(path, name));
        if groups.iter().any(|other| is(other, text)) || is(Path::new(GROUP_KEY), text) {
            return Some(Self::Group);
        }
        let named = |name: &str| path.file_name().is_some_and(|it| it == name);
        if GROUP.iter().any(|name| named(name)) {
            Some(Self::Group)
        } else if named(SECRET) {
            Some(Self::Secret)
        } else if path.extension().is_some_and(|it| it == "pub") {
            Some(Self::Public)
        } else {
            None
        }
    }

    /// Rejects a file that certainly holds another kind of key.
    ///
    /// # Errors
    /// It does; the message has the kind that was found, and the one that would be right.
    pub(crate) fn expect(self, path: &Path, text: &str, out: Option<&Path>) -> Outcome {
        match Self::of(path, text, out) {
            Some(found) if found != self => Err(self.refused(path, found)),
            _ => Ok(()),
        }
    }

    /// Rejects an issuer's secret key in the place of its public key, if it has signed one of these
    /// licences.
    ///
    /// # Errors
    /// One of the issuers' files is such a key.
    pub(crate) fn expect_public(issuers: &[PathBuf], licences: &[PathBuf]) -> Outcome {
        let licences = licences::files_of(licences);
        let read = |path: &PathBuf| files::plain_bytes(path, LICENCE_FILE_MAX).ok();
        let licences: Vec<Vec<u8>> = licences.iter().filter_map(read).collect();
        for path in issuers {
            let issuer = files::text(path, KEY_MAX).ok().and_then(|it| Issuer::parse(&it).ok());
            let Some(public) = issuer.map(|issuer| issuer.public().to_text()) else { continue };
            // A licence file contains the public key of its issuer.
            let public = public.trim().as_bytes();
            let names_it = |file: &Vec<u8>| file.windows(public.len()).any(|part| part == public);
            if licences.iter().any(names_it) {
                return Err(Self::Public.refused(path, Self::Secret));
            }
        }
        Ok(())
    }

    fn refused(self, path: &Path, found: Self) -> Failure {
        let found = match found {
            Self::Group => "a group key, which fronts and backends prove to each other",
            Self::Secret => {
                "an issuer's secret key, which signs licences and belongs on no machine of the group"
            }
            Self::Public => "an issuer's public key, which backends trust (--issuer)",
        };
        let right = match self {
            Self::Group => "a group key, which `tmrd keygen` makes",
            Self::Secret => "the issuer's secret key, such as issuer.key",
            Self::Public => "the issuer's public key, such as issuer.pub",
        };
        files::wrong(path, format!("this is {found}; right would be {right}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn keys_are_told_apart_by_their_names_and_by_the_files_beside_them() {
        let folder = std::env::temp_dir().join(format!("tmr-key-kind-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let issuer = Issuer::from_secret([7; 32]);
        let (secret, public) = (issuer.to_text(), issuer.public().to_text());
        let group = format!("{}\n", "5a".repeat(32));
        let kind = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            let kind = KeyKind::of(&path, text, None);
            fs::remove_file(&path).unwrap();
            kind
        };
        for (name, found) in [
            ("some", None),
            ("some.key", None),
            ("issuer.key", Some(KeyKind::Secret)),
            ("issuer.pub", Some(KeyKind::Public)),
            ("vendor.pub", Some(KeyKind::Public)),
            ("group.key", Some(KeyKind::Group)),
            ("tmr-group.key", Some(KeyKind::Group)),
        ] {
            assert_eq!(kind(name, &secret), found, "{name}");
        }
        fs::write(folder.join("issuer.pub"), &public).unwrap();
        fs::write(folder.join("group.key"), &group).unwrap();
        // The content has precedence over the name.
        for (name, text, found) in [
            ("some", &secret, Some(KeyKind::Secret)),
            ("some.pub", &secret, Some(KeyKind::Secret)),
            ("some", &public, Some(KeyKind::Public)),
            ("issuer.key", &public, Some(KeyKind::Public)),
            ("some", &group, Some(KeyKind::Group)),
            ("some.pub", &group, Some(KeyKind::Group)),
        ] {
            assert_eq!(kind(name, text), found, "{name}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
