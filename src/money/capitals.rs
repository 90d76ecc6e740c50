//! Amounts in capital numerals (人民币大写), as papers carry them beside the figures. Pure.
//!
//! The rule, written down once, is that of 中国人民银行《支付结算办法》附一《正确填写票据和结算凭证的基本规定》:
//! - 人民币 stands directly in front; 整 closes an amount that ends at 元, none one that ends at 分 (第二、三条). After 角
//!   the norm leaves 整 open; here it is written, so that nothing can be added.
//! - One or several zeros between digits are one 零: 1409.50, 6007.14 (第四条 1、2).
//! - 元 is zero and 角 is not: the norm leaves 零 open; here it is written behind 元. 万 or 亿 is zero and the digit
//!   of thousands behind it is not: also open; here none is written. So 1680.32 is 壹仟陆佰捌拾元零叁角贰分 and
//!   107000.53 the first of the two ways of the norm, 壹拾万柒仟元零伍角叁分 (第四条 3).
//! - 角 is zero and 分 is not: 零 behind 元 (第四条 4).
//!
//! Beyond the norm: nothing at all is 零元整, without yuan there is no 元 (伍角整), and an amount below zero, as only a
//! correction has, begins with 负.

use super::Fen;

const DIGITS: [char; 10] = ['零', '壹', '贰', '叁', '肆', '伍', '陆', '柒', '捌', '玖'];

impl Fen {
    /// In capital numerals with 人民币 in front: 1409.50 is 人民币壹仟肆佰零玖元伍角整. Exact over all of `i64`.
    #[must_use]
    pub fn in_capitals(self) -> String {
        let (yuan, cents) = parts(self.get().unsigned_abs(), 100);
        let (tenths, hundredths) = parts(cents, 10);
        let mut text = String::from(if self.get() < 0 { "人民币负" } else { "人民币" });
        if yuan > 0 {
            write_whole(&mut text, yuan);
            text.push('元');
        }
        let has_gap = tenths == 0 || parts(yuan, 10).1 == 0;
        if yuan > 0 && cents > 0 && has_gap {
            text.push('零');
        }
        if tenths > 0 {
            text.push(digit(tenths));
            text.push('角');
        }
        if hundredths > 0 {
            text.push(digit(hundredths));
            text.push('分');
        }
        if yuan == 0 && cents == 0 {
            text.push_str("零元");
        }
        if hundredths == 0 {
            text.push('整');
        }
        text
    }
}

/// A whole number above zero, by the largest unit in it; what stands before 亿 is read like a number of its own.
fn write_whole(text: &mut String, number: u64) {
    let units = [(100_000_000, '亿'), (10_000, '万'), (1_000, '仟'), (100, '佰'), (10, '拾')];
    let Some((size, unit)) = units.into_iter().find(|(size, _)| number >= *size) else {
        text.push(digit(number));
        return;
    };
    let (count, rest) = parts(number, size);
    write_whole(text, count);
    text.push(unit);
    if rest > 0 {
        if rest < parts(size, 10).0 {
            text.push('零');
        }
        write_whole(text, rest);
    }
}

fn parts(number: u64, by: u64) -> (u64, u64) {
    (number.checked_div(by).unwrap_or(0), number.checked_rem(by).unwrap_or(0))
}

fn digit(number: u64) -> char {
    usize::try_from(number).ok().and_then(|place| DIGITS.get(place)).copied().unwrap_or('零')
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "test arithmetic may overflow loudly")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_written_as_the_norm_writes_them() {
        for (fen, text) in [
            (53_200, "伍佰叁拾贰元整"),
            (140_950, "壹仟肆佰零玖元伍角整"),
            (600_714, "陆仟零柒元壹角肆分"),
            (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
            (32_504, "叁佰贰拾伍元零肆分"),
            (10_000_000_000, "壹亿元整"),
            (0, "零元整"),
            (5, "伍分"),
            (50, "伍角整"),
            (1_000, "壹拾元整"),
            (10_700_053, "壹拾万柒仟元零伍角叁分"),
            (168_032, "壹仟陆佰捌拾元零叁角贰分"),
            (10_000_123_400, "壹亿零壹仟贰佰叁拾肆元整"),
            (1_000_000_100, "壹仟万零壹元整"),
            (-1_001, "负壹拾元零壹分"),
            (i64::MAX, "玖亿贰仟贰佰叁拾叁万柒仟贰佰零叁亿陆仟捌佰伍拾肆万柒仟柒佰伍拾捌元零柒分"),
        ] {
            assert_eq!(Fen::new(fen).in_capitals(), format!("人民币{text}"), "{fen}");
        }
    }

    /// Reads the text by its own way: left to right, every unit multiplies what stands before it, zeros say nothing.
    fn read(text: &str) -> i128 {
        let text = text.strip_prefix("人民币").unwrap();
        let (sign, text) = text.strip_prefix('负').map_or((1, text), |rest| (-1, rest));
        let (mut fen, mut whole, mut below_myriad, mut last) = (0_i128, 0_i128, 0_i128, 0_i128);
        for letter in text.chars() {
            match letter {
                '拾' | '佰' | '仟' => {
                    below_myriad +=
                        last * [10, 100, 1_000]["拾佰仟".chars().position(|unit| unit == letter).unwrap()];
                    last = 0;
                }
                '万' => {
                    whole += (below_myriad + last) * 10_000;
                    (below_myriad, last) = (0, 0);
                }
                '亿' => {
                    whole = (whole + below_myriad + last) * 100_000_000;
                    (below_myriad, last) = (0, 0);
                }
                '元' => {
                    fen += (whole + below_myriad + last) * 100;
                    last = 0;
                }
                '角' => {
                    fen += last * 10;
                    last = 0;
                }
                '分' => {
                    fen += last;
                    last = 0;
                }
                '整' => assert!(text.ends_with('整')),
                numeral => {
                    last = DIGITS.iter().position(|known| *known == numeral).unwrap().try_into().unwrap();
                }
            }
        }
        sign * fen
    }

    proptest! {
        #[test]
        fn capitals_read_back_as_the_same_fen_over_all_amounts(
            fen in any::<i64>(), digits in 0_u32..18, places in prop::collection::vec((0_u32..18, 1_i64..10), 0..5)
        ) {
            let sparse: i64 = places.iter().map(|(place, digit)| digit * 10_i64.pow(*place)).sum();
            for fen in [fen, fen / 10_i64.pow(digits), sparse] {
                let text = Fen::new(fen).in_capitals();
                prop_assert_eq!(read(&text), i128::from(fen), "{}", &text);
                prop_assert!(!text.contains("零零"), "{}", &text);
            }
        }
    }
}
