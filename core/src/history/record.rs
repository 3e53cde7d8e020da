//! One record, and its JSON line, which is the form in files, in memory, and between fronts. Later
//! versions may add fields; a reader ignores unknown ones.

use super::{Malformed, Mark};
use crate::base::limits::HISTORY_LINE;
use crate::base::rfc3339;
use crate::base::time::Wall;
use crate::log::{Client, ContainerId, Grant, Handle, HandleScope, LicenceKey, Mode};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// The kind of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A licence is in use from now on.
    Access,
    /// The user has given the licence back. Its seat may linger.
    Release,
    /// The licence was taken back: its user was silent for too long, went away before it was told
    /// of it, or an operator took it back.
    Expire,
    /// The linger time of a seat that was given back is over.
    Lingered,
    /// An access was refused.
    Denied,
    /// The group was born: records before this one belong to another group.
    Started,
    /// A front begins to lead.
    Leads,
    /// The events between the record before and this one are not known.
    Gap,
    /// Lines that could not be written here before this one; the other front may have them.
    Lost,
    /// An event that a later version records.
    #[default]
    #[serde(other)]
    Other,
}

/// One record. Fields that do not belong to its kind are empty, and not in its line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The place; that of [`Kind::Lost`] is empty.
    #[serde(skip_serializing_if = "is_empty")]
    pub id: Mark,
    /// The time, by the clock of the front that led, or of the front that took over if the former
    /// had not sent the record.
    #[serde(serialize_with = "as_text", deserialize_with = "of_text")]
    pub time: Wall,
    /// The kind.
    pub kind: Kind,
    /// Of a refusal: the error in the client's answer.
    #[serde(skip_serializing_if = "is_empty")]
    pub error: u32,
    /// Firm Code.
    #[serde(skip_serializing_if = "is_empty")]
    pub firm_code: u32,
    /// Product Code.
    #[serde(skip_serializing_if = "is_empty")]
    pub product_code: u32,
    /// TMR-Id; 0: no such licence is known.
    #[serde(skip_serializing_if = "is_empty")]
    pub tmr_id: u32,
    /// Product text.
    #[serde(skip_serializing_if = "is_empty")]
    pub product: String,
    /// The serial of its virtual container (mask 131).
    #[serde(skip_serializing_if = "is_empty")]
    pub serial: u32,
    /// Feature bits.
    #[serde(skip_serializing_if = "is_empty")]
    pub feature_map: u32,
    /// The time from which the licence cannot be used.
    #[serde(
        skip_serializing_if = "is_empty",
        serialize_with = "as_optional_text",
        deserialize_with = "of_optional_text"
    )]
    pub expires: Option<Wall>,
    /// The licence's seats.
    #[serde(skip_serializing_if = "is_empty")]
    pub quantity: u32,
    /// Seats in use after this.
    #[serde(skip_serializing_if = "is_empty")]
    pub used: u32,
    /// The handle.
    #[serde(skip_serializing_if = "is_empty")]
    pub handle: u32,
    /// The mode of the access.
    #[serde(
        skip_serializing_if = "is_empty",
        serialize_with = "as_name",
        deserialize_with = "of_name"
    )]
    pub mode: Option<Mode>,
    /// Seats that the access takes or asked for.
    #[serde(skip_serializing_if = "is_empty")]
    pub take: u32,
    /// Of an access: the client's session, which is part of its station.
    #[serde(skip_serializing_if = "is_empty")]
    pub session: u32,
    /// Of an access: seconds for which its seat will linger.
    #[serde(skip_serializing_if = "is_empty")]
    pub linger: u32,
    /// Of an end: the time of the grant.
    #[serde(
        skip_serializing_if = "is_empty",
        serialize_with = "as_optional_text",
        deserialize_with = "of_optional_text"
    )]
    pub since: Option<Wall>,
    /// The address of the client's connection; of [`Kind::Started`] and [`Kind::Leads`]: the
    /// address at which clients reach the front.
    #[serde(skip_serializing_if = "is_empty")]
    pub address: Option<IpAddr>,
    /// The client's host name; of [`Kind::Started`] and [`Kind::Leads`]: the front's.
    #[serde(skip_serializing_if = "is_empty")]
    pub host: String,
    /// The client's user.
    #[serde(skip_serializing_if = "is_empty")]
    pub user: String,
    /// Free number of the client's program.
    #[serde(skip_serializing_if = "is_empty")]
    pub app_id: u32,
    /// Free text of the client's program.
    #[serde(skip_serializing_if = "is_empty")]
    pub app_text: String,
    /// Of [`Kind::Lost`]: the number of lines. Of [`Kind::Denied`]: the number of accesses that
    /// this line stands for, if it is not one.
    #[serde(skip_serializing_if = "is_empty")]
    pub count: u64,
}

impl Record {
    /// Returns the record of a handle that begins or ends.
    #[must_use]
    pub fn of_grant(kind: Kind, grant: &Grant) -> Self {
        let client = &grant.client;
        let mut record = Self {
            kind,
            quantity: grant.quantity,
            handle: grant.handle.0,
            mode: Some(grant.mode),
            take: grant.take,
            session: client.session,
            linger: grant.linger_seconds,
            since: (kind != Kind::Access).then_some(grant.since),
            address: Some(client.address),
            host: client.host.clone(),
            user: client.user.clone(),
            app_id: client.user_defined_id,
            app_text: client.text.clone(),
            ..Self::default()
        };
        if let Some(key) = grant.held.licence() {
            record.name(key);
        }
        record
    }

    /// Returns the grant of an access, with the fields that matter for who holds what.
    #[must_use]
    pub fn grant(&self, container: ContainerId) -> Option<Grant> {
        let (firm_code, product_code, tmr_id) = (self.firm_code, self.product_code, self.tmr_id);
        let client = Client {
            address: self.address?,
            host: self.host.clone(),
            user: self.user.clone(),
            domain: String::new(),
            text: self.app_text.clone(),
            user_defined_id: self.app_id,
            pid: 0,
            session: self.session,
        };
        Some(Grant {
            handle: Handle(self.handle),
            held: HandleScope::Licence(LicenceKey { container, firm_code, product_code, tmr_id }),
            fingerprint: 0,
            // The grant was valid, independent of the licence's present quantity.
            quantity: u32::MAX,
            take: self.take,
            mode: self.mode?,
            client,
            since: self.time,
            cleanup_seconds: 0,
            linger_seconds: self.linger,
            starts_usage: false,
        })
    }

    /// Sets the licence that the record concerns.
    pub fn name(&mut self, key: &LicenceKey) {
        (self.firm_code, self.product_code, self.tmr_id) =
            (key.firm_code, key.product_code, key.tmr_id);
    }

    /// Returns the record's line, with the line feed.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("a record in memory is always written");
        line.push(b'\n');
        line
    }

    /// Reads a record from a line, with or without the line feed.
    ///
    /// # Errors
    /// Returns [`Malformed`] for bytes that are no record, are cut off, or are too long.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        if line.len() > HISTORY_LINE {
            return Err(Malformed);
        }
        serde_json::from_slice(line).map_err(|_| Malformed)
    }

    /// Returns the number of refused accesses.
    #[must_use]
    pub fn refused(&self) -> u64 {
        if self.kind == Kind::Denied { self.count.max(1) } else { 0 }
    }

    /// Returns the number of seats that the access takes while it lasts.
    #[must_use]
    pub fn takes(&self) -> u32 {
        match self.mode {
            Some(Mode::UserLimit | Mode::Exclusive) => self.take,
            Some(Mode::StationShare) => 1,
            Some(Mode::NoUserLimit) | None => 0,
        }
    }
}

fn is_empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn as_text<S: Serializer>(time: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339::format(*time))
}

fn of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Wall, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    rfc3339::parse(&text).map_err(D::Error::custom)
}

#[expect(clippy::ref_option, reason = "serde says how it is called")]
fn as_optional_text<S: Serializer>(time: &Option<Wall>, serializer: S) -> Result<S::Ok, S::Error> {
    as_text(&time.unwrap_or_default(), serializer)
}

fn of_optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Wall>, D::Error> {
    of_text(deserializer).map(Some)
}

#[expect(clippy::ref_option, reason = "serde says how it is called")]
fn as_name<S: Serializer>(mode: &Option<Mode>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mode.map_or("", Mode::name))
}

fn of_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Mode>, D::Error> {
    let name = Cow::<'de, str>::deserialize(deserializer)?;
    let all = [Mode::UserLimit, Mode::NoUserLimit, Mode::Exclusive, Mode::StationShare];
    Ok(all.into_iter().find(|mode| mode.name() == name))
}
