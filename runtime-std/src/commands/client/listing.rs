//! The output of licences: as text of at most 100 columns, and as JSON with every field.

use crate::commands::table::Table;
use serde_json::{Value, json};
use std::fmt::Write;
use tmr_core::base::time::Wall;
use tmr_core::wire::constants::{mask, pio, quantity};
use tmr_core::wire::structs::{CmBoxEntry, CmBoxEntry2, CmNetInfoCluster, CmPiEntryBase, CmTime};

/// Columns that a line has at most.
const WIDTH: usize = 100;
/// Access modes: bit of those that are denied, and name as on the command line.
const MODES: [(u32, &str); 4] = [
    (quantity::DENIED_USERLIMIT, "user-limit"),
    (quantity::DENIED_NOUSERLIMIT, "no-user-limit"),
    (quantity::DENIED_EXCLUSIVE, "exclusive"),
    (quantity::DENIED_STATIONSHARE, "station-share"),
];

/// A licence, as the API tells it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// How much of it is in use.
    pub(super) seats: CmNetInfoCluster,
    /// `None`: it cannot be had, so the server tells no more.
    pub(super) offered: Option<Offered>,
}

/// A licence that can be had.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    /// As an entry of its container.
    pub(super) entry: CmBoxEntry,
    /// As one of the list of products.
    pub(super) base: CmPiEntryBase,
    /// What only who holds it is told: the whole entry, and the product text.
    pub(super) named: Option<(CmBoxEntry2, String)>,
}

impl Listed {
    fn container(&self) -> String {
        format!("{}-{}", self.seats.mask, self.seats.serial)
    }

    /// Which options are set.
    fn options(&self) -> u32 {
        self.offered.as_ref().map_or(0, |offered| offered.base.set_effective_pios)
    }

    /// A property, if its option is set.
    fn option<T>(&self, option: u32, value: impl FnOnce(&Offered) -> T) -> Option<T> {
        self.offered.as_ref().filter(|_| self.options() & option != 0).map(value)
    }

    fn entry2(&self) -> Option<&CmBoxEntry2> {
        self.offered.as_ref()?.named.as_ref().map(|(entry, _)| entry)
    }

    fn text(&self) -> Option<&str> {
        self.offered.as_ref()?.named.as_ref().map(|(_, text)| text.as_str())
    }

    fn firm_text(&self) -> Option<String> {
        self.offered.as_ref().map(|offered| offered.entry.firm_item_text.to_text())
    }

    fn flags(&self) -> u32 {
        self.offered.as_ref().map_or(0, |offered| offered.base.license_quantity_flags)
    }

    fn tmr_id(&self) -> Option<u32> {
        let tmr = self.flags() & quantity::TRIPLEMODEREDUNDANCY != 0;
        self.entry2().filter(|_| tmr).map(|entry| entry.license_tag)
    }

    fn denied(&self) -> Vec<&'static str> {
        let denied = MODES.iter().filter(|(bit, _)| self.flags() & bit != 0);
        denied.map(|(_, name)| *name).collect()
    }

    fn expires(&self) -> Option<Wall> {
        self.option(pio::EXPTIME, |offered| offered.entry.expiration_time.to_wall()).flatten()
    }

    fn activates(&self) -> Option<Wall> {
        self.option(pio::ACTTIME, |offered| offered.entry.activation_time.to_wall()).flatten()
    }

    fn maintenance(&self) -> Option<[Wall; 2]> {
        let period = |offered: &Offered| {
            let base = &offered.base;
            // The list counts seconds up to the year 2136; the entry has a calendar.
            let (start, end) = self.entry2().map_or_else(
                || (seconds(base.maintenance_period_start), seconds(base.maintenance_period_end)),
                |e| (e.maintenance_period_start.clone(), e.maintenance_period_end.clone()),
            );
            Some([start.to_wall()?, end.to_wall()?])
        };
        self.option(pio::MAINTENANCEPERIOD, period).flatten()
    }

    /// Length of the usage period in seconds, and when it began.
    fn usage(&self) -> Option<(u32, Option<Wall>)> {
        self.option(pio::USAGEPERIOD, |Offered { base, .. }| {
            (base.usage_period_life_time, seconds(base.usage_period_start_time).to_wall())
        })
    }

    fn units_left(&self) -> Option<u32> {
        self.option(pio::UNITCOUNTER, |offered| offered.base.unit_counter)
    }

    fn linger(&self) -> Option<u32> {
        self.option(pio::LINGERTIME, |_| self.entry2().map(|entry| entry.linger_time)).flatten()
    }

    fn least_version(&self) -> Option<String> {
        self.option(pio::MINIMUMVERSION, |offered| {
            let [low, high, minor, major] = offered.base.minimum_runtime_version.to_le_bytes();
            format!("{major}.{minor}.{}", u16::from_le_bytes([low, high]))
        })
    }

    /// Handles of each kind, those that there are.
    fn holders(&self) -> Vec<(u32, &'static str)> {
        let seats = &self.seats;
        let kinds = [
            seats.user_limit_licenses,
            seats.no_user_limit_licenses,
            seats.exclusive_licenses,
            seats.station_share_licenses,
        ];
        let named = kinds.into_iter().zip(MODES.map(|(_, name)| name));
        named.filter(|(count, _)| *count > 0).collect()
    }

    /// Its time is over.
    fn expired(&self, now: Wall) -> bool {
        let period = self
            .usage()
            .and_then(|(length, began)| Some(Wall(began?.0.saturating_add(length.into()))));
        [self.expires(), period].into_iter().flatten().any(|end| end <= now)
    }

    /// Whether a seat of it can be had, if one is free.
    fn available(&self, now: Wall) -> bool {
        let early = self.activates().is_some_and(|start| now < start);
        self.offered.is_some() && !early && !self.expired(now)
    }

    /// What a person must know beside the seats, in the order of how soon it matters.
    fn conditions(&self, now: Wall) -> Vec<String> {
        let mut said = Vec::new();
        if self.offered.is_none() {
            said.push("cannot be had now".to_owned());
        } else if self.expired(now) {
            said.push("cannot be had: expired".to_owned());
        } else if !self.available(now) {
            said.push("cannot be had: not active yet".to_owned());
        }
        let holders = self.holders();
        if !holders.is_empty() {
            let holders: Vec<String> =
                holders.iter().map(|(count, mode)| format!("{count} {mode}")).collect();
            said.push(format!("held: {}", holders.join(", ")));
        }
        said.extend(self.units_left().map(|left| match left {
            0 => "no units left".to_owned(),
            left => format!("units left {left}"),
        }));
        said.extend(self.expires().map(|at| format!("expires {}", day(at))));
        said.extend(self.activates().map(|at| format!("active from {}", day(at))));
        said.extend(self.usage().map(|(length, began)| {
            let began = began
                .map_or_else(|| "not begun".to_owned(), |began| format!("began {}", day(began)));
            format!("usage period {}, {began}", span(length))
        }));
        said.extend(
            self.maintenance()
                .map(|[start, end]| format!("maintained {} to {}", day(start), day(end))),
        );
        let map = self.option(pio::FEATUREMAP, |offered| offered.entry.feature_map);
        said.extend(map.map(|map| format!("features {map:#x}")));
        let denied = self.denied();
        if !denied.is_empty() {
            said.push(format!("denied: {}", denied.join(", ")));
        }
        said.extend(self.least_version().map(|version| format!("runtime from {version}")));
        said.extend(self.linger().map(|linger| format!("lingers {}", span(linger))));
        said
    }
}

/// Everything that is known of a licence; what is not, or is not set, is `null`.
pub(super) fn as_json(listed: &Listed, now: Wall) -> Value {
    let row = &listed.seats;
    let time = |at: Option<Wall>| at.map(|at| at.to_string());
    let maintenance = listed
        .maintenance()
        .map(|[start, end]| json!({ "start": start.to_string(), "end": end.to_string() }));
    let usage = listed.usage();
    json!({
        "container": listed.container(),
        "firm_code": row.firm_code,
        "firm_item_text": listed.firm_text(),
        "product_code": row.product_code,
        "text": listed.text(),
        "tmr_id": listed.tmr_id(),
        "feature_map": row.feature_map,
        "quantity": row.license_quantity,
        "used": row.used_licenses,
        "free": row.free_licenses,
        "available": listed.available(now),
        "expired": listed.expired(now),
        "held": listed.holders().into_iter()
            .map(|(count, mode)| (mode.to_owned(), Value::from(count)))
            .collect::<serde_json::Map<_, _>>(),
        "denied_modes": listed.denied(),
        "expires": time(listed.expires()),
        "activates": time(listed.activates()),
        "maintenance": maintenance,
        "usage_period_seconds": usage.map(|(length, _)| length),
        "usage_began": time(usage.and_then(|(_, began)| began)),
        "units_left": listed.units_left(),
        "linger_seconds": listed.linger(),
        "minimum_runtime_version": listed.least_version(),
    })
}

/// Containers, in them Firm Items, in them a table of the licences.
pub(super) fn as_text(listed: &[Listed], now: Wall) -> String {
    let mut out = String::new();
    for inside in listed.chunk_by(|one, next| one.container() == next.container()) {
        let kind =
            if inside[0].seats.mask == mask::TMR { "virtual container" } else { "container" };
        let _ = writeln!(out, "{kind} {}", inside[0].container());
        for firm in inside.chunk_by(|one, next| one.seats.firm_code == next.seats.firm_code) {
            let text = firm.iter().find_map(Listed::firm_text).unwrap_or_default();
            let title = format!("Firm Item {}  {}", firm[0].seats.firm_code, plain(&text));
            let _ = writeln!(out, "\n{}", cut(title.trim_end(), WIDTH));
            let _ = write!(out, "{}", table(firm, now));
        }
        out.push('\n');
    }
    out
}

fn table(listed: &[Listed], now: Wall) -> Table {
    let mut table =
        Table::new(&["product", "TMR-Id", "seats", "used", "free", "text"]).within(WIDTH);
    for one in listed {
        let row = &one.seats;
        table.row([
            row.product_code.to_string(),
            one.tmr_id().map_or_else(|| "-".to_owned(), |id| id.to_string()),
            row.license_quantity.to_string(),
            row.used_licenses.to_string(),
            row.free_licenses.to_string(),
            plain(one.text().unwrap_or("-")),
        ]);
        table.note(&one.conditions(now));
    }
    table
}

/// Without what would break a line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The first characters, with a mark if some are missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A time that the API gives in seconds since 2000; 0 is none.
fn seconds(seconds_since_2000: u32) -> CmTime {
    CmTime { seconds_since_2000, ..CmTime::default() }
}

/// The day, and the time of day if it is not its first second; in UTC.
fn day(at: Wall) -> String {
    let text = at.to_string();
    match text.strip_suffix("T00:00:00Z") {
        Some(day) => day.to_owned(),
        None => text,
    }
}

fn span(seconds: u32) -> String {
    let (count, unit) = match seconds {
        s if s >= 86_400 && s % 86_400 == 0 => (s / 86_400, "day"),
        s if s >= 3_600 && s % 3_600 == 0 => (s / 3_600, "hour"),
        s => return format!("{s} s"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_795_287_600);

    fn seats(product_code: u32) -> CmNetInfoCluster {
        CmNetInfoCluster {
            serial: 7,
            mask: 131,
            firm_code: 10,
            product_code,
            used_licenses: 1,
            user_limit_licenses: 1,
            free_licenses: 4,
            license_quantity: 5,
            ..CmNetInfoCluster::default()
        }
    }

    fn rich(text: &str) -> Listed {
        let time = CmTime::from_wall(Wall(4_070_908_800));
        let entry = CmBoxEntry {
            firm_item_text: "Example".into(),
            feature_map: 6,
            expiration_time: time.clone(),
            activation_time: CmTime::from_wall(Wall(1_577_836_801)),
            ..CmBoxEntry::default()
        };
        let base = CmPiEntryBase {
            set_effective_pios: u32::MAX,
            usage_period_life_time: 2 * 86_400,
            unit_counter: 37,
            minimum_runtime_version: 7 << 24 | 10 << 16 | 1,
            license_quantity_flags: quantity::TRIPLEMODEREDUNDANCY | quantity::DENIED_EXCLUSIVE,
            ..CmPiEntryBase::default()
        };
        let entry2 = CmBoxEntry2 {
            license_tag: 3,
            linger_time: 60,
            maintenance_period_start: CmTime::from_wall(Wall(1_577_836_800)),
            maintenance_period_end: time,
            ..CmBoxEntry2::default()
        };
        let named = Some((entry2, text.to_owned()));
        Listed { seats: seats(201), offered: Some(Offered { entry, base, named }) }
    }

    #[test]
    fn a_licence_is_shown_with_all_it_has() {
        let gone = Listed { seats: seats(202), offered: None };
        let shown = as_text(&[rich("Editor"), gone], NOW);
        let expected = "\
virtual container 131-7

Firm Item 10  Example
  product  TMR-Id  seats  used  free  text
  201      3       5      1     4     Editor
           held: 1 user-limit; units left 37; expires 2099-01-01; active from 2020-01-01T00:00:01Z;
           usage period 2 days, not begun; maintained 2020-01-01 to 2099-01-01; features 0x6;
           denied: exclusive; runtime from 7.10.1; lingers 60 s
  202      -       5      1     4     -
           cannot be had now; held: 1 user-limit
";
        assert_eq!(shown.trim_end(), expected.trim_end());
    }

    #[test]
    fn no_line_is_longer_than_a_terminal() {
        let mut long = rich(&"word\n".repeat(60));
        long.seats.product_code = u32::MAX;
        long.seats.license_quantity = u32::MAX;
        long.seats.free_licenses = u32::MAX;
        if let Some(offered) = &mut long.offered {
            offered.entry.firm_item_text = "a long text ".repeat(20).as_str().into();
            offered.base.license_quantity_flags = u32::MAX;
        }
        let shown = as_text(&[rich("Editor"), long], NOW);
        assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
        assert!(shown.contains('…'), "{shown}");
    }

    #[test]
    fn json_has_the_same() {
        let mut value = as_json(&rich("Editor"), NOW);
        let tells = |value: &Value, key: &str, expected: Value| assert_eq!(value[key], expected);
        tells(&value, "container", json!("131-7"));
        tells(&value, "text", json!("Editor"));
        tells(&value, "firm_item_text", json!("Example"));
        tells(&value, "tmr_id", json!(3));
        tells(&value, "held", json!({ "user-limit": 1 }));
        tells(&value, "denied_modes", json!(["exclusive"]));
        tells(&value, "expires", json!("2099-01-01T00:00:00Z"));
        tells(&value, "usage_period_seconds", json!(172_800));
        tells(&value, "usage_began", Value::Null);
        tells(&value, "units_left", json!(37));
        value = as_json(&Listed { seats: seats(202), offered: None }, NOW);
        tells(&value, "available", json!(false));
        tells(&value, "units_left", Value::Null);
        tells(&value, "quantity", json!(5));
    }

    #[test]
    fn what_cannot_be_had_is_said_first() {
        let late = Wall(4_070_908_800);
        assert!(as_text(&[rich("Editor")], late).contains("cannot be had: expired; held"));
        assert_eq!(as_json(&rich("Editor"), late)["available"], json!(false));
        assert_eq!(as_json(&rich("Editor"), late)["expired"], json!(true));
        let early = Wall(1_577_836_800);
        assert!(as_text(&[rich("Editor")], early).contains("cannot be had: not active yet; held"));
        let mut spent = rich("Editor");
        spent.offered.as_mut().expect("it is offered").base.unit_counter = 0;
        assert!(as_text(&[spent], NOW).contains("; no units left;"));
    }

    #[test]
    fn spans_are_in_their_largest_unit() {
        let spans = [0, 59, 3_600, 7_200, 86_400, 90_000, 864_000].map(span);
        assert_eq!(spans, ["0 s", "59 s", "1 hour", "2 hours", "1 day", "25 hours", "10 days"]);
    }
}
