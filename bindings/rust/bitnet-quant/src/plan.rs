//! Which tensor of a model gets which config; configs and plans that have names.

use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{self, length, Handle, Shape};
use crate::layer_kind::LayerKind;
use crate::writer::WriteOptions;
use bitnet_quant_sys as sys;
use std::fmt;
use std::os::raw::c_char;
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

/// Named configs and plans, beside the presets of the library; in memory, and as text that
/// people write and edit.
///
/// ```
/// use bitnet_quant::{Config, Plan, Recipes};
///
/// let recipes: Recipes = "
///     [configs]
///     small = int3,group_size=32
///     [plan careful]
///     * kind=attention -> int8_per_channel
///     * -> small
/// "
/// .parse()?;
/// assert_eq!(recipes.config("small,clip=2")?, "int3,group_size=32,clip=2".parse::<Config>()?);
/// let mut plan: Plan = recipes.plan("careful")?;
/// plan.add_text("bias* rank>=1 -> small", Some(&recipes))?;
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Recipes {
    handle: Handle<sys::bnq_recipes>,
}

// SAFETY: bnq.h lets any thread use recipes, and several at once while nobody changes them;
// what changes them takes `&mut Recipes`.
unsafe impl Send for Recipes {}
// SAFETY: as above.
unsafe impl Sync for Recipes {}

impl Recipes {
    /// Without any.
    pub fn new() -> Result<Recipes> {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_recipes_create(out) })?;
        Ok(Recipes { handle })
    }

    /// Adds a copy of a config, in place of the one that has the name: letters, digits and
    /// `_ . -`. [`Exists`](Error::Exists) where it is that of a preset or format.
    pub fn add_config(&mut self, name: &str, config: &Config) -> Result<&mut Recipes> {
        let name = ffi::c_string("name", name)?;
        // SAFETY: live handles, these borrowed mutably, and a C string.
        check(unsafe {
            sys::bnq_recipes_add_config(self.handle.as_ptr(), name.as_ptr(), config.raw())
        })?;
        Ok(self)
    }

    /// Adds a copy of a plan, in place of the one that has the name.
    pub fn add_plan(&mut self, name: &str, plan: &Plan) -> Result<&mut Recipes> {
        let name = ffi::c_string("name", name)?;
        // SAFETY: live handles, these borrowed mutably, and a C string.
        check(unsafe {
            sys::bnq_recipes_add_plan(self.handle.as_ptr(), name.as_ptr(), plan.raw())
        })?;
        Ok(self)
    }

    /// Adds what a text says: lines of a plan in sections that begin with `[plan NAME]`, and
    /// `NAME = CONFIG` in sections that begin with `[configs]`; what stands before the first
    /// section is the plan "". Names that stand further up may be used.
    ///
    /// # Errors
    /// As [`Plan::add_text`]; nothing is added then.
    pub fn add_text(&mut self, text: &str) -> Result<&mut Recipes> {
        let text = ffi::c_string("text", text)?;
        // SAFETY: live recipes, borrowed mutably, and a C string.
        check(unsafe { sys::bnq_recipes_add_text(self.handle.as_ptr(), text.as_ptr()) })?;
        Ok(self)
    }

    /// The same of a file, of at most 16 MiB.
    pub fn add_file(&mut self, context: &Context, path: impl AsRef<Path>) -> Result<&mut Recipes> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: live handles, these borrowed mutably, and a C string.
        check(unsafe {
            sys::bnq_recipes_load(context.raw(), self.handle.as_ptr(), path.as_ptr())
        })?;
        Ok(self)
    }

    /// Those of a file of text.
    pub fn load(context: &Context, path: impl AsRef<Path>) -> Result<Recipes> {
        let mut recipes = Recipes::new()?;
        recipes.add_file(context, path)?;
        Ok(recipes)
    }

    /// Writes the text into a file; of the options only whether an existing one is replaced
    /// counts.
    pub fn save(
        &self, context: &Context, path: impl AsRef<Path>, options: WriteOptions,
    ) -> Result<()> {
        let path = ffi::c_path("path", path.as_ref())?;
        // SAFETY: live handles and a C string.
        check(unsafe {
            sys::bnq_recipes_save(context.raw(), self.raw(), path.as_ptr(), options.flags())
        })
    }

    /// The config of a text as [`Config`] has it, whose first item may be one of these names.
    pub fn config(&self, text: &str) -> Result<Config> {
        let text = ffi::c_string("text", text)?;
        // SAFETY: live recipes, a C string, and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_recipes_config(self.raw(), text.as_ptr(), out) })
            .map(Config::from_handle)
    }

    /// A copy of the plan of this name. [`NotFound`](Error::NotFound) lists them.
    pub fn plan(&self, name: &str) -> Result<Plan> {
        let name = ffi::c_string("name", name)?;
        // SAFETY: live recipes, a C string, and a place for the handle.
        Handle::create(|out| unsafe { sys::bnq_recipes_plan(self.raw(), name.as_ptr(), out) })
            .map(Plan::from_handle)
    }

    /// The names of the configs, sorted.
    pub fn config_names(&self) -> impl ExactSizeIterator<Item = &str> {
        // SAFETY: live recipes.
        let count = unsafe { sys::bnq_recipes_config_count(self.raw()) };
        self.names(count, sys::bnq_recipes_config_name)
    }

    /// The names of the plans, sorted.
    pub fn plan_names(&self) -> impl ExactSizeIterator<Item = &str> {
        // SAFETY: live recipes.
        let count = unsafe { sys::bnq_recipes_plan_count(self.raw()) };
        self.names(count, sys::bnq_recipes_plan_name)
    }

    fn names(
        &self, count: u64,
        name: unsafe extern "C" fn(*const sys::bnq_recipes, u64) -> *const c_char,
    ) -> impl ExactSizeIterator<Item = &str> {
        (0..length(count)).map(move |index| {
            // SAFETY: live recipes, which are not changed while the name is borrowed.
            unsafe { ffi::text(name(self.raw(), index as u64)) }.unwrap_or("")
        })
    }

    fn to_text(&self) -> Result<String> {
        // SAFETY: live recipes.
        ffi::text_of(|text, size, out_size| unsafe {
            sys::bnq_recipes_to_text(self.raw(), text, size, out_size)
        })
    }

    fn raw(&self) -> *const sys::bnq_recipes {
        self.handle.as_ptr()
    }

    /// NULL for none.
    pub(crate) fn raw_of(recipes: Option<&Recipes>) -> *const sys::bnq_recipes {
        recipes.map_or(ptr::null(), Recipes::raw)
    }
}

impl FromStr for Recipes {
    type Err = Error;

    /// From the text form, as [`Recipes::add_text`].
    fn from_str(text: &str) -> Result<Recipes> {
        let mut recipes = Recipes::new()?;
        recipes.add_text(text)?;
        Ok(recipes)
    }
}

impl fmt::Display for Recipes {
    /// The text form, which gives the same again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text().map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Recipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipes")
            .field("configs", &self.config_names().collect::<Vec<_>>())
            .field("plans", &self.plan_names().collect::<Vec<_>>())
            .finish()
    }
}
