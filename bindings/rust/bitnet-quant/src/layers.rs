//! A model's layers one after the other.

use crate::array::ArrayView;
use crate::cache::{statistics, Cache};
use crate::callback::{self, no_progress, Progress};
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{self, length, Handle, Shape};
use crate::plan::Plan;
use crate::registry::{DType, Format};
use crate::tensor::QuantizedTensor;
use bitnet_quant_sys as sys;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::ptr;

/// A model's layers one after the other, however large it is: each is read from its files,
/// quantized as a plan says or restored from a cache, and the next ones are got ready by a
/// thread meanwhile.
///
/// In memory are `look_ahead` layers besides those that you hold, and what the cache keeps.
/// Passes may be repeated, and layers be loaded in any order; the look-ahead follows. Any
/// number of threads may use one.
///
/// ```no_run
/// use bitnet_quant::{Cache, Context, Layers, Linear, Operator, Plan};
///
/// let context = Context::new();
/// let mut plan = Plan::new()?;
/// plan.add("*", 2, &"int8_per_channel".parse()?)?;
/// let cache = Cache::new("layers")?;
/// let layers = Layers::open(&context, "model", Some(&plan), Some(&cache), 2)?;
/// for layer in layers.iter(&context) {
///     let layer = layer?;
///     println!("{}: {} bytes", layer.name(), layer.bytes());
/// }
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Layers {
    handle: Handle<sys::bnq_layers>,
}

// SAFETY: bnq.h: any number of threads may use one.
unsafe impl Send for Layers {}
// SAFETY: as above.
unsafe impl Sync for Layers {}

impl Layers {
    /// The layers of a model file of any kind, or of its folder. The plan says which of its
    /// plain arrays are quantized, and how; the cache, which is kept, where the results are.
    ///
    /// # Errors
    /// As [`File::open`](crate::File::open).
    pub fn open(
        context: &Context, model: impl AsRef<Path>, plan: Option<&Plan>, cache: Option<&Cache>,
        look_ahead: u32,
    ) -> Result<Layers> {
        let model = ffi::c_path("model", model.as_ref())?;
        // SAFETY: live handles or NULL, a C string, a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_layers_open(
                context.raw(),
                model.as_ptr(),
                plan.map_or(ptr::null(), Plan::raw),
                cache.map_or(ptr::null_mut(), Cache::raw),
                look_ahead,
                out,
            )
        })?;
        Ok(Layers { handle })
    }

    fn raw(&self) -> *mut sys::bnq_layers {
        self.handle.as_ptr()
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        // SAFETY: live layers.
        length(unsafe { sys::bnq_layers_count(self.raw()) })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A layer's name: what comes before the first number in those of its tensors
    /// ("model.layers.3"), or their module's ("lm_head"). `None` for an index that is not
    /// there.
    pub fn name(&self, index: usize) -> Option<&str> {
        // SAFETY: live layers; the name lives as long as they.
        unsafe { ffi::text(sys::bnq_layers_name(self.raw(), index as u64)) }
    }

    /// Bytes of a layer's tensors in the model; 0 for an index that is not there.
    pub fn bytes(&self, index: usize) -> u64 {
        // SAFETY: live layers.
        unsafe { sys::bnq_layers_bytes(self.raw(), index as u64) }
    }

    /// The index of the layer of a name, or with a tensor of that name.
    /// [`NotFound`](Error::NotFound).
    pub fn find(&self, name: &str) -> Result<usize> {
        let name = ffi::c_string("name", name)?;
        let mut index = 0;
        // SAFETY: live layers, a C string, a place for the index.
        check(unsafe { sys::bnq_layers_find(self.raw(), name.as_ptr(), &mut index) })?;
        Ok(length(index))
    }

    /// Loads a layer, or waits for it.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) for an index that is not there; the errors
    /// of [`QuantizedTensor::quantize`] name the tensor.
    pub fn load(&self, context: &Context, index: usize) -> Result<Layer> {
        self.load_with(context, index, no_progress)
    }

    /// The same with progress, as in [`quantize_file`](crate::quantize_file): of the layer's
    /// bytes in the model.
    pub fn load_with<F>(&self, context: &Context, index: usize, mut progress: F) -> Result<Layer>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let (call, opaque) = callback::progress(&mut progress);
        // SAFETY: live handles, a closure that lives for the call, a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_layers_load(context.raw(), self.raw(), index as u64, call, opaque, out)
        })?;
        Ok(Layer { handle })
    }

    /// All layers, in order, each loaded when it is asked for.
    pub fn iter<'a>(
        &'a self, context: &'a Context,
    ) -> impl DoubleEndedIterator<Item = Result<Layer>> + ExactSizeIterator + 'a {
        (0..self.len()).map(move |index| self.load(context, index))
    }

    /// Has all that the plan quantizes in the cache, so that no later pass waits for it.
    /// Progress is of the bytes of all layers. [`InvalidArgument`](Error::InvalidArgument)
    /// without a cache.
    pub fn prepare<F>(&self, context: &Context, mut progress: F) -> Result<()>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let (call, opaque) = callback::progress(&mut progress);
        // SAFETY: live handles and a closure that lives for the call.
        check(unsafe { sys::bnq_layers_prepare(context.raw(), self.raw(), call, opaque) })
    }

    /// What has become of the layers so far.
    pub fn statistics(&self) -> Result<LayerStatistics> {
        // SAFETY: no parameters.
        let mut values = vec![0.0; unsafe { sys::bnq_layers_stat_count() } as usize];
        // SAFETY: live layers and room for so many numbers.
        check(unsafe {
            sys::bnq_layers_stats(self.raw(), values.as_mut_ptr(), values.len() as u32)
        })?;
        Ok(LayerStatistics { values })
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").field("len", &self.len()).finish()
    }
}

/// A loaded layer; immutable. Memory is let go of when it, and the tensors taken out of it,
/// are dropped.
pub struct Layer {
    handle: Handle<sys::bnq_layer>,
}

// SAFETY: bnq.h: loaded layers are immutable and may be shared.
unsafe impl Send for Layer {}
// SAFETY: as above.
unsafe impl Sync for Layer {}

impl Layer {
    fn raw(&self) -> *mut sys::bnq_layer {
        self.handle.as_ptr()
    }

    /// What the names of its tensors begin with.
    pub fn name(&self) -> &str {
        // SAFETY: a live layer; the name lives as long as it.
        unsafe { ffi::text(sys::bnq_layer_name(self.raw())) }.unwrap_or("")
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        // SAFETY: a live layer.
        length(unsafe { sys::bnq_layer_count(self.raw()) })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of its tensors, as they are loaded.
    pub fn bytes(&self) -> u64 {
        // SAFETY: a live layer.
        unsafe { sys::bnq_layer_bytes(self.raw()) }
    }

    /// The names of its tensors, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        (0..self.len()).map(move |index| {
            // SAFETY: a live layer and an index in range; the name lives as long as it.
            unsafe { ffi::text(sys::bnq_layer_tensor_name(self.raw(), index as u64)) }.unwrap_or("")
        })
    }

    fn index(&self, name: &str) -> Result<u64> {
        let index = self.names().position(|known| known == name);
        index.map(|index| index as u64).ok_or_else(|| {
            Error::NotFound(format!(
                "there is no tensor {:?} in the layer {:?}",
                name,
                self.name()
            ))
        })
    }

    /// A tensor's format: [`Format::NONE`] of a plain array. [`NotFound`](Error::NotFound).
    pub fn format(&self, name: &str) -> Result<Format> {
        let index = self.index(name)?;
        // SAFETY: a live layer and an index in range.
        Ok(Format::from_id(unsafe {
            sys::bnq_layer_format(self.raw(), index)
        }))
    }

    /// A quantized tensor, which may outlive the layer.
    /// [`Unsupported`](Error::Unsupported) for a plain array; [`NotFound`](Error::NotFound).
    pub fn tensor(&self, name: &str) -> Result<QuantizedTensor> {
        let index = self.index(name)?;
        // SAFETY: a live layer, an index in range, a place for the handle.
        let handle =
            Handle::create(|out| unsafe { sys::bnq_layer_tensor(self.raw(), index, out) })?;
        Ok(QuantizedTensor::from_handle(handle, None))
    }

    /// A plain array. [`Unsupported`](Error::Unsupported) for a quantized tensor;
    /// [`NotFound`](Error::NotFound).
    pub fn array(&self, name: &str) -> Result<ArrayView<'_>> {
        let index = self.index(name)?;
        let mut raw = sys::bnq_array {
            data: ptr::null(),
            shape: ptr::null(),
            dtype: 0,
            rank: 0,
        };
        // SAFETY: a live layer, an index in range, a place for the array.
        check(unsafe { sys::bnq_layer_array(self.raw(), index, &mut raw) })?;
        let dtype = DType::from_id(raw.dtype)
            .ok_or_else(|| Error::Internal("an array has no data type".to_string()))?;
        let shape = Shape::read(|out| {
            // SAFETY: as many dimensions as the rank, and room for any rank.
            unsafe { ptr::copy_nonoverlapping(raw.shape, out, raw.rank as usize) };
            raw.rank
        })
        .ok_or_else(|| Error::Internal("an array has no shape".to_string()))?;
        // SAFETY: any id is accepted.
        let bits = u64::from(unsafe { sys::bnq_dtype_bits(raw.dtype) });
        let bytes = shape.elements()? * bits / 8;
        // SAFETY: so many bytes, which live as long as the layer.
        let data = unsafe { ffi::slice(raw.data.cast::<u8>(), bytes) };
        ArrayView::from_shape(data, dtype, shape)
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("name", &self.name())
            .field("len", &self.len())
            .field("bytes", &self.bytes())
            .finish()
    }
}

/// What has become of a model's layers. NaN for what the library does not have.
#[derive(Clone, PartialEq)]
pub struct LayerStatistics {
    /// As many as the library has, in its order, which is only ever appended to.
    values: Vec<f64>,
}

statistics! { LayerStatistics {
    /// Layers loaded.
    loads = BNQ_LAYERS_STAT_LOADS;
    /// Those of them that were loaded ahead.
    prefetched = BNQ_LAYERS_STAT_PREFETCHED;
    /// Seconds that callers spent in loading.
    wait_seconds = BNQ_LAYERS_STAT_WAIT_SECONDS;
    /// Tensors quantized.
    quantized = BNQ_LAYERS_STAT_QUANTIZED;
    /// Tensors restored from the cache.
    restored = BNQ_LAYERS_STAT_RESTORED;
    /// Bytes of arrays that were read to quantize them, or to know what they are.
    bytes_read = BNQ_LAYERS_STAT_BYTES_READ;
    /// Bytes of the largest layer as loaded.
    largest_bytes = BNQ_LAYERS_STAT_LARGEST_BYTES;
    /// The most that layers took up at a time, those in use and those ahead.
    peak_bytes = BNQ_LAYERS_STAT_PEAK_BYTES;
}}
