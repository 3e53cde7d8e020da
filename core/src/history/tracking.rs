//! The lines of a licence tracking file, in the documented form: a header, then one line per event,
//! of one Firm Code. The fields of a release are inferred: the documentation only says that there
//! is such a line.

use super::{Kind, Record};
use crate::base::limits::HISTORY_LICENCES;
use crate::base::rfc3339;
use crate::base::time::Wall;
use crate::wire::CmError;
use crate::wire::constants::mask;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use core::fmt::{self, Write};
use core::net::IpAddr;

/// 2000-01-01T00:00:00Z.
const YEAR_2000: u64 = 946_684_800;

/// The front that led at the time of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Host name.
    pub name: String,
    /// The address at which clients reach it.
    pub address: IpAddr,
}

/// The properties of a licence. Other properties have a number of their own in a file.
type Licence = (u32, u32, u32, u32, Option<Wall>, u32, String);

/// The licences that were written to one file.
#[derive(Clone, Debug, Default)]
pub struct Tracking {
    licences: BTreeMap<Licence, u32>,
    /// The count of assigned numbers.
    given: u32,
}

impl Tracking {
    /// Returns the number of all files of a process that began at this time.
    #[must_use]
    pub fn logfile_id(begun: Wall) -> u64 {
        begun.0.saturating_sub(YEAR_2000)
    }

    /// Returns the beginning of a file. `started`: the file is the first one of its Firm Code in
    /// this set-up.
    #[must_use]
    pub fn header(firm_code: u32, server: &Server, now: Wall, id: u64, started: bool) -> String {
        let (name, address) = (Quoted(&server.name), server.address);
        let mut out = alloc::format!(
            "{} TmrLogfile FirmCode:{firm_code}, Runtime-Version:{}, TmrServerName:{name}, \
             TmrServerIp:\"{address}\", LogfileId:{id}\n",
            Stamp(now),
            env!("CARGO_PKG_VERSION"),
        );
        if started {
            // The line concerns the whole set-up, never one front.
            let now = Stamp(now);
            let _ = writeln!(out, "{now} Admin Server:{name} CodeMeter_started {now}");
        }
        out
    }

    /// Adds the lines of a record, if it has any in this file.
    pub fn write(&mut self, record: &Record, server: &Server, out: &mut String) {
        let begins = record.kind == Kind::Access;
        // The JSON lines have the other reasons.
        let refused =
            record.kind == Kind::Denied && record.error == CmError::NO_MORE_LICENSES.code();
        let ends = matches!(record.kind, Kind::Release | Kind::Expire);
        if !begins && !refused && !ends {
            return;
        }
        let number = self.licence(record, server, out);
        let (time, name) = (Stamp(record.time), Quoted(&server.name));
        let address = record.address.map(|address| address.to_string()).unwrap_or_default();
        let client = Quoted(if record.host.is_empty() { &address } else { &record.host });
        let who = alloc::format!(
            "Client:{client}, User:{}, AppID:{}, AppText:{}",
            Quoted(&record.user),
            record.app_id,
            Quoted(&record.app_text),
        );
        let handle = record.handle;
        let _ = if begins {
            writeln!(
                out,
                "{time} Access Server:{name}, LicenseID:{number}, AccessID:{handle}, {who}"
            )
        } else if refused {
            writeln!(out, "{time} Denial Server:{name}, LicenseID:{number}, {who}")
        } else {
            writeln!(out, "{time} Release Server:{name}, LicenseID:{number}, AccessID:{handle}")
        };
    }

    /// Returns the number of a record's licence in this file; a new licence gets a line first.
    fn licence(&mut self, record: &Record, server: &Server, out: &mut String) -> u32 {
        let Record { serial, product_code, tmr_id, feature_map, expires, quantity, .. } = *record;
        let licence =
            (serial, product_code, tmr_id, feature_map, expires, quantity, record.product.clone());
        if let Some(number) = self.licences.get(&licence) {
            return *number;
        }
        if self.licences.len() >= HISTORY_LICENCES {
            self.licences.clear();
        }
        self.given = self.given.saturating_add(1);
        let _ = writeln!(
            out,
            "{} License Server:{}, LicenseID:{}, SN:{}-{serial}, FC:{}, PC:{product_code}, \
             FM:{feature_map:#x}, ET:{}, LQ:{quantity}, PT:{}",
            Stamp(record.time),
            Quoted(&server.name),
            self.given,
            mask::TMR,
            record.firm_code,
            expires.map_or_else(|| "never".into(), |at| Stamp(at).to_string()),
            Quoted(&record.product),
        );
        self.licences.insert(licence, self.given);
        self.given
    }
}

/// A time in the form of these files: UTC, without a suffix.
struct Stamp(Wall);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(rfc3339::format(self.0).trim_end_matches('Z'))
    }
}

/// A text in quotes that stays one field of one line for every input of a client.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            f.write_char(match char {
                '"' => '\'',
                char if char.is_control() => ' ',
                char => char,
            })?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server { name: "front-1".into(), address: "192.0.2.42".parse().unwrap() }
    }

    #[test]
    fn a_file_reads_like_the_documented_one() {
        let time = Wall(1_795_287_600);
        let access = Record {
            time,
            kind: Kind::Access,
            firm_code: 6_000_010,
            product_code: 201,
            tmr_id: 1,
            product: "Editor".into(),
            serial: 59_885_682,
            feature_map: 6,
            quantity: 5,
            handle: 7,
            address: Some("192.0.2.7".parse().unwrap()),
            host: "pc\"7".into(),
            user: "eve\n2026-11-21T19:00:00 Admin".into(),
            app_id: 3,
            app_text: "cad".into(),
            ..Record::default()
        };
        let release = Record { kind: Kind::Release, ..access.clone() };
        let none = Record { kind: Kind::Lingered, ..access.clone() };
        let denied = Record {
            kind: Kind::Denied,
            error: 212,
            quantity: 4,
            expires: Some(Wall(1_800_000_000)),
            host: String::new(),
            ..access.clone()
        };
        let other = Record { error: 223, ..denied.clone() };
        let id = Tracking::logfile_id(time);
        let mut out = Tracking::header(6_000_010, &server(), time, id, true);
        let mut tracking = Tracking::default();
        for record in [&access, &release, &none, &denied, &other] {
            tracking.write(record, &server(), &mut out);
        }
        let version = env!("CARGO_PKG_VERSION");
        let user = "eve 2026-11-21T19:00:00 Admin";
        let expected = alloc::format!(
            "2026-11-21T19:00:00 TmrLogfile FirmCode:6000010, Runtime-Version:{version}, \
             TmrServerName:\"front-1\", TmrServerIp:\"192.0.2.42\", LogfileId:848602800\n\
             2026-11-21T19:00:00 Admin Server:\"front-1\" CodeMeter_started 2026-11-21T19:00:00\n\
             2026-11-21T19:00:00 License Server:\"front-1\", LicenseID:1, SN:131-59885682, \
             FC:6000010, PC:201, FM:0x6, ET:never, LQ:5, PT:\"Editor\"\n\
             2026-11-21T19:00:00 Access Server:\"front-1\", LicenseID:1, AccessID:7, \
             Client:\"pc'7\", User:\"{user}\", AppID:3, AppText:\"cad\"\n\
             2026-11-21T19:00:00 Release Server:\"front-1\", LicenseID:1, AccessID:7\n\
             2026-11-21T19:00:00 License Server:\"front-1\", LicenseID:2, SN:131-59885682, \
             FC:6000010, PC:201, FM:0x6, ET:2027-01-15T08:00:00, LQ:4, PT:\"Editor\"\n\
             2026-11-21T19:00:00 Denial Server:\"front-1\", LicenseID:2, Client:\"192.0.2.7\", \
             User:\"{user}\", AppID:3, AppText:\"cad\"\n"
        );
        assert_eq!(out, expected);
    }

    #[test]
    fn a_later_file_of_a_set_up_does_not_say_that_it_started() {
        let header = Tracking::header(10, &server(), Wall(0), 0, false);
        assert_eq!(header.lines().count(), 1);
        assert!(header.starts_with("1970-01-01T00:00:00 TmrLogfile FirmCode:10, "), "{header}");
    }
}
