//! Results as a table, csv or xlsx: one payout a row, told by its reference (业务参考号), its amount, and what became of it in
//! the words that banks use.

use super::rules::{Answer, Answers, Told};
use super::{ROWS_MAX, Why, amount, named, refuse, status};
use crate::payouts::rules::BankResult;
use crate::refusal::Refusal;
use crate::sheet::{Column, Limits, Table};

const COLUMNS: [Column; 4] = [
    Column {
        key: "reference",
        titles: &["业务参考号", "支付编号", "商户订单号", "EndToEndId"],
        required: true,
    },
    Column { key: "amount", titles: &["金额", "交易金额", "转账金额"], required: true },
    Column {
        key: "result", titles: &["处理结果", "状态", "交易状态", "处理状态", "结果"], required: true
    },
    Column {
        key: "reason",
        titles: &["失败原因", "退回原因", "退汇原因", "原因", "失败信息"],
        required: false,
    },
];

const PAID: [&str; 7] = ["成功", "交易成功", "支付成功", "转账成功", "处理成功", "已入账", "已付款"];
const RETURNED: [&str; 10] =
    ["失败", "交易失败", "支付失败", "转账失败", "处理失败", "退汇", "退票", "退回", "已退汇", "拒绝"];
const PENDING: [&str; 6] = ["处理中", "待处理", "银行处理中", "已受理", "已提交", "待复核"];
const UNKNOWN: [&str; 5] = ["未知", "不明", "状态不明", "状态未知", "可疑"];

pub fn read(file: &[u8]) -> Result<Answers, Refusal> {
    let limits = Limits { rows: ROWS_MAX, ..Limits::default() };
    let table = Table::read_within(file, &COLUMNS, &limits).map_err(Refusal::from)?;
    let answers = table.rows.iter().map(|row| {
        let place = format!("row {}", row.number);
        let why = Why { code: String::new(), words: table.get(row, "reason").to_owned() };
        let written = table.get(row, "amount");
        if written.is_empty() {
            return Err(refuse(&place, "the amount is missing"));
        }
        Ok(Answer {
            payout_id: named(&place, table.get(row, "reference"))?,
            told: told(&place, table.get(row, "result"), why)?,
            amount: Some(amount(&place, written)?),
            place,
        })
    });
    Ok(Answers { answers: answers.collect::<Result<_, _>>()?, ..Answers::default() })
}

fn told(place: &str, word: &str, why: Why) -> Result<Told, Refusal> {
    let is_one_of = |words: &[&str]| words.contains(&word);
    if is_one_of(&PAID) {
        Ok(Told::Result(BankResult::Paid))
    } else if is_one_of(&RETURNED) {
        Ok(Told::Result(why.returned()))
    } else if is_one_of(&PENDING) {
        Ok(Told::Pending)
    } else if is_one_of(&UNKNOWN) {
        Ok(Told::Unknown)
    } else {
        status(place, &word.to_ascii_uppercase(), why)
    }
}
