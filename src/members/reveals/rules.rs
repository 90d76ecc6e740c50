//! What a reason to see personal data must be. Pure.

use crate::refusal::Refusal;

/// Digits in a row that no reason needs: a number that long is somebody's, and reasons stay in the trail for good.
const DIGITS_MAX: usize = 7;

/// A reason of 5 to 200 characters that names nobody's number, trimmed.
pub fn reason(text: &str) -> Result<String, Refusal> {
    let reason = text.trim();
    let length = reason.chars().count();
    if !(5..=200).contains(&length) || reason.contains(char::is_control) {
        return Err(Refusal::invalid("/reason", "write 5 to 200 characters"));
    }
    let letters: Vec<char> = reason.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
    let runs = letters.chunk_by(|one, next| one.is_numeric() == next.is_numeric());
    let longest = runs.filter(|run| run.iter().all(|letter| letter.is_numeric())).map(<[char]>::len).max();
    if longest.unwrap_or(0) > DIGITS_MAX {
        let detail = "leave the numbers of people out; the reason is kept in the audit trail";
        return Err(Refusal::invalid("/reason", detail));
    }
    Ok(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_five_to_two_hundred_characters_and_no_number_of_somebody() {
        assert_eq!(reason("  核对退回的付款 PO-341823  ").as_deref(), Ok("核对退回的付款 PO-341823"));
        let long = "长".repeat(201);
        for bad in [
            "",
            "核对",
            "    核对    ",
            long.as_str(),
            "phone 138 1234-5678",
            "核对１３８１２３４５６７８",
            "核\n对核对核对",
        ] {
            assert!(reason(bad).is_err(), "{bad}");
        }
    }
}
