//! A school that pays for what it bought, and the people of finance who handle the money: what the tests of payments
//! and payouts arrange. Deliveries and their settlements are written below the API.

use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::audit;
use zhuxiao::db::{self, ColumnType, WriteTxn};
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::Place;
use zhuxiao::money::{Fen, Price};
use zhuxiao::numbers::{self, Series};
use zhuxiao::quantity::Unit;
use zhuxiao::refusal::Outcome;
use zhuxiao::settings::Settings;
use zhuxiao::settlement::{self, AcceptedLine, NewSettlement};
use zhuxiao::trail::Actor;

use super::{Answer, COUNTY, Person, World};

pub const VILLAGE: &str = "341823100001";

/// A school that bought tea, and the people of finance who handle the money.
pub struct Purse {
    pub world: World,
    pub school: Uuid,
    pub finance: Person,
    pub tea: Uuid,
}

impl Purse {
    pub async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let world = World::with(change).await.with_regions().await;
        let school = world.institution("示范学校", "school").await;
        let tea = world.product("tea").await;
        let finance = world.official(Role::Finance).await;
        Self { world, school, finance, tea }
    }

    /// Households with a bank account each.
    pub async fn households(&self, count: usize) -> Vec<Uuid> {
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        let (app, now) = (&self.world.app, self.world.clock.now());
        let columns = [("id", ColumnType::Uuid), ("account", ColumnType::Text)];
        let written = app.db.write(|| async {
            let txn = app.db.begin().await?;
            let set = db::set_rows(txn.get_database_backend(), "$1", &columns);
            let rows = || {
                let row = |id: &Uuid| vec![db::set_id(*id), json!(self.world.sealed_account(*id))];
                db::set_parameter(ids.iter().map(row).collect())
            };
            let sql = format!(
                "insert into household (id, county_code, village_code, head_name, bank_account_sealed, status,
                                        created_at, updated_at, version)
                 select id, $2, $3, '示范户', account, 'registered', $4, $4, 1 from ({set}) as new"
            );
            db::change(&txn, &sql, [rows(), COUNTY.into(), VILLAGE.into(), now.into()]).await?;
            let sql = format!(
                "insert into household_status (id, household_id, status, from_on)
                 select id, id, 'registered', $2 from ({set}) as new"
            );
            let from: chrono::NaiveDate = "2020-01-01".parse().unwrap();
            db::change(&txn, &sql, [rows(), from.into()]).await?;
            txn.commit(()).await
        });
        written.await.unwrap();
        ids
    }

    /// So many days go by; whoever handles the money signs in again.
    pub async fn later(&mut self, days: i64) {
        self.world.clock.advance(chrono::TimeDelta::days(days));
        self.finance = self.world.official(Role::Finance).await;
    }

    /// The county charges institutions a fee from tomorrow on; it is tomorrow then.
    pub async fn with_fee(mut self, percent: &str) -> Self {
        let tomorrow = self.world.clock.today().succ_opt().unwrap();
        let rate = json!({ "from_on": tomorrow, "percent": percent, "source": "县政府会议纪要" });
        self.world.post(&self.finance, "/v1/fee_rates", rate).await.created();
        self.later(1).await;
        self
    }

    /// A settlement as finance sees it.
    pub async fn settlement(&self, id: Uuid) -> Json {
        self.world.get(&self.finance, &format!("/v1/settlements/{id}")).await.ok()
    }

    /// A delivery to the school that was accepted today and is settled: so many fen owed to each household.
    pub async fn sold(&self, owed: &[(Uuid, i64)]) -> Uuid {
        self.sold_to(self.school, owed).await
    }

    pub async fn sold_to(&self, institution: Uuid, owed: &[(Uuid, i64)]) -> Uuid {
        // Ids of one millisecond have no order among them.
        self.world.clock.advance(chrono::TimeDelta::milliseconds(1));
        let lot = self.world.lot(owed[0].0, self.tea, VILLAGE, 10_000, 10).await;
        let app = &self.world.app;
        let settled = app.db.write(|| async {
            let txn = app.db.begin().await?;
            let new = self.accepted(&txn, institution, lot, owed).await?;
            let settled = settlement::settle(&txn, app, &Actor::service("test"), new).await?;
            txn.commit(settled).await
        });
        settled.await.unwrap().unwrap().id
    }

    /// The rows before a settlement. A gram costs one fen.
    async fn accepted(
        &self,
        txn: &WriteTxn,
        institution: Uuid,
        lot: Uuid,
        owed: &[(Uuid, i64)],
    ) -> Outcome<NewSettlement> {
        let [order, line, delivery, acceptance, somebody] = [(); 5].map(|()| Uuid::now_v7());
        let (now, today) = (self.world.clock.now(), self.world.clock.today());
        let sql =
            "insert into purchase_order (id, county_code, number, institution_id, policy, state, amount_fen,
                                               placed_by, placed_at, hold_expires_at, version)
                   values ($1, $2, $3, $4, 'max_min', 'settled', 0, $5, $6, $6, 1)";
        let county = COUNTY;
        let delivery_number = numbers::next_of_paper(txn, Series::Delivery, county, today).await?;
        let number = delivery_number.replace("DN", "PO");
        db::change(
            txn,
            sql,
            [order.into(), county.into(), number.into(), institution.into(), somebody.into(), now.into()],
        )
        .await?;
        let sql = "insert into order_line (id, order_id, line_no, product_id, quantity_base, max_price_fen,
                                           max_price_unit, needed_by, region_code, allow_partial, shortfall_base,
                                           amount_fen, replay)
                   values ($1, $2, 1, $3, 1, 1, 'kg', $4, '341823000000', false, 0, 0, $5)";
        db::change(txn, sql, [line.into(), order.into(), self.tea.into(), today.into(), json!({}).into()])
            .await?;
        let sql =
            "insert into delivery (id, county_code, order_id, number, state, dispatched_by, dispatched_at)
                   values ($1, $2, $3, $4, 'accepted', $5, $6)";
        db::change(
            txn,
            sql,
            [
                delivery.into(),
                county.into(),
                order.into(),
                delivery_number.into(),
                somebody.into(),
                now.into(),
            ],
        )
        .await?;
        let sql =
            "insert into acceptance (id, delivery_id, accepted_by, witnessed_by, accepted_on, created_at)
                   values ($1, $2, $3, $3, $4, $5)";
        db::change(txn, sql, [acceptance.into(), delivery.into(), somebody.into(), today.into(), now.into()])
            .await?;
        let lines: Vec<AcceptedLine> = owed
            .iter()
            .map(|(household, fen)| AcceptedLine {
                delivery_line_id: Uuid::now_v7(),
                allocation_id: Uuid::now_v7(),
                household_id: *household,
                product_id: self.tea,
                accepted_base: *fen,
                price: Price::new(Fen::new(1000), Unit::Kg).unwrap(),
            })
            .collect();
        let columns = [
            ("delivery_line_id", ColumnType::Uuid),
            ("allocation_id", ColumnType::Uuid),
            ("household_id", ColumnType::Uuid),
            ("grams", ColumnType::Integer),
        ];
        let set = db::set_rows(txn.get_database_backend(), "$1", &columns);
        let rows = || {
            db::set_parameter(
                lines
                    .iter()
                    .map(|line| {
                        vec![
                            db::set_id(line.delivery_line_id),
                            db::set_id(line.allocation_id),
                            db::set_id(line.household_id),
                            json!(line.accepted_base),
                        ]
                    })
                    .collect(),
            )
        };
        let sql = format!(
            "insert into allocation (id, county_code, order_id, line_id, lot_id, household_id, quantity_base,
                                     price_fen, pricing_unit, amount_fen, tier, reason, state, round)
             select allocation_id, $2, $3, $4, $5, household_id, grams, 1000, 'kg', grams, 1, 'test', 'accepted', 1
             from ({set}) as new"
        );
        db::change(txn, &sql, [rows(), county.into(), order.into(), line.into(), lot.into()]).await?;
        let sql = format!(
            "insert into delivery_line (id, delivery_id, allocation_id, dispatched_base, accepted_base, refused_base)
             select delivery_line_id, $2, allocation_id, grams, grams, 0 from ({set}) as new"
        );
        db::change(txn, &sql, [rows(), delivery.into()]).await?;
        Ok(NewSettlement {
            county_code: county.to_owned(),
            order_id: order,
            acceptance_id: acceptance,
            institution_id: institution,
            settled_on: today,
            lines,
        })
    }

    pub fn payment(&self, amount: &str) -> Json {
        let today = self.world.clock.today();
        json!({ "institution_id": self.school, "amount": amount, "received_on": today, "reference": "transfer 7" })
    }

    /// The school pays.
    pub async fn pay(&self, amount: &str) -> Json {
        self.world.post(&self.finance, "/v1/payments", self.payment(amount)).await.created()
    }

    pub async fn reverse(&self, payment: &Json) -> Answer {
        let path = format!("/v1/payments/{}/reverse", payment["id"].as_str().unwrap());
        self.world.post(&self.finance, &path, json!({ "reason": "booked twice" })).await
    }

    /// The balance of the one account that a query finds; 0.00 when there is none yet.
    pub async fn balance(&self, query: &str) -> String {
        let accounts = self.world.get(&self.finance, &format!("/v1/ledger/accounts?{query}")).await.ok();
        let items = accounts["items"].as_array().unwrap();
        assert!(items.len() < 2, "{accounts}");
        items.first().map_or("0.00", |account| account["balance"].as_str().unwrap()).to_owned()
    }

    /// Escrow, clearing and rounding of the county, receivable and deposit of the school.
    pub async fn balances(&self) -> [String; 5] {
        let school = self.school;
        [
            self.balance("kind=escrow").await,
            self.balance("kind=clearing").await,
            self.balance("kind=rounding").await,
            self.balance(&format!("kind=receivable&owner_id={school}")).await,
            self.balance(&format!("kind=deposit&owner_id={school}")).await,
        ]
    }

    /// What was received and paid out for a household, in fen.
    pub async fn received_and_paid_out(&self, household: Uuid) -> (i64, i64) {
        #[derive(FromQueryResult)]
        struct Row {
            received_fen: i64,
            paid_out_fen: i64,
        }
        let sql = "select cast(sum(received_fen) as bigint) as received_fen,
                          cast(sum(paid_out_fen) as bigint) as paid_out_fen
                   from settlement_line where household_id = $1";
        let row: Option<Row> = db::row(self.world.app.db.reader(), sql, [household.into()]).await.unwrap();
        row.map(|row| (row.received_fen, row.paid_out_fen)).unwrap()
    }

    /// The auditor's checks find nothing about money. What is arranged below the API has no events and is left out.
    pub async fn audited(&self) {
        let findings = audit::verify(self.world.app.db.reader()).await.unwrap();
        let is_money = |table: &str| {
            ["payment", "payout", "ledger", "settlement", "deposit", "bank_statement_match", "paper"]
                .iter()
                .any(|kind| table.starts_with(kind))
        };
        let about_money: Vec<_> = findings.iter().filter(|finding| is_money(finding.table)).collect();
        assert!(about_money.is_empty(), "{about_money:#?}");
    }

    /// Everybody who is not of `roles`.
    pub async fn others_than(&self, roles: &[Role]) -> Vec<Person> {
        let household = self.households(1).await[0];
        let mut people = Vec::new();
        for role in Role::ALL.into_iter().filter(|role| !roles.contains(role)) {
            people.push(match role {
                Role::Household => self.world.person(role, Place::Household(household)).await,
                Role::Helper => self.world.person(role, Place::Pairings).await,
                Role::Buyer | Role::Approver => {
                    self.world.person(role, Place::Institution(self.school)).await
                }
                _ => self.world.official(role).await,
            });
        }
        people
    }

    /// Finance of a township in which the school is not, of the same county.
    pub async fn finance_of_the_other_township(&self) -> Person {
        self.world.person(Role::Finance, Place::Region("341823101000".to_owned())).await
    }
}
