//! How a sale of produce is invoiced, and how an amount falls into price and tax. Pure: the rates come from the database,
//! each with the days on which it holds.

use chrono::NaiveDate;

use crate::money::{self, Fen};

/// A million parts are the whole.
const WHOLE_PPM: i64 = 1_000_000;

/// Codes of the table 商品和服务税收分类编码 that begin so are 农、林、牧、渔业类产品: what grows, not what is made of it.
const GROWN: &str = "101";

/// How a line is invoiced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treatment {
    /// 自产自销免税: the household sells what it grew.
    SelfProduced,
    /// 合作社: its cooperative invoices what the member grew, exempt as well.
    Cooperative,
    /// 收购发票: the buying enterprise writes the invoice itself and deducts a part of the price.
    Purchase,
    /// 小规模纳税人: goods that are made and not grown are taxed, the tax is in the price.
    SmallScale,
}

impl Treatment {
    pub const ALL: [Self; 4] = [Self::SelfProduced, Self::Cooperative, Self::Purchase, Self::SmallScale];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SelfProduced => "self_produced",
            Self::Cooperative => "cooperative",
            Self::Purchase => "purchase",
            Self::SmallScale => "small_scale",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|treatment| treatment.as_str() == name)
    }

    /// Of goods with a code, sold by a household that is or is not of a cooperative, to a buyer that is or is not an
    /// enterprise. Only enterprises write purchase invoices.
    #[must_use]
    pub fn of(tax_code: &str, is_of_cooperative: bool, is_to_enterprise: bool) -> Self {
        if !tax_code.starts_with(GROWN) {
            Self::SmallScale
        } else if is_of_cooperative {
            Self::Cooperative
        } else if is_to_enterprise {
            Self::Purchase
        } else {
            Self::SelfProduced
        }
    }
}

/// A rate as an exact fraction of a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(i64);

impl Rate {
    /// Reads `0`, `0.09` or `0.015`: at most six decimals, below one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = !decimals.is_empty() && decimals.bytes().all(|byte| byte.is_ascii_digit());
        if whole != "0" || decimals.len() > 6 || !is_digits {
            return None;
        }
        format!("{decimals:0<6}").parse().ok().map(Self)
    }

    /// The tax that is in `amount`, rounded once, half up.
    #[must_use]
    pub fn tax_within(self, amount: Fen) -> Fen {
        let net = rounded(amount, WHOLE_PPM, WHOLE_PPM.saturating_add(self.0));
        amount.checked_sub(net).unwrap_or(Fen::ZERO)
    }

    /// The part of `amount`, rounded once, half up.
    #[must_use]
    pub fn of(self, amount: Fen) -> Fen {
        rounded(amount, self.0, WHOLE_PPM)
    }
}

/// `amount` times `part` over `whole`, half up; amounts are not negative here.
fn rounded(amount: Fen, part: i64, whole: i64) -> Fen {
    let (part, whole) = (i128::from(part), i128::from(whole).max(1));
    let exact = i128::from(amount.get()).saturating_mul(part);
    let half = whole.checked_div(2).unwrap_or(0);
    let value = exact.saturating_add(half).checked_div(whole).unwrap_or(0);
    Fen::new(i64::try_from(value).unwrap_or(i64::MAX))
}

/// What holds for a treatment from a day on.
#[derive(Clone, Debug)]
pub struct TaxRate {
    pub treatment: Treatment,
    pub from_on: NaiveDate,
    /// The last day; none while it holds.
    pub to_on: Option<NaiveDate>,
    pub rate: DatedRate,
    /// What a buyer may deduct of the price.
    pub deduction: Option<DatedRate>,
    /// The same when the goods become goods of the highest rate.
    pub deduction_processing: Option<DatedRate>,
    /// Where it is written.
    pub source: String,
}

/// A rate with its text as it is written in the database.
#[derive(Clone, Debug)]
pub struct DatedRate {
    pub text: String,
    pub rate: Rate,
}

/// The rate of a treatment on a day.
#[must_use]
pub fn rate_on(rates: &[TaxRate], treatment: Treatment, day: NaiveDate) -> Option<&TaxRate> {
    rates
        .iter()
        .filter(|rate| {
            rate.treatment == treatment && rate.from_on <= day && rate.to_on.is_none_or(|to| day <= to)
        })
        .max_by_key(|rate| rate.from_on)
}

/// Price and tax of lines that are invoiced together: both are computed on their sum, once, and fall on the lines by
/// largest remainder, so that lines and total agree to the fen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub taxes: Vec<Fen>,
    /// What the buyer may deduct; empty when nothing.
    pub deductions: Vec<Fen>,
}

#[must_use]
pub fn split(rate: &TaxRate, amounts: &[Fen]) -> Split {
    let sum: Fen = amounts.iter().copied().sum();
    let deductions = rate.deduction.as_ref().map(|deduction| money::split(deduction.rate.of(sum), amounts));
    Split {
        taxes: money::split(rate.rate.rate.tax_within(sum), amounts),
        deductions: deductions.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn dated(text: &str) -> DatedRate {
        DatedRate { text: text.to_owned(), rate: Rate::parse(text).unwrap() }
    }

    fn rate(from: &str, to: Option<&str>, text: &str) -> TaxRate {
        TaxRate {
            treatment: Treatment::SmallScale,
            from_on: day(from),
            to_on: to.map(day),
            rate: dated(text),
            deduction: Some(dated("0.09")),
            deduction_processing: None,
            source: "test".to_owned(),
        }
    }

    #[test]
    fn grown_goods_are_exempt_and_made_goods_are_taxed() {
        let (grown, made) = ("1010116010000000000", "1030101000000000000");
        assert_eq!(Treatment::of(grown, false, false), Treatment::SelfProduced);
        assert_eq!(Treatment::of(grown, true, true), Treatment::Cooperative);
        assert_eq!(Treatment::of(grown, false, true), Treatment::Purchase);
        assert_eq!(Treatment::of(made, true, false), Treatment::SmallScale);
    }

    #[test]
    fn a_rate_holds_from_its_first_to_its_last_day() {
        let rates = [rate("2023-01-01", Some("2027-12-31"), "0.01"), rate("2028-01-01", None, "0.03")];
        let on = |text| rate_on(&rates, Treatment::SmallScale, day(text)).map(|rate| rate.rate.text.as_str());
        assert_eq!(on("2022-12-31"), None);
        assert_eq!((on("2023-01-01"), on("2027-12-31")), (Some("0.01"), Some("0.01")));
        assert_eq!(on("2028-01-01"), Some("0.03"));
    }

    #[test]
    fn texts_that_are_not_rates_are_refused() {
        for text in ["", "1", "1.0", "0.", ".09", "0.0000001", "-0.1", "9%", "0,09", "0.０9"] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
        assert_eq!(Rate::parse("0.10"), Rate::parse("0.1"));
    }

    #[test]
    fn tax_is_in_the_price_and_a_deduction_is_of_the_price() {
        // 1030.00 at 3 %: 1000.00 and 30.00. 9 % of 16409.02 is 1476.8118.
        assert_eq!(Rate::parse("0.03").unwrap().tax_within(Fen::new(103_000)), Fen::new(3_000));
        assert_eq!(Rate::parse("0.09").unwrap().of(Fen::new(1_640_902)), Fen::new(147_681));
        assert_eq!(Rate::parse("0").unwrap().tax_within(Fen::new(103_000)), Fen::ZERO);
    }

    proptest! {
        #[test]
        fn taxes_and_deductions_of_lines_sum_to_those_of_the_whole_and_exceed_no_line(
            ppm in 0_i64..1_000_000, amounts in prop::collection::vec(0_i64..10_000_000, 1..60)
        ) {
            let text = format!("0.{ppm:06}");
            let rate = TaxRate { rate: dated(&text), ..rate("2023-01-01", None, "0") };
            let amounts: Vec<Fen> = amounts.into_iter().map(Fen::new).collect();
            let whole: Fen = amounts.iter().copied().sum();
            let parts = split(&rate, &amounts);
            prop_assert_eq!(parts.taxes.iter().copied().sum::<Fen>(), rate.rate.rate.tax_within(whole));
            prop_assert_eq!(parts.deductions.iter().copied().sum::<Fen>(), Rate::parse("0.09").unwrap().of(whole));
            for (tax, amount) in parts.taxes.iter().zip(&amounts) {
                prop_assert!(*tax >= Fen::ZERO && tax <= amount);
            }
        }
    }
}
