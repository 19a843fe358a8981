//! Configs and plans that somebody has given names.

use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{self, length, Handle};
use crate::plan::Plan;
use crate::writer::WriteOptions;
use bitnet_quant_sys as sys;
use std::fmt;
use std::os::raw::c_char;
use std::path::Path;
use std::ptr;
use std::str::FromStr;

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
