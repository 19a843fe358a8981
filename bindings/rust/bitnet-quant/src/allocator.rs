//! A Rust allocator as the library's.

use bitnet_quant_sys as sys;
use std::alloc::{GlobalAlloc, Layout, System};
use std::mem::{align_of, size_of};
use std::os::raw::c_void;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An allocator at one address, so that a block can say whose it is.
struct Shared(Box<dyn GlobalAlloc + Send + Sync>);

/// The allocators of live contexts, by the number that the library passes. What a context has
/// made may outlive it and still ask for memory by that number, which the system then gives:
/// a pointer in its place would have to live for ever.
static REGISTERED: Mutex<Vec<(usize, Arc<Shared>)>> = Mutex::new(Vec::new());

static NEXT: AtomicUsize = AtomicUsize::new(1);

fn registered() -> MutexGuard<'static, Vec<(usize, Arc<Shared>)>> {
    // Nothing panics half-way through a change.
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An allocator that the library knows by a number, until this is dropped.
pub(crate) struct Registration(usize);

impl Registration {
    pub(crate) fn new(allocator: impl GlobalAlloc + Send + Sync + 'static) -> Registration {
        let shared = Arc::new(Shared(Box::new(allocator)));
        let mut all = registered();
        // Never one that was another's; under the lock, so that they ascend.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        all.push((number, shared));
        Registration(number)
    }

    pub(crate) fn raw(&self) -> sys::bnq_allocator {
        sys::bnq_allocator {
            alloc: Some(allocate),
            free: Some(free),
            opaque: self.0 as *mut c_void, // only ever a number
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut all = registered();
        if let Ok(index) = all.binary_search_by_key(&self.0, |(number, _)| *number) {
            let removed = all.remove(index);
            drop(all); // what the allocator's own drop does is not done under the lock
            drop(removed);
        }
    }
}

/// What stands before a block: its owner, NULL for the system, which it keeps alive; and the
/// bytes of both together.
#[repr(C, align(16))]
struct Header {
    owner: *const Shared,
    bytes: usize,
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, align_of::<Header>()).ok()
}

unsafe extern "C" fn allocate(opaque: *mut c_void, bytes: u64) -> *mut c_void {
    let bytes = usize::try_from(bytes).ok();
    let bytes = bytes.and_then(|bytes| bytes.checked_add(size_of::<Header>()));
    let (bytes, layout) = match bytes.and_then(|bytes| Some((bytes, layout(bytes)?))) {
        Some(both) => both,
        None => return ptr::null_mut(),
    };
    let owner = {
        let all = registered();
        let found = all.binary_search_by_key(&(opaque as usize), |(number, _)| *number);
        found.ok().map(|index| Arc::clone(&all[index].1))
    };
    // SAFETY: a layout that is not empty.
    let block = unsafe {
        match &owner {
            Some(owner) => owner.0.alloc(layout),
            None => System.alloc(layout),
        }
    };
    if block.is_null() {
        return ptr::null_mut();
    }
    let owner = owner.map_or(ptr::null(), Arc::into_raw);
    // SAFETY: a block of that layout, which begins with room for a header.
    unsafe {
        block.cast::<Header>().write(Header { owner, bytes });
        block.add(size_of::<Header>()).cast()
    }
}

unsafe extern "C" fn free(_: *mut c_void, address: *mut c_void) {
    if address.is_null() {
        return;
    }
    // SAFETY: a block that `allocate` gave, behind its header; the owner it has kept alive is
    // let go of after the block.
    unsafe {
        let block = address.cast::<u8>().sub(size_of::<Header>());
        let Header { owner, bytes } = block.cast::<Header>().read();
        let layout = Layout::from_size_align_unchecked(bytes, align_of::<Header>());
        if owner.is_null() {
            System.dealloc(block, layout);
        } else {
            let owner = Arc::from_raw(owner);
            owner.0.dealloc(block, layout);
        }
    }
}
