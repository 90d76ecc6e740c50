//! What a password must be. Pure.
//!
//! Two norms disagree. ASVS 5.0 (6.2) and NIST SP 800-63B ask for length and for nothing that is easily guessed, and forbid
//! rules about kinds of characters and regular changes; the assessments after GB/T 22239-2019 (等保, 8.1.4.1) ask for just
//! these two. The defaults follow ASVS; a county that is assessed sets `password_kinds_min` and `password_days_max`.

use crate::refusal::Refusal;

/// Longer passwords would only cost hashing time.
const CHARS_MAX: usize = 128;

/// Words that lists of stolen passwords are full of, and what stands on keyboards side by side.
const COMMON: [&str; 40] = [
    "password",
    "passw0rd",
    "letmein",
    "welcome",
    "admin",
    "administrator",
    "root",
    "test",
    "guest",
    "login",
    "master",
    "secret",
    "qwerty",
    "qwertyuiop",
    "asdfgh",
    "asdfghjkl",
    "zxcvbn",
    "zxcvbnm",
    "1qaz2wsx",
    "1q2w3e4r",
    "qazwsx",
    "iloveyou",
    "woaini",
    "woaini1314",
    "5201314",
    "1314520",
    "abc",
    "abcd",
    "a1b2c3",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "sunshine",
    "princess",
    "zhuxiao",
    "zhongguo",
    "china",
    "changeme",
    "default",
];

/// A run of keys or digits that is a guess of its own.
const RUNS: [&str; 5] = [
    "01234567890",
    "09876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb",
];

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Characters at least.
    pub chars_min: usize,
    /// Kinds at least, of lower case, upper case, digits and others.
    pub kinds_min: usize,
}

/// Refuses a password at `pointer` that is too short or too long, has too few kinds of characters, is among the first to be
/// guessed, or holds one of `own`: what the person, their phone, their office are called.
pub fn check(policy: Policy, password: &str, own: &[&str], pointer: &str) -> Result<(), Refusal> {
    let refused = |detail: String| Err(Refusal::invalid(pointer, detail));
    let length = password.chars().count();
    if !(policy.chars_min..=CHARS_MAX).contains(&length) {
        let least = policy.chars_min;
        return refused(format!(
            "must have {least} to {CHARS_MAX} characters (密码长度应为 {least} 至 {CHARS_MAX} 个字符)"
        ));
    }
    if kinds(password) < policy.kinds_min {
        let least = policy.kinds_min;
        return refused(format!(
            "must mix {least} of lower case, upper case, digits and other characters (须包含大写字母、小写字母、数字、其他字符中的 {least} 种)"
        ));
    }
    if is_common(password) {
        return refused("is among the first that are guessed (密码过于常见，容易被猜中)".to_owned());
    }
    if own.iter().any(|word| holds(password, word)) {
        return refused(
            "holds your account, name, phone or office (密码不得包含账号、姓名、手机号或单位名称)".to_owned(),
        );
    }
    Ok(())
}

fn kinds(password: &str) -> usize {
    let is_kind: [fn(char) -> bool; 4] = [char::is_lowercase, char::is_uppercase, char::is_numeric, |sign| {
        !sign.is_lowercase() && !sign.is_uppercase() && !sign.is_numeric()
    }];
    is_kind.iter().filter(|is_kind| password.chars().any(*is_kind)).count()
}

/// A common word with digits and signs around it, a run of keys, or few different characters.
fn is_common(password: &str) -> bool {
    let plain = password.to_lowercase();
    let word = plain.trim_matches(|sign: char| !sign.is_alphabetic());
    let mut signs: Vec<char> = plain.chars().collect();
    signs.sort_unstable();
    signs.dedup();
    let is_run = |text: &str| text.chars().count() >= 4 && RUNS.iter().any(|run| run.contains(text));
    let halves = plain.split_at_checked(plain.len() / 2);
    COMMON.contains(&plain.as_str())
        || COMMON.contains(&word)
        || signs.len() < 5
        || is_run(&plain)
        || halves.is_some_and(|(front, back)| front == back && (COMMON.contains(&front) || is_run(front)))
}

/// Whether a password holds a word of four characters or more (two when it is not Latin), whatever the case.
fn holds(password: &str, word: &str) -> bool {
    let word = word.trim().to_lowercase();
    let least = if word.is_ascii() { 4 } else { 2 };
    word.chars().count() >= least && password.to_lowercase().contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Policy = Policy { chars_min: 8, kinds_min: 1 };

    fn is_refused(policy: Policy, password: &str) -> bool {
        check(policy, password, &["officer-1", "13800000000", "泾县商务局", "王芳"], "/new_password").is_err()
    }

    #[test]
    fn what_everybody_guesses_is_refused() {
        for bad in [
            "12345678",
            "password1",
            "Password!!",
            "qwertyui",
            "aaaaaaaa",
            "woaini1314",
            "admin123",
            "87654321",
            "1234567812345678x".get(..16).unwrap(),
        ] {
            assert!(is_refused(LONG, bad), "{bad}");
        }
        for good in ["correct horse battery", "清风明月本无价近水远山皆有情", "tr4ctor-tea-rain"]
        {
            assert!(!is_refused(LONG, good), "{good}");
        }
    }

    #[test]
    fn ones_own_account_name_phone_and_office_are_refused() {
        for bad in ["my OFFICER-1 word", "x13800000000x", "泾县商务局二零二七年", "王芳的茶叶王芳的茶叶"]
        {
            assert!(is_refused(LONG, bad), "{bad}");
        }
    }

    #[test]
    fn length_and_kinds_are_what_the_operator_sets() {
        assert!(is_refused(Policy { chars_min: 12, kinds_min: 1 }, "tr4ctor-tea"));
        assert!(is_refused(LONG, &"长".repeat(129)));
        let mixed = Policy { chars_min: 8, kinds_min: 3 };
        assert!(is_refused(mixed, "tractortearain"));
        assert!(!is_refused(mixed, "Tractor7tea"));
    }

    #[test]
    fn the_place_of_a_refusal_is_the_one_asked_for() {
        let refused = check(LONG, "short", &[], "/new_password").unwrap_err();
        assert!(matches!(refused, Refusal::Invalid { pointer, .. } if pointer == "/new_password"));
    }
}
