//! What looks like a number of a person in a text: identity numbers, mobile phones, bank cards. Pure, and without mercy for
//! where it stands: a number counts when no letter or digit touches it.

/// What a number looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// 18 characters with the check character and a date of birth of GB 11643.
    IdentityNumber,
    /// Eleven digits that begin with 13 to 19, also behind +86 or in groups of 3, 4 and 4.
    MobilePhone,
    /// 16 to 19 digits with the check digit of ISO/IEC 7812 that begin as cards of banks do, also in groups of four.
    BankCard,
}

/// A number that was found, and as much of it as may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    pub masked: String,
}

impl Kind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdentityNumber => "identity_number",
            Self::MobilePhone => "mobile_phone",
            Self::BankCard => "bank_card",
        }
    }
}

/// The longest number with its separators; who cuts a text into pieces lets them overlap by so many characters.
pub const NUMBER_CHARS_MAX: usize = 24;

/// Every number in a text, in its order.
#[must_use]
pub fn find(text: &str) -> Vec<Found> {
    if !text.contains(is_digit_of_any_width) {
        return Vec::new();
    }
    let narrow: Vec<char> = text.chars().map(narrowed).collect();
    let mut found = Vec::new();
    let mut rest = narrow.as_slice();
    let mut before = None;
    while let Some((run, after)) = next_run(rest, &mut before) {
        found.extend(number_in(run));
        rest = after;
    }
    found
}

/// The next run of letters, digits and the separators between groups of digits, and what follows it.
fn next_run<'a>(text: &'a [char], before: &mut Option<char>) -> Option<(Run, &'a [char])> {
    let start = text.iter().position(char::is_ascii_alphanumeric)?;
    if let Some(last) = start.checked_sub(1).and_then(|at| text.get(at)) {
        *before = Some(*last);
    }
    let text = text.get(start..)?;
    let length = run_length(text);
    let (run, after) = text.split_at_checked(length)?;
    let run = Run {
        text: run.iter().collect(),
        is_decimal: joins_decimal(before.as_ref(), start, after),
        has_plus: *before == Some('+') && start > 0,
    };
    *before = run.text.chars().last();
    Some((run, after))
}

struct Run {
    text: String,
    /// A decimal point ties it to more digits.
    is_decimal: bool,
    has_plus: bool,
}

/// Letters and digits, and single hyphens or spaces between digits.
fn run_length(text: &[char]) -> usize {
    let mut length = 0_usize;
    while let Some(char) = text.get(length) {
        let previous = length.checked_sub(1).and_then(|at| text.get(at));
        let next = text.get(length.saturating_add(1));
        let is_between = matches!(char, '-' | ' ')
            && previous.is_some_and(char::is_ascii_digit)
            && next.is_some_and(char::is_ascii_digit);
        if !char.is_ascii_alphanumeric() && !is_between {
            break;
        }
        length = length.saturating_add(1);
    }
    length
}

/// Whether a point directly before or behind a run makes it part of a decimal number.
fn joins_decimal(before: Option<&char>, start: usize, after: &[char]) -> bool {
    let begins_behind_point = start == 1 && before == Some(&'.');
    let goes_on = after.first() == Some(&'.') && after.get(1).is_some_and(char::is_ascii_digit);
    begins_behind_point || goes_on
}

fn number_in(run: Run) -> Vec<Found> {
    if run.is_decimal {
        return Vec::new();
    }
    let groups: Vec<&str> = run.text.split(['-', ' ']).collect();
    let (mut found, mut rest) = (Vec::new(), groups.as_slice());
    while let Some((first, others)) = rest.split_first() {
        let longest = (3..=5).rev().find_map(|count| grouped(rest.split_at_checked(count)?));
        if let Some((number, after)) = longest {
            found.push(number);
            rest = after;
        } else {
            found.extend(alone(first, run.has_plus));
            rest = others;
        }
    }
    found
}

/// A number that is written in these groups, and what follows them.
fn grouped<'a>((groups, after): (&[&str], &'a [&'a str])) -> Option<(Found, &'a [&'a str])> {
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    let joined = groups.concat();
    let found = match lengths.as_slice() {
        [3, 4, 4] => phone(&joined),
        [4, 4, 4, 4] | [4, 4, 4, 4, 1..=3] => card(&joined),
        [6, 8, 4] => identity(&joined),
        _ => None,
    };
    Some((found?, after))
}

fn alone(text: &str, has_plus: bool) -> Option<Found> {
    let national = text.strip_prefix("86").filter(|_| has_plus || text.len() == 13);
    identity(text).or_else(|| phone(text)).or_else(|| phone(national?)).or_else(|| card(text))
}

fn phone(text: &str) -> Option<Found> {
    let is_phone = text.len() == 11
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.starts_with('1')
        && text.as_bytes().get(1).is_some_and(|byte| (b'3'..=b'9').contains(byte));
    is_phone.then(|| Found { kind: Kind::MobilePhone, masked: masked(text, 3, 4) })
}

fn card(text: &str) -> Option<Found> {
    let is_card = (16..=19).contains(&text.len())
        && text.starts_with(['3', '4', '5', '6', '9'])
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && has_luhn_digit(text);
    is_card.then(|| Found { kind: Kind::BankCard, masked: masked(text, 0, 4) })
}

fn identity(text: &str) -> Option<Found> {
    let is_identity = text.len() == 18 && has_birthday(text) && has_check_character(text);
    is_identity.then(|| Found { kind: Kind::IdentityNumber, masked: masked(text, 6, 4) })
}

/// Every second digit from the right doubled, the digits of all summed: a multiple of ten (ISO/IEC 7812-1, annex B).
fn has_luhn_digit(text: &str) -> bool {
    let digits = text.chars().rev().filter_map(|char| char.to_digit(10));
    let sum: u32 = digits
        .zip(0_u32..)
        .map(|(digit, place)| match (place % 2, digit) {
            (0, _) => digit,
            (_, 0..=4) => digit * 2,
            _ => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Digits 7 to 14 are a day between 1900 and 2099.
fn has_birthday(text: &str) -> bool {
    let day = text.get(6..14).and_then(|day| chrono::NaiveDate::parse_from_str(day, "%Y%m%d").ok());
    let is_digits = text.get(..17).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    is_digits && day.is_some_and(|day| (1900..2100).contains(&chrono::Datelike::year(&day)))
}

/// ISO 7064 MOD 11-2: the weight of a place is a power of two, and X is ten.
fn has_check_character(text: &str) -> bool {
    let values = text.chars().map(|char| match char {
        'X' | 'x' => Some(10),
        _ => char.to_digit(10),
    });
    let sum = values.rev().zip(0_u32..).try_fold(0_u32, |sum, (value, place)| {
        let weight = 2_u32.checked_pow(place)? % 11;
        Some((sum + value? * weight) % 11)
    });
    sum == Some(1)
}

fn masked(text: &str, front: usize, back: usize) -> String {
    let shown = |place: usize| place < front || place >= text.len().saturating_sub(back);
    text.chars().enumerate().map(|(place, char)| if shown(place) { char } else { '*' }).collect()
}

fn is_digit_of_any_width(char: char) -> bool {
    char.is_ascii_digit() || ('０'..='９').contains(&char)
}

/// Letters and digits of double width as those of ASCII.
fn narrowed(char: char) -> char {
    match char {
        '！'..='～' => u32::from(char).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(char),
        '\u{a0}' | '\u{3000}' => ' ',
        '\u{2010}'..='\u{2015}' => '-',
        _ => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        find(text).into_iter().map(|found| found.kind).collect()
    }

    #[test]
    fn numbers_are_found_wherever_they_stand_alone_and_shown_masked() {
        let text = "王某，身份证11010519491231002X，电话13812345678；卡号:6228480402564890018.";
        let masked: Vec<String> = find(text).into_iter().map(|found| found.masked).collect();
        assert_eq!(masked, ["110105********002X", "138****5678", "***************0018"]);
        assert_eq!(kinds(text), [Kind::IdentityNumber, Kind::MobilePhone, Kind::BankCard]);
    }

    #[test]
    fn other_ways_of_writing_them_are_found_too() {
        for text in [
            "+8613812345678",
            "8613812345678",
            "+86 138 1234 5678",
            "138-1234-5678",
            "138 1234 5678",
            "１３８１２３４５６７８",
            "[\"13812345678\"]",
            "<v>13812345678</v>",
            "tel=13812345678&x",
            "13812345678",
            "13812345678.",
            "\t13812345678\r",
        ] {
            assert_eq!(kinds(text), [Kind::MobilePhone], "{text}");
        }
        for text in
            ["6228 4804 0256 4890 018", "6228-4804-0256-4890-018", "4111111111111111", "4111 1111 1111 1111"]
        {
            assert_eq!(kinds(text), [Kind::BankCard], "{text}");
        }
        for text in ["11010519491231002x", "110105 19491231 002X", "110105-19491231-002X"] {
            assert_eq!(kinds(text), [Kind::IdentityNumber], "{text}");
        }
    }

    #[test]
    fn what_only_resembles_one_is_none() {
        for text in [
            "",
            "no digits",
            "138123456789",
            "a13812345678",
            "13812345678a",
            "12812345678",
            "0.13812345678",
            "13812345678.50",
            "110105194912310021",
            "110105194913310021",
            "6228480402564890017",
            "622848040256489",
            "0000000000000000018",
            "1010302030000000000",
            "0193a5b0-c000-7000-8000-138123456780",
            "5a5a13812345678f00112233445566778899aabbccddeeff",
            "PO-341823-2026-000123",
            "2027-03-01 08:00:00.138123",
            "341823101202",
            "91341823MA2T0A0A0A",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }

    #[test]
    fn two_numbers_with_a_blank_between_are_two() {
        assert_eq!(kinds("13812345678 13912345678"), [Kind::MobilePhone, Kind::MobilePhone]);
        assert_eq!(kinds("138 1234 5678 2027-03-01"), [Kind::MobilePhone]);
        assert_eq!(kinds("13812345678,6228480402564890018 2027"), [Kind::MobilePhone, Kind::BankCard]);
    }
}
