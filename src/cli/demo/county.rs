//! The county the demo plays in: its regions, its catalogue and its households. Every person in it is made up.

use chrono::NaiveDate;
use uuid::Uuid;

use super::calendar::{at, days_after};
use super::data;
use super::dice::Dice;
use super::people::Officials;
use super::stage::{COUNTY, Stage};
use crate::cli::Ended;
use crate::members::access::Caller;
use crate::members::households::{self, NewHousehold, NewVisit, Status, VisitOutcome};
use crate::money::{Fen, Price};
use crate::products::{self, NewProduct, NewReferencePrice, ProductFacts};
use crate::regions::{self, Level, NewRegion};

/// The list of regions is the one of this day.
const REGIONS_FROM: (i32, u32, u32) = (2019, 10, 31);

/// How many in a hundred households have each status.
const STATUSES: [(Status, i64); 5] = [
    (Status::General, 62),
    (Status::Registered, 30),
    (Status::MonitoredUnstable, 3),
    (Status::MonitoredMarginal, 3),
    (Status::MonitoredHardship, 2),
];

/// How many in a thousand visits end how.
const VISITS: [(VisitOutcome, i64); 3] =
    [(VisitOutcome::HasUnsold, 640), (VisitOutcome::NothingUnsold, 290), (VisitOutcome::NotReached, 70)];

/// Days of the first survey, right after the books are set up.
const SURVEY_DAYS: i64 = 9;

/// A product of the catalogue.
#[derive(Clone, Debug)]
pub struct Good {
    pub data: data::Product,
    pub facts: ProductFacts,
}

impl Good {
    /// Whole packs only; goods sold loose are weighed out in half kilos, counted ones one by one.
    pub fn step_base(&self) -> i64 {
        match (self.data.pack_base, self.data.measure) {
            (pack, _) if pack > 1 => pack,
            (_, crate::quantity::Measure::Mass) => 500,
            (_, crate::quantity::Measure::Count) => 1,
        }
    }

    /// Kept for more than a season.
    pub fn is_durable(&self) -> bool {
        self.data.shelf_life_days >= 180
    }

    pub fn is_in_season(&self, month: u32) -> bool {
        self.is_durable() || self.data.season_months.contains(&month)
    }

    /// The reference price of a grade: the best costs a seventh more, the last a tenth less.
    pub fn grade_price_fen(&self, grade: Option<&str>) -> i64 {
        let place = self.data.grades.iter().position(|known| Some(known.as_str()) == grade);
        let percent = match place {
            Some(0) => 114,
            Some(place) if place + 1 == self.data.grades.len() => 90,
            _ => 100,
        };
        self.data.reference_price_fen * percent / 100
    }
}

/// A household of the demo.
#[derive(Clone, Debug)]
pub struct Household {
    pub id: Uuid,
    pub village_code: String,
}

/// Loads province, city, county, townships and villages.
pub async fn make_regions(stage: &Stage) -> Result<usize, Ended> {
    let (year, month, day) = REGIONS_FROM;
    let valid_from = NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
    let regions: Vec<NewRegion> = stage
        .data
        .regions
        .iter()
        .map(|region| NewRegion {
            code: region.code.clone(),
            level: level_of(region.level),
            name: region.name.clone(),
            parent_code: region.parent.clone(),
            valid_from,
            valid_to: None,
        })
        .collect();
    let count = regions.len();
    let txn = stage.app.db.begin().await?;
    regions::insert_many(&txn, regions).await?;
    txn.commit(()).await?;
    Ok(count)
}

/// Fills the catalogue.
pub async fn make_products(stage: &Stage) -> Result<Vec<Good>, Ended> {
    let app = &stage.app;
    let new: Vec<NewProduct> = stage.data.products.iter().map(new_product).collect();
    let txn = app.db.begin().await?;
    let ids = products::insert_many(&txn, app, &stage.actor, new).await?;
    txn.commit(()).await?;
    let mut facts = products::find_many(app.db.reader(), &ids).await?;
    let goods = ids
        .iter()
        .zip(&stage.data.products)
        .filter_map(|(id, data)| Some(Good { data: data.clone(), facts: facts.remove(id)? }));
    Ok(goods.collect())
}

/// Says what everything should cost, grade by grade: one proposes, another approves.
pub async fn make_reference_prices(
    stage: &Stage,
    officials: &Officials,
    goods: &[Good],
) -> Result<(), Ended> {
    for good in goods {
        let ungraded = good.data.grades.is_empty().then_some(None);
        for grade in ungraded.into_iter().chain(good.data.grades.iter().cloned().map(Some)) {
            let fen = Fen::new(good.grade_price_fen(grade.as_deref()));
            let price =
                Price::new(fen, good.data.pricing_unit).map_err(|error| Ended::Failed(error.to_string()))?;
            let noted = NewReferencePrice {
                grade,
                price,
                from_on: stage.calendar.day(1, 1),
                source: "示范价格（虚构）".to_owned(),
            };
            let (app, product) = (&stage.app, good.facts.id);
            let proposed = products::add_reference_price(app, &officials.officer, product, noted).await?;
            products::approve_reference_price(app, &officials.second_officer, product, proposed.id).await?;
        }
        stage.progress.done(1);
    }
    Ok(())
}

/// Makes households up, in every village as long as they reach.
pub async fn make_households(stage: &Stage, count: u32) -> Result<Vec<Household>, Ended> {
    let villages: Vec<&str> = stage
        .data
        .regions
        .iter()
        .filter(|region| region.level == data::RegionLevel::Village)
        .map(|region| region.code.as_str())
        .collect();
    let mut dice = Dice::new(stage.seed, 1);
    let has_keys = stage.has_keys;
    let new: Vec<NewHousehold> = (1..=count)
        .zip(villages.iter().cycle())
        .map(|(number, village)| new_household(stage, &mut dice, number, village, has_keys))
        .collect();
    let villages: Vec<String> = new.iter().map(|one| one.village_code.clone()).collect();
    let txn = stage.app.db.begin().await?;
    let ids = households::insert_many(&txn, &stage.app, &stage.actor, new).await?;
    txn.commit(()).await?;
    Ok(ids.into_iter().zip(villages).map(|(id, village_code)| Household { id, village_code }).collect())
}

/// Visits most households in the first days: what have you that is unsold?
pub async fn survey(stage: &Stage, officer: &Caller, households: &[Household]) -> Result<(), Ended> {
    let mut dice = Dice::new(stage.seed, 2);
    let count = i64::try_from(households.len()).unwrap_or(1);
    for (place, household) in households.iter().enumerate() {
        stage.progress.done(1);
        if !dice.happens(850) {
            continue;
        }
        let position = i64::try_from(place).unwrap_or(0) * SURVEY_DAYS;
        let visited_on = days_after(stage.calendar.start(), 1 + position / count);
        stage.app.clock.set(at(visited_on, 9, position % count * 400 / count));
        let outcome =
            dice.weighted(&VISITS, |visit| visit.1).map_or(VisitOutcome::NotReached, |visit| visit.0);
        let visit = NewVisit { visited_on, outcome, note: None };
        households::record_visit(&stage.app, officer, household.id, visit).await?;
    }
    Ok(())
}

fn new_product(product: &data::Product) -> NewProduct {
    NewProduct {
        county_code: COUNTY.to_owned(),
        code: product.code.clone(),
        name: product.name.clone(),
        category: product.category.clone(),
        measure: product.measure,
        pricing_unit: product.pricing_unit,
        grades: product.grades.clone(),
        shelf_life_days: Some(product.shelf_life_days),
        pack_base: product.pack_base.max(1),
        certificates: product.certificates.clone(),
        catalogue_code: product.catalogue_code.clone(),
        tax_code: product.tax_code.clone(),
    }
}

fn new_household(stage: &Stage, dice: &mut Dice, number: u32, village: &str, has_keys: bool) -> NewHousehold {
    let status = dice.weighted(&STATUSES, |status| status.1).map_or(Status::General, |status| status.0);
    NewHousehold {
        id: None,
        village_code: village.to_owned(),
        head_name: stage.data.person(dice),
        status,
        status_from: days_after(stage.calendar.start(), -dice.between(200, 1_800)),
        // Nobody who was born in 1800 lives, no mobile number of China begins with 12, and no bank's accounts begin with ten
        // zeros.
        identity_number: has_keys.then(|| identity_number(number)).flatten(),
        phone: has_keys.then(|| format!("129{number:08}")),
        bank_account: has_keys.then(|| format!("0000000000{number:09}")),
        address: has_keys.then(|| format!("示范组虚构{number:06}号")),
        external_ref: Some(format!("DEMO-{number:06}")),
        consent_on: Some(stage.calendar.start()),
    }
}

/// The number of somebody born in 1800: a thousand for each of its days, each with the right check digit.
fn identity_number(number: u32) -> Option<String> {
    let born = NaiveDate::from_yo_opt(1800, 1 + number / 1_000)?;
    let digits = format!("{COUNTY}{}{:03}", born.format("%Y%m%d"), number % 1_000);
    households::check_letter(&digits).map(|letter| format!("{digits}{letter}"))
}

fn level_of(level: data::RegionLevel) -> Level {
    match level {
        data::RegionLevel::Province => Level::Province,
        data::RegionLevel::City => Level::City,
        data::RegionLevel::County => Level::County,
        data::RegionLevel::Township => Level::Township,
        data::RegionLevel::Village => Level::Village,
    }
}
