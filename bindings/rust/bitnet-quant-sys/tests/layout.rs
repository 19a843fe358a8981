//! Size, alignment and offsets of the structs that cross the ABI by value.

use bitnet_quant_sys::*;
use std::mem::{align_of, size_of, MaybeUninit};
use std::ptr::addr_of;

macro_rules! offset {
    ($type:ty, $field:ident) => {{
        let value = MaybeUninit::<$type>::uninit();
        let base = value.as_ptr();
        // Addresses only: nothing uninitialised is read.
        unsafe { addr_of!((*base).$field) as usize - base as usize }
    }};
}

const POINTER: usize = size_of::<usize>();

#[test]
fn array() {
    assert_eq!(offset!(bnq_array, data), 0);
    assert_eq!(offset!(bnq_array, shape), POINTER);
    assert_eq!(offset!(bnq_array, dtype), 2 * POINTER);
    assert_eq!(offset!(bnq_array, rank), 2 * POINTER + 4);
    assert_eq!(size_of::<bnq_array>(), 2 * POINTER + 8);
    assert_eq!(align_of::<bnq_array>(), POINTER);
}

#[test]
fn matrix() {
    assert_eq!(offset!(bnq_matrix, rows), 3 * POINTER);
    assert_eq!(offset!(bnq_matrix, dtype), 3 * POINTER + 24);
    assert_eq!(size_of::<bnq_matrix>(), 3 * POINTER + 32);
}

#[test]
fn allocator() {
    assert_eq!(offset!(bnq_allocator, alloc), 0);
    assert_eq!(offset!(bnq_allocator, free), POINTER);
    assert_eq!(offset!(bnq_allocator, opaque), 2 * POINTER);
    assert_eq!(size_of::<bnq_allocator>(), 3 * POINTER);
    assert_eq!(align_of::<bnq_allocator>(), POINTER);
}

#[test]
fn runner() {
    assert_eq!(offset!(bnq_runner, run), 0);
    assert_eq!(offset!(bnq_runner, opaque), POINTER);
    assert_eq!(offset!(bnq_runner, workers), 2 * POINTER);
    assert_eq!(size_of::<bnq_runner>(), 3 * POINTER);
    assert_eq!(align_of::<bnq_runner>(), POINTER);
}

#[test]
fn callbacks_are_nullable_pointers() {
    assert_eq!(size_of::<bnq_progress_fn>(), POINTER);
    assert_eq!(size_of::<bnq_log_fn>(), POINTER);
    assert_eq!(size_of::<bnq_task_fn>(), POINTER);
    assert_eq!(size_of::<bnq_metric_fn>(), POINTER);
}

/// The loaded library is of the ABI these declarations follow, and its version
/// is encoded as [`BNQ_VERSION`] is.
#[test]
fn version() {
    assert_eq!(unsafe { bnq_abi_version() }, BNQ_ABI_VERSION);
    let version = unsafe { bnq_version() };
    let text = unsafe { std::ffi::CStr::from_ptr(bnq_version_string()) };
    let encoded = text
        .to_str()
        .expect("UTF-8")
        .split('.')
        .fold(0, |sum, part| {
            sum * 1000 + part.parse::<u32>().expect("a number")
        });
    assert_eq!(version, encoded);
    assert!(
        version >= BNQ_VERSION,
        "{} is older than the declarations",
        version
    );
}
