//! Identity numbers of people (居民身份证号码, GB 11643-1999): what is one, and how much of it is shown. Pure.

use chrono::NaiveDate;

/// The weights of the first 17 digits, of ISO 7064 MOD 11-2.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The check letter of every remainder.
const CHECK_LETTERS: &str = "10X98765432";

/// Nobody who has a number was born in an earlier year.
const BIRTH_YEAR_MIN: &str = "1800";

/// An identity number of 18 characters: region, birth date, serial number and check letter; spaces and hyphens are left
/// out, a small x is made a large one.
pub fn identity_number(text: &str, today: NaiveDate) -> Result<String, &'static str> {
    let kept = text.chars().filter(|letter| !matches!(letter, ' ' | '-'));
    let number: String = kept.map(|letter| if letter == 'x' { 'X' } else { letter }).collect();
    let parts = number.split_at_checked(17).filter(|(digits, last)| {
        digits.bytes().all(|byte| byte.is_ascii_digit()) && last.len() == 1 && !digits.starts_with('0')
    });
    let (digits, last) = parts.ok_or("write its 18 digits; the last may be X")?;
    let born = digits.get(6..14).ok_or("write its 18 digits; the last may be X")?;
    let day = NaiveDate::parse_from_str(born, "%Y%m%d").map_err(|_| "its birth date is no day")?;
    if born < BIRTH_YEAR_MIN || day > today {
        return Err("its birth date is that of nobody");
    }
    match check_letter(digits) {
        Some(letter) if last.starts_with(letter) => Ok(number),
        _ => Err("its check digit does not match; compare it with the card"),
    }
}

/// The last character that belongs to the first 17 digits; nothing when they are not 17 digits.
#[must_use]
pub fn check_letter(first_17: &str) -> Option<char> {
    let digits: Vec<u32> =
        first_17.chars().map(|letter| letter.to_digit(10)).collect::<Option<Vec<u32>>>()?;
    if digits.len() != WEIGHTS.len() {
        return None;
    }
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    CHECK_LETTERS.chars().nth(usize::try_from(sum % 11).ok()?)
}

/// `341823********1234`: the region and the last four.
#[must_use]
pub fn mask_identity_number(number: &str) -> String {
    let front = number.get(..6).filter(|_| number.len() == 18).unwrap_or("");
    format!("{front}********{}", super::last_four(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2027, 3, 1).unwrap();

    /// The example of the standard, and one that ends in X.
    #[test]
    fn the_examples_of_the_standard_are_identity_numbers() {
        for number in ["11010519491231002X", "440524188001010014"] {
            assert_eq!(identity_number(number, TODAY).as_deref(), Ok(number));
        }
        assert_eq!(identity_number("110105 1949-1231-002x", TODAY).as_deref(), Ok("11010519491231002X"));
    }

    #[test]
    fn a_number_that_is_short_of_no_day_of_the_future_or_miscopied_is_none() {
        for bad in [
            "",
            "11010519491231002",
            "1101051949123100",
            "110105194912310021",
            "110105194913310021",
            "11010520991231002X",
            "11010516491231002X",
            "1101051949123100ⅩX",
            "3.41823E+17",
            "X1010519491231002X",
        ] {
            assert!(identity_number(bad, TODAY).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_identity_number_shows_its_region_and_four_characters() {
        assert_eq!(mask_identity_number("11010519491231002X"), "110105********002X");
        assert_eq!(mask_identity_number("12"), "********");
    }

    proptest! {
        #[test]
        fn one_wrong_digit_or_two_that_changed_places_are_noticed(
            serial in 0_u32..1_000, place in 0_usize..17, other in 0_u32..10
        ) {
            let digits = format!("34182319500315{serial:03}");
            let last = check_letter(&digits).unwrap();
            let wrong = |letters: Vec<char>| format!("{}{last}", letters.into_iter().collect::<String>());
            let mut changed: Vec<char> = digits.chars().collect();
            changed[place] = char::from_digit(other, 10).unwrap();
            let is_same = changed == digits.chars().collect::<Vec<char>>();
            prop_assert_eq!(identity_number(&wrong(changed), TODAY).is_ok(), is_same);
            let mut swapped: Vec<char> = digits.chars().collect();
            swapped.swap(place, (place + 1) % 17);
            let is_same = swapped == digits.chars().collect::<Vec<char>>();
            if place < 16 {
                prop_assert_eq!(identity_number(&wrong(swapped), TODAY).is_ok(), is_same);
            }
        }

        #[test]
        fn a_mask_never_shows_the_birth_date(serial in 0_u32..1_000, day in 1_u32..29) {
            let digits = format!("341823195003{day:02}{serial:03}");
            let number = format!("{digits}{}", check_letter(&digits).unwrap());
            let shown = mask_identity_number(&number);
            prop_assert_eq!((&shown[..6], &shown[6..14], &shown[14..]), (&number[..6], "********", &number[14..]));
        }
    }
}
