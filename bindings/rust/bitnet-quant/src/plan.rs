//! Which tensor of a model gets which config.

use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{self, Handle, Shape};
use crate::layer_kind::LayerKind;
use crate::recipes::Recipes;
use crate::writer::WriteOptions;
use bitnet_quant_sys as sys;
use std::fmt;
use std::path::Path;
use std::ptr;
use std::str::FromStr;

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
///
/// A plan has a text form that people edit, whose rules can also ask for a kind of layer and
/// for a size; section 9 of `bnq.h` has all of it:
///
/// ```
/// use bitnet_quant::Plan;
///
/// let plan: Plan = "
///     lm_head -> none                          # a name, with or without .weight
///     * kind=attention size>=65536 -> int8_per_channel
///     * -> nf4_double_quant
/// "
/// .parse()?;
/// let found = plan.find_shape("layers.0.attn.q_proj.weight", &[512, 512])?.unwrap();
/// assert_eq!(found.rule, 1);
/// assert_eq!(found.config, Some("int8_per_channel".parse()?));
/// assert_eq!(plan.to_string().parse::<Plan>()?.to_string(), plan.to_string());
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
        self.add_of_rank(glob, ffi::narrow("min_rank", min_rank)?, Some(config))
    }

    /// Adds a rule that carries the tensors it matches through unchanged.
    pub fn skip(&mut self, glob: &str, min_rank: usize) -> Result<&mut Plan> {
        self.add_of_rank(glob, ffi::narrow("min_rank", min_rank)?, None)
    }

    /// Adds a rule for tensors of this rank and more, which may be a `BNQ_MIN_RANK_*`.
    pub(crate) fn add_of_rank(
        &mut self, glob: &str, min_rank: i32, config: Option<&Config>,
    ) -> Result<&mut Plan> {
        let glob = ffi::c_string("glob", glob)?;
        let config = config.map_or(ptr::null(), Config::raw);
        // SAFETY: a live plan, borrowed mutably; a C string; a live config or NULL.
        check(unsafe { sys::bnq_plan_add(self.handle.as_ptr(), glob.as_ptr(), min_rank, config) })?;
        Ok(self)
    }

    /// Adds a rule that leaves what models are hurt by most, for the bytes it saves:
    /// embeddings, heads, norms, routers, state spaces' small matrices, and vision towers.
    pub fn add_model_defaults(&mut self) -> Result<&mut Plan> {
        // SAFETY: a live plan, borrowed mutably.
        check(unsafe { sys::bnq_plan_add_model_defaults(self.handle.as_ptr()) })?;
        Ok(self)
    }

    /// Adds rules for attention, for feed-forward networks and for all other tensors of rank
    /// 2 and more. Without a config of their own, attention is of `base` one step up
    /// ([`Config::step_up`]), and feed-forward networks of `base`.
    pub fn add_adaptive(
        &mut self, base: &Config, attention: Option<&Config>, ffn: Option<&Config>,
    ) -> Result<&mut Plan> {
        let raw = |config: Option<&Config>| config.map_or(ptr::null(), Config::raw);
        // SAFETY: a live plan, borrowed mutably; live configs or NULL.
        check(unsafe {
            sys::bnq_plan_add_adaptive(self.handle.as_ptr(), base.raw(), raw(attention), raw(ffn))
        })?;
        Ok(self)
    }

    /// Puts what a text says behind what the plan has. Names of configs may be among the
    /// recipes.
    ///
    /// # Errors
    /// They name the line; the plan is then as it was.
    /// [`InvalidArgument`](Error::InvalidArgument), [`NotFound`](Error::NotFound), and those
    /// of a config's text.
    pub fn add_text(&mut self, text: &str, recipes: Option<&Recipes>) -> Result<&mut Plan> {
        let text = ffi::c_string("text", text)?;
        // SAFETY: a live plan, borrowed mutably; live recipes or NULL; a C string.
        check(unsafe {
            sys::bnq_plan_add_text(
                self.handle.as_ptr(),
                Recipes::raw_of(recipes),
                text.as_ptr(),
            )
        })?;
        Ok(self)
    }

    /// The same of a file, of at most 16 MiB.
    pub fn add_file(
        &mut self, context: &Context, path: impl AsRef<Path>, recipes: Option<&Recipes>,
    ) -> Result<&mut Plan> {
        let path = ffi::c_path("path", path.as_ref())?;
        let recipes = Recipes::raw_of(recipes);
        // SAFETY: live handles, the plan borrowed mutably; live recipes or NULL; a C string.
        check(unsafe {
            sys::bnq_plan_load(context.raw(), self.handle.as_ptr(), recipes, path.as_ptr())
        })?;
        Ok(self)
    }

    /// The plan of a file of text.
    pub fn load(
        context: &Context, path: impl AsRef<Path>, recipes: Option<&Recipes>,
    ) -> Result<Plan> {
        let mut plan = Plan::new()?;
        plan.add_file(context, path, recipes)?;
        Ok(plan)
    }

    /// Writes the text into a file; of the options only whether an existing one is replaced
    /// counts.
    pub fn save(
        &self, context: &Context, path: impl AsRef<Path>, options: WriteOptions,
    ) -> Result<()> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: live handles and a C string.
        check(unsafe {
            sys::bnq_plan_save(context.raw(), self.raw(), path.as_ptr(), options.flags())
        })
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

    /// The rule that decides about a tensor of this name and shape; `None` where none does,
    /// so that the tensor is carried through.
    pub fn find_shape(&self, name: &str, shape: &[usize]) -> Result<Option<PlanMatch>> {
        let shape = Shape::new(shape)?;
        self.find_raw(name, shape.as_ptr(), shape.rank())
    }

    /// The same of a tensor of which only the rank is known: rules that ask for a size are
    /// passed over.
    pub fn find(&self, name: &str, rank: usize) -> Result<Option<PlanMatch>> {
        self.find_raw(name, ptr::null(), ffi::narrow("rank", rank)?)
    }

    fn find_raw(&self, name: &str, shape: *const u64, rank: i32) -> Result<Option<PlanMatch>> {
        let name = ffi::c_string("name", name)?;
        let mut rule = -1;
        // SAFETY: a live plan, a C string, NULL or as many dimensions, and places for both.
        let config = Handle::create_optional(|out| unsafe {
            sys::bnq_plan_match(self.raw(), name.as_ptr(), shape, rank, &mut rule, out)
        })?;
        let config = config.map(Config::from_handle);
        Ok(usize::try_from(rule)
            .ok()
            .map(|rule| PlanMatch { rule, config }))
    }

    /// What the tensor of this name does in its model, with the plan's own words before those
    /// of the library ([`LayerKind::of`]).
    pub fn layer_kind(&self, name: &str) -> Result<LayerKind> {
        LayerKind::told_by(self.raw(), name)
    }

    fn to_text(&self) -> Result<String> {
        // SAFETY: a live plan.
        ffi::text_of(|text, size, out_size| unsafe {
            sys::bnq_plan_to_text(self.raw(), text, size, out_size)
        })
    }

    pub(crate) fn from_handle(handle: Handle<sys::bnq_plan>) -> Plan {
        Plan { handle }
    }

    /// NULL for none.
    pub(crate) fn raw_of(plan: Option<&Plan>) -> *const sys::bnq_plan {
        plan.map_or(ptr::null(), Plan::raw)
    }

    pub(crate) fn raw(&self) -> *const sys::bnq_plan {
        self.handle.as_ptr()
    }
}

impl FromStr for Plan {
    type Err = Error;

    /// From the text form, as [`Plan::add_text`] without recipes.
    fn from_str(text: &str) -> Result<Plan> {
        let mut plan = Plan::new()?;
        plan.add_text(text, None)?;
        Ok(plan)
    }
}

impl fmt::Display for Plan {
    /// The text form, a line for each rule: the same plan again but for its importance.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text().map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({:?})", self.to_text().map_err(|_| fmt::Error)?)
    }
}
