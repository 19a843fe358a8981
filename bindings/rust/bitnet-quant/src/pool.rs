//! A pool that keeps the blocks that come back, and gives them again.

use crate::context::Context;
use crate::error::{Error, Result};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::fmt;
use std::mem::{align_of, size_of};
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much memory a [`HybridMemoryPool`] has, in bytes as it rounds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolStatistics {
    /// In blocks that somebody has.
    pub used_bytes: usize,
    /// In blocks that wait to be given again.
    pub free_bytes: usize,
    /// The most that was in use at one time.
    pub peak_bytes: usize,
    /// Blocks given so far.
    pub allocations: u64,
    /// Those of them that had been used before.
    pub reused: u64,
}

/// A pool of memory: blocks that come back are kept and given again, instead of going through
/// the system each time. Clones are the same pool; any threads may use it at once, and it
/// lives as long as anything has memory of it.
///
/// Small blocks, up to 64 KiB, have sizes of powers of two, so that a few kinds serve all;
/// larger ones are rounded up by an eighth at most.
///
/// ```
/// use bitnet_quant::memory::{BitNetTensor, HybridMemoryPool};
/// use bitnet_quant::{BitNetQuantizer, QuantizationConfig};
///
/// let pool = HybridMemoryPool::new()?;
/// let quantizer = BitNetQuantizer::new(QuantizationConfig::default());
/// let tensor = BitNetTensor::randn(&[128, 256], &pool)?;
/// let quantized = quantizer.quantize_tensor(&tensor, &pool)?;
///
/// assert!(pool.statistics().used_bytes >= 128 * 256 * 4 + quantized.bytes());
/// drop((tensor, quantized));
/// assert_eq!(pool.statistics().used_bytes, 0);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
#[derive(Clone)]
pub struct HybridMemoryPool {
    blocks: Arc<Blocks>,
    // Of a context that has the blocks, not the pool, so that neither keeps the other alive.
    context: Arc<Context>,
}

impl HybridMemoryPool {
    /// A pool without a limit, empty.
    ///
    /// # Errors
    /// [`Incompatible`](Error::Incompatible), [`OutOfMemory`](Error::OutOfMemory).
    pub fn new() -> Result<HybridMemoryPool> {
        HybridMemoryPool::with_limit(usize::MAX)
    }

    /// A pool that never holds more than so many bytes, used and free: beyond it whatever
    /// needs memory fails with [`OutOfMemory`](Error::OutOfMemory).
    pub fn with_limit(bytes: usize) -> Result<HybridMemoryPool> {
        let blocks = Arc::new(Blocks {
            state: Mutex::default(),
            limit: bytes,
        });
        let context = Context::with_allocator(Lent(Arc::clone(&blocks)))?;
        Ok(HybridMemoryPool {
            blocks,
            context: Arc::new(context),
        })
    }

    /// A context of one thread whose memory comes from the pool. For one of your own:
    /// `Context::with_allocator(pool.clone())`.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// How much memory it has.
    pub fn statistics(&self) -> PoolStatistics {
        self.blocks.state().statistics
    }

    /// Gives the blocks that nobody has back to the system.
    pub fn trim(&self) {
        self.blocks.state().trim();
    }

    pub(crate) fn buffer(&self, floats: usize) -> Result<PoolBuffer> {
        PoolBuffer::new(Arc::clone(&self.blocks), floats)
    }
}

impl fmt::Debug for HybridMemoryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HybridMemoryPool")
            .field(&self.statistics())
            .finish()
    }
}

// SAFETY: blocks are of their layout and nobody else's until they come back.
unsafe impl GlobalAlloc for HybridMemoryPool {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.blocks.take(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { self.blocks.give_back(block, layout) }
    }
}

/// The blocks as an allocator.
struct Lent(Arc<Blocks>);

// SAFETY: as above.
unsafe impl GlobalAlloc for Lent {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.take(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller's.
        unsafe { self.0.give_back(block, layout) }
    }
}

/// Of a cache line, which is also what the library aligns its buffers to.
const ALIGNMENT: usize = 64;
const SMALL: usize = 64 << 10;

struct Blocks {
    state: Mutex<State>,
    limit: usize,
}

#[derive(Default)]
struct State {
    /// The addresses of free blocks by their layout's size.
    free: BTreeMap<usize, Vec<NonNull<u8>>>,
    statistics: PoolStatistics,
}

// SAFETY: free blocks are nobody's.
unsafe impl Send for State {}

impl Blocks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, layout: Layout) -> *mut u8 {
        let layout = match rounded(layout) {
            Some(layout) => layout,
            None => return ptr::null_mut(),
        };
        let mut state = self.state();
        let block = match state.free.get_mut(&layout.size()).and_then(Vec::pop) {
            Some(block) => {
                state.statistics.free_bytes -= layout.size();
                state.statistics.reused += 1;
                block
            }
            None => {
                if !state.make_room(layout.size(), self.limit) {
                    return ptr::null_mut();
                }
                // SAFETY: a layout that is not empty.
                match NonNull::new(unsafe { System.alloc(layout) }) {
                    Some(block) => block,
                    None => return ptr::null_mut(),
                }
            }
        };
        let statistics = &mut state.statistics;
        statistics.allocations += 1;
        statistics.used_bytes += layout.size();
        statistics.peak_bytes = statistics.peak_bytes.max(statistics.used_bytes);
        block.as_ptr()
    }

    /// # Safety
    /// The block was taken with that layout, and is not used any more.
    unsafe fn give_back(&self, block: *mut u8, layout: Layout) {
        if let (Some(layout), Some(block)) = (rounded(layout), NonNull::new(block)) {
            let mut state = self.state();
            state.statistics.used_bytes -= layout.size();
            state.statistics.free_bytes += layout.size();
            state.free.entry(layout.size()).or_default().push(block);
        }
    }
}

/// The layout that blocks of about that size have. A greater alignment than blocks have is
/// none that the library asks for, and is refused.
fn rounded(layout: Layout) -> Option<Layout> {
    let size = layout.size().max(ALIGNMENT);
    let step = size.checked_next_power_of_two()?;
    let step = if size > SMALL { step / 16 } else { step };
    let size = size.checked_add(step - 1)? / step * step;
    let layout = Layout::from_size_align(size, layout.align().max(ALIGNMENT)).ok()?;
    (layout.align() == ALIGNMENT).then_some(layout)
}

impl State {
    /// Whether so many bytes more are within the limit, for which free blocks may go.
    fn make_room(&mut self, bytes: usize, limit: usize) -> bool {
        let fits = |held: usize| held.checked_add(bytes).map_or(false, |all| all <= limit);
        if !fits(self.statistics.used_bytes + self.statistics.free_bytes) {
            self.trim();
        }
        fits(self.statistics.used_bytes + self.statistics.free_bytes)
    }

    fn trim(&mut self) {
        for (size, blocks) in std::mem::take(&mut self.free) {
            for block in blocks {
                // SAFETY: a block that was allocated with that layout and is nobody's.
                unsafe {
                    let layout = Layout::from_size_align_unchecked(size, ALIGNMENT);
                    System.dealloc(block.as_ptr(), layout);
                }
            }
        }
        self.statistics.free_bytes = 0;
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.trim();
    }
}

/// Floats in memory of a pool, which it keeps alive.
pub(crate) struct PoolBuffer {
    floats: NonNull<f32>,
    length: usize,
    blocks: Arc<Blocks>,
}

// SAFETY: nobody else has the floats.
unsafe impl Send for PoolBuffer {}
// SAFETY: as above; `&PoolBuffer` only reads.
unsafe impl Sync for PoolBuffer {}

impl PoolBuffer {
    fn new(blocks: Arc<Blocks>, length: usize) -> Result<PoolBuffer> {
        let layout = length
            .checked_mul(size_of::<f32>())
            .and_then(|bytes| Layout::from_size_align(bytes, align_of::<f32>()).ok());
        let floats = layout.and_then(|layout| NonNull::new(blocks.take(layout).cast::<f32>()));
        let floats = floats.ok_or_else(|| {
            Error::OutOfMemory(format!(
                "pool: {} floats are not within what it may hold, of which {} bytes are in use",
                length,
                blocks.state().statistics.used_bytes
            ))
        })?;
        // SAFETY: room for so many floats, which may hold others' data.
        unsafe { floats.as_ptr().write_bytes(0, length) };
        Ok(PoolBuffer {
            floats,
            length,
            blocks,
        })
    }
}

impl Deref for PoolBuffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: so many floats, initialized.
        unsafe { slice::from_raw_parts(self.floats.as_ptr(), self.length) }
    }
}

impl DerefMut for PoolBuffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.floats.as_ptr(), self.length) }
    }
}

impl Drop for PoolBuffer {
    fn drop(&mut self) {
        let bytes = self.length * size_of::<f32>();
        // SAFETY: the block that was taken with that layout.
        unsafe {
            let layout = Layout::from_size_align_unchecked(bytes, align_of::<f32>());
            self.blocks.give_back(self.floats.as_ptr().cast(), layout);
        }
    }
}
