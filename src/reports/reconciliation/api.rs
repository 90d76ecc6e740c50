//! The report on accounts against accounts as JSON and as a sheet.

use chrono::{DateTime, NaiveDate, Utc};
use poem_openapi::Object;
use uuid::Uuid;

use super::{Difference, Report};
use crate::audit::bank::{CountyReconciliation, Item};
use crate::audit::comparisons::{Comparison, Side};
use crate::http::scalars::Yuan;
use crate::money::Fen;
use crate::sheet::table::{Cell, Column, Table};

/// Items of one side of a reconciliation that are listed; their sum is of all.
const ITEMS_SHOWN_MAX: usize = 1_000;

/// Whether every account matches every other.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct ReconciliationReport {
    /// Twelve digits: all counties of this region.
    pub region: String,
    /// The figures are those at the end of this day.
    pub as_of: NaiveDate,
    pub read_at: DateTime<Utc>,
    /// Whether nothing differs: no comparison, no bank balance, no open problem about the books.
    pub agrees: bool,
    /// Accounts against accounts (账账).
    pub comparisons: Vec<AccountComparison>,
    /// Accounts against the bank (账实), per county with statements by that day.
    pub banks: Vec<BankReconciliation>,
    /// Every row that the last audit found to differ and that is not put right, as it is now; at most 1000.
    pub problems: Vec<BookProblem>,
    pub has_more_problems: bool,
    /// When the whole database was last audited; absent before the first time.
    pub audited_at: Option<DateTime<Utc>>,
}

/// Two figures that must be the same.
#[derive(Debug, Object)]
pub struct AccountComparison {
    /// Such as `escrow`.
    pub name: String,
    /// In Chinese, for people.
    pub title: String,
    pub left: ComparedSide,
    pub right: ComparedSide,
    /// Left less right.
    pub difference: Yuan,
    /// Rows that were added up.
    pub rows: i64,
}

/// One figure and what it was made from.
#[derive(Debug, Object)]
pub struct ComparedSide {
    pub source: String,
    pub amount: Yuan,
}

/// A bank reconciliation statement (余额调节表).
#[derive(Debug, Object)]
pub struct BankReconciliation {
    /// Six digits.
    pub county: String,
    /// The last day of the newest statement.
    pub as_of: NaiveDate,
    pub accounts: Vec<BankAccountBalance>,
    /// What the statements say.
    pub bank: Yuan,
    /// What the ledger's escrow account says.
    pub book: Yuan,
    /// In the books and not at the bank; in above zero, out below.
    pub book_only: UnpairedItems,
    /// At the bank and not in the books.
    pub bank_only: UnpairedItems,
    /// The bank's balance with what only the books have.
    pub bank_adjusted: Yuan,
    /// The books' balance with what only the bank has.
    pub book_adjusted: Yuan,
    /// What nothing explains.
    pub difference: Yuan,
}

/// An account by its newest statement.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
pub struct BankAccountBalance {
    pub statement_id: Uuid,
    /// Masked; absent when the statement names none.
    pub account: Option<String>,
    pub to_on: NaiveDate,
    pub closing: Yuan,
}

/// What stands on one side alone.
#[derive(Debug, Object)]
pub struct UnpairedItems {
    pub count: u64,
    pub amount: Yuan,
    /// By day; at most 1000.
    pub items: Vec<UnpairedItem>,
}

/// Money on one side alone.
#[derive(Debug, Object)]
pub struct UnpairedItem {
    /// The ledger entry or payout, or the line of the statement.
    pub id: Uuid,
    pub day: NaiveDate,
    /// Above zero when it came in.
    pub amount: Yuan,
    /// The number of the paper, or what the bank wrote.
    pub told: String,
}

/// A difference that somebody has to close.
#[derive(Debug, Object)]
pub struct BookProblem {
    /// See `/v1/problems/{id}`.
    pub problem_id: Uuid,
    pub rule: String,
    pub title: String,
    pub detail: String,
    pub due_on: NaiveDate,
    pub opened_at: DateTime<Utc>,
}

impl From<Report> for ReconciliationReport {
    fn from(report: Report) -> Self {
        Self {
            agrees: report.agrees(),
            region: report.region,
            as_of: report.as_of,
            read_at: report.read_at,
            comparisons: report.comparisons.into_iter().map(AccountComparison::from).collect(),
            banks: report.banks.into_iter().map(BankReconciliation::from).collect(),
            problems: report.differences.into_iter().map(BookProblem::from).collect(),
            has_more_problems: report.has_more,
            audited_at: report.audited_at,
        }
    }
}

impl From<Comparison> for AccountComparison {
    fn from(one: Comparison) -> Self {
        Self {
            difference: Yuan(one.difference()),
            name: one.name.to_owned(),
            title: one.title.to_owned(),
            left: one.left.into(),
            right: one.right.into(),
            rows: one.rows,
        }
    }
}

impl From<Side> for ComparedSide {
    fn from(side: Side) -> Self {
        Self { source: side.source.to_owned(), amount: Yuan(side.amount) }
    }
}

impl From<CountyReconciliation> for BankReconciliation {
    fn from(county: CountyReconciliation) -> Self {
        let account = |one: crate::audit::bank::Account| BankAccountBalance {
            statement_id: one.statement_id,
            account: one.masked,
            to_on: one.to_on,
            closing: Yuan(Fen::new(one.closing_fen)),
        };
        Self {
            county: county.county_code,
            as_of: county.as_of,
            accounts: county.accounts.into_iter().map(account).collect(),
            bank: Yuan(county.told.bank),
            book: Yuan(county.told.book),
            book_only: county.told.book_only.into(),
            bank_only: county.told.bank_only.into(),
            bank_adjusted: Yuan(county.told.bank_adjusted),
            book_adjusted: Yuan(county.told.book_adjusted),
            difference: Yuan(county.told.difference),
        }
    }
}

impl From<Vec<Item>> for UnpairedItems {
    fn from(items: Vec<Item>) -> Self {
        Self {
            count: u64::try_from(items.len()).unwrap_or(u64::MAX),
            amount: Yuan(items.iter().map(|item| item.amount).sum()),
            items: items.into_iter().take(ITEMS_SHOWN_MAX).map(UnpairedItem::from).collect(),
        }
    }
}

impl From<Item> for UnpairedItem {
    fn from(item: Item) -> Self {
        Self { id: item.id, day: item.day, amount: Yuan(item.amount), told: item.told }
    }
}

impl From<Difference> for BookProblem {
    fn from(found: Difference) -> Self {
        Self {
            problem_id: found.problem_id,
            rule: found.rule,
            title: found.title,
            detail: found.detail,
            due_on: found.due_on,
            opened_at: found.opened_at,
        }
    }
}

/// The report as a sheet: comparisons, then the reconciliation of every county, then the problems.
pub fn table(report: &Report) -> Table {
    let text = ["类别", "项目", "左方", "左方金额(元)", "右方", "右方金额(元)", "差额(元)", "笔数", "说明"];
    let rows = report.comparisons.iter().map(compared);
    let rows = rows.chain(report.banks.iter().flat_map(reconciled));
    Table {
        name: format!("reconciliation_{}_{}", report.region, report.as_of),
        columns: text.map(Column::of).into(),
        rows: rows.chain(report.differences.iter().map(problem)).collect(),
        total: Vec::new(),
    }
}

fn compared(one: &Comparison) -> Vec<Cell> {
    vec![
        word("账账"),
        word(one.title),
        word(one.left.source),
        yuan(one.left.amount),
        word(one.right.source),
        yuan(one.right.amount),
        yuan(one.difference()),
        Cell::Number(one.rows),
        Cell::Empty,
    ]
}

/// The balances, both lists item by item, and the adjusted balances.
fn reconciled(county: &CountyReconciliation) -> Vec<Vec<Cell>> {
    let told = &county.told;
    let kind = || word("账实");
    let balances = |title: &str, bank: Fen, book: Fen, difference: Cell| {
        let (bank, book) = (yuan(bank), yuan(book));
        vec![
            kind(),
            word(title),
            word("银行"),
            bank,
            word("账面"),
            book,
            difference,
            Cell::Empty,
            word(&format!("{} {}", county.county_code, county.as_of)),
        ]
    };
    let item = |item: &Item, is_of_books: bool| {
        let [bank, book] =
            if is_of_books { [yuan(item.amount), Cell::Empty] } else { [Cell::Empty, yuan(item.amount)] };
        let title = match (is_of_books, item.amount > Fen::ZERO) {
            (true, true) => "单位已收银行未收",
            (true, false) => "单位已付银行未付",
            (false, true) => "银行已收单位未收",
            (false, false) => "银行已付单位未付",
        };
        let note = Cell::Text(format!("{} {}", item.day, item.told));
        vec![kind(), word(title), Cell::Empty, bank, Cell::Empty, book, Cell::Empty, Cell::Empty, note]
    };
    let mut rows = vec![balances("余额", told.bank, told.book, Cell::Empty)];
    rows.extend(told.book_only.iter().take(ITEMS_SHOWN_MAX).map(|one| item(one, true)));
    rows.extend(told.bank_only.iter().take(ITEMS_SHOWN_MAX).map(|one| item(one, false)));
    rows.push(balances("调节后余额", told.bank_adjusted, told.book_adjusted, yuan(told.difference)));
    rows
}

fn problem(found: &Difference) -> Vec<Cell> {
    let mut cells = vec![word("问题"), word(&found.title)];
    cells.extend((0..6).map(|_| Cell::Empty));
    cells.push(Cell::Text(format!("{} {}", found.problem_id, found.detail)));
    cells
}

fn word(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn yuan(amount: Fen) -> Cell {
    Cell::Yuan(amount.get())
}
