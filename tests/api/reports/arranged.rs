//! What reports are made of, written below the API: settled sales with all the rows they hang on.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement, Value as Sql};
use serde_json::Value;
use uuid::Uuid;
use zhuxiao::sheet::{Column, Table};

use crate::support::{COUNTY, Person, World};

pub const PERIOD: &str = "from=2027-01-01&to=2027-12-31";

/// A service whose cache is its own: others on a shared Redis show other databases.
pub async fn world() -> World {
    World::with(|settings| settings.redis_url = None).await.with_regions().await
}

pub fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

/// One accepted line.
#[derive(Clone, Debug)]
pub struct Sale {
    pub household: Uuid,
    pub village: String,
    pub status: String,
    pub product: Uuid,
    pub category: String,
    pub measure: String,
    pub kind: String,
    pub day: String,
    pub base: i64,
    pub fen: i64,
    pub received_fen: i64,
    pub paid_out_fen: i64,
}

impl Sale {
    /// A sale of tea on 2027-02-01, nothing of it paid.
    pub fn of(household: Uuid, village: &str, product: Uuid, base: i64, fen: i64) -> Self {
        Self {
            household,
            village: village.to_owned(),
            status: "registered".to_owned(),
            product,
            category: "tea".to_owned(),
            measure: "mass".to_owned(),
            kind: "school".to_owned(),
            day: "2027-02-01".to_owned(),
            base,
            fen,
            received_fen: 0,
            paid_out_fen: 0,
        }
    }
}

/// One settled order of an institution, to which lines can be added.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    pub institution: Uuid,
    pub order: Uuid,
    pub line: Uuid,
    pub lot: Uuid,
    pub delivery: Uuid,
    pub settlement: Uuid,
}

/// A connection below the API.
pub struct Books {
    pub connection: DatabaseConnection,
    now: chrono::DateTime<chrono::Utc>,
}

impl Books {
    pub async fn open(world: &World) -> Self {
        Self { connection: Database::connect(world.database_url()).await.unwrap(), now: world.clock.now() }
    }

    pub fn is_postgres(&self) -> bool {
        self.connection.get_database_backend() == sea_orm::DbBackend::Postgres
    }

    pub async fn run(&self, sql: &str, values: Vec<Sql>) {
        // The engines differ in the type of JSON columns alone.
        let sql = sql.replace("{json}", if self.is_postgres() { "::jsonb" } else { "" });
        let statement = Statement::from_sql_and_values(self.connection.get_database_backend(), sql, values);
        self.connection.execute_raw(statement).await.unwrap();
    }

    /// A settled order of `institution` over a lot that takes no part in what is unsold.
    pub async fn paper(&self, institution: Uuid, household: Uuid, product: Uuid) -> Paper {
        let [order, line, lot, delivery, acceptance, settlement] = [(); 6].map(|()| Uuid::now_v7());
        let now = self.now;
        self.run(
            "insert into lot (id, county_code, household_id, product_id, village_code, price_fen, pricing_unit,
                              offered_base, ready_from, sell_by, certificates, state, created_at, updated_at, version)
             select $1, county_code, id, $3, village_code, 100, 'kg', 1, $4, $4, '[]'{json}, 'withdrawn', $5, $5, 1
             from household where id = $2",
            vec![lot.into(), household.into(), product.into(), day("2020-01-01").into(), now.into()],
        )
        .await;
        self.run(
            "insert into purchase_order (id, county_code, number, institution_id, policy, state, amount_fen, placed_by,
                                         placed_at, hold_expires_at, version)
             values ($1, $2, $3, $4, 'max_min', 'settled', 0, $1, $5, $5, 1)",
            vec![order.into(), COUNTY.into(), order.to_string().into(), institution.into(), now.into()],
        )
        .await;
        self.run(
            "insert into order_line (id, order_id, line_no, product_id, quantity_base, max_price_fen, max_price_unit,
                                     needed_by, region_code, allow_partial, shortfall_base, amount_fen, replay)
             values ($1, $2, 1, $3, 1, 100, 'kg', $4, '341823000000', false, 0, 0, '{}'{json})",
            vec![line.into(), order.into(), product.into(), day("2027-12-31").into()],
        )
        .await;
        self.run(
            "insert into delivery (id, county_code, order_id, number, state, dispatched_by, dispatched_at)
             values ($1, $2, $3, $4, 'accepted', $1, $5)",
            vec![delivery.into(), COUNTY.into(), order.into(), delivery.to_string().into(), now.into()],
        )
        .await;
        self.run(
            "insert into acceptance (id, delivery_id, accepted_by, witnessed_by, accepted_on, created_at)
             values ($1, $2, $1, $2, $3, $4)",
            vec![acceptance.into(), delivery.into(), day("2027-02-01").into(), now.into()],
        )
        .await;
        self.run(
            "insert into settlement (id, county_code, number, order_id, acceptance_id, institution_id, amount_fen,
                                     received_fen, settled_on, due_on, created_at)
             values ($1, $2, $3, $4, $5, $6, 0, 0, $7, $7, $8)",
            vec![
                settlement.into(),
                COUNTY.into(),
                settlement.to_string().into(),
                order.into(),
                acceptance.into(),
                institution.into(),
                day("2027-02-01").into(),
                now.into(),
            ],
        )
        .await;
        Paper { institution, order, line, lot, delivery, settlement }
    }

    /// An accepted line on a paper.
    pub async fn sell(&self, paper: Paper, sale: &Sale) {
        let [allocation, delivery_line] = [(); 2].map(|()| Uuid::now_v7());
        self.run(
            "insert into allocation (id, county_code, order_id, line_id, lot_id, household_id, quantity_base, price_fen,
                                     pricing_unit, amount_fen, tier, reason, state, round)
             values ($1, $2, $3, $4, $5, $6, 1, 100, 'kg', 0, 1, 'test', 'accepted', 1)",
            vec![
                allocation.into(),
                COUNTY.into(),
                paper.order.into(),
                paper.line.into(),
                paper.lot.into(),
                sale.household.into(),
            ],
        )
        .await;
        self.run(
            "insert into delivery_line (id, delivery_id, allocation_id, dispatched_base) values ($1, $2, $3, 1)",
            vec![delivery_line.into(), paper.delivery.into(), allocation.into()],
        )
        .await;
        self.run(
            "insert into settlement_line (id, settlement_id, delivery_line_id, allocation_id, household_id, county_code,
                                          village_code, household_status, product_id, category, institution_id,
                                          institution_kind, sold_on, measure, quantity_base, price_fen, pricing_unit,
                                          amount_fen, received_fen, paid_out_fen)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 100, 'kg', $16, $17, $18)",
            vec![
                Uuid::now_v7().into(),
                paper.settlement.into(),
                delivery_line.into(),
                allocation.into(),
                sale.household.into(),
                COUNTY.into(),
                sale.village.as_str().into(),
                sale.status.as_str().into(),
                sale.product.into(),
                sale.category.as_str().into(),
                paper.institution.into(),
                sale.kind.as_str().into(),
                day(&sale.day).into(),
                sale.measure.as_str().into(),
                sale.base.into(),
                sale.fen.into(),
                sale.received_fen.into(),
                sale.paid_out_fen.into(),
            ],
        )
        .await;
    }

    /// "Asked on this day."
    pub async fn visit(&self, household: Uuid, on: &str, outcome: &str) {
        self.run(
            "insert into survey_visit (id, county_code, household_id, visited_on, outcome, visited_by, created_at)
             values ($1, $2, $3, $4, $5, $1, $6)",
            vec![
                Uuid::now_v7().into(),
                COUNTY.into(),
                household.into(),
                day(on).into(),
                outcome.into(),
                self.now.into(),
            ],
        )
        .await;
    }
}

/// A report's JSON.
pub async fn report(world: &World, by: &Person, path: &str) -> Value {
    world.get(by, &format!("/v1/reports/{path}")).await.ok()
}

/// A report's file: its headers of type and name, and its bytes.
pub async fn file(world: &World, by: &Person, path: &str) -> (String, String, Vec<u8>) {
    let request = world.request(reqwest::Method::GET, Some(by), &format!("/v1/reports/{path}"));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let (kind, name) = (header("content-type"), header("content-disposition"));
    (kind, name, response.bytes().await.unwrap().to_vec())
}

/// Reads a file back the way uploads are read.
pub fn read_back(bytes: &[u8], titles: &'static [&'static str]) -> Vec<Vec<String>> {
    let column = Column { key: "wanted", titles, required: true };
    let table = Table::read(bytes, &[column]).unwrap();
    let width = table.header.len();
    let cells = |cells: &Vec<String>| cells.iter().take(width).cloned().collect::<Vec<_>>();
    std::iter::once(&table.header).chain(table.rows.iter().map(|row| &row.cells)).map(cells).collect()
}
