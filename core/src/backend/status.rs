//! The status of a backend on its admin pages.

use super::Backend;
use crate::admin::{Refusal, View};
use crate::base::limits::CONFIRMED;
use crate::base::metrics::Page;
use crate::history::Span;
use crate::licence::Part;
use crate::log::{Handle, Slot};
use crate::status::{BackendRoleStatus, LogStatus, PartStatus, ProductStatus, Role};
use crate::verdict::{self, Trouble};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::Value;

impl View for Backend {
    fn status(&self) -> Value {
        let standing = self.acceptor.standing();
        let status = BackendRoleStatus {
            version: env!("CARGO_PKG_VERSION"),
            runtime: self.service.identity().runtime,
            role: Role::Backend,
            promised_epoch: standing.promised.round,
            group: standing.group.map(|group| group.to_string()),
            disk: standing.disk.to_string(),
            containers: self
                .licences
                .containers
                .iter()
                .map(|held| part_status(&held.part))
                .collect(),
            log: LogStatus {
                base: standing.base.0,
                committed: standing.committed.0,
                last: standing.last.0,
            },
            handles: (self.acceptor.settled().seat_count() + self.direct.state.seat_count()) as u64,
        };
        serde_json::to_value(status).unwrap_or_default()
    }

    fn troubles(&self) -> Vec<Trouble> {
        verdict::of_backend(self.readiness(), !self.licences.containers.is_empty())
    }

    /// A backend keeps no list of events: they are in its log, and fronts show those of the group.
    fn events(&self) -> Value {
        Value::Array(Vec::new())
    }

    fn usage(&self, _: Span) -> Option<Value> {
        None
    }

    fn ready(&self) -> Result<(), Refusal> {
        Ok(self.readiness()?)
    }

    /// A backend has nothing to do with the virtual address.
    fn holds(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self, _: Handle) -> Result<String, Refusal> {
        Err("this is a backend, which takes no handle back: ask the front that leads".into())
    }

    fn yields(&self) -> Result<(), Refusal> {
        Err("this is a backend, which has no role to give away: ask the front that leads".into())
    }

    fn measure(&self, page: &mut Page) {
        self.write_metrics(page);
    }
}

impl Backend {
    /// Whether the group would lose nothing if another backend were stopped now: this one is a
    /// member, a front serves with it, and it has every slot that it was told to be chosen.
    ///
    /// # Errors
    /// Returns what is missing, as a sentence for people.
    fn readiness(&self) -> Result<(), String> {
        let standing = self.acceptor.standing();
        if standing.group.is_none() || standing.committed == Slot(0) {
            return Err("it is blank: the front that leads has not taken it in yet".into());
        }
        let members = self.acceptor.settled().members();
        if !members.is_some_and(|members| members.contains(&standing.disk)) {
            return Err(
                "it is no member of the group yet: its disk is new, and the front that leads \
                        is bringing it up to date"
                    .into(),
            );
        }
        if self.fronts.served.is_none_or(|at| self.now.since(at) >= CONFIRMED) {
            return Err("no front that serves has asked it for a while: it may be behind".into());
        }
        if self.acceptor.differs() {
            return Err("its copy of the log differs from that of the front that leads".into());
        }
        let known = self.acceptor.witness().known().max(self.fronts.told);
        if standing.committed < known {
            return Err(format!(
                "it is behind: it has slots up to {}, and up to {known} are known to be chosen",
                standing.committed
            ));
        }
        Ok(())
    }
}

fn part_status(part: &Part) -> PartStatus {
    let licenses = part.licences(part.id()).map(|(key, _, product)| ProductStatus {
        firm_code: key.firm_code,
        product_code: key.product_code,
        tmr_id: key.tmr_id,
        quantity: product.license_quantity,
    });
    PartStatus { serial: part.name(), cm_act_id: part.cm_act_id, licenses: licenses.collect() }
}
