# Finds Highway and makes bnq_highway, the target everything compiles against.
# bnq_highway_library is what the library links to: the imported target itself,
# so that an installed static library can name it. A self-contained library takes a
# static Highway alone, which few systems have.
set(bnq_highway_version 1.0.3)
set(bnq_highway_tag 1.2.0) # the release BNQ_FETCH_HIGHWAY downloads

set(bnq_highway_library "")
if(BNQ_SELF_CONTAINED)
  set(kind "A static Highway")
  find_library(BNQ_STATIC_HIGHWAY
    ${CMAKE_STATIC_LIBRARY_PREFIX}hwy${CMAKE_STATIC_LIBRARY_SUFFIX})
  find_path(BNQ_STATIC_HIGHWAY_INCLUDE hwy/highway.h)
  if(BNQ_STATIC_HIGHWAY AND BNQ_STATIC_HIGHWAY_INCLUDE)
    add_library(bnq_static_highway INTERFACE)
    target_include_directories(bnq_static_highway SYSTEM
                               INTERFACE ${BNQ_STATIC_HIGHWAY_INCLUDE})
    target_link_libraries(bnq_static_highway INTERFACE ${BNQ_STATIC_HIGHWAY})
    set(bnq_highway_library bnq_static_highway)
  endif()
else()
  set(kind "Highway")
  find_package(hwy ${bnq_highway_version} CONFIG QUIET)
  if(TARGET hwy::hwy)
    set(bnq_highway_library hwy::hwy)
  else()
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(bnq_hwy QUIET IMPORTED_TARGET GLOBAL
                        libhwy>=${bnq_highway_version})
    endif()
    if(TARGET PkgConfig::bnq_hwy)
      set(bnq_highway_library PkgConfig::bnq_hwy)
    endif()
  endif()
endif()

# FETCHCONTENT_SOURCE_DIR_HIGHWAY names a folder with its source instead.
if(NOT bnq_highway_library AND BNQ_FETCH_HIGHWAY)
  include(FetchContent)
  set(HWY_ENABLE_TESTS OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_EXAMPLES OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_CONTRIB OFF CACHE BOOL "" FORCE)
  # Only a static libbnq needs an installed Highway beside it. (A source of one's own may
  # be 1.0.3, which cannot be configured so.)
  if(BUILD_SHARED_LIBS AND NOT FETCHCONTENT_SOURCE_DIR_HIGHWAY)
    set(HWY_ENABLE_INSTALL OFF CACHE BOOL "" FORCE)
  endif()
  set(HWY_FORCE_STATIC_LIBS ON CACHE BOOL "" FORCE)
  FetchContent_Declare(highway
    GIT_REPOSITORY https://github.com/google/highway.git
    GIT_TAG ${bnq_highway_tag}
    GIT_SHALLOW ON)
  FetchContent_MakeAvailable(highway)
  set_target_properties(hwy PROPERTIES POSITION_INDEPENDENT_CODE ON)
  set(bnq_highway_library hwy)
endif()
if(NOT bnq_highway_library)
  message(FATAL_ERROR
    "${kind} ${bnq_highway_version} or newer was not found. Install it "
    "(Debian, Ubuntu: libhwy-dev; Fedora: highway-devel; Arch: highway; "
    "Homebrew: highway; vcpkg: highway), or configure with "
    "-DBNQ_FETCH_HIGHWAY=ON to download it.")
endif()

add_library(bnq_highway INTERFACE)
target_link_libraries(bnq_highway INTERFACE ${bnq_highway_library})
