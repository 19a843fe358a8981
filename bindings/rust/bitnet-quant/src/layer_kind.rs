//! Kinds of layers.

use crate::error::Result;
use crate::ffi;
use crate::library::{check_library, expect_library};
use bitnet_quant_sys as sys;
use std::fmt;
use std::ptr;

/// What a tensor does in its model, as far as its name tells, by the library's one table of
/// words.
///
/// A constant for each that this crate knows; a newer library may have others
/// ([`LayerKind::all`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerKind(i32);

impl LayerKind {
    /// None of the others.
    pub const OTHER: LayerKind = LayerKind(sys::BNQ_LAYER_OTHER);
    /// Embeddings of tokens and positions.
    pub const EMBEDDING: LayerKind = LayerKind(sys::BNQ_LAYER_EMBEDDING);
    /// Queries, keys, values and outputs of attention.
    pub const ATTENTION: LayerKind = LayerKind(sys::BNQ_LAYER_ATTENTION);
    /// Feed-forward networks, experts among them.
    pub const FFN: LayerKind = LayerKind(sys::BNQ_LAYER_FFN);
    /// Norms of layers, groups and batches.
    pub const NORM: LayerKind = LayerKind(sys::BNQ_LAYER_NORM);
    /// What makes tokens or classes of the last layer.
    pub const HEAD: LayerKind = LayerKind(sys::BNQ_LAYER_HEAD);
    /// What chooses experts.
    pub const ROUTER: LayerKind = LayerKind(sys::BNQ_LAYER_ROUTER);
    /// Convolutions and matrices of Mamba and its like.
    pub const STATE_SPACE: LayerKind = LayerKind(sys::BNQ_LAYER_STATE_SPACE);
    /// Vision towers.
    pub const VISION: LayerKind = LayerKind(sys::BNQ_LAYER_VISION);

    /// The kind of the tensor of this name. A plan may have words of its own:
    /// [`Plan::layer_kind`](crate::Plan::layer_kind).
    ///
    /// ```
    /// use bitnet_quant::LayerKind;
    ///
    /// assert_eq!(LayerKind::of("h.0.attn.c_attn.weight")?, LayerKind::ATTENTION);
    /// assert_eq!(LayerKind::ATTENTION.name(), "attention");
    /// # Ok::<(), bitnet_quant::Error>(())
    /// ```
    pub fn of(name: &str) -> Result<LayerKind> {
        LayerKind::told_by(ptr::null(), name)
    }

    /// By a live plan, or NULL.
    pub(crate) fn told_by(plan: *const sys::bnq_plan, name: &str) -> Result<LayerKind> {
        check_library()?;
        let name = ffi::c_string("name", name)?;
        // SAFETY: a live plan or NULL, and a C string.
        Ok(LayerKind(unsafe {
            sys::bnq_layer_kind(plan, name.as_ptr())
        }))
    }

    pub(crate) fn from_id(id: i32) -> LayerKind {
        LayerKind(id)
    }

    /// All that the library has.
    pub fn all() -> impl Iterator<Item = LayerKind> {
        expect_library();
        (0..)
            .map(LayerKind)
            // SAFETY: any number is accepted.
            .take_while(|kind| unsafe { !sys::bnq_layer_kind_name(kind.0).is_null() })
    }

    /// The id as in `bnq.h`.
    pub fn id(self) -> i32 {
        self.0
    }

    /// As plans spell it: "attention".
    pub fn name(self) -> &'static str {
        expect_library();
        // SAFETY: any number is accepted; names live for ever.
        unsafe { ffi::text(sys::bnq_layer_kind_name(self.0)) }.unwrap_or("unknown")
    }
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LayerKind({} {})", self.0, self.name())
    }
}
