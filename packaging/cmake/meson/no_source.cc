// For targets made of objects that CMake has compiled: meson wants a source, too.
