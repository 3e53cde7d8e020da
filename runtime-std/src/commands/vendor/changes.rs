//! What a vendor changes from one issue to the next: the values of a specification.

use super::desk::{Desk, Issue, products};
use crate::entropy;
use serde_json::Value;
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;
use tmr_core::licence::Spec;

/// Why a change cannot be made, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

/// What the desk has added to a specification, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Added(pub(super) Vec<String>);

/// Completes a specification: CmActId and TMR-Ids that it lacks are those of the customer's last
/// issue, or new ones. `ordinary`: products without a TMR-Id are meant.
///
/// # Errors
/// A CmActId or a TMR-Id is another customer's, or not the customer's own.
pub(super) fn complete(
    desk: &Desk,
    customer: &str,
    spec: &mut Value,
    ordinary: bool,
) -> Result<Added, Refused> {
    let last = desk.last(customer).ok();
    let mut added = Added::default();
    match (spec["CmActId"].as_u64(), last.map(|issue| issue.spec.cm_act_id())) {
        (None, Some(before)) if before != 0 => spec["CmActId"] = before.into(),
        (None, Some(_)) => {}
        (None, None) => {
            let id = free_cm_act_id(desk);
            spec["CmActId"] = id.into();
            added.0.push(format!("CmActId {id}"));
        }
        (Some(own), Some(before)) if own != u64::from(before) => {
            return Err(Refused(format!(
                "CmActId {own}: the earlier issues to {customer} have {before}, and what programs have \
                 encrypted could not be read any more; right would be {before}, or another customer's name"
            )));
        }
        (Some(_), _) => {}
    }
    let own = spec["CmActId"].as_u64().unwrap_or_default();
    let others = || desk.issues().iter().filter(|issue| issue.record.customer != customer);
    if let Some(other) = others().find(|it| own != 0 && u64::from(it.spec.cm_act_id()) == own) {
        let other = &other.record.customer;
        return Err(Refused(format!(
            "CmActId {own} is that of {other}, and both would have the same secret; right would be to \
             leave it out, so that the desk gives a new one"
        )));
    }
    let firm_code = spec["FirmCode"].as_u64().unwrap_or_default();
    let mut next = desk.next_tmr_id().max(highest(spec).saturating_add(1));
    for product in products(spec) {
        let code = product.get("ProductCode").and_then(Value::as_u64).unwrap_or_default();
        if let Some(id) = product.get("TmrId").and_then(Value::as_u64) {
            if let Some(other) = others().find(|issue| has(&issue.spec, firm_code, code, id)) {
                let other = &other.record.customer;
                return Err(Refused(format!(
                    "product {code}: TmrId {id} is that of {other}; right would be to leave it out, so \
                     that the desk gives the next one"
                )));
            }
        } else if !ordinary {
            let id = last.and_then(|issue| id_before(issue, code)).unwrap_or_else(|| {
                let id = next;
                next = next.saturating_add(1);
                added.0.push(format!("product {code}: TmrId {id}"));
                id
            });
            product.insert("TmrId".into(), id.into());
        }
    }
    Ok(added)
}

/// Sets the end of products: of the one that is named, or of each that has one.
///
/// # Errors
/// There is no such product, or its end is later already.
pub(super) fn renew(spec: &mut Value, product: Option<u32>, until: Wall) -> Result<(), Refused> {
    let mut count = 0;
    for one in chosen(spec, product)? {
        let end = one.get("ExpirationTime").and_then(Value::as_str);
        let end = end.and_then(|text| rfc3339::parse(text).ok());
        match end {
            None if product.is_none() => continue,
            Some(end) if end >= until => {
                let code = &one["ProductCode"];
                let end = rfc3339::format(end);
                return Err(Refused(format!(
                    "product {code} ends on {end}; right would be a later time (tmrd vendor revoke ends \
                     it)"
                )));
            }
            _ => {}
        }
        one.insert("ExpirationTime".into(), rfc3339::format(until).into());
        count += 1;
    }
    if count == 0 {
        return Err(Refused(
            "no product has an end; --product says which one is to have one".into(),
        ));
    }
    Ok(())
}

/// Raises the seats of a product.
///
/// # Errors
/// There is no such product, or it has as many seats.
pub(super) fn raise(spec: &mut Value, product: u32, quantity: u32) -> Result<(), Refused> {
    for one in chosen(spec, Some(product))? {
        let before = one.get("LicenseQuantity").and_then(Value::as_u64).unwrap_or_default();
        if u64::from(quantity) <= before {
            return Err(Refused(format!(
                "product {product} has {before} seats; right would be more (fewer are issued with a \
                 specification: tmrd vendor issue)"
            )));
        }
        one.insert("LicenseQuantity".into(), quantity.into());
    }
    Ok(())
}

/// Ends products now: the one that is named, or all.
///
/// # Errors
/// There is no such product, or all have ended already.
pub(super) fn revoke(spec: &mut Value, product: Option<u32>, now: Wall) -> Result<(), Refused> {
    let mut count = 0;
    for one in chosen(spec, product)? {
        let end = one.get("ExpirationTime").and_then(Value::as_str);
        if end.and_then(|text| rfc3339::parse(text).ok()).is_some_and(|end| end <= now) {
            continue;
        }
        one.insert("ExpirationTime".into(), rfc3339::format(now).into());
        // One that lies ahead would be after the end.
        one.remove("ActivationTime");
        count += 1;
    }
    if count == 0 {
        return Err(Refused("it has ended already".into()));
    }
    Ok(())
}

type Product = serde_json::Map<String, Value>;

fn chosen(spec: &mut Value, product: Option<u32>) -> Result<Vec<&mut Product>, Refused> {
    let mut all = products(spec);
    let Some(code) = product else { return Ok(all) };
    let is = |one: &Product| one.get("ProductCode").and_then(Value::as_u64) == Some(code.into());
    let codes: Vec<_> = all.iter().map(|one| one["ProductCode"].to_string()).collect();
    all.retain(|one| is(one));
    if all.is_empty() {
        let known = codes.join(", ");
        return Err(Refused(format!("there is no product {code}; products are: {known}")));
    }
    Ok(all)
}

fn highest(spec: &mut Value) -> u32 {
    let ids = products(spec).into_iter().filter_map(|one| one.get("TmrId")?.as_u64());
    ids.max().and_then(|id| u32::try_from(id).ok()).unwrap_or_default()
}

fn has(spec: &Spec, firm_code: u64, code: u64, id: u64) -> bool {
    let item = spec.firm_item();
    let is = |it: &tmr_core::licence::Product| {
        u64::from(it.product_code) == code && u64::from(it.tmr_id) == id
    };
    u64::from(item.firm_code) == firm_code && item.products.iter().any(is)
}

/// Returns the TMR-Id of a product in an earlier issue, if it has one there.
fn id_before(issue: &Issue, code: u64) -> Option<u32> {
    let mut of = issue.spec.firm_item().products.iter();
    of.find(|it| u64::from(it.product_code) == code && it.tmr_id != 0).map(|it| it.tmr_id)
}

/// Draws a CmActId that no issue has.
fn free_cm_act_id(desk: &Desk) -> u32 {
    loop {
        let id = entropy::id();
        if desk.issues().iter().all(|issue| issue.spec.cm_act_id() != id) {
            return id;
        }
    }
}
