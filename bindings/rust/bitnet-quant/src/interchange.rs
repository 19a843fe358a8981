//! Models to and from the layouts of other ecosystems: GGUF, GPTQ, compressed-tensors, ...
//!
//! Their files are opened like any other ([`File::open`](crate::File::open)), with the codes
//! that they have; [`import_file`] makes `.bnq` files of them and [`export_file`] writes theirs.
//! Codes are transcoded, never derived anew from values; [`Row::verdict`](crate::Row::verdict)
//! says what else a tensor loses.
//!
//! ```
//! use bitnet_quant::interchange::{export_file, import_file, Verdict};
//! use bitnet_quant::{no_progress, ArrayView, Config, Context, File, FileKind};
//! use bitnet_quant::{QuantizedTensor, WriteOptions, Writer};
//!
//! # let folder = std::env::temp_dir().join(format!("interchange-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let (model, gguf, back) =
//! #     (folder.join("model.bnq"), folder.join("model.gguf"), folder.join("back.bnq"));
//! # let result = (|| {
//! let context = Context::new();
//! let weights: Vec<f32> = (0..4096).map(|i| (i as f32 * 0.37).sin()).collect();
//! let config: Config = "int8_symmetric,granularity=group,group_size=32,scale_dtype=f16".parse()?;
//! let array = ArrayView::new(&weights, &[64, 64])?;
//! let tensor = QuantizedTensor::quantize(&context, &config, &array)?;
//! let mut writer = Writer::create(&context, &model, FileKind::BNQ, WriteOptions::new())?;
//! writer.add_tensor("blk.0.ffn_up.weight", &tensor)?;
//! writer.finish()?;
//!
//! // As llama.cpp loads it. Groups of 32 int8 codes with float16 scales are its Q8_0.
//! let options = WriteOptions::new;
//! let report = export_file(&context, None, "gguf", &model, &gguf, options(), no_progress)?;
//! for row in report.rows() {
//!     println!("{} {:?} {}", row.name(), row.verdict(), row.note());
//!     assert_eq!(row.verdict(), Some(Verdict::Exact));
//! }
//! // And back, with the same codes.
//! import_file(&context, None, &gguf, &back, options(), no_progress)?;
//! let back = File::open(&context, &back)?.entry("blk.0.ffn_up.weight")?.quantized(&context)?;
//! assert_eq!(back.unpack(&context)?, tensor.unpack(&context)?);
//! # Ok::<(), bitnet_quant::Error>(())
//! # })();
//! # std::fs::remove_dir_all(&folder)?;
//! # result?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::callback::{self, Progress};
use crate::choice::choices;
use crate::context::Context;
use crate::convert::Report;
use crate::error::{check, Result};
use crate::ffi::{self, Handle};
use crate::library::expect_library;
use crate::option::{self, option_type, OptionValue};
use crate::writer::WriteOptions;
use bitnet_quant_sys as sys;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

pub use crate::verdict::Verdict;

option_type! {
    /// An option of an [`Interchange`].
    InterchangeOption {
        /// The [`ScalesAs`].
        SCALE_DTYPE = BNQ_INTERCHANGE_SCALE_DTYPE;
        /// The [`WeightScale`].
        WEIGHT_SCALE = BNQ_INTERCHANGE_WEIGHT_SCALE;
        /// The [`I2S`].
        I2_S = BNQ_INTERCHANGE_I2_S;
        /// Percent that rounding may change a scale by without an error.
        MAX_SCALE_CHANGE = BNQ_INTERCHANGE_MAX_SCALE_CHANGE;
    }
    /// The options of exports and imports that the library has.
    fn interchange_options() of BNQ_OPTIONS_INTERCHANGE;
    parse(option, text) {
        Interchange::builder().set(option.name(), text).build()?.get(option)
    }
}

choices! {
    /// What scales are written as, where the layout has several types.
    ScalesAs: InterchangeOption::SCALE_DTYPE {
        /// As they are, or float16 where the layout has no other: the default.
        Keep = BNQ_INTERCHANGE_SCALES_KEEP,
        /// float32.
        F32 = BNQ_INTERCHANGE_SCALES_F32,
        /// float16.
        F16 = BNQ_INTERCHANGE_SCALES_F16,
        /// bfloat16.
        BF16 = BNQ_INTERCHANGE_SCALES_BF16,
    }
    /// What the `weight_scale` of BitNet's files means.
    WeightScale: InterchangeOption::WEIGHT_SCALE {
        /// As the `linear_class` of `config.json` says: the default.
        Config = BNQ_WEIGHT_SCALE_CONFIG,
        /// Values are codes times it.
        Multiply = BNQ_WEIGHT_SCALE_MULTIPLY,
        /// Values are codes divided by it.
        Divide = BNQ_WEIGHT_SCALE_DIVIDE,
    }
    /// The order of bytes in GGUF tensors of the type I2_S, which files do not tell.
    I2S: InterchangeOption::I2_S {
        /// They are not read: the default.
        Unknown = BNQ_I2_S_UNKNOWN,
        /// Blocks of 128 elements, as programs built for x86 have them.
        X86 = BNQ_I2_S_X86,
        /// Blocks of 64 elements, as programs built for Arm have them.
        Arm = BNQ_I2_S_ARM,
    }
}

/// How another ecosystem holds quantized tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// As [`export_file`] takes it: "gptq".
    pub name: &'static str,
    /// What it is, in a sentence.
    pub description: &'static str,
    /// Whether its files can be opened.
    pub readable: bool,
    /// Whether they can be written.
    pub writable: bool,
}

/// Every layout that the library has.
///
/// # Panics
/// If the loaded library does not fit; see [`check_library`](crate::check_library).
pub fn layouts() -> Vec<Layout> {
    expect_library();
    // SAFETY: takes nothing.
    let count = unsafe { sys::bnq_layout_count() };
    (0..count)
        .map(|index| {
            // SAFETY: any index is fine; the texts live for ever.
            let text = |text| unsafe { ffi::text(text) }.unwrap_or("");
            // SAFETY: as above.
            let (name, description, flags) = unsafe {
                (
                    sys::bnq_layout_name(index),
                    sys::bnq_layout_description(index),
                    sys::bnq_layout_flags(index),
                )
            };
            Layout {
                name: text(name),
                description: text(description),
                readable: flags & sys::BNQ_LAYOUT_READ != 0,
                writable: flags & sys::BNQ_LAYOUT_WRITTEN != 0,
            }
        })
        .collect()
}

/// How to export and import. Unchangeable once built.
pub struct Interchange {
    handle: Handle<sys::bnq_interchange>,
}

// SAFETY: bnq.h: it may be shared by threads while nobody changes it, which takes
// `&mut Interchange`.
unsafe impl Send for Interchange {}
// SAFETY: as above.
unsafe impl Sync for Interchange {}

impl Interchange {
    /// Every option at its default.
    pub fn new() -> Result<Interchange> {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_interchange_create(out) })?;
        Ok(Interchange { handle })
    }

    /// Starts from the defaults.
    pub fn builder() -> InterchangeBuilder {
        InterchangeBuilder {
            interchange: Interchange::new(),
        }
    }

    /// The value of any option. [`Unsupported`](crate::Error::Unsupported) where the library
    /// does not have it.
    pub fn get(&self, option: InterchangeOption) -> Result<OptionValue> {
        // SAFETY: a live handle.
        unsafe { option.read(sys::bnq_interchange_options(self.raw())) }
    }

    fn raw(&self) -> *const sys::bnq_interchange {
        self.handle.as_ptr()
    }
}

impl fmt::Debug for Interchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        option::debug("Interchange", f, |option| self.get(option))
    }
}

/// Sets the options of an [`Interchange`]. The first one that is refused is the error of
/// [`build`](InterchangeBuilder::build); those set after it are ignored.
#[derive(Debug)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct InterchangeBuilder {
    interchange: Result<Interchange>,
}

impl InterchangeBuilder {
    fn then(
        mut self, set: impl FnOnce(*mut sys::bnq_interchange) -> Result<()>,
    ) -> InterchangeBuilder {
        if let Ok(interchange) = &mut self.interchange {
            if let Err(error) = set(interchange.handle.as_ptr()) {
                self.interchange = Err(error);
            }
        }
        self
    }

    fn int(self, option: InterchangeOption, value: i64) -> InterchangeBuilder {
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|handle| unsafe {
            option::set_int(sys::bnq_interchange_settings(handle), option.id(), value)
        })
    }

    /// What scales are written as; [`ScalesAs::Keep`] by default.
    pub fn scales(self, scales: ScalesAs) -> InterchangeBuilder {
        self.int(InterchangeOption::SCALE_DTYPE, scales as i64)
    }

    /// What the `weight_scale` of BitNet's files means; [`WeightScale::Config`] by default.
    pub fn weight_scale(self, meaning: WeightScale) -> InterchangeBuilder {
        self.int(InterchangeOption::WEIGHT_SCALE, meaning as i64)
    }

    /// The order of bytes of I2_S; [`I2S::Unknown`] by default.
    pub fn i2_s(self, order: I2S) -> InterchangeBuilder {
        self.int(InterchangeOption::I2_S, order as i64)
    }

    /// Percent that rounding may change a scale by without an error; 100, any, by default.
    pub fn max_scale_change(self, percent: f64) -> InterchangeBuilder {
        let id = InterchangeOption::MAX_SCALE_CHANGE.id();
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|handle| unsafe {
            option::set_float(sys::bnq_interchange_settings(handle), id, percent)
        })
    }

    /// Of exports to GGUF: a GGUF file of the same model, from which keys (the tokenizer among
    /// them) and names of tensors are taken.
    pub fn metadata_from(self, path: impl AsRef<Path>) -> InterchangeBuilder {
        match ffi::c_path("metadata_from", path.as_ref()) {
            // SAFETY: a live handle that nobody else has, and a C string.
            Ok(path) => self.then(|handle| unsafe {
                check(sys::bnq_interchange_set_metadata_from(
                    handle,
                    path.as_ptr(),
                ))
            }),
            Err(error) => self.then(|_| Err(error)),
        }
    }

    /// Any option of the library by its name, and its value by name or number:
    /// `("i2_s", "x86")`. See [`interchange_options`] for what there is.
    pub fn set(self, option: &str, value: impl fmt::Display) -> InterchangeBuilder {
        // SAFETY: the options of a live handle that nobody else has.
        self.then(|handle| unsafe {
            option::set_text(sys::bnq_interchange_settings(handle), option, &value)
        })
    }

    /// The options.
    ///
    /// # Errors
    /// As [`ConfigBuilder::build`](crate::ConfigBuilder::build).
    pub fn build(self) -> Result<Interchange> {
        self.interchange
    }
}

/// Writes a model of any kind as other programs load it: into a file, or a folder with a
/// `config.json` into a folder, whose `config.json` then says how it is quantized.
///
/// `layout` is a name of [`layouts`]; `interchange` `None` stands for the defaults. `options`
/// may overwrite, be a dry run (verdicts and sizes from headers alone) and
/// [`requantize`](WriteOptions::requantize) what the layout cannot hold otherwise, as closely as
/// it can. Progress as in [`quantize_file`](crate::quantize_file).
///
/// # Errors
/// [`Unsupported`](crate::Error::Unsupported) names the first tensor that the layout cannot
/// hold, and says why; the rest as [`quantize_file`](crate::quantize_file).
///
/// As in the [module's example](self).
pub fn export_file<F>(
    context: &Context, interchange: Option<&Interchange>, layout: &str, input: impl AsRef<Path>,
    output: impl AsRef<Path>, options: WriteOptions, mut progress: F,
) -> Result<Report>
where
    F: FnMut(&Progress<'_>) -> ControlFlow<()>,
{
    let layout = ffi::c_string("layout", layout)?;
    let input = ffi::c_path("input", input.as_ref())?;
    let output = ffi::c_path("output", output.as_ref())?;
    let (call, opaque) = callback::progress(&mut progress);
    // SAFETY: live handles, C strings, a closure that lives for the call, and a
    // place for the report.
    let handle = Handle::create(|out| unsafe {
        sys::bnq_export_file(
            context.raw(),
            interchange.map_or(std::ptr::null(), Interchange::raw),
            layout.as_ptr(),
            input.as_ptr(),
            output.as_ptr(),
            options.flags(),
            options.shard_bytes(),
            call,
            opaque,
            out,
        )
    })?;
    Ok(Report::from_handle(handle))
}

/// Writes a model of any layout as a `.bnq` file, or a folder into a folder, with the codes
/// that it has. As [`export_file`].
pub fn import_file<F>(
    context: &Context, interchange: Option<&Interchange>, input: impl AsRef<Path>,
    output: impl AsRef<Path>, options: WriteOptions, mut progress: F,
) -> Result<Report>
where
    F: FnMut(&Progress<'_>) -> ControlFlow<()>,
{
    let input = ffi::c_path("input", input.as_ref())?;
    let output = ffi::c_path("output", output.as_ref())?;
    let (call, opaque) = callback::progress(&mut progress);
    // SAFETY: as in export_file.
    let handle = Handle::create(|out| unsafe {
        sys::bnq_import_file(
            context.raw(),
            interchange.map_or(std::ptr::null(), Interchange::raw),
            input.as_ptr(),
            output.as_ptr(),
            options.flags(),
            options.shard_bytes(),
            call,
            opaque,
            out,
        )
    })?;
    Ok(Report::from_handle(handle))
}
