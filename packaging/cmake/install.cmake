# Installs the library, its headers, and how other builds find them: a CMake
# package (bnq::bnq) and bnq.pc. Both may be moved with the installed prefix.
include(CMakePackageConfigHelpers)

set(bnq_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/bnq)
install(TARGETS bnq EXPORT bnq_targets
  RUNTIME COMPONENT runtime
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/capi/include/bnq
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h")
install(EXPORT bnq_targets NAMESPACE bnq:: FILE bnqTargets.cmake
  DESTINATION ${bnq_cmake_dir} COMPONENT development)

# A shared library brings its dependencies along; the user of a static one links
# to them, so both packages must name them.
set(bnq_find_dependencies "")
set(bnq_pc_requires "")
set(bnq_pc_libs "")
set(bnq_pc_cflags "")
if(NOT BUILD_SHARED_LIBS)
  set(bnq_find_dependencies "include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(ZLIB)
")
  if(bnq_highway_library STREQUAL "PkgConfig::bnq_hwy")
    string(APPEND bnq_find_dependencies "find_dependency(PkgConfig)
pkg_check_modules(bnq_hwy REQUIRED IMPORTED_TARGET libhwy)
")
  else()
    string(APPEND bnq_find_dependencies "find_dependency(hwy CONFIG)\n")
  endif()
  set(bnq_pc_requires "libhwy >= ${bnq_highway_version}, zlib")
  # The C++ runtime, which a C program would not link by itself.
  set(runtime ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
  list(REMOVE_ITEM runtime ${CMAKE_C_IMPLICIT_LINK_LIBRARIES})
  list(REMOVE_DUPLICATES runtime)
  target_link_libraries(bnq INTERFACE
    "$<INSTALL_INTERFACE:$<$<LINK_LANGUAGE:C>:${runtime}>>")
  list(TRANSFORM runtime PREPEND -l OUTPUT_VARIABLE bnq_pc_libs)
  list(APPEND bnq_pc_libs ${CMAKE_THREAD_LIBS_INIT})
  list(JOIN bnq_pc_libs " " bnq_pc_libs)
  set(bnq_pc_cflags " -DBNQ_STATIC")
endif()

configure_file(${CMAKE_CURRENT_LIST_DIR}/bnqConfig.cmake.in
               ${PROJECT_BINARY_DIR}/bnqConfig.cmake @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/bnqConfigVersion.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/bnqConfig.cmake
              ${PROJECT_BINARY_DIR}/bnqConfigVersion.cmake
  DESTINATION ${bnq_cmake_dir} COMPONENT development)

# A relative libdir is below the prefix: then bnq.pc says where the prefix is
# from its own place. Absolute directories are written down as they are.
set(bnq_pc_prefix ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  cmake_path(RELATIVE_PATH bnq_pc_prefix
    BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig
    OUTPUT_VARIABLE up)
  set(bnq_pc_prefix "\${pcfiledir}/${up}")
endif()
foreach(dir LIBDIR INCLUDEDIR)
  string(TOLOWER ${dir} name)
  set(bnq_pc_${name} ${CMAKE_INSTALL_${dir}})
  if(NOT IS_ABSOLUTE ${bnq_pc_${name}})
    set(bnq_pc_${name} "\${prefix}/${bnq_pc_${name}}")
  endif()
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/bnq.pc.in
               ${PROJECT_BINARY_DIR}/bnq.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/bnq.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

if(BNQ_BUILD_REFERENCE)
  install(FILES ${PROJECT_BINARY_DIR}/reference/bnq.html
    DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT documentation)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/reference/man3
    DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT documentation)
endif()
