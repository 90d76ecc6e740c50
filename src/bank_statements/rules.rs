//! What a bank statement is: amounts in minor units of their currency, balances that its lines must lead between, and
//! what makes a line the same line in two files. Pure; knows no database, no file format and no time of day.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// The largest figure of a statement, in minor units: as much as any amount of money here.
const MINOR_MAX: i64 = 9_000_000_000_000_000;

/// Characters of a name, a remark or a reference that are kept.
pub const TEXT_CHARS_MAX: usize = 500;

/// Digits from which on a run of them is the number of an account.
const ACCOUNT_DIGITS_MIN: usize = 8;

/// A currency of ISO 4217 by its three letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// An amount in whole minor units of a currency: fen for CNY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub minor: i64,
    pub currency: Currency,
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("write an amount such as 1,234.00")]
    Malformed,
    #[error("{0} has no such small part: at most {1} decimals")]
    TooFine(Currency, usize),
    #[error("the amount is too large")]
    TooLarge,
}

/// A statement as a file tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `icbc`, `abc`, `bocom`, `cmb`, `alipay`, `generic`; for camt.053 the bank's identifier or name.
    pub bank: String,
    /// `camt.053.001.02`, `camt.053.001.08`, `csv` or `xlsx`.
    pub format: &'static str,
    /// The county's own account as the file writes it, perhaps masked; files of some banks do not name it.
    pub account: Option<String>,
    pub currency: Currency,
    /// The days of its lines; without lines the period it names.
    pub from_on: NaiveDate,
    pub to_on: NaiveDate,
    /// As stated; perhaps in another currency than the lines.
    pub opening: Option<Amount>,
    pub closing: Option<Amount>,
    /// In the order of the file.
    pub lines: Vec<Line>,
}

/// Money that came in or went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands in the file: a row of a table, a line of XML.
    pub row: usize,
    /// In minor units of the statement's currency; above zero when it came in.
    pub amount_minor: i64,
    pub booked_on: NaiveDate,
    pub booked_at: Option<DateTime<Utc>>,
    pub value_on: Option<NaiveDate>,
    /// Whoever stands on the other side: the payer of what came in, the payee of what went out.
    pub payer_name: Option<String>,
    pub payer_account: Option<String>,
    /// What payer and bank wrote, empty when nothing.
    pub remark: String,
    pub bank_reference: Option<String>,
    /// Of the account after the line, where the file says.
    pub balance_minor: Option<i64>,
}

/// A statement without its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub bank: String,
    pub format: String,
    /// The last four characters of the county's own account.
    pub account_masked: Option<String>,
    pub currency: Currency,
    pub from_on: NaiveDate,
    pub to_on: NaiveDate,
    pub opening: Option<Amount>,
    pub closing: Option<Amount>,
    pub totals: Totals,
}

/// What the lines of a statement sum to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub line_count: i64,
    pub in_minor: i64,
    /// Zero or above.
    pub out_minor: i64,
}

impl Currency {
    pub const CNY: Self = Self(*b"CNY");

    /// Three letters, or a Chinese name that banks write.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let code = match text {
            "人民币" | "人民币元" | "元" | "RMB" => "CNY",
            "美元" => "USD",
            "欧元" => "EUR",
            "港币" | "港元" => "HKD",
            "日元" => "JPY",
            "英镑" => "GBP",
            other => other,
        };
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Decimals of the currency (ISO 4217, list one); two unless it is one of the few others.
    #[must_use]
    pub fn decimals(self) -> usize {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF"
            | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a currency")
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl Amount {
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads an amount as banks write it: `12`, `12.5`, `1,234.00`, `+10000.00`, `-3.00`, `¥1,234.00`, `1,234.00元`,
    /// with blanks around. Thousands stand in groups of three or are not marked at all; decimals beyond those of the
    /// currency are zeros.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let text = text.trim();
        let (text, is_negative) = match text.strip_prefix(['-', '−', '－']) {
            Some(rest) => (rest, true),
            None => (text.strip_prefix(['+', '＋']).unwrap_or(text), false),
        };
        let text = text.strip_prefix(['¥', '￥']).unwrap_or(text);
        let text = text.strip_suffix('元').unwrap_or(text).trim();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let whole = ungrouped(whole).ok_or(AmountError::Malformed)?;
        if fraction.is_empty() || !is_digits(fraction) {
            return Err(AmountError::Malformed);
        }
        let decimals = currency.decimals();
        let kept = fraction.trim_end_matches('0');
        if kept.len() > decimals {
            return Err(AmountError::TooFine(currency, decimals));
        }
        let digits = format!("{whole}{kept:0<decimals$}");
        let minor: i64 = digits.parse().map_err(|_| AmountError::TooLarge)?;
        if minor > MINOR_MAX {
            return Err(AmountError::TooLarge);
        }
        Ok(Self::new(if is_negative { minor.saturating_neg() } else { minor }, currency))
    }
}

/// Digits with or without commas between groups of three.
fn ungrouped(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let first = groups.next().filter(|first| !first.is_empty() && is_digits(first))?;
    let rest: Vec<&str> = groups.collect();
    let is_grouped = rest.iter().all(|group| group.len() == 3 && is_digits(group));
    (is_grouped && (rest.is_empty() || first.len() <= 3)).then(|| format!("{first}{}", rest.concat()))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A decimal with as many places as the currency has: `12.50`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        let decimals = self.currency.decimals();
        let width = decimals.saturating_add(1);
        let digits = format!("{:0>width$}", self.minor.unsigned_abs());
        let (whole, fraction) =
            digits.split_at_checked(digits.len().saturating_sub(decimals)).unwrap_or((&digits, ""));
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

impl Statement {
    /// `None` when it has no totals.
    #[must_use]
    pub fn figures(&self) -> Option<Figures> {
        Some(Figures {
            bank: self.bank.clone(),
            format: self.format.to_owned(),
            account_masked: self.account.as_deref().map(masked_account),
            currency: self.currency,
            from_on: self.from_on,
            to_on: self.to_on,
            opening: self.opening,
            closing: self.closing,
            totals: self.totals()?,
        })
    }

    /// What its lines sum to; `None` when that is more than any figure may be.
    #[must_use]
    pub fn totals(&self) -> Option<Totals> {
        let mut totals = Totals { line_count: i64::try_from(self.lines.len()).ok()?, ..Totals::default() };
        for line in &self.lines {
            let side = if line.amount_minor < 0 { &mut totals.out_minor } else { &mut totals.in_minor };
            *side = side.checked_add(line.amount_minor.checked_abs()?)?;
        }
        (totals.in_minor.max(totals.out_minor) <= MINOR_MAX).then_some(totals)
    }

    /// The closing balance that opening and lines lead to, and by how much the stated one is above it, when they differ.
    /// Balances in two currencies say nothing about each other.
    #[must_use]
    pub fn closing_difference(&self, totals: Totals) -> Option<(Amount, Amount)> {
        let opening = self.opening.filter(|opening| opening.currency == self.currency)?;
        let closing = self.closing.filter(|closing| closing.currency == self.currency)?;
        let computed = opening.minor.saturating_add(totals.in_minor).saturating_sub(totals.out_minor);
        let above = closing.minor.saturating_sub(computed);
        (above != 0).then(|| (Amount::new(computed, self.currency), Amount::new(above, self.currency)))
    }
}

impl Line {
    /// How its identity begins, in the clear, so that the database itself can compare it with the row: day, amount and
    /// balance.
    #[must_use]
    pub fn figures(&self) -> String {
        let balance = self.balance_minor.map(|minor| minor.to_string()).unwrap_or_default();
        format!("{}/{}/{balance}/", self.booked_on, self.amount_minor)
    }

    /// All that tells it from other lines of an account, one text. References repeat, so none is enough alone.
    #[must_use]
    pub fn features(&self, account: &str, currency: Currency) -> String {
        let time = self.booked_at.map(|at| at.to_rfc3339()).unwrap_or_default();
        let parts: [&str; 8] = [
            account,
            currency.as_str(),
            &self.figures(),
            &time,
            self.bank_reference.as_deref().unwrap_or_default(),
            &self.remark,
            self.payer_name.as_deref().unwrap_or_default(),
            self.payer_account.as_deref().unwrap_or_default(),
        ];
        // A text of one part cannot run into the next: none of them holds this mark.
        parts.join("\u{1f}")
    }
}

/// A bank account as it is compared: without blanks and hyphens, letters as capitals.
#[must_use]
pub fn comparable_account(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    letters.flat_map(char::to_uppercase).collect()
}

/// Whether a file writes all of an account, so that it can be looked up.
#[must_use]
pub fn is_whole_account(text: &str) -> bool {
    !text.is_empty() && !text.contains('*')
}

/// An account as it is shown: its last four characters.
#[must_use]
pub fn masked_account(text: &str) -> String {
    let account = comparable_account(text);
    let skipped = account.chars().count().saturating_sub(4);
    format!("****{}", account.chars().skip(skipped).collect::<String>())
}

/// Takes the account off a text in which a bank writes name and account in one: `张三 66666666666666`.
#[must_use]
pub fn name_and_account(text: &str) -> (Option<String>, Option<String>) {
    let text = text.trim();
    let digits = text.chars().rev().take_while(char::is_ascii_digit).count();
    if digits < ACCOUNT_DIGITS_MIN {
        return (some(text), None);
    }
    let (name, account) = text.split_at_checked(text.len().saturating_sub(digits)).unwrap_or((text, ""));
    (some(name), some(account))
}

/// Replaces numbers of bank cards in free text (16 to 19 digits with a right check digit, ISO/IEC 7812-1) by their last
/// four digits: they are stored sealed or not at all.
#[must_use]
pub fn without_cards(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_alphanumeric()) {
        let (before, from) = rest.split_at_checked(start).unwrap_or((rest, ""));
        let length = from.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(from.len());
        let (word, after) = from.split_at_checked(length).unwrap_or((from, ""));
        result.push_str(before);
        match word.len().checked_sub(4).and_then(|hidden| word.get(hidden..)) {
            Some(last) if is_card(word) => {
                result.push_str("****");
                result.push_str(last);
            }
            _ => result.push_str(word),
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

fn is_card(word: &str) -> bool {
    if !(16..=19).contains(&word.len()) || !is_digits(word) {
        return false;
    }
    let sum: u32 = word
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit.saturating_sub(b'0'));
            if place.is_multiple_of(2) { value } else { value.saturating_mul(2) % 10 + value / 5 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A trimmed text, unless nothing is left or only one of the marks that banks write for nothing.
#[must_use]
pub fn some(text: &str) -> Option<String> {
    let text = text.trim();
    let is_mark = text.chars().all(|letter| matches!(letter, '-' | '/' | '—' | '－'));
    (!is_mark).then(|| text.chars().take(TEXT_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests;
