//! The specification of /v1/settlements, as tests over HTTP, and of what payments do to settlements.

use chrono::NaiveDate;
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;
use zhuxiao::db;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::money::{Fen, Price};
use zhuxiao::quantity::Unit;
use zhuxiao::refusal::{Failure, Outcome, Refusal};
use zhuxiao::settlement::receipts::{self, PayableLine, Source};
use zhuxiao::settlement::{self, AcceptedLine, NewSettlement, Received, Settled, Targets};
use zhuxiao::trail::Actor;

use crate::support::{COUNTY, Person, World};

const VILLAGE: &str = "341823100001";
const OTHER_TOWNSHIP_VILLAGE: &str = "341823101201";

/// What is accepted of one household: grams at a price in fen per kilo.
struct Goods {
    household: Uuid,
    grams: i64,
    fen_per_kg: i64,
}

fn goods(household: Uuid, grams: i64, fen_per_kg: i64) -> Goods {
    Goods { household, grams, fen_per_kg }
}

/// A school in a county with a tea product.
struct Market {
    world: World,
    school: Uuid,
    tea: Uuid,
}

impl Market {
    async fn open() -> Self {
        let world = World::new().await.with_regions().await;
        let school = world.institution("示范学校", "school").await;
        let tea = world.product("tea").await;
        Self { world, school, tea }
    }

    /// An order of the school of which one delivery was accepted today, settled.
    async fn sold(&self, sold: &[Goods]) -> Option<Settled> {
        let new = self.accepted(sold).await;
        self.settle(new).await.unwrap()
    }

    async fn settle(&self, new: NewSettlement) -> Outcome<Option<Settled>> {
        let app = &self.world.app;
        app.db
            .write(|| async {
                let txn = app.db.begin().await?;
                let settled = settlement::settle(&txn, app, &Actor::service("test"), new.clone()).await?;
                txn.commit(settled).await
            })
            .await
    }

    /// The rows before a settlement: order, line, allocations, delivery, acceptance.
    async fn accepted(&self, sold: &[Goods]) -> NewSettlement {
        let world = &self.world;
        // Ids of one millisecond have no order among them.
        world.clock.advance(chrono::TimeDelta::milliseconds(1));
        let [order, line, delivery, acceptance, somebody] = [(); 5].map(|()| Uuid::now_v7());
        let (now, today) = (world.clock.now(), world.clock.today());
        let insert = async |sql: &str, values: Vec<Value>| {
            world.execute(sql, values).await;
        };
        insert(
            "insert into purchase_order (id, county_code, number, institution_id, policy, state, amount_fen, placed_by,
                                         placed_at, hold_expires_at, version)
             values ($1, $2, $3, $4, 'max_min', 'delivering', 0, $5, $6, $6, 1)",
            vec![
                order.into(),
                COUNTY.into(),
                order.to_string().into(),
                self.school.into(),
                somebody.into(),
                now.into(),
            ],
        )
        .await;
        insert(
            "insert into order_line (id, order_id, line_no, product_id, quantity_base, max_price_fen, max_price_unit,
                                     needed_by, region_code, allow_partial, shortfall_base, amount_fen, replay)
             values ($1, $2, 1, $3, 1, 1, 'kg', $4, '341823000000', $5, 0, 0, $6)",
            vec![
                line.into(),
                order.into(),
                self.tea.into(),
                today.into(),
                false.into(),
                serde_json::json!({}).into(),
            ],
        )
        .await;
        insert(
            "insert into delivery (id, county_code, order_id, number, state, dispatched_by, dispatched_at)
             values ($1, $2, $3, $4, 'accepted', $5, $6)",
            vec![
                delivery.into(),
                COUNTY.into(),
                order.into(),
                delivery.to_string().into(),
                somebody.into(),
                now.into(),
            ],
        )
        .await;
        insert(
            "insert into acceptance (id, delivery_id, accepted_by, witnessed_by, accepted_on, created_at)
             values ($1, $2, $3, $3, $4, $5)",
            vec![acceptance.into(), delivery.into(), somebody.into(), today.into(), now.into()],
        )
        .await;
        let mut lines = Vec::new();
        for goods in sold {
            let lot = world.lot(goods.household, self.tea, VILLAGE, 10_000, 1).await;
            let [allocation, delivery_line] = [(); 2].map(|()| Uuid::now_v7());
            insert(
                "insert into allocation (id, county_code, order_id, line_id, lot_id, household_id, quantity_base,
                                         price_fen, pricing_unit, amount_fen, tier, reason, state, round)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, 'kg', 0, 1, 'test', 'accepted', 1)",
                vec![
                    allocation.into(),
                    COUNTY.into(),
                    order.into(),
                    line.into(),
                    lot.into(),
                    goods.household.into(),
                    goods.grams.max(1).into(),
                    goods.fen_per_kg.into(),
                ],
            )
            .await;
            insert(
                "insert into delivery_line (id, delivery_id, allocation_id, dispatched_base, accepted_base, refused_base)
                 values ($1, $2, $3, $4, $4, 0)",
                vec![delivery_line.into(), delivery.into(), allocation.into(), goods.grams.into()],
            )
            .await;
            lines.push(AcceptedLine {
                delivery_line_id: delivery_line,
                allocation_id: allocation,
                household_id: goods.household,
                product_id: self.tea,
                accepted_base: goods.grams,
                price: Price::new(Fen::new(goods.fen_per_kg), Unit::Kg).unwrap(),
            });
        }
        NewSettlement {
            county_code: COUNTY.to_owned(),
            order_id: order,
            acceptance_id: acceptance,
            institution_id: self.school,
            settled_on: today,
            lines,
        }
    }

    async fn receive(&self, fen: i64) -> Received {
        let app = &self.world.app;
        app.db
            .write(|| async {
                let txn = app.db.begin().await?;
                let parts =
                    receipts::receive(&txn, self.school, Fen::new(fen), &Targets::OldestFirst).await?;
                txn.commit(parts).await
            })
            .await
            .unwrap()
    }

    async fn unreceive(&self, parts: &Received) -> Outcome<()> {
        let app = &self.world.app;
        app.db
            .write(|| async {
                let txn = app.db.begin().await?;
                receipts::unreceive(&txn, Source::Payment, parts).await?;
                txn.commit(()).await
            })
            .await
    }

    async fn payable(&self) -> Vec<PayableLine> {
        let today = self.world.clock.today();
        receipts::payable(self.world.app.db.reader(), COUNTY, today, &[], 100).await.unwrap()
    }

    async fn pay_out(&self, parts: &[PayableLine], back: bool) -> Outcome<()> {
        let app = &self.world.app;
        app.db
            .write(|| async {
                let txn = app.db.begin().await?;
                if back {
                    receipts::unmark_paid_out(&txn, parts).await?;
                } else {
                    receipts::mark_paid_out(&txn, parts).await?;
                }
                txn.commit(()).await
            })
            .await
    }

    async fn buyer(&self) -> Person {
        self.world.person(Role::Buyer, Place::Institution(self.school)).await
    }

    async fn states(&self, by: &Person, query: &str) -> Vec<(String, String, String)> {
        let list = self.world.get(by, &format!("/v1/settlements{query}")).await.ok();
        let text = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap().to_owned();
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| (text(item, "amount"), text(item, "received"), text(item, "state"))).collect()
    }
}

fn amounts(received: &Received) -> Vec<i64> {
    received.parts.iter().map(|part| part.amount.get()).collect()
}

#[tokio::test]
async fn the_institution_owes_the_sum_of_lines_each_rounded_once() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    let li = market.world.household(VILLAGE, "general").await;
    // 5.25 kg at 1.10 is 5.775; twice 5.78 is 11.56, one fen more than 11.55 rounded at the end.
    let settled = market.sold(&[goods(wang, 5250, 110), goods(li, 5250, 110)]).await.unwrap();
    assert_eq!(settled.amount, Fen::new(1156));
    assert_eq!(settled.number, "ST-341823-2027-000001");

    let shown =
        market.world.get(&market.buyer().await, &format!("/v1/settlements/{}", settled.id)).await.ok();
    assert_eq!(shown["amount"], "11.56");
    assert_eq!(shown["amount_in_capitals"], "人民币壹拾壹元伍角陆分");
    assert_eq!(shown["state"], "open");
    assert_eq!((&shown["settled_on"], &shown["due_on"]), (&"2027-03-01".into(), &"2027-03-31".into()));
    let lines = shown["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["amount"] == "5.78" && line["quantity"]["amount"] == "5.25"));

    let finance = market.world.official(Role::Finance).await;
    for (owner, balance) in [(market.school, "11.56"), (wang, "-5.78"), (li, "-5.78")] {
        let accounts =
            market.world.get(&finance, &format!("/v1/ledger/accounts?owner_id={owner}")).await.ok();
        assert_eq!(accounts["items"][0]["balance"], balance);
    }
}

#[tokio::test]
async fn a_household_with_two_lines_is_owed_their_sum_in_one_posting() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    market.sold(&[goods(wang, 5250, 110), goods(wang, 1000, 100)]).await.unwrap();
    let finance = market.world.official(Role::Finance).await;
    let accounts = market.world.get(&finance, &format!("/v1/ledger/accounts?owner_id={wang}")).await.ok();
    assert_eq!(accounts["items"][0]["balance"], "-6.78");
}

#[tokio::test]
async fn accepting_nothing_settles_nothing_and_takes_no_number() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    assert_eq!(market.sold(&[goods(wang, 0, 110)]).await, None);
    let settled = market.sold(&[goods(wang, 1000, 110), goods(wang, 0, 110)]).await.unwrap();
    assert_eq!(settled.number, "ST-341823-2027-000001");
    let shown =
        market.world.get(&market.buyer().await, &format!("/v1/settlements/{}", settled.id)).await.ok();
    assert_eq!(shown["lines"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_gram_that_costs_less_than_half_a_fen_is_settled_at_zero_without_an_entry() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    let settled = market.sold(&[goods(wang, 1, 100)]).await.unwrap();
    assert_eq!(settled.amount, Fen::ZERO);
    let finance = market.world.official(Role::Finance).await;
    assert_eq!(market.states(&finance, "").await, [("0.00".into(), "0.00".into(), "paid".into())]);
    let accounts = market.world.get(&finance, "/v1/ledger/accounts").await.ok();
    assert_eq!(accounts["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_settlement_that_fails_leaves_no_gap_in_the_numbers() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    let mut broken = market.accepted(&[goods(wang, 1000, 110)]).await;
    broken.lines[0].household_id = Uuid::now_v7();
    assert!(matches!(market.settle(broken).await, Err(Failure::Broken(_))));
    let settled = market.sold(&[goods(wang, 1000, 110)]).await.unwrap();
    assert_eq!(settled.number, "ST-341823-2027-000001");
}

#[tokio::test]
async fn an_acceptance_is_settled_once() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    let new = market.accepted(&[goods(wang, 1000, 110)]).await;
    market.settle(new.clone()).await.unwrap();
    assert!(matches!(market.settle(new).await, Err(Failure::Database(error)) if db::is_duplicate(&error)));
}

#[tokio::test]
async fn a_line_keeps_the_status_that_the_household_had_on_the_day_of_the_sale() {
    #[derive(FromQueryResult)]
    struct Row {
        household_status: String,
        institution_kind: String,
        category: String,
    }
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    let later: NaiveDate = "2027-03-02".parse().unwrap();
    let sql = "update household_status set to_on = $2 where household_id = $1";
    market.world.execute(sql, vec![wang.into(), later.into()]).await;
    let sql =
        "insert into household_status (id, household_id, status, from_on) values ($1, $2, 'general', $3)";
    market.world.execute(sql, vec![Uuid::now_v7().into(), wang.into(), later.into()]).await;
    market.world.execute("update household set status = 'general' where id = $1", vec![wang.into()]).await;
    market.sold(&[goods(wang, 1000, 110)]).await.unwrap();
    market.world.clock.advance(chrono::TimeDelta::days(1));
    market.sold(&[goods(wang, 1000, 110)]).await.unwrap();
    let sql = "select household_status, institution_kind, category from settlement_line order by sold_on";
    let rows: Vec<Row> = db::rows(market.world.app.db.reader(), sql, []).await.unwrap();
    let statuses: Vec<&str> = rows.iter().map(|row| row.household_status.as_str()).collect();
    assert_eq!(statuses, ["registered", "general"]);
    assert_eq!((rows[0].institution_kind.as_str(), rows[0].category.as_str()), ("school", "tea"));
}

#[tokio::test]
async fn a_hundred_yuan_over_three_equal_lines_loses_no_fen() {
    let market = Market::open().await;
    let mut sold = Vec::new();
    for _ in 0..3 {
        sold.push(goods(market.world.household(VILLAGE, "registered").await, 1000, 5000));
    }
    market.sold(&sold).await.unwrap();
    let parts = market.receive(10_000).await;
    assert_eq!(amounts(&parts), [3334, 3333, 3333]);
    let buyer = market.buyer().await;
    assert_eq!(market.states(&buyer, "").await, [("150.00".into(), "100.00".into(), "part_paid".into())]);
    assert_eq!(amounts(&market.receive(5_000).await).iter().sum::<i64>(), 5_000);
    assert_eq!(market.states(&buyer, "?state=paid").await.len(), 1);
}

#[tokio::test]
async fn the_oldest_settlement_is_paid_first_and_what_nobody_owes_is_left_over() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    let first = market.sold(&[goods(wang, 1000, 100)]).await.unwrap();
    market.world.clock.advance(chrono::TimeDelta::days(1));
    let second = market.sold(&[goods(wang, 1000, 200)]).await.unwrap();
    let parts = market.receive(150).await;
    let paid: Vec<(Uuid, i64)> =
        parts.parts.iter().map(|part| (part.settlement_id, part.amount.get())).collect();
    assert_eq!(paid, [(first.id, 100), (second.id, 50)]);
    let buyer = market.buyer().await;
    assert_eq!(market.states(&buyer, "?state=part_paid").await[0].1, "0.50");
    assert_eq!(amounts(&market.receive(500).await), [150]);
    assert_eq!(market.receive(1).await, Received::default());
    assert_eq!(market.states(&buyer, "?state=paid").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_at_the_same_time_pay_every_line_once() {
    let market = Market::open().await;
    let mut sold = Vec::new();
    for _ in 0..3 {
        sold.push(goods(market.world.household(VILLAGE, "registered").await, 1000, 100));
    }
    market.sold(&sold).await.unwrap();
    let (app, school) = (market.world.app.clone(), market.school);
    let tasks = (0..5).map(|_| {
        let app = app.clone();
        tokio::spawn(async move {
            app.db
                .write(|| async {
                    let txn = app.db.begin().await?;
                    let parts = receipts::receive(&txn, school, Fen::new(100), &Targets::OldestFirst).await?;
                    txn.commit(parts).await
                })
                .await
        })
    });
    let mut received = 0;
    for task in tasks.collect::<Vec<_>>() {
        received += amounts(&task.await.unwrap().unwrap()).iter().sum::<i64>();
    }
    assert_eq!(received, 300);
    let buyer = market.buyer().await;
    assert_eq!(market.states(&buyer, "").await, [("3.00".into(), "3.00".into(), "paid".into())]);
}

#[tokio::test]
async fn a_payment_taken_back_leaves_the_settlement_open() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    market.sold(&[goods(wang, 1000, 100)]).await.unwrap();
    let parts = market.receive(60).await;
    market.unreceive(&parts).await.unwrap();
    let buyer = market.buyer().await;
    assert_eq!(market.states(&buyer, "?state=open").await.len(), 1);
    assert!(market.unreceive(&parts).await.is_err(), "it is taken back once");
}

#[tokio::test]
async fn only_what_was_received_is_paid_out_and_only_once() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    market.world.with_account(wang).await;
    market.sold(&[goods(wang, 1000, 100)]).await.unwrap();
    assert_eq!(market.payable().await, []);
    let parts = market.receive(60).await;
    let payable = market.payable().await;
    assert_eq!(
        payable.iter().map(|line| (line.household_id, line.amount)).collect::<Vec<_>>(),
        [(wang, Fen::new(60))]
    );
    let mut too_much = payable.clone();
    too_much[0].amount = Fen::new(61);
    let refused = market.pay_out(&too_much, false).await;
    assert!(matches!(refused, Err(Failure::Refused(Refusal::Busy { .. }))));

    market.pay_out(&payable, false).await.unwrap();
    assert_eq!(market.payable().await, []);
    let again = market.pay_out(&payable, false).await;
    assert!(matches!(again, Err(Failure::Refused(Refusal::Busy { .. }))));
    let taken_back = market.unreceive(&parts).await;
    assert!(matches!(taken_back, Err(Failure::Refused(Refusal::WrongState { .. }))));

    market.pay_out(&payable, true).await.unwrap();
    assert_eq!(market.payable().await, payable);
    assert!(market.pay_out(&payable, true).await.is_err(), "it comes back once");
}

#[tokio::test]
async fn what_was_sold_after_the_day_asked_for_is_not_payable() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    market.world.with_account(wang).await;
    market.sold(&[goods(wang, 1000, 100)]).await.unwrap();
    market.receive(60).await;
    let before: NaiveDate = "2027-02-28".parse().unwrap();
    let none = receipts::payable(market.world.app.db.reader(), COUNTY, before, &[], 100).await.unwrap();
    assert_eq!(none, []);
}

#[tokio::test]
async fn households_and_helpers_see_their_own_lines_and_sums_only() {
    let market = Market::open().await;
    let world = &market.world;
    let (wang, li) =
        (world.household(VILLAGE, "registered").await, world.household(VILLAGE, "general").await);
    let settled = market.sold(&[goods(wang, 1000, 100), goods(li, 1000, 300)]).await.unwrap();
    let not_theirs = market.sold(&[goods(li, 1000, 700)]).await.unwrap();
    market.receive(100).await;
    let household = world.person(Role::Household, Place::Household(wang)).await;
    let helper = world.person(Role::Helper, Place::Pairings).await;
    let sql = "insert into pairing (id, county_code, helper_id, household_id, from_on, created_at)
               values ($1, $2, $3, $4, $5, $6)";
    let (now, today) = (world.clock.now(), world.clock.today());
    let values =
        vec![Uuid::now_v7().into(), COUNTY.into(), helper.id.into(), wang.into(), today.into(), now.into()];
    world.execute(sql, values).await;
    for person in [&household, &helper] {
        assert_eq!(market.states(person, "").await, [("1.00".into(), "0.25".into(), "part_paid".into())]);
        let shown = world.get(person, &format!("/v1/settlements/{}", settled.id)).await.ok();
        assert_eq!((&shown["amount"], &shown["received"]), (&"1.00".into(), &"0.25".into()));
        let lines = shown["lines"].as_array().unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["household_id"], wang.to_string());
        world.get(person, &format!("/v1/settlements/{}", not_theirs.id)).await.refused(404, "not_found");
        assert!(market.states(person, "?state=open").await.is_empty());
    }
}

#[tokio::test]
async fn a_township_sees_the_lines_of_its_villages_and_the_county_sees_all() {
    let market = Market::open().await;
    let world = &market.world;
    let wang = world.household(VILLAGE, "registered").await;
    let li = world.household(OTHER_TOWNSHIP_VILLAGE, "general").await;
    market.sold(&[goods(wang, 1000, 100), goods(li, 1000, 300)]).await.unwrap();
    let township = world.person(Role::Officer, Place::Region("341823101000".to_owned())).await;
    assert_eq!(market.states(&township, "").await[0].0, "3.00");
    for role in [Role::Officer, Role::Finance, Role::Auditor] {
        let county = world.official(role).await;
        assert_eq!(market.states(&county, "").await[0].0, "4.00");
        assert_eq!(market.states(&county, &format!("?institution_id={}", market.school)).await.len(), 1);
        assert!(market.states(&county, &format!("?institution_id={}", Uuid::now_v7())).await.is_empty());
    }
}

#[tokio::test]
async fn the_settlements_of_others_do_not_exist_and_administrators_have_none() {
    let market = Market::open().await;
    let world = &market.world;
    let wang = world.household(VILLAGE, "registered").await;
    let settled = market.sold(&[goods(wang, 1000, 100)]).await.unwrap();
    let path = format!("/v1/settlements/{}", settled.id);
    let other = world.institution("示范医院", "hospital").await;
    let strangers = [
        world.person(Role::Buyer, Place::Institution(other)).await,
        world.person(Role::Approver, Place::Institution(other)).await,
        world.person(Role::Household, Place::Household(world.household(VILLAGE, "general").await)).await,
        world.person(Role::Helper, Place::Pairings).await,
        world.person(Role::Officer, Place::Region("341823101000".to_owned())).await,
        world.person(Role::Finance, Place::Region("341824000000".to_owned())).await,
    ];
    for stranger in &strangers {
        world.get(stranger, &path).await.refused(404, "not_found");
        assert!(market.states(stranger, "").await.is_empty());
    }
    let admin = world.official(Role::Admin).await;
    world.get(&admin, &path).await.refused(403, "not_allowed");
    world.get(&admin, "/v1/settlements").await.refused(403, "not_allowed");
    world.get_as(None, "/v1/settlements").await.refused(401, "not_signed_in");
    world.get_as(None, &path).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn settlements_are_paged_newest_first() {
    let market = Market::open().await;
    let wang = market.world.household(VILLAGE, "registered").await;
    for kilos in 1..=3 {
        market.sold(&[goods(wang, kilos * 1000, 100)]).await.unwrap();
    }
    let household = market.world.person(Role::Household, Place::Household(wang)).await;
    for person in [&market.buyer().await, &household] {
        let first = market.world.get(person, "/v1/settlements?limit=2").await;
        assert!(first.header("link").contains("rel=\"next\""));
        let first = first.ok();
        assert_eq!(
            (&first["items"][0]["amount"], &first["items"][1]["amount"]),
            (&"3.00".into(), &"2.00".into())
        );
        let path = format!("/v1/settlements?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
        let last = market.world.get(person, &path).await.ok();
        assert_eq!(last["items"].as_array().unwrap().len(), 1);
        assert!(last.get("next_cursor").is_none());
    }
}
