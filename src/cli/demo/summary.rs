//! What the demo came to, computed from the rows of its database, so that it can be told again at any time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calendar::Calendar;
use super::data::{LeftOut, MappedLines, TaxMatch};
use super::stage::{Embedded, Stage};
use super::store;
use crate::audit;
use crate::cli::Ended;
use crate::money::{Fen, Price};

/// What was asked for, and what the rows do not tell; kept in the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub seed: u64,
    pub households: u32,
    pub orders: u32,
    pub year: i32,
    /// Orders that were refused because nothing was left.
    pub orders_refused: i64,
    /// Purchase lines of the source behind the orders that were placed.
    pub purchase_lines_ordered: usize,
}

/// The whole summary. Money is in yuan.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    #[serde(flatten)]
    pub facts: Facts,
    /// Rows by what they are.
    pub counts: BTreeMap<String, i64>,
    /// Products whose tax code only stands in for one that the list at hand does not have.
    pub tax_codes_provisional: Vec<String>,
    pub households_total: i64,
    pub households_earned: i64,
    /// By present status.
    pub by_status: Vec<StatusShare>,
    pub offered_yuan: String,
    pub sold_yuan: String,
    /// Sold in a hundred of what was offered, by value.
    pub sell_through_percent: String,
    pub on_sale_lots: i64,
    pub on_sale_yuan: String,
    pub received_yuan: String,
    pub deposited_yuan: String,
    pub paid_out_yuan: String,
    pub largest_share: Share,
    pub smallest_share: Share,
    pub orders_by_state: BTreeMap<String, i64>,
    pub deliveries: i64,
    pub delivery_lines: i64,
    pub delivery_lines_refused: i64,
    pub allocations_reshared: i64,
    pub purchase_lines: PurchaseLines,
    pub audit: Audit,
    /// SHA-256 over all of the above and every settled line: the same seed gives the same digest.
    pub digest: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct StatusShare {
    pub status: String,
    pub households: i64,
    pub earned: i64,
}

/// What one household earned, and its part of what all earned.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Share {
    pub yuan: String,
    pub percent: String,
}

/// What became of the purchase lines of the source.
#[derive(Clone, Debug, Serialize)]
pub struct PurchaseLines {
    pub total: usize,
    pub mapped: usize,
    pub left_out: BTreeMap<LeftOut, usize>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    pub checks: usize,
    pub findings: usize,
}

/// Computes the summary of the demo in this database.
pub async fn compute(stage: &Stage, facts: Facts) -> Result<Summary, Ended> {
    let (reader, progress) = (stage.app.db.reader(), &stage.progress);
    let end = Calendar { year: facts.year }.end();
    let counts = store::counts(reader).await?.into_iter().map(|row| (row.name, row.count)).collect();
    let by_status: Vec<StatusShare> = store::statuses(reader)
        .await?
        .into_iter()
        .map(|row| StatusShare { status: row.status, households: row.households, earned: row.earned })
        .collect();
    let stock = Stock::of(&store::lots(reader, end).await?)?;
    let missing = || Ended::Failed("the database answered no sums".to_owned());
    let money = store::money(reader).await?.ok_or_else(missing)?;
    let delivered = store::deliveries(reader).await?.ok_or_else(missing)?;
    let incomes = store::incomes(reader).await?;
    let share = |income: Option<&store::IncomeRow>| {
        income.map(|row| Share {
            yuan: Fen::new(row.amount_fen).to_string(),
            percent: percent(row.amount_fen, money.settled_fen),
        })
    };
    let verdict = audit::verify_with(reader, None, |done, all| match done {
        0 => progress.step("audit", all),
        _ => progress.done(1),
    })
    .await?;
    let states = store::orders_by_state(reader).await?;
    let mut summary = Summary {
        counts,
        tax_codes_provisional: provisional(&stage.data),
        households_total: by_status.iter().map(|status| status.households).sum(),
        households_earned: by_status.iter().map(|status| status.earned).sum(),
        by_status,
        offered_yuan: stock.offered.to_string(),
        sold_yuan: Fen::new(money.settled_fen).to_string(),
        sell_through_percent: percent(money.settled_fen, stock.offered.get()),
        on_sale_lots: stock.open_lots,
        on_sale_yuan: stock.open.to_string(),
        received_yuan: Fen::new(money.received_fen).to_string(),
        deposited_yuan: Fen::new(money.deposited_fen).to_string(),
        paid_out_yuan: Fen::new(money.paid_out_fen).to_string(),
        largest_share: share(incomes.last()).unwrap_or_default(),
        smallest_share: share(incomes.first()).unwrap_or_default(),
        orders_by_state: states.into_iter().map(|row| (row.name, row.count)).collect(),
        deliveries: delivered.deliveries,
        delivery_lines: delivered.lines,
        delivery_lines_refused: delivered.refused_lines,
        allocations_reshared: delivered.reshared,
        purchase_lines: purchase_lines(&stage.data.purchases),
        audit: Audit { checks: verdict.checks, findings: verdict.findings.len() },
        digest: String::new(),
        facts,
    };
    summary.digest = digest(&summary, &store::settled_lines(reader).await?)?;
    Ok(summary)
}

/// The lots of the county in money.
struct Stock {
    offered: Fen,
    open: Fen,
    open_lots: i64,
}

impl Stock {
    fn of(lots: &[store::LotRow]) -> Result<Self, Ended> {
        let (mut offered, mut open, mut open_lots) = (Vec::with_capacity(lots.len()), Vec::new(), 0);
        for lot in lots {
            let broken = || Ended::Failed(format!("a lot is priced per {}", lot.pricing_unit));
            let per = lot.pricing_unit.parse().map_err(|()| broken())?;
            let price = Price::new(Fen::new(lot.price_fen), per).map_err(|_| broken())?;
            offered.push(price.amount(lot.offered_base));
            if lot.open_base > 0 {
                open.push(price.amount(lot.open_base));
                open_lots += 1;
            }
        }
        Ok(Self { offered: offered.into_iter().sum(), open: open.into_iter().sum(), open_lots })
    }
}

fn provisional(data: &Embedded) -> Vec<String> {
    let placeholders = data.products.iter().filter(|product| product.tax_match == TaxMatch::Placeholder);
    placeholders.map(|product| product.name.clone()).collect()
}

fn purchase_lines(lines: &MappedLines) -> PurchaseLines {
    PurchaseLines {
        total: lines.mapped + lines.left_out.values().sum::<usize>(),
        mapped: lines.mapped,
        left_out: lines.left_out.clone(),
    }
}

/// `part` of `whole` in a hundred, with five decimals, rounded down: the smallest share of thousands of households is small.
fn percent(part: i64, whole: i64) -> String {
    let parts = i128::from(part) * 10_000_000 / i128::from(whole.max(1));
    format!("{}.{:05}", parts / 100_000, parts % 100_000)
}

fn digest(summary: &Summary, lines: &[store::LineRow]) -> Result<String, Ended> {
    let told = serde_json::to_string(summary).map_err(|error| Ended::Failed(error.to_string()))?;
    let mut hash = Sha256::new();
    hash.update(told);
    for line in lines {
        hash.update(line.id.as_bytes());
        hash.update(line.amount_fen.to_be_bytes());
        hash.update(line.paid_out_fen.to_be_bytes());
    }
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_share_has_five_decimals_and_is_never_rounded_up() {
        assert_eq!(percent(1, 3), "33.33333");
        assert_eq!(percent(2, 3), "66.66666");
        assert_eq!(percent(5, 0), "500.00000");
        assert_eq!(percent(7, 1_000_000_000), "0.00000");
        assert_eq!(percent(1, 1), "100.00000");
    }
}
