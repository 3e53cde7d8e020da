//! The other front. Each dials the other; who dials tells, who was dialled answers. So there are
//! two links, and on each the telling end keeps the other one's copy of the log warm while it
//! leads.
//!
//! What lives here: connecting, hellos, versions, time-outs, what an operator is told (`tell` and
//! `hear` have the rest). What never lives here: a decision. Who leads and what is committed is for
//! the backends to say; what a twin says saves reading, and is asked again where it matters.

mod hear;
mod tell;

use super::peer::Wire;
use super::{Front, Phase};
use crate::admin::status::{Role, Twin as Shown};
use crate::config;
use crate::io::{Callee, Intent, Link, Why};
use crate::limits::{CONFIRMED, TWIN_HEARTBEAT, TWIN_TROUBLE_LOGGED};
use crate::log::Slot;
use crate::time::{Deadline, Mono, Now};
use crate::wire::twin::{Heard, Hello, Part, Shared, Tell, Version};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use hear::{Ground, Hearing, News};
use tell::{Subject, Telling};

/// The other front, as this one knows it.
#[derive(Clone, Debug)]
pub(super) struct Twin {
    config: config::Twin,
    /// What this front speaks.
    pub(super) own: Version,
    /// Of the other one's program.
    program: Option<String>,
    tell: Telling,
    hear: Hearing,
}

/// What is wrong with one of the two links.
#[derive(Clone, Debug, Default)]
struct Trouble {
    text: Option<String>,
    logged: Option<Mono>,
}

impl Trouble {
    /// Keeps it, and logs it unless something was logged lately.
    fn note(&mut self, now: Mono, text: String) {
        let again = self.logged.is_none_or(|at| now.since(at) >= TWIN_TROUBLE_LOGGED);
        if again {
            tracing::warn!("twin: {text}");
            self.logged = Some(now);
        }
        self.text = Some(text);
    }
}

impl Twin {
    pub(super) fn new(config: config::Twin) -> Self {
        Self {
            config,
            own: Version::OWN,
            program: None,
            tell: Telling::default(),
            hear: Hearing::default(),
        }
    }

    fn hello(&self, front: u32) -> Vec<u8> {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        Hello { version: self.own, front, program }.encode()
    }

    /// What the other one's hello leads to: the minor version to speak, or why not at all.
    fn judge(&self, front: u32, bytes: &[u8]) -> Result<(u16, String), (String, Why)> {
        let address = &self.config.address;
        let Ok(hello) = Hello::decode(bytes) else {
            let text = format!("{address} holds the group key, but says no hello of a twin");
            return Err((text, Why::Protocol("no hello of a twin")));
        };
        if hello.front == front {
            let text = format!(
                "TwinServer {address} is this front itself; right would be the address of the \
                 other front's TwinListen"
            );
            return Err((text, Why::Stepped("a front that is its own twin")));
        }
        let Some(minor) = self.own.spoken_with(hello.version) else {
            let text = format!(
                "the twin at {address} (tmrd {}) speaks version {} of the protocol between twins, \
                 this front (tmrd {}) version {}; run versions on both that differ behind the \
                 point only",
                hello.program,
                hello.version,
                env!("CARGO_PKG_VERSION"),
                self.own
            );
            return Err((text, Why::Stepped("a twin of another major version")));
        };
        Ok((minor, hello.program))
    }
}

impl Front {
    /// A connection came in by the door for the twin.
    pub(super) fn twin_accepted(&mut self, link: Link, from: SocketAddr, out: &mut Vec<Intent>) {
        let Some(twin) = &mut self.twin else { return };
        twin.hear.strangers.insert(link, from);
        out.push(Intent::Send { link, frame: twin.hello(self.config.front) });
    }

    /// A message of the twin, on either link.
    pub(super) fn twin_frame(&mut self, now: Now, link: Link, bytes: &[u8], out: &mut Vec<Intent>) {
        let stands_by = matches!(self.phase, Phase::Standby);
        let id = self.config.front;
        let Some(twin) = &mut self.twin else { return };
        let ended = match twin.tell.wire {
            Wire::Dialling(at, _) if at == link => match twin.judge(id, bytes) {
                Ok((minor, program)) => {
                    twin.program = Some(program);
                    twin.tell.stands(now.mono, link, minor);
                    let shared = Tell::Shared(shared(&self.config));
                    twin.tell.send(now.mono, &shared, out);
                    None
                }
                Err((text, why)) => {
                    twin.tell.lost(now.mono);
                    twin.tell.trouble.note(now.mono, text);
                    Some(why)
                }
            },
            Wire::Up(at) if at == link => match Heard::decode(bytes) {
                Ok(heard) => {
                    if !twin.tell.answered(now.mono, heard, &self.ledger) {
                        // It knows of more than this front has proposed: somebody else leads.
                        self.heartbeat = now.mono;
                    }
                    None
                }
                Err(_) => Some(Why::Protocol("a twin sent no answer")),
            },
            _ if twin.hear.strangers.contains_key(&link) => match twin.judge(id, bytes) {
                Ok((minor, program)) => {
                    twin.program = Some(program);
                    twin.hear.strangers.remove(&link);
                    if let Some(old) = twin.hear.stands(now.mono, link, minor) {
                        let why = Why::Stepped("a later link of the twin took its place");
                        out.push(Intent::Close { link: old, why });
                    }
                    // It is there: no pause is needed to find that out.
                    if let Wire::Down(_) = twin.tell.wire {
                        twin.tell.wire = Wire::Down(now.mono);
                    }
                    None
                }
                Err((text, why)) => {
                    twin.hear.strangers.remove(&link);
                    twin.hear.trouble.note(now.mono, text);
                    out.push(Intent::Close { link, why });
                    return;
                }
            },
            _ if twin.hear.link() == Some(link) => {
                let ground = Ground { stands_by, ledger: &mut self.ledger };
                match twin.hear.heard(now.mono, bytes, ground, out) {
                    Ok(news) => return self.twin_news(now.mono, news),
                    Err(why) => Some(why),
                }
            }
            _ => return,
        };
        if let Some(why) = ended {
            out.push(Intent::Close { link, why: why.clone() });
            self.twin_closed(now.mono, link, &why);
        }
    }

    /// What a message of the twin has brought.
    fn twin_news(&mut self, now: Mono, news: News) {
        if news.named {
            self.join();
        }
        if let (Some(twin), Some(theirs)) = (&mut self.twin, &news.shared) {
            twin.hear.compare(&shared(&self.config), theirs);
        }
        let Some(epoch) = news.leads else { return };
        self.highest = self.highest.max(epoch);
        if matches!(self.phase, Phase::Leading { epoch: own } if own < epoch) {
            // The twin is no authority. The backends are, and they are asked at once.
            self.heartbeat = now;
        }
    }

    /// A link is gone; whether it was one with the twin.
    pub(super) fn twin_closed(&mut self, now: Mono, link: Link, why: &Why) -> bool {
        let Some(twin) = &mut self.twin else { return false };
        let address = &twin.config.address;
        match twin.tell.wire {
            Wire::Dialling(at, _) if at == link => {
                let text = match why {
                    Why::Eof => format!(
                        "{address} closed the connection before it proved the group key: another \
                         key there, or no front"
                    ),
                    why => format!("{address} cannot be reached: {why}"),
                };
                twin.tell.lost(now);
                twin.tell.trouble.note(now, text);
            }
            Wire::Up(at) if at == link => {
                let text = format!("the connection to {address} is lost: {why}");
                twin.tell.lost(now);
                twin.tell.trouble.note(now, text);
            }
            _ if twin.hear.link() == Some(link) => {
                twin.hear.lost();
                let text = format!("the connection from {address} is lost: {why}");
                twin.hear.trouble.note(now, text);
            }
            _ => {
                let Some(from) = twin.hear.strangers.remove(&link) else { return false };
                if let (Why::Protocol(_), None) = (why, twin.hear.link()) {
                    twin.hear.trouble.note(now, format!("a connection from {from}: {why}"));
                }
            }
        }
        true
    }

    /// Dials, and closes links on which nothing moves.
    pub(super) fn twin_timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let front = self.config.front;
        let Some(twin) = &mut self.twin else { return };
        let within = twin.config.connect_timeout;
        let transfer = twin.config.transfer_timeout;
        let mut late = Vec::new();
        match twin.tell.wire {
            Wire::Down(at) if at <= now => {
                self.dialled += 2;
                let link = Link(self.dialled);
                twin.tell.wire = Wire::Dialling(link, now + within);
                let (to, callee) = (twin.config.address.clone(), Callee::Twin { within });
                out.push(Intent::Dial { link, to, callee });
                out.push(Intent::Send { link, frame: twin.hello(front) });
            }
            Wire::Dialling(link, until) if until <= now => {
                late.push((link, "no hello of the twin within ConnectTimeoutInSeconds"));
            }
            Wire::Up(link) if twin.tell.due(transfer).is_some_and(|at| at <= now) => {
                late.push((link, "no answer of the twin within TransferTimeoutInSeconds"));
            }
            _ => {}
        }
        if let Some(link) = twin.hear.link() {
            if twin.hear.silent(transfer) <= now {
                late.push((link, "no word of the twin within TransferTimeoutInSeconds"));
            }
        }
        for (link, what) in late {
            let why = Why::Timeout(what);
            out.push(Intent::Close { link, why: why.clone() });
            self.twin_closed(now, link, &why);
        }
    }

    /// Tells the twin what is new, and answers what has changed here.
    pub(super) fn twin_settle(&mut self, now: Now, out: &mut Vec<Intent>) {
        let part = self.part(now.mono);
        let stands_by = matches!(self.phase, Phase::Standby);
        let leads = matches!(self.phase, Phase::Leading { .. });
        let epoch = self.phase.epoch().unwrap_or(self.highest);
        let Some(twin) = &mut self.twin else { return };
        twin.hear.settle(Ground { stands_by, ledger: &mut self.ledger }, out);
        twin.tell.settle(now, &Subject { part, epoch, leads, ledger: &self.ledger }, out);
    }

    /// The part that this front plays now.
    pub(super) fn part(&self, now: Mono) -> Part {
        match self.phase {
            Phase::Standby => Part::Standby,
            Phase::Leading { .. } if self.confirmed(now, CONFIRMED) => Part::Active,
            _ => Part::Starting,
        }
    }

    /// The twin has every entry up to this slot in its memory, under the epoch of this front.
    pub(super) fn twin_has(&self, slot: Slot) -> bool {
        self.twin.as_ref().is_some_and(|twin| twin.tell.acked() >= slot)
    }

    pub(super) fn twin_deadline(&self) -> Option<Deadline> {
        let twin = self.twin.as_ref()?;
        let transfer = twin.config.transfer_timeout;
        let tell = match twin.tell.wire {
            Wire::Down(at) => Some(Deadline { at, reason: "dial the twin" }),
            Wire::Dialling(_, at) => Some(Deadline { at, reason: "twin does not answer" }),
            Wire::Up(_) => {
                let due = twin.tell.due(transfer);
                let due = due.map(|at| Deadline { at, reason: "twin takes nothing" });
                let next = twin.tell.next(TWIN_HEARTBEAT);
                Deadline::sooner(due, next.map(|at| Deadline { at, reason: "tell the twin" }))
            }
        };
        let at = twin.hear.silent(transfer);
        let hear = twin.hear.link().map(|_| Deadline { at, reason: "twin is silent" });
        Deadline::sooner(tell, hear)
    }

    /// What status says of it.
    pub(super) fn twin_status(&self) -> Option<Shown> {
        let twin = self.twin.as_ref()?;
        let connected = twin.tell.stood().is_some() && twin.hear.link().is_some();
        let committed = self.ledger.committed();
        let lag = if let Phase::Leading { .. } = self.phase {
            committed.0.saturating_sub(twin.tell.acked().0)
        } else {
            twin.hear.lag(committed)
        };
        let synced = match self.phase {
            Phase::Leading { .. } => self.twin_has(committed),
            _ => twin.hear.whole(),
        };
        let standing = twin.hear.standing();
        Some(Shown {
            address: twin.config.address.to_string(),
            connected,
            synced: connected && synced && lag == 0,
            lag,
            role: standing.map(|standing| match standing.part {
                Part::Standby => Role::Standby,
                Part::Starting => Role::Starting,
                Part::Active => Role::Active,
            }),
            epoch: standing.map(|standing| standing.epoch.round),
            since: standing.and_then(|standing| standing.leads),
            version: twin.program.clone(),
            trouble: twin.tell.trouble.text.clone().or_else(|| twin.hear.trouble.text.clone()),
            differs: twin.hear.differs.clone(),
        })
    }
}

/// What this front's configuration says of what both must have alike.
fn shared(config: &super::Config) -> Shared {
    let mut servers = config.backends.each_ref().map(ToString::to_string);
    servers.sort();
    let mut virtuals = config.virtuals.clone();
    virtuals.sort_unstable();
    Shared { servers, virtuals, cleanup_seconds: config.cleanup.as_secs() }
}
