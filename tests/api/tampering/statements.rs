//! The bank statements of consistent books: one that opens and closes, and one that repeats a line of it.

use serde_json::json;

use super::chain::{Books, day, id};
use crate::support::COUNTY;

/// A line: its number, position, amount and the balance after it, if the bank says.
type Line = (u32, i64, i64, Option<i64>);

impl Books<'_> {
    pub async fn statements(&self) {
        let lines = [(1, 1, 751_000, Some(751_000)), (2, 2, 5_000, None), (3, 3, -500_000, Some(256_000))];
        self.statement(1, (Some(0), Some(256_000)), (3, 756_000, 500_000), &lines).await;
        self.statement(2, (None, None), (2, 751_007, 0), &[(4, 2, 7, None)]).await;
        let columns =
            vec![("statement_id", id('z', 2).into()), ("position", 1.into()), ("line_id", id('y', 1).into())];
        self.put("bank_statement_repeat", columns).await;
    }

    async fn statement(
        &self,
        number: u32,
        (opening, closing): (Option<i64>, Option<i64>),
        (count, incoming, outgoing): (i64, i64, i64),
        lines: &[Line],
    ) {
        let columns = vec![
            ("id", id('z', number).into()),
            ("county_code", COUNTY.into()),
            ("bank", "icbc".into()),
            ("format", "csv".into()),
            ("account_fingerprint", format!("account {number}").into()),
            ("currency", "CNY".into()),
            ("from_on", day().into()),
            ("to_on", day().into()),
            ("opening_minor", opening.into()),
            ("opening_currency", opening.map(|_| "CNY").into()),
            ("closing_minor", closing.into()),
            ("closing_currency", closing.map(|_| "CNY").into()),
            ("line_count", count.into()),
            ("in_minor", incoming.into()),
            ("out_minor", outgoing.into()),
            ("file_digest", format!("file {number}").into()),
            ("file_part", 1.into()),
            ("imported_at", self.now()),
        ];
        self.put("bank_statement", columns).await;
        for (line, position, amount, balance) in lines {
            let told = balance.map(|balance| balance.to_string()).unwrap_or_default();
            let columns = vec![
                ("id", id('y', *line).into()),
                ("statement_id", id('z', number).into()),
                ("county_code", COUNTY.into()),
                ("position", (*position).into()),
                ("currency", "CNY".into()),
                ("amount_minor", (*amount).into()),
                ("booked_on", day().into()),
                ("remark", "货款".into()),
                ("balance_minor", (*balance).into()),
                ("identity", format!("{}/{amount}/{told}/{line}", day()).into()),
            ];
            self.put("bank_statement_line", columns).await;
        }
        let after = json!({
            "line_count": count, "in_minor": incoming, "out_minor": outgoing, "opening_minor": opening,
            "closing_minor": closing,
        });
        self.event("bank_statement", id('z', number), None, after).await;
    }
}
