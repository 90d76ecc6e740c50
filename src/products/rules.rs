//! What an entry of the catalogue must be. Pure: knows no database and no HTTP.

use uuid::Uuid;

use crate::quantity::{BASE_MAX, Measure, Unit};
use crate::refusal::Refusal;

/// Names and codes are short enough to print on a label.
const TEXT_CHARS_MAX: usize = 60;

/// Grades of a product at most, and kinds of certificates.
const LIST_MAX: usize = 20;

/// Ten years: nothing a household sells keeps longer.
const SHELF_LIFE_DAYS_MAX: i64 = 3_650;

/// An entry as it is to be written into the catalogue of a county.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProduct {
    /// Six digits.
    pub county_code: String,
    /// A slug, unique in the county.
    pub code: String,
    pub name: String,
    /// A slug, such as `tea`.
    pub category: String,
    pub measure: Measure,
    pub pricing_unit: Unit,
    /// Best first; empty when the product is not graded.
    pub grades: Vec<String>,
    pub shelf_life_days: Option<i64>,
    /// Grams or pieces in one pack; 1 when it is sold loose.
    pub pack_base: i64,
    /// Slugs of the kinds of certificates a lot needs.
    pub certificates: Vec<String>,
    /// Of the government procurement catalogue 2022: `A` and 8 digits.
    pub catalogue_code: String,
    /// Of the tax classification of goods: 19 digits.
    pub tax_code: String,
}

/// What other slices need to know of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductFacts {
    pub id: Uuid,
    pub county_code: String,
    pub code: String,
    pub name: String,
    pub category: String,
    pub measure: Measure,
    pub pricing_unit: Unit,
    pub pack_base: i64,
    pub grades: Vec<String>,
    pub shelf_life_days: Option<i64>,
    pub certificates: Vec<String>,
    /// Whether new lots of it may be offered.
    pub is_active: bool,
}

/// What is to change of an entry; `None` stays as it is. Measure and pricing unit never change: lots hang on them.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub name: Option<String>,
    pub category: Option<String>,
    pub grades: Option<Vec<String>>,
    pub shelf_life_days: Option<i64>,
    pub pack_base: Option<i64>,
    pub certificates: Option<Vec<String>>,
    pub catalogue_code: Option<String>,
    pub tax_code: Option<String>,
    pub is_active: Option<bool>,
}

impl Changes {
    /// The entry with the changes in it. Not checked yet.
    #[must_use]
    pub fn applied_to(self, product: NewProduct) -> NewProduct {
        NewProduct {
            name: self.name.unwrap_or(product.name),
            category: self.category.unwrap_or(product.category),
            grades: self.grades.unwrap_or(product.grades),
            shelf_life_days: self.shelf_life_days.or(product.shelf_life_days),
            pack_base: self.pack_base.unwrap_or(product.pack_base),
            certificates: self.certificates.unwrap_or(product.certificates),
            catalogue_code: self.catalogue_code.unwrap_or(product.catalogue_code),
            tax_code: self.tax_code.unwrap_or(product.tax_code),
            ..product
        }
    }
}

/// Refuses an entry that is not one.
pub fn check(product: &NewProduct) -> Result<(), Refusal> {
    for (pointer, slug) in [("/code", &product.code), ("/category", &product.category)] {
        if !is_slug(slug) {
            return Err(Refusal::invalid(pointer, SLUG_RULE));
        }
    }
    if !is_label(&product.name) {
        return Err(Refusal::invalid("/name", LABEL_RULE));
    }
    if product.pricing_unit.measure() != product.measure {
        let detail = format!("the product is sold by {}, the unit is of the other kind", product.measure);
        return Err(Refusal::invalid("/pricing_unit", detail));
    }
    check_list("/grades", &product.grades, is_label, LABEL_RULE)?;
    check_list("/certificates", &product.certificates, is_slug, SLUG_RULE)?;
    if product.shelf_life_days.is_some_and(|days| !(1..=SHELF_LIFE_DAYS_MAX).contains(&days)) {
        let detail = format!("must be between 1 and {SHELF_LIFE_DAYS_MAX} days");
        return Err(Refusal::invalid("/shelf_life_days", detail));
    }
    if !(1..=BASE_MAX).contains(&product.pack_base) {
        return Err(Refusal::invalid("/pack", "must be above zero"));
    }
    let catalogue_digits = product.catalogue_code.strip_prefix('A').unwrap_or("");
    if !is_digits(catalogue_digits, 8) {
        return Err(Refusal::invalid("/catalogue_code", "must be A and 8 digits, such as A07060303"));
    }
    if !is_digits(&product.tax_code, 19) {
        return Err(Refusal::invalid("/tax_code", "must be 19 digits"));
    }
    Ok(())
}

const SLUG_RULE: &str = "must be a slug of 1 to 60 letters a-z, digits, - and _, such as tea-spring";
const LABEL_RULE: &str = "must have 1 to 60 characters, no control characters, no blanks at either end";

/// Lower-case ASCII letters, digits, `-` and `_`, beginning with a letter or digit.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    text.len() <= TEXT_CHARS_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

/// A short text for people.
#[must_use]
pub fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && text.chars().count() <= TEXT_CHARS_MAX
        && !text.contains(char::is_control)
}

fn is_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_list(
    pointer: &str,
    items: &[String],
    is_good: impl Fn(&str) -> bool,
    rule: &str,
) -> Result<(), Refusal> {
    if items.len() > LIST_MAX {
        return Err(Refusal::invalid(pointer, format!("at most {LIST_MAX}")));
    }
    for (index, item) in items.iter().enumerate() {
        if !is_good(item) {
            return Err(Refusal::invalid(format!("{pointer}/{index}"), rule));
        }
        if items.iter().take(index).any(|earlier| earlier == item) {
            return Err(Refusal::invalid(format!("{pointer}/{index}"), "is named twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tea() -> NewProduct {
        NewProduct {
            county_code: "341823".to_owned(),
            code: "tea-spring".to_owned(),
            name: "汀溪兰香".to_owned(),
            category: "tea".to_owned(),
            measure: Measure::Mass,
            pricing_unit: Unit::Jin,
            grades: vec!["特级".to_owned(), "一级".to_owned()],
            shelf_life_days: Some(540),
            pack_base: 250,
            certificates: vec!["food_production".to_owned()],
            catalogue_code: "A07060303".to_owned(),
            tax_code: "1010116010000000000".to_owned(),
        }
    }

    fn pointer_of(refused: Result<(), Refusal>) -> String {
        match refused {
            Err(Refusal::Invalid { pointer, .. }) => pointer,
            other => panic!("not refused as invalid: {other:?}"),
        }
    }

    #[test]
    fn an_entry_of_the_catalogue_is_accepted() {
        assert_eq!(check(&tea()), Ok(()));
    }

    #[test]
    fn every_member_that_is_wrong_is_named() {
        type Spoil = fn(&mut NewProduct);
        let wrong: [(&str, Spoil); 12] = [
            ("/code", |product| product.code = "Tea".to_owned()),
            ("/code", |product| product.code = "-tea".to_owned()),
            ("/category", |product| product.category = "茶叶".to_owned()),
            ("/name", |product| product.name = " tea".to_owned()),
            ("/name", |product| product.name = "a\u{7}b".to_owned()),
            ("/pricing_unit", |product| product.pricing_unit = Unit::Piece),
            ("/grades/1", |product| product.grades = vec!["一级".to_owned(), "一级".to_owned()]),
            ("/shelf_life_days", |product| product.shelf_life_days = Some(0)),
            ("/pack", |product| product.pack_base = 0),
            ("/catalogue_code", |product| product.catalogue_code = "B07060303".to_owned()),
            ("/catalogue_code", |product| product.catalogue_code = "A0706030３".to_owned()),
            ("/tax_code", |product| product.tax_code = "10".to_owned()),
        ];
        for (pointer, spoil) in wrong {
            let mut product = tea();
            spoil(&mut product);
            assert_eq!(pointer_of(check(&product)), pointer);
        }
    }

    #[test]
    fn changes_leave_what_they_do_not_name() {
        let changes = Changes { name: Some("涌溪火青".to_owned()), ..Changes::default() };
        let renamed = changes.applied_to(tea());
        assert_eq!(renamed, NewProduct { name: "涌溪火青".to_owned(), ..tea() });
    }
}
