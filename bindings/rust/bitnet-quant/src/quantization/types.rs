//! Types, parameters, tensors and configs.

use crate::array::ArrayView;
use crate::choice::{Granularity, Scheme};
use crate::config::Config;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::metrics::{compare, QuantizationMetrics};
use crate::quantize::pack;
use crate::registry::Format;
use crate::tensor;

/// What a value becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::upper_case_acronyms)] // Charl's
pub enum QuantType {
    /// 8-bit integers.
    INT8,
    /// 4-bit integers, two to a byte.
    INT4,
    /// IEEE half precision, without parameters.
    FP16,
    /// bfloat16, without parameters.
    BF16,
}

impl QuantType {
    /// The format.
    pub fn format(self) -> Format {
        match self {
            QuantType::INT8 => Format::INT8,
            QuantType::INT4 => Format::INT4,
            QuantType::FP16 => Format::F16,
            QuantType::BF16 => Format::BF16,
        }
    }

    /// [`Unsupported`](Error::Unsupported) for halves, which have no codes with parameters.
    pub(crate) fn expect_codes(self) -> Result<()> {
        if self.format().has_scales()? {
            return Ok(());
        }
        Err(Error::Unsupported(format!(
            "quant_type = {:?} has no codes with parameters; INT8 and INT4 are accepted",
            self
        )))
    }

    /// Its config with one scale, where it has scales.
    pub(crate) fn config(self, scheme: QuantScheme) -> Result<Config> {
        QuantConfig {
            quant_type: self,
            scheme,
            granularity: QuantGranularity::PerTensor,
        }
        .to_config()
    }
}

/// Where the codes of 0 are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuantScheme {
    /// At 0.
    Symmetric,
    /// At a zero point.
    Asymmetric,
}

impl QuantScheme {
    pub(crate) fn of(symmetric: bool) -> QuantScheme {
        if symmetric {
            QuantScheme::Symmetric
        } else {
            QuantScheme::Asymmetric
        }
    }
}

/// Whose parameters are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuantGranularity {
    /// Those of a whole tensor.
    PerTensor,
    /// Those of a channel: an index of the first dimension.
    PerChannel,
    /// Those of so many columns.
    PerGroup(usize),
}

/// What a tensor is quantized into; [`Config`] has more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuantConfig {
    /// What its values become.
    pub quant_type: QuantType,
    /// Where the codes of 0 are.
    pub scheme: QuantScheme,
    /// Whose parameters are the same.
    pub granularity: QuantGranularity,
}

impl QuantConfig {
    /// INT8, symmetric, per tensor.
    pub fn int8_symmetric() -> QuantConfig {
        QuantConfig {
            quant_type: QuantType::INT8,
            scheme: QuantScheme::Symmetric,
            granularity: QuantGranularity::PerTensor,
        }
    }

    /// INT4, symmetric, per group of so many columns.
    pub fn int4_per_group(group_size: usize) -> QuantConfig {
        QuantConfig {
            quant_type: QuantType::INT4,
            granularity: QuantGranularity::PerGroup(group_size),
            ..QuantConfig::int8_symmetric()
        }
    }

    /// FP16.
    pub fn fp16() -> QuantConfig {
        QuantConfig {
            quant_type: QuantType::FP16,
            ..QuantConfig::int8_symmetric()
        }
    }

    /// The library's config. Halves have neither scheme nor granularity.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for a group size that is too small.
    pub fn to_config(&self) -> Result<Config> {
        let format = self.quant_type.format();
        let builder = Config::builder().format(format);
        if !format.has_scales()? {
            return builder.build();
        }
        let builder = builder.scheme(match self.scheme {
            QuantScheme::Symmetric => Scheme::Symmetric,
            QuantScheme::Asymmetric => Scheme::Asymmetric,
        });
        match self.granularity {
            QuantGranularity::PerTensor => builder.granularity(Granularity::Tensor),
            QuantGranularity::PerChannel => builder.granularity(Granularity::Channel),
            QuantGranularity::PerGroup(size) => builder
                .granularity(Granularity::Group)
                .group_size(size as u64),
        }
        .build()
    }

    /// The quantized tensor, with all its parameters.
    ///
    /// # Errors
    /// As [`to_config`](QuantConfig::to_config) and
    /// [`QuantizedTensor::quantize`](crate::QuantizedTensor::quantize).
    pub fn quantize(&self, data: &[f32], shape: &[usize]) -> Result<crate::QuantizedTensor> {
        let array = ArrayView::new(data, shape)?;
        tensor::QuantizedTensor::quantize(&Context::new(), &self.to_config()?, &array)
    }
}

/// The parameters of a tensor: value = (code - zero point) * scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantParams {
    /// What codes are multiplied by, finite and not negative; 1 of halves.
    pub scale: f32,
    /// The code of 0, within the type's codes; 0 where symmetric.
    pub zero_point: i32,
    /// What values become.
    pub quant_type: QuantType,
}

impl QuantParams {
    /// The zero point as the library has it, none where it is 0: the codes of the symmetric
    /// scheme are the same but for the least one, which it does not use.
    pub(crate) fn zero_points(&self) -> Result<Vec<i8>> {
        match i8::try_from(self.zero_point) {
            Ok(0) => Ok(Vec::new()),
            Ok(zero_point) => Ok(vec![zero_point]),
            Err(_) => Err(Error::InvalidArgument(format!(
                "zero_point: {} given; -128 to 127 are accepted",
                self.zero_point
            ))),
        }
    }

    /// The config that has codes with them; `Unsupported` for halves, which have none.
    pub(crate) fn config(&self) -> Result<Config> {
        self.quant_type.expect_codes()?;
        let scheme = QuantScheme::of(self.zero_point == 0);
        self.quant_type.config(scheme)
    }
}

/// A tensor with one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedTensor {
    /// The codes: of INT8 one for each value; of INT4 two to a byte where `packed`, the first
    /// in the lower half, and each row begins a byte; of FP16 and BF16 their bits, little-endian.
    pub data: Vec<i8>,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// The parameters.
    pub params: QuantParams,
    /// Whether several codes share a byte.
    pub packed: bool,
}

impl QuantizedTensor {
    /// Of a tensor of the library's with one scale at most.
    pub(crate) fn of(tensor: &tensor::QuantizedTensor, quant_type: QuantType) -> QuantizedTensor {
        QuantizedTensor {
            data: tensor.codes().iter().map(|&byte| byte as i8).collect(),
            shape: tensor.shape().to_vec(),
            params: QuantParams {
                scale: tensor.scales().first().copied().unwrap_or(1.0),
                zero_point: tensor.zero_points().first().map_or(0, |&zero| zero.into()),
                quant_type,
            },
            packed: quant_type == QuantType::INT4,
        }
    }

    /// The values.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) where data, shape and parameters do not go
    /// together.
    pub fn dequantize(&self) -> Result<Vec<f32>> {
        let context = Context::new();
        let halves = !self.params.quant_type.format().has_scales()?;
        // All codes count, also the one that the symmetric scheme does not use.
        let config = self.params.quant_type.config(QuantScheme::Asymmetric)?;
        let codes = if self.packed || halves {
            self.data.iter().map(|&code| code as u8).collect()
        } else {
            pack(&context, &config, &self.shape, &self.data)?
        };
        let mut zero_points = self.params.zero_points()?;
        zero_points.resize(1, 0);
        let scale = [self.params.scale];
        let (scales, zero_points) = if halves {
            (&scale[..0], &zero_points[..0])
        } else {
            (&scale[..], &zero_points[..])
        };
        tensor::QuantizedTensor::from_codes(
            &context,
            &config,
            &self.shape,
            &codes,
            scales,
            zero_points,
        )?
        .dequantize(&context)
    }

    /// Bytes of the codes.
    pub fn size_bytes(&self) -> usize {
        self.data.len()
    }

    /// How many times smaller the codes are than floats; 1 of an empty tensor.
    pub fn memory_reduction(&self) -> f64 {
        let floats = self.shape.iter().product::<usize>() * 4;
        if floats == 0 {
            return 1.0;
        }
        floats as f64 / self.data.len() as f64
    }

    /// How much was lost of what it was made of.
    ///
    /// # Errors
    /// As [`dequantize`](QuantizedTensor::dequantize) and [`compare`].
    pub fn metrics(&self, original: &[f32]) -> Result<QuantizationMetrics> {
        let values = self.dequantize()?;
        let original = ArrayView::new(original, &self.shape)?;
        compare(
            &Context::new(),
            &original,
            &ArrayView::new(&values, &self.shape)?,
        )
    }
}
