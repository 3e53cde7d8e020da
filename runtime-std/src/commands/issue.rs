//! `issue`: signs the licences of a specification, into a bundle for three containers or into three
//! open files.
//!
//! What never lives here: what was issued to whom before (`vendor`), and the formats (core).

use crate::clock::Clock;
use crate::commands::{number, stdout};
use crate::exit::{Failure, Outcome, words};
use crate::host::create::{self, Access};
use crate::host::files;
use crate::host::key_kind::{KeyKind, PUBLIC};
use clap::Args;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tmr_core::base::limits::{LICENCE_FILE_MAX, REQUEST_FILE_MAX};
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;
use tmr_core::licence::{Bundle, IssueNumbers, Issuer, LicenceError, LicenceRequest, Spec};

/// The most bytes of a key file that is compared.
const KEY_MAX: usize = 1024;
/// The parts of a licence.
const PARTS: [u8; 3] = [1, 2, 3];

/// `issue`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    tmrd issue spec.json --request acme.request --key issuer.key --out acme.bundle\n  \
    tmrd issue spec.json --unbound --key issuer.key --out licences\n\nspec.json:\n  \
    {\"FirmCode\": 6000010, \"FirmItemText\": \"Example\", \"CmActId\": 305419896,\n   \
    \"Products\": [{\"ProductCode\": 201, \"Text\": \"Editor\", \"LicenseQuantity\": 5, \
    \"TmrId\": 1}]}\n\nWith a request of a customer's three containers (tmrd licence request) it makes a \
    bundle, whose parts work\nin those containers alone; one part is of no use without a second. Open \
    parts, 1.cmlic to 3.cmlic, work on\neach machine and are for trials.\n\n\
    CmActId may be left out: the three containers have none then, and fronts join them by the list of\n\
    their serials in tmrconf.json. Of open parts, Serials, a list of three, says which they are; without \
    it they\nfollow from the Firm Code, and a second such set needs it.\n\n\
    A part issued again with --only N fits the two others. A backend takes a new file without a restart.")]
pub struct Issue {
    /// What to issue, as JSON.
    #[arg(value_name = "SPEC.json")]
    pub spec: PathBuf,
    /// The issuer's secret key; made if it is not there.
    #[arg(long, visible_alias = "secret", value_name = "ISSUER.key")]
    pub key: PathBuf,
    /// The bundle to make, never overwritten; for open parts, the folder where 1.cmlic, 2.cmlic, 3.cmlic
    /// and issuer.pub go.
    #[arg(long, visible_alias = "output", value_name = "BUNDLE|DIR")]
    pub out: PathBuf,
    /// The request of the customer's three containers: make a bundle for them.
    #[arg(long, value_name = "REQUEST", conflicts_with = "unbound")]
    pub request: Option<PathBuf>,
    /// Make open parts, which each machine can load.
    #[arg(long)]
    pub unbound: bool,
    /// Issue this part alone, again.
    #[arg(long, value_name = "N", value_parser = number::within(1..=3u8))]
    pub only: Option<u8>,
    /// Of a bundle.
    #[command(flatten)]
    pub numbers: Numbers,
}

/// How a bundle follows earlier ones for the same containers.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Numbers {
    /// The number of this issue: higher than that of each earlier one [default: 1].
    #[arg(long, value_name = "N", requires = "request", conflicts_with = "unbound", value_parser = number::within(1..=u32::MAX))]
    pub number: Option<u32>,
    /// Share the secret as that issue has [default: anew; with --only it has to be given].
    #[arg(long, value_name = "N", requires = "request", conflicts_with = "unbound", value_parser = number::within(1..=u32::MAX))]
    pub sharing: Option<u32>,
    /// Products without a TmrId are meant: each of the three containers gives their seats.
    #[arg(long, requires = "request", conflicts_with = "unbound")]
    pub ordinary: bool,
}

impl Issue {
    /// Returns the options for all three open parts of a specification.
    #[must_use]
    pub fn unbound(spec: PathBuf, key: PathBuf, out: PathBuf) -> Self {
        let numbers = Numbers::default();
        Self { spec, key, out, request: None, unbound: true, only: None, numbers }
    }
}

/// Issues licences.
///
/// # Errors
/// The specification, the request or the key is wrong, or a file cannot be read or made.
pub fn issue(options: &Issue) -> Outcome {
    match &options.request {
        Some(request) => bundle(options, request),
        None => open_parts(options),
    }
}

/// Reads and checks a specification.
///
/// # Errors
/// It is wrong; the message has the place.
pub fn specification(path: &Path) -> Result<Spec, Failure> {
    let text = files::text(path, LICENCE_FILE_MAX)?;
    if text.starts_with("tmr-request ") {
        let what =
            "this is a licence request (--request); right would be a specification, SPEC.json";
        return Err(files::wrong(path, what));
    }
    Spec::parse(&text).map_err(|error| files::wrong(path, error))
}

/// Reads and checks a request.
///
/// # Errors
/// It is wrong; the message has the reason.
pub fn request(path: &Path) -> Result<LicenceRequest, Failure> {
    let text = files::plain_text(path, REQUEST_FILE_MAX)?;
    LicenceRequest::parse(&text).map_err(|error| files::wrong(path, error))
}

/// What a bundle is made of.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What is issued.
    pub spec: &'a Spec,
    /// For which containers.
    pub request: &'a LicenceRequest,
    /// The one part that is issued; `None`: all three.
    pub only: Option<u8>,
    /// The numbers of the issue.
    pub numbers: IssueNumbers,
    /// When it is issued.
    pub issued: Wall,
}

impl Order<'_> {
    /// Returns the bytes of the bundle. `file`: the request, for messages.
    ///
    /// # Errors
    /// A container cannot be issued for, or the bundle would be too long.
    pub fn bundle(&self, issuer: &Issuer, file: &Path) -> Result<Vec<u8>, Failure> {
        let (spec, request, numbers) = (self.spec, self.request, self.numbers);
        let parts = self.only.map_or_else(|| PARTS.to_vec(), |part| vec![part]);
        let bytes = issuer.bundle(spec, request, &parts, numbers, self.issued);
        let bytes = bytes.map_err(|error| match error {
            LicenceError::Share => files::wrong(
                file,
                "nothing can be sealed to one of these containers, whose Sealing is no key; let a front \
                 make the request again (tmrd licence request)",
            ),
            other => files::wrong(file, other),
        })?;
        // Whatever is issued, its receiver must be able to read.
        Bundle::open(&bytes, &[issuer.public()]).map_err(|error| files::wrong(file, error))?;
        Ok(bytes)
    }

    /// Returns a line for each part: for whom it is.
    #[must_use]
    pub fn receivers(&self) -> Vec<String> {
        let all = self.request.containers().iter().zip(PARTS);
        let issued = all.filter(|(_, part)| self.only.is_none_or(|only| only == *part));
        let line = |(one, part): (&tmr_core::licence::Requester, u8)| {
            format!("part {part}: container 130-{} ({})", one.keys().serial(), one.machine())
        };
        issued.map(line).collect()
    }
}

/// Refuses what cannot be meant in a bundle. `ordinary`: products without a TmrId are meant.
///
/// # Errors
/// A product has no TmrId, or the specification states serials.
pub fn fits_a_bundle(spec: &Spec, ordinary: bool, file: &Path) -> Outcome {
    if spec.serials().is_some() {
        let what = "Serials: those of a bundle are of the containers in the request; right would be \
                    to leave them out";
        return Err(files::wrong(file, what));
    }
    if let Some(what) = three_times(spec).filter(|_| !ordinary) {
        let what = format!("{what}; right would be a \"TmrId\", or --ordinary if that is meant");
        return Err(files::wrong(file, what));
    }
    Ok(())
}

/// Returns a message about the first product that each of the three containers gives by itself.
fn three_times(spec: &Spec) -> Option<String> {
    let product = spec.firm_item().products.iter().find(|product| product.tmr_id == 0)?;
    let (code, seats) = (product.product_code, product.license_quantity);
    let all = u64::from(seats) * 3;
    Some(format!(
        "product {code} has no TmrId, so each of the three containers gives its {seats} seats: {all} in \
         all"
    ))
}

/// Warns of products that have ended already.
pub fn warn_of_ended(spec: &Spec, now: Wall, file: &Path) {
    for product in &spec.firm_item().products {
        if let Some(end) = product.expiration_time.filter(|end| *end <= now) {
            let (code, file, end) = (product.product_code, file.display(), rfc3339::format(end));
            note!(
                "warning: {file}: product {code} ended on {end} (ExpirationTime): nobody can use it; it is \
                 issued all the same"
            );
        }
    }
}

/// Creates a file that may be read by everybody; never overwrites one.
///
/// # Errors
/// It is there already, or cannot be made.
pub fn make(path: &Path, content: &[u8]) -> Outcome {
    create::create_whole(path, 0o644, content).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            files::wrong(path, "it is there already and is not overwritten; choose another name")
        }
        _ => files::wrong(path, words(&error)),
    })
}

/// Rejects a path at which a file stands already.
///
/// # Errors
/// One does.
pub fn must_be_new(path: &Path) -> Outcome {
    if path.is_dir() {
        return Err(files::wrong(path, "it is a folder; right would be a new file, the bundle"));
    }
    match std::fs::symlink_metadata(path) {
        Ok(_) => {
            let what = "it is there already and is not overwritten; choose another name";
            Err(files::wrong(path, what))
        }
        Err(_) => Ok(()),
    }
}

fn bundle(options: &Issue, file: &Path) -> Outcome {
    let Issue { spec: path, key, out, only, numbers, .. } = options;
    let spec = specification(path)?;
    let request = request(file)?;
    fits_a_bundle(&spec, numbers.ordinary, path)?;
    let numbers = numbers_of(*numbers, *only)?;
    must_be_new(out)?;
    let new = !key.exists();
    if let (true, Some(part)) = (new, only) {
        let what = format!(
            "there is no such key; right would be the one that the two parts beside part {part} were \
             signed with"
        );
        return Err(files::wrong(key, what));
    }
    if let Ok(text) = files::text(key, KEY_MAX) {
        KeyKind::Secret.expect(key, &text, out.parent())?;
    }
    let public = key.with_extension("pub");
    if new && public.exists() {
        let what = format!(
            "it is not there, but its public key {} is; right would be the secret key of that one",
            public.display()
        );
        return Err(files::wrong(key, what));
    }
    let issuer = files::issuer(key)?;
    let issued = Clock::start().now().wall;
    warn_of_ended(&spec, issued, path);
    let order = Order { spec: &spec, request: &request, only: *only, numbers, issued };
    make(out, &order.bundle(&issuer, file)?)?;
    stdout::line(out.display())?;
    if new {
        make(&public, issuer.public().to_text().as_bytes())?;
        stdout::line(public.display())?;
        note!("{}: a new issuer key. Who has it can sign licences.", key.display());
    }
    order.receivers().iter().for_each(|line| note!("{line}"));
    note!("Issue {}. The next one for these containers needs a higher --number.", numbers.issue);
    Ok(())
}

/// Returns the numbers of an issue.
fn numbers_of(given: Numbers, only: Option<u8>) -> Result<IssueNumbers, Failure> {
    let issue = given.number.unwrap_or(1);
    let sharing = match (given.sharing, only) {
        (Some(sharing), _) => sharing,
        (None, None) => issue,
        (None, Some(part)) => {
            let text = format!(
                "--only {part} needs --sharing: the number of the issue in which the other two parts got \
                 their shares (tmrd licence show BUNDLE says it)"
            );
            return Err(Failure::usage(text));
        }
    };
    if sharing > issue {
        let text = format!(
            "--sharing {sharing} is after --number {issue}; right would be at most {issue}"
        );
        return Err(Failure::usage(text));
    }
    if let (Some(part), true) = (only, issue == 1) {
        let text = format!(
            "--only {part} issues a part again, so --number must be higher than 1, the number of the \
             first issue"
        );
        return Err(Failure::usage(text));
    }
    Ok(IssueNumbers { issue, sharing })
}

fn open_parts(options: &Issue) -> Outcome {
    let new = !options.key.exists();
    let spec = specification(&options.spec)?;
    for path in sign(options, &spec)? {
        stdout::line(path.display())?;
    }
    if new {
        let key = options.key.display();
        note!("{key}: a new issuer key. Who has it can sign licences.");
    }
    if let Some(what) = three_times(&spec) {
        let file = options.spec.display();
        note!("warning: {file}: {what}; it is issued all the same");
    }
    if !options.unbound {
        note!(
            "These parts are open: each machine can load them. With --request FILE they are bound to a \
             customer's containers; --unbound says that open ones are meant."
        );
    }
    Ok(())
}

/// Rejects a key file with another kind of key, or with another issuer's key than the rest of a set
/// has.
fn signs(options: &Issue) -> Outcome {
    let key = &options.key;
    let Ok(text) = files::text(key, KEY_MAX) else { return Ok(()) };
    KeyKind::Secret.expect(key, &text, Some(&options.out))?;
    let public = options.out.join(PUBLIC);
    let own = Issuer::parse(&text).map(|issuer| issuer.public().to_text());
    let other = files::text(&public, KEY_MAX);
    if let (Some(part), Ok(own), Ok(other)) = (options.only, own, other) {
        if own.trim() != other.trim() {
            let what = format!(
                "the set in {} was signed with another key, so part {part} would not belong to it; right \
                 would be the key that it was signed with",
                options.out.display()
            );
            return Err(files::wrong(key, what));
        }
    }
    Ok(())
}

/// Signs the open parts of a specification, and returns the files that were written.
///
/// # Errors
/// As of [`issue`].
pub fn sign(options: &Issue, spec: &Spec) -> Result<Vec<PathBuf>, Failure> {
    let Issue { spec: file, key, out, only, .. } = options;
    signs(options)?;
    let issuer = files::issuer(key)?;
    std::fs::create_dir_all(out).map_err(|error| files::wrong(out, words(&error)))?;
    let now = Clock::start().now().wall;
    warn_of_ended(spec, now, file);
    let mut written = Vec::new();
    for part in only.map_or(1..=3, |part| part..=part) {
        let path = out.join(format!("{part}.cmlic"));
        files::put(&path, &issuer.issue(spec, part, now), Access::Private)?;
        written.push(path);
    }
    let path = out.join(PUBLIC);
    files::put(&path, issuer.public().to_text().as_bytes(), Access::Public)?;
    written.push(path);
    Ok(written)
}
