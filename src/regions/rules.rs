//! What a region code is: 12 digits of the statistical classification (province 2, city 2, county 2, township 3,
//! village 3), where a code that ends in zeros stands for a higher level. Pure.

use chrono::NaiveDate;

/// How high a region stands in the tree, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Province,
    City,
    County,
    Township,
    Village,
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Twelve digits.
    pub code: String,
    pub level: Level,
    pub name: String,
    pub parent_code: Option<String>,
    pub valid_from: NaiveDate,
    /// The last day on which the code is valid.
    pub valid_to: Option<NaiveDate>,
}

impl Level {
    const ALL: [Self; 5] = [Self::Province, Self::City, Self::County, Self::Township, Self::Village];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::City => "city",
            Self::County => "county",
            Self::Township => "township",
            Self::Village => "village",
        }
    }

    /// Reads the name stored in the database or written in a table.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let chinese = match name {
            "省" => Some(Self::Province),
            "市" => Some(Self::City),
            "县" => Some(Self::County),
            "乡" | "镇" | "乡镇" => Some(Self::Township),
            "村" => Some(Self::Village),
            _ => None,
        };
        chinese.or_else(|| Self::ALL.into_iter().find(|level| level.as_str() == name))
    }

    /// How many digits of a code tell regions of this level apart.
    const fn digits(self) -> usize {
        match self {
            Self::Province => 2,
            Self::City => 4,
            Self::County => 6,
            Self::Township => 9,
            Self::Village => 12,
        }
    }

    /// The level a normalised code stands for.
    #[must_use]
    pub fn of(code: &str) -> Self {
        let significant = code.trim_end_matches('0').len();
        Self::ALL.into_iter().find(|level| level.digits() >= significant).unwrap_or(Self::Village)
    }

    fn above(self) -> Option<Self> {
        Self::ALL.into_iter().take_while(|level| *level < self).last()
    }
}

/// A code of 2 to 12 digits, filled up with zeros to 12; `None` for all else.
#[must_use]
pub fn normalise(code: &str) -> Option<String> {
    let is_code = (2..=12).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    (is_code && code.bytes().any(|byte| byte != b'0')).then(|| format!("{code:0<12}"))
}

/// The code of the region above, by the digits alone; `None` for a province.
#[must_use]
pub fn parent_of(code: &str) -> Option<String> {
    let digits = Level::of(code).above()?.digits();
    code.get(..digits).map(|prefix| format!("{prefix:0<12}"))
}

/// The six digits of the county a region belongs to.
#[must_use]
pub fn county_of(code: &str) -> String {
    code.chars().take(6).collect()
}

impl Region {
    /// Whether the code may be used for something new on `day`.
    #[must_use]
    pub fn is_valid_on(&self, day: NaiveDate) -> bool {
        self.valid_from <= day && self.valid_to.is_none_or(|last| day <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_two_to_twelve_digits_is_filled_up_with_zeros() {
        assert_eq!(normalise("34").as_deref(), Some("340000000000"));
        assert_eq!(normalise("341823101").as_deref(), Some("341823101000"));
        assert_eq!(normalise("341823101202").as_deref(), Some("341823101202"));
        for bad in ["", "3", "3418231012021", "34182a", "３４", " 34", "00"] {
            assert_eq!(normalise(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_level_and_the_region_above_follow_from_the_digits() {
        for (code, level, parent) in [
            ("340000000000", Level::Province, None),
            ("341800000000", Level::City, Some("340000000000")),
            ("341823000000", Level::County, Some("341800000000")),
            ("341823100000", Level::Township, Some("341823000000")),
            ("341823100001", Level::Village, Some("341823100000")),
        ] {
            assert_eq!((Level::of(code), parent_of(code).as_deref()), (level, parent));
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
    }
}
