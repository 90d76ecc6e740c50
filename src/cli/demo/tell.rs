//! The summary as people and programs read it. stdout is data.

use serde::Serialize;

use super::people::{account_of, password_of};
use super::summary::Summary;
use crate::cli::{Ended, say};
use crate::members::access::Role;

/// Somebody who can sign in.
#[derive(Clone, Debug, Serialize)]
pub struct SignIn {
    pub role: &'static str,
    pub account: String,
    pub password: String,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    sign_ins: Vec<SignIn>,
}

/// One sign-in per role.
#[must_use]
pub fn sign_ins() -> Vec<SignIn> {
    Role::ALL
        .into_iter()
        .map(|role| SignIn { role: role.as_str(), account: account_of(role, 0), password: password_of(role) })
        .collect()
}

/// Everything as one JSON object on stdout.
pub fn json(summary: &Summary) -> Result<(), Ended> {
    let told = Told { summary, sign_ins: sign_ins() };
    say(&serde_json::to_string(&told).map_err(|error| Ended::Failed(error.to_string()))?);
    Ok(())
}

/// The same as a table for people.
pub fn people(summary: &Summary) {
    let count = |name: &str| summary.counts.get(name).copied().unwrap_or(0);
    let line = |label: &str, text: String| say(&format!("{label:<22} {text}"));
    let facts = &summary.facts;
    line("demo", format!("Jing County (341823), {}, seed {}", facts.year, facts.seed));
    line("regions", format!("{} townships, {} villages", count("townships"), count("villages")));
    line("products", format!("{}", count("products")));
    line("  provisional tax code", summary.tax_codes_provisional.join(", "));
    line(
        "people",
        format!(
            "{} helpers, {} cooperatives, {} institutions",
            count("helpers"),
            count("cooperatives"),
            count("institutions")
        ),
    );
    line("households", format!("{} of {} earned", summary.households_earned, summary.households_total));
    for status in &summary.by_status {
        line(&format!("  {}", status.status), format!("{} of {}", status.earned, status.households));
    }
    line("survey visits", count("visits").to_string());
    line("lots", format!("{} offered, worth {} yuan", count("lots"), summary.offered_yuan));
    line("  sell-through", format!("{} %, {} yuan", summary.sell_through_percent, summary.sold_yuan));
    line("  still on sale", format!("{}, worth {} yuan", summary.on_sale_lots, summary.on_sale_yuan));
    line("orders", by_name(&summary.orders_by_state));
    line("  refused as sold out", facts.orders_refused.to_string());
    line(
        "deliveries",
        format!(
            "{}, {} lines, {} with refusals, {} shared again",
            summary.deliveries,
            summary.delivery_lines,
            summary.delivery_lines_refused,
            summary.allocations_reshared
        ),
    );
    line("settled", format!("{} yuan", summary.sold_yuan));
    line(
        "received",
        format!(
            "{} yuan in {} payments, {} of it deposits",
            summary.received_yuan,
            count("payments"),
            summary.deposited_yuan
        ),
    );
    line(
        "paid out",
        format!(
            "{} yuan in {} payouts of {} batches, {} returned",
            summary.paid_out_yuan,
            count("payouts_paid"),
            count("payout_batches"),
            count("payouts_returned")
        ),
    );
    line(
        "largest share",
        format!("{} %, {} yuan", summary.largest_share.percent, summary.largest_share.yuan),
    );
    line(
        "smallest share",
        format!("{} %, {} yuan", summary.smallest_share.percent, summary.smallest_share.yuan),
    );
    let lines = &summary.purchase_lines;
    line(
        "purchase lines",
        format!(
            "{} of {} mapped to products, {} of them ordered",
            lines.mapped, lines.total, facts.purchase_lines_ordered
        ),
    );
    for (reason, count) in &lines.left_out {
        line("  left out", format!("{count} {}", reason.as_str()));
    }
    line("audit", format!("{} checks, {} findings", summary.audit.checks, summary.audit.findings));
    line("digest", summary.digest.clone());
    for one in sign_ins() {
        line("sign in", format!("{:<10} {} / {}", one.role, one.account, one.password));
    }
}

fn by_name(counts: &std::collections::BTreeMap<String, i64>) -> String {
    counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}
