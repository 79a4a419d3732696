//! What went wrong inside a key manager, before it is known for which VM.

use core::fmt;
use core::time::Duration;

use sealwright_state::key::{KeyError, KeyId};

/// Which of the errors of the trait a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Unavailable,
    Timeout(Duration),
    Refused,
    NotFound,
    Disabled,
    WrongKey,
    Damaged,
    Unusable,
    Unsupported,
}

/// A failure of a key manager in plain words: what happened, and what can be done if that is not obvious.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(crate) sort: Sort,
    pub(crate) what: String,
}

macro_rules! sorts {
    ($($(#[$about:meta])* $name:ident => $sort:ident;)*) => {
        impl Failure {
            $($(#[$about])* pub(crate) fn $name(what: impl Into<String>) -> Self {
                Self { sort: Sort::$sort, what: what.into() }
            })*
        }
    };
}

sorts! {
    /// It cannot be reached or does not answer in time; later it may.
    unavailable => Unavailable;
    /// It answered, and says no.
    refused => Refused;
    /// It does not have the key.
    not_found => NotFound;
    /// It has the key, and does not let it be used.
    disabled => Disabled;
    /// It is another key than the one that wrapped.
    wrong_key => WrongKey;
    /// The wrapped key is not what it must be.
    damaged => Damaged;
    /// The wrapping key is not what it must be, or the configuration is not.
    unusable => Unusable;
    /// This manager cannot do that.
    unsupported => Unsupported;
}

impl Failure {
    /// It did not answer within `after`.
    pub(crate) fn timeout(after: Duration) -> Self {
        Self { sort: Sort::Timeout(after), what: format!("no answer within {} s", after.as_secs_f32()) }
    }

    /// Whether an older key may be the right one.
    pub(crate) fn is_about_the_key(&self) -> bool {
        matches!(self.sort, Sort::WrongKey | Sort::NotFound)
    }

    /// Whether the manager said no.
    pub(crate) fn is_refusal(&self) -> bool {
        self.sort == Sort::Refused
    }

    /// The error of the trait, for the key `key` of the manager `manager`.
    pub(crate) fn named(self, manager: &str, key: &KeyId) -> KeyError {
        let (manager, key, why) = (manager.to_owned(), key.clone(), self.what);
        match self.sort {
            Sort::Unavailable => KeyError::Unavailable { manager, why },
            Sort::Timeout(after) => KeyError::Timeout { manager, after },
            Sort::Refused => KeyError::Refused { manager, key, why },
            Sort::NotFound => KeyError::NotFound { manager, key },
            Sort::Disabled => KeyError::Disabled { manager, key },
            Sort::WrongKey => KeyError::WrongKey { manager, key },
            Sort::Unusable => KeyError::Unusable { manager, key, why },
            Sort::Damaged => KeyError::Damaged { manager, why },
            Sort::Unsupported => KeyError::Unsupported { manager, what: why },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl core::error::Error for Failure {}
