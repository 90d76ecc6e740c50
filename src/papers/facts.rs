//! Reads the facts that a paper freezes from the rows of the other slices. Writes nothing; what it answers is content.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::content::{
    Balances, Content, MonthlyStatement, Movement, PaidLine, Party, PaymentSlip, SettlementStatement,
    SoldLine,
};
use super::rules::{self, LINES_MAX, Month, Subject};
use crate::app::App;
use crate::db::{self, WriteTxn};
use crate::members::households::{mask_bank_account, mask_name};
use crate::members::sealed::Sealed;
use crate::money::{Fen, Price};
use crate::quantity::{Measure, Unit};
use crate::refusal::{Failure, Outcome, Refusal};

/// Content with whose it is.
#[derive(Debug)]
pub struct Frozen {
    pub county_code: String,
    pub institution_id: Option<Uuid>,
    pub household_id: Option<Uuid>,
    pub content: Content,
}

/// The facts of a subject as they are in this transaction.
///
/// Refused with [`Refusal::NotFound`] when the subject does not exist, with [`Refusal::WrongState`] for a payout that the
/// household has not got.
pub async fn freeze(txn: &WriteTxn, app: &App, subject: Subject) -> Outcome<Frozen> {
    match subject {
        Subject::Settlement(id) => settlement(txn, id).await,
        Subject::Month { institution_id, month } => {
            lock_accounts(txn, institution_id).await?;
            statement(txn, institution_id, month).await
        }
        Subject::Payout(id) => payout(txn, app, id).await,
    }
}

async fn settlement(connection: &impl ConnectionTrait, id: Uuid) -> Outcome<Frozen> {
    #[derive(FromQueryResult)]
    struct Head {
        county_code: String,
        institution_id: Uuid,
        number: String,
        settled_on: NaiveDate,
        due_on: NaiveDate,
        amount_fen: i64,
        fee_fen: i64,
        order_number: String,
        delivery_number: String,
        institution: String,
        credit_code: String,
        county: Option<String>,
    }
    let sql = "select s.county_code, s.institution_id, s.number, s.settled_on, s.due_on, s.amount_fen, s.fee_fen,
                      o.number as order_number, d.number as delivery_number, i.name as institution, i.credit_code,
                      county.name as county
               from settlement s join purchase_order o on o.id = s.order_id
               join acceptance a on a.id = s.acceptance_id join delivery d on d.id = a.delivery_id
               join institution i on i.id = s.institution_id
               left join region county on county.code = s.county_code || '000000'
               where s.id = $1";
    let head: Option<Head> = db::row(connection, sql, [id.into()]).await?;
    let head = head.ok_or(Refusal::NotFound("settlement"))?;
    let statement = SettlementStatement {
        county: head.county.unwrap_or_default(),
        institution: Party { name: head.institution, credit_code: head.credit_code },
        settlement_number: head.number,
        order_number: head.order_number,
        delivery_number: head.delivery_number,
        settled_on: head.settled_on,
        due_on: head.due_on,
        lines: sold_lines(connection, id).await?,
        amount: Fen::new(head.amount_fen),
        fee: Fen::new(head.fee_fen),
    };
    Ok(Frozen {
        county_code: head.county_code,
        institution_id: Some(head.institution_id),
        household_id: None,
        content: Content::SettlementStatement(statement),
    })
}

async fn sold_lines(connection: &impl ConnectionTrait, settlement_id: Uuid) -> Outcome<Vec<SoldLine>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        village: String,
        head_name: String,
        product: String,
        measure: String,
        quantity_base: i64,
        price_fen: i64,
        pricing_unit: String,
        amount_fen: i64,
    }
    let sql = "select line.id, coalesce(village.name, line.village_code) as village, household.head_name,
                      product.name as product, line.measure, line.quantity_base, line.price_fen, line.pricing_unit,
                      line.amount_fen
               from settlement_line line join household on household.id = line.household_id
               join product on product.id = line.product_id
               left join region village on village.code = line.village_code
               where line.settlement_id = $1 order by line.village_code, line.id limit $2";
    let rows: Vec<Row> = db::rows(connection, sql, [settlement_id.into(), one_more()]).await?;
    within_limit(rows.len())?;
    let line = |row: Row| {
        let unit: Unit = row.pricing_unit.parse().map_err(|()| unreadable(row.id))?;
        Ok(SoldLine {
            settlement_line_id: row.id,
            village: row.village,
            household: mask_name(&row.head_name),
            product: row.product,
            measure: measure(&row.measure, row.id)?,
            quantity_base: row.quantity_base,
            price: Price::new(Fen::new(row.price_fen), unit).map_err(|_| unreadable(row.id))?,
            amount: Fen::new(row.amount_fen),
        })
    };
    rows.into_iter().map(line).collect()
}

/// Whoever posts to an account of the institution waits until the statement is issued, or is seen by it.
async fn lock_accounts(txn: &WriteTxn, institution_id: Uuid) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Locked {}
    if txn.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = "select account.id from ledger_account account
               where account.county_code = (select county_code from institution where id = $1)
                 and account.kind in ('receivable','deposit') and account.owner_id = $1
               order by account.id for share";
    db::rows::<Locked>(txn, sql, [institution_id.into()]).await?;
    Ok(())
}

/// What moved between an institution and its county in a month, as the ledger has it now.
pub async fn statement(
    connection: &impl ConnectionTrait,
    institution_id: Uuid,
    month: Month,
) -> Outcome<Frozen> {
    #[derive(FromQueryResult)]
    struct Head {
        county_code: String,
        name: String,
        credit_code: String,
        county: Option<String>,
    }
    let sql = "select i.county_code, i.name, i.credit_code, county.name as county from institution i
               left join region county on county.code = i.county_code || '000000' where i.id = $1";
    let head: Option<Head> = db::row(connection, sql, [institution_id.into()]).await?;
    let head = head.ok_or(Refusal::NotFound("institution"))?;
    let owner = Owner { county_code: &head.county_code, institution_id };
    let (opening, known_until) = opening(connection, &owner, month.first_on).await?;
    let movements = movements(connection, &owner, month).await?;
    let moved = movements.iter().map(|one| Balances { receivable: one.receivable, deposit: one.deposit });
    let closing = rules::after(opening, moved)
        .ok_or_else(|| Failure::Broken("a balance is beyond what a figure can hold".to_owned()))?;
    let statement = MonthlyStatement {
        county: head.county.unwrap_or_default(),
        institution: Party { name: head.name, credit_code: head.credit_code },
        first_on: month.first_on,
        last_on: month.last_on,
        opening,
        movements,
        closing,
        known_until,
    };
    Ok(Frozen {
        county_code: head.county_code,
        institution_id: Some(institution_id),
        household_id: None,
        content: Content::MonthlyStatement(statement),
    })
}

struct Owner<'a> {
    county_code: &'a str,
    institution_id: Uuid,
}

impl Owner<'_> {
    fn values(&self) -> Vec<Value> {
        vec![self.county_code.into(), self.institution_id.into()]
    }
}

/// The accounts of an institution, for a query whose first parameters are [`Owner::values`].
const ACCOUNTS: &str = "ledger_account account join ledger_posting posting on posting.account_id = account.id
    join ledger_entry entry on entry.id = posting.entry_id
    where account.county_code = $1 and account.owner_id = $2 and account.kind in ('receivable','deposit')";

/// A deposit is owed to the institution, so the ledger has it on the credit side.
const SIDES: &str =
    "cast(coalesce(sum(case account.kind when 'receivable' then posting.amount_fen else 0 end), 0) as bigint)
         as receivable_fen,
     cast(coalesce(sum(case account.kind when 'deposit' then -posting.amount_fen else 0 end), 0) as bigint)
         as deposit_fen";

async fn opening(
    connection: &impl ConnectionTrait,
    owner: &Owner<'_>,
    before: NaiveDate,
) -> Result<(Balances, Option<DateTime<Utc>>), DbErr> {
    #[derive(FromQueryResult)]
    struct Sides {
        receivable_fen: i64,
        deposit_fen: i64,
    }
    #[derive(FromQueryResult)]
    struct Newest {
        created_at: DateTime<Utc>,
    }
    let sql = format!("select {SIDES} from {ACCOUNTS} and posting.occurred_on < $3");
    let mut values = owner.values();
    values.push(before.into());
    let sides: Option<Sides> = db::row(connection, &sql, values).await?;
    let opening = sides.map_or_else(Balances::default, |sides| Balances {
        receivable: Fen::new(sides.receivable_fen),
        deposit: Fen::new(sides.deposit_fen),
    });
    let sql = format!("select entry.created_at from {ACCOUNTS} order by entry.created_at desc limit 1");
    let newest: Option<Newest> = db::row(connection, &sql, owner.values()).await?;
    Ok((opening, newest.map(|newest| newest.created_at)))
}

async fn movements(
    connection: &impl ConnectionTrait,
    owner: &Owner<'_>,
    month: Month,
) -> Outcome<Vec<Movement>> {
    #[derive(FromQueryResult)]
    struct Row {
        entry_id: Uuid,
        occurred_on: NaiveDate,
        kind: String,
        reverses_id: Option<Uuid>,
        number: Option<String>,
        receivable_fen: i64,
        deposit_fen: i64,
    }
    let sql = format!(
        "select moved.entry_id, moved.occurred_on, moved.kind, moved.reverses_id, moved.receivable_fen,
                moved.deposit_fen, coalesce(settlement.number, payment.number, used.number) as number
         from (select entry.id as entry_id, entry.occurred_on, entry.kind, entry.reverses_id, entry.source_kind,
                      entry.source_id, {SIDES}
               from {ACCOUNTS} and posting.occurred_on >= $3 and posting.occurred_on <= $4
               group by entry.id, entry.occurred_on, entry.kind, entry.reverses_id, entry.source_kind,
                        entry.source_id) moved
         left join settlement on moved.source_kind = 'settlement' and settlement.id = moved.source_id
         left join payment on moved.source_kind = 'payment' and payment.id = moved.source_id
         left join deposit_use used on moved.source_kind = 'deposit_use' and used.id = moved.source_id
         order by moved.occurred_on, moved.entry_id limit $5"
    );
    let mut values = owner.values();
    values.extend([month.first_on.into(), month.last_on.into(), one_more()]);
    let rows: Vec<Row> = db::rows(connection, &sql, values).await?;
    within_limit(rows.len())?;
    let movement = |row: Row| Movement {
        entry_id: row.entry_id,
        occurred_on: row.occurred_on,
        kind: row.kind,
        is_reversal: row.reverses_id.is_some(),
        number: row.number,
        receivable: Fen::new(row.receivable_fen),
        deposit: Fen::new(row.deposit_fen),
    };
    Ok(rows.into_iter().map(movement).collect())
}

async fn payout(txn: &WriteTxn, app: &App, id: Uuid) -> Outcome<Frozen> {
    #[derive(FromQueryResult)]
    struct Slip {
        county_code: String,
        household_id: Uuid,
        state: String,
        amount_fen: i64,
        batch_number: String,
        paid_on: Option<NaiveDate>,
        head_name: String,
        village: String,
        county: Option<String>,
        account_sealed: Option<String>,
    }
    let sql = "select payout.county_code, payout.household_id, payout.state, payout.amount_fen, payee.account_sealed,
                      batch.number as batch_number, entry.occurred_on as paid_on, household.head_name,
                      coalesce(village.name, household.village_code) as village, county.name as county
               from payout join payout_batch batch on batch.id = payout.batch_id
               join household on household.id = payout.household_id
               left join payout_payee payee on payee.payout_id = payout.id
               left join ledger_entry entry on entry.id = payout.result_entry_id
               left join region village on village.code = household.village_code
               left join region county on county.code = payout.county_code || '000000'
               where payout.id = $1";
    let head: Option<Slip> = db::row(txn, sql, [id.into()]).await?;
    let head = head.ok_or(Refusal::NotFound("payout"))?;
    let (Some(paid_on), "paid") = (head.paid_on, head.state.as_str()) else {
        return Err(not_paid(head.state));
    };
    let open = |sealed: &String| app.keys.open(Sealed::PayoutPayeeAccount, id, sealed);
    let account = head.account_sealed.as_ref().map(open).transpose()?;
    let slip = PaymentSlip {
        county: head.county.unwrap_or_default(),
        village: head.village,
        household: mask_name(&head.head_name),
        account: account.as_deref().map(mask_bank_account),
        batch_number: head.batch_number,
        paid_on,
        lines: paid_lines(txn, id).await?,
        amount: Fen::new(head.amount_fen),
    };
    Ok(Frozen {
        county_code: head.county_code,
        institution_id: None,
        household_id: Some(head.household_id),
        content: Content::PaymentSlip(slip),
    })
}

async fn paid_lines(connection: &impl ConnectionTrait, payout_id: Uuid) -> Outcome<Vec<PaidLine>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        institution: String,
        order_number: String,
        settlement_number: String,
        product: String,
        sold_on: NaiveDate,
        measure: String,
        quantity_base: i64,
        amount_fen: i64,
        paid_fen: i64,
    }
    let sql = "select line.id, institution.name as institution, o.number as order_number,
                      settlement.number as settlement_number, product.name as product, line.sold_on, line.measure,
                      line.quantity_base, line.amount_fen, part.amount_fen as paid_fen
               from payout_part part join settlement_line line on line.id = part.settlement_line_id
               join settlement on settlement.id = line.settlement_id
               join purchase_order o on o.id = settlement.order_id
               join institution on institution.id = settlement.institution_id
               join product on product.id = line.product_id
               where part.payout_id = $1 order by line.sold_on, line.id limit $2";
    let rows: Vec<Row> = db::rows(connection, sql, [payout_id.into(), one_more()]).await?;
    within_limit(rows.len())?;
    let line = |row: Row| {
        Ok(PaidLine {
            measure: measure(&row.measure, row.id)?,
            settlement_line_id: row.id,
            institution: row.institution,
            order_number: row.order_number,
            settlement_number: row.settlement_number,
            product: row.product,
            sold_on: row.sold_on,
            quantity_base: row.quantity_base,
            owed: Fen::new(row.amount_fen),
            paid: Fen::new(row.paid_fen),
        })
    };
    rows.into_iter().map(line).collect()
}

fn not_paid(state: String) -> Failure {
    Refusal::WrongState { what: "payout", from: state, attempted: "issue a payment slip" }.into()
}

fn measure(text: &str, line_id: Uuid) -> Outcome<Measure> {
    text.parse().map_err(|()| unreadable(line_id))
}

fn unreadable(line_id: Uuid) -> Failure {
    Failure::Broken(format!("settlement line {line_id} cannot be read"))
}

/// One row more than a paper holds gives a longer one away.
fn one_more() -> Value {
    i64::try_from(LINES_MAX).unwrap_or(i64::MAX).saturating_add(1).into()
}

fn within_limit(lines: usize) -> Result<(), Refusal> {
    if lines <= LINES_MAX {
        return Ok(());
    }
    Err(Refusal::invalid("", format!("a paper holds at most {LINES_MAX} lines, this one would have more")))
}
