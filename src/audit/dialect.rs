//! The few words of SQL in which the two engines differ where the audit reads, and in which a whole run differs from one
//! of what was touched. Writes no values: every argument is an expression written in `checks/`.

use sea_orm::DbBackend;

use super::touched::Touched;
use crate::quantity::Unit;

/// The words of one engine.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    is_postgres: bool,
    is_narrowed: bool,
}

impl Dialect {
    #[must_use]
    pub fn of(backend: DbBackend) -> Self {
        Self { is_postgres: backend == DbBackend::Postgres, is_narrowed: false }
    }

    /// The same for an audit of what was touched since a moment.
    #[must_use]
    pub fn narrowed(self) -> Self {
        Self { is_narrowed: true, ..self }
    }

    /// The condition that narrows a check to what was touched; always true in a whole run.
    #[must_use]
    pub fn only(self, set: Touched, column: &str) -> String {
        if self.is_narrowed { set.holds(column) } else { "true".to_owned() }
    }

    /// An id as people read it, with hyphens.
    #[must_use]
    pub fn id_text(self, id: &str) -> String {
        if self.is_postgres {
            return format!("cast({id} as text)");
        }
        let part = |from: u8, length: u8| format!("substr(hex({id}), {from}, {length})");
        let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)];
        format!("lower({})", parts.join(" || '-' || "))
    }

    /// A text of 1 to 18 digits as an integer; null for any other text, which a cast alone would stumble over.
    #[must_use]
    pub fn digits(self, text: &str) -> String {
        let is_digits = if self.is_postgres {
            format!("{text} ~ '^[0-9]{{1,18}}$'")
        } else {
            format!("length({text}) between 1 and 18 and {text} not glob '*[^0-9]*'")
        };
        format!("(case when {is_digits} then cast({text} as bigint) end)")
    }

    /// A member of a document as an id.
    #[must_use]
    pub fn id(self, document: &str, member: &str) -> String {
        if self.is_postgres {
            format!("cast({document}->>'{member}' as uuid)")
        } else {
            format!("unhex(replace({document}->>'{member}', '-', ''))")
        }
    }

    /// Joins the items of the array `member` of a document as `{alias}.value`; nothing when it is missing.
    #[must_use]
    pub fn items(self, document: &str, member: &str, alias: &str) -> String {
        if self.is_postgres {
            let array = format!(
                "case when jsonb_typeof({document}->'{member}') = 'array' then {document}->'{member}' else '[]' end"
            );
            format!("cross join lateral jsonb_array_elements({array}) as {alias}(value)")
        } else {
            format!("cross join json_each({document}, '$.{member}') as {alias}")
        }
    }

    /// Price times quantity, rounded half up to the fen. Integers throughout: the whole units first, then the rest, so
    /// that no product leaves 64 bits unless the amount itself does.
    #[must_use]
    pub fn amount(self, price_fen: &str, quantity_base: &str, pricing_unit: &str) -> String {
        let units: Vec<String> =
            Unit::ALL.iter().map(|unit| format!("when '{unit}' then {}", unit.base())).collect();
        let unit = format!("(case {pricing_unit} {} end)", units.join(" "));
        if self.is_postgres {
            let exact = format!("cast({price_fen} as numeric) * {quantity_base} * 2 + {unit}");
            format!("cast(least(div({exact}, 2 * {unit}), 9223372036854775807) as bigint)")
        } else {
            format!(
                "({price_fen} * ({quantity_base} / {unit})
                  + ({price_fen} * ({quantity_base} % {unit}) + {unit} / 2) / {unit})"
            )
        }
    }
}

/// A sum that is zero when there is nothing to add, whole on both engines.
#[must_use]
pub fn sum(expression: &str) -> String {
    format!("coalesce(cast(sum({expression}) as bigint), 0)")
}

/// A member of a document as an integer; null when it is missing.
#[must_use]
pub fn integer(document: &str, member: &str) -> String {
    format!("cast({document}->>'{member}' as bigint)")
}
