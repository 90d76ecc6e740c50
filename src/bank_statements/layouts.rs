//! How the tables that banks export look: which column means what, how a row tells that money came in or went out, and
//! what stands above and below the rows. Data only: a new bank is one more [`Layout`] here, and a test with a made-up file.
//!
//! Days are read in every order-safe form, year first (`20240131`, `2024-01-31`, `2024/1/31`, `2024年1月31日`), with a time
//! behind them or in a column of its own (`13:15:12`, `131512`), so no layout names one.

use crate::sheet::Column;

/// The table of one bank.
#[derive(Debug)]
pub struct Layout {
    pub bank: &'static str,
    /// What a column means is its key, one of: `booked_on`, `booked_time`, `amount`, `in`, `out`, `direction`,
    /// `currency`, `balance`, `name`, `account`, `party` (name and account in one cell), `remark`, `remark_2`,
    /// `remark_3`, `reference`, `status`.
    pub columns: &'static [Column],
    pub direction: Direction,
    /// What stands above the table before the own account, the opening and the closing balance.
    pub account: &'static [&'static str],
    pub opening: &'static [&'static str],
    pub closing: &'static [&'static str],
    /// How a row begins that sums up others.
    pub totals: &'static [&'static str],
    /// What `status` says of a row that moved no money.
    pub not_booked: &'static [&'static str],
}

/// How a row tells on which side its amount stands.
#[derive(Clone, Copy, Debug)]
pub enum Direction {
    /// The sign of `amount`: `+` came in, `-` went out.
    Signed,
    /// Two columns, `in` and `out`, one of them filled.
    TwoColumns,
    /// `direction` begins with one of these words.
    Words {
        incoming: &'static [&'static str],
        outgoing: &'static [&'static str],
        neither: &'static [&'static str],
    },
}

/// Every layout, the particular ones first: the first whose required columns a file has is the one that reads it.
pub const LAYOUTS: [&Layout; 7] = [&ICBC, &ABC, &BOCOM, &CMB, &ALIPAY, &GENERIC_TWO_COLUMNS, &GENERIC_WORDS];

/// Seen from the customer: 贷 is what came in, 借 what went out.
const DEBIT_CREDIT: Direction = Direction::Words {
    incoming: &["贷", "收", "存入", "转入", "来账", "C"],
    outgoing: &["借", "支", "付", "转出", "往账", "D"],
    neither: &[],
};

/// 工商银行 ICBC; the second of its two layouts has two columns more.
const ICBC: Layout = Layout {
    bank: "icbc",
    columns: &[
        required("booked_on", &["交易日期"]),
        required("remark", &["摘要"]),
        optional("remark_2", &["交易详情"]),
        optional("remark_3", &["交易场所"]),
        required("in", &["记账金额(收入)"]),
        required("out", &["记账金额(支出)"]),
        required("currency", &["记账币种"]),
        required("balance", &["余额"]),
        required("name", &["对方户名"]),
        optional("account", &["对方账户"]),
    ],
    direction: Direction::TwoColumns,
    account: &["卡号", "账号"],
    totals: &["人民币合计", "合计", "美元合计", "欧元合计", "港币合计"],
    ..NOTHING
};

/// 农业银行 ABC.
const ABC: Layout = Layout {
    bank: "abc",
    columns: &[
        required("booked_on", &["交易日期"]),
        required("booked_time", &["交易时间"]),
        required("remark", &["交易摘要"]),
        required("amount", &["交易金额"]),
        required("balance", &["本次余额"]),
        required("party", &["对手信息"]),
        required("reference", &["日志号"]),
        optional("remark_2", &["交易附言"]),
    ],
    direction: Direction::Signed,
    ..NOTHING
};

/// 交通银行 Bank of Communications.
const BOCOM: Layout = Layout {
    bank: "bocom",
    columns: &[
        required("booked_on", &["交易日期"]),
        required("booked_time", &["交易时间"]),
        required("remark", &["交易类型"]),
        required("direction", &["借贷"]),
        required("amount", &["交易金额"]),
        required("balance", &["余额"]),
        required("account", &["对方账号"]),
        required("name", &["对方户名"]),
        optional("remark_2", &["摘要"]),
    ],
    direction: DEBIT_CREDIT,
    ..NOTHING
};

/// 招商银行 CMB.
const CMB: Layout = Layout {
    bank: "cmb",
    columns: &[
        required("booked_on", &["记账日期"]),
        required("currency", &["货币"]),
        required("amount", &["交易金额"]),
        required("balance", &["联机余额"]),
        required("remark", &["交易摘要"]),
        required("party", &["对手信息"]),
        optional("remark_2", &["客户摘要"]),
    ],
    direction: Direction::Signed,
    ..NOTHING
};

/// 支付宝 Alipay. What is 不计收支 moved between the holder's own accounts or undoes a payment that is closed, and what is
/// closed moved nothing: neither came in or went out, by Alipay's own words above the table.
const ALIPAY: Layout = Layout {
    bank: "alipay",
    columns: &[
        required("booked_on", &["交易时间"]),
        required("name", &["交易对方"]),
        optional("account", &["对方账号"]),
        required("remark", &["商品说明"]),
        required("direction", &["收/支"]),
        required("amount", &["金额"]),
        required("status", &["交易状态"]),
        required("reference", &["交易订单号"]),
        optional("remark_2", &["备注"]),
    ],
    direction: Direction::Words { incoming: &["收入"], outgoing: &["支出"], neither: &["不计收支"] },
    account: &["支付宝账户"],
    not_booked: &["交易关闭"],
    ..NOTHING
};

/// Statements of other banks, and those that somebody saved from a workbook, with a column for each side.
const GENERIC_TWO_COLUMNS: Layout = Layout {
    bank: "generic",
    columns: &[
        BOOKED_ON,
        BOOKED_TIME,
        required(
            "in",
            &["收入", "收入金额", "贷方发生额", "贷方金额", "贷方", "存入", "存入金额", "转入金额"],
        ),
        required(
            "out",
            &["支出", "支出金额", "借方发生额", "借方金额", "借方", "支取", "支取金额", "转出金额"],
        ),
        CURRENCY,
        BALANCE,
        NAME,
        ACCOUNT,
        REMARK,
        PURPOSE,
        NOTE,
        REFERENCE,
    ],
    direction: Direction::TwoColumns,
    ..GENERIC
};

/// The same with one amount and a column that says on which side it stands.
const GENERIC_WORDS: Layout = Layout {
    bank: "generic",
    columns: &[
        BOOKED_ON,
        BOOKED_TIME,
        required(
            "direction",
            &["借贷标志", "借贷", "借/贷", "借贷方向", "收支", "收/支", "收付标志", "收支类型"],
        ),
        required("amount", &["金额", "交易金额", "发生额"]),
        CURRENCY,
        BALANCE,
        NAME,
        ACCOUNT,
        REMARK,
        PURPOSE,
        NOTE,
        REFERENCE,
    ],
    direction: DEBIT_CREDIT,
    ..GENERIC
};

const BOOKED_ON: Column = required("booked_on", &["交易日期", "记账日期", "入账日期", "日期"]);
const BOOKED_TIME: Column = optional("booked_time", &["交易时间", "时间"]);
const CURRENCY: Column = optional("currency", &["币种", "货币"]);
const BALANCE: Column = optional("balance", &["余额", "账户余额", "本次余额"]);
const NAME: Column = optional("name", &["对方户名", "对方名称", "对方单位", "对方单位名称", "付款人名称"]);
const ACCOUNT: Column = optional("account", &["对方账号", "对方账户", "付款人账号"]);
const REMARK: Column = optional("remark", &["摘要", "交易摘要"]);
const PURPOSE: Column = optional("remark_2", &["用途", "交易用途"]);
const NOTE: Column = optional("remark_3", &["附言", "交易附言", "备注"]);
const REFERENCE: Column = optional("reference", &["交易流水号", "流水号", "凭证号", "日志号"]);

const GENERIC: Layout = Layout {
    account: &["账号", "账户", "卡号", "本方账号"],
    opening: &["期初余额", "上期余额", "承前余额"],
    closing: &["期末余额", "本期余额"],
    totals: &["合计", "总计", "累计", "本期合计", "本页合计"],
    ..NOTHING
};

const NOTHING: Layout = Layout {
    bank: "",
    columns: &[],
    direction: Direction::Signed,
    account: &[],
    opening: &[],
    closing: &[],
    totals: &[],
    not_booked: &[],
};

const fn required(key: &'static str, titles: &'static [&'static str]) -> Column {
    Column { key, titles, required: true }
}

const fn optional(key: &'static str, titles: &'static [&'static str]) -> Column {
    Column { key, titles, required: false }
}
