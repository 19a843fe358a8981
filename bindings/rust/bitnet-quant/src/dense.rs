//! Tensors of floats, for callers who have none of their own.

use crate::array::ArrayView;
use crate::error::{Error, Result};
use crate::ffi::{expect_length, length, Shape};
use crate::pool::{HybridMemoryPool, PoolBuffer};
use std::f64::consts::PI;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a [`Tensor`] is. The library works on CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Device {
    /// In memory, of the system's heap.
    #[default]
    Cpu,
}

mod sealed {
    pub trait Placement {
        fn zeros(&self, floats: usize) -> crate::Result<super::Floats>;
    }
}

/// Where the floats of a [`Tensor`] can be: on a [`Device`], or in a [`HybridMemoryPool`].
pub trait Placement: sealed::Placement {}

impl Placement for Device {}
impl Placement for HybridMemoryPool {}

impl sealed::Placement for Device {
    fn zeros(&self, floats: usize) -> Result<Floats> {
        let mut heap = Vec::new();
        heap.try_reserve_exact(floats)
            .map_err(|error| Error::OutOfMemory(format!("{} floats: {}", floats, error)))?;
        heap.resize(floats, 0.0);
        Ok(Floats(Memory::Heap(heap)))
    }
}

impl sealed::Placement for HybridMemoryPool {
    fn zeros(&self, floats: usize) -> Result<Floats> {
        self.buffer(floats)
            .map(|floats| Floats(Memory::Pool(floats)))
    }
}

#[doc(hidden)]
#[allow(missing_debug_implementations)] // only within a tensor, which has one
pub struct Floats(Memory);

enum Memory {
    Heap(Vec<f32>),
    Pool(PoolBuffer),
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Memory::Heap(floats) => floats,
            Memory::Pool(floats) => floats,
        }
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        match &mut self.0 {
            Memory::Heap(floats) => floats,
            Memory::Pool(floats) => floats,
        }
    }
}

/// A dense array of floats, row-major, of rank 0 to 8, which owns its memory: what the
/// quantizers of [`quantizer`](crate::quantizer) take and give. Programs that have arrays of
/// their own pass views of them ([`ArrayView`]) to the rest of this crate; of ndarray's,
/// `ArrayView::new(array.as_slice().unwrap(), array.shape())`.
///
/// ```
/// use bitnet_quant::{Device, Tensor};
///
/// let tensor = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?;
/// assert_eq!((tensor.shape(), tensor.as_slice()[4]), (&[2, 3][..], 5.0));
/// let noise = Tensor::randn(&[128, 256], &Device::Cpu)?;
/// assert_eq!(noise.as_slice().len(), 128 * 256);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Tensor {
    floats: Floats,
    shape: Vec<usize>,
}

/// A [`Tensor`] by the name that it has in the memory of a pool.
pub type BitNetTensor = Tensor;

impl Tensor {
    /// Of these floats, as many as the shape says.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) where the number is another, or the
    /// rank is greater than 8.
    pub fn from_vec(floats: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        let elements = Shape::new(shape)?.elements()?;
        let what = format!("floats of shape {:?}", shape);
        expect_length(&what, floats.len(), elements)?;
        Ok(Tensor {
            floats: Floats(Memory::Heap(floats)),
            shape: shape.to_vec(),
        })
    }

    /// Of zeros.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for a rank greater than 8;
    /// [`OutOfMemory`](crate::Error::OutOfMemory) where a pool does not have as much.
    pub fn zeros(shape: &[usize], place: &impl Placement) -> Result<Tensor> {
        let elements = length(Shape::new(shape)?.elements()?);
        Ok(Tensor {
            floats: place.zeros(elements)?,
            shape: shape.to_vec(),
        })
    }

    /// Of normally distributed numbers, mean 0 and deviation 1: each call's are others, and
    /// those of the n-th call of a program always the same. Errors as in
    /// [`zeros`](Tensor::zeros).
    pub fn randn(shape: &[usize], place: &impl Placement) -> Result<Tensor> {
        static SEED: AtomicU64 = AtomicU64::new(0);
        Tensor::randn_seeded(shape, place, SEED.fetch_add(1, Ordering::Relaxed))
    }

    /// The same, where the seed decides which ones.
    pub fn randn_seeded(shape: &[usize], place: &impl Placement, seed: u64) -> Result<Tensor> {
        let mut tensor = Tensor::zeros(shape, place)?;
        let mut state = mix(seed);
        // In (0, 1].
        let mut uniform = || {
            state = state.wrapping_add(GOLDEN);
            ((mix(state) >> 11) + 1) as f64 / (1u64 << 53) as f64
        };
        for pair in tensor.as_mut_slice().chunks_mut(2) {
            let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), 2.0 * PI * uniform());
            pair[0] = (radius * angle.cos()) as f32;
            if let Some(second) = pair.get_mut(1) {
                *second = (radius * angle.sin()) as f32;
            }
        }
        Ok(tensor)
    }

    /// The dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The floats, in row-major order.
    pub fn as_slice(&self) -> &[f32] {
        &self.floats
    }

    /// The same to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.floats
    }

    /// The floats alone; a copy where they are in a pool.
    pub fn into_vec(self) -> Vec<f32> {
        match self.floats.0 {
            Memory::Heap(floats) => floats,
            Memory::Pool(floats) => floats.to_vec(),
        }
    }

    /// A view of it, for the rest of this crate.
    pub fn view(&self) -> ArrayView<'_> {
        ArrayView::new(&self.floats[..], &self.shape).expect("a tensor has what its shape says")
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the increment, and what makes numbers of states.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

impl Clone for Tensor {
    /// A copy in memory of the heap.
    fn clone(&self) -> Tensor {
        Tensor {
            floats: Floats(Memory::Heap(self.floats.to_vec())),
            shape: self.shape.clone(),
        }
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Tensor) -> bool {
        self.shape == other.shape && self.floats[..] == other.floats[..]
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tensor")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}
