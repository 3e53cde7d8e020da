//! What a backend says of itself on its admin pages.

use super::Backend;
use crate::admin::View;
use crate::admin::metrics::Page;
use crate::admin::status::{BackendRoleStatus, LogStatus, PartStatus, ProductStatus, Role};
use crate::history::Span;
use crate::licence::Part;
use crate::log::Handle;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::Value;

impl View for Backend {
    fn status(&self) -> Value {
        let standing = self.acceptor.standing();
        let status = BackendRoleStatus {
            version: env!("CARGO_PKG_VERSION"),
            runtime: self.desk.identity().runtime,
            role: Role::Backend,
            promised_epoch: standing.promised.round,
            group: standing.group.map(|group| group.to_string()),
            disk: standing.disk.to_string(),
            containers: self.containers.iter().map(|held| part_status(&held.part)).collect(),
            log: LogStatus {
                base: standing.base.0,
                committed: standing.committed.0,
                last: standing.last.0,
            },
            handles: (self.acceptor.settled().seat_count() + self.direct.seat_count()) as u64,
        };
        serde_json::to_value(status).unwrap_or_default()
    }

    /// Its log tells; who looks after the group looks at a front.
    fn events(&self) -> Value {
        Value::Array(Vec::new())
    }

    /// A backend that runs can do all it is there for.
    fn usage(&self, _: Span) -> Option<Value> {
        None
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    /// It has nothing to do with the virtual address.
    fn holds(&self) -> Result<(), String> {
        Ok(())
    }

    fn held(&self, _: Handle) -> Result<String, String> {
        Err("this is a backend, which takes no handle back: ask the front that leads".into())
    }

    fn yields(&self) -> Result<(), String> {
        Err("this is a backend, which has no role to give away: ask the front that leads".into())
    }

    fn measure(&self, page: &mut Page) {
        self.write_metrics(page);
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
