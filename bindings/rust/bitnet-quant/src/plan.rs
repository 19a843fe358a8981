//! Which tensor of a model gets which config.

use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Result};
use crate::ffi::{self, Handle};
use bitnet_quant_sys as sys;
use std::fmt;
use std::path::Path;
use std::ptr;

/// What a [`Plan`] does with a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanMatch {
    /// The rule that decides, counted from 0 in the order they were added.
    pub rule: usize,
    /// Its config; `None` where it leaves the tensor unquantized.
    pub config: Option<Config>,
}

/// Which tensor of a model gets which config: an ordered list of rules, of which
/// the first that matches a tensor decides. A tensor that no rule matches is
/// carried through unchanged, and so is one that is not F64, F32, F16 or BF16.
///
/// ```
/// use bitnet_quant::{Config, Format, Plan};
///
/// let int8 = Config::builder().format(Format::INT8).build()?;
/// let mut plan = Plan::new()?;
/// plan.skip("*.norm.*", 0)?.add("lm_head.*", 2, &int8)?.add("*", 2, &Config::new()?)?;
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Plan {
    handle: Handle<sys::bnq_plan>,
}

// SAFETY: bnq.h lets any thread use a plan, and several at once while nobody
// modifies it; what modifies it takes `&mut Plan`.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

impl Plan {
    /// A plan without rules.
    pub fn new() -> Result<Plan> {
        // SAFETY: a place for the handle.
        Ok(Plan {
            handle: Handle::create(|out| unsafe { sys::bnq_plan_create(out) })?,
        })
    }

    /// Adds a rule behind the others: tensors whose whole name matches `glob` (`*`
    /// any characters, `?` any one, `[a-z]` and `[!a-z]` sets, `\` quotes the next)
    /// and whose rank is `min_rank` (0 to 8) or more are quantized as `config`
    /// says, which is copied. With a config of [`Format::NONE`](crate::Format::NONE)
    /// they are carried through, as with [`skip`](Plan::skip).
    pub fn add(&mut self, glob: &str, min_rank: usize, config: &Config) -> Result<&mut Plan> {
        self.rule(glob, min_rank, config.raw())
    }

    /// Adds a rule that carries the tensors it matches through unchanged.
    pub fn skip(&mut self, glob: &str, min_rank: usize) -> Result<&mut Plan> {
        self.rule(glob, min_rank, ptr::null())
    }

    fn rule(
        &mut self, glob: &str, min_rank: usize, config: *const sys::bnq_config,
    ) -> Result<&mut Plan> {
        let glob = ffi::c_string("glob", glob)?;
        let min_rank = ffi::narrow("min_rank", min_rank)?;
        // SAFETY: a live plan, borrowed mutably; a C string; a live config or NULL.
        check(unsafe { sys::bnq_plan_add(self.handle.as_ptr(), glob.as_ptr(), min_rank, config) })?;
        Ok(self)
    }

    /// The importance of the columns of the tensor of this name, or of the name with
    /// ".weight" behind it, as in
    /// [`quantize_weighted`](crate::QuantizedTensor::quantize_weighted); used where its
    /// config has the scale rule [`Mse`](crate::ScaleRule::Mse). It is judged when a file
    /// is quantized; where no tensor of the file has a use for any that fails.
    pub fn set_importance(&mut self, name: &str, importance: &[f32]) -> Result<&mut Plan> {
        let name = ffi::c_string("name", name)?;
        // SAFETY: a live plan, borrowed mutably; a C string; that many weights.
        check(unsafe {
            sys::bnq_plan_set_importance(
                self.handle.as_ptr(),
                name.as_ptr(),
                importance.as_ptr(),
                importance.len() as u64,
            )
        })?;
        Ok(self)
    }

    /// The same from a file: a model file whose arrays are the weights under those names,
    /// or a saved calibration of layers' inputs, whose channels' mean of x^2 they are.
    pub fn load_importance(
        &mut self, context: &Context, path: impl AsRef<Path>,
    ) -> Result<&mut Plan> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: live handles, the plan borrowed mutably, and a C string.
        check(unsafe {
            sys::bnq_plan_load_importance(context.raw(), self.handle.as_ptr(), path.as_ptr())
        })?;
        Ok(self)
    }

    /// The rule that decides about a tensor of this name and rank; `None` where none
    /// does, so that the tensor is carried through.
    pub fn find(&self, name: &str, rank: usize) -> Result<Option<PlanMatch>> {
        let name = ffi::c_string("name", name)?;
        let rank = ffi::narrow("rank", rank)?;
        let mut rule = -1;
        // SAFETY: a live plan, a C string, and places for both.
        let config = Handle::create_optional(|out| unsafe {
            sys::bnq_plan_match(self.raw(), name.as_ptr(), ptr::null(), rank, &mut rule, out)
        })?;
        let config = config.map(Config::from_handle);
        Ok(usize::try_from(rule)
            .ok()
            .map(|rule| PlanMatch { rule, config }))
    }

    pub(crate) fn raw(&self) -> *const sys::bnq_plan {
        self.handle.as_ptr()
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").finish_non_exhaustive()
    }
}
