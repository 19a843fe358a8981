//! Plans of mixed precision, said by bits.

use crate::config::Config;
use crate::error::Result;
use crate::plan::Plan;
use bitnet_quant_sys as sys;

/// Says how many bits each layer of a model is to have, and makes a [`Plan`] of it.
///
/// ```
/// use bitnet_quant::MixedPrecision;
///
/// let plan = MixedPrecision::new()
///     .layer("conv1", 2.0)
///     .layer("layers.*.attn.*", 8.0)
///     .skip("lm_head")
///     .others(1.58)
///     .build()?;
/// assert_eq!(plan.find("conv1.weight", 4)?.unwrap().config, Some("bits=2".parse()?));
/// assert_eq!(plan.find("fc.weight", 2)?.unwrap().config, Some("bits=1.58".parse()?));
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MixedPrecision {
    layers: Vec<(String, Choice)>,
    others: Option<Choice>,
}

#[derive(Debug, Clone)]
enum Choice {
    Bits(f64),
    Config(Config),
    Skip,
}

impl Choice {
    fn config(&self) -> Result<Option<Config>> {
        match self {
            Choice::Bits(bits) => format!("bits={}", bits).parse().map(Some),
            Choice::Config(config) => Ok(Some(config.clone())),
            Choice::Skip => Ok(None),
        }
    }
}

impl MixedPrecision {
    /// Of no layers: all are carried through.
    pub fn new() -> MixedPrecision {
        MixedPrecision::default()
    }

    /// The layers whose name matches `pattern`, a glob as in [`Plan::add`], with or without
    /// ".weight" behind a name that is none, get so many bits: a number of bits that the
    /// library has a config for (the text form "bits=..." of a [`Config`]), such as 1.58, 2,
    /// 4, 8 and 16. Of several that match a layer the first counts.
    pub fn layer(self, pattern: impl Into<String>, bits: f64) -> MixedPrecision {
        self.with(pattern, Choice::Bits(bits))
    }

    /// The same with a config.
    pub fn layer_config(self, pattern: impl Into<String>, config: &Config) -> MixedPrecision {
        self.with(pattern, Choice::Config(config.clone()))
    }

    /// The layers whose name matches are carried through.
    pub fn skip(self, pattern: impl Into<String>) -> MixedPrecision {
        self.with(pattern, Choice::Skip)
    }

    /// All other tensors of rank 2 and more get so many bits.
    pub fn others(self, bits: f64) -> MixedPrecision {
        let others = Some(Choice::Bits(bits));
        MixedPrecision { others, ..self }
    }

    /// All other tensors of rank 2 and more get a config.
    pub fn others_config(self, config: &Config) -> MixedPrecision {
        let others = Some(Choice::Config(config.clone()));
        MixedPrecision { others, ..self }
    }

    fn with(mut self, pattern: impl Into<String>, choice: Choice) -> MixedPrecision {
        self.layers.push((pattern.into(), choice));
        self
    }

    /// The plan.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for bits that no config has; the
    /// text lists those that there are.
    pub fn build(&self) -> Result<Plan> {
        let mut plan = Plan::new()?;
        for (pattern, choice) in &self.layers {
            let config = choice.config()?;
            plan.add_of_rank(pattern, sys::BNQ_MIN_RANK_NAMED, config.as_ref())?;
        }
        if let Some(choice) = &self.others {
            let config = choice.config()?;
            plan.add_of_rank("*", sys::BNQ_MIN_RANK_ALL, config.as_ref())?;
        }
        Ok(plan)
    }
}
