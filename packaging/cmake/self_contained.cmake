# BNQ_SELF_CONTAINED: a shared library that needs the C library alone, to be carried by
# wheels and other packages. Highway (highway.cmake), zlib and the C++ runtime are linked
# statically, and hidden as capi/libbnq.map hides everything.
if(NOT BNQ_SELF_CONTAINED)
  return()
endif()
if(NOT BUILD_SHARED_LIBS)
  message(FATAL_ERROR "BNQ_SELF_CONTAINED is of a shared library (BUILD_SHARED_LIBS=ON).")
endif()
# find_package(ZLIB) below finds a static one; its variable since CMake 3.24, and the way
# before.
set(ZLIB_USE_STATIC_LIBS ON)
find_library(ZLIB_LIBRARY NAMES
  ${CMAKE_STATIC_LIBRARY_PREFIX}z${CMAKE_STATIC_LIBRARY_SUFFIX}
  ${CMAKE_STATIC_LIBRARY_PREFIX}zlibstatic${CMAKE_STATIC_LIBRARY_SUFFIX} zlibstatic)

function(bnq_link_self_contained)
  if(MSVC OR APPLE)
    return() # these systems' C++ runtimes are part of the system, or chosen apart
  endif()
  target_link_options(bnq PRIVATE
    -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL $<$<CONFIG:Release>:-Wl,-s>)
  include(CheckSymbolExists)
  check_symbol_exists(__GLIBC__ features.h BNQ_HAS_GLIBC)
  if(BNQ_HAS_GLIBC AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|aarch64)$")
    # packaging/portable/old_glibc.c calls libpthread's functions by the names that they
    # had there.
    target_sources(bnq PRIVATE ${PROJECT_SOURCE_DIR}/packaging/portable/old_glibc.c)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/packaging/portable/old_glibc.c
      PROPERTIES COMPILE_OPTIONS "-std=gnu11;-ffunction-sections;-fdata-sections")
    target_link_libraries(bnq PRIVATE
      -Wl,--push-state,--no-as-needed -l:libpthread.so.0 -Wl,--pop-state)
  endif()
endfunction()
