//! SQL of problems. A problem changes only where the `WHERE` says from what; there is one row per standing case.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::cases;
use super::rules::{Case, Owner, Rule, State};
use super::{Closing, Filter, ProblemView};
use crate::db::{self, ColumnType, WriteTxn};
use crate::http::page::PageRequest;
use crate::members::access::RegionScope;
use crate::money::Fen;
use crate::refusal::{Failure, Outcome};

const COLUMNS: &str = "id, county_code, region_code, rule, case_key, subject_kind, subject_id, household_id,
    institution_id, title, detail, owner_role, due_on, state, opened_by, opened_at, closed_by, closed_at, closing_note";

/// Standing cases of one rule that are looked through at most.
const STANDING_MAX: usize = 200_000;

#[derive(Debug, FromQueryResult)]
pub struct ProblemRow {
    id: Uuid,
    county_code: String,
    region_code: String,
    rule: String,
    case_key: String,
    subject_kind: String,
    subject_id: Option<Uuid>,
    household_id: Option<Uuid>,
    institution_id: Option<Uuid>,
    title: String,
    detail: String,
    owner_role: String,
    due_on: NaiveDate,
    state: String,
    opened_by: Option<Uuid>,
    opened_at: DateTime<Utc>,
    closed_by: Option<Uuid>,
    closed_at: Option<DateTime<Utc>>,
    closing_note: Option<String>,
}

impl TryFrom<ProblemRow> for ProblemView {
    type Error = Failure;

    fn try_from(row: ProblemRow) -> Outcome<Self> {
        let unknown = |what: &str| Failure::Broken(format!("unknown {what} of problem {}", row.id));
        Ok(Self {
            rule: Rule::parse(&row.rule).ok_or_else(|| unknown("rule"))?,
            owner: Owner::parse(&row.owner_role).ok_or_else(|| unknown("owner"))?,
            state: State::parse(&row.state).ok_or_else(|| unknown("state"))?,
            closing: row.closed_at.map(|at| Closing { by: row.closed_by, at, note: row.closing_note }),
            id: row.id,
            county_code: row.county_code,
            region_code: row.region_code,
            case_key: row.case_key,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            household_id: row.household_id,
            institution_id: row.institution_id,
            title: row.title,
            detail: row.detail,
            due_on: row.due_on,
            opened_by: row.opened_by,
            opened_at: row.opened_at,
        })
    }
}

/// One row more than the page holds, newest first.
pub async fn list(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    filter: &Filter,
    request: PageRequest,
) -> Result<Vec<ProblemRow>, DbErr> {
    let mut values: Vec<Value> = vec![
        region.from.clone().into(),
        region.before.clone().into(),
        i64::try_from(request.limit.saturating_add(1)).unwrap_or(i64::MAX).into(),
    ];
    let mut conditions = vec!["region_code >= $1 and region_code < $2".to_owned()];
    let filters = [
        ("state =", filter.state.map(|state| Value::from(state.as_str()))),
        ("rule =", filter.rule.map(|rule| Value::from(rule.as_str()))),
        ("owner_role =", filter.owner.map(|owner| Value::from(owner.as_str()))),
        ("household_id =", filter.household_id.map(Value::from)),
        ("institution_id =", filter.institution_id.map(Value::from)),
        ("id <", request.before.map(Value::from)),
    ];
    for (comparison, value) in filters {
        if let Some(value) = value {
            values.push(value);
            conditions.push(format!("{comparison} ${}", values.len()));
        }
    }
    let sql =
        format!("select {COLUMNS} from problem where {} order by id desc limit $3", conditions.join(" and "));
    db::rows(connection, &sql, values).await
}

/// A problem of the region.
pub async fn find(
    connection: &impl ConnectionTrait,
    region: &RegionScope,
    id: Uuid,
) -> Result<Option<ProblemRow>, DbErr> {
    let sql =
        format!("select {COLUMNS} from problem where id = $1 and region_code >= $2 and region_code < $3");
    db::row(connection, &sql, [id.into(), region.from.clone().into(), region.before.clone().into()]).await
}

/// The same, locked.
pub async fn lock(txn: &WriteTxn, region: &RegionScope, id: Uuid) -> Result<Option<ProblemRow>, DbErr> {
    let sql = format!(
        "select {COLUMNS} from problem where id = $1 and region_code >= $2 and region_code < $3 {}",
        db::for_update(txn.get_database_backend())
    );
    db::row(txn, &sql, [id.into(), region.from.clone().into(), region.before.clone().into()]).await
}

/// Adds open problems and answers the ids of those whose case has no row yet; two processes may find the same case.
pub async fn insert(
    txn: &WriteTxn,
    problems: &[ProblemView],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, DbErr> {
    use ColumnType::{Date, Text, Uuid as Id};
    #[derive(FromQueryResult)]
    struct Added {
        id: Uuid,
    }
    let columns = [
        ("id", Id),
        ("county_code", Text),
        ("region_code", Text),
        ("rule", Text),
        ("case_key", Text),
        ("subject_kind", Text),
        ("subject_id", Id),
        ("household_id", Id),
        ("institution_id", Id),
        ("title", Text),
        ("detail", Text),
        ("owner_role", Text),
        ("due_on", Date),
        ("opened_by", Id),
    ];
    let names: Vec<&str> = columns.iter().map(|column| column.0).collect();
    let names = names.join(", ");
    let sql = format!(
        "insert into problem ({names}, state, opened_at)
         select {names}, 'open', $2 from ({}) as new where true
         on conflict (rule, case_key) where case_ended_at is null do nothing returning id",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = problems.iter().map(|problem| {
        vec![
            db::set_id(problem.id),
            json!(problem.county_code),
            json!(problem.region_code),
            json!(problem.rule.as_str()),
            json!(problem.case_key),
            json!(problem.subject_kind),
            json!(problem.subject_id.map(db::set_id)),
            json!(problem.household_id.map(db::set_id)),
            json!(problem.institution_id.map(db::set_id)),
            json!(problem.title),
            json!(problem.detail),
            json!(problem.owner.as_str()),
            json!(problem.due_on),
            json!(problem.opened_by.map(db::set_id)),
        ]
    });
    let added: Vec<Added> = db::rows(txn, &sql, [db::set_parameter(rows.collect()), now.into()]).await?;
    Ok(added.into_iter().map(|row| row.id).collect())
}

/// Closes an open problem by a person's hand. A case that nobody but a person sees has then ended; `false` when it was
/// not open any more.
pub async fn close(txn: &WriteTxn, id: Uuid, by: Uuid, at: DateTime<Utc>, note: &str) -> Result<bool, DbErr> {
    let sql = "update problem set state = 'closed', closed_by = $2, closed_at = $3, closing_note = $4,
                      case_ended_at = case when rule = $5 then $3 end
               where id = $1 and state = 'open'";
    let values = [id.into(), by.into(), at.into(), note.into(), Rule::ByHand.as_str().into()];
    Ok(db::change(txn, sql, values).await? == 1)
}

/// Cases of a rule that have no row yet, the oldest first.
pub async fn new_cases(
    connection: &impl ConnectionTrait,
    rule: Rule,
    begun_by: NaiveDate,
    limit: u64,
) -> Outcome<Vec<Case>> {
    #[derive(FromQueryResult)]
    struct Row {
        subject_id: Uuid,
        county_code: String,
        region_code: String,
        household_id: Option<Uuid>,
        institution_id: Option<Uuid>,
        began_on: NaiveDate,
        paper: String,
        amount_fen: i64,
        remark: String,
    }
    let Some(found) = cases::query(rule) else { return Ok(Vec::new()) };
    let sql = format!(
        "select found.* from ({found}) as found
         where not exists (select 1 from problem where problem.rule = $2
                           and problem.subject_id = found.subject_id and problem.case_ended_at is null)
         order by found.began_on, found.subject_id limit $3"
    );
    let values = [begun_by.into(), rule.as_str().into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
    let rows: Vec<Row> = db::rows(connection, &sql, values).await?;
    let case = |row: Row| Case {
        subject_id: row.subject_id,
        county_code: row.county_code,
        region_code: row.region_code,
        household_id: row.household_id,
        institution_id: row.institution_id,
        began_on: row.began_on,
        paper: row.paper,
        amount: Fen::new(row.amount_fen),
        remark: row.remark,
    };
    Ok(rows.into_iter().map(case).collect())
}

/// A row whose case does not stand any more.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Gone {
    pub id: Uuid,
    pub county_code: String,
    pub household_id: Option<Uuid>,
    pub state: String,
}

/// Rows of a rule whose case has ended, and those closed by hand before `word_until`, whose word has run out.
pub async fn gone(
    connection: &impl ConnectionTrait,
    rule: Rule,
    begun_by: NaiveDate,
    word_until: Option<DateTime<Utc>>,
    limit: u64,
) -> Result<Vec<Gone>, DbErr> {
    let Some(found) = cases::query(rule) else { return Ok(Vec::new()) };
    let sql = format!(
        "select problem.id, problem.county_code, problem.household_id, problem.state from problem
         where problem.rule = $2 and problem.case_ended_at is null
           and (problem.closed_at <= $4
                or not exists (select 1 from ({found}) as found where found.subject_id = problem.subject_id))
         order by problem.id limit $3"
    );
    let values = [
        begun_by.into(),
        rule.as_str().into(),
        i64::try_from(limit).unwrap_or(i64::MAX).into(),
        word_until.unwrap_or(DateTime::UNIX_EPOCH).into(),
    ];
    db::rows(connection, &sql, values).await
}

/// Ends cases: what is open is closed by its rule. Answers how many there were still.
pub async fn end(txn: &WriteTxn, gone: &[Gone], now: DateTime<Utc>) -> Result<u64, DbErr> {
    let columns = [("id", ColumnType::Uuid), ("state", ColumnType::Text)];
    let sql = format!(
        "update problem as kept set state = 'closed', closed_at = coalesce(kept.closed_at, $2), case_ended_at = $2
         from ({}) as gone
         where kept.id = gone.id and kept.state = gone.state and kept.case_ended_at is null",
        db::set_rows(txn.get_database_backend(), "$1", &columns)
    );
    let rows = gone.iter().map(|row| vec![db::set_id(row.id), json!(row.state)]);
    db::change(txn, &sql, [db::set_parameter(rows.collect()), now.into()]).await
}

/// A row of a rule whose case stands.
#[derive(Clone, Debug)]
pub struct Standing {
    pub row: Gone,
    pub closed_at: Option<DateTime<Utc>>,
}

/// The rows of a rule whose case stands, by the key of the case.
pub async fn standing(
    connection: &impl ConnectionTrait,
    rule: Rule,
) -> Result<HashMap<String, Standing>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        county_code: String,
        household_id: Option<Uuid>,
        state: String,
        case_key: String,
        closed_at: Option<DateTime<Utc>>,
    }
    let sql = "select id, county_code, household_id, state, case_key, closed_at from problem
               where rule = $1 and case_ended_at is null order by id limit $2";
    let limit = i64::try_from(STANDING_MAX).unwrap_or(i64::MAX);
    let rows: Vec<Row> = db::rows(connection, sql, [rule.as_str().into(), limit.into()]).await?;
    let keyed = |row: Row| {
        let Row { id, county_code, household_id, state, case_key, closed_at } = row;
        (case_key, Standing { row: Gone { id, county_code, household_id, state }, closed_at })
    };
    Ok(rows.into_iter().map(keyed).collect())
}

/// Those of these lines of bank statements that are a payment or that somebody explained.
pub async fn known_lines(connection: &impl ConnectionTrait, ids: &[Uuid]) -> Result<HashSet<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        line_id: Uuid,
    }
    let wanted = db::set_rows(connection.get_database_backend(), "$1", &[("id", ColumnType::Uuid)]);
    let sql = format!(
        "select wanted.id as line_id from ({wanted}) as wanted
         where exists (select 1 from bank_statement_match matched
                       where matched.line_id = wanted.id and matched.reversed_at is null)
            or exists (select 1 from bank_statement_explanation explained where explained.line_id = wanted.id)"
    );
    let ids = db::set_parameter(ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let rows: Vec<Row> = db::rows(connection, &sql, [ids]).await?;
    Ok(rows.into_iter().map(|row| row.line_id).collect())
}

/// The counties of rows of a table, as far as they are still there; otherwise what the trail says.
pub async fn counties_of(
    connection: &impl ConnectionTrait,
    table: &str,
    ids: &BTreeSet<Uuid>,
) -> Result<HashMap<Uuid, String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        county_code: String,
    }
    let named = db::in_ids(connection.get_database_backend(), "kept.id", "$1");
    let told = db::in_ids(connection.get_database_backend(), "event.subject_id", "$1");
    let kept = match table {
        "acceptance" => {
            "(select item.id, owner.county_code from acceptance item
                          join delivery owner on owner.id = item.delivery_id)"
        }
        "delivery_line" => {
            "(select item.id, owner.county_code from delivery_line item
                             join delivery owner on owner.id = item.delivery_id)"
        }
        "order_line" => {
            "(select item.id, owner.county_code from order_line item
                          join purchase_order owner on owner.id = item.order_id)"
        }
        "reference_price" => {
            "(select item.id, owner.county_code from reference_price item
                               join product owner on owner.id = item.product_id)"
        }
        // Keys that begin with the id of the whole.
        "ledger_posting" => "ledger_entry",
        "payment_part" | "payment_fee_part" => "payment",
        "deposit_use_part" | "deposit_use_fee_part" => "deposit_use",
        "payout_part" => "payout",
        "household"
        | "institution"
        | "product"
        | "lot"
        | "purchase_order"
        | "allocation"
        | "delivery"
        | "settlement"
        | "settlement_line"
        | "fee_rate"
        | "payment_term"
        | "payment_reminder"
        | "payment"
        | "deposit_use"
        | "payout_batch"
        | "payout"
        | "ledger_account"
        | "ledger_entry"
        | "audit_event"
        | "problem"
        | "bank_statement"
        | "bank_statement_line" => table,
        _ => "(select id, county_code from audit_event where false)",
    };
    let sql = format!(
        "select kept.id, kept.county_code from {kept} kept where {named} and kept.county_code is not null
         union all
         select event.subject_id, max(event.county_code) from audit_event event
         where event.subject_kind = $2 and {told} and event.county_code is not null
           and not exists (select 1 from {kept} kept where kept.id = event.subject_id)
         group by event.subject_id"
    );
    let ids = db::set_parameter(ids.iter().map(|id| vec![db::set_id(*id)]).collect());
    let rows: Vec<Row> = db::rows(connection, &sql, [ids, table.into()]).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.county_code)).collect())
}

/// When something last ran.
pub async fn last_run(connection: &impl ConnectionTrait, name: &str) -> Result<Option<DateTime<Utc>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        run_at: DateTime<Utc>,
    }
    let sql = "select run_at from problem_run where name = $1";
    Ok(db::row::<Row>(connection, sql, [name.into()]).await?.map(|row| row.run_at))
}

/// Notes that something has run.
pub async fn note_run(txn: &WriteTxn, name: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    let sql = "insert into problem_run (name, run_at) values ($1, $2)
               on conflict (name) do update set run_at = excluded.run_at";
    db::change(txn, sql, [name.into(), now.into()]).await?;
    Ok(())
}

/// Notes that something runs now; `false` when another process was first. `before` is what [`last_run`] answered.
pub async fn claim_run(
    txn: &WriteTxn,
    name: &str,
    before: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let changed = match before {
        None => {
            let sql = "insert into problem_run (name, run_at) values ($1, $2) on conflict (name) do nothing";
            db::change(txn, sql, [name.into(), now.into()]).await?
        }
        Some(before) => {
            let sql = "update problem_run set run_at = $2 where name = $1 and run_at = $3";
            db::change(txn, sql, [name.into(), now.into(), before.into()]).await?
        }
    };
    Ok(changed == 1)
}
