//! What a model would take, from its headers alone.

use crate::context::Context;
use crate::convert::Report;
use crate::error::Result;
use crate::ffi::{self, Handle};
use crate::plan::Plan;
use bitnet_quant_sys as sys;
use std::path::Path;

/// What [`estimate_file`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub struct Estimate {
    /// Bytes of the file, or of all shards and their index, to the byte.
    pub file_bytes: u64,
    /// A row for each tensor, without metrics.
    pub report: Report,
}

/// What [`quantize_file`](crate::quantize_file) would write without compression, from the
/// model's headers alone. Outlier columns, which only the data tell, are not counted, and a
/// note of the report says so. `max_shard_bytes` as in
/// [`WriteOptions`](crate::WriteOptions::max_shard_bytes); 0: one file.
///
/// ```no_run
/// use bitnet_quant::{estimate_file, Context, Plan};
///
/// let plan: Plan = "* -> nf4_double_quant".parse()?;
/// let estimate = estimate_file(&Context::new(), &plan, "model.safetensors", 0)?;
/// println!("{} bytes", estimate.file_bytes);
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub fn estimate_file(
    context: &Context, plan: &Plan, input: impl AsRef<Path>, max_shard_bytes: u64,
) -> Result<Estimate> {
    let input = ffi::c_path("input", input.as_ref())?;
    let mut file_bytes = 0;
    // SAFETY: live handles, a C string, and places for both.
    let handle = Handle::create(|out| unsafe {
        sys::bnq_estimate_file(
            context.raw(),
            plan.raw(),
            input.as_ptr(),
            max_shard_bytes,
            &mut file_bytes,
            out,
        )
    })?;
    Ok(Estimate {
        file_bytes,
        report: Report::from_handle(handle),
    })
}
