//! The specification of matching: which payment a line of a bank statement is.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::bank_statements::matching;
use zhuxiao::members::access::Role;
use zhuxiao::trail::Actor;

use crate::payments::for_settlements;
use crate::support::purse::Purse;
use crate::support::{Answer, COUNTY, Person};

/// What a line of a statement says.
struct Said<'a> {
    fen: i64,
    remark: &'a str,
    payer: Option<&'a str>,
    account: Option<&'a str>,
    currency: &'a str,
}

fn said(fen: i64, remark: &str) -> Said<'_> {
    Said { fen, remark, payer: None, account: None, currency: "CNY" }
}

/// A county's account whose statements come in, and a school that pays into it.
struct Counter {
    purse: Purse,
    lines: AtomicI64,
}

impl Counter {
    async fn open() -> Self {
        Self { purse: Purse::open().await, lines: AtomicI64::new(0) }
    }

    /// A statement with these lines, below the API: its id and theirs.
    async fn statement(&self, lines: &[Said<'_>]) -> (Uuid, Vec<Uuid>) {
        let (world, statement) = (&self.purse.world, Uuid::now_v7());
        let (now, today) = (world.clock.now(), world.clock.today());
        let sql =
            "insert into bank_statement (id, county_code, bank, format, currency, from_on, to_on, line_count,
                                               in_minor, out_minor, file_digest, file_part, imported_at)
                   values ($1, $2, 'test', 'csv', 'CNY', $3, $3, 1, 0, 0, $4, 1, $5)";
        let digest = statement.simple().to_string();
        world
            .execute(sql, vec![statement.into(), COUNTY.into(), today.into(), digest.into(), now.into()])
            .await;
        let mut ids = Vec::new();
        for (line, position) in lines.iter().zip(1_i64..) {
            let (id, serial) = (Uuid::now_v7(), self.lines.fetch_add(1, Ordering::Relaxed));
            let sql = "insert into bank_statement_line (id, statement_id, county_code, position, currency, amount_minor,
                           booked_on, payer_name, payer_account_fingerprint, remark, identity)
                       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
            let values = vec![
                id.into(),
                statement.into(),
                COUNTY.into(),
                position.into(),
                line.currency.into(),
                line.fen.into(),
                today.into(),
                line.payer.into(),
                line.account.into(),
                line.remark.into(),
                format!("{today}/{}//{serial}", line.fen).into(),
            ];
            world.execute(sql, values).await;
            ids.push(id);
        }
        (statement, ids)
    }

    /// The lines of a statement that are payments beyond doubt are booked, as its import does.
    async fn book_exact(&self, statement: Uuid) -> u64 {
        let app = &self.purse.world.app;
        let booked = app.db.write(|| async {
            let txn = app.db.begin().await?;
            let actor = Actor::service("command_line");
            let booked = matching::book_exact(&txn, app, &actor, COUNTY, statement).await?;
            txn.commit(booked).await
        });
        booked.await.unwrap()
    }

    async fn try_match(&self, line: Uuid, more: Json) -> Answer {
        let mut body = json!({ "institution_id": self.purse.school });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = format!("/v1/bank_statement_lines/{line}/match");
        self.purse.world.post(&self.purse.finance, &path, body).await
    }

    async fn candidates(&self, line: Uuid) -> Vec<Json> {
        let path = format!("/v1/bank_statement_lines/{line}/candidates");
        let list = self.purse.world.get(&self.purse.finance, &path).await.ok();
        list["items"].as_array().unwrap().clone()
    }

    async fn number_of(&self, settlement: Uuid) -> String {
        let shown =
            self.purse.world.get(&self.purse.finance, &format!("/v1/settlements/{settlement}")).await.ok();
        shown["number"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_line_that_names_a_settlement_and_its_open_amount_is_booked_at_once() {
    let counter = Counter::open().await;
    let home = counter.purse.households(1).await[0];
    let [one, other] =
        [counter.purse.sold(&[(home, 10_000)]).await, counter.purse.sold(&[(home, 5_000)]).await];
    let [one_no, other_no] = [counter.number_of(one).await, counter.number_of(other).await];
    let written = format!("货款 {}", other_no.to_lowercase().replace('-', " "));
    let beside = format!("{one_no} 少一分");
    let foreign = format!("{one_no} usd");
    let (statement, lines) = counter
        .statement(&[
            said(9_999, &beside),
            said(5_000, &written),
            said(-5_000, &other_no),
            said(5_000, &other_no),
            Said { currency: "USD", ..said(10_000, &foreign) },
            said(10_000, "没有编号"),
        ])
        .await;
    assert_eq!(counter.book_exact(statement).await, 1, "a second line for the same settlement stays open");
    assert_eq!(counter.purse.received_of(other).await, "50.00");
    assert_eq!(counter.purse.received_of(one).await, "0.00");
    let payments = counter.purse.world.get(&counter.purse.finance, "/v1/payments").await.ok();
    let payment = &payments["items"][0];
    assert_eq!((&payment["amount"], &payment["reference"]), (&json!("50.00"), &json!(written)));
    assert_eq!(payment["received_on"], json!(counter.purse.world.clock.today()));
    assert!(payment.get("recorded_by").is_none(), "nobody recorded it: {payment}");
    assert!(counter.candidates(lines[1]).await.is_empty(), "a matched line has no candidates");
    assert_eq!(counter.book_exact(statement).await, 0, "and is not booked again");
    counter.purse.audited().await;
}

#[tokio::test]
async fn a_line_that_names_several_settlements_and_their_sum_pays_all_of_them() {
    let counter = Counter::open().await;
    let home = counter.purse.households(1).await[0];
    let [one, other] =
        [counter.purse.sold(&[(home, 10_000)]).await, counter.purse.sold(&[(home, 5_000)]).await];
    let remark = format!("{}、{}", counter.number_of(one).await, counter.number_of(other).await);
    let (statement, _) = counter.statement(&[said(15_000, &remark)]).await;
    assert_eq!(counter.book_exact(statement).await, 1);
    assert_eq!(counter.purse.received_of(one).await, "100.00");
    assert_eq!(counter.purse.received_of(other).await, "50.00");
    counter.purse.audited().await;
}

#[tokio::test]
async fn a_line_from_another_institution_is_left_to_people() {
    let counter = Counter::open().await;
    let home = counter.purse.households(1).await[0];
    let clinic = counter.purse.world.institution("示范医院", "hospital").await;
    let of_clinic = counter.purse.sold_to(clinic, &[(home, 7_000)]).await;
    let of_school = counter.purse.sold(&[(home, 10_000)]).await;
    let (clinic_no, school_no) = (counter.number_of(of_clinic).await, counter.number_of(of_school).await);
    let (first, _) = counter.statement(&[Said { account: Some("a1"), ..said(7_000, &clinic_no) }]).await;
    assert_eq!(counter.book_exact(first).await, 1);
    let (second, lines) = counter
        .statement(&[
            Said { account: Some("a1"), ..said(10_000, &school_no) },
            Said { payer: Some("示范 医院"), ..said(10_000, &school_no) },
        ])
        .await;
    assert_eq!(counter.book_exact(second).await, 0, "its account and its name are the clinic's");
    let candidates = counter.candidates(lines[0]).await;
    assert_eq!(candidates[0]["institution_id"], json!(counter.purse.school));
    assert_eq!(candidates[0]["reasons"], json!(["number_named", "amount_of_named"]));
    assert_eq!(candidates[1]["institution_id"], json!(clinic), "{candidates:?}");
    assert_eq!(candidates[1]["reasons"], json!(["account_known"]));
}

#[tokio::test]
async fn candidates_are_ranked_and_say_why() {
    let counter = Counter::open().await;
    let home = counter.purse.households(1).await[0];
    let clinic = counter.purse.world.institution("示范医院", "hospital").await;
    counter.purse.sold_to(clinic, &[(home, 12_000)]).await;
    let [one, two] = [counter.purse.sold(&[(home, 7_000)]).await, counter.purse.sold(&[(home, 5_000)]).await];
    let (_, lines) = counter
        .statement(&[Said { payer: Some("泾县示范学校"), ..said(12_000, "货款") }, said(3_000, "利息")])
        .await;
    let candidates = counter.candidates(lines[0]).await;
    assert_eq!(candidates.len(), 2, "{candidates:?}");
    let (school, clinic_one) = (&candidates[0], &candidates[1]);
    assert_eq!(school["institution_name"], "示范学校");
    assert_eq!(school["reasons"], json!(["amount_of_several", "name_similar"]));
    let pays: Vec<_> =
        school["settlements"].as_array().unwrap().iter().map(|one| &one["settlement_id"]).collect();
    assert_eq!(pays, [&json!(one), &json!(two)]);
    assert_eq!((&clinic_one["reasons"], &clinic_one["score"]), (&json!(["amount_of_one"]), &json!(20)));
    assert!(counter.candidates(lines[1]).await.is_empty(), "nothing speaks for anybody");
}

#[tokio::test]
async fn a_person_matches_a_line_once_and_reversing_its_payment_opens_it_again() {
    let counter = Counter::open().await;
    let home = counter.purse.households(1).await[0];
    let [one, other] =
        [counter.purse.sold(&[(home, 10_000)]).await, counter.purse.sold(&[(home, 5_000)]).await];
    let (_, lines) = counter.statement(&[said(12_000, "货款"), said(3_000, "余款")]).await;
    let matched = counter.try_match(lines[0], for_settlements(&[(other, None), (one, None)])).await.ok();
    let payment = &matched["payment"];
    assert_eq!((&payment["settled"], &payment["reference"]), (&json!("120.00"), &json!("货款")));
    assert_eq!(counter.purse.received_of(one).await, "100.00");
    assert_eq!(counter.purse.received_of(other).await, "20.00");
    let again = counter.try_match(lines[0], json!({})).await.refused(409, "wrong_state");
    assert!(again["detail"].as_str().unwrap().contains("matched already"), "{again}");
    counter.try_match(lines[1], for_settlements(&[(other, None)])).await.ok();
    assert_eq!(counter.purse.received_of(other).await, "50.00", "several lines pay one settlement");
    counter.purse.audited().await;
    counter.purse.reverse(payment).await.ok();
    assert_eq!(counter.purse.received_of(one).await, "0.00");
    let right = counter.try_match(lines[0], json!({ "as_deposit": true })).await.ok();
    assert_eq!(right["payment"]["deposited"], "120.00");
    counter.purse.audited().await;
}

#[tokio::test]
async fn a_line_is_matched_by_one_of_many_who_try_at_once() {
    let counter = Counter::open().await;
    let (_, lines) = counter.statement(&[said(12_000, "货款")]).await;
    let tries = (0..4).map(|_| counter.try_match(lines[0], json!({})));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "wrong_state");
    }
    assert_eq!(counter.purse.balance("kind=escrow").await, "120.00");
    counter.purse.audited().await;
}

#[tokio::test]
async fn a_match_is_made_once_per_idempotency_key() {
    let counter = Counter::open().await;
    let (_, lines) = counter.statement(&[said(12_000, "货款")]).await;
    let path = format!("/v1/bank_statement_lines/{}/match", lines[0]);
    let body = json!({ "institution_id": counter.purse.school });
    let (world, by) = (&counter.purse.world, Some(&counter.purse.finance));
    let first = world.post_with_key(by, &path, body.clone(), "m1").await;
    let again = world.post_with_key(by, &path, body, "m1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.ok(), again.ok());
    assert_eq!(counter.purse.balance("kind=escrow").await, "120.00");
}

#[tokio::test]
async fn what_went_out_or_is_no_cny_is_not_matched_but_explained() {
    let counter = Counter::open().await;
    let (_, lines) = counter
        .statement(&[said(-100, "手续费"), Said { currency: "USD", ..said(100, "x") }, said(100, "利息")])
        .await;
    for line in &lines[..2] {
        counter.try_match(*line, json!({})).await.refused(409, "wrong_state");
    }
    for line in &lines {
        let path = format!("/v1/bank_statement_lines/{line}/explain");
        let empty = counter.purse.world.post(&counter.purse.finance, &path, json!({ "note": "" })).await;
        empty.refused(422, "invalid_value");
        let told =
            counter.purse.world.post(&counter.purse.finance, &path, json!({ "note": "银行手续费" })).await;
        assert_eq!(told.ok()["note"], "银行手续费");
    }
    counter.try_match(lines[2], json!({})).await.ok();
    let path = format!("/v1/bank_statement_lines/{}/explain", lines[2]);
    let late = counter.purse.world.post(&counter.purse.finance, &path, json!({ "note": "x" })).await;
    late.refused(409, "wrong_state");
}

#[tokio::test]
async fn a_line_and_an_institution_of_other_counties_do_not_exist_and_only_finance_matches() {
    let counter = Counter::open().await;
    let (_, lines) = counter.statement(&[said(12_000, "货款")]).await;
    let purse = &counter.purse;
    let path = |verb: &str| format!("/v1/bank_statement_lines/{}/{verb}", lines[0]);
    let body = json!({ "institution_id": purse.school });
    let township = purse.finance_of_the_other_township().await;
    purse.world.post(&township, &path("match"), body.clone()).await.refused(404, "not_found");
    purse.world.get(&township, &path("candidates")).await.refused(404, "not_found");
    let stranger = json!({ "institution_id": Uuid::now_v7() });
    purse.world.post(&purse.finance, &path("match"), stranger).await.refused(404, "not_found");
    let others: Vec<Person> = purse.others_than(&[Role::Finance]).await;
    for person in others {
        purse.world.post(&person, &path("match"), body.clone()).await.refused(403, "not_allowed");
        let note = json!({ "note": "x" });
        purse.world.post(&person, &path("explain"), note).await.refused(403, "not_allowed");
    }
}

#[tokio::test]
async fn a_match_that_was_changed_by_hand_is_found() {
    let counter = Counter::open().await;
    let (_, lines) = counter.statement(&[said(12_000, "货款"), said(12_000, "货款")]).await;
    counter.try_match(lines[0], json!({})).await.ok();
    let world = &counter.purse.world;
    for (sql, undo) in [
        (
            "update bank_statement_line set amount_minor = 12001",
            "update bank_statement_line set amount_minor = 12000",
        ),
        ("update bank_statement_match set kind = 'exact'", "update bank_statement_match set kind = 'manual'"),
        (
            "update bank_statement_match set reversed_at = matched_at",
            "update bank_statement_match set reversed_at = null",
        ),
    ] {
        world.execute(sql, Vec::new()).await;
        let findings = zhuxiao::audit::verify(world.app.db.reader()).await.unwrap();
        assert!(findings.iter().any(|found| found.table == "bank_statement_match"), "{sql}: {findings:#?}");
        world.execute(undo, Vec::new()).await;
    }
    let moved = "update bank_statement_match set line_id = $1";
    world.execute(moved, vec![lines[1].into()]).await;
    let findings = zhuxiao::audit::verify(world.app.db.reader()).await.unwrap();
    assert!(findings.iter().any(|found| found.table == "bank_statement_match" && found.column == "line_id"));
    world.execute(moved, vec![lines[0].into()]).await;
    counter.purse.audited().await;
}
