//! Every account against every other, as sums of whole counties on any day (账账相符): what one slice says it owes, has
//! received or has paid, against what the ledger or another slice says. Which row differs is what the checks tell; this
//! tells by how much. One read-only statement, so that all figures are of one moment.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::dialect::{Dialect, sum};
use crate::members::access::CountyScope;
use crate::money::Fen;

/// Two figures that must be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Stable, for programs.
    pub name: &'static str,
    /// What is compared, for people.
    pub title: &'static str,
    pub left: Side,
    pub right: Side,
    /// Rows that the right figure was made from.
    pub rows: i64,
}

/// One of the two figures, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub source: &'static str,
    pub amount: Fen,
}

impl Comparison {
    /// Left less right; the largest figure there is when it is beyond that.
    #[must_use]
    pub fn difference(&self) -> Fen {
        self.left.amount.checked_sub(self.right.amount).unwrap_or(Fen::new(i64::MAX))
    }
}

/// A day as the rows know it: business days, and moments before the next one began.
#[derive(Clone, Copy, Debug)]
pub struct AsOf {
    pub day: NaiveDate,
    /// The first moment after the day.
    pub before: DateTime<Utc>,
    /// Whether the day is not over: stored figures of now can be compared.
    pub is_today: bool,
}

/// The comparisons of some counties at the end of a day.
pub async fn compare(
    connection: &impl ConnectionTrait,
    counties: &CountyScope,
    as_of: AsOf,
) -> Result<Vec<Comparison>, DbErr> {
    let backend = connection.get_database_backend();
    let all = comparisons(Dialect::of(backend), as_of.is_today);
    let figures = all.iter().enumerate().map(|(at, one)| {
        format!("({}) as l{at}, ({}) as r{at}, ({}) as n{at}", one.left.1, one.right.1, one.rows)
    });
    let sql = format!("{DATES} select {}", figures.collect::<Vec<_>>().join(", "));
    let values =
        [counties.from.clone().into(), counties.before.clone().into(), as_of.day.into(), as_of.before.into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::Custom("a comparison answered no row".to_owned()))?;
    let read = |(at, one): (usize, &Compared)| {
        Ok(Comparison {
            name: one.name,
            title: one.title,
            left: Side { source: one.left.0, amount: Fen::new(row.try_get("", &format!("l{at}"))?) },
            right: Side { source: one.right.0, amount: Fen::new(row.try_get("", &format!("r{at}"))?) },
            rows: row.try_get("", &format!("n{at}"))?,
        })
    };
    all.iter().enumerate().map(read).collect()
}

/// A comparison as its three queries: sides as source and sum, and the number of rows on the right.
struct Compared {
    name: &'static str,
    title: &'static str,
    left: (&'static str, String),
    right: (&'static str, String),
    rows: String,
}

/// `$1` and `$2` are the counties, `$3` the day, `$4` the moment after it. Payments and uses of deposits that stood at
/// the end of the day, and payouts as far as they had come by then.
const DATES: &str = "
    with standing as (
        select payment.id, payment.amount_fen, payment.deposited_fen from payment
        where payment.county_code >= $1 and payment.county_code < $2 and payment.received_on <= $3
          and (payment.state = 'recorded' or payment.reversed_at >= $4)
    ), used as (
        select used.id, used.amount_fen from deposit_use used
        where used.county_code >= $1 and used.county_code < $2 and used.used_on <= $3
          and (used.state = 'recorded' or used.reversed_at >= $4)
    ), sent as (
        select payout.id, payout.amount_fen, case when result.occurred_on <= $3 then payout.state end as result
        from payout join ledger_entry told on told.id = payout.instruction_entry_id
        left join ledger_entry result on result.id = payout.result_entry_id
        where payout.county_code >= $1 and payout.county_code < $2 and told.occurred_on <= $3
    ), posted as (
        select account.kind, posting.amount_fen, entry.kind as entry_kind
        from ledger_posting posting join ledger_account account on account.id = posting.account_id
        join ledger_entry entry on entry.id = posting.entry_id
        where account.county_code >= $1 and account.county_code < $2 and posting.occurred_on <= $3
    ), sold as (
        select line.id, line.delivery_line_id, line.amount_fen from settlement_line line
        where line.county_code >= $1 and line.county_code < $2 and line.sold_on <= $3
    ), settled as (
        select settlement.id, settlement.amount_fen, settlement.fee_fen from settlement
        where settlement.county_code >= $1 and settlement.county_code < $2 and settlement.settled_on <= $3
    )";

/// What the ledger says an account kind holds; credits are shown as positive where `sign` is `-`.
fn ledger(sign: &str, kind: &str) -> String {
    format!("select {sign}{} from posted where kind = '{kind}'", sum("amount_fen"))
}

fn total(of: &str, column: &str) -> String {
    format!("select {} from {of}", sum(column))
}

fn count(of: &str) -> String {
    format!("select count(*) from {of}")
}

fn comparisons(dialect: Dialect, is_today: bool) -> Vec<Compared> {
    let mut all = goods(dialect);
    all.extend(money_in());
    all.extend(money_out());
    all.extend(books());
    if is_today {
        all.push(stored());
    }
    all
}

fn goods(dialect: Dialect) -> Vec<Compared> {
    let worth = dialect.amount("part.price_fen", "weighed.accepted_base", "part.pricing_unit");
    let accepted = "delivery_line weighed join allocation part on part.id = weighed.allocation_id
         join acceptance on acceptance.delivery_id = weighed.delivery_id
         where part.county_code >= $1 and part.county_code < $2 and acceptance.accepted_on <= $3
           and weighed.accepted_base > 0";
    vec![
        Compared {
            name: "accepted_against_settled",
            title: "验收与结算",
            left: ("验收数量×单价", total(accepted, &worth)),
            right: ("结算明细", total("sold", "amount_fen")),
            rows: count("sold"),
        },
        Compared {
            name: "settlements_against_lines",
            title: "结算单与明细",
            left: ("结算单", total("settled", "amount_fen")),
            right: ("结算明细", total("sold", "amount_fen")),
            rows: count("sold"),
        },
        Compared {
            name: "settlements_against_ledger",
            title: "结算与总账",
            left: (
                "总账应付农户贷方(验收)",
                format!("{} and entry_kind = 'acceptance'", ledger("-", "payable")),
            ),
            right: ("结算单", total("settled", "amount_fen")),
            rows: count("settled"),
        },
    ]
}

fn money_in() -> Vec<Compared> {
    let parts = "payment_part part join standing on standing.id = part.payment_id";
    let fees = "payment_fee_part part join standing on standing.id = part.payment_id";
    vec![
        Compared {
            name: "receivable",
            title: "应收货款",
            left: ("总账应收", ledger("", "receivable")),
            right: (
                "结算单减收款",
                format!(
                    "({}) - ({}) - ({})",
                    total("settled", "amount_fen + fee_fen"),
                    total("standing", "amount_fen - deposited_fen"),
                    total("used", "amount_fen")
                ),
            ),
            rows: count("settled"),
        },
        Compared {
            name: "deposit",
            title: "预收款",
            left: ("总账预收", ledger("-", "deposit")),
            right: (
                "收款转存减使用",
                format!("({}) - ({})", total("standing", "deposited_fen"), total("used", "amount_fen")),
            ),
            rows: count("standing"),
        },
        Compared {
            name: "payments_against_parts",
            title: "收款与分配",
            left: ("收款", total("standing", "amount_fen")),
            right: (
                "分配到明细加转存",
                format!(
                    "({}) + ({}) + ({})",
                    total(parts, "part.amount_fen"),
                    total(fees, "part.amount_fen"),
                    total("standing", "deposited_fen")
                ),
            ),
            rows: count(parts),
        },
    ]
}

fn money_out() -> Vec<Compared> {
    let kept = "sent where result is null or result <> 'returned'";
    let parts = "payout_part part join sent on sent.id = part.payout_id";
    vec![
        Compared {
            name: "payable",
            title: "应付农户款",
            left: ("总账应付", ledger("-", "payable")),
            right: (
                "结算明细减已付",
                format!("({}) - ({})", total("sold", "amount_fen"), total(kept, "amount_fen")),
            ),
            rows: count("sold"),
        },
        Compared {
            name: "clearing",
            title: "在途付款",
            left: ("总账在途", ledger("-", "clearing")),
            right: ("已发出未回单", total("sent where result is null", "amount_fen")),
            rows: count("sent where result is null"),
        },
        Compared {
            name: "payouts_against_parts",
            title: "付款与分配",
            left: ("付款", total("sent", "amount_fen")),
            right: ("分配到明细", total(parts, "part.amount_fen")),
            rows: count(parts),
        },
        Compared {
            name: "escrow",
            title: "专户存款",
            left: ("总账专户", ledger("", "escrow")),
            right: (
                "收款减付款",
                format!(
                    "({}) - ({})",
                    total("standing", "amount_fen"),
                    total("sent where result = 'paid'", "amount_fen")
                ),
            ),
            rows: count("sent where result = 'paid'"),
        },
    ]
}

fn books() -> Vec<Compared> {
    vec![
        Compared {
            name: "rounding",
            title: "尾差",
            left: ("总账尾差", ledger("", "rounding")),
            right: ("必须为零", "select cast(0 as bigint)".to_owned()),
            rows: count("posted where kind = 'rounding'"),
        },
        Compared {
            name: "trial_balance",
            title: "试算平衡",
            left: ("借方合计", total("posted where amount_fen > 0", "amount_fen")),
            right: ("贷方合计", total("posted where amount_fen < 0", "-amount_fen")),
            rows: count("posted"),
        },
    ]
}

/// Stored balances are of now.
fn stored() -> Compared {
    let accounts = "ledger_account account where account.county_code >= $1 and account.county_code < $2";
    Compared {
        name: "stored_balances",
        title: "科目余额",
        left: (
            "存储的借方余额",
            total(&format!("{accounts} and account.balance_fen > 0"), "account.balance_fen"),
        ),
        right: (
            "分录重算的借方余额",
            format!(
                "select {} from (select {} as balance_fen from ledger_posting posting
                     join ledger_account account on account.id = posting.account_id
                     where account.county_code >= $1 and account.county_code < $2
                     group by posting.account_id) recomputed where balance_fen > 0",
                sum("balance_fen"),
                sum("posting.amount_fen")
            ),
        ),
        rows: count(accounts),
    }
}
