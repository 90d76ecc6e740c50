//! What the access test arranges, all of it over HTTP: sides of a market, each with everything an operation can be about
//! and somebody of every role.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use zhuxiao::members::access::Role;
use zhuxiao::members::principals::{self, NewPrincipal, Place};
use zhuxiao::trail::Actor;

use crate::bank_statements::send;
use crate::support::{Answer, PASSWORD, Person, World};

/// Where a side lives.
pub struct Home {
    pub county: &'static str,
    pub village: &'static str,
    /// Of its institution.
    pub credit_code: &'static str,
    /// Of its product.
    pub code: &'static str,
}

/// Two in one county, and one in another.
pub const OWN: Home =
    Home { county: "341823", village: "341823100001", credit_code: "12341823000000001G", code: "tea" };
pub const NEIGHBOUR: Home =
    Home { county: "341823", village: "341823101201", credit_code: "12341823000000002K", code: "rice" };
pub const FOREIGN: Home =
    Home { county: "341824", village: "341824100001", credit_code: "123418240000000035", code: "honey" };

/// Everything of one household, its helper, one institution and the officials of their county.
pub struct Side {
    pub home: Home,
    people: HashMap<Role, Person>,
    accounts: HashMap<Role, String>,
    places: HashMap<Role, Place>,
    /// Ids by what they are of, such as "order".
    ids: HashMap<&'static str, String>,
}

impl Side {
    pub async fn arrange(world: &World, home: Home) -> Self {
        let mut side = Self {
            home,
            people: HashMap::new(),
            accounts: HashMap::new(),
            places: HashMap::new(),
            ids: HashMap::new(),
        };
        for role in [Role::Officer, Role::Finance, Role::Auditor, Role::Security, Role::Admin] {
            let region = format!("{}000000", side.home.county);
            side.add_person(world, role, Place::Region(region)).await;
        }
        side.arrange_members(world).await;
        side.arrange_trade(world).await;
        side.arrange_money(world).await;
        side
    }

    pub fn person(&self, role: Role) -> &Person {
        &self.people[&role]
    }

    pub fn account(&self, role: Role) -> &str {
        &self.accounts[&role]
    }

    pub fn id(&self, of: &str) -> &str {
        self.ids.get(of).unwrap_or_else(|| panic!("nothing arranged for {of}"))
    }

    /// Every id of this side, with what it is of.
    pub fn ids(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.ids.iter().map(|(of, id)| (*of, id.as_str()))
    }

    pub fn order(&self) -> Value {
        json!({
            "institution_id": self.id("institution"), "policy": "max_min",
            "lines": [{
                "product_id": self.id("product"), "quantity": kilos("10"), "region": self.home.village,
                "max_price": { "amount": "40.00", "per": "kg" }, "needed_by": "2027-03-20",
            }],
        })
    }

    /// A session of somebody beside the one they work with.
    pub async fn another_session(&self, world: &World, role: Role) -> (String, Person) {
        let body = json!({ "account": self.account(role), "password": PASSWORD });
        let session = world.post_as(None, "/v1/sessions", body).await.created();
        let token = text(&session, "token");
        (text(&session, "id"), Person { token, ..self.person(role).clone() })
    }

    /// Somebody else of the same role and place.
    pub async fn stand_in(&self, world: &World, role: Role) -> Person {
        world.person(role, self.places[&role].clone()).await
    }

    async fn add_person(&mut self, world: &World, role: Role, place: Place) {
        let account = format!("{}-{}", role.as_str(), Uuid::now_v7().simple());
        let new = NewPrincipal {
            account: account.clone(),
            password: Some(PASSWORD.to_owned()),
            phone: None,
            display_name: format!("Test {}", role.as_str()),
            role,
            place: place.clone(),
            county_code: Some(self.home.county.to_owned()),
        };
        let id = principals::create(&world.app, &Actor::service("test"), new).await.unwrap();
        let body = json!({ "account": account, "password": PASSWORD });
        let token = text(&world.post_as(None, "/v1/sessions", body).await.created(), "token");
        self.people.insert(role, Person { id, token, role });
        self.accounts.insert(role, account);
        self.places.insert(role, place);
    }

    /// What somebody of this side does to arrange it; the id of what they made is kept as that of `made`.
    async fn make(&mut self, world: &World, by: Role, path: &str, body: Value, made: &'static str) -> Value {
        let answer = world.post(self.person(by), path, body).await;
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
        let answer = answer.json();
        self.ids.insert(made, text(&answer, "id"));
        answer
    }

    async fn arrange_members(&mut self, world: &World) {
        let home = json!({
            "village": self.home.village, "head_name": "示范户", "status": "registered",
            "bank_account": "0000000000000000018",
        });
        self.make(world, Role::Officer, "/v1/households", home.clone(), "household").await;
        self.make(world, Role::Officer, "/v1/households", home, "second_household").await;
        let school = json!({
            "region": self.home.village, "name": "示范学校", "kind": "school", "credit_code": self.home.credit_code,
        });
        self.make(world, Role::Officer, "/v1/institutions", school, "institution").await;
        let park = json!({ "region": self.home.village, "name": "示范园区", "kind": "park" });
        self.make(world, Role::Officer, "/v1/cooperatives", park, "cooperative").await;
        let household: Uuid = self.id("household").parse().unwrap();
        let institution: Uuid = self.id("institution").parse().unwrap();
        self.add_person(world, Role::Household, Place::Household(household)).await;
        self.add_person(world, Role::Buyer, Place::Institution(institution)).await;
        self.add_person(world, Role::Approver, Place::Institution(institution)).await;
        self.add_person(world, Role::Helper, Place::Pairings).await;
        let county = format!("{}000000", self.home.county);
        let person = json!({
            "account": format!("officer-of-{}-{}", self.home.county, self.home.code), "display_name": "新工作人员",
            "role": "officer", "county": self.home.county, "region": county, "password": PASSWORD,
        });
        self.make(world, Role::Admin, "/v1/principals", person, "principal").await;
        let key = json!({ "name": "canteen", "scopes": ["orders:write"] });
        self.make(world, Role::Buyer, "/v1/api_keys", key, "api_key").await;
        let helper = self.person(Role::Helper).id;
        let webhook = json!({ "url": "https://1.1.1.1/hook", "events": ["paper.issued"] });
        let added = world.post(self.person(Role::Buyer), "/v1/webhooks", webhook).await.created();
        self.ids.insert("webhook", text(&added["webhook"], "id"));
        for (household, made) in [("household", "pairing"), ("second_household", "second_pairing")] {
            let pairing = json!({ "helper_id": helper, "household_id": self.id(household) });
            self.make(world, Role::Officer, "/v1/pairings", pairing, made).await;
        }
        let member = format!("/v1/cooperatives/{}/members/{household}", self.id("cooperative"));
        let joined = Answer::of(world.request(Method::PUT, Some(self.person(Role::Officer)), &member)).await;
        joined.ok();
    }

    /// A lot, an order that is still placed, one that is confirmed, and one that was delivered and accepted.
    async fn arrange_trade(&mut self, world: &World) {
        let tea = json!({
            "code": self.home.code, "name": "示范产品", "category": "tea", "measure": "mass", "pricing_unit": "kg",
            "catalogue_code": "A07031301", "tax_code": "1010116010000000000",
        });
        self.make(world, Role::Officer, "/v1/products", tea, "product").await;
        let prices = format!("/v1/products/{}/reference_prices", self.id("product"));
        let price = json!({
            "price": { "amount": "40.00", "per": "kg" }, "from_on": "2027-03-01", "source": "市场",
        });
        self.make(world, Role::Officer, &prices, price, "reference_price").await;
        let lot = json!({
            "product_id": self.id("product"), "quantity": kilos("500"), "ready_from": "2027-03-01",
            "sell_by": "2027-12-31", "price": { "amount": "40.00", "per": "kg" },
        });
        self.make(world, Role::Household, "/v1/lots", lot, "lot").await;
        self.make(world, Role::Buyer, "/v1/orders", self.order(), "placed_order").await;
        let order = self.make(world, Role::Buyer, "/v1/orders", self.order(), "order").await;
        let part = &order["lines"][0]["allocations"][0];
        self.ids.insert("allocation", text(part, "id"));
        let path = format!("/v1/orders/{}", self.id("order"));
        self.make(world, Role::Approver, &format!("{path}/confirm"), Value::Null, "order").await;
        let sent = json!({ "lines": [{ "allocation_id": part["id"], "quantity": kilos("10") }] });
        let sent = self.make(world, Role::Officer, &format!("{path}/deliveries"), sent, "delivery").await;
        self.ids.insert("delivery_line", text(&sent["lines"][0], "id"));
        let path = format!("/v1/deliveries/{}/acceptance", self.id("delivery"));
        self.make(world, Role::Buyer, &path, self.acceptance(), "delivery").await;
    }

    pub fn acceptance(&self) -> Value {
        json!({
            "witness_account": self.account(Role::Approver),
            "lines": [{
                "delivery_line_id": self.id("delivery_line"), "accepted": kilos("10"), "refused": kilos("0"),
            }],
        })
    }

    /// The settlement is paid and paid out.
    async fn arrange_money(&mut self, world: &World) {
        let settlements = world.get(self.person(Role::Buyer), "/v1/settlements").await.ok();
        self.ids.insert("settlement", text(&settlements["items"][0], "id"));
        let paper = json!({ "kind": "settlement_statement", "settlement_id": self.id("settlement") });
        self.make(world, Role::Finance, "/v1/papers", paper, "paper").await;
        let mut ahead = self.payment();
        ahead["as_deposit"] = json!(true);
        self.make(world, Role::Finance, "/v1/payments", ahead, "payment").await;
        let uses = format!("/v1/institutions/{}/deposit/uses", self.id("institution"));
        self.make(world, Role::Finance, &uses, json!({ "amount": "1.00" }), "deposit_use").await;
        self.make(world, Role::Finance, "/v1/payments", self.payment(), "payment").await;
        self.add_bank_line(world).await;
        let batch = json!({ "up_to": world.clock.today() });
        self.make(world, Role::Finance, "/v1/payout_batches", batch, "payout_batch").await;
        let county = format!("{}000000", self.home.county);
        let second = world.person(Role::Finance, Place::Region(county)).await;
        let path = format!("/v1/payout_batches/{}/approve", self.id("payout_batch"));
        world.post(&second, &path, Value::Null).await.ok();
        let path = format!("/v1/payout_batches/{}/payouts", self.id("payout_batch"));
        let payouts = world.get(self.person(Role::Finance), &path).await.ok();
        self.ids.insert("payout", text(&payouts["items"][0], "id"));
        let path = format!("/v1/ledger/accounts?owner_id={}", self.id("institution"));
        let accounts = world.get(self.person(Role::Finance), &path).await.ok();
        self.ids.insert("ledger_account", text(&accounts["items"][0], "id"));
        let path = format!("/v1/ledger/accounts/{}/postings", self.id("ledger_account"));
        let postings = world.get(self.person(Role::Finance), &path).await.ok();
        self.ids.insert("ledger_entry", text(&postings["items"][0], "entry_id"));
        let problem = json!({
            "title": "账户不符", "detail": "存折已注销", "household_id": self.id("household"), "owner": "officer",
            "due_on": "2027-03-08",
        });
        self.make(world, Role::Officer, "/v1/problems", problem, "problem").await;
        let erasure = json!({ "reason": "不再销售" });
        self.make(world, Role::Household, "/v1/me/erasure_requests", erasure, "erasure_request").await;
        let statement = format!("日期,收入,支出,摘要\n2027-02-01,1.00,,{}\n", self.home.village);
        let answer = send(world, self.person(Role::Finance), "", statement).await.ok();
        self.ids.insert("bank_statement", text(&answer["statements"][0], "id"));
    }

    /// A line of a bank statement that came in, below the API.
    async fn add_bank_line(&mut self, world: &World) {
        let (statement, line, county) = (Uuid::now_v7(), Uuid::now_v7(), self.home.county);
        let (now, today) = (world.clock.now(), world.clock.today());
        let sql =
            "insert into bank_statement (id, county_code, bank, format, currency, from_on, to_on, line_count,
                                               in_minor, out_minor, file_digest, file_part, imported_at)
                   values ($1, $2, 'test', 'csv', 'CNY', $3, $3, 1, 500, 0, $4, 1, $5)";
        let digest = statement.simple().to_string();
        let values = vec![statement.into(), county.into(), today.into(), digest.into(), now.into()];
        world.execute(sql, values).await;
        let sql = "insert into bank_statement_line (id, statement_id, county_code, position, currency, amount_minor,
                                                    booked_on, remark, identity)
                   values ($1, $2, $3, 1, 'CNY', 500, $4, 'x', $5)";
        let identity = line.simple().to_string();
        let values = vec![line.into(), statement.into(), county.into(), today.into(), identity.into()];
        world.execute(sql, values).await;
        self.ids.insert("bank_line", line.to_string());
    }

    pub fn payment(&self) -> Value {
        json!({
            "institution_id": self.id("institution"), "amount": "400.00", "received_on": "2027-03-01",
            "reference": self.home.code,
        })
    }
}

pub fn kilos(amount: &str) -> Value {
    json!({ "amount": amount, "unit": "kg" })
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}

/// The regions of the other county.
pub async fn add_other_county(world: &World) {
    for (code, level, name, parent) in [
        ("341824000000", "county", "绩溪县", "341800000000"),
        ("341824100000", "township", "华阳镇", "341824000000"),
        ("341824100001", "village", "示范五村", "341824100000"),
    ] {
        let sql =
            "insert into region (code, level, name, parent_code, valid_from) values ($1, $2, $3, $4, $5)";
        let day: chrono::NaiveDate = "2020-02-25".parse().unwrap();
        world.execute(sql, vec![code.into(), level.into(), name.into(), parent.into(), day.into()]).await;
    }
}
