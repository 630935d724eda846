//! Bugs that are planted by name, to see that the simulator of Throughline finds them.
//!
//! A planted bug is one wrong decision at one place of the product. It reads so there:
//!
//! ```
//! use throughline_canary::canary;
//!
//! # fn is_header_checked() -> bool {
//! !canary!(NoFenceCheck)
//! # }
//! # assert!(is_header_checked());
//! ```
//!
//! Without the feature `planted` that is the constant `false`: nothing of it is in the build, and
//! nothing can be chosen. With it, a process makes the one bug that was given to `choose`.
//!
//! `docs/testing.md` has the table of them.

#![forbid(unsafe_code)]

mod names;

pub use names::Canary;

/// Whether bugs can be planted in this build.
pub const IS_PLANTED: bool = cfg!(feature = "planted");

/// Whether this bug is planted: `canary!(NoFenceCheck)`.
#[macro_export]
macro_rules! canary {
    ($name:ident) => {
        $crate::is_planted($crate::Canary::$name)
    };
}

/// No bug has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no canary is named {0}")]
pub struct UnknownCanary(pub String);

/// Whether this bug is planted: never, in this build.
#[cfg(not(feature = "planted"))]
#[inline(always)]
#[must_use]
pub const fn is_planted(_: Canary) -> bool {
    false
}

#[cfg(feature = "planted")]
mod chosen {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use crate::Canary;

    /// No bug is planted: there are fewer.
    const NONE: usize = usize::MAX;

    static CHOSEN: AtomicUsize = AtomicUsize::new(NONE);

    /// Plants this bug in the whole process, in place of the one before; with `None` there is none
    /// any more.
    pub fn choose(canary: Option<Canary>) {
        CHOSEN.store(canary.map_or(NONE, |canary| canary as usize), Ordering::SeqCst);
    }

    /// Whether this bug is planted.
    #[must_use]
    pub fn is_planted(canary: Canary) -> bool {
        CHOSEN.load(Ordering::Relaxed) == canary as usize
    }
}

#[cfg(feature = "planted")]
pub use chosen::{choose, is_planted};
