//! The folder of a vendor's desk: what was issued to whom, one JSON file an issue.
//!
//! Files are created and never changed, so a desk can be kept under version control, and two people
//! who issue at once get two numbers or an error. A file that is damaged is named, and nothing is
//! issued beside it.

use crate::commands::issue;
use crate::exit::{Failure, Outcome, words};
use crate::host::create;
use crate::host::files;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tmr_core::base::json;
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;
use tmr_core::licence::{IssueNumbers, Issuer, IssuerKey, LicenceRequest, Spec};

/// The file that makes a folder a desk.
const DESK: &str = "vendor.json";
/// The folder of the issues.
const ISSUES: &str = "issues";
/// The extension of an issue.
const SUFFIX: &str = "json";
/// The version of these files.
const VERSION: u32 = 1;
/// The most bytes of a file of the desk: a specification and a request.
const FILE_MAX: usize = 2 * 1024 * 1024;
/// The longest name of a customer.
const NAME_MAX: usize = 40;
/// What version control leaves out: the secret key.
const IGNORED: &str = "issuer.key\n*.new\n";

/// A desk: its issuer, and all issues.
#[derive(Debug)]
pub(super) struct Desk {
    path: PathBuf,
    issuer: IssuerKey,
    issues: Vec<Issue>,
}

/// One issue, as its file has it; it was checked when it was read.
#[derive(Clone, Debug)]
pub(super) struct Issue {
    /// What the file says.
    pub(super) record: Record,
    /// What was issued.
    pub(super) spec: Spec,
    /// For which containers.
    pub(super) request: LicenceRequest,
}

/// The file of an issue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Record {
    /// To whom.
    pub(super) customer: String,
    /// The number of the issue.
    pub(super) issue: u32,
    /// The issue in which the secret was shared as it is here.
    pub(super) sharing: u32,
    /// Why it was issued.
    pub(super) what: What,
    /// The part that was issued alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<u8>,
    /// When.
    pub(super) issued: String,
    /// A remark of the vendor's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
    /// What was issued, as in SPEC.json.
    pub(super) spec: Value,
    /// For which containers: the JSON of the request.
    pub(super) request: Value,
}

/// Why something was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    /// A specification.
    Issue,
    /// A later end.
    Renew,
    /// More seats.
    Raise,
    /// One part again.
    Reissue,
    /// Products end.
    Revoke,
}

impl What {
    /// Returns the word for it.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Renew => "renew",
            Self::Raise => "raise",
            Self::Reissue => "reissue",
            Self::Revoke => "revoke",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Head {
    desk: u32,
    issuer: String,
}

impl Desk {
    /// Makes a desk of a folder, and returns the files that were made.
    ///
    /// # Errors
    /// It is one already, or the system refuses.
    pub(super) fn init(path: &Path, key: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
        let head = path.join(DESK);
        issue::must_be_new(&head)?;
        let issues = path.join(ISSUES);
        std::fs::create_dir_all(&issues).map_err(|error| files::wrong(&issues, words(&error)))?;
        let own = path.join("issuer.key");
        let key = key.unwrap_or(&own);
        let (mut made, new) = (Vec::new(), !key.exists());
        let issuer = files::issuer(key)?;
        if new {
            made.push(key.to_owned());
        }
        let desk = Head { desk: VERSION, issuer: issuer.public().to_string() };
        let desk = serde_json::to_string_pretty(&desk).expect("two fields encode");
        // The desk is one when everything else is there.
        for (name, content) in [
            (".gitignore", IGNORED.to_owned()),
            ("issuer.pub", issuer.public().to_text()),
            (DESK, format!("{desk}\n")),
        ] {
            let file = path.join(name);
            match create::create_whole(&file, 0o644, content.as_bytes()) {
                // An earlier attempt, or the vendor, has made it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let there = files::text(&file, FILE_MAX)?;
                    if name != ".gitignore" && there.trim() != content.trim() {
                        let what = "it belongs to another key; right would be an empty folder";
                        return Err(files::wrong(&file, what));
                    }
                }
                Err(error) => return Err(files::wrong(&file, words(&error))),
                Ok(()) => made.push(file),
            }
        }
        Ok(made)
    }

    /// Reads a desk and all its issues.
    ///
    /// # Errors
    /// The folder is no desk, or a file in it is damaged; the message names it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let head = path.join(DESK);
        if !head.exists() {
            let what =
                "there is no desk here; tmrd vendor init makes one, --desk names another folder";
            return Err(files::wrong(&head, what));
        }
        let text = files::text(&head, FILE_MAX)?;
        let read: Head = json::read(&text, "desk").map_err(|error| files::wrong(&head, error))?;
        if read.desk != VERSION {
            let what = format!("a desk of version {}; this program reads version 1", read.desk);
            return Err(files::wrong(&head, what));
        }
        let issuer = IssuerKey::parse(&read.issuer).map_err(|error| files::wrong(&head, error))?;
        let folder = path.join(ISSUES);
        let entries =
            std::fs::read_dir(&folder).map_err(|error| files::wrong(&folder, words(&error)))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| files::wrong(&folder, words(&error)))?.path();
            if path.extension().is_some_and(|it| it == SUFFIX) {
                paths.push(path);
            }
        }
        paths.sort();
        let mut issues = Vec::new();
        for path in paths {
            issues.push(read_issue(&path)?);
        }
        issues.sort_by_key(|issue| (issue.record.customer.clone(), issue.record.issue));
        Ok(Self { path: path.to_owned(), issuer, issues })
    }

    /// Reads the secret key of the desk's issuer; `key`: where it is, if not in the desk's folder.
    ///
    /// # Errors
    /// It is not there, or is another issuer's.
    pub(super) fn issuer(&self, key: Option<&Path>) -> Result<Issuer, Failure> {
        let own = self.path.join("issuer.key");
        let path = key.unwrap_or(&own);
        if !path.exists() {
            return Err(files::wrong(
                path,
                "the issuer's secret key is not there; --key says where it is",
            ));
        }
        let issuer = files::issuer(path)?;
        if issuer.public() != self.issuer {
            let what = format!(
                "this is not the secret key of the desk's issuer, whose public key is {}",
                self.issuer
            );
            return Err(files::wrong(path, what));
        }
        Ok(issuer)
    }

    /// Returns all issues, by customer and number.
    #[must_use]
    pub(super) fn issues(&self) -> &[Issue] {
        &self.issues
    }

    /// Returns the issues of a customer, by number.
    #[must_use]
    pub(super) fn of(&self, customer: &str) -> Vec<&Issue> {
        self.issues.iter().filter(|issue| issue.record.customer == customer).collect()
    }

    /// Returns the last issue of a customer.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn last(&self, customer: &str) -> Result<&Issue, Failure> {
        self.of(customer).pop().ok_or_else(|| {
            let mut known: Vec<&str> =
                self.issues.iter().map(|issue| &*issue.record.customer).collect();
            known.dedup();
            let known = if known.is_empty() { "nobody".to_owned() } else { known.join(", ") };
            let text = format!("nothing was issued to {customer:?}; customers are: {known}");
            Failure::usage(text)
        })
    }

    /// Returns the lowest TMR-Id above all that were issued.
    #[must_use]
    pub(super) fn next_tmr_id(&self) -> u32 {
        let products = self.issues.iter().flat_map(|issue| &issue.spec.firm_item().products);
        products.map(|product| product.tmr_id).max().unwrap_or_default().saturating_add(1)
    }

    /// Returns the number of the next issue for a customer and these containers: above every number
    /// that one of them has had.
    #[must_use]
    pub(super) fn next_number(&self, customer: &str, request: &LicenceRequest) -> u32 {
        let keys = request.keys();
        let counts = |issue: &&Issue| {
            let shared = issue.request.keys().iter().any(|one| keys.contains(one));
            issue.record.customer == customer || shared
        };
        let numbers = self.issues.iter().filter(counts).map(|issue| issue.record.issue);
        numbers.max().unwrap_or_default().saturating_add(1)
    }

    /// Returns the path of an issue's file.
    #[must_use]
    pub(super) fn file(&self, record: &Record) -> PathBuf {
        self.path.join(ISSUES).join(name(record))
    }

    /// Records an issue.
    ///
    /// # Errors
    /// Somebody else has taken the number, or the system refuses.
    pub(super) fn record(&self, record: &Record) -> Outcome {
        let path = self.file(record);
        let text = serde_json::to_string_pretty(record).expect("a record encodes");
        create::create_whole(&path, 0o644, format!("{text}\n").as_bytes()).map_err(|error| {
            match error.kind() {
                ErrorKind::AlreadyExists => files::wrong(
                    &path,
                    "somebody else has issued this number meanwhile; do it again for the next one",
                ),
                _ => files::wrong(&path, words(&error)),
            }
        })
    }
}

impl Issue {
    /// Makes an issue of what its file says.
    ///
    /// # Errors
    /// Returns in words what is wrong with it.
    pub(super) fn of(record: Record) -> Result<Self, Mistake> {
        let spec = Spec::parse(&record.spec.to_string())
            .map_err(|error| Mistake(format!("Spec: {}", error.message)))?;
        let request = LicenceRequest::parse(&format!("tmr-request 1\n{}", record.request))
            .map_err(|error| Mistake(format!("Request: {error}")))?;
        customer(&record.customer).map_err(|NoCustomer(what)| Mistake(what))?;
        rfc3339::parse(&record.issued).map_err(|error| Mistake(format!("Issued: {error}")))?;
        let (issue, sharing) = (record.issue, record.sharing);
        if sharing == 0 || sharing > issue {
            return Err(Mistake(format!("Sharing: {sharing} is not between 1 and Issue, {issue}")));
        }
        if record.part.is_some_and(|part| !(1..=3).contains(&part)) {
            return Err(Mistake("Part: a licence has parts 1 to 3".into()));
        }
        Ok(Self { record, spec, request })
    }

    /// Returns the numbers of the issue.
    #[must_use]
    pub(super) fn numbers(&self) -> IssueNumbers {
        IssueNumbers { issue: self.record.issue, sharing: self.record.sharing }
    }

    /// Returns when it was issued.
    #[must_use]
    pub(super) fn issued(&self) -> Wall {
        rfc3339::parse(&self.record.issued).unwrap_or(Wall(0))
    }
}

/// What is wrong with an issue, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake(pub(super) String);

/// Why a name is none of a customer, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoCustomer(pub(super) String);

/// Returns a customer's name, which is part of the names of files.
///
/// # Errors
/// It has other characters than these, or too many.
pub(super) fn customer(name: &str) -> Result<String, NoCustomer> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let starts = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if starts && name.len() <= NAME_MAX && name.bytes().all(plain) {
        return Ok(name.to_owned());
    }
    Err(NoCustomer(format!(
        "a customer's name has up to {NAME_MAX} characters: a to z, 0 to 9 and -, such as acme-berlin"
    )))
}

/// Returns the JSON in a request.
#[must_use]
pub(super) fn request_value(request: &LicenceRequest) -> Value {
    let text = request.to_text();
    let json = text.split_once('\n').map_or("", |(_, json)| json);
    serde_json::from_str(json).unwrap_or_else(|_| json!({}))
}

/// Returns the products of a specification that is valid.
#[must_use]
pub(super) fn products(spec: &mut Value) -> Vec<&mut Map<String, Value>> {
    let list = spec["Products"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    list.iter_mut().filter_map(Value::as_object_mut).collect()
}

fn name(record: &Record) -> String {
    format!("{}-{:04}.{SUFFIX}", record.customer, record.issue)
}

fn read_issue(path: &Path) -> Result<Issue, Failure> {
    let text = files::plain_text(path, FILE_MAX)?;
    let record: Record = json::read(&text, "record").map_err(|error| files::wrong(path, error))?;
    let expected = name(&record);
    if path.file_name().is_none_or(|own| own != expected.as_str()) {
        let what =
            format!("this file says that it is {expected}; right would be to give it that name");
        return Err(files::wrong(path, what));
    }
    Issue::of(record).map_err(|Mistake(what)| files::wrong(path, what))
}
