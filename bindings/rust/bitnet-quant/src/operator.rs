//! What operators do beside their weights.

use crate::activation::Activation;
use crate::choice::choices;
use crate::config::Config;
use crate::error::{check, Result};
use crate::ffi::Handle;
use crate::option::{self, option_type, OptionValue};
use bitnet_quant_sys as sys;
use std::fmt;

option_type! {
    /// An option of an [`Operator`]. Those of strides, padding, dilation, groups and layout
    /// are of convolutions.
    OperatorOption {
        /// The [`InputMode`].
        INPUT = BNQ_OPERATOR_INPUT;
        /// The scale of static inputs, and of codes that come without scales; 0 for none.
        INPUT_SCALE = BNQ_OPERATOR_INPUT_SCALE;
        /// The zero point that goes with it.
        INPUT_ZERO_POINT = BNQ_OPERATOR_INPUT_ZERO_POINT;
        /// The fused function: [`Activation::id`].
        FUNCTION = BNQ_OPERATOR_FUNCTION;
        /// The slope of [`Activation::LeakyRelu`].
        SLOPE = BNQ_OPERATOR_SLOPE;
        /// The [`OutputType`].
        OUTPUT = BNQ_OPERATOR_OUTPUT;
        /// The scale of outputs that are codes.
        OUTPUT_SCALE = BNQ_OPERATOR_OUTPUT_SCALE;
        /// Their zero point.
        OUTPUT_ZERO_POINT = BNQ_OPERATOR_OUTPUT_ZERO_POINT;
        /// Rows from an output to the next.
        STRIDE_HEIGHT = BNQ_OPERATOR_STRIDE_HEIGHT;
        /// Columns from an output to the next.
        STRIDE_WIDTH = BNQ_OPERATOR_STRIDE_WIDTH;
        /// Rows of 0 above images.
        PAD_TOP = BNQ_OPERATOR_PAD_TOP;
        /// Columns of 0 left of them.
        PAD_LEFT = BNQ_OPERATOR_PAD_LEFT;
        /// Rows of 0 below them.
        PAD_BOTTOM = BNQ_OPERATOR_PAD_BOTTOM;
        /// Columns of 0 right of them.
        PAD_RIGHT = BNQ_OPERATOR_PAD_RIGHT;
        /// Rows from a weight to the next.
        DILATION_HEIGHT = BNQ_OPERATOR_DILATION_HEIGHT;
        /// Columns from a weight to the next.
        DILATION_WIDTH = BNQ_OPERATOR_DILATION_WIDTH;
        /// Groups of channels.
        GROUPS = BNQ_OPERATOR_GROUPS;
        /// The [`ImageLayout`].
        LAYOUT = BNQ_OPERATOR_LAYOUT;
    }
    /// The options of an operator that the library has.
    fn operator_options() of BNQ_OPTIONS_OPERATOR;
    parse(option, text) {
        Operator::builder().set(option.name(), text).build()?.get(option)
    }
}

choices! {
    /// What becomes of inputs that are floats. Those of `i8` and `u8` are codes whatever this
    /// says.
    InputMode: OperatorOption::INPUT {
        /// They stay what they are.
        Float = BNQ_INPUT_FLOAT,
        /// int8 codes of each row (of a convolution: each image), symmetric.
        Int8 = BNQ_INPUT_INT8,
        /// int8 codes of each row, asymmetric.
        Int8Asymmetric = BNQ_INPUT_INT8_ASYMMETRIC,
        /// int8 codes of each row as BitNet b1.58 makes them.
        BitNet = BNQ_INPUT_BITNET,
        /// int8 codes by a given scale and zero point.
        Static = BNQ_INPUT_STATIC,
    }
    /// What outputs are.
    OutputType: OperatorOption::OUTPUT {
        /// `f32`, or half-precision numbers, as the output matrix is.
        Float = BNQ_OUTPUT_FLOAT,
        /// `i8` codes.
        Int8 = BNQ_OUTPUT_INT8,
        /// `u8` codes.
        UInt8 = BNQ_OUTPUT_UINT8,
    }
    /// The order of the dimensions of images, and of a convolution's weights.
    ImageLayout: OperatorOption::LAYOUT {
        /// Channels, rows, columns; weights `[outputs, channels / groups, rows, columns]`.
        Nchw = BNQ_LAYOUT_NCHW,
        /// Rows, columns, channels; weights `[outputs, rows, columns, channels / groups]`.
        Nhwc = BNQ_LAYOUT_NHWC,
    }
}

/// What an operator does beside its weights: a set of options, unchangeable once built.
///
/// ```
/// use bitnet_quant::*;
///
/// let operator = Operator::builder()
///     .input(InputMode::Int8)
///     .function(Activation::Relu)
///     .build()?;
/// assert!(operator.check(&"int4_per_group_32".parse()?)?);
/// assert!(!operator.check(&"nf4".parse()?)?);
/// # Ok::<(), Error>(())
/// ```
pub struct Operator {
    handle: Handle<sys::bnq_operator>,
}

// SAFETY: bnq.h: options are used as a config is: by any thread, and by several at once while
// nobody modifies them, which takes `&mut Operator`.
unsafe impl Send for Operator {}
// SAFETY: as above.
unsafe impl Sync for Operator {}

impl Operator {
    /// Every option at its default: floats in, floats out.
    pub fn new() -> Result<Operator> {
        // SAFETY: a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_operator_create(out) })?;
        Ok(Operator { handle })
    }

    /// Starts from the defaults.
    pub fn builder() -> OperatorBuilder {
        OperatorBuilder {
            operator: Operator::new(),
        }
    }

    /// Starts from a copy of this one.
    pub fn to_builder(&self) -> OperatorBuilder {
        // SAFETY: a live operator and a place for the handle.
        let handle = Handle::create(|out| unsafe { sys::bnq_operator_clone(self.raw(), out) });
        OperatorBuilder {
            operator: handle.map(|handle| Operator { handle }),
        }
    }

    pub(crate) fn raw(&self) -> *const sys::bnq_operator {
        self.handle.as_ptr()
    }

    /// The value of any option. [`Unsupported`](crate::Error::Unsupported) where the library
    /// does not have it.
    pub fn get(&self, option: OperatorOption) -> Result<OptionValue> {
        // SAFETY: a live operator.
        unsafe { option.read(sys::bnq_operator_options(self.raw())) }
    }

    /// Whether a linear layer with weights of a config multiplies inputs that become codes as
    /// integers, whatever its shape.
    ///
    /// # Errors
    /// What [`Linear::new`](crate::Linear::new) says where there is no such layer.
    pub fn check(&self, config: &Config) -> Result<bool> {
        let mut integers = 0;
        // SAFETY: live handles and a place for the answer.
        check(unsafe { sys::bnq_operator_check(self.raw(), config.raw(), &mut integers) })?;
        Ok(integers != 0)
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        option::debug("Operator", f, |option| self.get(option))
    }
}

/// Sets the options of an [`Operator`]. The first one that is refused is the error of
/// [`build`](OperatorBuilder::build); those set after it are ignored.
#[derive(Debug)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct OperatorBuilder {
    operator: Result<Operator>,
}

impl OperatorBuilder {
    fn then(mut self, set: impl FnOnce(*mut sys::bnq_options) -> Result<()>) -> OperatorBuilder {
        if let Ok(operator) = &self.operator {
            // SAFETY: a live operator that nobody else has.
            let options = unsafe { sys::bnq_operator_settings(operator.handle.as_ptr()) };
            if let Err(error) = set(options) {
                self.operator = Err(error);
            }
        }
        self
    }

    fn int(self, option: OperatorOption, value: i64) -> OperatorBuilder {
        // SAFETY: the options of a live operator that nobody else has.
        self.then(|options| unsafe { option::set_int(options, option.id(), value) })
    }

    fn float(self, option: OperatorOption, value: f64) -> OperatorBuilder {
        // SAFETY: the options of a live operator that nobody else has.
        self.then(|options| unsafe { option::set_float(options, option.id(), value) })
    }

    /// What becomes of inputs that are floats.
    pub fn input(self, input: InputMode) -> OperatorBuilder {
        self.int(OperatorOption::INPUT, input as i64)
    }

    /// The scale of [`InputMode::Static`], and of codes that come without scales.
    pub fn input_scale(self, scale: f32) -> OperatorBuilder {
        self.float(OperatorOption::INPUT_SCALE, scale.into())
    }

    /// The zero point that goes with it.
    pub fn input_zero_point(self, zero_point: i32) -> OperatorBuilder {
        self.int(OperatorOption::INPUT_ZERO_POINT, zero_point.into())
    }

    /// A function of every output.
    pub fn function(self, function: Activation) -> OperatorBuilder {
        let set = self.int(OperatorOption::FUNCTION, function.id().into());
        match function {
            Activation::LeakyRelu(slope) => set.float(OperatorOption::SLOPE, slope.into()),
            _ => set,
        }
    }

    /// What outputs are.
    pub fn output(self, output: OutputType) -> OperatorBuilder {
        self.int(OperatorOption::OUTPUT, output as i64)
    }

    /// The scale of outputs that are codes.
    pub fn output_scale(self, scale: f32) -> OperatorBuilder {
        self.float(OperatorOption::OUTPUT_SCALE, scale.into())
    }

    /// Their zero point.
    pub fn output_zero_point(self, zero_point: i32) -> OperatorBuilder {
        self.int(OperatorOption::OUTPUT_ZERO_POINT, zero_point.into())
    }

    /// Rows and columns from an output of a convolution to the next.
    pub fn stride(self, height: u32, width: u32) -> OperatorBuilder {
        self.int(OperatorOption::STRIDE_HEIGHT, height.into())
            .int(OperatorOption::STRIDE_WIDTH, width.into())
    }

    /// Rows and columns of 0 around images.
    pub fn padding(self, top: u32, left: u32, bottom: u32, right: u32) -> OperatorBuilder {
        self.int(OperatorOption::PAD_TOP, top.into())
            .int(OperatorOption::PAD_LEFT, left.into())
            .int(OperatorOption::PAD_BOTTOM, bottom.into())
            .int(OperatorOption::PAD_RIGHT, right.into())
    }

    /// Rows and columns from a weight of a convolution to the next.
    pub fn dilation(self, height: u32, width: u32) -> OperatorBuilder {
        self.int(OperatorOption::DILATION_HEIGHT, height.into())
            .int(OperatorOption::DILATION_WIDTH, width.into())
    }

    /// Groups of channels, each with outputs of its own.
    pub fn groups(self, groups: u32) -> OperatorBuilder {
        self.int(OperatorOption::GROUPS, groups.into())
    }

    /// The order of the dimensions of images.
    pub fn layout(self, layout: ImageLayout) -> OperatorBuilder {
        self.int(OperatorOption::LAYOUT, layout as i64)
    }

    /// Any option of the library by its name, and its value by name or number:
    /// `("input", "int8")`. See [`operator_options`](crate::operator_options) for what there
    /// is.
    pub fn set(self, option: &str, value: impl fmt::Display) -> OperatorBuilder {
        // SAFETY: the options of a live operator that nobody else has.
        self.then(|options| unsafe { option::set_text(options, option, &value) })
    }

    /// The options.
    ///
    /// # Errors
    /// As [`ConfigBuilder::build`](crate::ConfigBuilder::build).
    pub fn build(self) -> Result<Operator> {
        self.operator
    }
}
