# What a build for Windows needs beyond the other systems' flags, by any compiler.

target_compile_definitions(bnq_options INTERFACE
  UNICODE NOMINMAX WIN32_LEAN_AND_MEAN _WIN32_WINNT=0x0A00 # Windows 10
  _CRT_SECURE_NO_WARNINGS)
if(MSVC)
  # Sources are UTF-8; conforming lambdas and macros; and errors as C++ has them.
  target_compile_options(bnq_options INTERFACE /utf-8 /permissive- /EHsc /fp:precise)
endif()

# GCC takes the stack to be aligned for vectors of 32 and 64 bytes, where Windows aligns it to
# 16 (https://gcc.gnu.org/bugzilla/show_bug.cgi?id=54412): what it spills with aligned moves
# would crash. Its assembler can make these unaligned moves, which cost the same on memory that
# is aligned. An older one leaves the targets with such vectors out.
if(MINGW AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-Wa,-muse-unaligned-vector-move BNQ_HAS_UNALIGNED_VECTOR_MOVE)
  if(BNQ_HAS_UNALIGNED_VECTOR_MOVE)
    target_compile_options(bnq_options INTERFACE -Wa,-muse-unaligned-vector-move)
  else()
    message(WARNING "The assembler has no -muse-unaligned-vector-move (binutils 2.38): "
                    "libbnq is built without AVX2 and AVX-512.")
    string(APPEND bnq_disabled_targets "|HWY_AVX2|HWY_AVX3|HWY_AVX3_DL")
    target_compile_definitions(bnq_options INTERFACE BNQ_WITHOUT_DOT_X86)
  endif()
endif()

enable_language(RC)

# bnq.dll, whose ABI is in its version resource rather than in its name; the import library, and
# bnq.def, of which other linkers make theirs.
function(bnq_name_dll)
  set_target_properties(bnq PROPERTIES PREFIX "" SOVERSION "")
  configure_file(${PROJECT_SOURCE_DIR}/packaging/cmake/bnq.rc.in bnq.rc @ONLY)
  target_sources(bnq PRIVATE ${PROJECT_BINARY_DIR}/bnq.rc)
  if(MINGW)
    target_link_options(bnq PRIVATE -Wl,--output-def,${PROJECT_BINARY_DIR}/bnq.def)
  endif()
endfunction()

# bnq_add_manifest(PROGRAM): what it calls takes UTF-8, and paths longer than 259 characters where
# the system's own switch for these is on (the library takes them in any case).
function(bnq_add_manifest program)
  set(manifest ${PROJECT_SOURCE_DIR}/packaging/cmake/bnq.exe.manifest)
  if(MSVC)
    target_sources(${program} PRIVATE ${manifest})
  else()
    file(WRITE ${PROJECT_BINARY_DIR}/${program}.rc "1 24 \"${manifest}\"\n")
    target_sources(${program} PRIVATE ${PROJECT_BINARY_DIR}/${program}.rc)
  endif()
endfunction()
