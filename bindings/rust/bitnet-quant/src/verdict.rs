//! What exports lose.

use crate::ffi;
use bitnet_quant_sys as sys;
use std::fmt;

/// What a quantized tensor loses in an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Verdict {
    /// Nothing: every value is the same.
    Exact = sys::BNQ_VERDICT_EXACT,
    /// Codes are the same; scales, zero points or offsets are rounded, which the note says.
    ScalesRounded = sys::BNQ_VERDICT_SCALES_ROUNDED,
    /// The layout cannot hold it (in a dry run); the note says why.
    NotRepresentable = sys::BNQ_VERDICT_NOT_REPRESENTABLE,
    /// It is quantized anew, since that was asked for
    /// ([`requantize`](crate::WriteOptions::requantize)).
    Requantized = sys::BNQ_VERDICT_REQUANTIZED,
}

impl Verdict {
    pub(crate) fn from_id(id: i32) -> Option<Verdict> {
        [
            Verdict::Exact,
            Verdict::ScalesRounded,
            Verdict::NotRepresentable,
            Verdict::Requantized,
        ]
        .into_iter()
        .find(|verdict| *verdict as i32 == id)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: any number is fine; the name lives for ever.
        f.write_str(unsafe { ffi::text(sys::bnq_verdict_name(*self as i32)) }.unwrap_or(""))
    }
}
