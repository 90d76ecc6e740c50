//! How a paper is laid out: its title, its facts, its table, what stands below. One layout for the page and for the
//! workbook, so that both say the same. Pure.

use chrono::NaiveDate;

use super::content::{
    Balances, Content, MonthlyStatement, Movement, PaidLine, PaymentSlip, SettlementStatement, SoldLine,
};
use crate::money::Fen;
use crate::quantity::{Measure, Unit};
use crate::sheet::table::{Cell, Column, Frame, Table};

/// A paper, laid out.
#[derive(Clone, Debug)]
pub struct Form {
    pub title: String,
    /// Empty for what is not issued.
    pub number: String,
    pub facts: Vec<Fact>,
    pub table: Table,
    /// Below the table.
    pub closing: Vec<Fact>,
    pub notes: Vec<String>,
    pub signers: &'static [&'static str],
    /// That another paper is in force in its place.
    pub standing: Option<String>,
}

/// A fact with its name.
pub type Fact = (&'static str, Cell);

/// What is known of a paper beside its content.
#[derive(Clone, Debug)]
pub struct Head {
    pub number: String,
    pub issued_on: NaiveDate,
    pub digest: String,
    /// The number of the paper it corrects, and why.
    pub corrects: Option<(String, String)>,
    /// The number of the paper that corrects it.
    pub corrected_by: Option<String>,
}

/// Lays a paper out; without a head it is a draft.
#[must_use]
pub fn form(content: &Content, head: Option<&Head>) -> Form {
    let mut form = match content {
        Content::SettlementStatement(statement) => settlement(statement),
        Content::MonthlyStatement(statement) => monthly(statement),
        Content::PaymentSlip(slip) => payment(slip),
    };
    let Some(head) = head else { return form };
    form.number.clone_from(&head.number);
    form.table.name.clone_from(&head.number);
    let issued = [("单据编号", text(&head.number)), ("出具日期", Cell::Day(head.issued_on))];
    form.facts.splice(0..0, issued);
    if let Some((number, reason)) = &head.corrects {
        form.notes.push(format!("本单更正 {number}，原单作废。原因：{reason}"));
    }
    form.standing = head.corrected_by.as_ref().map(|number| format!("已由 {number} 更正，本单作废"));
    form.notes.push(format!("校验码（SHA-256）：{}", head.digest));
    form
}

impl Form {
    /// What stands around the table in a workbook.
    #[must_use]
    pub fn frame(&self) -> Frame {
        let fact = |(name, cell): &Fact| vec![text(name), cell.clone()];
        let mut above = vec![vec![text(&self.title)]];
        above.extend(self.standing.iter().map(|standing| vec![text(standing)]));
        above.extend(self.facts.iter().map(fact));
        let mut below: Vec<Vec<Cell>> = self.closing.iter().map(fact).collect();
        below.extend(self.notes.iter().map(|note| vec![text(note)]));
        Frame { above, below }
    }
}

fn settlement(statement: &SettlementStatement) -> Form {
    let row = |(place, line): (i64, &SoldLine)| {
        vec![
            Cell::Number(place),
            text(&line.village),
            text(&line.household),
            text(&line.product),
            quantity(line.quantity_base, line.measure),
            text(measured_in(line.measure)),
            Cell::Yuan(line.price.fen.get()),
            text(unit_name(line.price.per)),
            Cell::Yuan(line.amount.get()),
        ]
    };
    let columns = vec![
        Column::of("序号"),
        Column::of("村"),
        Column::of("农户"),
        Column::of("产品"),
        Column::of("数量"),
        Column::of("单位"),
        Column::of("单价(元)"),
        Column::of("计价单位"),
        Column::summed("金额(元)"),
    ];
    let rows: Vec<Vec<Cell>> = (1_i64..).zip(&statement.lines).map(row).collect();
    let total = total_row(columns.len(), &[(8, statement.amount)]);
    let owed = statement.owed();
    let mut closing = vec![("应付金额(元)", Cell::Yuan(owed.get())), ("金额大写", text(&owed.in_capitals()))];
    if statement.fee != Fen::ZERO {
        let parts = [
            ("货款(元)", Cell::Yuan(statement.amount.get())),
            ("运营服务费(元)", Cell::Yuan(statement.fee.get())),
        ];
        closing.splice(0..0, parts);
    }
    Form {
        title: format!("{}消费帮扶农产品结算单", statement.county),
        number: String::new(),
        facts: vec![
            ("采购单位", text(&statement.institution.name)),
            ("统一社会信用代码", text(&statement.institution.credit_code)),
            ("结算编号", text(&statement.settlement_number)),
            ("订单编号", text(&statement.order_number)),
            ("送货单编号", text(&statement.delivery_number)),
            ("验收日期", Cell::Day(statement.settled_on)),
            ("付款期限", Cell::Day(statement.due_on)),
        ],
        table: Table { name: "draft".to_owned(), columns, rows, total },
        closing,
        notes: vec!["货款全额付给农户，不向农户收取任何费用。".to_owned()],
        signers: &["采购单位（盖章）", "复核", "经办"],
        standing: None,
    }
}

fn monthly(statement: &MonthlyStatement) -> Form {
    let row = |(place, movement): (i64, &Movement)| {
        vec![
            Cell::Number(place),
            Cell::Day(movement.occurred_on),
            text(&movement_name(movement)),
            Cell::text(movement.number.as_deref()),
            Cell::Yuan(movement.receivable.get()),
            Cell::Yuan(movement.deposit.get()),
        ]
    };
    let columns = vec![
        Column::of("序号"),
        Column::of("日期"),
        Column::of("事项"),
        Column::of("单号"),
        Column::summed("应付增减(元)"),
        Column::summed("预付增减(元)"),
    ];
    let moved = |from: Fen, to: Fen| to.checked_sub(from).unwrap_or(Fen::ZERO);
    let Balances { receivable, deposit } = statement.opening;
    let total = total_row(
        columns.len(),
        &[
            (4, moved(receivable, statement.closing.receivable)),
            (5, moved(deposit, statement.closing.deposit)),
        ],
    );
    Form {
        title: format!("{}消费帮扶农产品月度对账单", statement.county),
        number: String::new(),
        facts: vec![
            ("采购单位", text(&statement.institution.name)),
            ("统一社会信用代码", text(&statement.institution.credit_code)),
            ("自", Cell::Day(statement.first_on)),
            ("至", Cell::Day(statement.last_on)),
            ("期初应付(元)", Cell::Yuan(receivable.get())),
            ("期初预付(元)", Cell::Yuan(deposit.get())),
        ],
        table: Table {
            name: "draft".to_owned(),
            columns,
            rows: (1_i64..).zip(&statement.movements).map(row).collect(),
            total,
        },
        closing: vec![
            ("期末应付(元)", Cell::Yuan(statement.closing.receivable.get())),
            ("期末应付大写", text(&statement.closing.receivable.in_capitals())),
            ("期末预付(元)", Cell::Yuan(statement.closing.deposit.get())),
        ],
        notes: vec!["应付、预付均为采购单位一方。".to_owned()],
        signers: &["采购单位（盖章）", "复核", "经办"],
        standing: None,
    }
}

fn payment(slip: &PaymentSlip) -> Form {
    let row = |(place, line): (i64, &PaidLine)| {
        vec![
            Cell::Number(place),
            Cell::Day(line.sold_on),
            text(&line.product),
            quantity(line.quantity_base, line.measure),
            text(measured_in(line.measure)),
            text(&line.institution),
            text(&line.order_number),
            Cell::Yuan(line.owed.get()),
            Cell::Yuan(line.paid.get()),
        ]
    };
    let columns = vec![
        Column::of("序号"),
        Column::of("售出日期"),
        Column::of("产品"),
        Column::of("数量"),
        Column::of("单位"),
        Column::of("采购单位"),
        Column::of("订单编号"),
        Column::of("货款(元)"),
        Column::summed("本次支付(元)"),
    ];
    let total = total_row(columns.len(), &[(8, slip.amount)]);
    let account = slip.account.as_deref().unwrap_or("未登记");
    Form {
        title: format!("{}消费帮扶农产品付款单", slip.county),
        number: String::new(),
        facts: vec![
            ("农户", text(&slip.household)),
            ("所在村", text(&slip.village)),
            ("收款账号", text(account)),
            ("付款日期", Cell::Day(slip.paid_on)),
            ("付款批次", text(&slip.batch_number)),
        ],
        table: Table {
            name: "draft".to_owned(),
            columns,
            rows: (1_i64..).zip(&slip.lines).map(row).collect(),
            total,
        },
        closing: vec![
            ("支付金额(元)", Cell::Yuan(slip.amount.get())),
            ("金额大写", text(&slip.amount.in_capitals())),
        ],
        notes: vec!["货款全额付给农户，未扣除任何费用。".to_owned()],
        signers: &["农户（签字）", "复核", "经办"],
        standing: None,
    }
}

/// 合计 and the sums, each in its place.
fn total_row(columns: usize, sums: &[(usize, Fen)]) -> Vec<Cell> {
    let cell = |place: usize| match sums.iter().find(|(at, _)| *at == place) {
        Some((_, sum)) => Cell::Yuan(sum.get()),
        None if place == 0 => text("合计"),
        None => Cell::Empty,
    };
    (0..columns).map(cell).collect()
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn quantity(base: i64, measure: Measure) -> Cell {
    match measure {
        Measure::Mass => Cell::Kilos(base),
        Measure::Count => Cell::Number(base),
    }
}

const fn measured_in(measure: Measure) -> &'static str {
    match measure {
        Measure::Mass => "公斤",
        Measure::Count => "件",
    }
}

const fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Jin => "斤",
        Unit::Liang => "两",
        Unit::Kg => "公斤",
        Unit::Ton => "吨",
        Unit::Piece => "枚",
        Unit::Head => "头",
        Unit::Box => "箱",
    }
}

/// What the ledger calls an entry, for people who keep books.
fn movement_name(movement: &Movement) -> String {
    let name = match movement.kind.as_str() {
        "acceptance" => "验收结算",
        "payment" => "收款",
        _ => "其他",
    };
    if movement.is_reversal { format!("{name}冲正") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::papers::page::{Mark, page};

    /// A statement of a month in which nothing moved, of an institution with a telling name.
    fn nothing_moved(name: &str) -> Content {
        let party = crate::papers::content::Party { name: name.to_owned(), credit_code: "=1+1".to_owned() };
        Content::MonthlyStatement(MonthlyStatement {
            county: "泾县".to_owned(),
            institution: party,
            first_on: "2027-02-01".parse().unwrap(),
            last_on: "2027-02-28".parse().unwrap(),
            opening: Balances { receivable: Fen::new(140_950), deposit: Fen::ZERO },
            movements: Vec::new(),
            closing: Balances { receivable: Fen::new(140_950), deposit: Fen::ZERO },
            known_until: None,
        })
    }

    fn head(corrected_by: Option<&str>) -> Head {
        Head {
            number: "MS-341823-2027-000001".to_owned(),
            issued_on: "2027-03-01".parse().unwrap(),
            digest: "0".repeat(64),
            corrects: None,
            corrected_by: corrected_by.map(str::to_owned),
        }
    }

    #[test]
    fn whatever_a_name_holds_a_page_shows_it_and_does_not_run_it() {
        let form = form(&nothing_moved("<script>alert(1)</script>&\"'</style>"), Some(&head(None)));
        let page = page(&form, Mark::Preview, "abc").unwrap();
        assert!(
            !page.html.contains("<script") && page.html.matches("</style>").count() == 1,
            "{}",
            page.html
        );
        assert!(page.html.contains("&#60;script&#62;alert(1)"), "{}", page.html);
        assert!(page.policy.starts_with("default-src 'none'; style-src 'nonce-abc';"));
    }

    #[test]
    fn a_page_asks_for_nothing_from_elsewhere() {
        let page = page(&form(&nothing_moved("示范学校"), Some(&head(None))), Mark::Copy(1), "abc").unwrap();
        for way in ["http", "src=", "href", "url(", "@import", "<img", "<link", "on load"] {
            assert!(!page.html.contains(way), "{way}");
        }
    }

    #[test]
    fn the_first_copy_has_no_mark_and_later_ones_say_that_they_were_printed_again() {
        let form = form(&nothing_moved("示范学校"), Some(&head(None)));
        let marked = |mark| page(&form, mark, "abc").unwrap().html;
        assert!(!marked(Mark::Copy(1)).contains("补打") && !marked(Mark::Copy(1)).contains("样张"));
        assert!(marked(Mark::Copy(2)).contains("补打  第2份"));
        assert!(marked(Mark::Preview).contains("样张") && marked(Mark::Draft).contains("未出具"));
    }

    #[test]
    fn a_corrected_paper_says_so_and_an_amount_is_written_in_capitals() {
        let form = form(&nothing_moved("示范学校"), Some(&head(Some("MS-341823-2027-000002"))));
        let html = page(&form, Mark::Copy(1), "abc").unwrap().html;
        assert!(html.contains("已由 MS-341823-2027-000002 更正，本单作废"));
        assert!(html.contains("人民币壹仟肆佰零玖元伍角整"));
    }
}
