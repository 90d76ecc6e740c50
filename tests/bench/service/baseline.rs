//! What the machine gives at most: `pgbench` writes the rows of an order with set-based statements in one transaction,
//! guarded as ours, with texts as long as ours, without reading, checking or answering anything.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use zhuxiao::clock::Clock;

use crate::Plan;
use crate::client::CLIENTS;
use crate::data::ordered_household;
use crate::engine::Engine;
use crate::orders::Case;

/// A script and the texts it writes.
pub struct Baseline {
    program: String,
    url: String,
    script: PathBuf,
    texts: Texts,
}

/// What an order of ours stores besides its figures.
#[derive(FromQueryResult)]
struct Texts {
    replay: String,
    audit: String,
    response: String,
}

impl Baseline {
    /// Takes the texts of the order placed last, so that `pgbench` writes as much.
    pub async fn prepare(plan: &Plan, engine: &Engine, case: Case) -> Self {
        let connection = engine.connect().await;
        let sql = "select (select replay from order_line where order_id = audit_event.subject_id) as replay,
                          cast(after_json as text) as audit,
                          (select response from idempotency_key order by created_at desc limit 1) as response
                   from audit_event where action = 'place_order' order by id desc limit 1";
        let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
        let texts = Texts::from_query_result(&row.expect("an order has been placed"), "").unwrap();
        connection.close().await.unwrap();
        let script = plan.folder.join("order.sql");
        std::fs::write(&script, script_of(case)).unwrap();
        let program = engine.pgbench.clone().expect("pgbench is there with PostgreSQL");
        Self { program, url: engine.url.clone(), script, texts }
    }

    /// Orders per second of eight clients.
    pub fn run(&self, pause: Duration) -> f64 {
        let base = Clock::System.now().timestamp_micros();
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=1", &format!("--client={CLIENTS}")])
            .arg(format!("--time={}", pause.as_secs()))
            .arg(format!("--file={}", self.script.display()))
            .arg(format!("--define=n={base}"))
            .arg(format!("--define=replay={}", self.texts.replay))
            .arg(format!("--define=audit={}", self.texts.audit))
            .arg(format!("--define=response={}", self.texts.response))
            .arg(&self.url)
            .output()
            .expect("pgbench can be run");
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// Ids grow with time, as ours do: sixteen digits that count the orders, then those of the row.
fn script_of(case: Case) -> String {
    let Case { kind, allocations } = case;
    let (product_last, lot_last) = (kind.products - 1, kind.lots_each - allocations);
    let id =
        |tail: &str| format!("(lpad(to_hex(:n::bigint * 16 + :client_id::bigint), 16, '0') || {tail})::uuid");
    let (order, line, event) = (id("'0000000000000000'"), id("'1000000000000000'"), id("'2000000000000000'"));
    let part = id("'3' || lpad(to_hex(j), 15, '0')");
    let lot = format!("({} + :product::bigint * {} + :start::bigint + j)", kind.first_lot, kind.lots_each);
    let lot_id = format!("('04' || lpad(to_hex({lot}::bigint), 30, '0'))::uuid");
    let household = format!("('01' || lpad(to_hex(({})::bigint), 30, '0'))::uuid", ordered_household(&lot));
    let buyer = "('05' || lpad(to_hex(:client_id::bigint + 1), 30, '0'))::uuid";
    let institution = "('02' || lpad(to_hex(:client_id::bigint + 1), 30, '0'))::uuid";
    let product =
        format!("('03' || lpad(to_hex(({} + :product::bigint)), 30, '0'))::uuid", kind.first_product);
    let parts = format!("generate_series(0, {}) as j", allocations - 1);
    format!(
        "\\set n :n + 1
\\set product random(0, {product_last})
\\set start random(0, {lot_last})
begin;
with part as (select {lot_id} as id from {parts}),
     locked as materialized (select part.id from part join lot on lot.id = part.id order by lot.id for update of lot)
update lot set held_base = lot.held_base + 1 from locked
where lot.id = locked.id and lot.state = 'on_sale'
  and lot.held_base + 1 + lot.confirmed_base + lot.delivered_base <= lot.offered_base;
insert into purchase_order (id, county_code, number, institution_id, policy, state, amount_fen, placed_by, placed_at,
                            hold_expires_at, version)
values ({order}, '341823', 'PB-' || (:n::bigint * 16 + :client_id::bigint), {institution}, 'max_min', 'placed', 3000, {buyer}, now(),
        now() + interval '1 day', 1);
insert into order_line (id, order_id, line_no, product_id, quantity_base, max_price_fen, max_price_unit, needed_by,
                        region_code, grade, min_share_base, max_households, allow_partial, shortfall_base, amount_fen, replay)
values ({line}, {order}, 1, {product}, {allocations}, 10000, 'kg', current_date + 30, '341823000000', null, null, null,
        false, 0, 3000, :replay::text);
insert into allocation (id, county_code, order_id, line_id, lot_id, household_id, quantity_base, price_fen, pricing_unit,
                        amount_fen, tier, reason, state, round)
select {part}, '341823', {order}, {line}, {lot_id}, {household}, 1, 3000, 'kg', 3, 3, 'tier 3 registered, level 0.001 kg',
       'held', 1 from {parts};
insert into audit_event (id, county_code, at, actor_id, actor_role, household_id, action, subject_kind, subject_id,
                         before_json, after_json, request_id)
values ({event}, '341823', now(), {buyer}, 'buyer', null, 'place_order', 'purchase_order', {order}, null,
        :audit::jsonb, '01920000-0000-7000-8000-000000000000');
insert into idempotency_key (principal_id, key, fingerprint, response, created_at)
values ({buyer}, 'bench-' || (:n::bigint * 16 + :client_id::bigint), repeat('f', 64), :response::text, now())
on conflict (principal_id, key) do nothing;
commit;
"
    )
}
