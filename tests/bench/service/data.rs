//! A county with a million lots and a million settled lines, written set by set with SQL, and the people who call.

use chrono::{Days, TimeDelta};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use zhuxiao::clock::Clock;
use zhuxiao::id::secret_hash;

use crate::client::CLIENTS;
use crate::engine::{Engine, execute};

/// Products and lots of one kind of order: each product has exactly so many lots, all of the same tier.
#[derive(Clone, Copy)]
pub struct Kind {
    pub lots_each: u64,
    pub products: u64,
    pub first_product: u64,
    pub first_lot: u64,
}

/// Orders whose lines take 1, 5, 20 and 200 allocations, spread over many products.
pub const UNIFORM: [Kind; 4] = [
    Kind { lots_each: 1, products: 2_000, first_product: 10_000, first_lot: 1 },
    Kind { lots_each: 5, products: 1_000, first_product: 20_000, first_lot: 2_001 },
    Kind { lots_each: 20, products: 1_000, first_product: 30_000, first_lot: 7_001 },
    Kind { lots_each: 200, products: 200, first_product: 40_000, first_lot: 27_001 },
];

/// The ten lots that everybody wants.
pub const HOT: Kind = Kind { lots_each: 10, products: 1, first_product: 50_000, first_lot: 67_001 };

/// Lots of the kinds above; the others are spread over [`PRODUCTS`] products.
const ORDERED_LOTS: u64 = 67_010;
const PRODUCTS: u64 = 60;

/// Households whose lots are ordered are all registered; of the others some are monitored and some neither.
pub const ORDERED_HOUSEHOLDS: u64 = 10_000;
const HOUSEHOLDS: u64 = 20_000;
const VILLAGES: u64 = 144;
const INSTITUTIONS: u64 = 200;

/// Tokens of the people who call.
pub struct People {
    /// One buyer per client, each of an institution of its own.
    pub buyers: Vec<String>,
    pub officer: String,
    pub rows: u64,
}

/// Migrates the database and fills it.
pub fn load(engine: &Engine, rows: u64) -> People {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        engine.migrate().await;
        let connection = engine.connect().await;
        connection.execute_unprepared("begin").await.unwrap();
        places(engine, &connection).await;
        let people = people(engine, &connection, rows).await;
        lots(engine, &connection, rows).await;
        settled(engine, &connection, rows).await;
        connection.execute_unprepared("commit").await.unwrap();
        // What nothing was written to stays as a fresh database has it: statistics of an empty table would say that it
        // always is.
        let settle = if engine.is_postgres() {
            "vacuum analyze region, household, institution, principal, session, product, lot, settlement_line"
        } else {
            "analyze"
        };
        connection.execute_unprepared(settle).await.unwrap();
        if engine.is_postgres() {
            connection.execute_unprepared("checkpoint").await.unwrap();
        }
        connection.close().await.unwrap();
        people
    })
}

/// Numbers `from` to `to` as rows of `n`, on both engines.
pub fn numbers(from: u64, to: u64) -> String {
    format!(
        "with recursive s(n) as (select cast({from} as bigint) union all select n + 1 from s where n < {to})"
    )
}

/// The village of a number: eleven townships from 341823100 on.
fn village(number: &str) -> String {
    format!(
        "cast(341823100001 + (({number}) % {VILLAGES}) / 14 * 1000 + (({number}) % {VILLAGES}) % 14 as text)"
    )
}

async fn places(engine: &Engine, connection: &DatabaseConnection) {
    let above = "insert into region (code, level, name, parent_code, valid_from) values
        ('340000000000', 'province', '安徽省', null, '2020-01-01'),
        ('341800000000', 'city', '宣城市', '340000000000', '2020-01-01'),
        ('341823000000', 'county', '泾县', '341800000000', '2020-01-01')";
    execute(connection, above, vec![]).await;
    let townships = format!(
        "insert into region (code, level, name, parent_code, valid_from)
         {} select cast(341823100000 + n * 1000 as text), 'township', '镇' || n, '341823000000', '2020-01-01' from s",
        numbers(0, 10)
    );
    execute(connection, &townships, vec![]).await;
    let villages = format!(
        "insert into region (code, level, name, parent_code, valid_from)
         {} select {}, 'village', '村' || n, substr({}, 1, 9) || '000', '2020-01-01' from s",
        numbers(0, VILLAGES - 1),
        village("n"),
        village("n")
    );
    execute(connection, &villages, vec![]).await;
    let now = Clock::System.now();
    let households = format!(
        "insert into household (id, county_code, village_code, head_name, status, created_at, updated_at, version)
         {} select {}, '341823', {}, '户主' || n,
                   case when n <= {ORDERED_HOUSEHOLDS} or n % 10 < 6 then 'registered'
                        when n % 10 = 6 then 'monitored_unstable' else 'general' end, $1, $1, 1 from s",
        numbers(1, HOUSEHOLDS),
        engine.id("01", "n"),
        village("n")
    );
    execute(connection, &households, vec![now.into()]).await;
    let institutions = format!(
        "insert into institution (id, county_code, region_code, name, kind, credit_code, created_at, updated_at, version)
         {} select {}, '341823', '341823000000', '单位' || n,
                   case n % 3 when 0 then 'school' when 1 then 'agency' else 'hospital' end, 'BENCH' || n, $1, $1, 1 from s",
        numbers(1, INSTITUTIONS),
        engine.id("02", "n")
    );
    execute(connection, &institutions, vec![now.into()]).await;
}

/// Buyers 1 to 8 and officer 9; the token of each is known.
async fn people(engine: &Engine, connection: &DatabaseConnection, rows: u64) -> People {
    let now = Clock::System.now();
    let mut tokens = Vec::new();
    for number in 1..=CLIENTS + 1 {
        let (id, institution) = (engine.id("05", "$1"), engine.id("02", "$1"));
        let (role, place) = if number > CLIENTS {
            ("officer", "null, '341823000000'".to_owned())
        } else {
            ("buyer", format!("{institution}, null"))
        };
        let number = i64::try_from(number).unwrap();
        let principal = format!(
            "insert into principal (id, county_code, account, password_hash, role, display_name, institution_id,
                                    region_code, is_active, created_at)
             values ({id}, '341823', '{role}{number}', 'none', '{role}', '{role}', {place}, true, $2)"
        );
        execute(connection, &principal, vec![number.into(), now.into()]).await;
        let token = format!("token of {role} {number}").replace(' ', "-");
        let session = format!(
            "insert into session (id, principal_id, token_hash, created_at, expires_at) values ({}, {id}, $3, $2, $4)",
            engine.id("06", "$1")
        );
        let expires_at = now + TimeDelta::days(1);
        let values = vec![number.into(), now.into(), secret_hash(&token).into(), expires_at.into()];
        execute(connection, &session, values).await;
        tokens.push(token);
    }
    let officer = tokens.pop().unwrap();
    People { buyers: tokens, officer, rows }
}

async fn lots(engine: &Engine, connection: &DatabaseConnection, rows: u64) {
    products(engine, connection, 1, PRODUCTS).await;
    for kind in UNIFORM.into_iter().chain([HOT]) {
        products(engine, connection, kind.first_product, kind.first_product + kind.products - 1).await;
        let last_lot = kind.first_lot + kind.lots_each * kind.products - 1;
        let product = format!("{} + (n - {}) / {}", kind.first_product, kind.first_lot, kind.lots_each);
        let household = ordered_household("n");
        insert_lots(engine, connection, [kind.first_lot, last_lot], &product, &household).await;
    }
    let household = format!("{} + (n * 7919) % {}", ORDERED_HOUSEHOLDS + 1, HOUSEHOLDS - ORDERED_HOUSEHOLDS);
    let product = format!("1 + n % {PRODUCTS}");
    insert_lots(engine, connection, [ORDERED_LOTS + 1, rows], &product, &household).await;
}

/// The household of a lot that is ordered, by the lot's number.
pub fn ordered_household(lot: &str) -> String {
    format!("1 + ({lot}) % {ORDERED_HOUSEHOLDS}")
}

async fn products(engine: &Engine, connection: &DatabaseConnection, first: u64, last: u64) {
    let sql = format!(
        "insert into product (id, county_code, code, name, category, measure, pricing_unit, grades, pack_base, certificates,
                              catalogue_code, tax_code, is_active, created_at, updated_at, version)
         {} select {}, '341823', 'P' || n, '产品' || n, 'category' || (n % 12), 'mass', 'kg', '[]', 1, '[]',
                   'A07031301', '1010116010000000000', true, $1, $1, 1 from s",
        numbers(first, last),
        engine.id("03", "n")
    );
    execute(connection, &sql, vec![Clock::System.now().into()]).await;
}

async fn insert_lots(
    engine: &Engine,
    connection: &DatabaseConnection,
    [first, last]: [u64; 2],
    product: &str,
    household: &str,
) {
    let sql = format!(
        "insert into lot (id, county_code, household_id, product_id, village_code, price_fen, pricing_unit, offered_base,
                          ready_from, sell_by, certificates, certified_until, state, created_at, updated_at, version)
         {} select {}, '341823', {}, {}, {}, 3000 + n % 20 * 100, 'kg', 1000000000000, '2020-01-01', '2099-12-31', '[]',
                   '9999-12-31', 'on_sale', $1, $1, 1 from s",
        numbers(first, last),
        engine.id("04", "n"),
        engine.id("01", household),
        engine.id("03", product),
        village(household)
    );
    execute(connection, &sql, vec![Clock::System.now().into()]).await;
}

/// Settled lines of the last two years. What they rest on is left out: reports read these rows alone.
async fn settled(engine: &Engine, connection: &DatabaseConnection, rows: u64) {
    let first_day = Clock::System.today() - Days::new(730);
    let day = if engine.is_postgres() {
        "cast($1 as date) + cast((n * 31) % 730 as int)"
    } else {
        "date($1, '+' || ((n * 31) % 730) || ' days')"
    };
    let household = format!("1 + (n * 7919) % {HOUSEHOLDS}");
    let institution = format!("1 + (n * 104729) % {INSTITUTIONS}");
    let sql = format!(
        "insert into settlement_line (id, settlement_id, delivery_line_id, allocation_id, household_id, county_code,
             village_code, household_status, product_id, category, institution_id, institution_kind, sold_on, measure,
             quantity_base, price_fen, pricing_unit, amount_fen, received_fen, paid_out_fen)
         {} select {}, {}, {}, {}, {}, '341823', {}, 'registered', {}, 'category' || (1 + n % {PRODUCTS}) % 12, {},
                   case ({institution}) % 3 when 0 then 'school' when 1 then 'agency' else 'hospital' end, {day}, 'mass',
                   1000 + n % 50000, 3000, 'kg', 3000 + n % 50000 * 3, 3000, 2000 from s",
        numbers(1, rows),
        engine.id("07", "n"),
        engine.id("08", "n / 20"),
        engine.id("09", "n"),
        engine.id("0a", "n"),
        engine.id("01", &household),
        village(&household),
        engine.id("03", &format!("1 + n % {PRODUCTS}")),
        engine.id("02", &institution),
    );
    execute(connection, &sql, vec![first_day.into()]).await;
}
