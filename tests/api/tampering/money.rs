//! The money of consistent books: a settlement, payments of which one was reversed, payouts of which one was returned,
//! the ledger of all of it, and the counters of the papers.

use serde_json::{Value as Json, json};
use uuid::Uuid;
use zhuxiao::money::Fen;
use zhuxiao::papers::content::{PaidLine, PaymentSlip};
use zhuxiao::papers::{Content, digest};
use zhuxiao::quantity::Measure;

use super::chain::{Books, day, id};
use crate::support::COUNTY;

/// A ledger entry: its number, kind, source, what it reverses, and its postings as account and amount.
type Entry = (u32, &'static str, (&'static str, Uuid), Option<u32>, &'static [(u32, i64)]);

impl Books<'_> {
    pub async fn settlement(&self) {
        let columns = vec![
            ("id", id('s', 1).into()),
            ("county_code", COUNTY.into()),
            ("number", "ST-341823-2027-000001".into()),
            ("order_id", id('o', 1).into()),
            ("acceptance_id", id('c', 1).into()),
            ("institution_id", self.institution.into()),
            ("amount_fen", 834_118.into()),
            ("received_fen", 750_600.into()),
            ("fee_fen", 8_341.into()),
            ("fee_received_fen", 400.into()),
            ("settled_on", day().into()),
            ("due_on", day().into()),
            ("created_at", self.now()),
        ];
        self.put("settlement", columns).await;
        // (number, household, quantity, price, unit, amount, received, paid out)
        let lines = [
            (1, 0, 99_050, 3_201, "jin", 634_118, 600_600, 500_000),
            (2, 1, 50_000, 4_000, "kg", 200_000, 150_000, 100_000),
        ];
        let mut told = Vec::new();
        for (number, household, quantity, price, unit, amount, received, paid_out) in lines {
            let columns = vec![
                ("id", id('t', number).into()),
                ("settlement_id", id('s', 1).into()),
                ("delivery_line_id", id('e', number).into()),
                ("allocation_id", id('a', number).into()),
                ("household_id", self.households[household].into()),
                ("county_code", COUNTY.into()),
                ("village_code", "341823100001".into()),
                ("household_status", "registered".into()),
                ("product_id", self.product.into()),
                ("category", "tea".into()),
                ("institution_id", self.institution.into()),
                ("institution_kind", "school".into()),
                ("sold_on", day().into()),
                ("measure", "mass".into()),
                ("quantity_base", quantity.into()),
                ("price_fen", price.into()),
                ("pricing_unit", unit.into()),
                ("amount_fen", amount.into()),
                ("received_fen", received.into()),
                ("paid_out_fen", paid_out.into()),
            ];
            self.put("settlement_line", columns).await;
            told.push(json!({
                "id": id('t', number), "quantity_base": quantity, "price_fen": price, "amount_fen": amount
            }));
        }
        self.event(
            "settlement",
            id('s', 1),
            None,
            json!({
                "amount_fen": 834_118, "number": "ST-341823-2027-000001", "institution_id": self.institution,
                "due_on": day(), "lines": told,
            }),
        )
        .await;
    }

    /// A rate of one percent and a term of 30 days, and a reminder on the day the settlement is due.
    pub async fn terms(&self) {
        let from_on: chrono::NaiveDate = "2027-02-01".parse().unwrap();
        let set = |id: Uuid| {
            vec![
                ("id", id.into()),
                ("county_code", COUNTY.into()),
                ("from_on", from_on.into()),
                ("source", "县政府会议纪要".into()),
                ("set_by", id.into()),
                ("created_at", self.now()),
            ]
        };
        let mut rate = set(id('f', 1));
        rate.push(("rate_ppm", 10_000.into()));
        self.put("fee_rate", rate).await;
        self.event("fee_rate", id('f', 1), None, json!({ "rate_ppm": 10_000, "from_on": from_on })).await;
        let mut term = set(id('g', 1));
        term.extend([("institution_id", self.institution.into()), ("days", 30.into())]);
        self.put("payment_term", term).await;
        let after = json!({ "days": 30, "from_on": from_on, "institution_id": self.institution });
        self.event("payment_term", id('g', 1), None, after).await;
        let reminder = vec![
            ("id", id('m', 1).into()),
            ("county_code", COUNTY.into()),
            ("settlement_id", id('s', 1).into()),
            ("institution_id", self.institution.into()),
            ("step", 0.into()),
            ("due_on", day().into()),
            ("open_fen", 92_159.into()),
            ("raised_on", day().into()),
            ("created_at", self.now()),
        ];
        self.put("payment_reminder", reminder).await;
        let after = json!({ "open_fen": 92_159, "raised_on": day() });
        self.event("payment_reminder", id('m', 1), None, after).await;
    }

    /// Accounts 1 receivable, 2 deposit, 3 and 4 payable, 5 escrow, 6 clearing, 7 rounding, 8 fee.
    pub async fn ledger(&self) {
        let (buyer, [one, other]) = (Some(self.institution), self.households.map(Some));
        let owners = [buyer, buyer, one, other, None, None, None, None];
        let kinds = ["receivable", "deposit", "payable", "payable", "escrow", "clearing", "rounding", "fee"];
        let entries: [Entry; 10] = [
            (
                1,
                "acceptance",
                ("settlement", id('s', 1)),
                None,
                &[(1, 842_459), (3, -634_118), (4, -200_000), (8, -8_341)],
            ),
            (2, "payment", ("payment", id('p', 1)), None, &[(5, 751_000), (1, -750_300), (2, -700)]),
            (3, "payment", ("payment", id('p', 2)), None, &[(5, 5_000), (1, -5_000)]),
            (4, "payment", ("payment", id('p', 2)), Some(3), &[(5, -5_000), (1, 5_000)]),
            (
                5,
                "payout_instruction",
                ("payout_batch", id('b', 1)),
                None,
                &[(3, 500_000), (4, 120_000), (6, -620_000)],
            ),
            (6, "payout_paid", ("payout_batch", id('b', 1)), None, &[(6, 500_000), (5, -500_000)]),
            (7, "payout_returned", ("payout_batch", id('b', 1)), None, &[(6, 120_000), (4, -120_000)]),
            (8, "deposit_use", ("deposit_use", id('u', 1)), None, &[(2, 700), (1, -700)]),
            (9, "deposit_use", ("deposit_use", id('u', 2)), None, &[(2, 300), (1, -300)]),
            (10, "deposit_use", ("deposit_use", id('u', 2)), Some(9), &[(2, -300), (1, 300)]),
        ];
        for ((position, kind), owner) in (1_u32..).zip(kinds).zip(owners) {
            let postings = entries.iter().flat_map(|entry| entry.4);
            let balance: i64 =
                postings.filter(|posting| posting.0 == position).map(|posting| posting.1).sum();
            let columns = vec![
                ("id", id('k', position).into()),
                ("county_code", COUNTY.into()),
                ("kind", kind.into()),
                ("owner_id", owner.into()),
                ("balance_fen", balance.into()),
                ("created_at", self.now()),
            ];
            self.put("ledger_account", columns).await;
        }
        for (number, kind, source, reverses, postings) in entries {
            self.entry((number, kind), source, reverses, postings).await;
        }
    }

    async fn entry(
        &self,
        (number, kind): (u32, &str),
        source: (&str, Uuid),
        reverses: Option<u32>,
        postings: &[(u32, i64)],
    ) {
        let columns = vec![
            ("id", id('n', number).into()),
            ("county_code", COUNTY.into()),
            ("kind", kind.into()),
            ("source_kind", source.0.into()),
            ("source_id", source.1.into()),
            ("occurred_on", day().into()),
            ("reverses_id", reverses.map(|reverses| id('n', reverses)).into()),
            ("created_at", self.now()),
        ];
        self.put("ledger_entry", columns).await;
        for (line, (account, amount)) in (1_i64..).zip(postings) {
            let columns = vec![
                ("entry_id", id('n', number).into()),
                ("line_no", line.into()),
                ("account_id", id('k', *account).into()),
                ("occurred_on", day().into()),
                ("amount_fen", (*amount).into()),
            ];
            self.put("ledger_posting", columns).await;
        }
    }

    pub async fn payments(&self) {
        self.payment((1, "recorded", 2), 751_000, (700, 300), &[(1, 600_000), (2, 150_000)]).await;
        self.payment((2, "reversed", 3), 5_000, (0, 1_000), &[(2, 4_000)]).await;
    }

    /// A payment of `amount`, of which so much became a deposit and so much paid the fee.
    async fn payment(
        &self,
        at: (u32, &str, u32),
        amount: i64,
        (deposited, fee): (i64, i64),
        parts: &[(u32, i64)],
    ) {
        let (number, state, entry) = at;
        let columns = vec![
            ("id", id('p', number).into()),
            ("county_code", COUNTY.into()),
            ("number", format!("PM-341823-2027-{number:06}").into()),
            ("institution_id", self.institution.into()),
            ("amount_fen", amount.into()),
            ("deposited_fen", deposited.into()),
            ("received_on", day().into()),
            ("reference", "转账".into()),
            ("state", state.into()),
            ("recorded_by", id('x', 1).into()),
            ("entry_id", id('n', entry).into()),
            ("created_at", self.now()),
            ("reversed_at", (state == "reversed").then(|| self.world.clock.now()).into()),
        ];
        self.put("payment", columns).await;
        for (line, part) in parts {
            let columns = vec![
                ("payment_id", id('p', number).into()),
                ("settlement_line_id", id('t', *line).into()),
                ("settlement_id", id('s', 1).into()),
                ("amount_fen", (*part).into()),
            ];
            self.put("payment_part", columns).await;
        }
        let columns = vec![
            ("payment_id", id('p', number).into()),
            ("settlement_id", id('s', 1).into()),
            ("amount_fen", fee.into()),
        ];
        self.put("payment_fee_part", columns).await;
        let after = json!({
            "amount_fen": amount, "deposited_fen": deposited, "parts": told(parts), "state": state,
            "fees": [{ "settlement_id": id('s', 1), "amount_fen": fee }],
            "number": format!("PM-341823-2027-{number:06}"), "institution_id": self.institution,
            "received_on": day(),
        });
        self.event("payment", id('p', number), None, after).await;
    }

    pub async fn deposit_uses(&self) {
        self.deposit_use((1, "recorded", 8), (1, 600), 100).await;
        self.deposit_use((2, "reversed", 9), (2, 250), 50).await;
    }

    /// The use of a deposit for a line and for the fee.
    async fn deposit_use(&self, (number, state, entry): (u32, &str, u32), part: (u32, i64), fee: i64) {
        let amount = part.1 + fee;
        let columns = vec![
            ("id", id('u', number).into()),
            ("county_code", COUNTY.into()),
            ("number", format!("DU-341823-2027-{number:06}").into()),
            ("institution_id", self.institution.into()),
            ("amount_fen", amount.into()),
            ("used_on", day().into()),
            ("state", state.into()),
            ("entry_id", id('n', entry).into()),
            ("created_at", self.now()),
            ("reversed_at", (state == "reversed").then(|| self.world.clock.now()).into()),
        ];
        self.put("deposit_use", columns).await;
        let columns = vec![
            ("deposit_use_id", id('u', number).into()),
            ("settlement_line_id", id('t', part.0).into()),
            ("settlement_id", id('s', 1).into()),
            ("amount_fen", part.1.into()),
        ];
        self.put("deposit_use_part", columns).await;
        let columns = vec![
            ("deposit_use_id", id('u', number).into()),
            ("settlement_id", id('s', 1).into()),
            ("amount_fen", fee.into()),
        ];
        self.put("deposit_use_fee_part", columns).await;
        let after = json!({
            "amount_fen": amount, "parts": told(&[part]), "state": state, "used_on": day(),
            "fees": [{ "settlement_id": id('s', 1), "amount_fen": fee }],
            "number": format!("DU-341823-2027-{number:06}"), "institution_id": self.institution,
        });
        self.event("deposit_use", id('u', number), None, after).await;
    }

    pub async fn payouts(&self) {
        self.batch(1, "executed", 620_000, 2).await;
        self.payout((1, 1, 0), "paid", (Some(5), Some(6)), &[(1, 500_000)]).await;
        self.payout((2, 1, 1), "returned", (Some(5), Some(7)), &[(2, 120_000)]).await;
        self.batch(2, "drafted", 100_000, 1).await;
        self.payout((3, 2, 1), "drafted", (None, None), &[(2, 100_000)]).await;
        self.left_out().await;
    }

    async fn batch(&self, number: u32, state: &str, amount: i64, payouts: i64) {
        let columns = vec![
            ("id", id('b', number).into()),
            ("county_code", COUNTY.into()),
            ("number", format!("PB-341823-2027-{number:06}").into()),
            ("state", state.into()),
            ("up_to", day().into()),
            ("amount_fen", amount.into()),
            ("payout_count", payouts.into()),
            ("made_by", id('x', 1).into()),
            ("made_at", self.now()),
            ("approved_by", (state != "drafted").then(|| id('x', 2)).into()),
            ("approved_at", (state != "drafted").then(|| self.world.clock.now()).into()),
            ("executed_at", (state == "executed").then(|| self.world.clock.now()).into()),
        ];
        self.put("payout_batch", columns).await;
        let after = json!({
            "amount_fen": amount, "state": state, "up_to": day(), "number": format!("PB-341823-2027-{number:06}"),
        });
        self.event("payout_batch", id('b', number), None, after).await;
    }

    /// A payout `(number, batch, household)` with its instruction and result entries.
    async fn payout(
        &self,
        at: (u32, u32, usize),
        state: &str,
        entries: (Option<u32>, Option<u32>),
        parts: &[(u32, i64)],
    ) {
        let (number, batch, household) = at;
        let amount: i64 = parts.iter().map(|part| part.1).sum();
        let columns = vec![
            ("id", id('h', number).into()),
            ("batch_id", id('b', batch).into()),
            ("county_code", COUNTY.into()),
            ("household_id", self.households[household].into()),
            ("amount_fen", amount.into()),
            ("state", state.into()),
            ("instruction_entry_id", entries.0.map(|entry| id('n', entry)).into()),
            ("result_entry_id", entries.1.map(|entry| id('n', entry)).into()),
            ("return_reason", (state == "returned").then_some("账号不符").into()),
        ];
        self.put("payout", columns).await;
        for (line, part) in parts {
            let columns = vec![
                ("payout_id", id('h', number).into()),
                ("settlement_line_id", id('t', *line).into()),
                ("amount_fen", (*part).into()),
            ];
            self.put("payout_part", columns).await;
        }
        let after = json!({
            "amount_fen": amount, "parts": told(parts), "state": state, "batch_id": id('b', batch),
        });
        self.event("payout", id('h', number), None, after).await;
    }

    /// The slip of the payout that was paid, and a copy of it.
    pub async fn papers(&self) {
        let slip = PaymentSlip {
            county: "泾县".to_owned(),
            village: "示范一村".to_owned(),
            household: "示*户".to_owned(),
            account: None,
            batch_number: "PB-341823-2027-000001".to_owned(),
            paid_on: day(),
            lines: vec![PaidLine {
                settlement_line_id: id('t', 1),
                institution: "示范学校".to_owned(),
                order_number: "PO-341823-2027-000001".to_owned(),
                settlement_number: "ST-341823-2027-000001".to_owned(),
                product: "tea".to_owned(),
                sold_on: day(),
                measure: Measure::Mass,
                quantity_base: 99_050,
                owed: Fen::new(634_118),
                paid: Fen::new(500_000),
            }],
            amount: Fen::new(500_000),
        };
        let number = "PS-341823-2027-000001";
        let content = Content::PaymentSlip(slip).write().unwrap();
        let digest = digest(number, &content);
        let columns = vec![
            ("id", id('q', 1).into()),
            ("county_code", COUNTY.into()),
            ("kind", "payment_slip".into()),
            ("number", number.into()),
            ("payout_id", id('h', 1).into()),
            ("household_id", self.households[0].into()),
            ("content", content.into()),
            ("digest", digest.clone().into()),
            ("issued_by", id('x', 1).into()),
            ("issued_at", self.now()),
        ];
        self.put("paper", columns).await;
        self.event("paper", id('q', 1), None, json!({ "number": number, "digest": digest })).await;
        let columns = vec![
            ("id", id('z', 1).into()),
            ("paper_id", id('q', 1).into()),
            ("copy_no", 1_i64.into()),
            ("printed_by", id('x', 1).into()),
            ("printed_at", self.now()),
        ];
        self.put("paper_print", columns).await;
        self.event("paper_print", id('z', 1), None, json!({ "copy_no": 1 })).await;
    }

    /// The second batch left a household out.
    async fn left_out(&self) {
        let columns = vec![
            ("id", id('j', 1).into()),
            ("batch_id", id('b', 2).into()),
            ("county_code", COUNTY.into()),
            ("household_id", self.households[0].into()),
            ("amount_fen", 100_000.into()),
            ("reason", "no_account".into()),
        ];
        self.put("payout_left_out", columns).await;
        let after = json!({
            "batch_id": id('b', 2), "household_id": self.households[0], "amount_fen": 100_000,
            "reason": "no_account",
        });
        self.event("payout_left_out", id('j', 1), None, after).await;
    }

    pub async fn counters(&self) {
        for (series, value) in [("PO", 50), ("DN", 2), ("ST", 1), ("PM", 2), ("DU", 2), ("PB", 2), ("PS", 1)]
        {
            let columns = vec![("name", format!("{series}-341823-2027").into()), ("value", value.into())];
            self.put("counter", columns).await;
        }
    }
}

/// Parts as the trail tells them.
fn told(parts: &[(u32, i64)]) -> Vec<Json> {
    let told =
        |(line, amount): &(u32, i64)| json!({ "settlement_line_id": id('t', *line), "amount_fen": amount });
    parts.iter().map(told).collect()
}
