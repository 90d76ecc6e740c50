//! Consistent books written below the API. Here the goods: lots, orders in every state, deliveries, and the trail of
//! all of it; the money of it is in `money.rs`.

use chrono::NaiveDate;
use sea_orm::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::db::{self, WriteTxn};
use zhuxiao::trail::{self, Actor, Event};

use crate::support::{COUNTY, World};

const DAY: &str = "2027-03-01";

/// The lot of which 10 kg are held.
pub const LOT_HELD: Uuid = id('l', 3);

/// A delivery line: its number, allocation, dispatched base, and what was accepted and refused.
type Line = (u32, u32, i64, Option<(i64, i64)>);

/// What the parts of the books have in common.
pub struct Books<'a> {
    pub world: &'a World,
    pub txn: &'a WriteTxn,
    pub households: [Uuid; 2],
    pub institution: Uuid,
    pub product: Uuid,
    pub lots: [Uuid; 3],
}

/// Ids that are the same in every run, told apart by the table's mark and a position.
pub const fn id(mark: char, position: u32) -> Uuid {
    #[expect(clippy::as_conversions, reason = "`u128::from` is not const, and nothing is lost")]
    let number = ((mark as u128) << 64) | (7 << 76) | (position as u128);
    Uuid::from_u128(number)
}

pub fn day() -> NaiveDate {
    DAY.parse().unwrap()
}

/// A world with the books in it.
pub async fn books() -> World {
    let world = World::new().await.with_regions().await;
    let households = [
        world.household("341823100001", "registered").await,
        world.household("341823101201", "general").await,
    ];
    let product = world.product("tea").await;
    let institution = world.institution("示范学校", "school").await;
    let txn = world.app.db.begin().await.unwrap();
    let lots = [id('l', 1), id('l', 2), id('l', 3)];
    let books = Books { world: &world, txn: &txn, households, institution, product, lots };
    books.members().await;
    books.lots().await;
    books.orders().await;
    books.deliveries().await;
    books.settlement().await;
    books.terms().await;
    books.ledger().await;
    books.payments().await;
    books.deposit_uses().await;
    books.payouts().await;
    books.statements().await;
    books.papers().await;
    books.counters().await;
    txn.commit(()).await.unwrap();
    world
}

impl Books<'_> {
    pub async fn put(&self, table: &str, columns: Vec<(&str, Value)>) {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("${at}")).collect();
        let sql = format!("insert into {table} ({}) values ({})", names.join(", "), places.join(", "));
        let values: Vec<Value> = columns.into_iter().map(|(_, value)| value).collect();
        assert_eq!(db::change(self.txn, &sql, values).await.unwrap(), 1);
    }

    pub async fn event(
        &self,
        subject_kind: &'static str,
        subject_id: Uuid,
        before: Option<Json>,
        after: Json,
    ) {
        self.event_of("test", subject_kind, subject_id, before, after).await;
    }

    async fn event_of(
        &self,
        action: &'static str,
        subject_kind: &'static str,
        subject_id: Uuid,
        before: Option<Json>,
        after: Json,
    ) {
        let event = Event {
            county_code: Some(COUNTY.to_owned()),
            household_id: None,
            action,
            subject_kind,
            subject_id,
            before,
            after: Some(after),
        };
        let now = self.world.clock.now();
        trail::record(self.txn, &self.world.app.ids, now, &Actor::service("test"), vec![event])
            .await
            .unwrap();
    }

    pub fn now(&self) -> Value {
        self.world.clock.now().into()
    }

    async fn members(&self) {
        for household in self.households {
            self.event("household", household, None, json!({ "status": "registered" })).await;
        }
        self.event("institution", self.institution, None, json!({ "kind": "school" })).await;
        self.event("product", self.product, None, json!({ "pack_base": 1 })).await;
        let price = id('r', 1);
        let columns = vec![
            ("id", price.into()),
            ("product_id", self.product.into()),
            ("price_fen", 3_500.into()),
            ("pricing_unit", "kg".into()),
            ("from_on", day().into()),
            ("source", "市场".into()),
            ("created_at", self.now()),
        ];
        self.put("reference_price", columns).await;
        self.event("reference_price", price, None, json!({ "price_fen": 3_500 })).await;
    }

    /// `(household, price, unit, offered, held, confirmed, delivered)`; the first lot was edited and fell short.
    async fn lots(&self) {
        let lots = [
            (0, 3_201, "jin", 498_950, 0, 0, 99_050),
            (1, 4_000, "kg", 80_000, 0, 1_000, 50_000),
            (1, 4_000, "kg", 60_000, 10_000, 25_000, 0),
        ];
        for (lot, (household, price, unit, offered, held, confirmed, delivered)) in self.lots.iter().zip(lots)
        {
            let columns = vec![
                ("id", (*lot).into()),
                ("county_code", COUNTY.into()),
                ("household_id", self.households[household].into()),
                ("product_id", self.product.into()),
                ("village_code", "341823100001".into()),
                ("price_fen", price.into()),
                ("pricing_unit", unit.into()),
                ("offered_base", offered.into()),
                ("held_base", held.into()),
                ("confirmed_base", confirmed.into()),
                ("delivered_base", delivered.into()),
                ("ready_from", day().into()),
                ("sell_by", day().into()),
                ("certificates", json!([]).into()),
                ("state", "on_sale".into()),
                ("created_at", self.now()),
                ("updated_at", self.now()),
                ("version", 1.into()),
            ];
            self.put("lot", columns).await;
        }
        let told = |offered: i64, price: i64| json!({ "offered_base": offered, "price_fen": price, "state": "on_sale" });
        let (first, edited) = (told(400_000, 3_000), told(500_000, 3_201));
        self.event("lot", self.lots[0], None, first.clone()).await;
        self.event("lot", self.lots[0], Some(first), edited).await;
        self.event("lot", self.lots[1], None, told(80_000, 4_000)).await;
        self.event("lot", self.lots[2], None, told(60_000, 4_000)).await;
    }

    async fn orders(&self) {
        self.order(
            1,
            "settled",
            0,
            &[(1, 0, 100_100, 640_840, "accepted"), (2, 1, 50_000, 200_000, "accepted")],
        )
        .await;
        self.order(2, "placed", 1_000, &[(3, 2, 10_000, 40_000, "held")]).await;
        self.order(3, "confirmed", 0, &[(4, 2, 20_000, 80_000, "confirmed")]).await;
        self.order(4, "delivering", 0, &[(5, 2, 5_000, 20_000, "dispatched")]).await;
        self.order(5, "cancelled", 0, &[(7, 2, 3_000, 12_000, "released")]).await;
        let replacement = self.allocation(4, (6, 1, 1_000, 4_000, "confirmed"), 2).await;
        let after = json!({ "lines": [{ "id": id('i', 4), "allocations": [replacement] }] });
        self.event("purchase_order", id('o', 4), None, after).await;
    }

    /// An order of one line with allocations `(number, lot, quantity, amount, state)`.
    async fn order(&self, number: u32, state: &str, short: i64, parts: &[(u32, usize, i64, i64, &str)]) {
        let quantity: i64 = short + parts.iter().map(|part| part.2).sum::<i64>();
        let amount: i64 = parts.iter().map(|part| part.3).sum();
        let is_confirmed = ["confirmed", "delivering", "settled"].contains(&state);
        let columns = vec![
            ("id", id('o', number).into()),
            ("county_code", COUNTY.into()),
            ("number", format!("PO-341823-2027-{number:06}").into()),
            ("institution_id", self.institution.into()),
            ("policy", "max_min".into()),
            ("state", state.into()),
            ("amount_fen", amount.into()),
            ("placed_by", id('x', 1).into()),
            ("placed_at", self.now()),
            ("hold_expires_at", self.now()),
            ("confirmed_at", is_confirmed.then(|| self.world.clock.now()).into()),
            ("version", 1.into()),
        ];
        self.put("purchase_order", columns).await;
        if is_confirmed {
            self.event_of("confirm_order", "purchase_order", id('o', number), None, json!({})).await;
        }
        if state == "cancelled" {
            self.event_of("cancel_order", "purchase_order", id('o', number), None, json!({})).await;
        }
        let columns = vec![
            ("id", id('i', number).into()),
            ("order_id", id('o', number).into()),
            ("line_no", 1.into()),
            ("product_id", self.product.into()),
            ("quantity_base", quantity.into()),
            ("max_price_fen", 9_000.into()),
            ("max_price_unit", "kg".into()),
            ("needed_by", day().into()),
            ("region_code", "341823000000".into()),
            ("min_share_base", 1_000.into()),
            ("max_households", 5.into()),
            ("allow_partial", true.into()),
            ("shortfall_base", short.into()),
            ("amount_fen", amount.into()),
            ("replay", "{}".into()),
        ];
        self.put("order_line", columns).await;
        let mut allocations = Vec::new();
        for part in parts {
            allocations.push(self.allocation(number, *part, 1).await);
        }
        let line = json!({
            "id": id('i', number), "quantity_base": quantity, "max_price_fen": 9_000, "min_share_base": 1_000,
            "max_households": 5, "shortfall_base": short, "amount_fen": amount, "allocations": allocations
        });
        let after = json!({ "amount_fen": amount, "lines": [line] });
        self.event("purchase_order", id('o', number), None, after).await;
    }

    async fn allocation(&self, order: u32, part: (u32, usize, i64, i64, &str), round: i64) -> Json {
        let (number, lot, quantity, amount, state) = part;
        let (price, unit) = if lot == 0 { (3_201, "jin") } else { (4_000, "kg") };
        let columns = vec![
            ("id", id('a', number).into()),
            ("county_code", COUNTY.into()),
            ("order_id", id('o', order).into()),
            ("line_id", id('i', order).into()),
            ("lot_id", self.lots[lot].into()),
            ("household_id", self.households[usize::from(lot > 0)].into()),
            ("quantity_base", quantity.into()),
            ("price_fen", price.into()),
            ("pricing_unit", unit.into()),
            ("amount_fen", amount.into()),
            ("tier", 3.into()),
            ("reason", "tier 3".into()),
            ("state", state.into()),
            ("round", round.into()),
        ];
        self.put("allocation", columns).await;
        json!({ "id": id('a', number), "quantity_base": quantity, "price_fen": price, "amount_fen": amount })
    }

    async fn deliveries(&self) {
        self.delivery(
            1,
            1,
            "accepted",
            &[(1, 1, 99_600, Some((99_050, 550))), (2, 2, 50_000, Some((50_000, 0)))],
        )
        .await;
        self.delivery(2, 4, "dispatched", &[(3, 5, 5_000, None)]).await;
        let columns = vec![
            ("id", id('c', 1).into()),
            ("delivery_id", id('d', 1).into()),
            ("accepted_by", id('x', 1).into()),
            ("witnessed_by", id('x', 2).into()),
            ("accepted_on", day().into()),
            ("created_at", self.now()),
        ];
        self.put("acceptance", columns).await;
        let lines = json!([
            { "id": id('e', 1), "accepted_base": 99_050, "refused_base": 550 },
            { "id": id('e', 2), "accepted_base": 50_000, "refused_base": 0 }
        ]);
        self.event("acceptance", id('c', 1), None, json!({ "lines": lines })).await;
    }

    async fn delivery(&self, number: u32, order: u32, state: &str, lines: &[Line]) {
        let columns = vec![
            ("id", id('d', number).into()),
            ("county_code", COUNTY.into()),
            ("order_id", id('o', order).into()),
            ("number", format!("DN-341823-2027-{number:06}").into()),
            ("state", state.into()),
            ("dispatched_by", id('x', 1).into()),
            ("dispatched_at", self.now()),
        ];
        self.put("delivery", columns).await;
        let mut told = Vec::new();
        for (line, allocation, dispatched, weighed) in lines {
            let columns = vec![
                ("id", id('e', *line).into()),
                ("delivery_id", id('d', number).into()),
                ("allocation_id", id('a', *allocation).into()),
                ("dispatched_base", (*dispatched).into()),
                ("accepted_base", weighed.map(|(accepted, _)| accepted).into()),
                ("refused_base", weighed.map(|(_, refused)| refused).into()),
            ];
            self.put("delivery_line", columns).await;
            told.push(json!({ "id": id('e', *line), "dispatched_base": dispatched }));
        }
        self.event("delivery", id('d', number), None, json!({ "lines": told })).await;
    }
}
