//! The specification of what a bank tells by itself, and the attacks on it: only a message that the bank has signed just now
//! has an effect, and that once.

use reqwest::Method;
use serde_json::{Value as Json, json};
use zhuxiao::members::access::Role;
use zhuxiao::settings::Secret;
use zhuxiao::webhooks::rules::signature;

use super::files::{SETTLED, report};
use super::{Desk, yuan};
use crate::support::Answer;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A message as the bank sends it.
struct Message {
    id: &'static str,
    timestamp: String,
    signature: String,
    body: String,
}

impl Message {
    fn signed(desk: &Desk, id: &'static str, secret: &str, body: &str) -> Self {
        let timestamp = desk.purse.world.clock.now().timestamp();
        let signature = signature(secret, id, timestamp, body.as_bytes()).unwrap();
        Self { id, timestamp: timestamp.to_string(), signature, body: body.to_owned() }
    }

    async fn send(&self, desk: &Desk) -> Answer {
        let request = desk.purse.world.request(Method::POST, None, "/v1/callbacks/bank");
        let request = request
            .header("content-type", "application/octet-stream")
            .header("webhook-id", self.id)
            .header("webhook-timestamp", &self.timestamp)
            .header("webhook-signature", &self.signature);
        Answer::of(request.body(self.body.clone())).await
    }
}

/// A desk with a batch of two payouts at the bank, and the report that says they were paid.
async fn at_the_bank() -> (Desk, String, String) {
    let desk = Desk::with(|settings| settings.bank_callback_secret = Some(Secret(SECRET.to_owned()))).await;
    let homes = desk.purse.households(2).await;
    desk.purse.sold(&[(homes[0], 100), (homes[1], 250)]).await;
    desk.purse.pay(&yuan(350)).await;
    let batch = desk.instructed().await;
    let payouts = desk.payouts(&batch).await;
    let told: Vec<(&Json, &str)> = payouts.iter().map(|payout| (payout, SETTLED)).collect();
    let report = report(&desk.get(&batch).await, &told);
    (desk, batch, report)
}

async fn state(desk: &Desk, batch: &str) -> Json {
    desk.get(batch).await["state"].clone()
}

#[tokio::test]
async fn what_the_bank_signs_is_recorded_and_the_trail_says_that_it_was_the_bank() {
    let (desk, batch, report) = at_the_bank().await;
    let told = Message::signed(&desk, "msg_1", SECRET, &report).send(&desk).await.ok();
    assert_eq!(
        (&told["payout_batch_id"], &told["paid"], &told["unknown"]),
        (&json!(batch), &json!(2), &json!(0))
    );
    assert_eq!(state(&desk, &batch).await, "executed");
    let auditor = desk.purse.world.official(Role::Auditor).await;
    let path = format!("/v1/audit_events?subject_id={batch}");
    let events = desk.purse.world.get(&auditor, &path).await.ok();
    let roles: Vec<&Json> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["action"] == "import_payout_results")
        .map(|event| &event["actor_role"])
        .collect();
    assert!(!roles.is_empty() && roles.iter().all(|role| **role == "bank"), "{roles:?}");
    assert!(
        zhuxiao::audit::verify(desk.purse.world.app.db.reader())
            .await
            .unwrap()
            .iter()
            .all(|finding| { !["payout", "payout_batch", "ledger_entry"].contains(&finding.table) })
    );
}

#[tokio::test]
async fn at_w09_a_wrong_signature_and_an_old_message_are_refused_and_a_repeated_one_has_one_effect() {
    let (desk, batch, report) = at_the_bank().await;
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    Message::signed(&desk, "msg_1", other, &report).send(&desk).await.refused(401, "not_signed_in");
    let good = Message::signed(&desk, "msg_1", SECRET, &report);
    let unsigned = desk.purse.world.request(Method::POST, None, "/v1/callbacks/bank").body(report.clone());
    Answer::of(unsigned.header("content-type", "application/octet-stream"))
        .await
        .refused(401, "not_signed_in");
    for minutes in [10, -20] {
        desk.purse.world.clock.advance(chrono::TimeDelta::minutes(minutes));
        good.send(&desk).await.refused(401, "not_signed_in");
    }
    let later = Message { timestamp: desk.purse.world.clock.now().timestamp().to_string(), ..good };
    later.send(&desk).await.refused(401, "not_signed_in");
    assert_eq!(state(&desk, &batch).await, "approved", "nothing took effect");
    desk.purse.world.clock.advance(chrono::TimeDelta::minutes(10));
    let good = Message::signed(&desk, "msg_1", SECRET, &report);
    let first = good.send(&desk).await;
    let again = good.send(&desk).await;
    assert_eq!(again.ok(), first.ok());
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(state(&desk, &batch).await, "executed");
    let counted = zhuxiao::db::rows::<Counted>(
        desk.purse.world.app.db.reader(),
        "select count(*) as entries from ledger_entry where kind = 'payout_paid'",
        [],
    );
    assert_eq!(counted.await.unwrap()[0].entries, 1);
}

#[derive(sea_orm::FromQueryResult)]
struct Counted {
    entries: i64,
}

#[tokio::test]
async fn at_w10_a_body_that_was_changed_by_one_space_is_refused() {
    let (desk, batch, report) = at_the_bank().await;
    let good = Message::signed(&desk, "msg_1", SECRET, &report);
    for body in [format!("{report} "), format!(" {report}"), report.replacen("><", "> <", 1)] {
        let changed = Message {
            body,
            id: "msg_1",
            timestamp: good.timestamp.clone(),
            signature: good.signature.clone(),
        };
        changed.send(&desk).await.refused(401, "not_signed_in");
    }
    let renamed = Message {
        id: "msg_2",
        body: report.clone(),
        timestamp: good.timestamp.clone(),
        signature: good.signature.clone(),
    };
    renamed.send(&desk).await.refused(401, "not_signed_in");
    assert_eq!(state(&desk, &batch).await, "approved");
    good.send(&desk).await.ok();
}

#[tokio::test]
async fn what_a_bank_signs_about_nothing_of_ours_is_refused_and_without_a_secret_everything_is() {
    let (desk, batch, report) = at_the_bank().await;
    let other = report.replace("PB-341823-2027-000001", "PB-341823-2027-000009");
    Message::signed(&desk, "msg_1", SECRET, &other).send(&desk).await.refused(404, "not_found");
    Message::signed(&desk, "msg_2", SECRET, "nonsense").send(&desk).await.refused(422, "invalid_value");
    assert_eq!(state(&desk, &batch).await, "approved");
    let closed = Desk::open().await;
    Message::signed(&closed, "msg_1", SECRET, &report).send(&closed).await.refused(409, "setting_missing");
}
