//! What a one-time code is good for. Pure.

use chrono::TimeDelta;

/// What a code was asked for. It serves for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    SignIn,
    /// Of a household, by the household itself.
    ChangeBankAccount,
}

/// How long a code is good for.
pub const GOOD_FOR: TimeDelta = TimeDelta::minutes(5);

/// Between two codes for one phone.
pub const PAUSE: TimeDelta = TimeDelta::seconds(60);

/// Wrong tries that use a code up.
pub const TRIES: i64 = 5;

impl Purpose {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::ChangeBankAccount => "change_bank_account",
        }
    }

    /// The text that is sent, for people who read Chinese.
    #[must_use]
    pub fn text(self, code: &str) -> String {
        let minutes = GOOD_FOR.num_minutes();
        match self {
            Self::SignIn => format!("【助销】登录验证码 {code}，{minutes} 分钟内有效。请勿告诉他人。"),
            Self::ChangeBankAccount => {
                format!(
                    "【助销】您正在更改收款银行卡，验证码 {code}，{minutes} 分钟内有效。非本人操作请联系帮扶责任人。"
                )
            }
        }
    }
}

/// Six digits, each as likely as the other: numbers above the last whole million are drawn again.
#[must_use]
pub fn digits_of(draws: impl IntoIterator<Item = u32>) -> Option<String> {
    let fair = u32::MAX - u32::MAX % 1_000_000;
    let number = draws.into_iter().find(|draw| *draw < fair)? % 1_000_000;
    Some(format!("{number:06}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_digits_and_an_unfair_draw_is_drawn_again() {
        assert_eq!(digits_of([42]).as_deref(), Some("000042"));
        assert_eq!(digits_of([u32::MAX, 1_234_567]).as_deref(), Some("234567"));
        assert_eq!(digits_of([u32::MAX]), None);
    }

    #[test]
    fn a_text_says_what_the_code_is_for_and_how_long_it_is_good() {
        let text = Purpose::ChangeBankAccount.text("123456");
        assert!(text.contains("银行卡") && text.contains("123456") && text.contains("5 分钟"), "{text}");
    }
}
