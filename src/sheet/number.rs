//! Turns the numbers of a workbook into the text a person sees, and dates as people write them into dates.
//! It must never calculate with floats: a float is printed once and the digits are moved as text.

use chrono::{Days, NaiveDate};

/// A float rounded to 15 significant digits (ties to even on its exact binary value).
#[derive(Clone, Debug)]
pub(super) struct Digits {
    negative: bool,
    /// Without trailing zeros; empty for zero.
    significant: String,
    /// Power of ten of the first digit.
    exponent: i32,
}

impl Digits {
    /// `None` for infinities and not-a-number.
    pub(super) fn of(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let printed = format!("{value:.14e}");
        let (mantissa, exponent) = printed.split_once('e')?;
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let significant = digits.trim_end_matches('0').to_owned();
        let negative = mantissa.starts_with('-') && !significant.is_empty();
        Some(Self { negative, significant, exponent: exponent.parse().ok()? })
    }

    /// Plain decimal; scientific from 1e15 on, where 15 digits cannot be all there were, and for dust.
    pub(super) fn text(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let all = self.significant.as_str();
        if all.is_empty() {
            return "0".to_owned();
        }
        let (whole, fraction) = match (usize::try_from(self.exponent), self.exponent) {
            (Ok(exponent @ 0..15), _) => {
                let width = exponent.saturating_add(1);
                let (whole, fraction) = all.split_at_checked(width).unwrap_or((all, ""));
                (format!("{whole:0<width$}"), fraction.to_owned())
            }
            (_, exponent @ -15..=-1) => {
                let zeros = usize::try_from(exponent.saturating_neg().saturating_sub(1)).unwrap_or(0);
                ("0".to_owned(), format!("{}{all}", "0".repeat(zeros)))
            }
            (_, exponent) => return self.scientific(sign, exponent),
        };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }

    fn scientific(&self, sign: &str, exponent: i32) -> String {
        let (first, rest) = self.significant.split_at_checked(1).unwrap_or((&self.significant, ""));
        let point = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{point}{rest}E{exponent:+03}")
    }
}

/// An identity, card or phone number that the spreadsheet took for a number and shortened: `3.41823E+17`.
/// The importer refuses it and says to format the column as text.
#[must_use]
pub fn looks_like_lost_digits(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.trim().split_once(['E', 'e']) else { return false };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let large = digits(exponent) && exponent.parse::<u32>().is_ok_and(|power| power >= 10);
    whole.len() == 1 && digits(whole) && digits(fraction) && large
}

/// Whether one of the numbered formats shows a date or time (ECMA-376 part 1, 18.8.30, with the Chinese ones).
pub(super) fn is_date_id(id: u32) -> bool {
    matches!(id, 14..=22 | 27..=36 | 45..=47 | 50..=58)
}

/// Whether a format text such as `yyyy"年"m"月"` shows a date or time, by its first section.
pub(super) fn is_date_format(code: &str) -> bool {
    if code.eq_ignore_ascii_case("general") || code.eq_ignore_ascii_case("standard") {
        return false;
    }
    let mut letters = code.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => while letters.next().is_some_and(|quoted| quoted != '"') {},
            '\\' | '_' | '*' => {
                letters.next();
            }
            '[' => {
                let inside: String = letters.by_ref().take_while(|inside| *inside != ']').collect();
                let elapsed = |letter: char| matches!(letter.to_ascii_lowercase(), 'h' | 'm' | 's');
                if !inside.is_empty() && inside.chars().all(elapsed) {
                    return true;
                }
            }
            ';' => return false,
            _ if matches!(letter.to_ascii_lowercase(), 'y' | 'm' | 'd' | 'h' | 's') => return true,
            _ => {}
        }
    }
    false
}

/// A serial day as `YYYY-MM-DD`, its time of day left out; a time without a day as `HH:MM:SS`.
/// What is no day of either calendar stays the number it is.
pub(super) fn date_text(serial: &str, from_1904: bool) -> String {
    serial_date(serial, from_1904).unwrap_or_else(|| serial.to_owned())
}

fn serial_date(serial: &str, from_1904: bool) -> Option<String> {
    let (days, fraction) = serial.split_once('.').unwrap_or((serial, ""));
    let days: u64 = days.parse().ok()?;
    if days == 0 && !fraction.is_empty() {
        return time_text(fraction);
    }
    // 1900 had no 29 February, but the spreadsheet calendar counts it as day 60.
    let (year, month, day) = match (from_1904, days) {
        (true, _) => (1904, 1, 1),
        (false, 60) => return Some("1900-02-29".to_owned()),
        (false, 0) => return None,
        (false, 1..60) => (1899, 12, 31),
        (false, _) => (1899, 12, 30),
    };
    let date = NaiveDate::from_ymd_opt(year, month, day)?.checked_add_days(Days::new(days))?;
    let text = date.to_string();
    (text.len() == 10).then_some(text)
}

fn time_text(fraction: &str) -> Option<String> {
    let billionths: u64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds = billionths.checked_mul(86_400)?.checked_add(500_000_000)? / 1_000_000_000;
    let seconds = seconds.min(86_399);
    Some(format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

/// `2020-02-15`, `2020/2/15`, `2020.2.15`, `2020年2月15日`, `20200215`; `None` for all else and for days that
/// do not exist.
#[must_use]
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let parts: Vec<&str> = if let Some(text) = text.strip_suffix('日') {
        let (year, rest) = text.split_once('年')?;
        let (month, day) = rest.split_once('月')?;
        vec![year, month, day]
    } else if let Some(separator) = ['-', '/', '.'].into_iter().find(|separator| text.contains(*separator)) {
        text.split(separator).collect()
    } else if text.len() == 8 {
        vec![text.get(..4)?, text.get(4..6)?, text.get(6..)?]
    } else {
        return None;
    };
    let [year, month, day] = parts.as_slice() else { return None };
    if year.len() != 4 || !(1..=2).contains(&month.len()) || !(1..=2).contains(&day.len()) {
        return None;
    }
    if ![year, month, day].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}
