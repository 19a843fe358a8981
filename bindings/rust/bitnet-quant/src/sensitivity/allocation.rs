//! Which config each tensor gets, so that a model fits a budget.

use crate::error::{check, Result};
use crate::ffi::{self, length, Handle};
use crate::layer_kind::LayerKind;
use crate::plan::Plan;
use bitnet_quant_sys as sys;
use std::fmt;
use std::os::raw::c_char;

/// What a model may take.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Budget {
    /// Bytes of the `.bnq` file.
    Bytes(u64),
    /// Bits of the file for each element of all tensors.
    Bits(f64),
    /// Bytes of the tensors in the input over bytes of the file.
    Ratio(f64),
}

impl Budget {
    fn raw(self) -> (i32, f64) {
        match self {
            Budget::Bytes(bytes) => (sys::BNQ_BUDGET_BYTES, bytes as f64),
            Budget::Bits(bits) => (sys::BNQ_BUDGET_BITS, bits),
            Budget::Ratio(ratio) => (sys::BNQ_BUDGET_RATIO, ratio),
        }
    }
}

/// What an allocation heeds besides its budget; by default no plan, and tensors that runtimes
/// make one of have one config.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct AllocateOptions<'a> {
    plan: Option<&'a Plan>,
    flags: i32,
}

impl<'a> AllocateOptions<'a> {
    /// The defaults.
    pub fn new() -> AllocateOptions<'a> {
        AllocateOptions::default()
    }

    /// A plan whose rules that give a config pin it, whose rules of none leave tensors as they
    /// are, whose rules of `bits>=` are floors, and whose ties hold.
    pub fn plan(self, plan: &'a Plan) -> AllocateOptions<'a> {
        AllocateOptions {
            plan: Some(plan),
            ..self
        }
    }

    /// Whether q, k and v, and gate and up may have different configs.
    pub fn fused_apart(self, on: bool) -> AllocateOptions<'a> {
        self.with(sys::BNQ_ALLOCATE_FUSED_APART, on)
    }

    /// Whether the experts of a layer may have different configs.
    pub fn experts_apart(self, on: bool) -> AllocateOptions<'a> {
        self.with(sys::BNQ_ALLOCATE_EXPERTS_APART, on)
    }

    fn with(self, flag: i32, on: bool) -> AllocateOptions<'a> {
        let flags = match on {
            true => self.flags | flag,
            false => self.flags & !flag,
        };
        AllocateOptions { flags, ..self }
    }
}

/// What an [`Allocation`] comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AllocationTotals {
    /// The budget in bytes.
    pub budget_bytes: u64,
    /// Bytes of the file, up to 63 more than it has.
    pub bytes: u64,
    /// Of these what has no choice: the model's metadata and tensors that were not analyzed.
    pub fixed_bytes: u64,
    /// Bytes of the smallest file that the candidates allow.
    pub min_bytes: u64,
    /// Bytes of the largest file that the candidates allow.
    pub max_bytes: u64,
    /// Elements of all tensors.
    pub elements: u64,
    /// Bits of the file for each of them.
    pub bits: f64,
    /// Bytes of the input over bytes of the file.
    pub ratio: f64,
    /// The losses of all tensors, added up.
    pub loss: f64,
    /// No choice has less loss.
    pub bound: f64,
    /// (loss - bound) / loss; 0 where it is proven.
    pub gap: f64,
    /// What a byte more would take off the loss, about.
    pub lambda: f64,
    /// Whether it is proven that no choice is better.
    pub proven: bool,
}

/// The next better config of a tensor, for all tensors of its tie.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Upgrade {
    /// Its text.
    pub config: String,
    /// What it takes more.
    pub bytes: u64,
    /// What it loses less.
    pub loss: f64,
}

/// What an [`Allocation`] gives a tensor.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AllocationRow {
    /// The tensor's name.
    pub name: String,
    /// The text of its config; "none": as it is.
    pub config: String,
    /// What it takes in the file.
    pub bytes: u64,
    /// The number of its elements.
    pub elements: u64,
    /// Bits for each of them.
    pub bits: f64,
    /// The sum of squared errors over the sum of squares.
    pub relative_error: f64,
    /// The greatest absolute error.
    pub max_error: f64,
    /// The cosine between the tensor and what it dequantizes to.
    pub cosine: f64,
    /// What it adds to the loss.
    pub loss: f64,
    /// The share of that in the loss of all.
    pub share: f64,
    /// What it does in the model.
    pub kind: LayerKind,
    /// Whether a rule of the plan gave it its config.
    pub pinned: bool,
    /// Whether its relative error is above 0.15, where losses no longer just add up.
    pub coarse: bool,
    /// The index of the row whose config it shares; its own where it shares none.
    pub tied_to: usize,
    /// What would be better; none in rows that share another one's config.
    pub upgrade: Option<Upgrade>,
}

/// Which config each tensor gets, made by [`Sensitivity::allocate`](crate::Sensitivity::allocate).
/// Immutable; any number of threads may use one at once.
pub struct Allocation {
    handle: Handle<sys::bnq_allocation>,
}

// SAFETY: bnq.h: allocations are immutable and may be shared.
unsafe impl Send for Allocation {}
// SAFETY: as above.
unsafe impl Sync for Allocation {}

impl Allocation {
    pub(super) fn of(
        sensitivity: *const sys::bnq_sensitivity, budget: Budget, options: AllocateOptions<'_>,
    ) -> Result<Allocation> {
        let (kind, amount) = budget.raw();
        let plan = Plan::raw_of(options.plan);
        // SAFETY: a live sensitivity, a live plan or NULL, and a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_allocate(sensitivity, plan, kind, amount, options.flags, out)
        })?;
        Ok(Allocation { handle })
    }

    /// The plan: a rule for each tensor by its name, with the importance of the plan that was
    /// given.
    pub fn plan(&self) -> Result<Plan> {
        // SAFETY: a live allocation and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_allocation_plan(self.raw(), out) })
            .map(Plan::from_handle)
    }

    /// What it comes to.
    pub fn totals(&self) -> Result<AllocationTotals> {
        let mut values = [f64::NAN; sys::BNQ_NUM_ALLOCATION_VALUES];
        // SAFETY: a live allocation and a buffer of that many values.
        check(unsafe {
            sys::bnq_allocation_values(self.raw(), values.as_mut_ptr(), values.len() as u32)
        })?;
        Ok(AllocationTotals {
            budget_bytes: values[sys::BNQ_ALLOCATION_BUDGET_BYTES] as u64,
            bytes: values[sys::BNQ_ALLOCATION_BYTES] as u64,
            fixed_bytes: values[sys::BNQ_ALLOCATION_FIXED_BYTES] as u64,
            min_bytes: values[sys::BNQ_ALLOCATION_MIN_BYTES] as u64,
            max_bytes: values[sys::BNQ_ALLOCATION_MAX_BYTES] as u64,
            elements: values[sys::BNQ_ALLOCATION_ELEMENTS] as u64,
            bits: values[sys::BNQ_ALLOCATION_BITS],
            ratio: values[sys::BNQ_ALLOCATION_RATIO],
            loss: values[sys::BNQ_ALLOCATION_LOSS],
            bound: values[sys::BNQ_ALLOCATION_BOUND],
            gap: values[sys::BNQ_ALLOCATION_GAP],
            lambda: values[sys::BNQ_ALLOCATION_LAMBDA],
            proven: values[sys::BNQ_ALLOCATION_PROVEN] != 0.0,
        })
    }

    /// The tensors that were analyzed, sorted by name.
    pub fn rows(&self) -> Result<Vec<AllocationRow>> {
        // SAFETY: a live allocation.
        let count = unsafe { sys::bnq_allocation_count(self.raw()) };
        (0..length(count)).map(|index| self.row(index)).collect()
    }

    fn row(&self, index: usize) -> Result<AllocationRow> {
        let mut values = [f64::NAN; sys::BNQ_NUM_ALLOCATION_ROW_VALUES];
        // SAFETY: a live allocation and a buffer of that many values.
        check(unsafe {
            sys::bnq_allocation_row(
                self.raw(),
                index as u64,
                values.as_mut_ptr(),
                values.len() as u32,
            )
        })?;
        let upgrade = self.text(index, sys::bnq_allocation_upgrade);
        Ok(AllocationRow {
            name: self.text(index, sys::bnq_allocation_name),
            config: self.text(index, sys::bnq_allocation_config),
            bytes: values[sys::BNQ_ALLOCATION_ROW_BYTES] as u64,
            elements: values[sys::BNQ_ALLOCATION_ROW_ELEMENTS] as u64,
            bits: values[sys::BNQ_ALLOCATION_ROW_BITS],
            relative_error: values[sys::BNQ_ALLOCATION_ROW_RELATIVE_ERROR],
            max_error: values[sys::BNQ_ALLOCATION_ROW_MAX_ERROR],
            cosine: values[sys::BNQ_ALLOCATION_ROW_COSINE],
            loss: values[sys::BNQ_ALLOCATION_ROW_LOSS],
            share: values[sys::BNQ_ALLOCATION_ROW_SHARE],
            kind: LayerKind::from_id(values[sys::BNQ_ALLOCATION_ROW_KIND] as i32),
            pinned: values[sys::BNQ_ALLOCATION_ROW_PINNED] != 0.0,
            coarse: values[sys::BNQ_ALLOCATION_ROW_COARSE] != 0.0,
            tied_to: values[sys::BNQ_ALLOCATION_ROW_TIED_TO] as usize,
            upgrade: Some(upgrade)
                .filter(|config| !config.is_empty())
                .map(|config| Upgrade {
                    config,
                    bytes: values[sys::BNQ_ALLOCATION_ROW_UPGRADE_BYTES] as u64,
                    loss: values[sys::BNQ_ALLOCATION_ROW_UPGRADE_LOSS],
                }),
        })
    }

    fn text(
        &self, index: usize,
        get: unsafe extern "C" fn(*const sys::bnq_allocation, u64) -> *const c_char,
    ) -> String {
        // SAFETY: a live allocation; any index is accepted.
        let text = unsafe { ffi::text(get(self.raw(), index as u64)) };
        text.unwrap_or("").to_string()
    }

    fn raw(&self) -> *const sys::bnq_allocation {
        self.handle.as_ptr()
    }
}

impl fmt::Debug for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Allocation").field(&self.totals()).finish()
    }
}
