//! What may be dispatched, and when an acceptance adds up. Pure.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::orders::{AllocationFacts, RawAmount};
use crate::quantity::{Measure, Quantity, QuantityError, parse_base, show_base};
use crate::refusal::Refusal;

/// What somebody says goes out of one allocation.
#[derive(Clone, Debug)]
pub struct DispatchLine {
    pub allocation_id: Uuid,
    pub quantity: RawAmount,
}

/// What goes out of one allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatched {
    pub allocation_id: Uuid,
    pub dispatched_base: i64,
}

/// What the buyer says of one line of a delivery.
#[derive(Clone, Debug)]
pub struct AcceptanceLine {
    pub delivery_line_id: Uuid,
    pub accepted: RawAmount,
    /// Nothing when it is left out.
    pub refused: Option<RawAmount>,
    pub refusal_reason: Option<String>,
}

/// A line that waits for its acceptance.
#[derive(Clone, Copy, Debug)]
pub struct WaitingLine {
    pub id: Uuid,
    pub dispatched_base: i64,
    pub measure: Measure,
}

/// What was accepted and refused of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    pub delivery_line_id: Uuid,
    pub accepted_base: i64,
    pub refused_base: i64,
    /// Stands exactly when something was refused.
    pub refusal_reason: Option<String>,
}

/// Checks what is to go out against the allocations within the caller's reach: each once, confirmed, above zero and
/// at most what was allocated.
pub fn dispatched(
    lines: &[DispatchLine],
    reach: &HashMap<Uuid, &AllocationFacts>,
) -> Result<Vec<Dispatched>, Refusal> {
    let mut seen = HashSet::new();
    let checked = lines.iter().enumerate().map(|(position, line)| {
        let pointer = format!("/lines/{position}/allocation_id");
        let allocation = reach
            .get(&line.allocation_id)
            .ok_or_else(|| Refusal::invalid(&pointer, "the order has no such allocation for you"))?;
        if !seen.insert(line.allocation_id) {
            return Err(Refusal::invalid(&pointer, "this allocation stands here twice"));
        }
        if allocation.state != "confirmed" {
            return Err(Refusal::WrongState {
                what: "allocation",
                from: allocation.state.clone(),
                attempted: "dispatch it",
            });
        }
        let dispatched_base = positive(line, allocation, &format!("/lines/{position}/quantity"))?;
        Ok(Dispatched { allocation_id: line.allocation_id, dispatched_base })
    });
    checked.collect()
}

fn positive(line: &DispatchLine, allocation: &AllocationFacts, pointer: &str) -> Result<i64, Refusal> {
    let measure = allocation.measure;
    let base = Quantity::parse(&line.quantity.amount, line.quantity.unit)
        .and_then(|quantity| quantity.for_measure(measure))
        .map_err(|error| Refusal::invalid(pointer, error))?
        .base();
    if base > allocation.quantity_base {
        let detail = format!(
            "at most {} is allocated, {} would be too much",
            named(allocation.quantity_base, measure),
            named(base, measure)
        );
        return Err(Refusal::invalid(pointer, detail));
    }
    Ok(base)
}

/// Checks an acceptance against the lines of the delivery: each once, accepted and refused together exactly what was
/// dispatched, a reason for every refusal.
pub fn weighed(lines: &[AcceptanceLine], waiting: &[WaitingLine]) -> Result<Vec<Weighed>, Refusal> {
    let known: HashMap<Uuid, &WaitingLine> = waiting.iter().map(|line| (line.id, line)).collect();
    let mut seen = HashSet::new();
    let checked = lines.iter().enumerate().map(|(position, line)| {
        let pointer = format!("/lines/{position}/delivery_line_id");
        let waiting = known
            .get(&line.delivery_line_id)
            .ok_or_else(|| Refusal::invalid(&pointer, "the delivery has no such line"))?;
        if !seen.insert(line.delivery_line_id) {
            return Err(Refusal::invalid(&pointer, "this line stands here twice"));
        }
        weigh(line, waiting, position)
    });
    let weighed = checked.collect::<Result<Vec<_>, _>>()?;
    if weighed.len() == waiting.len() {
        return Ok(weighed);
    }
    let detail = format!("the delivery has {} lines, accept or refuse every one", waiting.len());
    Err(Refusal::invalid("/lines", detail))
}

fn weigh(line: &AcceptanceLine, waiting: &WaitingLine, position: usize) -> Result<Weighed, Refusal> {
    let pointer = |member: &str| format!("/lines/{position}/{member}");
    let measure = waiting.measure;
    let accepted_base = base_or_zero(&line.accepted, measure, &pointer("accepted"))?;
    let refused = line.refused.as_ref().map(|raw| base_or_zero(raw, measure, &pointer("refused")));
    let refused_base = refused.transpose()?.unwrap_or(0);
    let sum = accepted_base.saturating_add(refused_base);
    if sum != waiting.dispatched_base {
        let detail = format!(
            "accepted and refused are {} together, {} was dispatched",
            named(sum, measure),
            named(waiting.dispatched_base, measure)
        );
        return Err(Refusal::invalid(pointer("accepted"), detail));
    }
    let reason = line.refusal_reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if refused_base > 0 && reason.is_none() {
        return Err(Refusal::invalid(pointer("refusal_reason"), "say why it was refused"));
    }
    Ok(Weighed {
        delivery_line_id: line.delivery_line_id,
        accepted_base,
        refused_base,
        refusal_reason: reason.filter(|_| refused_base > 0).map(str::to_owned),
    })
}

fn base_or_zero(raw: &RawAmount, measure: Measure, pointer: &str) -> Result<i64, Refusal> {
    if raw.unit.measure() != measure {
        return Err(Refusal::invalid(pointer, QuantityError::WrongMeasure(measure)));
    }
    parse_base(&raw.amount, raw.unit).map_err(|error| Refusal::invalid(pointer, error))
}

fn named(base: i64, measure: Measure) -> String {
    format!("{} {}", show_base(base, measure), measure.shown_in())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Unit;
    use proptest::prelude::*;

    fn grams(base: i64) -> RawAmount {
        RawAmount { amount: show_base(base, Measure::Mass), unit: Unit::Kg }
    }

    proptest! {
        #[test]
        fn an_acceptance_adds_up_exactly_or_is_refused(
            dispatched in 1_i64..1_000_000, accepted in 0_i64..1_000_000, refused in 0_i64..1_000_000
        ) {
            let id = Uuid::from_u128(1);
            let waiting = [WaitingLine { id, dispatched_base: dispatched, measure: Measure::Mass }];
            let line = |accepted, refused| AcceptanceLine {
                delivery_line_id: id,
                accepted: grams(accepted),
                refused: Some(grams(refused)),
                refusal_reason: Some("wet".to_owned()),
            };
            let answer = weighed(&[line(accepted, refused)], &waiting);
            prop_assert_eq!(answer.is_ok(), accepted + refused == dispatched);
            let accepted = accepted.min(dispatched);
            let answer = weighed(&[line(accepted, dispatched - accepted)], &waiting).unwrap();
            prop_assert_eq!(answer[0].accepted_base + answer[0].refused_base, dispatched);
            prop_assert_eq!(answer[0].refusal_reason.is_some(), accepted < dispatched);
        }
    }
}
