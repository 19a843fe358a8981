//! What to calibrate with: arrays, files, directories.

use crate::array::ArrayView;
use crate::calibration::Calibrator;
use crate::callback::Progress;
use crate::context::Context;
use crate::dense::Tensor;
use crate::error::Result;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Batches of values to calibrate with: arrays, files of arrays, and directories of such
/// files, in the order in which they were added. Files are only read when observed.
///
/// ```
/// use bitnet_quant::{ArrayView, CalibrationDataset, Calibrator};
///
/// let (a, b) = ([0.5f32, -1.0], [2.54f32, 0.0]);
/// let dataset = CalibrationDataset::from_tensors([
///     ArrayView::new(&a, &[2])?,
///     ArrayView::new(&b, &[2])?,
/// ]);
/// let mut calibrator = Calibrator::new();
/// let params = calibrator.calibrate(&dataset)?;
/// assert_eq!(params.scales, [0.02]);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct CalibrationDataset<'a> {
    sources: Vec<Source<'a>>,
}

#[derive(Debug, Clone)]
enum Source<'a> {
    Array(ArrayView<'a>),
    Tensor(Tensor),
    Path(PathBuf, Option<String>),
}

/// A batch of a [`CalibrationDataset`]: a view of an array, or a [`Tensor`], which it keeps.
#[derive(Debug, Clone)]
pub struct CalibrationBatch<'a>(Source<'a>);

impl<'a> From<ArrayView<'a>> for CalibrationBatch<'a> {
    fn from(array: ArrayView<'a>) -> CalibrationBatch<'a> {
        CalibrationBatch(Source::Array(array))
    }
}

impl<'a> From<&'a Tensor> for CalibrationBatch<'a> {
    fn from(tensor: &'a Tensor) -> CalibrationBatch<'a> {
        tensor.view().into()
    }
}

impl From<Tensor> for CalibrationBatch<'_> {
    fn from(tensor: Tensor) -> Self {
        CalibrationBatch(Source::Tensor(tensor))
    }
}

impl<'a> CalibrationDataset<'a> {
    /// Nothing yet.
    pub fn new() -> CalibrationDataset<'a> {
        CalibrationDataset::default()
    }

    /// Of arrays or [`Tensor`]s, a batch each.
    pub fn from_tensors<T: Into<CalibrationBatch<'a>>>(
        tensors: impl IntoIterator<Item = T>,
    ) -> CalibrationDataset<'a> {
        tensors.into_iter().collect()
    }

    /// Of a file or a directory, as in [`Calibrator::observe_file`].
    pub fn from_path(path: impl Into<PathBuf>) -> CalibrationDataset<'a> {
        CalibrationDataset::new().path(path)
    }

    /// Adds an array.
    #[must_use]
    pub fn tensor(mut self, array: ArrayView<'a>) -> CalibrationDataset<'a> {
        self.sources.push(Source::Array(array));
        self
    }

    /// Adds all arrays of a file or a directory.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> CalibrationDataset<'a> {
        self.sources.push(Source::Path(path.into(), None));
        self
    }

    /// Adds those arrays of a file or a directory that have this name.
    #[must_use]
    pub fn named(
        mut self, path: impl Into<PathBuf>, name: impl Into<String>,
    ) -> CalibrationDataset<'a> {
        self.sources
            .push(Source::Path(path.into(), Some(name.into())));
        self
    }

    /// Gives all batches to a calibrator. `progress` tells how far each file or directory
    /// is, as in [`Calibrator::observe_file`].
    ///
    /// # Errors
    /// As [`Calibrator::observe`] and [`Calibrator::observe_file`]. The calibrator has then
    /// observed what came before.
    pub fn observe<F>(
        &self, context: &Context, calibrator: &mut Calibrator, mut progress: F,
    ) -> Result<()>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        self.sources.iter().try_for_each(|source| match source {
            Source::Array(array) => calibrator.observe(context, array),
            Source::Tensor(tensor) => calibrator.observe(context, &tensor.view()),
            Source::Path(path, name) => {
                calibrator.observe_file(context, path, name.as_deref(), &mut progress)
            }
        })
    }
}

impl<'a, T: Into<CalibrationBatch<'a>>> FromIterator<T> for CalibrationDataset<'a> {
    fn from_iter<I: IntoIterator<Item = T>>(tensors: I) -> CalibrationDataset<'a> {
        let sources = tensors.into_iter().map(|tensor| tensor.into().0).collect();
        CalibrationDataset { sources }
    }
}
