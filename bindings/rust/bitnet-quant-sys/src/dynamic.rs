//! Finds and loads the library while the program runs (feature `load-dynamic`).

use crate::load_error::{diagnosis, LoadError};
use crate::{BNQ_ABI_VERSION, BNQ_VERSION};
use libloading::Library;
use std::env;
use std::ffi::CStr;
use std::os::raw::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::process::abort;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names the library to use, and the only one: a choice that cannot be loaded is an error,
/// never a reason to take another library.
const VARIABLE: &str = "BNQ_LIBRARY";

struct Loaded {
    library: Library,
    path: PathBuf,
}

static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

fn loaded() -> MutexGuard<'static, Option<Loaded>> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Loads the library at `path`, before any other call of this crate: a path with a folder, or a
/// name that the system's loader looks for.
///
/// Fails where that is no library of this ABI and at least this version, and where another one
/// is in use already; the same one again is fine.
pub fn init_from(path: impl AsRef<Path>) -> Result<(), LoadError> {
    let path = path.as_ref();
    let mut loaded = loaded();
    if let Some(loaded) = &*loaded {
        if loaded.path == path {
            return Ok(());
        }
        return Err(LoadError(format!(
            "libbnq {} is in use already, so {} is not loaded; init_from is accepted before any \
             other call",
            loaded.path.display(),
            path.display()
        )));
    }
    let tried = |why| LoadError(format!("libbnq: tried {}: {}", path.display(), why));
    *loaded = Some(open(path).map_err(tried)?);
    Ok(())
}

/// Loads the library that is found, if there is none yet.
pub(crate) fn init() -> Result<(), LoadError> {
    let mut loaded = loaded();
    if loaded.is_none() {
        *loaded = Some(find()?);
    }
    Ok(())
}

/// The address of a function of the library that is in use.
pub(crate) fn address() -> Option<*mut c_void> {
    let loaded = loaded();
    symbol(&loaded.as_ref()?.library, "bnq_abi_version\0")
}

/// Where a function keeps the address of the library's.
pub(crate) struct Slot(AtomicPtr<c_void>);

impl Slot {
    pub(crate) const fn new() -> Slot {
        Slot(AtomicPtr::new(ptr::null_mut()))
    }

    /// The address, of which `name` (with a NUL) is the name. Ends the process where there is
    /// none, as a program ends that was linked: `library::check` says it as an error before.
    pub(crate) fn get(&self, name: &str) -> *mut c_void {
        let known = self.0.load(Ordering::Acquire);
        if !known.is_null() {
            return known;
        }
        if let Err(error) = init() {
            eprintln!("{}", error);
            abort();
        }
        let loaded = loaded();
        let address = loaded
            .as_ref()
            .and_then(|loaded| symbol(&loaded.library, name));
        match address {
            Some(address) => {
                self.0.store(address, Ordering::Release);
                address
            }
            None => {
                eprintln!("libbnq has no {}", name.trim_end_matches('\0'));
                abort();
            }
        }
    }
}

/// The address of the symbol of that name (with a NUL).
fn symbol(library: &Library, name: &str) -> Option<*mut c_void> {
    // SAFETY: only the address is taken.
    let found = unsafe { library.get::<*mut c_void>(name.as_bytes()) };
    found.ok().map(|symbol| *symbol).filter(|p| !p.is_null())
}

/// What the library is called here, the name with the ABI's version first.
fn names() -> Vec<String> {
    if cfg!(windows) {
        vec!["bnq.dll".to_string()]
    } else if cfg!(target_os = "macos") {
        vec![
            format!("libbnq.{}.dylib", BNQ_ABI_VERSION),
            "libbnq.dylib".to_string(),
        ]
    } else {
        vec![
            format!("libbnq.so.{}", BNQ_ABI_VERSION),
            "libbnq.so".to_string(),
        ]
    }
}

/// What is tried, in order: the choice alone where there is one; else beside the program, then
/// where the system's loader looks.
fn candidates() -> Vec<PathBuf> {
    if let Some(chosen) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return vec![chosen.into()];
    }
    let program = env::current_exe().ok();
    let folder = program.as_deref().and_then(Path::parent);
    let beside = folder.map(|folder| names().into_iter().map(move |name| folder.join(name)));
    beside
        .into_iter()
        .flatten()
        .chain(names().into_iter().map(PathBuf::from))
        .collect()
}

fn find() -> Result<Loaded, LoadError> {
    let mut text = "libbnq is not found".to_string();
    if env::var_os(VARIABLE).map_or(true, |path| path.is_empty()) {
        text += &format!("\n  tried {}: not set", VARIABLE);
    }
    for path in candidates() {
        match open(&path) {
            Ok(loaded) => return Ok(loaded),
            Err(why) => text += &format!("\n  tried {}: {}", path.display(), why),
        }
    }
    text += &format!(
        "\n  accepted: {}=<path of {}>, the library beside the program or where the system's \
         loader looks, or init_from(path) before any other call",
        VARIABLE,
        names().join(" or ")
    );
    Err(LoadError(text))
}

/// The library at a path, or why it is not the one that is needed.
fn open(path: &Path) -> Result<Loaded, String> {
    let has_folder = path.components().count() > 1;
    if has_folder && !path.exists() {
        return Err("no such file".to_string());
    }
    // SAFETY: a library of the user's choice, whose constructors run.
    let library = unsafe { Library::new(path) }.map_err(|error| {
        // libloading 0.7 has the system's text in its source.
        let source = std::error::Error::source(&error).map(ToString::to_string);
        source.unwrap_or_else(|| error.to_string())
    })?;
    let number = |name: &str| {
        let address = symbol(&library, name)?;
        // SAFETY: functions of this type in every ABI.
        unsafe {
            let function: unsafe extern "C" fn() -> u32 = std::mem::transmute(address);
            Some(function())
        }
    };
    let abi = number("bnq_abi_version\0")
        .ok_or_else(|| "not libbnq: it has no bnq_abi_version".to_string())?;
    if abi != BNQ_ABI_VERSION {
        let version = symbol(&library, "bnq_version_string\0").map(|address| {
            // SAFETY: of this type in every ABI, and a C string that lives as long as the library.
            unsafe {
                let function: unsafe extern "C" fn() -> *const c_char =
                    std::mem::transmute(address);
                CStr::from_ptr(function()).to_string_lossy().into_owned()
            }
        });
        let version = version.as_deref().unwrap_or("of an unknown version");
        return Err(diagnosis(abi, version, Some(path)));
    }
    let version = number("bnq_version\0").unwrap_or(0);
    if version < BNQ_VERSION {
        return Err(format!(
            "version {}.{}.{} is too old for {} {}",
            version / 1_000_000,
            version / 1_000 % 1_000,
            version % 1_000,
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(Loaded {
        library,
        path: path.to_path_buf(),
    })
}
