//! Quantized tensors that were made before.

use crate::array::ArrayView;
use crate::callback::{self, Progress};
use crate::config::Config;
use crate::context::Context;
use crate::error::{check, Error, Result};
use crate::ffi::{self, length, Handle, Shape};
use crate::option::{self, option_type, OptionValue};
use crate::tensor::QuantizedTensor;
use bitnet_quant_sys as sys;
use std::fmt;
use std::ops::ControlFlow;
use std::os::raw::c_char;
use std::path::{Path, PathBuf};
use std::ptr;

option_type! {
    /// An option of a [`Cache`].
    CacheOption {
        /// Bytes of tensors kept in memory besides those in use; 0 for none.
        MEMORY_LIMIT = BNQ_CACHE_MEMORY_LIMIT;
        /// Bytes of entries in the folder; 0 for any number.
        DISK_LIMIT = BNQ_CACHE_DISK_LIMIT;
        /// Whether the folder is left as it is.
        READ_ONLY = BNQ_CACHE_READ_ONLY;
        /// Whether entries that cannot be read or written now are errors.
        STRICT = BNQ_CACHE_STRICT;
        /// Whether entries are compressed.
        COMPRESS = BNQ_CACHE_COMPRESS;
        /// What is left of the limit when entries are removed, in percent.
        KEEP_PERCENT = BNQ_CACHE_KEEP_PERCENT;
    }
    /// The options of a cache that the library has.
    fn cache_options() of BNQ_OPTIONS_CACHE;
    parse(option, text) {
        Cache::builder().set(option.name(), text).build()?.get_option(option)
    }
}

/// Quantized tensors that were made before, in memory and in a folder that any number of
/// processes share.
///
/// An entry is found by what it was made of: the array's contents, type and shape, the config
/// and the importance. So nothing stale is ever found, and equal arrays share an entry,
/// whatever they are called; names can be given to entries besides. Damaged entries are misses
/// and set aside; what cannot be read or written now is a miss that changes nothing, unless
/// [`STRICT`](CacheOption::STRICT) is on. Any number of threads may use one.
///
/// ```no_run
/// use bitnet_quant::{ArrayView, Cache, Context};
///
/// # let weights = [0.0f32; 8];
/// let context = Context::new();
/// let cache = Cache::builder().folder("layers").disk_limit(20_000_000_000).build()?;
/// let array = ArrayView::new(&weights, &[2, 4])?;
/// let (tensor, hit) = cache.quantize(&context, &"nf4".parse()?, &array, Some("model/3/ffn"))?;
/// let again = cache.get(&context, "model/3/ffn")?;
/// # Ok::<(), bitnet_quant::Error>(())
/// ```
pub struct Cache {
    handle: Handle<sys::bnq_cache>,
    folder: Option<PathBuf>,
}

// SAFETY: bnq.h: any number of threads may use a cache while nobody changes its options,
// which only a builder does.
unsafe impl Send for Cache {}
// SAFETY: as above.
unsafe impl Sync for Cache {}

impl Cache {
    /// A cache in a folder, which is made when something is stored in it.
    pub fn new(folder: impl AsRef<Path>) -> Result<Cache> {
        Cache::builder().folder(folder).build()
    }

    /// A cache in memory alone.
    pub fn in_memory() -> Result<Cache> {
        Cache::builder().build()
    }

    /// Starts from the options' defaults, in memory alone.
    pub fn builder() -> CacheBuilder {
        CacheBuilder {
            folder: None,
            options: Vec::new(),
        }
    }

    /// The folder that a person's programs share: the environment's `BNQ_CACHE`, else `bnq`
    /// in `XDG_CACHE_HOME` or in `~/.cache`. [`NotFound`](Error::NotFound) where none is set.
    pub fn default_folder() -> Result<PathBuf> {
        crate::check_library()?;
        // SAFETY: room of that size, or none, and a place for the size.
        let bytes = read_bytes(|text, size, out| unsafe {
            sys::bnq_cache_default_folder(text, size, out)
        })?;
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt;
            Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
        }
        #[cfg(not(unix))]
        Ok(PathBuf::from(String::from_utf8_lossy(&bytes).into_owned()))
    }

    pub(crate) fn raw(&self) -> *mut sys::bnq_cache {
        self.handle.as_ptr()
    }

    /// Where it is; `None` for memory alone.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The value of any option. [`Unsupported`](Error::Unsupported) where the library does
    /// not have it.
    pub fn get_option(&self, option: CacheOption) -> Result<OptionValue> {
        // SAFETY: a live cache.
        unsafe { option.read(sys::bnq_cache_options(self.raw())) }
    }

    /// What [`QuantizedTensor::quantize`] gives, or gave before: then the second is `true`.
    /// The array is read to know which entry is its own. With a name, it is that entry's from
    /// now on.
    ///
    /// # Errors
    /// As there; [`Io`](Error::Io) only with [`STRICT`](CacheOption::STRICT).
    pub fn quantize(
        &self, context: &Context, config: &Config, array: &ArrayView<'_>, name: Option<&str>,
    ) -> Result<(QuantizedTensor, bool)> {
        self.quantize_with(context, config, array, None, name)
    }

    /// The same with importance, as
    /// [`QuantizedTensor::quantize_weighted`](QuantizedTensor::quantize_weighted).
    pub fn quantize_weighted(
        &self, context: &Context, config: &Config, array: &ArrayView<'_>, importance: &[f32],
        name: Option<&str>,
    ) -> Result<(QuantizedTensor, bool)> {
        self.quantize_with(context, config, array, Some(importance), name)
    }

    fn quantize_with(
        &self, context: &Context, config: &Config, array: &ArrayView<'_>,
        importance: Option<&[f32]>, name: Option<&str>,
    ) -> Result<(QuantizedTensor, bool)> {
        let name = name.map(|name| ffi::c_string("name", name)).transpose()?;
        let mut hit = 0;
        let handle = array.with_raw(|source| {
            // SAFETY: live handles and array, weights of that number, a C string or NULL,
            // places for the results.
            Handle::create(|out| unsafe {
                sys::bnq_cache_quantize(
                    context.raw(),
                    self.raw(),
                    config.raw(),
                    source,
                    importance.map_or(ptr::null(), |weights| weights.as_ptr()),
                    importance.map_or(0, |weights| weights.len() as u64),
                    name.as_ref().map_or(ptr::null(), |name| name.as_ptr()),
                    out,
                    &mut hit,
                )
            })
        })?;
        Ok((QuantizedTensor::from_handle(handle, None), hit != 0))
    }

    /// What [`find`](Cache::find) finds the array's entry by: 64 hexadecimal digits.
    pub fn key(context: &Context, config: &Config, array: &ArrayView<'_>) -> Result<String> {
        let bytes = array.with_raw(|source| {
            // SAFETY: live handles and array, room of that size, or none, and a place for
            // the size.
            read_bytes(|text, size, out| unsafe {
                sys::bnq_cache_key(
                    context.raw(),
                    config.raw(),
                    source,
                    ptr::null(),
                    0,
                    text,
                    size,
                    out,
                )
            })
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The entry of a key. [`NotFound`](Error::NotFound) where there is none.
    pub fn find(&self, context: &Context, key: &str) -> Result<QuantizedTensor> {
        let key = ffi::c_string("key", key)?;
        // SAFETY: live handles, a C string, a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_cache_find(context.raw(), self.raw(), key.as_ptr(), out)
        })?;
        Ok(QuantizedTensor::from_handle(handle, None))
    }

    /// The entry of a name; `None` where there is none.
    pub fn get(&self, context: &Context, name: &str) -> Result<Option<QuantizedTensor>> {
        let name = ffi::c_string("name", name)?;
        // SAFETY: live handles, a C string, a place for the handle.
        let handle = Handle::create(|out| unsafe {
            sys::bnq_cache_get(context.raw(), self.raw(), name.as_ptr(), out)
        });
        match handle {
            Ok(handle) => Ok(Some(QuantizedTensor::from_handle(handle, None))),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a copy of a tensor, however it was made, in place of what has that name.
    pub fn put(&self, context: &Context, name: &str, tensor: &QuantizedTensor) -> Result<()> {
        let name = ffi::c_string("name", name)?;
        // SAFETY: live handles and a C string.
        check(unsafe { sys::bnq_cache_put(context.raw(), self.raw(), name.as_ptr(), tensor.raw()) })
    }

    /// What has become of requests, and what is there now, for which the folder is listed.
    pub fn statistics(&self) -> Result<CacheStatistics> {
        // SAFETY: no parameters.
        let mut values = vec![0.0; unsafe { sys::bnq_cache_stat_count() } as usize];
        // SAFETY: a live cache and room for so many numbers.
        check(unsafe {
            sys::bnq_cache_stats(self.raw(), values.as_mut_ptr(), values.len() as u32)
        })?;
        Ok(CacheStatistics { values })
    }

    /// What is in the folder, used last first; with a glob (as in
    /// [`Plan::add`](crate::Plan::add)) only what has a name that matches.
    pub fn entries(&self, context: &Context, glob: Option<&str>) -> Result<Vec<CacheEntry>> {
        let glob = glob.map(|glob| ffi::c_string("glob", glob)).transpose()?;
        let glob = glob.as_ref().map_or(ptr::null(), |glob| glob.as_ptr());
        // SAFETY: live handles, a C string or NULL, a place for the handle.
        let list: Handle<sys::bnq_cache_list> = Handle::create(|out| unsafe {
            sys::bnq_cache_list_create(context.raw(), self.raw(), glob, out)
        })?;
        let list = list.as_ptr();
        // SAFETY: here and below a live list, and indices in range.
        let count = unsafe { sys::bnq_cache_list_count(list) };
        let text = |raw: *const c_char| {
            // SAFETY: NULL or a string that lives as long as the list.
            unsafe { ffi::text(raw) }.unwrap_or("").to_string()
        };
        Ok((0..count)
            .map(|i| unsafe {
                CacheEntry {
                    key: text(sys::bnq_cache_list_key(list, i)),
                    names: (0..sys::bnq_cache_list_name_count(list, i))
                        .map(|k| text(sys::bnq_cache_list_name(list, i, k)))
                        .collect(),
                    bytes: sys::bnq_cache_list_bytes(list, i),
                    used: sys::bnq_cache_list_used(list, i),
                    damaged: sys::bnq_cache_list_damaged(list, i) == 1,
                    config: text(sys::bnq_cache_list_config(list, i)),
                    shape: Shape::read(|out| sys::bnq_cache_list_shape(list, i, out))
                        .map(Shape::to_vec)
                        .unwrap_or_default(),
                }
            })
            .collect())
    }

    /// Reads all entries of the folder, and sets those that are damaged aside; how many these
    /// are. Progress as in [`quantize_file`](crate::quantize_file).
    pub fn verify<F>(&self, context: &Context, mut progress: F) -> Result<u64>
    where
        F: FnMut(&Progress<'_>) -> ControlFlow<()>,
    {
        let (call, opaque) = callback::progress(&mut progress);
        let mut damaged = 0;
        // SAFETY: live handles, a closure that lives for the call, a place for the number.
        check(unsafe {
            sys::bnq_cache_verify(context.raw(), self.raw(), call, opaque, &mut damaged)
        })?;
        Ok(damaged)
    }

    /// Removes what was not used for longest until no more than so many bytes are left in
    /// memory and in the folder; and what is of no more use. The number of entries.
    pub fn trim(&self, context: &Context, bytes: u64) -> Result<u64> {
        let mut removed = 0;
        // SAFETY: live handles and a place for the number.
        check(unsafe { sys::bnq_cache_trim(context.raw(), self.raw(), bytes, &mut removed) })?;
        Ok(removed)
    }

    /// Removes the names that match a glob, and entries that have no other name; the number
    /// of these.
    pub fn remove(&self, context: &Context, glob: &str) -> Result<u64> {
        let glob = ffi::c_string("glob", glob)?;
        let mut removed = 0;
        // SAFETY: live handles, a C string, a place for the number.
        check(unsafe {
            sys::bnq_cache_remove(context.raw(), self.raw(), glob.as_ptr(), &mut removed)
        })?;
        Ok(removed)
    }

    /// Removes all entries and names, and nothing else that may be in the folder.
    pub fn clear(&self, context: &Context) -> Result<()> {
        // SAFETY: live handles.
        check(unsafe { sys::bnq_cache_clear(context.raw(), self.raw()) })
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        option::debug("Cache", f, |option: CacheOption| self.get_option(option))
    }
}

/// The bytes that a function writes, without their NUL.
fn read_bytes(call: impl Fn(*mut c_char, u64, *mut u64) -> sys::bnq_status) -> Result<Vec<u8>> {
    let mut size = 0;
    check(call(ptr::null_mut(), 0, &mut size))?;
    let mut bytes = vec![0u8; length(size)];
    check(call(bytes.as_mut_ptr().cast(), size, ptr::null_mut()))?;
    bytes.pop();
    Ok(bytes)
}

/// Sets where a [`Cache`] is, and its options.
#[derive(Debug, Clone)]
#[must_use = "a builder makes nothing until build() is called"]
pub struct CacheBuilder {
    folder: Option<PathBuf>,
    options: Vec<(String, String)>,
}

impl CacheBuilder {
    /// In this folder, which is made when something is stored in it.
    pub fn folder(mut self, folder: impl AsRef<Path>) -> CacheBuilder {
        self.folder = Some(folder.as_ref().to_path_buf());
        self
    }

    /// Bytes of tensors kept in memory besides those in use; 0 for none.
    pub fn memory_limit(self, bytes: u64) -> CacheBuilder {
        self.set("memory_limit", bytes)
    }

    /// Bytes of entries in the folder; 0 for any number.
    pub fn disk_limit(self, bytes: u64) -> CacheBuilder {
        self.set("disk_limit", bytes)
    }

    /// Whether the folder is left as it is.
    pub fn read_only(self, read_only: bool) -> CacheBuilder {
        self.set("read_only", u8::from(read_only))
    }

    /// Whether entries that cannot be read or written now are errors.
    pub fn strict(self, strict: bool) -> CacheBuilder {
        self.set("strict", u8::from(strict))
    }

    /// Whether entries are compressed.
    pub fn compress(self, compress: bool) -> CacheBuilder {
        self.set("compress", u8::from(compress))
    }

    /// Any option of the library by its name, and its value by name or number. See
    /// [`cache_options`](crate::cache_options) for what there is.
    pub fn set(mut self, option: &str, value: impl fmt::Display) -> CacheBuilder {
        self.options.push((option.to_string(), value.to_string()));
        self
    }

    /// The cache.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound) for an option of another name,
    /// [`InvalidArgument`](Error::InvalidArgument) for a value out of bounds.
    pub fn build(self) -> Result<Cache> {
        let folder = self.folder.as_deref();
        let path = folder.map(|path| ffi::c_path("folder", path)).transpose()?;
        let path = path.as_ref().map_or(ptr::null(), |path| path.as_ptr());
        // SAFETY: a C string or NULL, and a place for the handle.
        let handle: Handle<sys::bnq_cache> =
            Handle::create(|out| unsafe { sys::bnq_cache_create(path, out) })?;
        for (name, value) in &self.options {
            // SAFETY: the options of a live cache that nobody else has.
            unsafe {
                let settings = sys::bnq_cache_settings(handle.as_ptr());
                option::set_text(settings, name, value)?;
            }
        }
        Ok(Cache {
            handle,
            folder: self.folder,
        })
    }
}

/// An entry in a cache's folder.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CacheEntry {
    /// 64 hexadecimal digits.
    pub key: String,
    /// Sorted.
    pub names: Vec<String>,
    /// Of its file.
    pub bytes: u64,
    /// When it was used, in seconds since 1970.
    pub used: f64,
    /// Set aside, or not to be read; then there is no shape and no config.
    pub damaged: bool,
    /// The tensor's.
    pub shape: Vec<usize>,
    /// As `Config`'s `parse` takes it.
    pub config: String,
}

/// Methods that give the numbers of a list in the library's order.
macro_rules! statistics {
    ($type:ident { $($(#[$doc:meta])* $name:ident = $code:ident;)* }) => {
        impl $type {
            fn at(&self, index: usize) -> f64 {
                self.values.get(index).copied().unwrap_or(f64::NAN)
            }

            $($(#[$doc])* pub fn $name(&self) -> f64 {
                self.at(sys::$code)
            })*
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($name), &self.$name()))*
                    .finish()
            }
        }
    };
}
pub(crate) use statistics;

/// What has become of a cache's requests, and what is in it. NaN for what the library does
/// not have.
#[derive(Clone, PartialEq)]
pub struct CacheStatistics {
    /// As many as the library has, in its order, which is only ever appended to.
    values: Vec<f64>,
}

statistics! { CacheStatistics {
    /// Requests that were found in memory.
    memory_hits = BNQ_CACHE_STAT_MEMORY_HITS;
    /// Requests that were found in the folder.
    disk_hits = BNQ_CACHE_STAT_DISK_HITS;
    /// Requests that were not found.
    misses = BNQ_CACHE_STAT_MISSES;
    /// Entries written.
    stores = BNQ_CACHE_STAT_STORES;
    /// Entries not written: too large, or the folder read only, or the disk full.
    not_stored = BNQ_CACHE_STAT_NOT_STORED;
    /// Entries removed to keep the limit, by this cache.
    evictions = BNQ_CACHE_STAT_EVICTIONS;
    /// Damaged entries.
    damaged = BNQ_CACHE_STAT_DAMAGED;
    /// Times that the folder could not be read or written.
    failures = BNQ_CACHE_STAT_FAILURES;
    /// Bytes of the hits.
    bytes_served = BNQ_CACHE_STAT_BYTES_SERVED;
    /// Seconds spent in loading from the folder.
    load_seconds = BNQ_CACHE_STAT_LOAD_SECONDS;
    /// Tensors in memory besides those in use.
    memory_entries = BNQ_CACHE_STAT_MEMORY_ENTRIES;
    /// Bytes of these.
    memory_bytes = BNQ_CACHE_STAT_MEMORY_BYTES;
    /// Entries in the folder.
    disk_entries = BNQ_CACHE_STAT_DISK_ENTRIES;
    /// Bytes of their files, and of damaged ones.
    disk_bytes = BNQ_CACHE_STAT_DISK_BYTES;
}}
