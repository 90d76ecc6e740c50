//! What a household's status, name, phone, bank account and address may be, and how much of them is shown. Pure.

use chrono::NaiveDate;

use crate::refusal::Refusal;

mod id_card;
mod small_cells;

pub use id_card::{check_letter, identity_number, mask_identity_number};
pub use small_cells::{hidden_cells, published_until};

/// Characters of an address at most.
const ADDRESS_CHARS_MAX: usize = 200;

/// 户类型: by the policy's list of 2021, one at a time, each from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 脱贫户
    Registered,
    /// 脱贫不稳定户
    MonitoredUnstable,
    /// 边缘易致贫户
    MonitoredMarginal,
    /// 突发严重困难户
    MonitoredHardship,
    /// 一般农户
    General,
}

impl Status {
    pub const ALL: [Self; 5] = [
        Self::Registered,
        Self::MonitoredUnstable,
        Self::MonitoredMarginal,
        Self::MonitoredHardship,
        Self::General,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::MonitoredUnstable => "monitored_unstable",
            Self::MonitoredMarginal => "monitored_marginal",
            Self::MonitoredHardship => "monitored_hardship",
            Self::General => "general",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Reads what people write in tables, in Chinese or as the API names it.
    #[must_use]
    pub fn parse_written(name: &str) -> Option<Self> {
        match name {
            "脱贫户" | "建档立卡户" | "建档立卡贫困户" | "建档立卡" => {
                Some(Self::Registered)
            }
            "脱贫不稳定户" => Some(Self::MonitoredUnstable),
            "边缘易致贫户" => Some(Self::MonitoredMarginal),
            "突发严重困难户" => Some(Self::MonitoredHardship),
            "一般农户" | "一般户" => Some(Self::General),
            _ => Self::parse(name),
        }
    }
}

/// What a visit found: 摸排.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitOutcome {
    HasUnsold,
    NothingUnsold,
    NotReached,
}

impl VisitOutcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HasUnsold => "has_unsold",
            Self::NothingUnsold => "nothing_unsold",
            Self::NotReached => "not_reached",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::HasUnsold, Self::NothingUnsold, Self::NotReached]
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}

/// A name of 1 to 50 characters without control characters, trimmed.
pub fn head_name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    let is_plain = !name.is_empty() && name.chars().count() <= 50 && !name.contains(char::is_control);
    if is_plain { Ok(name.to_owned()) } else { Err("write 1 to 50 characters") }
}

/// A mobile number of 11 digits, or a landline with its area code; spaces and hyphens are left out.
pub fn phone(text: &str) -> Result<String, &'static str> {
    let digits = digits_of(text).ok_or("write digits only")?;
    let is_mobile = digits.len() == 11 && digits.starts_with('1') && !digits.starts_with("10");
    let is_landline = (10..=12).contains(&digits.len()) && digits.starts_with('0');
    if is_mobile || is_landline {
        Ok(digits)
    } else {
        Err("write a mobile number of 11 digits, or a landline with its area code")
    }
}

/// A bank account of 8 to 32 digits; spaces and hyphens are left out. Passbook accounts carry no check digit that all
/// banks share, so none is checked.
pub fn bank_account(text: &str) -> Result<String, &'static str> {
    let digits = digits_of(text).ok_or("write digits only")?;
    if (8..=32).contains(&digits.len()) { Ok(digits) } else { Err("write the 8 to 32 digits of the account") }
}

/// An address of 1 to 200 characters without control characters, trimmed.
pub fn address(text: &str) -> Result<String, &'static str> {
    let address = text.trim();
    let length = address.chars().count();
    let is_plain = (1..=ADDRESS_CHARS_MAX).contains(&length) && !address.contains(char::is_control);
    if is_plain { Ok(address.to_owned()) } else { Err("write 1 to 200 characters") }
}

fn digits_of(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
    kept.bytes().all(|byte| byte.is_ascii_digit()).then_some(kept)
}

/// `仲*妮`: the first and the last character; of two characters the first.
#[must_use]
pub fn mask_name(name: &str) -> String {
    let length = name.chars().count();
    name.chars()
        .enumerate()
        .map(|(place, letter)| {
            let is_shown = length > 1 && (place == 0 || (length > 2 && place + 1 == length));
            if is_shown { letter } else { '*' }
        })
        .collect()
}

/// `138****5678`.
#[must_use]
pub fn mask_phone(phone: &str) -> String {
    let (front, back) = (phone.get(..3).unwrap_or(""), last_four(phone));
    format!("{front}****{back}")
}

/// `****1234`.
#[must_use]
pub fn mask_bank_account(account: &str) -> String {
    format!("****{}", last_four(account))
}

/// `****`: that there is one. Of a short address any part would be all of it, and the village is told anyway.
#[must_use]
pub fn mask_address(_: &str) -> String {
    "****".to_owned()
}

/// What an answer may repeat of a text that should have been somebody's number: of seven digits in a row or more the last
/// four.
#[must_use]
pub fn mask_digits(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let runs = letters.chunk_by(|one, next| one.is_ascii_digit() == next.is_ascii_digit());
    let shown = runs.flat_map(|run| {
        let is_long = run.len() >= 7 && run.iter().all(char::is_ascii_digit);
        let hidden = if is_long { run.len() - 4 } else { 0 };
        run.iter().enumerate().map(move |(place, letter)| if place < hidden { '*' } else { *letter })
    });
    shown.collect()
}

fn last_four(text: &str) -> &str {
    text.len().checked_sub(4).and_then(|from| text.get(from..)).unwrap_or("")
}

/// A day of the past or today.
pub fn not_later(day: NaiveDate, today: NaiveDate, pointer: &str) -> Result<NaiveDate, Refusal> {
    if day <= today { Ok(day) } else { Err(Refusal::invalid(pointer, "must not lie in the future")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_its_first_and_last_character_only() {
        for (name, shown) in
            [("仲雅妮", "仲*妮"), ("李四", "李*"), ("欧阳小妮", "欧**妮"), ("王", "*"), ("", "")]
        {
            assert_eq!(mask_name(name), shown);
        }
    }

    #[test]
    fn a_phone_shows_seven_digits_and_a_bank_account_four() {
        assert_eq!(mask_phone("13812345678"), "138****5678");
        assert_eq!(mask_bank_account("6228480402564890018"), "****0018");
        assert_eq!((mask_phone("12"), mask_bank_account("12")), ("****".to_owned(), "****".to_owned()));
    }

    #[test]
    fn of_an_address_nothing_is_shown_and_of_what_was_typed_for_a_number_four_digits() {
        assert_eq!(mask_address("示范路1号"), "****");
        assert_eq!(mask_digits("6228 480402564890018 x"), "6228 ***********0018 x");
        assert_eq!(mask_digits("3.41823E+17"), "3.41823E+17");
    }

    #[test]
    fn an_address_has_at_most_two_hundred_characters() {
        assert_eq!(address(" 示范路1号 ").as_deref(), Ok("示范路1号"));
        for bad in [String::new(), "路".repeat(201), "路\n".repeat(2)] {
            assert!(address(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn phones_and_accounts_are_digits_with_spaces_and_hyphens_left_out() {
        assert_eq!(phone("138-1234 5678").as_deref(), Ok("13812345678"));
        assert_eq!(phone("0563-5022222").as_deref(), Ok("05635022222"));
        assert_eq!(bank_account("6228 4804 0256 4890 018").as_deref(), Ok("6228480402564890018"));
        for bad in ["", "138123456", "10812345678", "1381234567a", "１３８１２３４５６７８", "1.38E+10"]
        {
            assert!(phone(bad).is_err(), "{bad}");
        }
        for bad in ["", "1234567", "6.22848E+18"] {
            assert!(bank_account(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_status_is_read_back_by_its_name_and_by_what_people_write() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse_written("脱贫不稳定户"), Some(Status::MonitoredUnstable));
        assert_eq!(Status::parse_written("rich"), None);
    }
}
