//! Every reason to refuse a request, as data. Which status and code each one gets is decided once, in `http/problem.rs`;
//! this file knows no HTTP and no database, so that rules may use it.

use chrono::NaiveDate;

use crate::money::Fen;
use crate::quantity::Measure;

/// What could not be filled of one line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineShortfall {
    /// Counted from 1, as the buyer numbered the lines.
    pub line_no: usize,
    pub product: String,
    pub missing_base: i64,
    pub measure: Measure,
}

/// A settlement that is unpaid though it was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverdueSettlement {
    pub number: String,
    pub due_on: NaiveDate,
    /// Fee included.
    pub open: Fen,
}

/// Why a request was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No valid session.
    NotSignedIn,
    /// The caller's role does not do this.
    NotAllowed,
    /// The caller's role needs a second factor, and none is in force.
    SecondFactorMissing,
    /// The password was given by somebody else or is too old.
    PasswordExpired,
    /// Does not exist, or not for this caller. Names the kind of thing, such as "order".
    NotFound(&'static str),
    SignInFailed,
    TooManyAttempts {
        retry_after_seconds: u64,
    },
    /// Somebody has done something as often today as one may on one day.
    DailyLimit {
        /// Such as "reveals".
        what: &'static str,
        max: u64,
        retry_after_seconds: u64,
    },
    /// The caller sends more requests than one person may.
    TooFast {
        retry_after_seconds: u64,
    },
    /// The body or a parameter cannot be read at all.
    Malformed {
        detail: String,
    },
    /// A value that reads well but is not acceptable; `pointer` is a JSON pointer into the body.
    Invalid {
        pointer: String,
        detail: String,
    },
    RegionUnknown {
        pointer: String,
        code: String,
    },
    RegionRevoked {
        pointer: String,
        code: String,
    },
    CreditCodeInvalid {
        pointer: String,
    },
    /// The step is not possible in this state.
    WrongState {
        what: &'static str,
        from: String,
        attempted: &'static str,
    },
    /// Somebody else changed it since it was read.
    Stale,
    IfMatchMissing,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    IdempotencyKeyInFlight,
    /// Exists already. `detail` says which value.
    Duplicate {
        detail: String,
    },
    /// What the order needs is not on sale.
    StockShort {
        lines: Vec<LineShortfall>,
    },
    /// The institution owes too long to buy on credit: some of its debts, the oldest first, and the sum of all.
    OverdueDebt {
        settlements: Vec<OverdueSettlement>,
        total: Fen,
        days_max: i64,
    },
    /// The deposit of an institution does not cover it. `detail` says what to do.
    DepositShort {
        detail: String,
    },
    /// A household that is to be erased still has something open. `detail` says what to do.
    StillBound {
        detail: String,
    },
    /// Two different people must do this.
    SecondPersonNeeded,
    CursorExpired,
    /// Whoever runs the service has not set what this needs, such as `ZHUXIAO_ESCROW_ACCOUNT`.
    SettingMissing {
        setting: &'static str,
    },
    /// Personal data cannot be sealed or opened, as whoever runs the service has named no file of keys.
    KeysMissing,
    BodyTooLarge {
        limit_bytes: usize,
    },
    /// The service is too busy to answer in time.
    Busy {
        retry_after_seconds: u64,
    },
}

impl Refusal {
    /// A value at `pointer` that is not acceptable, with what to do about it.
    pub fn invalid(pointer: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self::Invalid { pointer: pointer.into(), detail: detail.to_string() }
    }
}

/// How an operation fails: refused with a reason, or broken by something the caller has no part in.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("refused: {0:?}")]
    Refused(Refusal),
    #[error("database: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// Rows changed between reading and writing them; [`crate::db::Db::write`] tries again.
    #[error("lost a race")]
    LostRace,
    #[error("{0}")]
    Broken(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What an operation answers.
pub type Outcome<T> = Result<T, Failure>;
