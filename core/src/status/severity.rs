//! How bad a trouble is, and the state of a licence in one word.

use serde::Serialize;

/// The severity of a trouble. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Some client is not served or not protected.
    Red,
    /// All are served, and the next fault, or the passing of time, may end that.
    Yellow,
    /// The trouble is worth knowing, and requires nothing.
    Info,
}

impl Severity {
    /// Returns the name used in status and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Yellow => "yellow",
            Self::Info => "info",
        }
    }
}

/// The state of a licence in one word: the worst that applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LicenceState {
    /// Seats are free.
    #[default]
    Served,
    /// The licence is served, and one part is missing or differs.
    TwoParts,
    /// The licence is served, and all its seats are in use.
    AllInUse,
    /// The units are used up.
    NoUnits,
    /// The activation time has not come.
    NotActiveYet,
    /// The expiration time has passed.
    Expired,
    /// No two parts agree.
    TooFewParts,
    /// Fewer than two members of the group are there.
    TooFewBackends,
}

impl LicenceState {
    /// Returns the severity of the state; `None` if there is no trouble.
    #[must_use]
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Served => None,
            Self::NotActiveYet => Some(Severity::Info),
            Self::TwoParts | Self::AllInUse => Some(Severity::Yellow),
            Self::NoUnits | Self::Expired | Self::TooFewParts | Self::TooFewBackends => {
                Some(Severity::Red)
            }
        }
    }
}
