//! The one list of declarations as what the crate's linkage makes of it.

/// Functions of the library that programs are linked with.
#[cfg(not(feature = "load-dynamic"))]
macro_rules! functions {
    ($($declarations:tt)*) => {
        extern "C" {
            $($declarations)*
        }
    };
}

/// Functions of the same types that find each its own in the library that is loaded when they
/// are first called.
#[cfg(feature = "load-dynamic")]
macro_rules! functions {
    ($(
        $(#[$doc:meta])*
        pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;
    )*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As `bnq.h` says of it.
        pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            type Function = unsafe extern "C" fn($($type),*) $(-> $result)?;
            static SLOT: $crate::dynamic::Slot = $crate::dynamic::Slot::new();
            let address = SLOT.get(concat!(stringify!($name), "\0"));
            // SAFETY: the library's function of that name is of this type; the rest as the
            // caller promises.
            unsafe {
                let function: Function = std::mem::transmute(address);
                function($($argument),*)
            }
        }
    )*};
}
