//! What an institution is and whether its unified social credit code is one. Pure.

/// 采购单位: the kinds of buyers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 机关
    Agency,
    /// 学校
    School,
    /// 医院
    Hospital,
    /// 事业单位
    PublicInstitution,
    /// 企业
    Enterprise,
    /// 工会
    Union,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Agency, Self::School, Self::Hospital, Self::PublicInstitution, Self::Enterprise, Self::Union];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agency => "agency",
            Self::School => "school",
            Self::Hospital => "hospital",
            Self::PublicInstitution => "public_institution",
            Self::Enterprise => "enterprise",
            Self::Union => "union",
        }
    }

    /// Reads the name stored in the database.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The 31 characters of GB 32100-2015, each worth its place: no I, O, S, V, Z.
const CODE_ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

const CODE_CHARS: usize = 18;

/// Whether a text is a unified social credit code by GB 32100-2015: 18 characters of its alphabet whose last is the
/// check character of the 17 before, weighted with 3^(i-1) mod 31.
#[must_use]
pub fn is_credit_code(text: &str) -> bool {
    let worth: Option<Vec<u32>> = text
        .chars()
        .map(|letter| CODE_ALPHABET.find(letter).and_then(|place| u32::try_from(place).ok()))
        .collect();
    let Some((check, body)) = worth.as_deref().and_then(<[u32]>::split_last) else { return false };
    if body.len() + 1 != CODE_CHARS {
        return false;
    }
    let weights = std::iter::successors(Some(1_u32), |weight| Some(weight * 3 % 31));
    let sum: u32 = body.iter().zip(weights).map(|(worth, weight)| worth * weight).sum();
    (31 - sum % 31) % 31 == *check
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the annex of GB 32100-2015, then codes of well-known companies.
    const PUBLISHED: [&str; 6] = [
        "91350100M000100Y43",
        "9144030071526726XG",
        "91330100799655058B",
        "914403001922038216",
        "91110000802100433B",
        "91110108551385082Q",
    ];

    #[test]
    fn published_codes_are_codes() {
        for code in PUBLISHED {
            assert!(is_credit_code(code), "{code}");
        }
    }

    #[test]
    fn one_wrong_character_is_always_found() {
        for code in PUBLISHED {
            for place in 0..CODE_CHARS {
                for other in CODE_ALPHABET.chars() {
                    let mut letters: Vec<char> = code.chars().collect();
                    if letters[place] == other {
                        continue;
                    }
                    letters[place] = other;
                    let changed: String = letters.into_iter().collect();
                    assert!(!is_credit_code(&changed), "{changed}");
                }
            }
        }
    }

    #[test]
    fn other_lengths_and_letters_outside_the_alphabet_are_no_code() {
        for bad in
            ["", "91350100M000100Y4", "91350100M000100Y430", "9135010OM000100Y43", "91350100m000100y43", "泾"]
        {
            assert!(!is_credit_code(bad), "{bad}");
        }
    }

    #[test]
    fn every_kind_is_read_back_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
    }
}
