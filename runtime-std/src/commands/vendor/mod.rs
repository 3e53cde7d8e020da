//! `vendor`: a vendor's desk, which keeps what was issued to whom.
//!
//! What never lives here: the files of a desk (`desk`), what changes in a specification (`changes`),
//! and how a bundle is made (`issue`).

mod changes;
mod desk;

use crate::clock::Clock;
use crate::commands::issue::{self, Order};
use crate::commands::table::Table;
use crate::commands::{number, report, stdout};
use crate::exit::{Failure, Outcome};
use crate::host::files;
use changes::Refused;
use clap::{Args, Subcommand};
use desk::{Desk, Issue, Mistake, NoCustomer, Record, What};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;
use tmr_core::licence::{LicenceRequest, Product, Spec};

/// `vendor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tmrd vendor init --desk desk\n  \
    tmrd vendor issue acme spec.json --request acme.request --out acme-1.bundle --desk desk\n  \
    tmrd vendor raise acme --product 201 --quantity 10 --out acme-2.bundle --desk desk\n  \
    tmrd vendor list --desk desk\n\n\
    Each issue is a file in the folder issues of the desk, which is created and never changed: put the \
    desk\nunder version control. The bundle follows from it and the key, and can be made again.")]
pub struct Vendor {
    /// What to do.
    #[command(subcommand)]
    what: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a desk of a folder, and an issuer's key if there is none.
    #[command(after_help = "Example:\n  tmrd vendor init --desk desk")]
    Init(At),
    /// Prints the next TMR-Id that is free.
    #[command(after_help = "Example:\n  tmrd vendor next --desk desk")]
    Next(At),
    /// Issues a specification to a customer: a first one, or one that replaces all before.
    #[command(after_help = "Example:\n  \
        tmrd vendor issue acme spec.json --request acme.request --out acme-1.bundle\n\n\
        Products without a TmrId get the next ones, and a specification without a CmActId gets one. A \
        customer's\nlater issues keep them.")]
    Issue {
        /// The customer: a to z, 0 to 9 and -.
        #[arg(value_parser = name)]
        customer: String,
        /// What to issue, as JSON.
        #[arg(value_name = "SPEC.json")]
        spec: PathBuf,
        /// The request of the customer's three containers [default: that of the last issue].
        #[arg(long, value_name = "REQUEST")]
        request: Option<PathBuf>,
        /// Products without a TmrId are meant: each of the three containers gives their seats.
        #[arg(long)]
        ordinary: bool,
        /// See [`Made`].
        #[command(flatten)]
        made: Made,
    },
    /// Issues a customer's licences with a later end.
    #[command(after_help = "Example:\n  \
        tmrd vendor renew acme --until 2031-01-01 --out acme-2.bundle")]
    Renew {
        /// The customer.
        #[arg(value_parser = name)]
        customer: String,
        /// The end: this day, or this second (UTC).
        #[arg(long, value_name = "TIME", value_parser = report::time)]
        until: Wall,
        /// Of this product alone [default: of each that has an end].
        #[arg(long, value_name = "CODE", value_parser = number::within(0..=u32::MAX))]
        product: Option<u32>,
        /// See [`Made`].
        #[command(flatten)]
        made: Made,
    },
    /// Issues a customer's licences with more seats.
    #[command(after_help = "Example:\n  \
        tmrd vendor raise acme --product 201 --quantity 10 --out acme-2.bundle")]
    Raise {
        /// The customer.
        #[arg(value_parser = name)]
        customer: String,
        /// The product.
        #[arg(long, value_name = "CODE", value_parser = number::within(0..=u32::MAX))]
        product: u32,
        /// Its seats.
        #[arg(long, value_name = "N", value_parser = number::within(1..=u32::MAX))]
        quantity: u32,
        /// See [`Made`].
        #[command(flatten)]
        made: Made,
    },
    /// Issues one of three parts again, for the container that took the place of a lost one.
    #[command(after_help = "Example:\n  \
        tmrd vendor reissue acme --only 3 --request acme-new.request --out acme-3.bundle")]
    Reissue {
        /// The customer.
        #[arg(value_parser = name)]
        customer: String,
        /// The part.
        #[arg(long, value_name = "N", value_parser = number::within(1..=3u8))]
        only: u8,
        /// A request with the new container beside the two others [default: that of the last issue].
        #[arg(long, value_name = "REQUEST")]
        request: Option<PathBuf>,
        /// See [`Made`].
        #[command(flatten)]
        made: Made,
    },
    /// Issues a customer's licences with an end that is now, to be in force with the next install.
    #[command(after_help = "Example:\n  tmrd vendor revoke acme --product 202 --out acme-4.bundle")]
    Revoke {
        /// The customer.
        #[arg(value_parser = name)]
        customer: String,
        /// This product alone [default: all].
        #[arg(long, value_name = "CODE", value_parser = number::within(0..=u32::MAX))]
        product: Option<u32>,
        /// See [`Made`].
        #[command(flatten)]
        made: Made,
    },
    /// Makes the bundle of an issue again, the same byte for byte.
    #[command(after_help = "Example:\n  tmrd vendor bundle acme --number 2 --out acme-2.bundle")]
    Bundle {
        /// The customer.
        #[arg(value_parser = name)]
        customer: String,
        /// The number of the issue [default: the last one].
        #[arg(long, value_name = "N", value_parser = number::within(1..=u32::MAX))]
        number: Option<u32>,
        /// See [`Made`].
        #[command(flatten)]
        made: Made,
    },
    /// Lists customers, and what they have.
    #[command(after_help = "Example:\n  tmrd vendor list --desk desk")]
    List {
        /// See [`At`].
        #[command(flatten)]
        at: At,
        /// Print one JSON value.
        #[arg(long)]
        json: bool,
    },
    /// Shows what was issued to a customer, and when.
    #[command(after_help = "Example:\n  tmrd vendor show acme --desk desk")]
    Show {
        /// The customer.
        #[arg(value_parser = name)]
        customer: String,
        /// See [`At`].
        #[command(flatten)]
        at: At,
        /// Print one JSON value: the files of the issues.
        #[arg(long)]
        json: bool,
    },
}

/// Which desk.
#[derive(Debug, Args)]
struct At {
    /// The folder of the desk.
    #[arg(long, value_name = "DIR", default_value = ".")]
    desk: PathBuf,
    /// The issuer's secret key [default: issuer.key in the desk's folder].
    #[arg(long, value_name = "ISSUER.key")]
    key: Option<PathBuf>,
}

/// What an issue makes.
#[derive(Debug, Args)]
struct Made {
    /// The bundle to make; never overwritten.
    #[arg(long, value_name = "BUNDLE")]
    out: PathBuf,
    /// A remark that is kept with the issue.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// See [`At`].
    #[command(flatten)]
    at: At,
}

fn name(text: &str) -> Result<String, String> {
    desk::customer(text).map_err(|NoCustomer(what)| what)
}

/// Does what is asked at the desk.
///
/// # Errors
/// The desk or a file is damaged, or the change makes no sense; the message has the reason.
pub fn run(options: &Vendor) -> Outcome {
    match &options.what {
        Command::Init(at) => init(at),
        Command::Next(at) => stdout::line(Desk::open(&at.desk)?.next_tmr_id()),
        Command::Issue { customer, spec, request, ordinary, made } => {
            issue_spec(customer, spec, request.as_deref(), *ordinary, made)
        }
        Command::Renew { customer, until, product, made } => {
            change(customer, What::Renew, made, |spec, _| changes::renew(spec, *product, *until))
        }
        Command::Raise { customer, product, quantity, made } => {
            let raise = |spec: &mut Value, _| changes::raise(spec, *product, *quantity);
            change(customer, What::Raise, made, raise)
        }
        Command::Reissue { customer, only, request, made } => {
            reissue(customer, *only, request.as_deref(), made)
        }
        Command::Revoke { customer, product, made } => {
            change(customer, What::Revoke, made, |spec, now| changes::revoke(spec, *product, now))?;
            note!("It is in force when this bundle is installed.");
            Ok(())
        }
        Command::Bundle { customer, number, made } => again(customer, *number, made),
        Command::List { at, json } => list(&Desk::open(&at.desk)?, *json),
        Command::Show { customer, at, json } => show(&Desk::open(&at.desk)?, customer, *json),
    }
}

fn init(at: &At) -> Outcome {
    for path in Desk::init(&at.desk, at.key.as_deref())? {
        stdout::line(path.display())?;
    }
    note!(
        "A new desk. Keep a copy of the secret key in a safe: who has it can sign licences, and nobody \
         can without."
    );
    Ok(())
}

/// Issues a specification.
fn issue_spec(
    customer: &str,
    path: &Path,
    request: Option<&Path>,
    ordinary: bool,
    made: &Made,
) -> Outcome {
    let desk = Desk::open(&made.at.desk)?;
    issue::specification(path)?;
    let text = files::text(path, tmr_core::base::limits::LICENCE_FILE_MAX)?;
    let mut value: Value =
        serde_json::from_str(&text).map_err(|error| files::wrong(path, error))?;
    let added = changes::complete(&desk, customer, &mut value, ordinary);
    let added = added.map_err(|Refused(what)| files::wrong(path, what))?;
    let request = match request {
        Some(request) => issue::request(request)?,
        None => match desk.last(customer) {
            Ok(issue) => issue.request.clone(),
            Err(_) => {
                let text = format!(
                    "nothing was issued to {customer} before, so --request has to name the request of its \
                     containers"
                );
                return Err(Failure::usage(text));
            }
        },
    };
    let spec = parsed(&value).map_err(|Refused(what)| files::wrong(path, what))?;
    issue::fits_a_bundle(&spec, ordinary, path)?;
    added.0.iter().for_each(|line| note!("{line} (given by the desk)"));
    put(&desk, customer, What::Issue, Next { spec: value, request, part: None }, made)
}

/// Issues a customer's last specification with a change.
fn change(
    customer: &str,
    what: What,
    made: &Made,
    change: impl FnOnce(&mut Value, Wall) -> Result<(), Refused>,
) -> Outcome {
    let desk = Desk::open(&made.at.desk)?;
    let last = desk.last(customer)?;
    let mut spec = last.record.spec.clone();
    let refused = |Refused(text): Refused| Failure::usage(format!("{customer}: {text}"));
    change(&mut spec, Clock::start().now().wall).map_err(refused)?;
    parsed(&spec).map_err(refused)?;
    let request = last.request.clone();
    put(&desk, customer, what, Next { spec, request, part: None }, made)
}

/// Issues one part of a customer's last issue again.
fn reissue(customer: &str, only: u8, request: Option<&Path>, made: &Made) -> Outcome {
    let desk = Desk::open(&made.at.desk)?;
    let last = desk.last(customer)?;
    let asked = match request {
        Some(path) => {
            let asked = issue::request(path)?;
            others_stay(&last.request, &asked, only)
                .map_err(|Refused(it)| files::wrong(path, it))?;
            asked
        }
        None => last.request.clone(),
    };
    let next = Next { spec: last.record.spec.clone(), request: asked, part: Some(only) };
    put(&desk, customer, What::Reissue, next, made)
}

/// Checks that a request differs from the one before in one container at most.
fn others_stay(before: &LicenceRequest, asked: &LicenceRequest, only: u8) -> Result<(), Refused> {
    let pairs = before.keys().into_iter().zip(asked.keys()).zip(1..=3_u8);
    for ((before, asked), part) in pairs.filter(|(_, part)| *part != only) {
        if before != asked {
            return Err(Refused(format!(
                "part {part} is for container 130-{}, and the request has 130-{} there; only part {only} \
                 is to be issued again, so right would be a request with the two others in their places, \
                 or tmrd vendor issue for all three",
                before.serial(),
                asked.serial()
            )));
        }
    }
    Ok(())
}

/// What is issued next.
struct Next {
    spec: Value,
    request: LicenceRequest,
    /// The one part; `None`: all.
    part: Option<u8>,
}

/// Records an issue, and makes its bundle.
fn put(desk: &Desk, customer: &str, what: What, next: Next, made: &Made) -> Outcome {
    let issuer = desk.issuer(made.at.key.as_deref())?;
    issue::must_be_new(&made.out)?;
    let number = desk.next_number(customer, &next.request);
    // A full issue shares anew; one part fits the shares in use.
    let sharing = match next.part {
        Some(_) => desk.last(customer)?.record.sharing,
        None => number,
    };
    let record = Record {
        customer: customer.to_owned(),
        issue: number,
        sharing,
        what,
        part: next.part,
        issued: rfc3339::format(Clock::start().now().wall),
        note: made.note.clone(),
        spec: next.spec,
        request: desk::request_value(&next.request),
    };
    let file = desk.file(&record);
    let issue = Issue::of(record).map_err(|Mistake(what)| files::wrong(&file, what))?;
    if what != What::Revoke {
        issue::warn_of_ended(&issue.spec, issue.issued(), &file);
    }
    let order = order(&issue);
    let bundle = order.bundle(&issuer, &file)?;
    desk.record(&issue.record)?;
    issue::make(&made.out, &bundle)?;
    stdout::line(made.out.display())?;
    order.receivers().iter().for_each(|line| note!("{line}"));
    note!("{}: issue {number} to {customer}", file.display());
    Ok(())
}

fn order(issue: &Issue) -> Order<'_> {
    Order {
        spec: &issue.spec,
        request: &issue.request,
        only: issue.record.part,
        numbers: issue.numbers(),
        issued: issue.issued(),
    }
}

fn parsed(spec: &Value) -> Result<Spec, Refused> {
    Spec::parse(&spec.to_string()).map_err(|error| {
        let key = error.key.map(|key| format!("{key}: ")).unwrap_or_default();
        Refused(format!("{key}{}", error.message))
    })
}

/// Makes the bundle of an issue again.
fn again(customer: &str, number: Option<u32>, made: &Made) -> Outcome {
    let desk = Desk::open(&made.at.desk)?;
    let last = desk.last(customer)?;
    let issue = match number {
        None => last,
        Some(number) => {
            let found = desk.of(customer).into_iter().find(|it| it.record.issue == number);
            let highest = last.record.issue;
            found.ok_or_else(|| {
                Failure::usage(format!(
                    "{customer} has no issue {number}; the last one is {highest}"
                ))
            })?
        }
    };
    let issuer = desk.issuer(made.at.key.as_deref())?;
    issue::make(&made.out, &order(issue).bundle(&issuer, &desk.file(&issue.record))?)?;
    stdout::line(made.out.display())
}

fn list(desk: &Desk, as_json: bool) -> Outcome {
    let mut last: Vec<&Issue> = Vec::new();
    for issue in desk.issues() {
        if last.last().is_some_and(|it| it.record.customer == issue.record.customer) {
            last.pop();
        }
        last.push(issue);
    }
    if as_json {
        let values: Vec<_> = last.iter().map(|issue| json!(issue.record)).collect();
        return stdout::line(format!("{:#}", Value::Array(values)));
    }
    if last.is_empty() {
        note!("nothing was issued yet");
        return Ok(());
    }
    let mut table = Table::new(&["CUSTOMER", "ISSUE", "DATE", "LAST", "CMACTID", "LICENCES"]);
    for issue in last {
        let licences: Vec<_> = issue.spec.firm_item().products.iter().map(licence).collect();
        let mut licences = licences.into_iter();
        table.row([
            issue.record.customer.clone(),
            issue.record.issue.to_string(),
            issue.record.issued.clone(),
            issue.record.what.name().to_owned(),
            issue.spec.cm_act_id().to_string(),
            licences.next().unwrap_or_default(),
        ]);
        for more in licences {
            table.row([const { String::new() }; 5].into_iter().chain([more]));
        }
    }
    stdout::line(table.to_string().trim_end())
}

/// Returns a product in one line.
fn licence(product: &Product) -> String {
    let Product { product_code, tmr_id, license_quantity, expiration_time, .. } = product;
    let seats = if *license_quantity == 1 { "seat" } else { "seats" };
    let id = if *tmr_id == 0 { "no TMR-Id".to_owned() } else { format!("TMR-Id {tmr_id}") };
    let until = expiration_time.map(|end| format!(", until {}", rfc3339::format(end)));
    format!("{product_code} ({id}): {license_quantity} {seats}{}", until.unwrap_or_default())
}

fn show(desk: &Desk, customer: &str, as_json: bool) -> Outcome {
    let last = desk.last(customer)?;
    let all = desk.of(customer);
    if as_json {
        let values: Vec<_> = all.iter().map(|issue| json!(issue.record)).collect();
        return stdout::line(format!("{:#}", Value::Array(values)));
    }
    let mut table = Table::new(&["ISSUE", "DATE", "WHAT", "PARTS", "NOTE"]);
    for Issue { record, .. } in &all {
        table.row([
            record.issue.to_string(),
            record.issued.clone(),
            record.what.name().to_owned(),
            record.part.map_or_else(|| "1, 2, 3".to_owned(), |part| part.to_string()),
            record.note.clone(),
        ]);
    }
    stdout::line(table.to_string().trim_end())?;
    stdout::line("")?;
    stdout::line(format!("  CmActId {}", last.spec.cm_act_id()))?;
    for (one, part) in last.request.containers().iter().zip(1..) {
        let (serial, machine) = (one.keys().serial(), one.machine());
        stdout::line(format!("  part {part}: container 130-{serial} ({machine})"))?;
    }
    for product in &last.spec.firm_item().products {
        stdout::line(format!("  {}", licence(product)))?;
    }
    Ok(())
}
