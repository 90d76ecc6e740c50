//! Works out what an order would get: reads the lines, the candidate lots and the facts the policy needs, and shares.
//! Writes nothing; placing an order does exactly what its plan says.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::allocation::{self, Candidate, Demand, Policy, Share};
use super::rules::{self, Line, OrderRequest, Product};
use crate::app::App;
use crate::clock::{business_day, year_start};
use crate::db::WriteTxn;
use crate::lots::stock;
use crate::members::access::RegionScope;
use crate::money::{Fen, Price};
use crate::refusal::{Failure, LineShortfall, Outcome, Refusal};
use crate::{products, regions, settlement};

/// What an order would get.
#[derive(Clone, Debug)]
pub struct Plan {
    pub lines: Vec<PlannedLine>,
    /// Whether a share rests on a hold that has expired and must be let go of first.
    pub needs_expired_holds: bool,
}

/// What one line would get.
#[derive(Clone, Debug)]
pub struct PlannedLine {
    pub line: Line,
    pub region_code: String,
    pub demand: Demand,
    pub candidates: Vec<Candidate>,
    pub parts: Vec<Part>,
    pub shortfall_base: i64,
    pub amount: Fen,
}

/// One share with its price.
#[derive(Clone, Debug)]
pub struct Part {
    pub share: Share,
    pub price: Price,
    pub amount: Fen,
}

impl Plan {
    /// The sum of the lines.
    #[must_use]
    pub fn amount(&self) -> Fen {
        self.lines.iter().map(|line| line.amount).sum()
    }

    /// What could not be filled, for the refusal; lines that allow a partial order count only when nothing of the whole
    /// order can be filled.
    #[must_use]
    pub fn refused_shortfalls(&self) -> Vec<LineShortfall> {
        let is_empty = self.lines.iter().all(|line| line.parts.is_empty());
        let is_short = |line: &PlannedLine| line.shortfall_base > 0 && (is_empty || !line.line.allow_partial);
        let short = self.lines.iter().enumerate().filter(|(_, line)| is_short(line));
        short
            .map(|(index, line)| LineShortfall {
                line_no: index + 1,
                product: line.line.product.name.clone(),
                missing_base: line.shortfall_base,
                measure: line.line.product.measure,
            })
            .collect()
    }
}

/// Plans an order of the given county on what there is at this moment.
pub async fn make(
    app: &App,
    connection: &impl ConnectionTrait,
    request: &OrderRequest,
    county_code: &str,
    now: DateTime<Utc>,
) -> Outcome<Plan> {
    let (lines, region_codes) = read_lines(connection, request, county_code, now).await?;
    plan(app, connection, request.policy, lines, region_codes, now).await
}

/// As [`make`], after locking every lot the order could take, so that nothing it rests on changes before the commit.
pub async fn make_locked(
    app: &App,
    txn: &WriteTxn,
    request: &OrderRequest,
    county_code: &str,
    now: DateTime<Utc>,
) -> Outcome<Plan> {
    let (lines, region_codes) = read_lines(txn, request, county_code, now).await?;
    stock::lock(txn, &all_wanted(&lines, &region_codes)).await?;
    plan(app, txn, request.policy, lines, region_codes, now).await
}

async fn plan(
    app: &App,
    connection: &impl ConnectionTrait,
    policy: Policy,
    lines: Vec<Line>,
    region_codes: Vec<String>,
    now: DateTime<Utc>,
) -> Outcome<Plan> {
    let wanted = all_wanted(&lines, &region_codes);
    let limit = app.settings.candidates_max;
    let lots = stock::candidates(connection, &wanted, now, limit + 1).await?;
    if u64::try_from(lots.len()).is_ok_and(|found| found > limit) {
        let detail = format!("more than {limit} lots could fill this order; narrow the region or the grade");
        return Err(Refusal::invalid("/lines", detail).into());
    }
    let income = read_income(connection, policy, &lots, now).await?;
    Ok(share(app, policy, lines, region_codes, lots, &income))
}

async fn read_lines(
    connection: &impl ConnectionTrait,
    request: &OrderRequest,
    county_code: &str,
    now: DateTime<Utc>,
) -> Outcome<(Vec<Line>, Vec<String>)> {
    rules::check_size(request)?;
    let today = business_day(now);
    let product_ids: Vec<Uuid> = request.lines.iter().map(|line| line.product_id).collect();
    let found = products::find_many(connection, &product_ids).await?;
    let region_codes = read_regions(connection, request, county_code, today).await?;
    let mut lines = Vec::with_capacity(request.lines.len());
    for (index, line) in request.lines.iter().enumerate() {
        let product = found.get(&line.product_id).filter(|product| product.county_code == county_code);
        let product = product.ok_or_else(|| {
            Refusal::invalid(format!("/lines/{index}/product_id"), "there is no such product here")
        })?;
        let product = Product {
            id: product.id,
            name: product.name.clone(),
            measure: product.measure,
            pack_base: product.pack_base,
            grades: product.grades.clone(),
            category: product.category.clone(),
        };
        lines.push(rules::read_line(index, line, &product, today)?);
    }
    Ok((lines, region_codes))
}

/// The region of every line in 12 digits. A line that names none may take from the whole county, which is there because
/// its institution is, and is not looked up.
async fn read_regions(
    connection: &impl ConnectionTrait,
    request: &OrderRequest,
    county_code: &str,
    today: NaiveDate,
) -> Outcome<Vec<String>> {
    let named = request
        .lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| Some((format!("/lines/{index}/region"), line.region.clone()?)));
    let (pointers, codes): (Vec<String>, Vec<String>) = named.unzip();
    let found = if codes.is_empty() {
        Vec::new()
    } else {
        regions::require_all(connection, &codes, today, &pointers).await?
    };
    if let Some((_, pointer)) =
        found.iter().zip(&pointers).find(|(region, _)| !region.code.starts_with(county_code))
    {
        return Err(Refusal::invalid(pointer.clone(), format!("must lie in county {county_code}")).into());
    }
    let whole_county = format!("{county_code:0<12}");
    let mut found = found.into_iter().map(|region| region.code);
    let codes = request.lines.iter().map(|line| line.region.as_ref().and_then(|_| found.next()));
    Ok(codes.map(|code| code.unwrap_or_else(|| whole_county.clone())).collect())
}

fn all_wanted(lines: &[Line], region_codes: &[String]) -> Vec<stock::Wanted> {
    lines.iter().zip(region_codes).map(|(line, code)| wanted(line, code)).collect()
}

fn wanted(line: &Line, region_code: &str) -> stock::Wanted {
    let region = RegionScope::of(region_code);
    stock::Wanted {
        product_id: line.product.id,
        region_from: region.from,
        region_before: region.before,
        grade: line.grade.clone(),
        max_price: line.max_price,
        needed_by: line.needed_by,
    }
}

/// Sales income of this year per candidate household; only `income_levelling` looks at it.
async fn read_income(
    connection: &impl ConnectionTrait,
    policy: Policy,
    lots: &[stock::Candidate],
    now: DateTime<Utc>,
) -> Outcome<HashMap<Uuid, Fen>> {
    if policy != Policy::IncomeLevelling {
        return Ok(HashMap::new());
    }
    let mut households: Vec<Uuid> = lots.iter().map(|lot| lot.household_id).collect();
    households.sort_unstable();
    households.dedup();
    settlement::income_since(connection, &households, year_start(business_day(now))).await
}

/// Shares line by line; what an earlier line takes of a lot is gone for the later ones.
fn share(
    app: &App,
    policy: Policy,
    lines: Vec<Line>,
    region_codes: Vec<String>,
    lots: Vec<stock::Candidate>,
    income: &HashMap<Uuid, Fen>,
) -> Plan {
    let mut by_line: Vec<Vec<stock::Candidate>> = vec![Vec::new(); lines.len()];
    for lot in lots {
        if let Some(of_line) = by_line.get_mut(lot.line) {
            of_line.push(lot);
        }
    }
    let mut taken: HashMap<Uuid, i64> = HashMap::new();
    let mut needs_expired_holds = false;
    let mut planned = Vec::with_capacity(lines.len());
    for ((line, region_code), lots) in lines.into_iter().zip(region_codes).zip(by_line) {
        let demand = Demand {
            quantity_base: line.quantity_base,
            policy,
            pack_base: line.product.pack_base,
            min_share_base: line.min_share_base.unwrap_or(0),
            max_households: line.max_households,
        };
        let spoils = app.settings.spoils_within_days;
        let candidates: Vec<Candidate> = lots
            .iter()
            .map(|lot| Candidate {
                lot_id: lot.lot_id,
                household_id: lot.household_id,
                village: lot.village_code.parse().unwrap_or(0),
                available_base: lot.available_base - taken.get(&lot.lot_id).copied().unwrap_or(0),
                price_fen: lot.price.fen.get(),
                price_per_base: lot.price.per.base(),
                tier: rules::tier(&lot.status, lot.sell_by, line.needed_by, spoils),
                sold_this_year_fen: income.get(&lot.household_id).map_or(0, |fen| fen.get()),
            })
            .collect();
        let outcome = allocation::allocate(&demand, &candidates);
        let lot_of: HashMap<Uuid, &stock::Candidate> = lots.iter().map(|lot| (lot.lot_id, lot)).collect();
        let parts: Vec<Part> = outcome
            .shares
            .into_iter()
            .filter_map(|share| Some(price(lot_of.get(&share.lot_id)?, share)))
            .collect();
        for part in &parts {
            let total = taken.entry(part.share.lot_id).or_insert(0);
            *total += part.share.quantity_base;
            needs_expired_holds |= lot_of.get(&part.share.lot_id).is_some_and(|lot| lot.expired_base > 0);
        }
        let amount = parts.iter().map(|part| part.amount).sum();
        planned.push(PlannedLine {
            line,
            region_code,
            demand,
            candidates,
            parts,
            shortfall_base: outcome.shortfall_base,
            amount,
        });
    }
    Plan { lines: planned, needs_expired_holds }
}

fn price(lot: &stock::Candidate, share: Share) -> Part {
    let amount = lot.price.amount(share.quantity_base);
    Part { share, price: lot.price, amount }
}

/// The inputs of a line's allocation as they are stored with the order: one text, compact, read back by [`replay`].
pub fn record(planned: &PlannedLine) -> Outcome<String> {
    serde_json::to_string(&(&planned.demand, &planned.candidates))
        .map_err(|error| Failure::Broken(error.to_string()))
}

/// Shares again from stored inputs.
pub fn replay(stored: &str) -> Outcome<allocation::Outcome> {
    let (demand, candidates): (Demand, Vec<Candidate>) =
        serde_json::from_str(stored).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(allocation::allocate(&demand, &candidates))
}
