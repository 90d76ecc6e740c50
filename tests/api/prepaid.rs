//! The specification of prepaid orders (先款后货): money before goods, and goods before money beside it.

use serde_json::{Value, json};
use zhuxiao::audit;
use zhuxiao::members::access::Role;

use crate::orders::Market;
use crate::support::{Answer, Person};

/// A school that pays before it is delivered to. A kilo costs 40.00.
struct Ahead {
    market: Market,
    officer: Person,
    finance: Person,
    witness: String,
}

impl Ahead {
    async fn of(kilos: &[i64]) -> Self {
        let market = Market::of(kilos).await;
        let officer = market.world.official(Role::Officer).await;
        let finance = market.world.official(Role::Finance).await;
        let me = market.world.get(&market.approver, "/v1/me").await.ok();
        let witness = me["account"].as_str().unwrap().to_owned();
        Self { market, officer, finance, witness }
    }

    /// A confirmed order of so many kilos.
    async fn ordered(&self, mode: &str, kilos: &str) -> Value {
        let mut body = self.market.order(kilos);
        body["payment_mode"] = json!(mode);
        let order = self.market.world.post(&self.market.buyer, "/v1/orders", body).await.created();
        assert_eq!(order["payment_mode"], mode);
        self.market.confirm(&order).await.ok();
        order
    }

    /// Everything of an order goes out.
    async fn dispatch(&self, order: &Value) -> Answer {
        let parts = order["lines"][0]["allocations"].as_array().unwrap().iter();
        let lines = parts.map(|part| json!({ "allocation_id": part["id"], "quantity": part["quantity"] }));
        let body = json!({ "lines": lines.collect::<Vec<_>>() });
        self.market.world.post(&self.officer, &deliveries_of(order), body).await
    }

    /// So many kilos of each line of a delivery are accepted, the rest is refused.
    async fn accept(&self, delivery: &Value, kilos: &str) -> Value {
        let lines = delivery["lines"].as_array().unwrap().iter().map(|line| {
            let sent: i64 = line["dispatched"]["amount"].as_str().unwrap().parse().unwrap();
            let refused = sent - kilos.parse::<i64>().unwrap();
            let reason = (refused > 0).then_some("wet");
            json!({
                "delivery_line_id": line["id"], "refusal_reason": reason,
                "accepted": { "amount": kilos, "unit": "kg" },
                "refused": { "amount": refused.to_string(), "unit": "kg" },
            })
        });
        let body = json!({
            "lines": lines.collect::<Vec<_>>(), "witness_account": self.witness, "replace_missing": false,
        });
        let path = format!("/v1/deliveries/{}/acceptance", delivery["id"].as_str().unwrap());
        self.market.world.post(&self.market.buyer, &path, body).await.ok()
    }

    async fn pay(&self, amount: &str, as_deposit: bool) -> Value {
        let body = json!({
            "institution_id": self.market.institution, "amount": amount, "reference": "货款",
            "received_on": self.market.world.clock.today(), "as_deposit": as_deposit,
        });
        self.market.world.post(&self.finance, "/v1/payments", body).await.created()
    }

    /// Balance, reserved and free.
    async fn deposit(&self) -> [String; 3] {
        let path = format!("/v1/institutions/{}/deposit", self.market.institution);
        let shown = self.market.world.get(&self.market.buyer, &path).await.ok();
        ["balance", "reserved", "free"].map(|name| shown[name].as_str().unwrap().to_owned())
    }

    async fn uses(&self) -> Vec<Value> {
        let path = format!("/v1/institutions/{}/deposit/uses", self.market.institution);
        let list = self.market.world.get(&self.finance, &path).await.ok();
        list["items"].as_array().unwrap().clone()
    }

    /// Amount and what was received of the newest settlement.
    async fn settled(&self) -> (String, String) {
        let list = self.market.world.get(&self.market.buyer, "/v1/settlements?limit=1").await.ok();
        let text = |name: &str| list["items"][0][name].as_str().unwrap().to_owned();
        (text("amount"), text("received"))
    }

    /// Nothing about orders and money is found. What stands below the API has no events.
    async fn audited(&self) {
        let findings = audit::verify(self.market.world.app.db.reader()).await.unwrap();
        let built = ["household", "institution", "product", "lot"];
        let found: Vec<_> = findings.iter().filter(|found| !built.contains(&found.table)).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn deliveries_of(order: &Value) -> String {
    format!("/v1/orders/{}/deliveries", order["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_prepaid_order_goes_out_once_it_is_paid_for_and_is_paid_when_it_is_accepted() {
    let ahead = Ahead::of(&[100]).await;
    let order = ahead.ordered("prepaid", "10").await;
    let refused = ahead.dispatch(&order).await.refused(409, "deposit_short");
    assert!(!refused["detail"].as_str().unwrap().contains(".00"), "households learn no balance: {refused}");
    ahead.pay("399.99", true).await;
    ahead.dispatch(&order).await.refused(409, "deposit_short");
    assert_eq!(ahead.deposit().await, ["399.99", "0.00", "399.99"]);
    ahead.pay("100.01", true).await;
    let delivery = ahead.dispatch(&order).await.created();
    assert_eq!(ahead.deposit().await, ["500.00", "400.00", "100.00"]);
    ahead.accept(&delivery, "10").await;
    assert_eq!(ahead.settled().await, ("400.00".to_owned(), "400.00".to_owned()));
    assert_eq!(ahead.deposit().await, ["100.00", "0.00", "100.00"]);
    let uses = ahead.uses().await;
    assert_eq!((&uses[0]["amount"], &uses[0]["order_id"]), (&json!("400.00"), &order["id"]));
    assert_eq!((&uses[0]["number"], uses.len()), (&json!("DU-341823-2027-000001"), 1));
    ahead.audited().await;
}

#[tokio::test]
async fn what_is_refused_of_a_prepaid_order_stays_on_deposit() {
    let ahead = Ahead::of(&[100]).await;
    let order = ahead.ordered("prepaid", "10").await;
    ahead.pay("400.00", true).await;
    let delivery = ahead.dispatch(&order).await.created();
    ahead.accept(&delivery, "7").await;
    assert_eq!(ahead.settled().await, ("280.00".to_owned(), "280.00".to_owned()));
    assert_eq!(ahead.deposit().await, ["120.00", "0.00", "120.00"]);
    ahead.audited().await;
}

#[tokio::test]
async fn an_order_of_goods_first_goes_out_unpaid_and_leaves_the_deposit_alone() {
    let ahead = Ahead::of(&[100]).await;
    let order = ahead.ordered("goods_first", "10").await;
    ahead.pay("1000.00", true).await;
    let delivery = ahead.dispatch(&order).await.created();
    assert_eq!(ahead.deposit().await, ["1000.00", "0.00", "1000.00"]);
    ahead.accept(&delivery, "10").await;
    assert_eq!(ahead.settled().await, ("400.00".to_owned(), "0.00".to_owned()));
    let shown = ahead.market.world.get(&ahead.market.buyer, "/v1/orders?limit=1").await.ok();
    assert_eq!(shown["items"][0]["payment_mode"], "goods_first");
    ahead.audited().await;
}

#[tokio::test]
async fn an_order_that_names_no_mode_is_one_of_goods_first_and_another_mode_is_refused() {
    let ahead = Ahead::of(&[100]).await;
    assert_eq!(ahead.market.place("10").await["payment_mode"], "goods_first");
    let mut body = ahead.market.order("10");
    body["payment_mode"] = json!("barter");
    ahead.market.world.post(&ahead.market.buyer, "/v1/orders", body).await.refused(422, "invalid_value");
}

#[tokio::test]
async fn two_prepaid_orders_never_go_out_on_the_same_deposit() {
    let ahead = Ahead::of(&[100]).await;
    let orders = [ahead.ordered("prepaid", "10").await, ahead.ordered("prepaid", "10").await];
    ahead.pay("799.99", true).await;
    let sent = futures_util::future::join_all(orders.iter().map(|order| ahead.dispatch(order))).await;
    let gone = sent.iter().position(|answer| answer.status == 201).expect("one of them is covered");
    sent[1 - gone].refused(409, "deposit_short");
    assert_eq!(ahead.deposit().await, ["799.99", "400.00", "399.99"]);
    let reserved = json!({ "amount": "399.99" });
    let path = format!("/v1/institutions/{}/deposit/uses", ahead.market.institution);
    let used = ahead.market.world.post(&ahead.finance, &path, reserved).await;
    assert_eq!(used.refused(422, "invalid_value")["detail"], "the institution owes nothing");
    ahead.accept(&sent[gone].json(), "10").await;
    ahead.dispatch(&orders[1 - gone]).await.refused(409, "deposit_short");
    ahead.pay("0.01", true).await;
    ahead.dispatch(&orders[1 - gone]).await.created();
    ahead.audited().await;
}

#[tokio::test]
async fn a_prepaid_order_whose_deposit_was_taken_back_is_owed_like_any_other() {
    let ahead = Ahead::of(&[100]).await;
    let order = ahead.ordered("prepaid", "10").await;
    let payment = ahead.pay("400.00", true).await;
    let delivery = ahead.dispatch(&order).await.created();
    let reverse = format!("/v1/payments/{}/reverse", payment["id"].as_str().unwrap());
    ahead.market.world.post(&ahead.finance, &reverse, json!({ "reason": "bounced" })).await.ok();
    assert_eq!(ahead.deposit().await, ["0.00", "400.00", "0.00"]);
    ahead.pay("100.00", true).await;
    ahead.accept(&delivery, "10").await;
    assert_eq!(ahead.settled().await, ("400.00".to_owned(), "100.00".to_owned()));
    ahead.pay("300.00", false).await;
    assert_eq!(ahead.settled().await.1, "400.00");
    ahead.audited().await;
}
